"""`measure`: what the rows are like, beside the control arms, the seeds and gold.

Rows are those that `export` took: as people left them, and without what gives a dev or test row away, which would make them look near to
gold. Before `export` was done they are the accepted ones; metrics.json says which.
Measures look at the generated field alone, since carried fields are the same in every arm; only the judge of labels reads what a
student would. Many depend on how many texts they are given, so sets stand side by side at equal size, each number with its n and the
mean length of the rows beside. What could not be measured says why. configs/measure.cfg has the settings, docs/measures.md the formulas.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from spacy_synthesizrr.candidates import ROW_VERSION, Candidate
from spacy_synthesizrr.configs import build
from spacy_synthesizrr.context import Context
from spacy_synthesizrr.embedders.base import Embedder
from spacy_synthesizrr.embedders.none import embeds
from spacy_synthesizrr.errors import ConfigError, RunFolderError
from spacy_synthesizrr.jsonl import write_json
from spacy_synthesizrr.labelled import Kind, LabelledRow, read_rows, read_seeds
from spacy_synthesizrr.measuring.sets import Row, RowSet
from spacy_synthesizrr.measuring.settings import read_settings
from spacy_synthesizrr.measuring.whole import Measured, measure_all, variety_of
from spacy_synthesizrr.metrics.preservation import Judged
from spacy_synthesizrr.progress import say
from spacy_synthesizrr.receipts import fresh, run_step
from spacy_synthesizrr.set_filters.running import Rows
from spacy_synthesizrr.steps.curate import synthesized_arms
from spacy_synthesizrr.steps.gating import given_away
from spacy_synthesizrr.stores.base import Store
from spacy_synthesizrr.stores.opening import INDEX, open_store
from spacy_synthesizrr.students.arms import MAIN
from spacy_synthesizrr.students.reviewed import main_rows
from spacy_synthesizrr.taskfile import TaskSpec
from spacy_synthesizrr.words import comparable

STEP = "measure"
EXPORTED, ACCEPTED = "exported", "accepted"  # which rows were measured
GOLD: tuple[Kind, ...] = ("seeds", "dev", "train")
SAMPLE = 10_000
SHOWN = ("distinct_1", "distinct_2", "distinct_3", "compression_ratio", "self_bleu_5")
Readable = Callable[[], Iterator[Judged]]


def run(ctx: Context) -> bool:
    """Write metrics.json.

    RETURNS (bool): Whether work was done.
    RAISES (ConfigError): For settings that are none, an entity pipeline that is not installed, an embedder that cannot be used.
    """
    if STEP not in ctx.inputs["configs"]:
        raise RunFolderError(f"This run knows no configs/{STEP}.cfg: an earlier release prepared it. Run `prepare` again.")
    settings = ctx.depends(task=True, files=GOLD, configs=(STEP,), settings=("seed", "lang"))
    exported = fresh(ctx.folder, "export")
    after = ("curate", "export") if exported else ("curate",)
    return run_step(ctx.folder, STEP, after=after, settings=settings, outputs=("metrics.json",), body=lambda: _body(ctx, exported))


def _body(ctx: Context, exported: bool) -> dict[str, Any]:
    config, path = ctx.config(STEP), ctx.config_path(STEP)
    settings = read_settings(config, path=path)
    with contextlib.ExitStack() as stack:
        store = stack.enter_context(contextlib.closing(open_store(ctx))) if ctx.folder.file(INDEX).is_file() else None
        embedder = _embedder(config, store, path=str(path))
        found = measure_all(measured(ctx, store, embedder, exported=exported), settings, seed=ctx.seed)
    about = {"v": ROW_VERSION, "field": ctx.task.generated.name, "rows": EXPORTED if exported else ACCEPTED}
    write_json(ctx.folder.file("metrics.json"), about | found)
    if not exported:
        say("Measures of all accepted rows, since `export` has not yet looked for those that give a dev or test row away.")
    for line in summary(found):
        say(line)
    return {name: values["labels"]["n"] for name, values in found["sets"].items()}


def _embedder(config: Mapping[str, Any], store: Store | None, *, path: str) -> Embedder | None:
    """RETURNS (Embedder | None): The one that the config names, or that of the index; None when that one learnt from the corpus, from
    which the rows come too: rows would look as varied as the corpus, and gold dull.
    """
    if "embedder" not in config:
        own = store.embedder if store is not None else None
        return own if own is not None and embeds(own) and is_pretrained(own) else None
    embedder: Embedder = build(dict(config), "embedder", path=path)
    if not is_pretrained(embedder):
        raise ConfigError(
            f"{path}: [embedder] {embedder.recipe} has to learn from a corpus. Name a pretrained one, or leave the section out: then that "
            "of the index is taken if it is pretrained, and else one is fitted on equally many rows of each set."
        )
    embedder.fit((), seed=0)
    return embedder


def is_pretrained(embedder: Embedder) -> bool:
    """RETURNS (bool): Whether a text's vector follows from the text alone, whatever corpus there is."""
    return bool(getattr(embedder, "pretrained", False))


