"""The result of a review for other tools: the votes as Parquet, the reviewed rows as a data set of the package `datasets`."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from argilla_bridge.rounds.pulling import EDIT, REVIEWED, VOTES
from argilla_bridge.rows import Vote
from spacy_synthesizrr.candidates import Candidate, digest
from spacy_synthesizrr.errors import require
from spacy_synthesizrr.fingerprints import fingerprint
from spacy_synthesizrr.jsonl import atomic, read_jsonl
from spacy_synthesizrr.stores.passages import batched
from spacy_synthesizrr.students.reviewed import REVIEW, label_source
from spacy_synthesizrr.taskfile import TaskSpec

PARQUET, DATASET = "votes.parquet", "dataset"
BATCH = 1000
TEXTS = ("row_id", "user", "status", "verdict", "text", "reason", "updated_at", "dataset")


def write_datasets(out: Path, *, task: TaskSpec) -> dict[str, int]:
    """Write votes.parquet and dataset/ (load it with `datasets.load_from_disk`); both are streamed. Without rows there is no dataset/.

    out (Path): The run's folder `review`, as `pull` wrote it.
    RETURNS (Dict[str, int]): Votes and rows.
    RAISES (InputError): When `pull` has not written its files.
    """
    return {"votes": _votes(out), "rows": _dataset(out, task)}


def _votes(out: Path) -> int:
    """One row per answer, drafts and discards too."""
    pa, parquet = require("pyarrow", "argilla"), require("pyarrow.parquet", "argilla")
    columns = {**{name: pa.string() for name in TEXTS}, "labels": pa.list_(pa.string())}
    schema, count = pa.schema(list(columns.items())), 0
    with atomic(out / PARQUET, "wb") as file, parquet.ParquetWriter(file, schema) as writer:
        for votes in batched(read_jsonl(out / VOTES, Vote.from_dict), BATCH):
            rows = [{**{name: getattr(vote, name) for name in TEXTS}, "labels": list(vote.labels)} for vote in votes]
            writer.write_table(pa.Table.from_pylist(rows, schema=schema))
            count += len(rows)
    return count


def _dataset(out: Path, task: TaskSpec) -> int:
    datasets = require("datasets", "argilla")
    features = _features(task, datasets)
    about: dict[str, Any] = {"path": str(out / REVIEWED), "names": [spec.name for spec in task.fields], "exclusive": task.exclusive}
    version = digest(str(fingerprint(out / REVIEWED)["sha256"]), task.fingerprint())[:16]
    if next(rows(**about), None) is None:  # the library cannot read an empty one
        shutil.rmtree(out / DATASET, ignore_errors=True)
        return 0
    with tempfile.TemporaryDirectory(prefix=".dataset.", suffix=".part", dir=out) as scratch, _silent(datasets):
        cache = f"{scratch}/cache"
        made = datasets.Dataset.from_generator(rows, features=features, cache_dir=cache, gen_kwargs=about, fingerprint=version)
        made.save_to_disk(f"{scratch}/made")
        shutil.rmtree(out / DATASET, ignore_errors=True)
        Path(scratch, "made").rename(out / DATASET)
        return len(made)


def _features(task: TaskSpec, datasets: Any) -> Any:
    text, texts = datasets.Value("string"), datasets.Sequence(datasets.Value("string"))
    fields = {spec.name: text for spec in task.fields}
    about = {"label_source": text, "annotators": datasets.Value("int32"), "agreement": datasets.Value("float64")}
    before = {"suggested": texts, "text_before": text}
    labels = {"labels": datasets.ClassLabel(names=list(task.labels)) if task.exclusive else texts}
    return datasets.Features({"candidate": text, **_apart(fields), **labels, **about, **before})


def _apart(fields: dict[str, Any]) -> dict[str, Any]:
    """Text fields under their names, but for those of the other columns."""
    return {column(name): kind for name, kind in fields.items()}


def column(name: str) -> str:
    """RETURNS (str): The column of a text field."""
    taken = ("candidate", "labels", "label_source", "annotators", "agreement", "suggested", "text_before")
    return f"{name}_" if name in taken else name


def rows(path: str, names: list[str], exclusive: bool) -> Iterator[dict[str, Any]]:
    """The rows of the data set.

    path (str): reviewed.jsonl.
    names (List[str]): Text fields of the task.
    """
    for candidate in read_jsonl(Path(path), Candidate.from_dict):
        detail = next((event.detail for event in reversed(candidate.events) if event.step == REVIEW), {})
        edit = next((event.detail for event in reversed(candidate.events) if event.step == EDIT), {})
        yield {
            "candidate": candidate.id,
            **{column(name): candidate.fields.get(name, "") for name in names},
            "labels": candidate.labels[0] if exclusive else list(candidate.labels),
            "label_source": label_source(candidate),
            "annotators": detail.get("annotators", 0),
            "agreement": detail.get("agreement"),
            "suggested": list(detail.get("was", candidate.labels)),
            "text_before": edit.get("text_before"),
        }


@contextlib.contextmanager
def _silent(datasets: Any) -> Iterator[None]:
    """The library's bars stay away, and its setting as it was."""
    shown = not datasets.are_progress_bars_disabled()
    datasets.disable_progress_bars()
    try:
        yield
    finally:
        if shown:
            datasets.enable_progress_bars()
