"""What counts as a word, and when two texts count as equal: one rule for leaks, duplicates, lengths and vectors."""

from __future__ import annotations

import re
import unicodedata

# Thai, Lao, Burmese, Khmer, kana, Han: scripts without blanks between words, where each character counts as one.
UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
# Marks (accents, vowel signs) belong to their word but are no \w.
MARKS = "\u0300-\u036f\u0483-\u0487\u0591-\u05bd\u05bf\u05c1-\u05c7\u0610-\u061a\u064b-\u065f\u0670\u06d6-\u06ed\u0900-\u0963\u0966-\u0dff"
# What nobody sees: the category Cf (soft hyphen, zero-width signs, marks of direction) and variation selectors. Unicode drops
# them too where it compares identifiers (NFKC_Casefold, Unicode 5.18).
_INVISIBLE = re.compile(
    "[\u00ad\u034f\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff"
    "\ufff9-\ufffb\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0001-\U000e0fff]"
)
_ASCII_WORD = re.compile(r"[a-z0-9]+")
# Of ASCII, what a translation to lower case, with blanks for what is no word, and a split give: the same in half the time
_ASCII_WORDS = "".join(letter.lower() if letter.isalnum() else " " for letter in map(chr, range(128)))
_WORD = re.compile(rf"[{UNSPACED}]|[^\W_{UNSPACED}](?:[^\W_{UNSPACED}]|[{MARKS}])*")
_PIECE = re.compile(rf"[{UNSPACED}]|[^\s{UNSPACED}]+")


def plain(text: str) -> str:
    """RETURNS (str): A text in one Unicode form (NFKC) with folded case, without what nobody sees."""
    if text.isascii():
        return text.lower()
    text = _INVISIBLE.sub("", text)
    for _ in range(2):  # folding opens some characters and composing closes them: twice is enough (Unicode 3.13, D146)
        text = unicodedata.normalize("NFKC", unicodedata.normalize("NFKD", text).casefold())
    return text


def words(text: str) -> list[str]:
    """The words of a text for comparing: letters with their marks, and digits, as `plain` gives them.

    RETURNS (List[str]): Such as ["don", "t", "panic"] for "Don't panic!".
    """
    return text.translate(_ASCII_WORDS).split() if text.isascii() else _WORD.findall(plain(text))


def word_places(text: str) -> list[tuple[str, int, int]]:
    """The words of a text and where they stand in it, for showing.

    RETURNS (List[Tuple[str, int, int]]): Each word as `plain` gives it, its first character and the one after its last.
    """
    if text.isascii():
        return [(match.group(), *match.span()) for match in _ASCII_WORD.finditer(text.lower())]
    return [(plain(match.group()), match.start(), match.end()) for match in _WORD.finditer(text)]


def count_words(text: str) -> int:
    """How long a text is wherever a length in words is asked for.

    RETURNS (int): Pieces between whitespace; in scripts that are written without blanks, characters.
    """
    return sum(1 for _ in _PIECE.finditer(text))


def folded(text: str) -> str:
    """What counts when two texts are compared: `plain`, blanks squeezed, no punctuation at the ends.

    Symbols such as '+', '€' or an emoji carry meaning and stay, and so does '#'; a piece of different punctuation marks,
    such as ':(', does too.

    RETURNS (str): Empty when nothing is left.
    """
    pieces = plain(text).split()
    for place in (0, -1):
        while pieces and not _is_sign(pieces[place]):
            rest = _stripped(pieces[place], start=place == 0)
            if rest:
                pieces[place] = rest
                break
            pieces.pop(place)
    return " ".join(pieces)


def comparable(text: str) -> str:
    """RETURNS (str): `folded`; a text of which nothing would be left as it is, without blanks around it."""
    return folded(text) or text.strip()


def _stripped(piece: str, *, start: bool) -> str:
    """A piece without the outer characters at one end."""
    inner = [place for place, character in enumerate(piece) if not _is_outer(character)]
    if not inner:
        return ""
    return piece[inner[0] :] if start else piece[: inner[-1] + 1]


def _is_outer(character: str) -> bool:
    """Punctuation and control characters."""
    category = unicodedata.category(character)
    return character != "#" and (category[0] in "PZ" or category == "Cc")


def _is_sign(piece: str) -> bool:
    """Different punctuation marks and nothing else, such as ':('."""
    return len(set(piece)) > 1 and all(unicodedata.category(character)[0] == "P" for character in piece)
