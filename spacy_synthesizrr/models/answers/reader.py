"""Looks into a store that never wait for whoever writes to it.

SQLite's write-ahead log lets readers see the last commit while another one is being written. That takes a connection of their
own: one that is shared with a writer is as slow as the writer, which waits up to a minute for other programs.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

from spacy_synthesizrr.models.answers.forks import close_before_fork
from spacy_synthesizrr.models.answers.wal import unusable


class Reader:
    """A connection that only reads, for one thread at a time.

    path (Path): A store that is there and has its tables.
    wait (float): Most seconds to wait while the log is being put in order.
    """

    def __init__(self, path: Path, *, wait: float) -> None:
        self._path, self._wait = path, wait
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        close_before_fork(self)

    @contextlib.contextmanager
    def used(self) -> Iterator[sqlite3.Connection]:
        """RETURNS (sqlite3.Connection): It sees all that was committed until now.

        RAISES (RunFolderError): When the file cannot be read.
        """
        with self._lock:
            try:
                yield self._open()
            except sqlite3.DatabaseError as error:
                raise unusable(self._path, error) from error

    def close(self) -> None:
        """Close the connection; it opens again when needed."""
        with self._lock:
            self._disconnect()

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            address = f"{self._path.absolute().as_uri()}?mode=rw"  # which makes no file; the log's index needs the right to write
            connection = sqlite3.connect(address, uri=True, timeout=self._wait, check_same_thread=False)
            connection.execute("PRAGMA query_only = 1")
            self._connection = connection
        return self._connection

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
