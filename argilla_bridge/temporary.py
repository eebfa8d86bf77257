"""What must be kept for a while and may be much: on disk, in a file that goes."""

from __future__ import annotations

import sqlite3
import tempfile
from types import TracebackType
from typing import TypeVar

Made = TypeVar("Made", bound="TemporaryDatabase")


class TemporaryDatabase:
    """A database of this process alone that goes when it is closed."""

    schema: tuple[str, ...]

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="argilla-bridge-")
        self._connection = sqlite3.connect(f"{self._folder.name}/rows.sqlite", isolation_level=None, check_same_thread=False)
        for statement in ("PRAGMA journal_mode = OFF", "PRAGMA synchronous = OFF", *self.schema, "BEGIN"):
            self._connection.execute(statement)

    def __enter__(self: Made) -> Made:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._connection.close()
        self._folder.cleanup()
