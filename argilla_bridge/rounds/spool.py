"""Rows that wait to be sent, on disk: so that the most useful come first, whatever their number and the order in which they are made."""

from __future__ import annotations

import pickle
import sqlite3
import tempfile
from collections.abc import Iterable, Iterator
from types import TracebackType

from argilla_bridge.rounds.ledger import Noted
from argilla_bridge.rows import ReviewRow

SCHEMA = (
    "CREATE TABLE seen (row TEXT PRIMARY KEY) WITHOUT ROWID",
    "CREATE TABLE waiting (row TEXT PRIMARY KEY, dataset TEXT, new INTEGER, priority REAL, digest TEXT, shown INTEGER, content BLOB)",
    "CREATE INDEX by_priority ON waiting (dataset, priority DESC, row)",
)


class Spool:
    """A temporary file that goes when it is closed. What it holds was written by this process alone."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="argilla-bridge-")
        self._connection = sqlite3.connect(f"{self._folder.name}/spool.sqlite", isolation_level=None, check_same_thread=False)
        for statement in ("PRAGMA journal_mode = OFF", "PRAGMA synchronous = OFF", *SCHEMA, "BEGIN"):
            self._connection.execute(statement)

    def __enter__(self) -> Spool:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._connection.close()
        self._folder.cleanup()

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
        content = pickle.dumps(row, protocol=pickle.HIGHEST_PROTOCOL)
        values = (row.id, dataset, new, row.priority, digest, row.suggestion is not None, content)
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
            yield pickle.loads(content)
