"""Batch files on disk: their names, their lines, and the one writer that makes requests files appear whole or not at all.

A line of a requests file is what the OpenAI Batch API and `vllm run-batch` read: custom_id, method, url, body. Its custom_id is
the request hash; a request that is written again after an error gets "-2", "-3" … behind it, so that each answer belongs to one
attempt and a file of answers can be read twice.
"""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, List, Tuple

from spacy_synthesizrr.jsonl import atomic

URL = "/v1/chat/completions"
_REQUESTS = re.compile(r"requests-(\d{4,})\.jsonl")
_ID = re.compile(r"([0-9a-f]{32})(?:-([1-9]\d{0,5}))?")
_BREAKS = {b"\xe2\x80\xa8": b"\\u2028", b"\xe2\x80\xa9": b"\\u2029", b"\xc2\x85": b"\\u0085"}  # some readers end a line there


def requests_name(number: int) -> str:
    """RETURNS (str): The name of a requests file."""
    return f"requests-{number:04d}.jsonl"


def number_of(name: str) -> int:
    """RETURNS (int): The number in the name of a requests file, 0 for any other name."""
    found = _REQUESTS.fullmatch(name)
    return int(found.group(1)) if found else 0


def requests_in(folder: Path) -> List[Path]:
    """RETURNS (List[Path]): The requests files of a folder, by number."""
    found = [path for path in _files(folder) if number_of(path.name)]
    return sorted(found, key=lambda path: number_of(path.name))


def answers_in(folder: Path) -> List[Path]:
    """RETURNS (List[Path]): What may hold answers: every .jsonl or .jsonl.gz file of a folder that is no requests file."""
    return sorted(path for path in _files(folder) if path.name.endswith((".jsonl", ".jsonl.gz")) and not number_of(path.name))


def _files(folder: Path) -> List[Path]:
    return [path for path in folder.iterdir() if not path.name.startswith(".") and path.is_file()] if folder.is_dir() else []


def custom_id(request: str, attempt: int) -> str:
    """RETURNS (str): What names an attempt to ask a request in batch files."""
    return request if attempt == 1 else f"{request}-{attempt}"


def split_id(name: object) -> Tuple[str, int] | None:
    """RETURNS (Tuple[str, int] | None): Request hash and attempt; None for a custom_id that was not made here."""
    found = _ID.fullmatch(name) if isinstance(name, str) else None
    return (found.group(1), int(found.group(2) or 1)) if found else None


def line_of(name: str, body: bytes, *, url: str = URL) -> bytes:
    """One line of a requests file.

    name (str): Its custom_id.
    body (bytes): JSON, as `wire.request_body` writes it.
    """
    for found, escaped in _BREAKS.items():
        body = body.replace(found, escaped)
    return b'{"custom_id": "%s", "method": "POST", "url": %s, "body": %s}\n' % (name.encode(), json.dumps(url).encode(), body)


def request_of(line: bytes) -> Tuple[str, int, int] | None:
    """RETURNS (Tuple[str, int, int] | None): Request hash, attempt, and bytes of the body of a line that was written here."""
    try:
        row = json.loads(line)
        found = split_id(row["custom_id"])
        return None if found is None else (*found, len(json.dumps(row["body"], ensure_ascii=False).encode()))
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


class _Dropped(Exception):
    """Ends a draft without a file."""


class Draft:
    """A requests file that is being written. It appears under its name with `publish`, or never.

    path (Path): Its final name.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.requests = self.bytes = 0
        self._writing: Any = atomic(path, "wb")
        self._file: IO[bytes] = self._writing.__enter__()

    def has_room(self, line: bytes, *, max_requests: int, max_bytes: int) -> bool:
        """RETURNS (bool): Whether a further line keeps the file under the limits of a provider."""
        return self.requests < max_requests and self.bytes + len(line) <= max_bytes

    def put(self, line: bytes) -> None:
        """Add a line."""
        self._file.write(line)
        self.requests += 1
        self.bytes += len(line)

    def publish(self) -> None:
        """Put the file under its name, safe on disk."""
        self._writing.__exit__(None, None, None)

    def drop(self) -> None:
        """Leave nothing behind."""
        with contextlib.suppress(_Dropped):
            self._writing.__exit__(_Dropped, _Dropped(), None)


def drafts_in(folder: Path) -> Iterator[Path]:
    """YIELDS (Path): What killed processes left half-written."""
    yield from folder.glob(".requests-*.jsonl.*.part")
