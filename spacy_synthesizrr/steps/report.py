"""`report`: one HTML page about the run, its numbers as JSON, and a card for its rows as a data set."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from spacy_synthesizrr.context import GRID, Context
from spacy_synthesizrr.dimensions import read_chosen
from spacy_synthesizrr.jsonl import atomic, read_json, read_jsonl, write_json
from spacy_synthesizrr.progress import say
from spacy_synthesizrr.receipts import STEPS, fresh, run_step
from spacy_synthesizrr.steps.evaluate import ANSWERS
from spacy_synthesizrr.steps.rows import arm_folders

if TYPE_CHECKING:
    from spacy_synthesizrr.report.browse import Confused
    from spacy_synthesizrr.report.items import Item
    from spacy_synthesizrr.report.page import Samples

PAGE, NUMBERS, CARD = "report/index.html", "report/numbers.json", "report/dataset_card.md"
LOOP_PAGE = "index.html"
NEEDED = ("index", "plan", "synthesize", "curate")


def run(ctx: Context) -> bool:
    """Write report/index.html, report/numbers.json and report/dataset_card.md.

    What comes after `curate` may be missing, or older than what it was made from; the page then leaves it out and says so.
    RETURNS (bool): Whether work was done.
    RAISES (RunFolderError): When a step up to `curate` has not been done, or is stale.
    """
    done = tuple(step for step in STEPS[STEPS.index("curate") + 1 : -1] if fresh(ctx.folder, step))
    settings = {
        **ctx.depends(task=True, files=("corpus", "seeds", "dev", "test", "train"), configs=tuple(ctx.inputs["configs"])),
        "inputs": {name: ctx.inputs[name] for name in ("identity", "settings", "student", "review") if name in ctx.inputs},
        "run": ctx.folder.name,
    }
    if loops := loops_of(ctx):
        settings["loops"] = loops
    return run_step(ctx.folder, "report", after=(*NEEDED, *done), settings=settings, outputs=(PAGE, NUMBERS, CARD), body=lambda: _body(ctx))


def _body(ctx: Context) -> dict[str, Any]:
    from spacy_synthesizrr.report.collect import collect
    from spacy_synthesizrr.report.dataset_card import dataset_card
    from spacy_synthesizrr.report.page import make_parts, render

    numbers = collect(ctx, money=spent_money(ctx))
    edges = ((numbers["plan"] or {}).get("histogram") or {}).get("edges", ())
    samples = draw_samples(ctx, edges, numbers)
    numbers["accepted_similarity"] = list(samples.similarity)
    page = render(numbers, samples, make_parts(numbers, samples), loops=loops_of(ctx))
    write_json(ctx.folder.file(NUMBERS), numbers)
    for name, text in ((PAGE, page), (CARD, dataset_card(ctx.task, numbers))):
        with atomic(ctx.folder.file(name)) as file:
            file.write(text)
    for finding in numbers["findings"]:
        say(f"  {finding['text']}")
    say(f"Report: {ctx.folder.file(PAGE)}")
    return {"bytes": len(page.encode()), "rows": len(samples.shown.items)}


def loops_of(ctx: Context) -> list[str]:
    """RETURNS (List[str]): Names of the loops that started from this run and have a page; folders beside that of the run."""
    found = []
    for path in sorted(ctx.folder.path.parent.glob(f"*/{GRID}")):
        if (path.parent / LOOP_PAGE).is_file() and read_json(path).get("loop_of") == ctx.folder.name:
            found.append(path.parent.name)
    return found


def spent_money(ctx: Context) -> dict[str, Any] | None:
    """RETURNS (dict | None): What this run itself has spent by its ledger: spent (all sums) and stages; None where there is no request."""
    from spacy_synthesizrr.models.answers.ledger import SUMS, prepare, stages
    from spacy_synthesizrr.models.answers.responses import ResponseStore
    from spacy_synthesizrr.teachers import answers_file

    path = answers_file(ctx, dict(ctx.config("teacher").get("teacher") or {}))
    if not path.is_file():
        return None
    with ResponseStore(path) as store:
        prepare(store)
        found = stages(store, ctx.scope, begin=ctx.mark)
    return {"spent": {name: sum(one[name] for one in found) for name in SUMS}, "stages": found} if found else None


def draw_samples(ctx: Context, edges: Sequence[float], numbers: Mapping[str, Any]) -> Samples:
    """Draw the rows that the page shows, and count the similarities of all accepted rows on the way.

    edges (Sequence[float]): Bins of the plan's histogram; may be empty.
    numbers (Mapping): What `collect` found.
    RETURNS (Samples): The same for the same rows and the run's seed.
    """
    from spacy_synthesizrr.labelled import run_seeds
    from spacy_synthesizrr.lookup import Lookup
    from spacy_synthesizrr.report.browse import draw_sample
    from spacy_synthesizrr.report.items import Shown, candidates_shown
    from spacy_synthesizrr.report.page import Samples
    from spacy_synthesizrr.report.rows import SimilarityCounts
    from spacy_synthesizrr.stores.opening import open_store

    counts = SimilarityCounts(edges)
    tested, items = _tested(ctx, numbers)
    drawn = draw_sample(arm_folders(ctx), seed=ctx.seed, labels=len(ctx.task.labels), tested=len(items), watch=counts.watch)
    seeds = run_seeds(ctx)
    with contextlib.closing(open_store(ctx)) as store:
        found = candidates_shown(drawn.rows, Lookup(ctx.task, store, seeds, read_chosen(ctx.folder.path)))
    return Samples(Shown([*found.items, *items], found.passages, found.seeds), drawn.totals, tested, tuple(counts.counts), drawn.reasons)


def _tested(ctx: Context, numbers: Mapping[str, Any]) -> tuple[Confused, list[Item]]:
    """Test rows that stand behind the cells of the confusion matrix."""
    from spacy_synthesizrr.labelled import read_rows
    from spacy_synthesizrr.report.browse import Confused, cells_as_answers, draw_tested
    from spacy_synthesizrr.report.items import gold_items

    confusion = (numbers["evaluation"] or {}).get("confusion")
    if not confusion or ctx.task.file("test") is None:
        return Confused(), []
    known = ANSWERS in numbers["written"]
    answers = read_jsonl(ctx.folder.file(ANSWERS), dict) if known else cells_as_answers(confusion["cells"], ctx.task.labels)
    tested = draw_tested(answers, seed=ctx.seed)
    items = gold_items(read_rows(ctx.task, "test"), tested.said)
    return tested, [items[line] for lines in tested.cells.values() for line in lines if line in items]
