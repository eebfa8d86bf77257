"""Vectors on disk by key: one SQLite file, shared by processes, whole after a kill, and never held in memory.

Keys and vectors lie in a table in the order in which they came; a small index beside it finds a key. (Measured with 75,000
vectors of 384 dimensions on a busy machine: 10,000 written and 40,000 read per second, 125 MB; with the vectors inside the index,
as WITHOUT ROWID does, a third of that and three times the space.)
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from spacy_synthesizrr.errors import StoreError

if TYPE_CHECKING:
    from numpy.typing import NDArray

FORMAT = 1
WAIT = 60.0  # seconds for another process that writes
TABLE = "CREATE TABLE IF NOT EXISTS vectors (id INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE, vector BLOB NOT NULL)"
SAFE = ("page_size = 8192", "journal_mode = WAL", "synchronous = FULL")
FLEETING = ("page_size = 8192", "journal_mode = OFF", "synchronous = OFF")


class VectorFile:
    """A file of vectors.

    path (Path): The file; it is made when missing.
    cure (str): What to do when it cannot be used.
    fleeting (bool): Whether it may be damaged by a kill, because nobody needs it afterwards.
    RAISES (StoreError): When it is damaged, of another release, or cannot be written.
    """

    def __init__(self, path: Path, *, cure: str, fleeting: bool = False) -> None:
        self.path, self._cure = path, cure
        with self._speaking():
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = sqlite3.connect(path, timeout=WAIT, isolation_level=None, check_same_thread=False)
            try:
                self._prepare(FLEETING if fleeting else SAFE)
            except BaseException:
                self._file.close()
                raise

    def _prepare(self, pragmas: Iterable[str]) -> None:
        for pragma in pragmas:
            self._file.execute(f"PRAGMA {pragma}")
        with self._writing():
            (version,) = self._file.execute("PRAGMA user_version").fetchone()
            if version not in (0, FORMAT):
                raise StoreError(f"{self.path} has format {version}; this release reads {FORMAT}. {self._cure}")
            self._file.execute(TABLE)
            self._file.execute(f"PRAGMA user_version = {FORMAT}")

    def get(self, keys: Iterable[bytes]) -> dict[bytes, NDArray[np.float32]]:
        """RETURNS (dict): The vectors that are there, by key."""
        found: dict[bytes, NDArray[np.float32]] = {}
        with self._speaking():
            for key in keys:
                row = self._file.execute("SELECT vector FROM vectors WHERE key = ?", (key,)).fetchone()
                if row is not None:
                    found[key] = np.frombuffer(row[0], dtype="<f4")
        return found

    def put(self, keys: Sequence[bytes], vectors: NDArray[np.float32]) -> None:
        """Keep vectors, all or none; they are on disk afterwards. What is there already under a key stays.

        vectors (ndarray): Shape (len(keys), dimensions).
        """
        rows = np.ascontiguousarray(vectors, dtype="<f4")
        with self._speaking(), self._writing():
            pairs = ((key, row.tobytes()) for key, row in zip(keys, rows, strict=True))
            self._file.executemany("INSERT OR IGNORE INTO vectors (key, vector) VALUES (?, ?)", pairs)

    def count(self) -> int:
        """RETURNS (int): Vectors in the file."""
        with self._speaking():
            return int(self._file.execute("SELECT COUNT(*) FROM vectors").fetchone()[0])

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        self._file.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            with contextlib.suppress(sqlite3.Error):
                self._file.execute("ROLLBACK")
            raise
        self._file.execute("COMMIT")

    @contextlib.contextmanager
    def _speaking(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise StoreError(f"The file of vectors {self.path} cannot be used ({error}). {self._cure}") from error
