"""How often each person is right, though nobody knows the truth: from how often people agree.

The model (one-coin Dawid and Skene, Appl. Stat. 28, 1979): each source is right with a probability of its own, independently of the
others given the truth, and a wrong answer falls on each of the other K − 1 answers alike. Then two sources agree with
probability p q + (1 − p)(1 − q) / (K − 1), so with skills s = (K p − 1) / (K − 1), which are 1 for who is always right and 0 for who
guesses, the agreement beyond chance c = (K a − 1) / (K − 1) is the product of the two skills. Three sources give three products, and
so each skill (Bonald and Combes, NIPS 2017: the triangular estimate); of more, the skills that fit all products best by least squares
are taken. The suggestion is a source like people, so two people are enough.

Without such a round of three, or of another odd number, the products fix nothing: with people who each meet the suggestion alone,
a weaker suggestion and stronger people fit as well. So a source has a value only where those who meet often enough, directly or
over others, hold an odd round (the graph of who meets whom, with log c = log s + log s′ per edge, has one solution just then).

Only blind rows are used: who sees a suggestion is not independent of it. A source with errors that are not alike biases nothing as
long as those of all others are. Rows that somebody turned away are left out: wrong answers do not fall on that. K counts the answers
that are given now and then (see `kinds`), and one that a single person gave once moves nothing.
"""

from __future__ import annotations

import itertools
from collections.abc import Hashable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from argilla_bridge.measures.intervals import bootstraps, estimate

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

SUGGESTED = ""  # the name of the suggestion among the sources; no person has an empty name
STEPS = 300  # at most, of the least squares; most often 20 are enough
NEAR = 1e-4  # skills from two starts that differ by less are one solution
STARTS = (0.7, 0.3)
LEAST = 1e-3  # skill; with none at all the others could not be told
MEETINGS = 20  # rows that two sources both answered before their agreement is used
SELDOM = 0.01  # share of the answers; what is said less often is no answer that errors fall on
MOST = 12  # people of whom it is asked: pairs grow with the square, and those with the most rows say the most
Said = tuple[tuple[str, int], ...]  # source → number of its answer within the row, so that only equality counts


def said(answers: Mapping[str, Hashable]) -> Said:
    """RETURNS (Tuple): Who said the same in a row, whatever it was; rows alike in that are one pattern."""
    numbers: dict[Hashable, int] = {}
    return tuple((name, numbers.setdefault(answer, len(numbers))) for name, answer in sorted(answers.items()))


def kinds(answers: Mapping[Any, int]) -> int:
    """RETURNS (int): K: different answers that make up at least a hundredth of all. answers (Mapping): Answer → how often."""
    total = sum(answers.values())
    return sum(count >= SELDOM * total for count in answers.values())


def accuracies(patterns: Mapping[Said, int], kinds: int, *, seed: int) -> dict[str, dict[str, Any]]:
    """The accuracy of each source.

    patterns (Mapping): See `said`; of rows whose suggestion nobody saw, with rows that have each.
    kinds (int): Different answers that were possible, K.
    RETURNS (Dict): Source → estimate; without a value where those that it meets tell nothing, or agree no more than by chance.
    """
    import numpy as np

    names, kept = _sources(patterns), sorted(patterns)
    rows = np.array([patterns[pattern] for pattern in kept], dtype=float)
    pairs = list(itertools.combinations(range(len(names)), 2))
    both, same = _meetings(kept, names, pairs)
    met = [pair for pair, count in zip(pairs, rows @ both, strict=True) if count >= MEETINGS] if len(rows) else []
    known = sorted(_fixed(met)) if kinds > 1 else []
    counts = {name: int(sum(count for pattern, count in patterns.items() if name in dict(pattern))) for name in names}
    found = {name: estimate(None, None, None, counts[name]) for name in names}
    if not known:
        return found
    columns = [number for number, pair in enumerate(pairs) if pair in met and pair[0] in known]
    places = [(known.index(pairs[column][0]), known.index(pairs[column][1])) for column in columns]
    both, same = both[:, columns], same[:, columns]

    def measure(drawn: Floats) -> Floats:
        return (1 + (kinds - 1) * skills(drawn @ both, drawn @ same, places, len(known), kinds)) / kinds

    for place, made in zip(known, bootstraps(rows, measure, seed=seed), strict=True):
        found[names[place]] = {**made, "n": counts[names[place]]}
    return found


