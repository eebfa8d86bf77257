"""The lines of a file for review while it is written anew, on disk: so that memory does not grow with them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from argilla_bridge.backends import DATASETS
from argilla_bridge.temporary import TemporaryDatabase
from spacy_synthesizrr.jsonl import dumps

Cells = Mapping[str, Any]


class AnswerSpool(TemporaryDatabase):
    """Who said what where, of all lines that were read so far."""

    schema = ("CREATE TABLE answers (answer TEXT PRIMARY KEY, said TEXT, place TEXT) WITHOUT ROWID",)

    def first(self, answer: str, said: str, place: str) -> tuple[str, str]:
        """Keep an answer, unless that person answered that row before.

        answer (str): A hash of row and person. said (str): A hash of the answer. place (str): Where it stands.
        RETURNS (Tuple[str, str]): What was said first, and where.
        """
        self._connection.execute("INSERT OR IGNORE INTO answers VALUES (?, ?, ?)", (answer, said, place))
        found: tuple[str, str] = self._connection.execute("SELECT said, place FROM answers WHERE answer = ?", (answer,)).fetchone()
        return found

    def said(self, answer: str) -> str | None:
        """RETURNS (str | None): What was said first, if anything."""
        found = self._connection.execute("SELECT said FROM answers WHERE answer = ?", (answer,)).fetchone()
        return None if found is None else str(found[0])


class LineSpool(TemporaryDatabase):
    """A row may have several lines: one for each person."""

    schema = (
        "CREATE TABLE lines (dataset INTEGER, row TEXT, priority REAL, fresh INTEGER, cells TEXT)",
        "CREATE INDEX by_row ON lines (row, dataset)",
    )

    def add(self, dataset: str, row: str, priority: float, cells: Cells, *, fresh: bool = False) -> None:
        """Keep a line. fresh (bool): Whether it is put now, and not from before."""
        values = (DATASETS.index(dataset), row, priority, fresh, dumps(dict(cells)))
        self._connection.execute("INSERT INTO lines VALUES (?, ?, ?, ?, ?)", values)

    def put(self, dataset: str, row: str, priority: float, shown: Cells, blank: Cells) -> None:
        """Add a row, or replace what its lines show; what people filled in stays.

        shown (Mapping): The cells that are not to be filled in. blank (Mapping): Those that are, for a row without a line.
        """
        place = (row, DATASETS.index(dataset))
        lines = self._connection.execute("SELECT rowid, cells FROM lines WHERE row = ? AND dataset = ?", place).fetchall()
        for number, cells in lines:
            values = (priority, dumps({**json.loads(cells), **shown}), number)
            self._connection.execute("UPDATE lines SET fresh = 1, priority = ?, cells = ? WHERE rowid = ?", values)
        if not lines:
            self.add(dataset, row, priority, {**shown, **blank}, fresh=True)

    def remove(self, dataset: str, rows: Iterable[str]) -> int:
        """RETURNS (int): How many lines went."""
        delete, place = "DELETE FROM lines WHERE row = ? AND dataset = ?", DATASETS.index(dataset)
        return sum(self._connection.execute(delete, (row, place)).rowcount for row in rows)

    def lines(self) -> Iterator[Cells]:
        """YIELDS (Mapping): The cells of all lines by dataset, the highest priority first, then by row."""
        query = "SELECT cells FROM lines ORDER BY dataset, priority DESC, row, rowid"
        return (json.loads(cells) for (cells,) in self._connection.execute(query))

    def fresh(self, size: int) -> Iterator[Sequence[str]]:
        """YIELDS (Sequence[str]): Batches of the rows that were put."""
        found = (row for (row,) in self._connection.execute("SELECT DISTINCT row FROM lines WHERE fresh ORDER BY row"))
        while batch := list(islice(found, size)):
            yield batch
