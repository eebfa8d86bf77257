"""Fingerprints: what a file or folder holds, as one hash; and a cache of them, so that a large corpus is not read by every step."""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from spacy_synthesizrr.candidates import digest

SETTLED_NS = 2_000_000_000  # a file younger than this may change again without a new time stamp
Cache = dict[str, dict[str, Any]]


def fingerprint_file(path: Path) -> str:
    """SHA-256 of a file's bytes, read in blocks (flat memory)."""
    state = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            state.update(block)
    return state.hexdigest()


def fingerprint(path: Path) -> dict[str, Any]:
    """Bytes and SHA-256 of a file, or of everything in a folder (names and contents, sorted)."""
    if path.is_dir():
        files = sorted(file for file in path.rglob("*") if file.is_file())
        parts = [part for file in files for part in (file.relative_to(path).as_posix(), fingerprint_file(file))]
        return {"bytes": sum(file.stat().st_size for file in files), "sha256": digest(*parts)}
    return {"bytes": path.stat().st_size, "sha256": fingerprint_file(path)}


def size(path: Path) -> int:
    """RETURNS (int): Bytes of a file or of all files in a folder; −1 when there is nothing."""
    if path.is_dir():
        return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    return path.stat().st_size if path.is_file() else -1


def read_cache(path: Path) -> Cache:
    """RETURNS (dict): Known fingerprints by path; empty when the file is missing or damaged."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def known_fingerprint(path: Path, name: str, cache: Cache) -> dict[str, Any]:
    """The fingerprint of a file, from the cache where size, time and inode are as they were; the cache learns new ones.

    name (str): Under which the cache knows the file.
    """
    status = path.stat()
    stamp = [status.st_size, status.st_mtime_ns, status.st_ino]
    entry: Mapping[str, Any] = cache.get(name, {})
    if entry.get("stamp") == stamp:
        return dict(entry["about"])
    about = fingerprint(path)
    if time.time_ns() - status.st_mtime_ns > SETTLED_NS:
        cache[name] = {"stamp": stamp, "about": about}
    return about


@contextlib.contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """A folder to be written that takes another's place when it is whole.

    YIELDS (Path): An empty folder beside it. What a killed process left there is gone; an error leaves the old folder as it was.
    """
    work = folder.with_name(f".{folder.name}.new")
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    yield work
    replace_folder(work, folder)


def replace_folder(new: Path, old: Path) -> None:
    """Put a finished folder where an old one may be.

    Killed between the two renames, it leaves nothing under the old name and the whole new folder under its own: the
    caller finds nothing there and does the work again.
    """
    doomed = old.with_name(f".{old.name}.old")
    shutil.rmtree(doomed, ignore_errors=True)
    if old.exists():
        old.rename(doomed)
    new.rename(old)
    shutil.rmtree(doomed, ignore_errors=True)
