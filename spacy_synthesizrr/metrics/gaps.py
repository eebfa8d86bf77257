"""How far a set of texts lies from gold in its words and in its lengths.

Both gaps are there between two gold samples as well, and shrink as texts are added: compare with gold against gold at equal size.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from spacy_synthesizrr.words import count_words, words

LISTED = 10
PRIOR = 0.5  # of each word, in the scores of words


def vocabulary_gap(gold: Iterable[str], texts: Iterable[str], *, listed: int = LISTED) -> dict[str, Any]:
    """How differently two sets use words.

    RETURNS (dict): `divergence`, that of Jensen and Shannon in bits (Lin, IEEE Trans. Inf. Theory 37, 1991) between the shares of all
        words: 0 for the same, 1 for none in common; `known`, the share of gold's words (each occurrence) that the texts use too;
        `strange`, the share of the texts' words that gold does not have; `more` and `less`, the words that the texts use more and less
        than gold by a z-score of the log odds (Monroe et al., Political Analysis 16, 2008, with a flat prior).
        None where a set has no word.
    """
    here, there = (Counter(word for text in part for word in words(text)) for part in (texts, gold))
    if not here or not there:
        return {"divergence": None, "known": None, "strange": None, "more": [], "less": []}
    known = sum(count for word, count in there.items() if word in here) / there.total()
    strange = sum(count for word, count in here.items() if word not in there) / here.total()
    scores = sorted(((score, word) for word, score in _log_odds(here, there).items()), key=lambda pair: (-pair[0], pair[1]))
    more = [{"word": word, "z": score} for score, word in scores[:listed] if score > 0]
    less = [{"word": word, "z": score} for score, word in scores[::-1][:listed] if score < 0]
    return {"divergence": _jensen_shannon(here, there), "known": known, "strange": strange, "more": more, "less": less}


def _jensen_shannon(one: Counter[str], other: Counter[str]) -> float:
    parts = []
    for word in one.keys() | other.keys():
        p, q = one[word] / one.total(), other[word] / other.total()
        mean = (p + q) / 2
        parts += [share * math.log2(share / mean) / 2 for share in (p, q) if share]
    return min(1.0, max(0.0, math.fsum(parts)))


def _log_odds(one: Counter[str], other: Counter[str]) -> dict[str, float]:
    """RETURNS (Dict[str, float]): Of each word, how much more often it stands in one than in the other, in standard deviations."""
    vocabulary = one.keys() | other.keys()
    sizes = [counts.total() + PRIOR * len(vocabulary) for counts in (one, other)]
    found = {}
    for word in vocabulary:
        a, b = one[word] + PRIOR, other[word] + PRIOR
        rest_a, rest_b = max(sizes[0] - a, PRIOR), max(sizes[1] - b, PRIOR)
        found[word] = (math.log(a / rest_a) - math.log(b / rest_b)) / math.sqrt(1 / a + 1 / b)
    return found


def length_gap(gold: Iterable[str], texts: Iterable[str]) -> dict[str, Any]:
    """How differently long two sets of texts are, in words (see `count_words`).

    RETURNS (dict): `gold` and `mean`, the mean words of both; `ratio`, the second over the first; `distance`, the mean shift in words that
        turns one distribution into the other (Wasserstein's of order 1). None where a set has no text.
    """
    there, here = (np.array([count_words(text) for text in part], dtype=np.float64) for part in (gold, texts))
    if not len(here) or not len(there):
        return {"gold": None, "mean": None, "ratio": None, "distance": None}
    means = float(there.mean()), float(here.mean())
    return {"gold": means[0], "mean": means[1], "ratio": means[1] / means[0] if means[0] else None, "distance": _wasserstein(there, here)}


def _wasserstein(one: Sequence[float] | Any, other: Sequence[float] | Any) -> float:
    values = np.sort(np.concatenate([one, other]))
    steps = np.diff(values)
    below = [np.searchsorted(np.sort(part), values[:-1], side="right") / len(part) for part in (one, other)]
    return float(np.sum(np.abs(below[0] - below[1]) * steps))
