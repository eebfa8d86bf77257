"""Reading the tables that a user brings: JSONL, CSV (both also gzipped) and Parquet, streamed, with the place of every flaw.

A flaw of the *file* (missing, unknown suffix, damaged gzip, a column that is not there) is an `InputError`. A flaw of one
*row* is an `InputError` too, unless the caller takes such rows as `BadRow`s: for a corpus of a million pages a broken line is
something to count, for fifty labelled rows it is something to mend. No line is ever held beyond `max_bytes`.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spacy_synthesizrr.candidates import ROW_VERSION
from spacy_synthesizrr.errors import InputError, choices, require
from spacy_synthesizrr.lines import Fault, decode, read_lines

SUFFIXES = (".jsonl", ".jsonl.gz", ".csv", ".csv.gz", ".parquet")
MAX_BYTES = 10_000_000
# JSONL has no header: a column that no row of so many has is taken for a slip of the pen, before hours of work are spent
ROWS_BEFORE_A_COLUMN_MUST_SHOW = 10_000

# reason of a bad row -> what is wrong, what to do
REASONS = {
    "not_utf8": ("This is not UTF-8", "Save the file as UTF-8."),
    "nul": ("A NUL character stands in this row", "Remove it."),
    "too_long": ("This row is too long", "Shorten or split it."),
    "not_json": ("This is not JSON", "Write one JSON object per line."),
    "not_object": ("This is JSON, but not an object", "Write one JSON object per line, such as {\"text\": \"…\"}."),
    "bad_csv": ("This is not CSV", "Close every quoted value and write a quote inside one as two."),
    "columns": ("The number of values is wrong", "Put values that hold a comma between quotes."),
    "missing_value": ("A value is missing", "Fill it in or remove the row."),
    "not_text": ("A value is not text", "Put it between quotes."),
    "empty": ("A text is empty", "Fill it in or remove the row."),
    "too_short": ("A text is too short", "Lower [passages] min_words or give longer texts."),
}  # fmt: skip


@dataclass(frozen=True)
class BadRow:
    """A row, or a part of one, that cannot be used.

    line (int): Where it begins: line of the file, for Parquet the row, counted from 1.
    reason (str): One of `REASONS`.
    detail (str): The value, or what is wrong with it, for people.
    """

    line: int
    reason: str
    detail: str

    def to_dict(self) -> dict[str, Any]:
        """RETURNS (dict): A JSON row."""
        return {"v": ROW_VERSION, "line": self.line, "reason": self.reason, "detail": self.detail}

    def error(self, path: Path) -> InputError:
        """RETURNS (InputError): The same for rows that must be right."""
        message, cure = REASONS[self.reason]
        return InputError(f"{message}: {self.detail}.", path=path, line=self.line, cure=cure)


@dataclass(frozen=True)
class _Table:
    path: Path
    columns: tuple[str, ...]
    optional: tuple[str, ...]
    max_bytes: int
    delimiter: str = ","
    seldom: bool = False

    def check_columns(self, there: Collection[str], *, line: int | None, wanted: Collection[str]) -> None:
        for column in wanted:
            if column not in there:
                one = len(there) == 1 and any(mark in next(iter(there)) for mark in ";\t")
                hint = " Columns are separated by commas here, not by ';' or tabs." if one else ""
                cure = f"{choices(column, there)}{hint} Name the column in the task file (for `seeds draw`: --text, --label)."
                raise InputError(f"There is no column '{column}'.", path=self.path, line=line, cure=cure)


_Rows = Iterator[tuple[int, dict[str, Any] | BadRow]]


def read_table(
    path: Path,
    *,
    columns: Collection[str],
    optional: Collection[str] = (),
    on_bad: Callable[[BadRow], None] | None = None,
    max_bytes: int = MAX_BYTES,
    delimiter: str = ",",
    seldom: bool = False,
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Stream the rows of a table.

    path (Path): A file whose name ends in one of `SUFFIXES`.
    columns (Collection[str]): Columns that every row must fill.
    optional (Collection[str]): Columns that must exist, but may be empty in a row (None then).
    on_bad (Callable): Takes the rows that cannot be used; without it the first one is an error.
    max_bytes (int): Longest row in bytes.
    delimiter (str): What stands between the values of CSV.
    seldom (bool): Whether an optional column of JSONL may show in hardly any row; else one that the first 10,000 lack is an error.
    YIELDS (Tuple[int, dict]): Line (Parquet: row) from 1, and the values of these columns alone.
    RAISES (InputError): For a flaw of the file, a column that is not there, a file without rows; see `on_bad`.
    """
    table = _Table(path, tuple(columns), tuple(optional), max_bytes, delimiter, seldom)
    empty = True
    for line, row in _reader(path)(table):
        empty = False
        bad = row if isinstance(row, BadRow) else _bad_value(line, row, table)
        if bad is None and isinstance(row, dict):
            yield line, {column: row.get(column) for column in (*table.columns, *table.optional)}
        elif bad is not None and on_bad is not None:
            on_bad(bad)
        elif bad is not None:
            raise bad.error(path)
    if empty:
        raise InputError("This file holds no rows.", path=path, cure="Add some, or name another file in the task file.")


