"""Commands about labelled rows. `app` is all that the command line takes from here."""

from __future__ import annotations

from pathlib import Path

import typer

from spacy_synthesizrr.cli_errors import user_errors
from spacy_synthesizrr.progress import say

app = typer.Typer(name="seeds", help="Work with labelled rows.", no_args_is_help=True)


@app.callback()
def _seeds() -> None:
    """Work with labelled rows."""


@app.command("draw")
@user_errors
def draw(
    source: Path = typer.Argument(..., help="A file of labelled rows: jsonl, csv (both also .gz) or parquet."),  # noqa: B008
    out: Path = typer.Argument(..., help="Folder for seeds.jsonl, dev.jsonl, test.jsonl and rest.jsonl."),  # noqa: B008
    text: list[str] = typer.Option(["text"], help="Column of a text field; repeat it for several."),  # noqa: B008
    label: str = typer.Option("label", help="Column of the label."),
    per_label: int = typer.Option(10, min=1, help="Seeds per label."),
    dev: int = typer.Option(25, min=0, help="Dev rows per label."),
    test: int = typer.Option(50, min=0, help="Test rows per label."),
    seed: int = typer.Option(0, help="Another seed, another cut."),
    force: bool = typer.Option(False, "--force", help="Replace the parts of an earlier cut."),
) -> None:
    """Cut seeds, dev and test from one labelled file by a hash of the text."""
    from spacy_synthesizrr.draws import draw_splits, told

    counts = draw_splits(source, out, text=text, label=label, per_label_seeds=per_label, dev=dev, test=test, seed=seed, force=force)
    for line in told(counts, out):
        say(line)
