"""How much of a passage goes into a prompt.

A plan measures passages with the same functions as the prompt cuts them, so a passage that was planned is never too
long or too short when it is rendered. Nothing but the standard library is imported here.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence

from spacy_synthesizrr.words import count_words

Count = Callable[[str], int]
TOKENS_PER_WORD = 1.3  # usual ratio of sub-word tokens to words in English text
BYTES_PER_TOKEN = 4  # usual ratio in English text; others have fewer bytes per token, not more

_SENTENCE_END = re.compile(r"[.!?…][\"'”’»)\]]*(?=\s|$)|[。！？][」』”’）]*")


def count_tokens(text: str) -> int:
    """Estimate how many tokens a teacher sees: 1.3 per word, rounded up. An estimate, not a tokenizer's count."""
    return math.ceil(TOKENS_PER_WORD * count_words(text))


def estimate_tokens(text: str) -> int:
    """Estimate how many tokens a teacher will be paid for: 1.3 per word or a quarter of the bytes, whichever is more. Long words,
    numbers and scripts beyond Latin take more tokens than words; a plan goes by `count_tokens`.
    """
    return max(count_tokens(text), math.ceil(len(text.encode("utf-8", "surrogatepass")) / BYTES_PER_TOKEN))


def cut_context(text: str, max_tokens: int, count: Count = count_tokens) -> str:
    """Cut a text to a number of tokens: after the last sentence that fits, else after the last word, else within a word.

    max_tokens (int): Most tokens of the result.
    count (Callable): Counts the tokens of a text; more text must not mean fewer tokens.
    RETURNS (str): The text itself where it fits; otherwise its longest such beginning, never more than `max_tokens`.
    """
    if count(text) <= max_tokens:
        return text
    for ends in (_sentence_ends, _word_ends, _character_ends):
        cut = _longest(text, ends(text), max_tokens, count)
        if cut:
            return cut
    return ""


def _sentence_ends(text: str) -> Sequence[int]:
    return [match.end() for match in _SENTENCE_END.finditer(text)]


def _word_ends(text: str) -> Sequence[int]:
    return [match.end() for match in re.finditer(r"\S+", text)]


def _character_ends(text: str) -> Sequence[int]:
    return range(1, len(text) + 1)


def _longest(text: str, ends: Sequence[int], max_tokens: int, count: Count) -> str:
    """The longest beginning that fits, by bisection over the places where the text may end."""
    low, high = 0, len(ends)
    while low < high:
        middle = (low + high) // 2
        if count(text[: ends[middle]]) <= max_tokens:
            low = middle + 1
        else:
            high = middle
    return text[: ends[low - 1]] if low else ""
