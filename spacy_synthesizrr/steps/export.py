"""`export`: accepted and labelled rows become train, dev and test sets, for the student and for every control."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from spacy_synthesizrr.configs import section
from spacy_synthesizrr.context import Context
from spacy_synthesizrr.documents import read_document
from spacy_synthesizrr.errors import RunFolderError
from spacy_synthesizrr.jsonl import read_json, write_json
from spacy_synthesizrr.progress import progress, say
from spacy_synthesizrr.receipts import RunFolder, run_step
from spacy_synthesizrr.sourcing.settings import PlanSettings
from spacy_synthesizrr.steps.gating import GATE, HITS, Gating, gating, sets_of, write_gate
from spacy_synthesizrr.students.arms import ARMS, GOLD, MAIN, RETRIEVE_ONLY, SEED_ONLY, SYNTHESIZED, Arm, arm_file, empty_label
from spacy_synthesizrr.students.reviewed import main_rows, told, turned_away
from spacy_synthesizrr.students.rows import KnownRows, StudentRow, accepted_rows, candidate_rows, labelled_rows, retrieved_rows, seed_rows
from spacy_synthesizrr.students.span.rows import also_spans, span_file

if TYPE_CHECKING:
    from spacy.language import Language

    from spacy_synthesizrr.students.rows import Passages

REPORT, SEEDS = "export.json", "seeds.jsonl"
Kind = Literal["dev", "test"]
KINDS: tuple[Kind, ...] = ("dev", "test")
NOTHING_MORE: Mapping[str, Any] = {
    "copies": {"rows": 0, "equal": 0},
    "gold_left_out": dict.fromkeys(KINDS, 0),
    "label_sources": {},
    "turned_away": {},
}
Source = Callable[[], Iterable[StudentRow]]


@dataclass(frozen=True)
class Counted:
    """What is counted while rows go by.

    copies (Counter[str]): "rows" with a passage, and those "equal" to it.
    label_sources (Counter[str]): Rows of the main arm by who chose their labels, and those that were left out.
    """

    copies: Counter[str] = field(default_factory=Counter)
    label_sources: Counter[str] = field(default_factory=Counter)


def run(ctx: Context) -> bool:
    """Write train.spacy, dev.spacy, test.spacy, controls/<arm>/train.spacy, export.json, gate.json and gate.jsonl.

    Rows that give a dev or test row away are left out of every train set (see curation/gate.py); dev rows that equal a test row
    are counted.
    RETURNS (bool): Whether work was done.
    RAISES (RunFolderError): When `plan` did not write which seeds it used.
    """
    configs = ("strategy", "curate", "review") if ctx.reviewed else ("strategy", "curate")
    settings = ctx.depends(task=True, files=("dev", "test", "train"), configs=configs, settings=("lang",))
    after = ("index", "plan", "synthesize", "curate", *(("pull",) if ctx.reviewed else ()))
    return run_step(ctx.folder, "export", after=after, settings=settings, outputs=lambda: _outputs(ctx.folder), body=lambda: _body(ctx))


def read_arms(folder: RunFolder) -> list[Arm]:
    """RETURNS (List[Arm]): The arms as export.json tells them, the main one first."""
    return [Arm.from_dict(row) for row in read_document(folder, REPORT)["arms"]]


def _outputs(folder: RunFolder) -> list[str]:
    return [REPORT, GATE, HITS, *sets_of(read_arms(folder))]


def _body(ctx: Context) -> dict[str, Any]:
    import spacy

    from spacy_synthesizrr.stores.opening import open_store

    _check_seeds(ctx.folder)
    nlp = spacy.blank(str(ctx.settings["lang"]))
    counted = Counted()
    with contextlib.closing(open_store(ctx)) as store, gating(ctx, getattr(store, "embedder", None)) as gate:
        arms = [_export_arm(ctx, name, nlp, _sources(ctx, store, counted), gate) for name in ARMS]
    left_out = gate.equal.get(GOLD, Counter())
    arms = [_explain(arm, left_out.total(), gate.left_out(arm.name)) for arm in arms]
    more = {
        "copies": {"rows": counted.copies["rows"], "equal": counted.copies["equal"]},
        "gold_left_out": {kind: left_out[kind] for kind in KINDS},
        "label_sources": dict(counted.label_sources),
        "turned_away": turned_away(ctx),
    }
    found = finish_export(ctx, arms, gate, nlp, more)
    if ctx.reviewed:
        say(f"  labels of the main rows: {told(counted.label_sources)}")
        if away := found["turned_away"]:
            say(f"  turned away by people: {', '.join(f'{count:,} {reason}' for reason, count in away.items())}")
    return {"rows": {arm.name: arm.rows for arm in arms if arm.run}}


def finish_export(ctx: Context, arms: Sequence[Arm], gate: Gating, nlp: Language, more: Mapping[str, Any]) -> dict[str, Any]:
    """Write dev and test sets, gate.json and export.json beside the train sets that are there, and tell what was exported.

    gate (Gating): Which the rows of the arms went through.
    more (Mapping): What export.json says beside arms, task, dev and test; see `NOTHING_MORE` for what others read of it.
    RETURNS (dict): What export.json says.
    """
    labelled: dict[str, dict[str, Any]] = {kind: _export_labelled(ctx, kind, nlp) for kind in KINDS}
    labelled["dev"]["in_test"] = _dev_in_test(ctx)
    found = {
        "v": 1,
        "task": ctx.task.name,
        "lang": ctx.settings["lang"],
        "exclusive": ctx.task.exclusive,
        "labels": list(ctx.task.labels),
        **({"answer": ctx.task.answer} if ctx.task.answer else {}),
        "arms": [arm.to_dict() for arm in arms],
        **labelled,
        **NOTHING_MORE,
        **more,
    }
    write_gate(ctx.folder, gate, sets_of(arms))
    write_json(ctx.folder.file(REPORT), found)
    for line in (*_told(arms, found), *gate.told(arms)):
        say(f"  {line}")
    return found


def _check_seeds(folder: RunFolder) -> None:
    if SEEDS not in folder.receipt("plan")["outputs"]:
        raise RunFolderError(
            f"The plan of the run '{folder.name}' does not say which seeds it used ({folder.file(SEEDS)} is not among its files). "
            f"Run the step 'plan' again: synthesizrr plan --run {folder.name} (or the whole project: spacy project run all)"
        )


def _explain(arm: Arm, equal: int, left_out: int) -> Arm:
    """Say why there is no gold row left."""
    if arm.name != GOLD or arm.rows or not left_out:
        return arm
    does = "equal a dev or test row" if equal == left_out else "give a dev or test row away"
    return replace(arm, why=f"{arm.why}: all {left_out} {does}")


def _told(arms: Iterable[Arm], found: Mapping[str, Any]) -> Iterator[str]:
    for arm in arms:
        yield f"{arm.name}: {arm.why or f'{arm.rows} rows'}"
    gone = found["gold_left_out"]
    if any(gone.values()):
        counts = ", ".join(f"{kind} {count}" for kind, count in gone.items())
        yield f"{sum(gone.values())} gold train rows equal a dev or test row and are left out ({counts})."
    if found["dev"]["in_test"]:
        yield (
            f"{found['dev']['in_test']} of {found['dev']['rows']} dev rows stand in test too: models would be chosen by rows that they "
            "are tested on. Take those rows out of one of the two files."
        )


def _dev_in_test(ctx: Context) -> int:
    if not (ctx.task.file("dev") and ctx.task.file("test")):
        return 0
    test = KnownRows({"test": labelled_rows(ctx.task, "test")})
    return sum(test.kind(row) is not None for row in labelled_rows(ctx.task, "dev"))


def _sources(ctx: Context, store: Passages, counted: Counted) -> Mapping[str, Source]:
    """Where the rows of each arm come from."""
    task, accepted = ctx.task, {name: ctx.folder.file(arm_file(name, "accepted.jsonl")) for name in SYNTHESIZED}
    return {
        MAIN: lambda: candidate_rows(main_rows(ctx, counted.label_sources), task),
        SEED_ONLY: lambda: seed_rows(ctx.folder.file(SEEDS), task),
        GOLD: lambda: labelled_rows(task, "train"),
        RETRIEVE_ONLY: lambda: retrieved_rows(main_rows(ctx, Counter()), task, store, copies=counted.copies),
        **{name: partial(accepted_rows, accepted[name], task) for name in SYNTHESIZED},
    }


def _export_arm(ctx: Context, name: str, nlp: Language, sources: Mapping[str, Source], gate: Gating) -> Arm:
    path = ctx.folder.file(arm_file(name, "train.spacy"))
    why = _why_not(ctx, name)
    if why:
        _remove_sets(path)
        return Arm(name, why=why)
    arm = export_arm(ctx, name, nlp, sources[name](), gate)
    missing = empty_label(arm, list(ctx.task.labels))
    if name == MAIN or missing is None:
        return arm
    _remove_sets(path)
    return Arm(name, arm.rows, arm.labels, why=f"not run: no rows for label '{missing}'" if arm.rows else "not run: no rows")


def _remove_sets(path: Path) -> None:
    from spacy_synthesizrr.students.export import remove_docs

    remove_docs(path)
    path.with_name(span_file(path.name)).unlink(missing_ok=True)


def export_arm(ctx: Context, name: str, nlp: Language, rows: Iterable[StudentRow], gate: Gating) -> Arm:
    """Write the train set of an arm: the rows that pass the gate.

    RETURNS (Arm): With its rows counted.
    """
    from spacy_synthesizrr.students.export import write_docs

    path, labels = ctx.folder.file(arm_file(name, "train.spacy")), list(ctx.task.labels)
    passed = also_spans(gate.through(name, progress(rows, f"Exporting ({name})")), path, ctx.task)
    written = write_docs(passed, path, nlp=nlp, labels=labels)
    return Arm(name, written.rows, {label: written.labels[label] for label in labels}, spans=bool(ctx.task.answer))


def _why_not(ctx: Context, name: str) -> str:
    """RETURNS (str): Why an arm cannot be exported; empty when it can."""
    if name == MAIN:
        return ""
    wanted = section(ctx.config("strategy"), "plan", PlanSettings, path=ctx.config_path("strategy")).controls.arms
    if name not in wanted:
        return "not run: the strategy leaves this control out"
    if name == SEED_ONLY and ctx.task.seeds is None:
        return "not run: the task has label descriptions and no seeds"
    if name == GOLD and ctx.task.train is None:
        return "not run: the task names no train file"
    if name == RETRIEVE_ONLY and ctx.task.answer:
        return "not run: a passage is no question"
    return _why_not_synthesized(ctx.folder, name) if name in SYNTHESIZED else ""


def _why_not_synthesized(folder: RunFolder, name: str) -> str:
    """What the receipts say about a control that the teacher answers; files that an older strategy left count for nothing."""
    status = arm_file(name, "status.json")
    if status in folder.receipt("synthesize")["outputs"]:
        told = read_json(folder.file(status))
        if not told["run"]:
            return str(told["why"])
    if arm_file(name, "accepted.jsonl") not in folder.receipt("curate")["outputs"]:
        not_planned: Mapping[str, str] = folder.receipt("plan")["counts"].get("not_planned", {})
        return not_planned.get(name, "not run: nothing was planned for this control")
    return ""


def _export_labelled(ctx: Context, kind: Kind, nlp: Language) -> dict[str, Any]:
    """Write dev or test; without labelled rows the set is empty."""
    from spacy_synthesizrr.students.export import write_docs

    rows = labelled_rows(ctx.task, kind) if ctx.task.file(kind) else ()
    path = ctx.folder.file(f"{kind}.spacy")
    rows = also_spans(progress(rows, f"Exporting ({kind})"), path, ctx.task)
    written = write_docs(rows, path, nlp=nlp, labels=list(ctx.task.labels))
    return {"rows": written.rows, "labels": {label: written.labels[label] for label in ctx.task.labels}}
