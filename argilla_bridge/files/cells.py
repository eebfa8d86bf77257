"""Tables that people open in a spreadsheet: JSONL, or CSV in which no cell is a formula, read back as they were written.

Spreadsheets save CSV with semicolons or tabs where the comma is the decimal point: the header tells which it is.

A cell that a spreadsheet would take for a formula gets a quote in front (OWASP, CSV Injection), and so does one that already has
such a quote, so that taking one quote off is always right. CSV begins with a byte order mark: without it Excel takes UTF-8 for
something else and saves garbled text.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from spacy_synthesizrr.errors import InputError, choices
from spacy_synthesizrr.jsonl import atomic, dumps
from spacy_synthesizrr.labelled import SEPARATOR
from spacy_synthesizrr.lines import decode, read_lines
from spacy_synthesizrr.tables import MAX_BYTES, BadRow, read_table

SUFFIXES = (".csv", ".jsonl")
DELIMITERS = (",", ";", "\t")  # written with the first, read with any
ID, RUN = "id", "run"
LABELS = ("label", "suggestion")  # columns of labels, in which a spreadsheet would change some for good
QUOTE = "'"
_FORMULA = re.compile(r"'*[=+\-@\t\r\n]")
_NUMBER = re.compile(r"'*\d+(?:e\d+)?\Z")  # an id that a spreadsheet would round
# what a spreadsheet makes a number, a percentage, a time or a date of ("1-2", "3/4", "Sept 1", "MARCH1"), or a truth value
_MONTH = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*"
_CHANGED = re.compile(
    rf"(?:[($€£]*\d[\d.,/:e+\s%€$£)-]*|\.\d+|true|false|\d+[\s./-]*{_MONTH}.*|{_MONTH}[\s./-]*\d.*|\d[\d:.]*\s*[ap]m?)\Z", re.IGNORECASE
)
_BOM = "\ufeff"

Row = Mapping[str, Any]


def guarded(cell: str) -> str:
    """RETURNS (str): A cell that no spreadsheet takes for a formula."""
    return QUOTE + cell if _FORMULA.match(cell) else cell


def unguarded(cell: str) -> str:
    """RETURNS (str): What `guarded` was given; a cell that a person wrote stays as it is."""
    return cell[1:] if cell.startswith(QUOTE) and _FORMULA.match(cell) else cell


def is_changed(label: str) -> bool:
    """RETURNS (bool): Whether a spreadsheet takes a label for something else and writes it anew: "01" as 1, "1-2" as a date."""
    return bool(_CHANGED.match(label))


def spelled(label: str) -> str:
    """RETURNS (str): What is left of a label after a spreadsheet: its letters without their case, a number by its value."""
    plain = label.strip().lstrip(QUOTE).casefold()
    try:
        return repr(float(plain))
    except ValueError:
        return plain


@lru_cache(maxsize=8)
def spellings(labels: tuple[str, ...]) -> Mapping[str, Sequence[str]]:
    """RETURNS (Mapping[str, Sequence[str]]): What `spelled` makes of labels → those of which it does."""
    found: dict[str, list[str]] = {}
    for label in labels:
        found.setdefault(spelled(label), []).append(label)
    return found


def check_suffix(path: Path) -> None:
    """RAISES (InputError): When a file's name ends in neither .csv nor .jsonl."""
    if path.suffix.lower() not in SUFFIXES:
        raise InputError("Rows for review cannot be kept in such a file.", path=path, cure=choices(path.suffix, SUFFIXES))


