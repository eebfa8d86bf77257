"""`report`: one HTML page about the run, and its numbers as JSON."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from spacy_synthesizrr.candidates import Candidate
from spacy_synthesizrr.context import Context
from spacy_synthesizrr.jsonl import atomic, read_jsonl, write_json
from spacy_synthesizrr.progress import say
from spacy_synthesizrr.receipts import STEPS, fresh, run_step

PAGE, NUMBERS = "report/index.html", "report/numbers.json"
NEEDED = ("index", "plan", "synthesize", "curate")
ACCEPTED_SHOWN = 40
REJECTED_SHOWN = 5  # per reason


def run(ctx: Context) -> bool:
    """Write report/index.html and report/numbers.json.

    What comes after `curate` may be missing, or older than what it was made from; the page then leaves it out and says so.
    RETURNS (bool): Whether work was done.
    RAISES (RunFolderError): When a step up to `curate` has not been done, or is stale.
    """
    done = tuple(step for step in STEPS[STEPS.index("curate") + 1 : -1] if fresh(ctx.folder, step))
    settings = {
        **ctx.depends(task=True, files=("corpus", "seeds", "dev", "test", "train"), configs=tuple(ctx.inputs["configs"])),
        "inputs": {name: ctx.inputs[name] for name in ("identity", "settings", "student", "review") if name in ctx.inputs},
        "run": ctx.folder.path.name,
    }
    return run_step(ctx.folder, "report", after=(*NEEDED, *done), settings=settings, outputs=(PAGE, NUMBERS), body=lambda: _body(ctx))


def _body(ctx: Context) -> dict[str, Any]:
    from spacy_synthesizrr.report.collect import collect
    from spacy_synthesizrr.report.page import draw_plots, render

    numbers = collect(ctx)
    edges = ((numbers["plan"] or {}).get("histogram") or {}).get("edges", ())
    samples = draw_samples(ctx, edges)
    numbers["accepted_similarity"] = list(samples.similarity)
    page = render(numbers, samples, draw_plots(numbers, samples))
    write_json(ctx.folder.file(NUMBERS), numbers)
    with atomic(ctx.folder.file(PAGE)) as file:
        file.write(page)
    for finding in numbers["findings"]:
        say(f"  {finding['text']}")
    say(f"Report: {ctx.folder.file(PAGE)}")
    return {"bytes": len(page.encode()), "rows": len(samples.accepted)}


def draw_samples(ctx: Context, edges: Any) -> Any:
    """Draw the rows that the page shows, and count the similarities of all accepted rows on the way.

    edges (Sequence[float]): Bins of the plan's histogram; may be empty.
    RETURNS (Samples): The same for the same rows and the run's seed.
    """
    from spacy_synthesizrr.labelled import read_seeds
    from spacy_synthesizrr.lookup import Lookup
    from spacy_synthesizrr.report.page import Samples
    from spacy_synthesizrr.report.rows import SimilarityCounts, sample, show
    from spacy_synthesizrr.stores.opening import open_store

    counts = SimilarityCounts(edges)
    each = max(1, ACCEPTED_SHOWN // len(ctx.task.labels))
    accepted = sample(counts.watch(_rows(ctx.folder.file("accepted.jsonl"))), each, by=lambda row: row.key, seed=ctx.seed)
    rejected = sample(_rows(ctx.folder.file("rejected.jsonl")), REJECTED_SHOWN, by=_why, seed=ctx.seed)
    chosen = [row for rows in accepted.values() for row in rows][:ACCEPTED_SHOWN]
    seeds = read_seeds(ctx.task)
    with contextlib.closing(open_store(ctx)) as store:
        lookup = Lookup(ctx.task, store, seeds)
        return Samples(show(chosen, lookup), {why: show(rows, lookup) for why, rows in sorted(rejected.items())}, tuple(counts.counts))


def _rows(path: Path) -> Iterator[Candidate]:
    return read_jsonl(path, Candidate.from_dict)


def _why(row: Candidate) -> str:
    return row.reason or "unknown"
