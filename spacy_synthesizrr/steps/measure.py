"""`measure`: what the accepted rows are like, beside the control arms, the seeds and the dev rows.

Measures look at the generated field alone; carried fields are the same in every arm. Some depend on how many texts they
are given, so the sets stand side by side twice: each with all its rows, and all cut to the size of the smallest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from spacy_synthesizrr.candidates import ROW_VERSION, label_key
from spacy_synthesizrr.context import Context
from spacy_synthesizrr.jsonl import write_json
from spacy_synthesizrr.labelled import Kind, read_rows
from spacy_synthesizrr.metrics.compression import compression_ratio
from spacy_synthesizrr.metrics.counts import label_counts
from spacy_synthesizrr.metrics.distinct import distinct
from spacy_synthesizrr.metrics.lengths import lengths, lengths_by_label
from spacy_synthesizrr.metrics.samples import draw
from spacy_synthesizrr.progress import progress, say
from spacy_synthesizrr.receipts import run_step
from spacy_synthesizrr.set_filters.running import Rows
from spacy_synthesizrr.steps.curate import synthesized_arms
from spacy_synthesizrr.taskfile import TaskSpec

STEP = "measure"
GOLD: tuple[Kind, ...] = ("seeds", "dev")
NGRAMS = (1, 2, 3)
SAMPLE = 10_000  # texts; distinct-n keeps 8 bytes per n-gram, about 4 MB for 10,000 texts of 50 words
Row = tuple[tuple[str, ...], str]


@dataclass(frozen=True)
class RowSet:
    """Rows that can be read again and again.

    name (str): "main", the name of a control arm, "seeds" or "dev".
    read (Callable): Labels and text of each row, streamed.
    """

    name: str
    read: Callable[[], Iterator[Row]]

    def texts(self) -> Iterator[str]:
        """RETURNS (Iterator[str]): The texts alone."""
        return (text for _, text in self.read())


def run(ctx: Context) -> bool:
    """Write metrics.json.

    RETURNS (bool): Whether work was done.
    """
    settings = ctx.depends(task=True, files=("seeds", "dev"), settings=("seed",))
    return run_step(ctx.folder, STEP, after=("curate",), settings=settings, outputs=("metrics.json",), body=lambda: _body(ctx))


def _body(ctx: Context) -> dict[str, Any]:
    sets = row_sets(ctx)
    found = measure(sets, seed=ctx.seed)
    write_json(ctx.folder.file("metrics.json"), {"v": ROW_VERSION, "field": ctx.task.generated.name, **found})
    for line in summary(found):
        say(line)
    return {name: values["labels"]["n"] for name, values in found["sets"].items()}


def row_sets(ctx: Context) -> list[RowSet]:
    """RETURNS (List[RowSet]): The run's accepted rows, those of each control arm, and the task's own seeds and dev rows."""
    field = ctx.task.generated.name

    def accepted(rows: Rows) -> Callable[[], Iterator[Row]]:
        return lambda: ((row.labels, row.fields[field]) for row in rows)

    arms = synthesized_arms(ctx.folder).items()
    sets = [RowSet(name, accepted(Rows(ctx.folder.path / folder / "accepted.jsonl"))) for name, folder in arms]
    return [*sets, *(RowSet(kind, _gold(ctx.task, kind, field)) for kind in GOLD if ctx.task.file(kind))]


def _gold(task: TaskSpec, kind: Kind, field: str) -> Callable[[], Iterator[Row]]:
    return lambda: ((row.labels, row.fields[field]) for row in read_rows(task, kind))


def measure(sets: Sequence[RowSet], *, seed: int) -> dict[str, Any]:
    """Measure each set with all its rows, and all sets at an equal number of rows.

    seed (int): Seed of the samples.
    RETURNS (dict): `sets`: per set `labels`, `lengths` (overall and `per_label`) and the measures that depend on size, each
        with its `value` and `n`. `equal`: the smallest set's size `n` and, per set, the latter measures on a sample of n.
    """
    found = {rows.name: _all_rows(rows, seed=seed) for rows in progress(sets, "Measuring", total=len(sets), unit="sets")}
    sizes = [values["labels"]["n"] for values in found.values() if values["labels"]["n"]]
    smallest = min([SAMPLE, *sizes]) if sizes else 0
    equal = {rows.name: _sized(draw(rows.texts(), smallest, seed=seed)) for rows in sets if found[rows.name]["labels"]["n"]}
    return {"sets": found, "equal": {"n": smallest, "seed": seed, "sets": equal}}


def _all_rows(rows: RowSet, *, seed: int) -> dict[str, Any]:
    labels = label_counts(labels for labels, _ in rows.read())
    n = labels["n"]
    per_label = lengths_by_label((label_key(labels), text) for labels, text in rows.read())
    return {
        "labels": labels,
        "lengths": {**lengths(rows.texts()), "per_label": per_label},
        **_distinct(draw(rows.texts(), SAMPLE, seed=seed)),
        "compression_ratio": {"value": compression_ratio(rows.texts()), "n": n},
    }


def _sized(texts: Sequence[str]) -> dict[str, Any]:
    return {**_distinct(texts), "compression_ratio": {"value": compression_ratio(texts), "n": len(texts)}}


def _distinct(texts: Sequence[str]) -> dict[str, Any]:
    return {f"distinct_{n}": {"value": distinct(texts, n), "n": len(texts)} for n in NGRAMS}


def summary(found: Mapping[str, Any]) -> list[str]:
    """RETURNS (List[str]): One line per set for people: rows, length, and the measures at equal size."""
    equal = found["equal"]
    lines = [
        f"Measures; distinct-n and compression ratio on {equal['n']} rows of each set (more varied: larger distinct-n, smaller ratio):"
    ]
    for name, values in found["sets"].items():
        n = values["labels"]["n"]
        if not n:
            lines.append(f"  {name}: no rows")
            continue
        sized = {key: about["value"] for key, about in equal["sets"][name].items()}
        shown = ", ".join(f"{key.replace('_', '-' if key[-1].isdigit() else ' ')} {_short(value)}" for key, value in sized.items())
        lines.append(f"  {name}: {n} rows of {values['lengths']['words']['mean']:.1f} words; {shown}")
    return lines


def _short(value: float | None) -> str:
    return "none" if value is None else f"{value:.3f}"
