"""What was put before people and what they said: so nothing is sent twice, every vote finds its candidate, and none is lost.

An SQLite file with a write-ahead log: what is noted survives kill -9. Without the file everything is sent once more, which changes
nothing where it is; what is lost with it are the votes that stand nowhere else any more, and the numbers of pseudonyms. Rows are
kept by the identity of the dataset: a dataset that somebody deleted and made anew has another one, and so has one on another server.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from argilla_bridge.backends import ADJUDICATION
from argilla_bridge.rows import ReviewRow
from argilla_bridge.showing.marking import shown
from spacy_synthesizrr.candidates import digest
from spacy_synthesizrr.errors import RunFolderError
from spacy_synthesizrr.jsonl import dumps
from spacy_synthesizrr.models.answers.wal import make_private, use_wal

NAME = "ledger.sqlite"
VERSION = 1
WAIT = 30.0  # seconds for another process that writes
SCHEMA = (
    """CREATE TABLE IF NOT EXISTS pushed (identity TEXT, dataset TEXT, row TEXT, digest TEXT NOT NULL, shown INTEGER NOT NULL,
    PRIMARY KEY (identity, dataset, row)) WITHOUT ROWID""",
    "CREATE TABLE IF NOT EXISTS links (candidate TEXT PRIMARY KEY, row TEXT NOT NULL, text TEXT NOT NULL) WITHOUT ROWID",
    "CREATE INDEX IF NOT EXISTS links_of_row ON links (row)",
    "CREATE INDEX IF NOT EXISTS pushed_row ON pushed (row)",
    # see ballots.py; about: the row that is decided by it; pull: in which it was seen last; loose: whether its row went since
    """CREATE TABLE IF NOT EXISTS votes (row TEXT, dataset TEXT, person INTEGER, about TEXT NOT NULL, identity TEXT NOT NULL,
    status TEXT NOT NULL, content TEXT NOT NULL, pull INTEGER NOT NULL, loose INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (row, dataset, person)) WITHOUT ROWID""",
    "CREATE INDEX IF NOT EXISTS votes_about ON votes (about)",
    # see people.py; a person goes by several keys
    "CREATE TABLE IF NOT EXISTS people (person INTEGER PRIMARY KEY, name TEXT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS keys (key TEXT PRIMARY KEY, person INTEGER NOT NULL) WITHOUT ROWID",
)


@dataclass(frozen=True)
class Place:
    """A dataset on a backend.

    dataset (str): "main", "overlap" or "adjudication".
    identity (str): What the backend calls it.
    """

    dataset: str
    identity: str


@dataclass(frozen=True)
class Noted:
    """A row that was put before people.

    row (str): Its id.
    digest (str): Of all that is sent, see `digest_of`.
    shown (bool): Whether people see a suggestion.
    """

    row: str
    digest: str
    shown: bool


def digest_of(row: ReviewRow) -> str:
    """RETURNS (str): Hash of everything that is sent with a row; vectors to three decimals."""
    said = None if row.suggestion is None else [list(row.suggestion.labels), row.suggestion.score, row.suggestion.agent]
    vectors = {name: [round(float(value), 3) for value in vector] for name, vector in sorted(row.vectors.items())}
    return digest("pushed", dumps([dict(row.fields), dict(sorted(row.metadata.items())), said, vectors]))


def texts_digest(texts: Iterable[str]) -> str:
    """RETURNS (str): Hash of the texts of a candidate, in the order of the task's fields, as far as they can be shown."""
    return digest("texts", *map(shown, texts))


