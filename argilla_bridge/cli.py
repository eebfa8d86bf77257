"""The command line of the bridge: each body is a call to a plain function."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from spacy_synthesizrr.cli_errors import user_errors
from spacy_synthesizrr.cli_steps import RUN
from spacy_synthesizrr.progress import say

if TYPE_CHECKING:
    from spacy_synthesizrr.context import Context

HELP = "Review of synthetic rows by people, in Argilla or in a file: push, wait for answers, pull, measure agreement."
TO = typer.Option(None, "--to", help="Write a .csv or .jsonl to fill in, instead.")
FROM = typer.Option([], "--from", help="A filled-in .csv or .jsonl to read instead; repeat it for copies.")
app = typer.Typer(name="argilla-bridge", help=HELP, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


def _context(run: str) -> Context:
    from spacy_synthesizrr.context import Context

    return Context.open(run)


def _do(name: str, run: str, *about: Any) -> None:
    """Do a step and say how long it took."""
    from argilla_bridge import commands

    started = time.monotonic()
    done = getattr(commands, name)(_context(run), *about)
    say(f"{name}: done in {time.monotonic() - started:.1f} s" if done else f"{name}: nothing changed")


@app.command()
@user_errors
def push(run: str = RUN, to: Path | None = TO) -> None:
    """Put the accepted rows before the people who review them; only what is new or changed is sent."""
    _do("push", run, to)


@app.command()
@user_errors
def pull(run: str = RUN, files: list[Path] = FROM) -> None:
    """Read the votes given so far and decide each row by them. Runs again and again."""
    _do("pull", run, files)


@app.command()
@user_errors
def agreement(run: str = RUN) -> None:
    """Measure how far people agree with each other and with the suggestions."""
    _do("agreement", run)


@app.command()
@user_errors
def status(run: str = RUN) -> None:
    """Say how far people are."""
    from argilla_bridge import commands

    found = commands.status(_context(run))
    if not found:
        say("Nothing was pushed yet. Push first: argilla-bridge push")
    for dataset, about in found.items():
        say(f"{dataset}: {about['answered']:,} of {about['rows']:,} rows have a vote. {about['place']}")
        for name, counts in about["people"].items():
            say(f"  {name}: " + ", ".join(f"{count:,} {state}" for state, count in sorted(counts.items())))


@app.command()
@user_errors
def guidelines(run: str = RUN) -> None:
    """Print what people read first."""
    from argilla_bridge import commands

    say(commands.guidelines(_context(run)))


def main() -> None:
    """Run the command line."""
    app()
