"""The documents of a corpus: the rows of its file, with the columns that the task file names."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from spacy_synthesizrr.lines import count_lines
from spacy_synthesizrr.progress import progress, quiet
from spacy_synthesizrr.tables import BadRow, read_table, text_fault
from spacy_synthesizrr.taskfile import CorpusSpec, TaskSpec


class Document(NamedTuple):
    """One row.

    line (int): Of the file; for Parquet the row.
    id (str): The id column, or the line.
    source (str), text (str): With squeezed whitespace; the title stands in front of the text.
    meta (Mapping): Other columns. vector (Any): What stands in the column of the vector, unchecked.
    """

    line: int
    id: str
    source: str
    text: str
    meta: Mapping[str, Any]
    vector: Any


def read_documents(task: TaskSpec, on_bad: Callable[[BadRow], None]) -> Iterator[Document]:
    """YIELDS (Document): In the order of the file.

    on_bad (Callable): Takes each row that cannot be used.
    RAISES (InputError): For a flaw of the file.
    """
    spec = task.need_corpus()
    named = (spec.id, spec.source, spec.title, spec.vector, *spec.meta)
    optional = [column for column in dict.fromkeys(named) if column and column != spec.text]
    path = task.path.parent / spec.path
    total = None if quiet() or path.suffix == ".parquet" else count_lines(path)
    rows = read_table(path, columns=[spec.text], optional=optional, on_bad=on_bad)
    for line, row in progress(rows, "Reading the corpus", total=total, unit="documents"):
        fault = text_fault(row[spec.text], spec.text)
        if fault:
            on_bad(BadRow(line, *fault))
        else:
            yield _document(line, row, spec)


def _document(line: int, row: Mapping[str, Any], spec: CorpusSpec) -> Document:
    title, text = _squeezed(row, spec.title), _squeezed(row, spec.text)
    meta = {name: _plain(row[name]) for name in spec.meta if row[name] is not None}
    if title:
        meta["title"] = title
        text = f"{title}{'.' if title[-1].isalnum() else ''} {text}"
    vector = row[spec.vector] if spec.vector else None
    return Document(line, _squeezed(row, spec.id) or str(line), _squeezed(row, spec.source), text, meta, vector)


def _squeezed(row: Mapping[str, Any], column: str) -> str:
    value = row[column] if column else None
    return "" if value is None else " ".join(str(value).split())


def _plain(value: Any) -> Any:
    """A value that JSON can hold; dates and the like become text."""
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError):
        return str(value)
    return value
