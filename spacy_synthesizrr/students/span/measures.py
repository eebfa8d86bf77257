"""Exact match and F1 of answers, as SQuAD counts them (Rajpurkar et al., EMNLP 2016, section 6.1).

Both are of texts, not of places: case, punctuation marks of ASCII, the English articles and blanks do not count. Where nothing of
an answer is left after that, F1 is 1 if nothing is left of the other either, as SQuAD 2.0 has it; SQuAD 1.1 gave such a row an exact
match and an F1 of 0.
"""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Iterable

_PUNCTUATION = str.maketrans("", "", string.punctuation)
_ARTICLES = re.compile(r"\b(a|an|the)\b")


def normalized(text: str) -> str:
    """RETURNS (str): What of an answer counts."""
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split())


def exact_match(predicted: str, answers: Iterable[str]) -> float:
    """RETURNS (float): 1 if the prediction equals one of the answers, else 0."""
    said = normalized(predicted)
    return float(any(said == normalized(answer) for answer in answers))


def f1(predicted: str, answers: Iterable[str]) -> float:
    """RETURNS (float): Of the answers the best harmonic mean of precision and recall over words, in [0, 1]."""
    said = normalized(predicted).split()
    return max((_f1(said, normalized(answer).split()) for answer in answers), default=0.0)


def _f1(said: list[str], gold: list[str]) -> float:
    if not said or not gold:
        return float(said == gold)
    shared = (Counter(said) & Counter(gold)).total()
    return 2 * shared / (len(said) + len(gold))
