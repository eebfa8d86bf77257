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
TO = typer.Option(None, "--to", help="A .csv or .jsonl to write instead, in a run that is reviewed; one for each person to fill in.")
FROM = typer.Option([], "--from", help="A filled-in .csv or .jsonl to read instead, by the person whose name it has; repeat it.")
OUT = typer.Option(..., help="A new .jsonl file.")
TASK = typer.Option(Path("assets/news_demo"), help="Folder with a task.yml, or the file itself.")
CONFIG = typer.Option(Path("configs/review.argilla.cfg"), help="Where the server stands.")
FIELDS = typer.Option([], "--field", help="Field of the text; with several text fields NAME=FIELD for each.")
RENAMES = typer.Option([], "--rename", help="OLD=NEW for a label of another name; repeat it.")
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


@app.command()
@user_errors
def doctor(
    run: str | None = typer.Option(None, "--run", help="Look at what this run needs; by default at an Argilla as it comes."),
    as_json: bool = typer.Option(False, "--json", help="Print JSON for programs."),
) -> None:
    """Say what is there and what is missing for a review. Changes nothing. Exit code 1 when something needed is missing."""
    from dataclasses import asdict

    from argilla_bridge.doctor import doctor as look
    from spacy_synthesizrr.cli_doctor import page
    from spacy_synthesizrr.jsonl import dumps

    found = look(_context(run) if run else None)
    well = not any(each.bad for each in found)
    for line in [dumps({"v": 1, "ok": well, "findings": [asdict(each) for each in found]})] if as_json else page(found):
        say(line)
    if not well:
        raise typer.Exit(1)


@app.command("import")
@user_errors
def import_(
    dataset: str = typer.Argument(..., help="Name of a dataset in Argilla."),
    task: Path = TASK,
    to: str = typer.Option(..., help="What the rows will be: seeds, dev or train."),
    out: Path = OUT,
    field: list[str] = FIELDS,
    question: str = typer.Option("label", help="The question whose answers are labels."),
    rename: list[str] = RENAMES,
    workspace: str = typer.Option("", help="Of the dataset; by default that of the config."),
    config: Path = CONFIG,
) -> None:
    """Turn a dataset that people answered before into seeds, dev or train rows: those with a label that more than half chose."""
    from argilla_bridge.moving import Wanted, import_rows, named
    from spacy_synthesizrr.taskfile import read_task

    spec = read_task(task)
    done = import_rows(Wanted(dataset, question, field, rename, workspace), spec, to, out, config=config)
    say(f"{done.rows:,} rows in {out}: " + ", ".join(f"{count:,} {label}" for label, count in sorted(done.labels.items())))
    for line in done.lines():
        say(line)
    say(f"Name them in {spec.path}:  {named(spec, to, out)}")


@app.command()
@user_errors
def relabel(
    run: str = RUN,
    rename: list[str] = RENAMES,
    dry_run: bool = typer.Option(False, "--dry-run", help="Only say what would happen."),
) -> None:
    """Move a dataset to the labels that the task file has now: new, renamed and removed ones."""
    from argilla_bridge.moving import relabel as move

    for line in move(_context(run), rename, dry_run=dry_run).lines:
        say(line)


def main() -> None:
    """Run the command line."""
    app()
