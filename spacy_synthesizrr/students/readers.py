"""How a training reads its rows: all of them tokenized once, or, when there are many, a shard at a time."""

from __future__ import annotations

import functools
import random
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from spacy.training import Example
from spacy.util import registry
from spacy.vocab import Vocab

from spacy_synthesizrr.errors import StudentError
from spacy_synthesizrr.students.export import ROW_SCORE, ROW_SOURCE, ROW_WEIGHT, read_docs, shards

if TYPE_CHECKING:
    from spacy.language import Language
    from spacy.tokens import Doc

CACHED, STREAMED = "synthesizrr.CachedCorpus.v1", "synthesizrr.Corpus.v1"
Row = tuple[str, dict[str, float], dict[str, object]]  # text, cats, and what else is known of the row


def _row(doc: Doc) -> Row:
    return doc.text, doc.cats, {key: doc.user_data[key] for key in (ROW_SOURCE, ROW_SCORE, ROW_WEIGHT) if key in doc.user_data}


def _example(row: Row, nlp: Language) -> Example:
    text, cats, about = row
    predicted = nlp.make_doc(text)
    reference = predicted.copy()
    reference.cats = cats
    reference.user_data.update(about)
    return Example(predicted, reference)


@functools.lru_cache(maxsize=2)
def read_texts(path: str, inputs: str) -> tuple[Row, ...]:
    """The rows of a file, read once for all seeds of an arm.

    inputs (str): Hash of the contents, so that a file that changed is read again.
    """
    return tuple(_row(doc) for doc in read_docs(Path(path), Vocab()) if len(doc))


@functools.lru_cache(maxsize=2)
def read_examples(path: str, inputs: str, nlp: Language) -> tuple[Example, ...]:
    """The rows as examples, tokenized once per pipeline."""
    return tuple(_example(row, nlp) for row in read_texts(path, inputs))


@registry.readers(CACHED)
def make_cached_corpus(path: str, inputs: str) -> Callable[[Language], Iterator[Example]]:
    """Like spacy.Corpus.v1, which reads and tokenizes its file thrice to initialize and again at every evaluation.

    path (str): A .spacy file, or a folder of them.
    inputs (str): Hash of the contents.
    """

    def read(nlp: Language) -> Iterator[Example]:
        return iter(read_examples(path, inputs, nlp))

    return read


def make_corpus(path: Path | None, *, shuffle: bool = True, seed: int = 0) -> Callable[[Language], Iterator[Example]]:
    """Stream rows in another order at every pass, with the texts of one shard in memory: for sets of any size, with `max_epochs = -1`.

    spaCy's own reader streams too, but in the order of the file; and the rows of a label stand together more or less.
    path (Path): A .spacy file, or the folder of shards that `export` writes above 50,000 rows.
    shuffle (bool): Shards in random order, and the rows of each shard; False reads them as they stand.
    seed (int): Of the order.
    RAISES (StudentError): When there is nothing under `path`.
    """
    if path is None or not Path(path).exists():
        raise StudentError(f"There are no rows to train on: [paths] says '{path}', and nothing is there. Give it with --paths.train.")
    passes = count()

    def read(nlp: Language) -> Iterator[Example]:
        order = random.Random(f"{seed} {next(passes)}")
        files = shards(Path(path))
        if shuffle:
            order.shuffle(files)
        for file in files:
            rows = [_row(doc) for doc in read_docs(file, Vocab()) if len(doc)]
            if shuffle:
                order.shuffle(rows)
            yield from (_example(row, nlp) for row in rows)

    return read
