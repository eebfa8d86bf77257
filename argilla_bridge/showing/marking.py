"""Texts of unknown origin in a page that renders Markdown and HTML: shown as they are, with the copied words marked.

Argilla 2.8 renders a field with marked (GFM, line breaks kept, KaTeX between dollar signs) and then DOMPurify, which lets images,
links, forms and styles through. So nothing of a text may mean anything to the renderer: each character that could is written as a
numeric character reference, which CommonMark (0.31, section 2.5) never takes for structure, and a line break as <br>. A text is
one paragraph then, and only its first characters stand at the start of a line.
"""

from __future__ import annotations

import re

BREAK = "<br>"
MIN_WORDS = 4
_LINE_BREAK = re.compile(r"\r\n|[\r\n\x0b\x0c\x85\u2028\u2029]")
# HTML has no place for control characters, UTF-8 none for half a character
_UNSHOWN = re.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff]")
# what stands for the marks until all else is escaped: no text holds these any more
_ON, _OFF = "\x01", "\x02"
_MEANINGFUL = re.compile(
    r"[&<>\\*_`\[\]~$@]"  # HTML, escapes, emphasis, code, links, images, strike-through, mathematics, mail addresses
    r"|:(?!\s)|(?<=[wW]{3})\."  # addresses that become links without brackets
    r"|\t|(?<=[ \t\n])[ ]"  # HTML shows one of several blanks
    r"|\A\x01?(?:[#+=-]|[ ]+[#+=-]?|\d+[.)])"  # headings, lists, rules, code
    r"|\n"
)
_SPECIAL = {"\n": BREAK, "\t": "&#8195;", " ": "&#160;"}  # a tab is an em space wide, a blank one that HTML does not swallow
_REFERENCE = re.compile(r"<br>|</?mark>|&#(\d+);")
_NAMED = {"8195": "\t", "160": " "}


def shown(text: str) -> str:
    """RETURNS (str): What of a text can be shown: every kind of line break as a newline, control characters replaced by U+FFFD."""
    return _UNSHOWN.sub("\ufffd", _LINE_BREAK.sub("\n", text))


def reads_the_same(one: str, other: str) -> bool:
    """RETURNS (bool): Whether two texts are the same to a person: line breaks are spelled otherwise on another system, and blanks
    around a text are lost in a cell.
    """
    return shown(one).strip() == shown(other).strip()


def escaped(text: str) -> str:
    """A text that reads the same in a page that renders Markdown or HTML, and does nothing there.

    text (str): Anything.
    RETURNS (str): Markdown on one line: no HTML but <br>, no link, no image, no emphasis.
    """
    return _escape(shown(text))


def highlighted(passage: str, text: str, *, min_words: int = MIN_WORDS) -> str:
    """RETURNS (str): The passage of `compared` alone."""
    return compared(passage, text, min_words=min_words)[0]


def compared(passage: str, text: str, *, min_words: int = MIN_WORDS) -> tuple[str, float]:
    """A passage, escaped, in which the words that a text copies from it are marked, and how much of the text that is.

    min_words (int): Shortest run of words that counts as copied; a text of fewer words counts whole.
    RETURNS (Tuple[str, float]): As `escaped`, with <mark> around the copied runs; the share of the text's words in such runs.
    """
    from spacy_synthesizrr.report.rows import mark_copied

    pieces, rate = mark_copied(text, shown(passage), span=min_words)
    marked = "".join(f"{_ON}{piece.text}{_OFF}" if piece.copied else piece.text for piece in pieces)
    return _escape(marked).replace(_ON, "<mark>").replace(_OFF, "</mark>"), rate


def unescaped(markdown: str) -> str:
    """The text that `escaped` or `highlighted` was given, as `shown`; for files, which render nothing.

    markdown (str): What one of them returned.
    """
    return _REFERENCE.sub(_original, markdown)


def _escape(text: str) -> str:
    return _MEANINGFUL.sub(lambda found: "".join(map(_written, found.group())), text)


def _written(character: str) -> str:
    return character if character in (_ON, _OFF) else _SPECIAL.get(character) or f"&#{ord(character)};"


def _original(found: re.Match[str]) -> str:
    code = found.group(1)
    if code is None:
        return "\n" if found.group() == BREAK else ""
    return _NAMED.get(code) or chr(int(code))
