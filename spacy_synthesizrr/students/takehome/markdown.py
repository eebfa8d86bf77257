"""Markdown from words that somebody else chose: tables, and text that stays text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

_SIGNS = re.compile(r"([\\`*_{}\[\]<>()#+!|~&$])")
_BEGINS_LIST = re.compile(r"^(\d{1,9}|[-=]*)([-=.)])(?=\s|$)")  # "- a", "1. a", a line of ===
_UNSEEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2028\u2029\u2066-\u2069]+")


def escape(text: object) -> str:
    """Text as it is, on one line: none of its signs means anything to Markdown or HTML, and nothing turns the direction of writing."""
    line = " ".join(_UNSEEN.sub(" ", str(text)).split())
    return _BEGINS_LIST.sub(r"\1\\\2", _SIGNS.sub(r"\\\1", line))


def table(head: Sequence[str], rows: Iterable[Sequence[object]], *, words: int = 1) -> str:
    """A table whose head is ours and whose cells may be anybody's.

    words (int): So many columns from the left hold words; numbers in the others stand on the right.
    """
    rule = ["---" if place < words else "--:" for place in range(len(head))]
    lines = [head, rule, *([escape(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
