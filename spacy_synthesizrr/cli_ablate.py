"""`synthesizrr ablate` and `synthesizrr reproduce`: several runs that differ in one thing, and one run once more."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import typer

from spacy_synthesizrr.cli_errors import user_errors
from spacy_synthesizrr.cli_steps import RUN
from spacy_synthesizrr.progress import say


@user_errors
def ablate(
    grid: Path = typer.Argument(..., help="A grid file, such as grids/window-and-margin.yml."),  # noqa: B008
    var: list[str] = typer.Option([], help="NAME=VALUE of a var that the grid file leaves open; project.yml's otherwise."),  # noqa: B008
    dry_run: bool = typer.Option(False, "--dry-run", help="Plan every run and say what all will take; ask nothing."),
    collect: bool = typer.Option(False, "--collect", help="Only write table and figure of what is finished."),
) -> None:
    """Run a grid: the same project with one thing changed at a time, as one table and one figure with paired intervals (resumable)."""
    from spacy_synthesizrr.ablations.ablate import ablate as run_grid
    from spacy_synthesizrr.ablations.ablate import collect as only_collect
    from spacy_synthesizrr.ablations.ablate import variables
    from spacy_synthesizrr.ablations.changes import typed
    from spacy_synthesizrr.errors import InputError

    given = variables()
    for text in var:
        name, _, value = text.partition("=")
        try:
            given[name] = typed(name, value)
        except ValueError as error:
            raise InputError(f"--var {text}: {error}", cure="Write it as NAME=VALUE, such as --var per_label=20") from None
    if collect:
        only_collect(grid, given)
    else:
        run_grid(grid, given, dry_run=dry_run)


@user_errors
def reproduce(run: str = typer.Argument(RUN.default, help="Name of the run."), json: bool = typer.Option(False, "--json")) -> None:
    """Print the exact commands that make a run again, and the lock: versions, seeds, fingerprints, and what differs here and now."""
    from spacy_synthesizrr.steps.reproduce import lock, told

    found = lock(run)
    if json:
        from spacy_synthesizrr.jsonl import dumps

        return say(dumps(found))
    for line in told(found):
        say(line)


COMMANDS: Mapping[str, Callable[..., None]] = {"ablate": ablate, "reproduce": reproduce}