def write_cells(path: Path, columns: Sequence[str], rows: Iterable[Row]) -> None:
    """Write a table anew, so that it appears whole or not at all.

    columns (Sequence[str]): In their order; JSONL rows hold those that they have.
    rows (Iterable[Row]): Strings, numbers, lists of strings (in CSV with '|' between), None (in CSV an empty cell).
    """
    check_suffix(path)
    with atomic(path) as file:
        if path.suffix.lower() == ".jsonl":
            file.writelines(dumps({name: row[name] for name in columns if name in row}) + "\n" for row in rows)
            return
        file.write(_BOM)
        writer = csv.writer(file)  # ends rows in \r\n and therefore quotes a cell with either of them
        writer.writerow(columns)
        writer.writerows([_cell(name, row.get(name)) for name in columns] for row in rows)


def _cell(name: str, value: Any) -> str:
    text = SEPARATOR.join(map(str, value)) if isinstance(value, (list, tuple)) else "" if value is None else str(value)
    kept = (name in (ID, RUN) and _NUMBER.match(text)) or (name in LABELS and is_changed(text))
    return QUOTE + text if kept else guarded(text)


def read_cells(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Stream a table that people may have changed: columns moved, taken away or added, rows left empty at the end.

    YIELDS (Tuple[int, dict]): Line from 1, and all values of a row; in CSV all are strings. None where JSONL has no value.
    RAISES (InputError): For a flaw of the file or of a row.
    """
    check_suffix(path)
    columns = columns_of(path)
    if not _has_rows(path):
        return
    is_csv = path.suffix.lower() == ".csv"
    if is_csv and ID not in columns:
        hint = "Separate columns by commas, semicolons or tabs." if len(columns) == 1 else "Put the column back."
        raise InputError(f"There is no column '{ID}'.", path=path, line=1, cure=f"{choices(ID, columns)} {hint}")
    for line, row in read_table(path, columns=(), optional=columns, delimiter=_delimiter(path) if is_csv else ",", seldom=True):
        if is_csv:
            row = {name: unguarded(cell) for name, cell in row.items()}
            row |= {name: row[name].strip().lstrip(QUOTE) for name in (ID, RUN) if name in row}
            if not any(cell.strip() for cell in row.values()):
                continue
        if not isinstance(row.get(ID), str) or not row[ID]:
            cure = "Put back the value that stood there, or remove the row."
            raise InputError("This row has no id.", path=path, line=line, cure=cure)
        yield line, row


def columns_of(path: Path) -> list[str]:
    """RETURNS (List[str]): The columns of a table in their order; of JSONL the keys of all rows.

    RAISES (InputError): When it is missing or cannot be opened.
    """
    if not path.is_file():
        raise InputError("This file is missing.", path=path, cure="Correct the path, or write it: argilla-bridge push")
    found: dict[str, None] = {}
    for _, line in read_lines(path, limit=MAX_BYTES):
        text, fault = decode(line, limit=MAX_BYTES)
        if path.suffix.lower() == ".csv":
            if fault:
                raise BadRow(1, *fault).error(path)
            return _header(text, _delimiter_of(text))
        found.update(dict.fromkeys(_keys(text)))
    return list(found)


def _header(line: str, delimiter: str) -> list[str]:
    return [name.strip() for name in next(csv.reader([line], delimiter=delimiter), []) if name.strip()]


def _delimiter_of(header: str) -> str:
    """What stands between the columns of a header, told by the column that every such table has."""
    return next((mark for mark in DELIMITERS if ID in _header(header, mark)), DELIMITERS[0])


def _delimiter(path: Path) -> str:
    for _, line in read_lines(path, limit=MAX_BYTES):
        return _delimiter_of(decode(line, limit=MAX_BYTES)[0])
    return DELIMITERS[0]


def _keys(line: str) -> list[str]:
    """The keys of a JSON object; `read_table` says what is wrong with a line that is none."""
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return []
    return list(row) if isinstance(row, dict) else []


def _has_rows(path: Path) -> bool:
    """Whether more than the header of a CSV, or anything of a JSONL, is there."""
    header = path.suffix.lower() == ".csv"
    for _, line in read_lines(path, limit=MAX_BYTES):
        if not isinstance(line, bytes) or line.strip():
            if not header:
                return True
            header = False
    return False
