"""Sentences by a simple rule that needs no model and no language: for teachers that copy.

Where the project splits a corpus it asks spaCy; here a pipeline of any language, or none at all, must do.
"""

from __future__ import annotations

import re

# Ends of sentences: marks of Latin, Greek, Arabic and Indic scripts need a blank behind them, those of CJK do not.
_END = re.compile(r"(?<=[.!?…؟।])[\"'”’»)\]]*\s+(?=[^\s])|(?<=[。！？])[”』」]*\s*(?=[^\s])|\s*\n\s*\n\s*")
# "Dr. Hall", "J. Smith", "z. B. so": a short word that starts with a letter and ends with a point is no end.
_ABBREVIATION = re.compile(r"(?:^|[\s(])(?:[^\W\d_]\.)*[^\W\d_]{1,2}\.$")
_CLAUSE_END = re.compile(r"[,;:–—)]$")


def split_sentences(text: str) -> list[str]:
    """Split a text into sentences.

    text (str): Any text.
    RETURNS (List[str]): Its sentences in order, stripped, none empty.
    """
    found: list[str] = []
    start = 0
    for gap in _END.finditer(text):
        before, after = text[start : gap.end()], text[gap.end() :]
        paragraph = "\n" in gap.group() and gap.group().count("\n") > 1
        if not paragraph and (_ABBREVIATION.search(before.rstrip()) or after[:1].islower()):
            continue
        if before.strip():
            found.append(before.strip())
        start = gap.end()
    return [*found, text[start:].strip()] if text[start:].strip() else found


def cut_words(text: str, limit: int) -> str:
    """Cut a text after a number of words, at the end of a clause where one ends in the second half.

    text (str): Any text; words are what blanks separate.
    limit (int): Most words to keep.
    RETURNS (str): The text itself when it is short enough.
    """
    words = text.split()
    if len(words) <= limit:
        return text
    ends = [number for number in range(max(limit // 2, 1), limit + 1) if _CLAUSE_END.search(words[number - 1])]
    kept = words[: ends[-1]] if ends else words[:limit]
    return re.sub(r"[,;:–—]+$", "", " ".join(kept)).rstrip()