def text_fault(value: Any, column: str) -> tuple[str, str] | None:
    """Why a value cannot serve as a text.

    RETURNS (Tuple[str, str]): Reason ("not_text", "empty") and detail, or None when it can.
    """
    if not isinstance(value, str):
        return Fault("not_text", f"'{column}' is {_short(value)}")
    return None if value.strip() else Fault("empty", f"'{column}' holds no text")


def _reader(path: Path) -> Callable[[_Table], _Rows]:
    if not path.is_file():
        problem = "This is a folder, not a file." if path.is_dir() else "This file is missing."
        raise InputError(problem, path=path, cure="Correct the path; in a task file it starts at the task file's folder.")
    name = path.name.lower()
    suffix = next((suffix for suffix in SUFFIXES if name.endswith(suffix)), None)
    if suffix is None:
        shown = "".join(path.suffixes[-2:]) or path.name
        raise InputError(f"Files ending in '{shown}' cannot be read.", path=path, cure=f"{choices(shown, SUFFIXES)} Convert the file.")
    readers = {"jsonl": _read_jsonl, "csv": _read_csv, "parquet": _read_parquet}
    return readers[suffix.split(".")[1]]


def _bad_value(line: int, row: dict[str, Any], table: _Table) -> BadRow | None:
    for column in (*table.columns, *table.optional):
        value = row.get(column)
        if value is None:
            if column in table.columns:
                return BadRow(line, "missing_value", f"'{column}' is missing")
            continue
        if isinstance(value, (int, float)) or (isinstance(value, list) and set(map(type, value)) <= {int, float}):
            continue
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
        if len(text) > table.max_bytes:
            return BadRow(line, "too_long", f"'{column}' has {len(text):,} characters, {table.max_bytes:,} at most")
        if "\0" in text or "\\u0000" in text and not isinstance(value, str):
            return BadRow(line, "nul", f"in '{column}' at character {text.find(chr(0)) + 1}")
        # JSON can spell half a surrogate pair, which no file can hold
        if not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
            return BadRow(line, "not_utf8", f"'{column}' holds half a character (a lone surrogate)")
    return None


def _read_jsonl(table: _Table) -> _Rows:
    rows, unseen = 0, set() if table.seldom else set(table.optional)
    for number, line in read_lines(table.path, limit=table.max_bytes):
        if isinstance(line, bytes) and not line.strip():
            continue
        text, fault = decode(line, limit=table.max_bytes)
        row = BadRow(number, *fault) if fault else _parse_json(number, text)
        if isinstance(row, dict):
            rows += 1
            unseen.difference_update(row)
            # the first row stands for a header; later rows without the column are rows without a value
            table.check_columns(row, line=number, wanted=table.columns if rows == 1 else ())
            if rows == ROWS_BEFORE_A_COLUMN_MUST_SHOW:
                table.check_columns(row, line=number, wanted=unseen)
        yield number, row
    if rows and unseen:
        raise InputError(
            f"No row has the column '{min(unseen)}'.", path=table.path, cure="Correct its name in the task file or take it out there."
        )


