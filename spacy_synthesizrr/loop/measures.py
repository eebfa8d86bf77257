"""What additions are like beside their parents, and how much of gold a train set covers.

Table 6 of S3 (Wang et al. 2023) gives edit distance, lengths and cosine of addition and parent, without saying what they are for two
texts that have nothing to do with each other. Here the same numbers stand beside them for random pairs: the addition and another
parent of the same label. What the label alone makes alike is in both, so only the difference tells that an addition comes of its parent.
Additions of one parent are alike, so the interval of that difference is over parents, not over additions.
"""

from __future__ import annotations

import random
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from spacy_synthesizrr.ablations.results import over_draws
from spacy_synthesizrr.measuring.features import Features
from spacy_synthesizrr.metrics.similarity import coverage
from spacy_synthesizrr.students.quality.bootstrap import interval
from spacy_synthesizrr.words import count_words, words

OTHERS = 5  # random parents beside each addition
MOST_PAIRS = 2_000  # additions that are compared with their parents
SAMPLES = 10  # of a train set at equal size
COVERED, MISSED = ("covered",), ("missed",)


@dataclass(frozen=True)
class Pair:
    """An addition and the labelled row that it was written after.

    key (str): The label set of both. parent (str): Text of the parent's generated field; addition (str): that of the new row.
    """

    key: str
    parent: str
    addition: str


def words_changed(one: str, other: str) -> int:
    """RETURNS (int): Words to insert, remove or replace to get from one text to the other (Levenshtein); case and signs do not count."""
    from rapidfuzz.distance import Levenshtein

    numbers: dict[str, int] = {}
    pair = [[numbers.setdefault(word, len(numbers)) for word in words(text)] for text in (one, other)]
    return int(Levenshtein.distance(*pair))


def share_changed(one: str, other: str) -> float:
    """RETURNS (float): `words_changed` as a share of the longer text's words, from 0 (equal) to 1 (no word in its place)."""
    longest = max(len(words(one)), len(words(other)))
    return words_changed(one, other) / longest if longest else 0.0


def closeness(pairs: Sequence[Pair], embed: Features, *, seed: int) -> dict[str, Any] | None:
    """How close additions are to their parents, and to other parents of their label.

    embed (Features): Vectors of length 1 for all texts of the pairs.
    seed (int): Of the random pairs.
    RETURNS (dict | None): `n` additions, `parents` of them that are different, `words` of both, and as `own` and `random`: `n`, and
        mean and sd of `edits` (words changed), `share` (of the longer text's words) and `cosine`; `random` is None where no label has
        two parents. `nearer` says by how much the own parent is nearer by cosine, with a 95 % t interval over parents. None without
        pairs.
    """
    if not pairs:
        return None
    pairs = _some(pairs, seed=seed)
    parents: dict[str, list[str]] = {}
    for pair in pairs:
        known = parents.setdefault(pair.key, [])
        known += [] if pair.parent in known else [pair.parent]
    vectors = dict(zip((texts := [*{text: None for pair in pairs for text in (pair.parent, pair.addition)}]), embed(texts), strict=True))
    chance = random.Random(seed)
    own, others, nearer = list[Mapping[str, float]](), list[Mapping[str, float]](), dict[str, list[float]]()
    for pair in pairs:
        mine = _between(pair.parent, pair.addition, vectors)
        own.append(mine)
        strangers = [parent for parent in parents[pair.key] if parent != pair.parent]
        drawn = [_between(parent, pair.addition, vectors) for parent in chance.sample(strangers, min(OTHERS, len(strangers)))]
        others += drawn
        if drawn:
            nearer.setdefault(pair.parent, []).append(mine["cosine"] - statistics.fmean(one["cosine"] for one in drawn))
    return {
        "n": len(pairs),
        "parents": sum(map(len, parents.values())),
        "words": {name: statistics.fmean(count_words(getattr(pair, name)) for pair in pairs) for name in ("parent", "addition")},
        "own": _spreads(own),
        "random": _spreads(others),
        "nearer": _nearer([statistics.fmean(values) for values in nearer.values()]),
    }


def _some(pairs: Sequence[Pair], *, seed: int) -> list[Pair]:
    if len(pairs) <= MOST_PAIRS:
        return list(pairs)
    return [pairs[place] for place in sorted(random.Random(seed).sample(range(len(pairs)), MOST_PAIRS))]


def _between(parent: str, addition: str, vectors: Mapping[str, Any]) -> dict[str, float]:
    cosine = float(vectors[parent] @ vectors[addition])
    return {"edits": float(words_changed(parent, addition)), "share": share_changed(parent, addition), "cosine": cosine}


def _spreads(found: Sequence[Mapping[str, float]]) -> dict[str, Any] | None:
    if not found:
        return None
    columns = {name: [one[name] for one in found] for name in found[0]}
    told = {name: {"mean": statistics.fmean(values), "sd": _sd(values)} for name, values in columns.items()}
    return {"n": len(found), **told}


def _sd(values: Sequence[float]) -> float | None:
    return statistics.stdev(values) if len(values) > 1 else None


def _nearer(by_parent: Sequence[float]) -> dict[str, Any] | None:
    if not by_parent:
        return None
    bounds: Mapping[str, float | None] = over_draws(by_parent) or {"low": None, "high": None}
    return {"value": statistics.fmean(by_parent), **bounds, "parents": len(by_parent)}


def covered(gold: Sequence[str], rows: Sequence[str], embed: Features, *, size: int, seed: int) -> dict[str, Any] | None:
    """How much of gold has a row near it, see `metrics.similarity.coverage`.

    size (int): Rows at which all sets are compared; no more than there are of any.
    seed (int): Of the samples of this size.
    RETURNS (dict | None): `all`: value with all rows, `n` of them, and its 95 % interval over gold rows; `equal`: mean value over
        samples of `n` = `size` rows. `gold`: rows of gold. None where there are too few texts.
    """
    if len(gold) < 2 or not rows or size < 1:
        return None
    golden, own = embed(gold), embed(rows)
    value = float(coverage(golden, own)["value"])
    near = round(value * len(gold))
    bounds = interval([COVERED] * len(gold), [[COVERED] * near + [MISSED] * (len(gold) - near)], (*COVERED, *MISSED), seed=seed)
    draws = [random.Random(seed + number).sample(range(len(rows)), size) for number in range(SAMPLES if size < len(rows) else 1)]
    equal = statistics.fmean(float(coverage(golden, own[sorted(draw)])["value"]) for draw in draws)
    return {
        "gold": len(gold),
        "all": {"n": len(rows), "value": value, "low": bounds.low, "high": bounds.high},
        "equal": {"n": size, "value": equal},
    }
