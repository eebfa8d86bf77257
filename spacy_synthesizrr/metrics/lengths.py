"""How long texts are, in words and in characters, overall and per label.

Lengths are counted, not collected: memory grows with the number of different lengths, not with the number of texts, and
median and quantiles are exact all the same.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping

from spacy_synthesizrr.words import count_words

QUANTILES = {"p5": 0.05, "p25": 0.25, "median": 0.5, "p75": 0.75, "p95": 0.95}
Spread = dict[str, float | None]


def lengths(texts: Iterable[str]) -> dict[str, Spread]:
    """How long texts are.

    RETURNS (dict): `words` (see `count_words`) and `chars` (Unicode code points), each with `n`, `mean`, `sd` (of the sample,
        n − 1 below the line; None for one text), `min`, `p5`, `p25`, `median`, `p75`, `p95`, `max`. Quantiles are
        interpolated linearly (Hyndman and Fan 1996, type 7, numpy's default). Only `n` when there is no text.
    """
    found = _count(("", text) for text in texts)
    return _both(found.get("", (Counter(), Counter())))


def lengths_by_label(rows: Iterable[tuple[str, str]]) -> dict[str, dict[str, Spread]]:
    """Lengths for each label.

    rows (Iterable[Tuple[str, str]]): Label key and text of each row.
    RETURNS (dict): What `lengths` gives for the texts of each label key, in the order of the keys.
    """
    return {key: _both(counts) for key, counts in sorted(_count(rows).items())}


def _count(rows: Iterable[tuple[str, str]]) -> dict[str, tuple[Counter[int], Counter[int]]]:
    found: dict[str, tuple[Counter[int], Counter[int]]] = {}
    for key, text in rows:
        words, chars = found.setdefault(key, (Counter(), Counter()))
        words[count_words(text)] += 1
        chars[len(text)] += 1
    return found


def _both(counts: tuple[Counter[int], Counter[int]]) -> dict[str, Spread]:
    return {"words": _describe(counts[0]), "chars": _describe(counts[1])}


def _describe(counts: Mapping[int, int]) -> Spread:
    n = sum(counts.values())
    if n == 0:
        return {"n": 0}
    mean = sum(value * count for value, count in counts.items()) / n
    ordered = sorted(counts.items())
    squares = sum(count * (value - mean) ** 2 for value, count in ordered)
    quantiles = {name: _quantile(ordered, n, share) for name, share in QUANTILES.items()}
    sd = math.sqrt(squares / (n - 1)) if n > 1 else None
    return {"n": n, "mean": mean, "sd": sd, "min": ordered[0][0], **quantiles, "max": ordered[-1][0]}


def _quantile(ordered: list[tuple[int, int]], n: int, share: float) -> float:
    place = share * (n - 1)
    low = _value_at(ordered, math.floor(place))
    high = _value_at(ordered, math.ceil(place))
    return low + (high - low) * (place - math.floor(place))


def _value_at(ordered: list[tuple[int, int]], place: int) -> int:
    """The value at a place, counted from 0, of all values in order."""
    for value, count in ordered:
        if place < count:
            return value
        place -= count
    raise IndexError(place)
