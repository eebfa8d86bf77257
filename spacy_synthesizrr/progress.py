"""What a person sees while a step works: one bar for long work, plain lines for news."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from tqdm import tqdm

Item = TypeVar("Item")


def quiet() -> bool:
    """RETURNS (bool): Whether bars would only fill a log: under CI, or when stderr is not a terminal."""
    return bool(os.environ.get("CI")) or not sys.stderr.isatty()


def progress(items: Iterable[Item], what: str, *, total: int | None = None, unit: str = "rows") -> Iterator[Item]:
    """Pass items through and show how many, how fast, and how long it will take.

    what (str): What is being done, such as "Indexing".
    total (int): Number of items when known; without it there is no ETA.
    """
    from tqdm import tqdm

    with tqdm(items, desc=what, total=total, unit=f" {unit}", disable=quiet(), dynamic_ncols=True, mininterval=0.2) as bar:
        yield from bar


def say(text: str = "") -> None:
    """Print one line of news to stdout."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def progress_bar(what: str, *, total: int, unit: str = "rows") -> tqdm[Any]:
    """A bar that the caller moves with `update`, for work whose progress is not the number of items."""
    from tqdm import tqdm

    return tqdm(desc=what, total=total, unit=f" {unit}", disable=quiet(), dynamic_ncols=True, mininterval=0.2)