def _fixed(met: Sequence[tuple[int, int]]) -> set[int]:
    """RETURNS (Set[int]): Sources that are linked to an odd round, where no two sides can be told apart: those that a walk from one
    of them reaches by an even and by an odd number of meetings.
    """
    beside: dict[int, set[int]] = {}
    for one, other in met:
        beside.setdefault(one, set()).add(other)
        beside.setdefault(other, set()).add(one)
    fixed: set[int] = set()
    for start in beside:
        reached, waiting = {(start, 0)}, [(start, 0)]
        while waiting:
            source, side = waiting.pop()
            new = {(other, 1 - side) for other in beside[source]} - reached
            reached |= new
            waiting += new
        if (start, 1) in reached:
            fixed.add(start)
    return fixed


def _sources(patterns: Mapping[Said, int]) -> list[str]:
    counts: dict[str, int] = {}
    for pattern, rows in patterns.items():
        for name, _ in pattern:
            counts[name] = counts.get(name, 0) + rows
    return sorted(sorted(counts, key=lambda name: (-counts[name], name))[: MOST + 1])


def _meetings(patterns: Sequence[Said], names: Sequence[str], pairs: Sequence[tuple[int, int]]) -> tuple[Floats, Floats]:
    """Per pattern and pair of sources: whether both answered, and whether they said the same."""
    import numpy as np

    both, same = np.zeros((len(patterns), len(pairs))), np.zeros((len(patterns), len(pairs)))
    for row, pattern in enumerate(patterns):
        answer = dict(pattern)
        for column, (one, other) in enumerate(pairs):
            if names[one] in answer and names[other] in answer:
                both[row, column] = 1
                same[row, column] = answer[names[one]] == answer[names[other]]
    return both, same


def skills(both: Floats, same: Floats, pairs: Sequence[tuple[int, int]], sources: int, kinds: int) -> Floats:
    """The skills whose products fit the agreements beyond chance best, pairs weighted by their rows.

    both (ndarray), same (ndarray): Resamples × pairs: rows that both answered, and alike.
    RETURNS (ndarray): Resamples × sources, in [0, 1]; NaN where there is not one solution alone.
    """
    import numpy as np

    beyond = np.where(both > 0, (kinds * same / np.maximum(both, 1) - 1) / (kinds - 1), 0.0)
    weights = np.zeros((len(both), sources, sources))
    products = np.zeros_like(weights)
    for column, (one, other) in enumerate(pairs):
        for a, b in ((one, other), (other, one)):
            weights[:, a, b], products[:, a, b] = both[:, column], beyond[:, column] * both[:, column]
    found, again = (_fitted(weights, products, start) for start in STARTS)
    return np.where(np.abs(found - again).max(axis=1, keepdims=True) < NEAR, found, np.nan)


def _fitted(weights: Floats, products: Floats, start: float) -> Floats:
    """The least squares, by one source after the other (a step of each has a closed form)."""
    import numpy as np

    skill: Floats = np.full(weights.shape[:2], start)
    for _ in range(STEPS):
        before = skill.copy()
        for place in range(weights.shape[1]):
            down = (weights[:, place] * skill**2).sum(axis=1)
            skill[:, place] = np.clip((products[:, place] * skill).sum(axis=1) / np.maximum(down, 1e-12), LEAST, 1.0)
        if np.abs(skill - before).max() < NEAR / 100:
            break
    return skill