class Ledger:
    """See the head of this module. One process writes at a time; the lock of the run folder sees to that."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection, self._lock = connection, threading.Lock()  # a backend may call back from a thread of its own

    @classmethod
    def open(cls, path: Path) -> Ledger:
        """Open a ledger, or begin one.

        path (Path): The file; its folder is made when missing.
        RAISES (RunFolderError): When it is no ledger, or one of a newer release.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        make_private(path)
        connection = sqlite3.connect(path, timeout=WAIT, check_same_thread=False)
        try:
            use_wal(connection, wait=WAIT)
            connection.execute("PRAGMA synchronous = NORMAL")  # a power cut may cost the last notes, which costs sending once more
            found = connection.execute("PRAGMA user_version").fetchone()[0]
            if found > VERSION:
                raise RunFolderError(f"{path} has version {found}; this release reads versions up to {VERSION}. Install a newer one.")
            with connection:
                for statement in SCHEMA:
                    connection.execute(statement)
                connection.execute(f"PRAGMA user_version = {VERSION}")
        except sqlite3.DatabaseError as error:
            connection.close()
            cure = "Delete it with its side files and push again: everything is sent once more, and nothing is there twice; what people \
said is read from there."
            raise RunFolderError(f"{path} cannot be read as a ledger of what was pushed ({error}). {cure}") from error
        except RunFolderError:
            connection.close()
            raise
        return cls(connection)

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def __enter__(self) -> Ledger:
        return self

    def __exit__(self, *about: object) -> None:
        self.close()

    @contextlib.contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """YIELDS (Connection): To write all of something, or none of it."""
        with self._lock, self._connection:
            yield self._connection

    def read(self, query: str, values: Sequence[object] = ()) -> sqlite3.Cursor:
        """RETURNS (Cursor): What an SQL query finds."""
        return self._connection.execute(query, values)

    def note(self, place: Place, rows: Iterable[Noted]) -> None:
        """Note rows that the backend surely keeps; all of them or none."""
        values = [(place.identity, place.dataset, row.row, row.digest, row.shown) for row in rows]
        with self._lock, self._connection:
            self._connection.executemany("INSERT OR REPLACE INTO pushed VALUES (?, ?, ?, ?, ?)", values)

    def forget(self, place: Place, rows: Iterable[str]) -> None:
        """Forget rows that are not there any more. The votes on them stay, and nobody takes them back there."""
        values, where = [(place.identity, place.dataset, row) for row in rows], "identity = ? AND dataset = ? AND row = ?"
        with self._lock, self._connection:
            self._connection.executemany(f"DELETE FROM pushed WHERE {where}", values)
            self._connection.executemany(f"UPDATE votes SET loose = 1 WHERE {where}", values)

    def noted(self, place: Place, row: str) -> Noted | None:
        """RETURNS (Noted | None): What was sent with a row; None when it was not sent."""
        query = "SELECT digest, shown FROM pushed WHERE identity = ? AND dataset = ? AND row = ?"
        found = self._connection.execute(query, (place.identity, place.dataset, row)).fetchone()
        return None if found is None else Noted(row, str(found[0]), bool(found[1]))

    def known(self, place: Place) -> Iterator[str]:
        """YIELDS (str): The ids of all rows that were put there, by id. Rows may be forgotten meanwhile."""
        return self._pages("SELECT row FROM pushed WHERE identity = ? AND dataset = ? AND row > ?", (place.identity, place.dataset))

    def datasets(self) -> list[str]:
        """RETURNS (List[str]): The datasets into which anything was put, wherever."""
        return [str(row[0]) for row in self._connection.execute("SELECT DISTINCT dataset FROM pushed ORDER BY dataset")]

    def dataset(self, row: str) -> str | None:
        """RETURNS (str | None): Into which dataset a row was put to be voted on, at any place; None when it was not."""
        query = "SELECT dataset FROM pushed WHERE row = ? AND dataset <> ? ORDER BY dataset LIMIT 1"
        found = self._connection.execute(query, (row, ADJUDICATION)).fetchone()
        return None if found is None else str(found[0])

    def shown(self, row: str) -> bool | None:
        """RETURNS (bool | None): Whether people see a suggestion with a row; None when it was not put before people to vote on."""
        query = "SELECT max(shown) FROM pushed WHERE row = ? AND dataset <> ?"
        found = self._connection.execute(query, (row, ADJUDICATION)).fetchone()[0]
        return None if found is None else bool(found)

    def link(self, links: Iterable[tuple[str, str, str]]) -> None:
        """Note which row asks about which candidate; several candidates may say the same and share a row.

        links (Iterable[Tuple[str, str, str]]): Candidate id, row id, and the hash of the candidate's texts, see `texts_digest`; a
            candidate has one row, the newest.
        """
        with self._lock, self._connection:
            self._connection.executemany("INSERT OR REPLACE INTO links VALUES (?, ?, ?)", links)

    def row_of(self, candidate: str) -> tuple[str, str] | None:
        """RETURNS (Tuple[str, str] | None): Id of the row that asks about a candidate, and the hash of the texts it asks about."""
        found = self._connection.execute("SELECT row, text FROM links WHERE candidate = ?", (candidate,)).fetchone()
        return None if found is None else (str(found[0]), str(found[1]))

    def candidates(self, row: str) -> Sequence[str]:
        """RETURNS (Sequence[str]): Ids of the candidates that a row asks about, sorted."""
        return [str(found[0]) for found in self._connection.execute("SELECT candidate FROM links WHERE row = ? ORDER BY 1", (row,))]

    @property
    def blank(self) -> bool:
        """RETURNS (bool): Whether it knows of no row: nothing was pushed, or the file was lost."""
        return self._connection.execute("SELECT 1 FROM links LIMIT 1").fetchone() is None

    def _pages(self, query: str, values: tuple[str, ...], size: int = 1000) -> Iterator[str]:
        """Read ids page by page, so that no statement stays open while others write."""
        last = ""
        while True:
            page = [str(found[0]) for found in self._connection.execute(f"{query} ORDER BY row LIMIT {size}", (*values, last))]
            yield from page
            if len(page) < size:
                return
            last = page[-1]


@contextlib.contextmanager
def opened(folder: Path) -> Iterator[Ledger]:
    """YIELDS (Ledger): That of a run's folder `review`, closed at the end."""
    ledger = Ledger.open(folder / NAME)
    try:
        yield ledger
    finally:
        ledger.close()
