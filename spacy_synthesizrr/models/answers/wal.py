"""How the file of a response store is opened: readable for its owner only, with a write-ahead log."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from pathlib import Path
from typing import Tuple

from spacy_synthesizrr.errors import RunFolderError

PAUSE = 0.01  # seconds between attempts
Place = Tuple[int, int]


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


def place_of(path: Path) -> Place | None:
    """RETURNS (Tuple[int, int] | None): Tells a file from another one of the same name, without opening it; None without a file."""
    try:
        found = os.stat(path)
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


def moved(path: Path) -> RunFolderError:
    """RETURNS (RunFolderError): What to tell when a store's file is not the one any more that was opened."""
    return RunFolderError(
        f"{path} was removed or replaced while it was in use. Nothing more is asked, because no answer could be kept. Put the file back, "
        "or run again to begin with what is there; let nobody clear it away meanwhile."
    )


def unusable(path: Path, error: sqlite3.DatabaseError) -> RunFolderError:
    """RETURNS (RunFolderError): What to tell when SQLite cannot read or write a store."""
    if isinstance(error, sqlite3.OperationalError):
        return RunFolderError(
            f"{path} cannot be used now ({error}). Make room on the disk or mend the permissions, and run again: what is kept stays, "
            "and no answer is handed on that is not kept."
        )
    return RunFolderError(
        f"{path} cannot be opened as a store of answers ({error}). Move the file away; the answers in it will be asked for again."
    )
