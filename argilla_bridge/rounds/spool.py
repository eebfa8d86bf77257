"""Rows that wait to be sent, on disk: so that the most useful come first, whatever their number and the order in which they are made."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

from argilla_bridge.rounds.ledger import Noted
from argilla_bridge.rows import ReviewRow
from argilla_bridge.temporary import TemporaryDatabase


class Spool(TemporaryDatabase):
    """Ids that were seen, and rows that wait, whatever their texts and numbers are: the backend says which it does not take."""

    schema = (
        "CREATE TABLE seen (row TEXT PRIMARY KEY) WITHOUT ROWID",
        "CREATE TABLE waiting (row TEXT PRIMARY KEY, dataset TEXT, new INTEGER, priority REAL, digest TEXT, shown INTEGER, content TEXT)",
        "CREATE INDEX by_priority ON waiting (dataset, priority DESC, row)",
    )

    def see(self, row: str) -> bool:
        """RETURNS (bool): Whether this is the first row of that id."""
        return self._connection.execute("INSERT OR IGNORE INTO seen VALUES (?)", (row,)).rowcount > 0

    def saw(self, row: str) -> bool:
        """RETURNS (bool): Whether a row of that id was seen."""
        return self._connection.execute("SELECT 1 FROM seen WHERE row = ?", (row,)).fetchone() is not None

    def ids(self) -> Iterator[str]:
        """YIELDS (str): All ids that were seen, in their order."""
        return (row for (row,) in self._connection.execute("SELECT row FROM seen ORDER BY row"))

    def unseen(self, rows: Iterable[str]) -> Iterator[str]:
        """YIELDS (str): Those ids that were not seen."""
        return (row for row in rows if not self.saw(row))

    def add(self, row: ReviewRow, dataset: str, *, digest: str, new: bool) -> None:
        """Let a row wait. new (bool): Whether the dataset lacks it."""
        values = (row.id, dataset, new, row.priority, digest, row.suggestion is not None, json.dumps(row.to_dict()))
        self._connection.execute("INSERT INTO waiting VALUES (?, ?, ?, ?, ?, ?, ?)", values)

    def cut(self, most: int) -> int:
        """Let at most so many new rows wait, those of the highest priority.

        RETURNS (int): How many went.
        """
        keep = "SELECT row FROM waiting WHERE new ORDER BY priority DESC, row LIMIT ?"
        return self._connection.execute(f"DELETE FROM waiting WHERE new AND row NOT IN ({keep})", (max(0, most),)).rowcount

    def count(self, dataset: str) -> int:
        """RETURNS (int): How many rows wait for a dataset."""
        return int(self._connection.execute("SELECT count(*) FROM waiting WHERE dataset = ?", (dataset,)).fetchone()[0])

    def waiting(self, row: str) -> tuple[Noted, bool]:
        """RETURNS (Tuple[Noted, bool]): What to note of a waiting row once it is sent, and whether it is new."""
        digest, new, shown = self._connection.execute("SELECT digest, new, shown FROM waiting WHERE row = ?", (row,)).fetchone()
        return Noted(row, digest, bool(shown)), bool(new)

    def rows(self, dataset: str) -> Iterator[ReviewRow]:
        """YIELDS (ReviewRow): Those that wait for a dataset, the highest priority first; of equal ones, by id."""
        query = "SELECT content FROM waiting WHERE dataset = ? ORDER BY priority DESC, row"
        for (content,) in self._connection.execute(query, (dataset,)):
            yield ReviewRow.from_dict(json.loads(content))
