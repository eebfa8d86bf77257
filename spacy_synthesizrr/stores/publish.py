"""Folders that appear whole or not at all, with several writers at once.

A writer fills a hidden folder beside the final one and renames it at the end. It holds a lock on it meanwhile, which the
system drops with the process: what a killed writer left behind is known by its open lock and goes with the next writer.

Where a folder is there already it is missing for a moment between two renames, in which the writer holds the lock of the
place. A reader who does not find it looks again when the place is `settled`.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

LOCK = ".lock"


@contextlib.contextmanager
def locked(path: Path, *, wait: bool = True) -> Iterator[None]:
    """Hold an exclusive lock on a file, which is made when missing.

    RAISES (BlockingIOError): When somebody else holds it and `wait` is false.
    """
    handle = os.open(path, os.O_CREAT | os.O_RDWR, 0o666)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        yield
    finally:
        os.close(handle)


@contextlib.contextmanager
def settled(folder: Path) -> Iterator[None]:
    """Wait until no writer is exchanging a folder, and keep them from it meanwhile; needs no right to write.

    Where no writer has been there is nothing to wait for.
    """
    try:
        handle = os.open(folder.parent / LOCK, os.O_RDONLY)
    except OSError:
        yield
        return
    try:
        fcntl.flock(handle, fcntl.LOCK_SH)
        yield
    finally:
        os.close(handle)


@contextlib.contextmanager
def workspace(folder: Path) -> Iterator[Path]:
    """A hidden folder beside `folder` to work in; whatever is left of it goes at the end.

    YIELDS (Path): The hidden folder.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    work = folder.with_name(f".{folder.name}.{uuid.uuid4().hex}.part")
    with contextlib.ExitStack() as stack:
        # the outer lock is held for a moment, so that nobody meets a folder whose writer has not locked it yet
        with locked(folder.parent / LOCK):
            _clear_abandoned(folder)
            work.mkdir()
            stack.callback(shutil.rmtree, work, ignore_errors=True)
            stack.enter_context(locked(work / LOCK))
        yield work


def publish(work: Path, folder: Path, *, keep: Callable[[], bool]) -> bool:
    """Give a finished folder its name.

    work (Path): The hidden folder.
    keep (Callable): Whether the folder that lies there by now is as good; then ours is dropped.
    RETURNS (bool): Whether ours is there now.
    """
    with locked(folder.parent / LOCK):
        if folder.exists():
            if keep():
                return False
            doomed = folder.with_name(f".{folder.name}.{uuid.uuid4().hex}.part")
            folder.rename(doomed)
            work.rename(folder)
            shutil.rmtree(doomed, ignore_errors=True)
        else:
            work.rename(folder)
        (folder / LOCK).unlink()
    return True


def _clear_abandoned(folder: Path) -> None:
    for left in folder.parent.glob(f".{folder.name}.*.part"):
        with contextlib.suppress(BlockingIOError, FileNotFoundError), locked(left / LOCK, wait=False):
            shutil.rmtree(left, ignore_errors=True)
