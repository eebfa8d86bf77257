"""JSON and JSONL files: streamed in, written whole or not at all.

Every row that this project writes carries `"v": 1`; a reader refuses a newer version instead of misreading it.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO, Any, TypeVar

from spacy_synthesizrr.candidates import ROW_VERSION
from spacy_synthesizrr.errors import InputError

Row = TypeVar("Row")


def dumps(value: Any) -> str:
    """One line of JSON: UTF-8 as it is, NaN refused, keys in the order given."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


@contextlib.contextmanager
def atomic(path: Path, mode: str = "w") -> Iterator[IO[Any]]:
    """Open a file that appears under its name only when the block ends without an error.

    path (Path): The final name; its folder is made when missing.
    YIELDS (IO): A file beside it, flushed to disk and renamed at the end, removed on an error.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    try:
        text: dict[str, Any] = {} if "b" in mode else {"encoding": "utf-8", "newline": "\n"}
        with os.fdopen(handle, mode, **text) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, 0o666 & ~_umask())
        os.replace(name, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name)
        raise


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current


def write_json(path: Path, value: Any) -> None:
    """Write one JSON document, indented, atomically. Nothing is touched when the file says so already."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, indent=2) + "\n"
    if path.is_file() and path.read_text(encoding="utf-8") == text:
        return
    with atomic(path) as file:
        file.write(text)


def read_json(path: Path, *, cure: str = "") -> Any:
    """Read one JSON document.

    RAISES (InputError): When it is missing or not JSON; `cure` says what to do then.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InputError("This file is missing.", path=path, cure=cure) from error
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"This is not JSON: {error}.", path=path, cure=cure) from error


def write_jsonl(path: Path, rows: Iterable[dict[str, Any]]) -> int:
    """Stream rows into a JSONL file that appears only when all are written.

    RETURNS (int): Number of rows.
    """
    count = 0
    with atomic(path) as file:
        for row in rows:
            file.write(dumps(row) + "\n")
            count += 1
    return count


def read_jsonl(path: Path, make: Callable[[dict[str, Any]], Row]) -> Iterator[Row]:
    """Stream the rows of a JSONL file that this project wrote.

    make (Callable): Turns a dict into a row, such as `Candidate.from_dict`.
    RAISES (InputError): For a line that is not JSON, lacks a key, or has a newer version; it names file and line.
    """
    try:
        file = path.open(encoding="utf-8")
    except FileNotFoundError as error:
        raise InputError("This file is missing.", path=path, cure="Run the step that writes it.") from error
    with file:
        for number, line in enumerate(file, 1):
            yield parse_row(line, make, path=path, number=number)


def parse_row(line: str | bytes, make: Callable[[dict[str, Any]], Row], *, path: Path, number: int) -> Row:
    """Turn one line into a row; see `read_jsonl`."""
    try:
        row = json.loads(line)
        version = row.get("v", ROW_VERSION)
        if version > ROW_VERSION:
            raise InputError(
                f"This row has version {version}; this release reads versions up to {ROW_VERSION}.",
                path=path, line=number, cure="Install a newer spacy-synthesizrr.",
            )  # fmt: skip
        return make(row)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"This row cannot be read ({type(error).__name__}: {error}).", path=path, line=number,
            cure="Delete the file and run the step that writes it again.",
        ) from error  # fmt: skip
