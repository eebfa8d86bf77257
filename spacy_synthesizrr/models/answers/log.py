"""The write-ahead log of a store on its way to the disk.

The file stays open: a pool with many connections may have no handle left at the moment when answers must be forced.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path


class Log:
    """Forces what SQLite has written to a log. Used on one thread.

    store (Path): The store's file; its log lies beside it.
    """

    def __init__(self, store: Path) -> None:
        self._path = f"{store}-wal"
        self._file: int | None = None
        with contextlib.suppress(OSError):  # told when it is needed
            self._open()

    def force(self) -> None:
        """Wait until the log is on the disk. A checkpoint forces itself, so a log that is gone needs nothing.

        RAISES (OSError): When the disk or the system does not do it.
        """
        if not self._is_that():
            self.close()
            with contextlib.suppress(FileNotFoundError):
                self._open()
        if self._file is not None:
            os.fsync(self._file)

    def close(self) -> None:
        """Give the file back. It is opened again when needed."""
        file, self._file = self._file, None
        if file is not None:
            os.close(file)

    def _is_that(self) -> bool:
        """Whether the open file is the one that lies there: SQLite makes a new one after all connections were closed."""
        if self._file is None:
            return False
        try:
            return os.path.samestat(os.fstat(self._file), os.stat(self._path))
        except FileNotFoundError:
            return False

    def _open(self) -> None:
        self._file = os.open(self._path, os.O_RDWR)