@dataclass(frozen=True)
class ExportedRows:
    """The rows of an arm that `export` took; can be read again and again.

    accepted (Rows): What curation accepted. gone (Collection[str]): Ids of rows that the gate left out.
    """

    ctx: Context
    arm: str
    accepted: Rows
    gone: frozenset[str]

    def __iter__(self) -> Iterator[Candidate]:
        rows = main_rows(self.ctx, Counter()) if self.arm == MAIN else self.accepted
        return (row for row in rows if row.id not in self.gone)


def measured(ctx: Context, store: Store | None, embedder: Embedder | None, *, exported: bool) -> Measured:
    """RETURNS (Measured): The run's rows, those of each synthesized control, and the task's own seeds, dev and train rows."""
    task = ctx.task
    field = task.generated.name
    accepted = {name: Rows(ctx.folder.path / folder / "accepted.jsonl") for name, folder in synthesized_arms(ctx.folder).items()}
    gone = given_away(ctx.folder) if exported else {}
    arms: dict[str, Iterable[Candidate]] = {
        name: ExportedRows(ctx, name, rows, gone.get(name, frozenset())) if exported else rows for name, rows in accepted.items()
    }
    kinds = [kind for kind in GOLD if task.file(kind)]

    own = [RowSet(name, _texts(rows, field)) for name, rows in arms.items()]
    gold = [RowSet(kind, _gold(ctx, kind, field)) for kind in kinds]
    judged = {**_judged_arms(task, arms), **_judged_gold(task, kinds)}
    return Measured(own, gold, judged, arms, list(task.labels), task.exclusive, str(ctx.settings["lang"]), store, embedder)


def _texts(rows: Iterable[Candidate], field: str) -> Callable[[], Iterator[Row]]:
    return lambda: ((row.labels, row.fields[field]) for row in rows)


def _gold(ctx: Context, kind: Kind, field: str) -> Callable[[], Iterator[Row]]:
    return lambda: ((row.labels, row.fields[field]) for row in read_rows(ctx.task, kind))


def _judged_arms(task: TaskSpec, arms: Mapping[str, Iterable[Candidate]]) -> dict[str, Readable]:
    """Rows with their seed and what they carry, so that none is judged by who learnt from those."""

    def readable(rows: Iterable[Candidate]) -> Readable:
        return lambda: (Judged(row.labels, task.student_text(row.fields), (row.seed_id, *_carried(task, row.fields))) for row in rows)

    return {name: readable(rows) for name, rows in arms.items()}


def _judged_gold(task: TaskSpec, kinds: Sequence[Kind]) -> dict[str, Readable]:
    ids = {_key(seed.fields): seed.id for seed in (read_seeds(task) if task.seeds else ())}

    def judged(row: LabelledRow) -> Judged:
        own = ids.get(_key(row.fields))
        return Judged(row.labels, task.student_text(row.fields), (*([own] if own else ()), *_carried(task, row.fields)))

    def readable(kind: Kind) -> Readable:
        return lambda: map(judged, read_rows(task, kind))

    return {kind: readable(kind) for kind in kinds}


def _key(fields: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(comparable(text) for text in fields.values())


def _carried(task: TaskSpec, fields: Mapping[str, str]) -> Iterator[str]:
    yield from (f"{spec.name}: {comparable(fields[spec.name])}" for spec in task.carried if fields.get(spec.name))


def measure(sets: Sequence[RowSet], *, seed: int, lang: str = "en", sample: int = SAMPLE) -> dict[str, Any]:
    """Measure the variety of sets, each with all its rows, and side by side at equal size.

    seed (int): Of the samples. lang (str): Of the tokenizer. sample (int): Rows of a set at most.
    RETURNS (dict): See `measuring.whole.variety_of`.
    """
    return variety_of(sets, seed=seed, lang=lang, sample=sample)


def summary(found: Mapping[str, Any]) -> list[str]:
    """RETURNS (List[str]): One line per set for people: rows, length, and the measures at equal size; then what could not be measured."""
    equal = found["equal"]
    lines = [
        f"Measures; distinct-n, compression ratio and Self-BLEU on {equal['n']} rows of each set "
        "(more varied: larger distinct-n, smaller ratio, smaller Self-BLEU):"
    ]
    for name, values in found["sets"].items():
        n = values["labels"]["n"]
        if not n:
            lines.append(f"  {name}: no rows")
            continue
        sized = {key: equal["sets"][name][key]["value"] for key in SHOWN if key in equal["sets"][name]}
        shown = ", ".join(f"{_name(key)} {_short(value)}" for key, value in sized.items())
        lines.append(f"  {name}: {n} rows of {values['lengths']['words']['mean']:.1f} words; {shown}")
    return lines + [f"  {name}: {about['missing']}" for name, about in found.items() if isinstance(about, dict) and "missing" in about]


def _name(key: str) -> str:
    return key.replace("self_bleu", "Self-BLEU").replace("_", "-" if key[-1].isdigit() else " ")


def _short(value: float | None) -> str:
    return "none" if value is None else f"{value:.3f}"
