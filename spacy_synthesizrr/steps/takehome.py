"""The part of `evaluate` that looks at what a person takes home: how fast the student is, what its teacher costs, and its card."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spacy_synthesizrr.context import Context, config_name
from spacy_synthesizrr.errors import SynthesizrrError
from spacy_synthesizrr.fingerprints import size
from spacy_synthesizrr.jsonl import atomic, write_json
from spacy_synthesizrr.progress import say
from spacy_synthesizrr.receipts import fresh, versions
from spacy_synthesizrr.steps.train import STUDENT
from spacy_synthesizrr.students.takehome.card import Facts, card

if TYPE_CHECKING:
    from spacy_synthesizrr.models.answers.budget import Price, Total

TAKEHOME, CARD = "takehome.json", "card.md"
TEXTS = 5000  # read at most, to time the student on some of them
OURS = "synthesizrr."


def take_home(ctx: Context, *, exported: Mapping[str, Any], trained: Mapping[str, Any], evaluation: Mapping[str, Any]) -> dict[str, Any]:
    """Time the student, price its teacher, and write takehome.json and card.md.

    exported (Mapping), trained (Mapping), evaluation (Mapping): What those steps wrote.
    RETURNS (dict): What takehome.json says.
    """
    import spacy

    from spacy_synthesizrr.students.takehome.speed import measure_speed

    folder = ctx.folder.file(STUDENT)
    nlp = spacy.load(folder)
    split, texts = _texts(ctx, exported)
    found = {
        "v": 1,
        "speed": {**measure_speed(nlp, texts, size=size(folder)).to_dict(), "texts": split},
        "teacher": teacher_cost(ctx, texts),
    }
    write_json(ctx.folder.file(TAKEHOME), found)
    facts = Facts(ctx.task, _asked(ctx), exported, trained, evaluation, found, versions(), dict(nlp.meta))
    with atomic(ctx.folder.file(CARD)) as file:
        file.write(card(facts))
    return found


def _texts(ctx: Context, exported: Mapping[str, Any]) -> tuple[str, list[str]]:
    """Texts of test, else of dev, else of the train rows, and which they are."""
    from spacy.vocab import Vocab

    from spacy_synthesizrr.students.export import read_docs

    split = next((kind for kind in ("test", "dev") if exported[kind]["rows"]), "train")
    docs = islice(read_docs(ctx.folder.file(f"{split}.spacy"), Vocab()), TEXTS)
    return split, [doc.text for doc in docs if len(doc)]


def _asked(ctx: Context) -> dict[str, str]:
    """What was chosen for this run, by name; the embedder as `index` noted it."""
    from spacy_synthesizrr.documents import read_document

    names = {
        kind: str(ctx.inputs.get(kind) or ctx.inputs["identity"].get(kind, "")) for kind in ("strategy", "store", "teacher", "student")
    }
    index = read_document(ctx.folder, "index.json") if fresh(ctx.folder, "index") and ctx.folder.file("index.json").is_file() else None
    names = {kind: config_name(named) for kind, named in names.items()}
    names["embedder"] = str(index["embedder"]["id"]) if index else ""
    block = _teacher(ctx)
    model = str(block.get("model", ""))
    names["teacher_model"] = model if not Path(model).expanduser().is_absolute() else Path(model).name
    names["teacher_kind"] = str(block.get("@llm_models", ""))
    return names | {"run": ctx.folder.path.name}


def _teacher(ctx: Context) -> dict[str, Any]:
    """The [teacher] section, or nothing where a run was made without one."""
    return dict(ctx.config("teacher").get("teacher") or {}) if "teacher" in ctx.inputs["configs"] else {}


def teacher_cost(ctx: Context, texts: Sequence[str]) -> dict[str, Any]:
    """What the teacher of this run costs.

    texts (Sequence[str]): Documents as the student reads them.
    RETURNS (dict): measured (per 1,000 requests of this run; None where the ledger has none), labelling (an estimate for 1,000
        documents; None for a teacher that cannot label) and note, in words.
    """
    from spacy_synthesizrr.students.takehome.labelling import BY_RULE, HERE, UNKNOWN, labelling, measured

    price, by_rule, note = _price(ctx)
    spent = measured(_spent(ctx))
    if by_rule:
        return {"measured": spent, "labelling": None, "note": BY_RULE}
    definitions = {label: about.definition or about.verbalization for label, about in ctx.task.labels.items()}
    estimate = labelling(definitions, texts, price)
    said = note or (UNKNOWN if estimate["cost"] is None else HERE if not estimate["cost"] else "")
    return {"measured": spent, "labelling": estimate, "note": said}


def _price(ctx: Context) -> tuple[Price, bool, str]:
    """The price of the teacher as `plan-cost` finds it, whether it works by rule, and what to note where it cannot be found.

    Why it cannot is said on the terminal alone: the note goes into the card, and the reason may name places on this machine.
    Only teachers of this project are built for it: they ask no server and load no weights when they are built.
    """
    from spacy_llm.registry import registry

    from spacy_synthesizrr.models.answers.budget import Price, make_price
    from spacy_synthesizrr.steps.plan_cost import price_of
    from spacy_synthesizrr.students.takehome.labelling import LOST

    block = _teacher(ctx)
    where = str(ctx.config_path("teacher")) if block else ""
    try:
        if not str(block.get("@llm_models", "")).startswith(OURS):
            return make_price(ctx.config("teacher").get("price") or {}, where=where) if block else Price(), False, ""
        model = registry.resolve({"model": block})["model"]
        return price_of(ctx.config("teacher"), model, where=where), bool(getattr(model, "by_rule", False)), ""
    except (SynthesizrrError, ValueError, OSError) as error:  # a config that changed, a price table that is not installed
        say(f"  The price of the teacher cannot be found: {_reason(error)}")
        return Price(), False, LOST


def _reason(error: Exception) -> str:
    """What is wrong, without the config itself, which confection repeats in its message with every key and header in it."""
    from confection import ConfigValidationError

    if not isinstance(error, ConfigValidationError):
        return " ".join(str(error).split())
    return "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors)


def _spent(ctx: Context) -> Total:
    """What this run has spent by its ledger; nothing where there is none."""
    from spacy_synthesizrr.models.answers.budget import Total
    from spacy_synthesizrr.models.answers.ledger import prepare, spent
    from spacy_synthesizrr.models.answers.responses import ResponseStore
    from spacy_synthesizrr.teachers import answers_file

    path = answers_file(ctx, _teacher(ctx))
    if not path.is_file():
        return Total()
    with ResponseStore(path) as store:
        prepare(store)
        return spent(store, ctx.scope, begin=ctx.mark)
