"""`ablate`: from a grid file to a table and a figure."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from spacy_synthesizrr.ablations.changes import VARS
from spacy_synthesizrr.ablations.figure import figure
from spacy_synthesizrr.ablations.grid import read_grid
from spacy_synthesizrr.ablations.price import asked, priced
from spacy_synthesizrr.ablations.results import results
from spacy_synthesizrr.ablations.running import Work, alike, opened, plan_all, repeated, work_through
from spacy_synthesizrr.ablations.table import markdown, notes, table
from spacy_synthesizrr.errors import PlanError
from spacy_synthesizrr.jsonl import atomic, write_json
from spacy_synthesizrr.progress import say
from spacy_synthesizrr.project_file import PROJECT, project_variables

REPORT, TABLE, FIGURE = "ablation.json", "ablation.md", "ablation.svg"


def variables() -> dict[str, Any]:
    """RETURNS (dict): The vars of project.yml that a run takes; none where there is no such file."""
    return {name: value for name, value in project_variables().items() if name in VARS} if PROJECT.is_file() else {}


def collect(path: Path, given: Mapping[str, Any]) -> dict[str, Any]:
    """Write table and figure of what is finished, and do nothing else. See `ablate`."""
    with opened(read_grid(path), given) as work:
        found = _write(work)
    _tell(found, work)
    return found


def ablate(path: Path, given: Mapping[str, Any], *, dry_run: bool = False) -> dict[str, Any] | None:
    """Plan every run of a grid, say what all of them will take, and do them; what is done already is not done again.

    path (Path): The grid file.
    given (Mapping): Vars that the grid file leaves open.
    dry_run (bool): Stop before the first prompt is sent.
    RETURNS (dict | None): What ablation.json says; None after a dry run.
    RAISES (InputError): For a grid file that is not right, with the line; before any work is done.
    RAISES (PlanError): When no run could be planned.
    RAISES (BudgetReached, WaitsForAnswers, TeacherError): As `synthesize` does; the same command goes on.
    """
    with opened(read_grid(path), given) as work:
        for line in (*asked(work), *alike(work)):
            say(line)
        plan_all(work)
        if not any(True for _ in work.runs()):
            raise PlanError(f"No run of {path} could be planned. {next(iter(work.failed.values()))}")
        for line in (*repeated(work), *priced(work)):
            say(line)
        if dry_run:
            say("Nothing was asked (dry run). The same command without --dry-run goes on from here.")
            return None
        for _ in work_through(work):
            found = _write(work)
    _tell(found, work)
    return found


def _tell(found: Mapping[str, Any], work: Work) -> None:
    for line in (*table(found), *notes(found)):
        say(line)
    say(f"Table, figure and numbers: {work.folder / TABLE}, {FIGURE}, {REPORT}")


def _write(work: Work) -> dict[str, Any]:
    """As far as the grid has come: whoever stops it has a table of what is finished."""
    found = results(work)
    write_json(work.folder / REPORT, found)
    for name, text in ((FIGURE, figure(found)), (TABLE, markdown(found, figure=FIGURE))):
        with atomic(work.folder / name) as file:
            file.write(text)
    return found
