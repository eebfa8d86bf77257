"""Lines of a text file of any size and state: gzipped or not, never held beyond a limit, decoded with the place of a flaw."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, NamedTuple, cast

from spacy_synthesizrr.errors import InputError

GZIP_MAGIC = b"\x1f\x8b"
UTF8_BOM = b"\xef\xbb\xbf"
UTF16_BOMS = (b"\xff\xfe", b"\xfe\xff")


class Fault(NamedTuple):
    """Why a row cannot be used: a reason (one word) and a detail for people."""

    reason: str
    detail: str


@dataclass(frozen=True)
class LongLine:
    """What is kept of a line over the limit: its size in bytes, and whether its quotes leave a CSV value open."""

    size: int
    odd_quotes: bool


def read_lines(path: Path, *, limit: int) -> Iterator[tuple[int, bytes | LongLine]]:
    """Stream the lines of a file; one longer than the limit is skipped in blocks.

    path (Path): The file; gzipped when its name ends in .gz.
    limit (int): Longest line in bytes.
    YIELDS (Tuple[int, bytes | LongLine]): Number from 1 and the line with its end, without a byte order mark.
    RAISES (InputError): When it cannot be opened, is UTF-16, or its gzip data are damaged.
    """
    number = 0
    with _open(path) as file:
        while True:
            try:
                line = _read_line(file, limit)
            except (EOFError, zlib.error, gzip.BadGzipFile) as error:
                raise InputError(
                    f"The gzip data are damaged or cut off ({' '.join(str(error).split())}).",
                    path=path, line=number + 1, cure="Compress or copy the file again.",
                ) from error  # fmt: skip
            if line == b"":
                return
            number += 1
            if number == 1 and isinstance(line, bytes):
                line = line.removeprefix(UTF8_BOM)
            yield number, line


def count_lines(*paths: Path) -> int | None:
    """RETURNS (int | None): Lines of some files, for a progress bar; None where they cannot be counted and the reader will say why."""
    total = 0
    try:
        for path in paths:
            with _open(path) as file:
                while block := file.read(1 << 20):
                    total += block.count(b"\n")
    except (InputError, OSError, EOFError, zlib.error):
        return None
    return total


def _open(path: Path) -> IO[bytes]:
    try:
        with path.open("rb") as file:
            start = file.read(2)
    except OSError as error:
        raise InputError(f"This file cannot be opened ({error.strerror}).", path=path, cure="Correct its path or its rights.") from error
    zipped = path.name.lower().endswith(".gz")
    if start in UTF16_BOMS:
        raise InputError("This is UTF-16, not UTF-8.", path=path, line=1, cure="Save the file as UTF-8.")
    if start == GZIP_MAGIC and not zipped:
        raise InputError("This file is gzipped, but its name does not say so.", path=path, cure=f"Rename it to {path.name}.gz.")
    if zipped and start and start != GZIP_MAGIC:
        raise InputError("This file is not gzipped, but its name says so.", path=path, cure=f"Rename it to {path.name[:-3]}.")
    return cast(IO[bytes], gzip.open(path, "rb") if zipped else path.open("rb"))


def _read_line(file: IO[bytes], limit: int) -> bytes | LongLine:
    start = file.readline(limit + 1)
    if len(start) <= limit or start.endswith(b"\n"):
        return start
    size, quotes = len(start), start.count(b'"')
    block = b"x"
    while block and not block.endswith(b"\n"):
        block = file.readline(1 << 16)
        size, quotes = size + len(block), quotes + block.count(b'"')
    return LongLine(size, quotes % 2 == 1)


def decode(line: bytes | LongLine, *, limit: int) -> tuple[str, Fault | None]:
    """A line as text, and what is wrong with it.

    limit (int): The limit that a `LongLine` went over, for the detail.
    RETURNS (Tuple[str, Fault]): The text, of a faulty line a stand-in that opens and closes as many CSV quotes; the flaw or None.
    """
    if isinstance(line, LongLine):
        return '"\n' if line.odd_quotes else "x\n", Fault("too_long", f"{line.size:,} bytes, {limit:,} at most")
    if (place := line.find(b"\0")) >= 0:
        return line.replace(b"\0", b" ").decode(errors="replace"), Fault("nul", f"at byte {place + 1}")
    try:
        return line.decode(), None
    except UnicodeDecodeError as error:
        return line.decode(errors="replace"), Fault("not_utf8", f"byte 0x{line[error.start]:02X} at place {error.start + 1}")
