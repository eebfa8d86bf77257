"""The cache of installed things: each is built once, whole or not at all, however many test sessions want it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path

from filelock import FileLock, Timeout

from services.processes import ServiceError

VARIABLE = "SYNTHESIZRR_CACHE"
WAIT = 3600.0  # seconds to wait for another session that installs the same thing


def cache_folder() -> Path:
    """RETURNS (Path): The folder that $SYNTHESIZRR_CACHE names, by default ~/.cache/spacy-synthesizrr-tests."""
    named = os.environ.get(VARIABLE)
    return Path(named).expanduser().absolute() if named else Path.home() / ".cache" / "spacy-synthesizrr-tests"


def installed(name: str, build: Callable[[Path, Path], None], *, recipe: Sequence[str], files: Sequence[str]) -> Path:
    """The folder of an installed thing; it is built when it is not there.

    A folder appears under its name by a rename, when it is complete: what is there can be used without the lock, and what
    a killed session left half-built is thrown away and built again.

    name (str): Name and version.
    build (Callable): Called with an empty folder to fill and the log file to write to.
    recipe (Sequence[str]): All that shapes the result; another recipe gets another folder.
    files (Sequence[str]): Files that make it complete.
    RETURNS (Path): The folder.
    RAISES (ServiceError): When it cannot be built.
    """
    folder = cache_folder() / f"{name}-{sha256(repr([*recipe]).encode()).hexdigest()[:8]}"
    if _complete(folder, files):
        return folder
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{folder}.lock", timeout=WAIT):
            if not _complete(folder, files):
                _build(folder, build, files)
    except Timeout as error:
        raise ServiceError(f"{folder} is still being installed by another process after {WAIT:.0f} s.") from error
    except OSError as error:
        raise ServiceError(f"{name} cannot be installed in {folder}: {error}. Choose another folder with ${VARIABLE}.") from error
    return folder


def _complete(folder: Path, files: Sequence[str]) -> bool:
    return all((folder / file).is_file() for file in files)


def _build(folder: Path, build: Callable[[Path, Path], None], files: Sequence[str]) -> None:
    half, log = (folder.with_name(f"{folder.name}.{end}") for end in ("half", "log"))
    for left in (half, folder):
        if left.exists():
            shutil.rmtree(left)
    half.mkdir()
    log.write_bytes(b"")
    build(half, log)
    missing = [file for file in files if not (half / file).is_file()]
    if missing:
        raise ServiceError(f"Installing {folder.name} went through, but made no {', '.join(missing)}. See {log}")
    half.rename(folder)
