"""How words are counted wherever a length in words is asked for."""

from __future__ import annotations

import re

# Scripts written without blanks: Thai, Lao, Burmese, Khmer, kana, Han.
_UNSPACED = r"\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
_WORD = re.compile(rf"[{_UNSPACED}]|[^\s{_UNSPACED}]+")


def count_words(text: str) -> int:
    """RETURNS (int): Pieces between whitespace; in scripts that are written without blanks, characters."""
    return sum(1 for _ in _WORD.finditer(text))
