"""Commands about what a run is worth to others: the rows behind a number, runs side by side, rows as a data set."""

from __future__ import annotations

import sys
from pathlib import Path

import typer

from spacy_synthesizrr.cli_errors import user_errors
from spacy_synthesizrr.cli_steps import RUN, do_step
from spacy_synthesizrr.progress import say

report_app = typer.Typer(name="report", help="Write the HTML report, or compare runs.", invoke_without_command=True)


@user_errors
def rows(
    run: str = RUN,
    arm: str = typer.Option("", help="main, a control, or test: the test rows with what the student says."),
    status: str = typer.Option("", help="accepted, rejected or failed; right or wrong of test rows."),
    label: str = typer.Option("", help="Label, or a label set such as 'art + sport'."),
    reason: str = typer.Option("", help="Why rows were turned away, such as near_copy."),
    gold: str = typer.Option("", help="Of test rows: the gold label."),
    student: str = typer.Option("", help="Of test rows: the student's label."),
    text: str = typer.Option("", help="Words that stand in a row."),
    limit: int = typer.Option(0, min=0, help="Rows to show at most; 0 shows all."),
    json: bool = typer.Option(False, "--json", help="One JSON object per line."),
) -> None:
    """Show rows of a run: accepted ones, those turned away for a reason, test rows that the student gets wrong."""
    from spacy_synthesizrr.context import Context
    from spacy_synthesizrr.steps.rows import Wanted, find_rows, told

    wanted = Wanted(arm, status, label, reason, gold, student, text)
    try:
        count = 0
        for line in told(find_rows(Context.open(run), wanted), limit=limit, as_json=json):
            sys.stdout.write(line + "\n")
            count += 1
        sys.stdout.flush()
    except BrokenPipeError:  # the reader, such as `head`, has enough
        sys.stderr.close()
        raise typer.Exit(0) from None
    if not count:
        typer.echo("No row is like that.", err=True)


@user_errors
def publish(
    repo: str = typer.Option(..., help="USER/NAME of the data set on the hub; it is made private."),
    run: str = RUN,
    with_sources: bool = typer.Option(False, "--with-sources", help="Publish the texts of passages and seeds too."),
    dry_run: bool = typer.Option(False, "--dry-run", help="Only write what would go out and say it; asks nobody and sends nothing."),
    yes: bool = typer.Option(False, "--yes", help="Do not ask before it goes out."),
) -> None:
    """Put the rows and their card on the Hugging Face hub, as a private data set."""
    from spacy_synthesizrr.context import Context
    from spacy_synthesizrr.steps.publish import publish as go

    def agreed() -> bool:
        return yes or typer.confirm("Send it?")

    go(Context.open(run), repo, with_sources=with_sources, dry_run=dry_run, agreed=agreed, say=say)


@report_app.callback()
@user_errors
def report(context: typer.Context, run: str = RUN) -> None:
    """Write the HTML report of a run."""
    if context.invoked_subcommand is None:
        do_step("report", run)


@report_app.command("compare")
@user_errors
def compare(
    runs: list[str] = typer.Argument(..., help="Runs, the one that the others are compared with first."),  # noqa: B008
    out: Path | None = typer.Option(None, help="Folder for index.html and comparison.json; in the first run by default."),  # noqa: B008
) -> None:
    """Lay runs side by side: scores with intervals of their differences, measures, funnel, money."""
    from spacy_synthesizrr.steps.compare_runs import compare_runs

    for line in compare_runs(runs, out):
        say(line)
