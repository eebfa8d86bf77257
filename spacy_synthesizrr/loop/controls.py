"""What the loop is compared with, at as many calls: gold rows in place of errors, and more of the starting run's own plan."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import replace

from spacy_synthesizrr.candidates import PLANNED, Candidate, Event
from spacy_synthesizrr.dimensions import CHOSEN
from spacy_synthesizrr.jsonl import read_jsonl
from spacy_synthesizrr.loop.extrapolation import Extrapolated
from spacy_synthesizrr.loop.folder import Loop
from spacy_synthesizrr.loop.parents import Parent, Said, goldgen_parents, random_parents
from spacy_synthesizrr.loop.planning import Asked
from spacy_synthesizrr.loop.settings import GOLDGEN, MORE_SEED
from spacy_synthesizrr.loop.split import ERROR
from spacy_synthesizrr.receipts import RunFolder
from spacy_synthesizrr.steps.plan import PLANNED as PLANNED_ROWS
from spacy_synthesizrr.synthesis import FILES

PLAN_STEP = "plan"
GENERATED, *_ = FILES


def control_parents(loop: Loop, arm: str, count: int, *, number: int, before: int, said: Said | None) -> list[Parent]:
    """The labelled rows that a control takes in place of errors.

    arm (str): "goldgen" or "random". before (int): Parents that its earlier rounds took.
    said (Mapping | None): What the arm's student says of each row, by line, where prompts tell mistakes.
    """
    rows = loop.parts[ERROR]
    if arm == GOLDGEN:
        return goldgen_parents(rows, count, seed=loop.ctx.seed, start=before, said=said)
    return random_parents(rows, count, seed=loop.ctx.seed, round_number=number, said=said)


def why_not(loop: Loop, arm: str) -> str:
    """RETURNS (str): Why a control cannot be run; empty when it can."""
    if arm != MORE_SEED:
        return ""
    if loop.settings.start.rows:
        return "not run: the starting rows come from a file, so there is no plan to go on with"
    if not loop.ctx.folder.receipt_path(PLAN_STEP).is_file():
        return "not run: the starting run has no plan to go on with"
    return "" if any(True for _ in _left(loop.ctx.folder, set())) else "not run: the plan of the starting run has no row left"


def more_seed(loop: Loop, earlier: Iterable[RunFolder], *, calls: int, number: int) -> Asked:
    """The next rows of the starting run's plan, the labels taking turns.

    earlier (Iterable[RunFolder]): Earlier rounds of this control, whose rows are not asked for again.
    calls (int): Rows wanted.
    """
    asked = {row.id for folder in earlier for row in read_jsonl(folder.file(PLANNED_ROWS), Candidate.from_dict)}
    queues: dict[str, deque[Candidate]] = {}
    for row in _left(loop.ctx.folder, asked):
        queue = queues.setdefault(row.key, deque())
        if len(queue) < calls:
            queue.append(row)
    found: list[Candidate] = []
    while len(found) < calls and any(queues.values()):
        found += [queue.popleft() for queue in queues.values() if queue]
    event = Event("plan", PLANNED, detail={"round": number})
    rows = [replace(row, reserve=False, events=(*row.events, event)) for row in found[:calls]]
    remark = (f"The plan of the starting run has {len(rows)} rows left where {calls} are asked for.",) if len(rows) < calls else ()
    values = loop.ctx.folder.file(CHOSEN)
    mode = str(loop.ctx.folder.receipt(PLAN_STEP)["counts"]["mode"])
    return Asked(mode, Extrapolated(rows), remark, values if values.is_file() else None)


def _left(folder: RunFolder, asked: set[str]) -> Iterator[Candidate]:
    """YIELDS (Candidate): Rows of a run's plan that nobody asked for yet, in its order."""
    path = folder.file(GENERATED)
    done = asked | ({row.id for row in read_jsonl(path, Candidate.from_dict)} if path.is_file() else set())
    for row in read_jsonl(folder.file(PLANNED_ROWS), Candidate.from_dict):
        if row.id not in done:
            yield row
