"""How much a test score would move with other test rows of the same kind: percentile bootstrap intervals.

Efron & Tibshirani, An Introduction to the Bootstrap, 1993, ch. 13: rows are drawn with replacement, as many as there are, and
the score is taken of each draw. Scores depend only on how many rows of each kind (gold labels, answers) were drawn, and those
counts are multinomial: so a draw is one vector of counts, and its cost does not depend on the number of rows.

Where every row says the same (all right, all wrong, one side right and the other wrong) all draws are alike, and the interval would
have no width, which nobody should believe. Then a share p = 1 − (α/2)^(1/n) of rows may say something else: the largest share of which
n rows may still hold none (Clopper & Pearson, Biometrika, 1934). Of n right rows that makes their exact interval, from (α/2)^(1/n) to
1. With few rows percentile intervals are rather too narrow.

The interval speaks of test rows alone. Other training seeds, other synthetic rows, and texts of another kind move scores too.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from spacy_synthesizrr.students.quality.calibration import Array
from spacy_synthesizrr.students.scores import LabelSet

RESAMPLES, LEVEL = 1000, 0.95
BLOCK = 4_000_000  # numbers in memory at once
Metric = Literal["micro_f", "macro_f"]


@dataclass(frozen=True)
class Interval:
    """Where a score, or the difference of two, lies, as far as the choice of test rows goes.

    value (float): The score itself, between 0 and 1; a difference, between −1 and 1.
    low (float), high (float): Its interval; it holds the score.
    level (float): Share of the draws inside. resamples (int): Draws.
    """

    value: float
    low: float
    high: float
    level: float = LEVEL
    resamples: int = RESAMPLES

    def to_dict(self) -> dict[str, Any]:
        """RETURNS (dict): Plain JSON."""
        return asdict(self)


def interval(
    gold: Sequence[LabelSet],
    answers: Sequence[Sequence[LabelSet]],
    labels: Sequence[str],
    *,
    metric: Metric = "micro_f",
    seed: int = 0,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
) -> Interval:
    """The interval of a score, or of the mean score of several students on the same rows.

    gold (Sequence[LabelSet]): One label set per row.
    answers (Sequence[Sequence[LabelSet]]): Per student, one label set per row.
    metric (str): "micro_f", which is the accuracy where all sets have one label, or "macro_f".
    seed (int): Of the draws.
    RETURNS (Interval): Percentiles of the draws, widened to the score itself where they miss it (macro F of rare labels).
    RAISES (ValueError): When there is no row or no student.
    """
    if not gold or not answers:
        raise ValueError("An interval needs at least one test row and one student.")
    score = {"micro_f": _micro_f, "macro_f": _macro_f}[metric]
    kinds = Counter(zip(gold, *answers, strict=True))
    outcomes = np.stack([_outcomes([(kind[0], kind[number]) for kind in kinds], labels) for number in range(1, len(answers) + 1)])
    counts = np.array(list(kinds.values()))
    value = float(score(counts[None], outcomes)[0])
    drawn = _draw(counts, outcomes, score, resamples=resamples, rng=np.random.default_rng(seed))
    low, high = (float(bound) for bound in np.percentile(drawn, [50 * (1 - level), 50 * (1 + level)]))
    low, high = _widened(low, high, len(gold), level=level, lowest=0.0)
    return Interval(value, min(low, value), max(high, value), level, resamples)


def mean_interval(
    values: Sequence[Sequence[float]],
    others: Sequence[Sequence[float]] = (),
    *,
    seed: int = 0,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
) -> Interval:
    """The interval of a mean over rows and students of what each row scores by itself, such as the F1 of an answer; or of how far it lies
    above that of others on the same rows.

    values (Sequence[Sequence[float]]): Per student, one number in [0, 1] per row.
    others (Sequence[Sequence[float]]): The same of the students that these are compared with; none for the mean itself.
    RAISES (ValueError): When there is no row or no student.
    """
    if not values or not len(values[0]):
        raise ValueError("An interval needs at least one test row and one student.")
    rows = np.asarray(values, dtype=np.float64).mean(axis=0)
    if others:
        rows = rows - np.asarray(others, dtype=np.float64).mean(axis=0)
    rng, block = np.random.default_rng(seed), max(1, BLOCK // len(rows))
    sizes = [min(block, resamples - start) for start in range(0, resamples, block)]
    share = np.full(len(rows), 1 / len(rows))
    drawn = np.concatenate([rng.multinomial(len(rows), share, size=size) @ rows / len(rows) for size in sizes])
    low, high = (float(bound) for bound in np.percentile(drawn, [50 * (1 - level), 50 * (1 + level)]))
    low, high = _widened(low, high, len(rows), level=level, lowest=-1.0 if others else 0.0)
    value = float(rows.mean())
    return Interval(value, min(low, value), max(high, value), level, resamples)


@dataclass(frozen=True)
class Paired:
    """Two sides that answered the same test rows.

    gold (Sequence[LabelSet]): One label set per row.
    answers (Sequence[Sequence[LabelSet]]), others (Sequence[Sequence[LabelSet]]): Per student of each side, one label set per row.
    weight (float): Of these rows' difference in the mean, beside other test sets.
    """

    gold: Sequence[LabelSet]
    answers: Sequence[Sequence[LabelSet]]
    others: Sequence[Sequence[LabelSet]]
    weight: float = 1.0


def difference(
    tests: Sequence[Paired],
    labels: Sequence[str],
    *,
    metric: Metric = "micro_f",
    seed: int = 0,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
) -> Interval:
    """The interval of how far the mean score of some students lies above that of others.

    Both sides are scored on the same drawn rows, so what is hard about a row counts for both and cancels out (Efron & Tibshirani,
    ch. 13, of the paired difference; Koehn, Statistical significance tests for machine translation evaluation, 2004). Test sets are
    drawn independently of each other and their differences averaged by weight.

    Where both sides said the same of every one of n rows, all draws are 0, and the interval reaches from −p to p; p as in the head of
    this module. Where one was right and the other wrong on every row, it reaches from 1 − 2p to 1.
    RETURNS (Interval): Above 0 where the first side is better.
    RAISES (ValueError): When there is no row, or no student on a side.
    """
    if not tests or not all(test.gold and test.answers and test.others for test in tests):
        raise ValueError("A difference needs at least one test row, and one student on each side.")
    score = {"micro_f": _micro_f, "macro_f": _macro_f}[metric]
    rng, total = np.random.default_rng(seed), sum(test.weight for test in tests)
    value, drawn = 0.0, np.zeros(resamples)
    for test in tests:
        students, ours = [*test.answers, *test.others], len(test.answers)
        kinds = Counter(zip(test.gold, *students, strict=True))
        outcomes = np.stack([_outcomes([(kind[0], kind[number]) for kind in kinds], labels) for number in range(1, len(students) + 1)])
        counts = np.array(list(kinds.values()))

        def gap(rows: Any, found: Array, ours: int = ours) -> Array:
            return score(rows, found[:ours]) - score(rows, found[ours:])

        value += test.weight / total * float(gap(counts[None], outcomes)[0])
        drawn += test.weight / total * _draw(counts, outcomes, gap, resamples=resamples, rng=rng)
    low, high = (float(bound) for bound in np.percentile(drawn, [50 * (1 - level), 50 * (1 + level)]))
    low, high = _widened(low, high, sum(len(test.gold) for test in tests), level=level, lowest=-1.0)
    return Interval(value, min(low, value), max(high, value), level, resamples)


def _widened(low: float, high: float, rows: int, *, level: float, lowest: float) -> tuple[float, float]:
    """RETURNS (Tuple[float, float]): An interval of no width, widened by what rows that were not drawn could say; others as they are.

    lowest (float): The least that one row can add: 0 to a score, −1 to a difference. The most is 1.
    """
    if not math.isclose(low, high, abs_tol=1e-12):
        return low, high
    unseen = 1 - ((1 - level) / 2) ** (1 / rows)
    return low + unseen * (lowest - low), high + unseen * (1.0 - high)


def _outcomes(pairs: Sequence[tuple[LabelSet, LabelSet]], labels: Sequence[str]) -> Array:
    """RETURNS (Array): Kinds × (true positives, given, gold) × labels, of one student."""
    has, given = (np.array([[label in pair[side] for label in labels] for pair in pairs], dtype=np.float64) for side in (0, 1))
    return np.stack([has * given, given, has], axis=1)


def _draw(counts: Any, outcomes: Array, score: Callable[[Any, Array], Array], *, resamples: int, rng: np.random.Generator) -> Array:
    rows = int(counts.sum())
    block = max(1, BLOCK // max(len(counts), outcomes[:, 0].size))
    sizes = [min(block, resamples - start) for start in range(0, resamples, block)]
    return np.concatenate([score(rng.multinomial(rows, counts / rows, size=size), outcomes) for size in sizes])


def _sums(drawn: Any, outcomes: Array) -> Array:
    """RETURNS (Array): Students × draws × (true positives, given, gold) × labels."""
    students, kinds, parts, labels = outcomes.shape
    return (drawn @ outcomes.reshape(students, kinds, parts * labels)).reshape(students, len(drawn), parts, labels)


def _micro_f(drawn: Any, outcomes: Array) -> Array:
    """Mean over students of 2TP / (given + gold), summed over labels; 0 where there is nothing to find and nothing given."""
    hits, given, gold = np.moveaxis(_sums(drawn, outcomes).sum(axis=3), 2, 0)
    return np.asarray((2 * hits / np.maximum(given + gold, 1)).mean(axis=0))


def _macro_f(drawn: Any, outcomes: Array) -> Array:
    """Mean over students and labels of F; a label that no drawn row has or was given, though others do, is left out of that
    draw, since it would count as a failure there.
    """
    hits, given, gold = np.moveaxis(_sums(drawn, outcomes), 2, 0)
    there = given + gold
    known = outcomes[:, :, 1:].sum(axis=(1, 2)) > 0  # students × labels; the others are 0 in every draw, as in `macro_f`
    counted = (there > 0) | ~known[:, None]
    f = 2 * hits / np.maximum(there, 1)
    return np.asarray((f.sum(axis=2) / np.maximum(counted.sum(axis=2), 1)).mean(axis=0))