def _parse_json(number: int, text: str) -> dict[str, Any] | BadRow:
    try:
        row = json.loads(text.rstrip(), parse_constant=_refuse)
    except json.JSONDecodeError as error:
        return BadRow(number, "not_json", f"{error.msg} at column {error.colno}")
    except (ValueError, RecursionError) as error:
        return BadRow(number, "not_json", " ".join(str(error).split()))
    return row if isinstance(row, dict) else BadRow(number, "not_object", f"it is {_short(row)}")


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON value")


def _short(value: Any) -> str:
    shown = repr(value)
    kind = {list: "a list", dict: "an object", type(None): "null", bool: "true or false"}.get(type(value), "a number")
    return f"{kind} ({shown[:40]}{'…' if len(shown) > 40 else ''})"


class _CsvLines:
    """The lines that `csv.reader` eats; knows which belong to the record being read and what is wrong with them."""

    def __init__(self, table: _Table) -> None:
        self.lines, self.limit = read_lines(table.path, limit=table.max_bytes), table.max_bytes
        self.begin()

    def begin(self) -> None:
        self.first, self.last, self.size, self.fault = 0, 0, 0, None

    first: int
    last: int
    size: int
    fault: Fault | None

    def __iter__(self) -> _CsvLines:
        return self

    def __next__(self) -> str:
        self.last, line = next(self.lines)
        self.first = self.first or self.last
        text, fault = decode(line, limit=self.limit)
        self.fault = self.fault or fault
        self.size += len(line) if isinstance(line, bytes) else 0
        if self.size > self.limit:  # a quote that nobody closes would eat the rest of the file
            self.fault = self.fault or Fault("too_long", f"lines {self.first}-{self.last} are one value in quotes")
            raise csv.Error("too long")
        return text


def _read_csv(table: _Table) -> _Rows:
    header: list[str] = []
    for line, record in _csv_records(table):
        if isinstance(record, BadRow):
            if not header:
                raise record.error(table.path)
            yield line, record
        elif not header:
            header = [name.strip() for name in record]
            wanted = (*table.columns, *table.optional)
            table.check_columns(header, line=line, wanted=wanted)
            for name in wanted:
                if header.count(name) > 1:
                    raise InputError(f"Two columns are called '{name}'.", path=table.path, line=line, cure="Rename one of them.")
        elif len(record) != len(header):
            yield line, BadRow(line, "columns", f"{len(record)} for {len(header)} columns")
        else:
            yield line, dict(zip(header, record, strict=True))


def _csv_records(table: _Table) -> Iterator[tuple[int, list[str] | BadRow]]:
    lines = _CsvLines(table)
    reader = csv.reader(lines, strict=True, delimiter=table.delimiter)
    while True:
        lines.begin()
        # the limit is a setting of the whole process: ours only while we read
        before = csv.field_size_limit(table.max_bytes + 1)
        try:
            record = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            record, lines.fault = [], lines.fault or Fault("bad_csv", f"{error} (lines {lines.first}-{lines.last})")
        finally:
            csv.field_size_limit(before)
        if lines.fault:
            yield lines.first, BadRow(lines.first, *lines.fault)
        elif record:
            yield lines.first, record


def _read_parquet(table: _Table) -> _Rows:
    arrow, parquet = require("pyarrow", "parquet"), require("pyarrow.parquet", "parquet")
    number, wanted = 0, [*table.columns, *table.optional]
    try:
        with parquet.ParquetFile(table.path) as file:
            table.check_columns(file.schema_arrow.names, line=None, wanted=wanted)
            for batch in file.iter_batches(batch_size=256, columns=wanted):
                for place in range(batch.num_rows):
                    number += 1
                    try:
                        yield number, {name: batch.column(name)[place].as_py() for name in wanted}
                    except UnicodeDecodeError as error:
                        yield number, BadRow(number, "not_utf8", f"byte 0x{error.object[error.start]:02X} at place {error.start + 1}")
    except (arrow.ArrowException, OSError) as error:
        raise InputError(
            f"This Parquet file is damaged ({' '.join(str(error).split())[:120]}).", path=table.path, cure="Write it again."
        ) from error
