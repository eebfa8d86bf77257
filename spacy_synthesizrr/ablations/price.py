"""What a grid will take, before the first call."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from spacy_synthesizrr.ablations.changes import told
from spacy_synthesizrr.ablations.running import Work, done
from spacy_synthesizrr.context import Context
from spacy_synthesizrr.steps.plan_cost import Estimate, headline, plan_cost
from spacy_synthesizrr.teachers import teacher

CAPS = {"max_cost": "of money", "max_tokens": "tokens", "max_requests": "requests"}


def priced(work: Work) -> Iterator[str]:
    """YIELDS (str): One line per run with what it asks the teacher, and a last one for the grid.

    RAISES (TeacherError): When the teacher cannot be built.
    """
    found: list[Estimate] = []
    caps: dict[str, Any] = {}
    names = [run.name for run, _ in work.runs()]
    width = max((len(name) for name in names), default=0)
    for run, folder in work.runs():
        if done(folder):
            yield f"  {run.name:<{width}}  is done already."
            continue
        ctx = Context.open(folder.path)
        mine = plan_cost(ctx)
        found += mine
        caps |= {name: cap for name, cap in (teacher(ctx).get("budget") or {}).items() if cap is not None}
        yield f"  {run.name:<{width}}  {headline(mine)}"
    if found:
        yield f"Together: {headline(found)} What several runs ask alike is asked and paid for once."
    yield from _capped(caps)


def _capped(caps: Mapping[str, Any]) -> Iterator[str]:
    said = [f"{caps[name]:,} {unit}" for name, unit in CAPS.items() if name in caps]
    if said:
        yield f"The teacher's caps hold for the whole grid: {', '.join(said)}."


def asked(work: Work) -> Iterator[str]:
    """YIELDS (str): What is compared: the grid in a few lines."""
    grid = work.grid
    if grid.spec.about:
        yield grid.spec.about
    base = ", ".join(told(grid.spec.base))
    yield f"{len(grid.arms)} arms × {len(grid.draws)} draws = {len(grid.arms) * len(grid.draws)} runs in {work.folder.as_posix()}" + (
        f"; all: {base}" if base else ""
    )
    for arm in grid.arms:
        changes = ", ".join(told(arm.changes)) or "no change"
        yield f"  {arm.name}{' (baseline)' if arm.name == grid.baseline else ''}: {changes}"
