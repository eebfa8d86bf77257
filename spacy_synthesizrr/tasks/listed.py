"""From a list that a teacher wrote to its items: numbered or bulleted, one a line, as JSON, or all on one line."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator

from spacy_synthesizrr.tasks.chatter import without_fence, without_note, without_preamble, without_quotes, without_thought
from spacy_synthesizrr.words import comparable, count_words

MOST_WORDS = 60  # of one item; what is longer is no item of a list of phrases
_NUMBER = r"[(\[]?\d{1,3}[.):\]][ \t]*"
_MARK = re.compile(rf"^[ \t]*[*_]*(?:{_NUMBER}|[-*•–·][ \t]+|[(]?[a-z][.)][ \t]+)(?=\S)")
_BARE = re.compile(rf"^{_NUMBER}$")
_INLINE = re.compile(r"(?:^|(?<=\s))[(\[]?(\d{1,3})[.):\]][ \t]+(?=\S)")
_EMPHASIS = re.compile(r"(\*\*|__)(?=\S)(.+?)(?<=\S)\1")


def read_list(text: str, *, most: int, cut: bool = False) -> list[str]:
    """The items of a list, each once.

    text (str): An answer of a teacher, with whatever it put around the list.
    most (int): Items that were asked for; the others are left out.
    cut (bool): Whether the answer was cut off: then its last item may be half of one and is left out.
    RETURNS (List[str]): In their order; none when there is no list. Never raises.
    """
    items = _items(_bare(text), most)
    cleaned = map(_clean, items[:-1] if cut else items)
    return each_once((item for item in cleaned if _is_item(item)), most=most)


def each_once(items: Iterable[str], *, most: int) -> list[str]:
    """Items of one or more lists.

    most (int): Items that were asked for; the others are left out.
    RETURNS (List[str]): In their order; of those that are equal by `comparable`, the first.
    """
    found: dict[str, str] = {}
    for item in items:
        found.setdefault(comparable(item), item)
    return list(found.values())[:most]


def _is_item(text: str) -> bool:
    return any(map(str.isalnum, text)) and not _BARE.match(text) and count_words(text) <= MOST_WORDS


def _bare(text: str) -> str:
    """Without what chat models put around an answer."""
    before = None
    while text != before:
        before = text = text.strip()
        for without in (without_thought, without_fence, without_preamble, without_note):
            text = without(text) or text
    return text


def _items(text: str, most: int) -> list[str]:
    if (found := _json(text)) is not None:
        return found
    lines = [line.rstrip() for line in text.splitlines() if line.strip()]
    if len(lines) == 1:
        return list(_on_one_line(lines[0], most))
    marked = [bool(_MARK.match(line)) for line in lines]
    if not any(marked):
        return [line for line in lines if not _is_heading(line)]
    return _marked(lines)


def _marked(lines: list[str]) -> list[str]:
    """Items that begin with a number, a bullet or a letter. What is written below one, further in, belongs to it; what stands before the
    first, or is no item after a blank, is talk.
    """
    found: list[str] = []
    outer: int | None = None
    for line in lines:
        mark = _MARK.match(line)
        depth = len(line) - len(line.lstrip())
        if mark and (outer is None or depth <= outer):
            outer = depth
            found.append(line[mark.end() :])
        elif found and depth > (outer or 0):
            found[-1] += " " + (line[mark.end() :] if mark else line.strip())
    return found


def _json(text: str) -> list[str] | None:
    """RETURNS (List[str] | None): A JSON list of texts, or the only list in a JSON object."""
    if not text.startswith(("[", "{")):
        return None
    try:
        read = json.loads(text)
    except ValueError:
        return None
    lists = [value for value in read.values() if isinstance(value, list)] if isinstance(read, dict) else [read]
    if len(lists) != 1 or not isinstance(lists[0], list):
        return None
    return [item for item in lists[0] if isinstance(item, str)]


def _on_one_line(line: str, most: int) -> Iterator[str]:
    """Items between numbers that count up, between semicolons, or between as many commas as it takes."""
    starts = [found for found in _INLINE.finditer(line)]
    if len(starts) > 1 and [int(found[1]) for found in starts] == list(range(int(starts[0][1]), int(starts[0][1]) + len(starts))):
        for start, end in zip(starts, [*(found.start() for found in starts[1:]), len(line)], strict=True):
            yield line[start.end() : end]
        return
    bare = line[found.end() :] if (found := _MARK.match(line)) else line
    if ";" in bare:
        yield from bare.split(";")
    elif most > 1 and bare.count(",") >= most - 1:
        yield from bare.split(",")
    elif not _is_heading(bare):
        yield bare


def _is_heading(line: str) -> bool:
    return line.strip(" *_#").endswith((":", "：")) or line.lstrip().startswith("#")


def _clean(item: str) -> str:
    """Without emphasis, quotes, and what ends a line of a list."""
    item = " ".join(_EMPHASIS.sub(r"\2", item).split()).rstrip(",;").strip()
    return (without_quotes(item) or item).strip()
