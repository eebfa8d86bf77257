"""`publish`: the rows of a run as a private data set on a hub, with its card; says what goes out before anything does.

Texts of passages and seeds stay here unless they are asked for: whoever publishes rows may own neither. That holds for
fields that are copied from a passage or a seed too. Nothing of the answers of the teacher, of dev or of test is published.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spacy_synthesizrr.candidates import Candidate
from spacy_synthesizrr.context import Context
from spacy_synthesizrr.dimensions import read_chosen
from spacy_synthesizrr.errors import PublishError, RunFolderError, require
from spacy_synthesizrr.jsonl import atomic, read_jsonl, write_jsonl
from spacy_synthesizrr.lookup import Lookup
from spacy_synthesizrr.receipts import fresh
from spacy_synthesizrr.report.collect import collect
from spacy_synthesizrr.report.dataset_card import DATA, dataset_card
from spacy_synthesizrr.steps.gating import HITS
from spacy_synthesizrr.steps.report import spent_money
from spacy_synthesizrr.stores.passages import batched
from spacy_synthesizrr.students.arms import MAIN
from spacy_synthesizrr.students.reviewed import label_score, label_source, main_rows

FOLDER, CARD = "publish", "README.md"
BATCH = 64
ABOUT = {
    "id": "which row was asked for: a hash of task, strategy, labels, seed, passage and draw",
    "label": "the label",
    "labels": "the labels",
    "weight": "how much the row should count in training",
    "label_source": "who chose the labels: human, suggestion (a tie between people that it broke), or unreviewed",
    "label_score": "how sure curation is of the labels, from 0 to 1; null where nothing measured it",
    "strategy": "how the row was made",
    "similarity": "of the passage to the seed; null without a passage",
    "passage_id": "of the passage in the store of whoever made this",
    "seed_id": "hash of the seed's labels and texts",
    "passage": "text of the passage that the row was made from",
    "passage_source": "where the passage stood",
    "seed": "text of the seed that asked for the row",
}
SOURCES = ("passage", "passage_source", "seed")


@dataclass(frozen=True)
class Package:
    """What would be published, as it lies on disk.

    repo (str): USER/NAME. folder (Path): Holds the files and nothing else.
    files (Mapping[str, int]): Bytes of each, by its path inside.
    rows (int): Of the data. columns (Sequence[Tuple[str, str]]): Names, and what they hold.
    left_out (Sequence[str]): What stays here, in words.
    copies (bool): Whether the teacher only copies, so that rows are passages of the corpus whatever is left out.
    """

    repo: str
    folder: Path
    files: Mapping[str, int]
    rows: int
    columns: Sequence[tuple[str, str]]
    left_out: Sequence[str]
    copies: bool = False


def make_package(ctx: Context, repo: str, *, with_sources: bool = False) -> Package:
    """Write what would be published into the run folder.

    with_sources (bool): Texts of passages and seeds too.
    RAISES (RunFolderError): Before `export`, which compares rows with dev and test, or when its rows are not those of now.
    """
    if not fresh(ctx.folder, "export"):
        name = ctx.folder.name
        raise RunFolderError(
            f"The rows of the run '{name}' were not compared with dev and test, or changed since. Do it: synthesizrr export --run {name}"
        )
    folder = ctx.folder.file(FOLDER)
    carried = [] if with_sources else [spec.name for spec in ctx.task.carried]
    rows = write_jsonl(folder / DATA, _rows(ctx, carried, with_sources=with_sources))
    columns = _columns(ctx, carried, with_sources=with_sources)
    numbers = collect(ctx, money=spent_money(ctx))
    with atomic(folder / CARD) as file:
        file.write(dataset_card(ctx.task, numbers, columns=columns))
    files = {name: (folder / name).stat().st_size for name in (CARD, DATA)}
    left_out = list(_left_out(carried, with_sources=with_sources))
    return Package(repo, folder, files, rows, columns, left_out, copies=bool(numbers["asked"]["copies"]))


def _columns(ctx: Context, left_out: Sequence[str], *, with_sources: bool) -> list[tuple[str, str]]:
    task = ctx.task
    texts = {spec.name: "the text that was made" if spec is task.generated else "a field beside it" for spec in task.fields}
    about = {_column(name): said for name, said in texts.items() if name not in left_out}
    label = ("label",) if task.exclusive else ("labels",)
    rest = [name for name in ABOUT if name not in ("label", "labels", *SOURCES)]
    return [*about.items(), *((name, ABOUT[name]) for name in (*label, *rest, *(SOURCES if with_sources else ())))]


def _column(name: str) -> str:
    """RETURNS (str): The column of a field of the task, whose name may be one of ours."""
    return f"text_{name}" if name in ABOUT else name


def _left_out(carried: Sequence[str], *, with_sources: bool) -> Iterator[str]:
    if not with_sources:
        yield "texts of passages and seeds (--with-sources publishes them; are they yours to give?)"
    if carried:
        yield f"the fields {', '.join(carried)}, which are texts of passages or seeds"
    yield "rejected rows, rows that give a dev or test row away, the controls, dev and test rows, prompts and answers of the teacher"


def _rows(ctx: Context, left_out: Sequence[str], *, with_sources: bool) -> Iterator[dict[str, Any]]:
    given_away = {str(row["id"]) for row in read_jsonl(ctx.folder.file(HITS), dict) if row["what"] == MAIN}
    rows = (row for row in main_rows(ctx, Counter()) if row.id not in given_away)
    with contextlib.ExitStack() as stack:
        if not with_sources:
            yield from (_row(ctx, row, left_out) for row in rows)
            return
        lookup = _lookup(ctx)
        stack.enter_context(contextlib.closing(lookup.store))
        for batch in batched(rows, BATCH):
            passages = lookup.passages(batch)
            for row in batch:
                passage, seed = passages.get(row.passage_id or ""), lookup.known(row.seed_id)
                texts = (passage.text, passage.source) if passage else (None, None)
                said = seed.fields.get(ctx.task.generated.name) if seed else None
                yield {**_row(ctx, row, left_out), **dict(zip(SOURCES, (*texts, said), strict=True))}


def _lookup(ctx: Context) -> Lookup:
    from spacy_synthesizrr.labelled import run_seeds
    from spacy_synthesizrr.stores.opening import open_store

    seeds = run_seeds(ctx)
    return Lookup(ctx.task, open_store(ctx), seeds, read_chosen(ctx.folder.path))


def _row(ctx: Context, row: Candidate, left_out: Sequence[str]) -> dict[str, Any]:
    texts = {_column(spec.name): row.fields.get(spec.name, "") for spec in ctx.task.fields if spec.name not in left_out}
    label: dict[str, Any] = {"label": row.labels[0]} if ctx.task.exclusive else {"labels": list(row.labels)}
    about = {
        "id": row.id,
        "weight": row.weight,
        "label_source": label_source(row),
        "label_score": label_score(row),
        "strategy": row.strategy,
    }
    return {**texts, **label, **about, "similarity": row.similarity, "passage_id": row.passage_id, "seed_id": row.seed_id}


def told(package: Package) -> Iterator[str]:
    """YIELDS (str): What would go out, file by file."""
    yield f"To the private data set {package.repo} would go, from {package.folder}:"
    for name, size in package.files.items():
        rows = f", {package.rows:,} rows" if name == DATA else ""
        yield f"  {name}: {size:,} bytes{rows}"
    yield "Columns:"
    yield from (f"  {name}: {about}" for name, about in package.columns)
    yield "Left out:"
    yield from (f"  {what}" for what in package.left_out)
    if package.copies:
        yield "Mind: the teacher of this run only copies, so every row is made of sentences of your corpus. Are they yours to give?"


def upload(package: Package) -> str:
    """Make the private repository and put the files there; the token is the hub's own, from its log-in or its environment.

    RETURNS (str): The address.
    RAISES (PublishError): When the repository is public already, or the hub refuses.
    RAISES (MissingExtraError): Without huggingface_hub.
    """
    hub = require("huggingface_hub", "publish")
    errors = require("huggingface_hub.errors", "publish")
    api = hub.HfApi(library_name="spacy-synthesizrr")
    try:
        api.create_repo(package.repo, repo_type="dataset", private=True, exist_ok=True)
        if not api.repo_info(package.repo, repo_type="dataset").private:
            raise PublishError(f"{package.repo} is public. Nothing was sent. Make it private on the hub, or choose another name.")
        paths: Iterable[str] = package.files
        done = api.create_commit(
            package.repo,
            [hub.CommitOperationAdd(path_in_repo=name, path_or_fileobj=package.folder / name) for name in paths],
            commit_message="Rows and card by spacy-synthesizrr",
            repo_type="dataset",
        )
    except (errors.HfHubHTTPError, errors.LocalTokenNotFoundError, errors.HFValidationError, *_unreachable(), OSError) as error:
        said = " ".join(str(error).split())
        raise PublishError(
            f"The hub did not take {package.repo}: {said} Log in with `hf auth login` and check the name; the same command tries again."
        ) from error
    return str(done.repo_url)


def _unreachable() -> Iterator[type[Exception]]:
    """YIELDS (Type[Exception]): What the hub's library lets through when nobody answers; releases before 1.0 raise an OSError."""
    with contextlib.suppress(ImportError):
        from httpx import HTTPError

        yield HTTPError


def publish(ctx: Context, repo: str, *, with_sources: bool, dry_run: bool, agreed: Callable[[], bool], say: Callable[[str], None]) -> None:
    """Say what would go out, and send it once somebody agrees.

    repo (str): USER/NAME. dry_run (bool): Say it and stop.
    agreed (Callable): Asks the person.
    """
    if repo.count("/") != 1 or not all(repo.split("/")):
        raise PublishError(f"'{repo}' is no name of a repository. Give USER/NAME.")
    package = make_package(ctx, repo, with_sources=with_sources)
    for line in told(package):
        say(line)
    if dry_run:
        say("Nothing was sent (dry run).")
    elif agreed():
        say(f"Published: {upload(package)}")
    else:
        say("Nothing was sent.")
