"""`synthesizrr responses`: look into a response store, hand answers on, throw old ones away."""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import groupby, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from spacy_synthesizrr.cli_errors import user_errors
from spacy_synthesizrr.errors import InputError
from spacy_synthesizrr.progress import say

if TYPE_CHECKING:
    from spacy_synthesizrr.models.answers.responses import ResponseStore

app = typer.Typer(name="responses", help="Look into the answers that are kept.", no_args_is_help=True)
SUMS = ("requests", "prompt_tokens", "answer_tokens", "cost", "unpriced")
DAY = 86_400.0
SHOWN = 60  # characters of an answer in a list
RUN = typer.Option("news_demo", "--run", help="The run whose answers are meant.")
FILE = typer.Option(None, "--file", help="A response store by its path, instead of the run's.")


def open_responses(run: str, file: Path | None) -> ResponseStore:
    """The store of a run: the one that its teacher's config names, else the run's own.

    RAISES (InputError): When there is none.
    """
    from spacy_synthesizrr.models.answers.responses import ResponseStore

    path = file or _path(run)
    if not path.is_file():
        raise InputError("There is no response store.", path=path, cure="Answers appear there with `synthesizrr synthesize`.")
    return ResponseStore(path)


def _path(run: str) -> Path:
    from spacy_synthesizrr.context import Context
    from spacy_synthesizrr.teachers import answers_file

    ctx = Context.open(run)
    return answers_file(ctx, ctx.config("teacher").get("teacher") or {})


@app.command("ls")
@user_errors
def ls(
    run: str = RUN,
    file: Path | None = FILE,
    n: int = typer.Option(20, "-n", min=1, help="Answers to list."),
) -> None:
    """List the newest answers: request, when, model, tokens, the beginning of the text."""
    from spacy_synthesizrr.models.answers.archive import newest

    with open_responses(run, file) as store:
        for row in newest(store, n):
            text = " ".join(row["text"].split())[:SHOWN]
            say(_plain(f"{row['request'][:12]}  {_when(row['at'])}  {row['model'] or '-'}  {_tokens(row)}  {text}"))
        say(f"{len(store):,} answers, {store.path.stat().st_size / 2**20:.1f} MB in {store.path}")


@app.command("show")
@user_errors
def show(request: str = typer.Argument(..., help="A request hash, or its first digits."), run: str = RUN, file: Path | None = FILE) -> None:
    """Show one answer whole, with all that is known of it."""
    from spacy_synthesizrr.models.answers.archive import kept

    with open_responses(run, file) as store:
        found = list(islice(kept(store, begins=request), 2))
        if len(found) != 1:
            problem = "more than one answer begins" if found else "no answer begins"
            raise InputError(f"{problem} with '{request}'.", path=store.path, cure="List them with: synthesizrr responses ls")
        for key, value in found[0].items():
            if key != "text" and value is not None:
                say(_plain(f"{key}: {_when(value) if key == 'at' else value}"))
        say(f"\n{_plain(found[0]['text'])}")


@app.command("export")
@user_errors
def export(out: Path = typer.Argument(..., help="A .jsonl file."), run: str = RUN, file: Path | None = FILE) -> None:  # noqa: B008
    """Write all answers as JSONL."""
    from spacy_synthesizrr.jsonl import write_jsonl
    from spacy_synthesizrr.models.answers.archive import kept

    def rows() -> Iterator[dict[str, Any]]:
        for row in kept(store):
            yield {"v": 1, **row}

    with open_responses(run, file) as store:
        count = write_jsonl(out, rows())
        out.chmod(0o600)  # as the store itself
        say(f"{count} answers in {out}")


@app.command("import")
@user_errors
def take_in(
    files: list[Path] = typer.Argument(..., help="Files of answers to batch requests: .jsonl or .jsonl.gz."),  # noqa: B008
    run: str = RUN,
    file: Path | None = FILE,
) -> None:
    """Take answers in from batch files, wherever they lie; those in the folder of the requests are found without this."""
    from spacy_synthesizrr.models.answers import ledger
    from spacy_synthesizrr.models.batch import answers as batch_answers
    from spacy_synthesizrr.models.batch.index import Index

    with open_responses(run, file) as store:
        ledger.prepare(store)
        index, taken = Index(store), []
        for path in files:
            taken += list(batch_answers.take_in(index, [path], again=True))
            for line in taken[-1].lines():
                say(line)
        batch_answers.check(index, taken)


@app.command("prune")
@user_errors
def prune(
    run: str = RUN,
    file: Path | None = FILE,
    days: float | None = typer.Option(None, min=0, help="Remove answers that are older."),
    model: str | None = typer.Option(None, help="Remove answers of endpoints or models whose name holds this."),
    yes: bool = typer.Option(False, "--yes", help="Really remove them: they would have to be paid again."),
) -> None:
    """Remove answers by age or model; without --yes, only count them. The ledger keeps what was spent."""
    from spacy_synthesizrr.models.answers.archive import prune as remove

    if days is None and not model:
        raise InputError("Nothing is chosen.", cure="Give --days or --model, or remove the file to remove everything.")
    with open_responses(run, file) as store:
        count = remove(store, before=None if days is None else time.time() - days * DAY, name=model or None, remove=yes)
        say(f"{count} answers removed" if yes else f"{count} answers would be removed; do it with --yes")


@app.command("ledger")
@user_errors
def show_ledger(run: str = RUN, file: Path | None = FILE) -> None:
    """Show what was spent, per run, model, stage, round and label."""
    from spacy_synthesizrr.models.answers.ledger import accounts

    with open_responses(run, file) as store:
        found = accounts(store)
    for (scope, account), rows in groupby(found, key=lambda row: (row["scope"], row["account"])):
        say(f"{scope or '-'} · {account}")
        group = list(rows)
        for row in group:
            say(_spent(f"{row['stage'] or '-'} · round {row['round']} · {row['label'] or '-'}", [row]))
        say(_spent("all", group))


def _spent(about: str, rows: list[dict[str, Any]]) -> str:
    sums = {name: sum(row[name] for row in rows) for name in SUMS}
    money = f"{sums['cost']:.4f} spent" if sums["unpriced"] < sums["requests"] else ""
    unknown = f"price of {sums['unpriced']:,} requests unknown" if sums["unpriced"] else ""
    tokens = f"{sums['prompt_tokens']:,} prompt tokens, {sums['answer_tokens']:,} answer tokens"
    return f"  {about}: {sums['requests']:,} requests, {tokens}, {', '.join(part for part in (money, unknown) if part)}"


def _plain(text: str) -> str:
    """Text that a terminal only shows: a model may write what repaints a screen."""
    return "".join(sign if sign.isprintable() or sign in "\n\t" else repr(sign)[1:-1] for sign in text)


def _when(at: float | None) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(at)) if at else "-"


def _tokens(row: dict[str, Any]) -> str:
    return "/".join("?" if row[name] is None else str(row[name]) for name in ("prompt_tokens", "answer_tokens"))
