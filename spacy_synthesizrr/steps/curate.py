"""`curate`: judge the finished set, keep every rejected row with its reason, count the funnel.

Set filters only take away. What they leave goes to accepted.jsonl, what they or the row filters turned away (and what
failed) to rejected.jsonl, for the run itself and for each control arm that was synthesized.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from spacy_synthesizrr.candidates import ACCEPTED, REJECTED, Candidate, Event
from spacy_synthesizrr.context import Context
from spacy_synthesizrr.curation.sets import Rows, read_set_filters, taken_away
from spacy_synthesizrr.curation.verdicts import Verdict
from spacy_synthesizrr.documents import read_document
from spacy_synthesizrr.funnel import Funnel
from spacy_synthesizrr.jsonl import atomic, dumps, write_json
from spacy_synthesizrr.lines import count_lines
from spacy_synthesizrr.lookup import Lookup
from spacy_synthesizrr.progress import progress, say
from spacy_synthesizrr.receipts import RunFolder, run_step
from spacy_synthesizrr.students.arms import MAIN
from spacy_synthesizrr.synthesis import FILES

STEP = "curate"
OUTPUTS = ("accepted.jsonl", "rejected.jsonl", "funnel.json")
_, KEPT, AWAY = FILES  # what the row filters of `synthesize` let through and turned away
NO_LACK = ("rank", "surplus")  # hits that the plan did not need


def run(ctx: Context) -> bool:
    """Write accepted.jsonl, rejected.jsonl and funnel.json for every arm.

    RETURNS (bool): Whether work was done.
    """
    arms = synthesized_arms(ctx.folder)
    return run_step(
        ctx.folder,
        STEP,
        after=("plan", "synthesize"),
        settings=ctx.depends(task=True, configs=("curate",)),
        outputs=[(folder / name).as_posix() for folder in arms.values() for name in OUTPUTS],
        body=lambda: _body(ctx, arms),
    )


def synthesized_arms(folder: RunFolder) -> dict[str, Path]:
    """The arms that `synthesize` wrote, by its receipt: what an earlier strategy left in the folder is none.

    RETURNS (Dict[str, Path]): "main" and the controls; folders relative to the run folder.
    """
    folders = [Path(name).parent for name in folder.receipt("synthesize")["outputs"] if Path(name).name == KEPT]
    return {folder.name or MAIN: folder for folder in sorted(folders)}


def _body(ctx: Context, arms: Mapping[str, Path]) -> dict[str, Any]:
    filters = read_set_filters(ctx.config("curate"), path=ctx.config_path("curate"))
    if not filters:
        return {name: _arm(ctx, name, folder, {}) for name, folder in arms.items()}
    lookup = _lookup(ctx)
    with contextlib.closing(lookup.store):
        return {
            name: _arm(ctx, name, folder, taken_away(ctx.folder.path / folder / KEPT, filters, lookup)) for name, folder in arms.items()
        }


def _arm(ctx: Context, name: str, folder: Path, away: Mapping[str, tuple[str, Verdict]]) -> dict[str, int]:
    where = ctx.folder.path / folder
    funnel = _start(ctx, name, where / "planned.jsonl")
    sort_rows(where, away, funnel, what=f"Curating ({name})")
    leaks = {"leaks": read_document(ctx.folder, "plan.json")["leaks"]["counts"]} if name == MAIN else {}
    write_json(where / "funnel.json", funnel.to_dict() | leaks)
    _tell(name, funnel)
    return {"accepted": funnel.total.accepted, "asked": funnel.total.asked, "short": funnel.short}


def _lookup(ctx: Context) -> Lookup:
    from spacy_synthesizrr.labelled import read_seeds
    from spacy_synthesizrr.stores.opening import open_store

    seeds = read_seeds(ctx.task)  # first: when it fails, no store is left open
    return Lookup(ctx.task, open_store(ctx), seeds)


def _start(ctx: Context, arm: str, planned: Path) -> Funnel:
    """A funnel that knows what was asked for and has counted an arm's plan; passages were passed over for the main plan only."""
    plan = read_document(ctx.folder, "plan.json")["labels"]
    funnel = Funnel({})
    for key, about in plan.items():
        funnel.ask(key, about["wanted"], {k: n for k, n in about["turned_away"].items() if k not in NO_LACK} if arm == MAIN else None)
    for candidate in Rows(planned):
        funnel.add(candidate)
    return funnel


def sort_rows(where: Path, away: Mapping[str, tuple[str, Verdict]], funnel: Funnel, *, what: str) -> None:
    """Stream an arm's rows into accepted.jsonl and rejected.jsonl and count them.

    where (Path): The arm's folder.
    away (Mapping): Filter and verdict for each row that the set filters take away; the others pass as they are.
    """
    with atomic(where / "accepted.jsonl") as kept, atomic(where / "rejected.jsonl") as rejected:
        total = count_lines(where / AWAY, where / KEPT)
        for candidate in progress(_judged(where, away), what, total=total):
            funnel.add(candidate)
            file = kept if candidate.status == ACCEPTED else rejected
            file.write(dumps(candidate.to_dict()) + "\n")


def _judged(where: Path, away: Mapping[str, tuple[str, Verdict]]) -> Iterator[Candidate]:
    yield from Rows(where / AWAY)
    for candidate in Rows(where / KEPT):
        if candidate.id in away:
            name, verdict = away[candidate.id]
            score = {} if verdict.score is None else {"score": verdict.score}
            candidate = candidate.after(Event(STEP, REJECTED, verdict.reason or name, {"filter": name, **score}))
        yield candidate


def _tell(arm: str, funnel: Funnel) -> None:
    """The whole funnel of the run itself, one line for a control."""
    if arm == MAIN:
        say(funnel.table())
        return
    say(f"Control '{arm}': {funnel.total.accepted} of {funnel.total.asked} rows" + (f", short by {funnel.short}." if funnel.short else "."))
