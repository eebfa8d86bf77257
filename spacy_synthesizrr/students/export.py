"""From rows to spaCy's own training format, a shard at a time."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from spacy_synthesizrr.errors import StudentError
from spacy_synthesizrr.fingerprints import replace_folder
from spacy_synthesizrr.students.rows import StudentRow

if TYPE_CHECKING:
    from spacy.language import Language
    from spacy.tokens import Doc
    from spacy.vocab import Vocab

SHARD_ROWS = 50_000  # of about 60 tokens: 50 MB in memory before compression
# keys in doc.user_data
ROW_ID, ROW_SOURCE, ROW_SCORE = "synthesizrr_id", "synthesizrr_label_source", "synthesizrr_label_score"
ROW_WEIGHT = "synthesizrr_weight"


@dataclass
class Written:
    """How many rows a train, dev or test set has.

    rows (int): All of them.
    labels (Counter[str]): Per label; a multi-label row counts under each of its labels.
    """

    rows: int = 0
    labels: Counter[str] = field(default_factory=Counter)


def write_docs(rows: Iterable[StudentRow], path: Path, *, nlp: Language, labels: Sequence[str], shard_rows: int = SHARD_ROWS) -> Written:
    """Write rows as a DocBin, or as a folder of DocBins when there are more than fit one shard.

    Every Doc has all labels in `cats` (1.0 or 0.0), and in `user_data` the row's id
    ("synthesizrr_id"), who chose its labels ("synthesizrr_label_source"), where that was measured how sure curation is of them
    ("synthesizrr_label_score"), and the row's weight where it is not 1 ("synthesizrr_weight"). Nothing appears under `path` before all
    is written.
    rows (Iterable[StudentRow]): Streamed; one shard of Docs is in memory at a time.
    path (Path): Such as runs/news/train.spacy.
    nlp (Language): Its tokenizer makes the Docs.
    labels (Sequence[str]): All labels of the task, in order.
    RETURNS (Written): Number of rows.
    RAISES (StudentError): For a text longer than the tokenizer takes.
    """
    from spacy_synthesizrr.students.docbin import pack

    folder = path.with_name(f".{path.name}.new")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    written, stream, number, full = Written(), iter(rows), 0, True
    while full:
        with nlp.memory_zone():  # new words do not stay in the vocabulary
            docs = pack(make_docs(islice(stream, shard_rows), nlp=nlp, labels=labels, written=written))
        full = len(docs) == shard_rows
        if len(docs) or not number:
            docs.to_disk(folder / f"{number:05d}.spacy")
            number += 1
    _put(folder, path, number)
    return written


def make_docs(rows: Iterable[StudentRow], *, nlp: Language, labels: Sequence[str], written: Written) -> Iterator[Doc]:
    """Tokenize rows and note their labels; `written` is counted along the way."""
    for row in rows:
        if len(row.text) > nlp.max_length:
            raise StudentError(
                f"The row {row.id} has {len(row.text):,} characters; a student reads at most {nlp.max_length:,}. Shorten or remove it."
            )
        doc = nlp.make_doc(row.text)
        doc.cats = {label: float(label in row.labels) for label in labels}
        doc.user_data[ROW_ID], doc.user_data[ROW_SOURCE] = row.id, row.source
        if row.score is not None:
            doc.user_data[ROW_SCORE] = row.score
        if row.weight != 1.0:
            doc.user_data[ROW_WEIGHT] = row.weight
        written.rows += 1
        written.labels.update(row.labels)
        yield doc


def _put(folder: Path, path: Path, number: int) -> None:
    """Give the finished shards their name: one shard is a plain file."""
    if path.is_file() and number > 1:
        path.unlink()
    if number > 1:
        replace_folder(folder, path)
        return
    if path.is_dir():
        shutil.rmtree(path)
    (folder / "00000.spacy").replace(path)
    folder.rmdir()


def read_docs(path: Path, vocab: Vocab) -> Iterator[Doc]:
    """Stream the Docs that `write_docs` wrote, a shard at a time and in order."""
    from spacy_synthesizrr.students.docbin import unpack

    for shard in shards(path):
        yield from unpack(shard, vocab)


def shards(path: Path) -> list[Path]:
    """RETURNS (List[Path]): The files of a set, in order."""
    return sorted(path.glob("*.spacy")) if path.is_dir() else [path]


def remove_docs(path: Path) -> None:
    """Remove a file or folder that an earlier export wrote and this one does not."""
    if path.is_dir():
        shutil.rmtree(path)
    path.unlink(missing_ok=True)
