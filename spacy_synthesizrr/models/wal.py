"""How the file of a response store is opened: readable for its owner only, with a write-ahead log."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from pathlib import Path

PAUSE = 0.01  # seconds between attempts


def make_private(path: Path) -> None:
    """Make a new file that only its owner reads: answers may hold what a corpus must not tell. SQLite gives its side files the
    same mode. A file that is there stays as it is.
    """
    with contextlib.suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))


def use_wal(connection: sqlite3.Connection, *, wait: float) -> None:
    """Switch to the write-ahead log. SQLite does not wait by itself when several processes switch a new file at once.

    wait (float): Most seconds.
    """
    last = time.monotonic() + wait
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > last:
                raise
            time.sleep(PAUSE)
