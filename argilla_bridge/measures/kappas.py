"""How far people agree beyond chance, from patterns of answers: percent, Fleiss' kappa, Krippendorff's alpha, Cohen's kappa.

A pattern is how many people gave each answer to a row; frequencies say how many rows have it (see `intervals`). Rows that fewer
than two people answered say nothing and are left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from argilla_bridge.measures.intervals import bootstrap, estimate, wilson
from argilla_bridge.rounds.deciding import AWAY, Answer

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

Pattern = tuple[tuple[Answer, int], ...]
FEWEST = 5  # telling rows that allow an interval of a coefficient
MOST_ROWS = 20_000  # that the package krippendorff gets: it takes them one by one; the formula here is the same


def table(patterns: Mapping[Pattern, int]) -> tuple[list[Answer], Floats, Floats]:
    """Patterns as numbers.

    RETURNS (Tuple[List, ndarray, ndarray]): The answers in a fixed order; counts, patterns × answers; frequencies of the patterns.
    """
    import numpy as np

    kept = sorted(
        ((pattern, count) for pattern, count in patterns.items() if sum(given for _, given in pattern) > 1),
        key=lambda item: [(sorted(answer), given) for answer, given in item[0]],
    )
    answers = sorted({answer for pattern, _ in kept for answer, _ in pattern}, key=sorted)
    place = {answer: number for number, answer in enumerate(answers)}
    counts = np.zeros((len(kept), len(answers)))
    for number, (pattern, _) in enumerate(kept):
        for answer, given in pattern:
            counts[number, place[answer]] = given
    return answers, counts, np.array([count for _, count in kept], dtype=float)


def measures(patterns: Mapping[Pattern, int], *, seed: int) -> dict[str, Any]:
    """RETURNS (dict): Estimates "percent", "fleiss", "alpha", and "alpha_masi" where people chose sets of labels."""
    answers, counts, rows = table(patterns)
    if not len(rows):
        nothing = estimate(None, None, None, 0)
        return {"percent": nothing, "fleiss": nothing, "alpha": nothing}
    percent = wilson(float(rows @ _agreeing(counts)), int(rows.sum()))
    chance, telling = float(fleiss_chance(counts, rows)), _telling(counts, rows)
    kappa = bootstrap(rows, lambda drawn: fleiss(counts, drawn), seed=seed)
    found = {"percent": percent, "fleiss": _doubtful(kappa, percent, chance, telling)}
    found["alpha"] = _doubtful(_alpha(counts, rows, 1.0 - _same(len(answers)), seed), percent, chance, telling)
    if any(len(answer) > 1 for answer in answers):
        sets = _alpha(counts, rows, masi_distances(answers), seed)
        found["alpha_masi"] = _doubtful(sets, percent, chance, telling, none_alike=False)
    return found


def _same(size: int) -> Floats:
    import numpy as np

    return np.eye(size)


def _agreeing(counts: Floats) -> Floats:
    """Share of the pairs of people that agree, per pattern."""
    people = counts.sum(axis=1)
    return (counts * (counts - 1)).sum(axis=1) / (people * (people - 1))


def _alpha(counts: Floats, rows: Floats, distances: Floats, seed: int) -> dict[str, Any]:
    """The point is the library's, as far as it fits into memory; the interval is that of the same formula on resamples."""
    found = bootstrap(rows, lambda drawn: alpha(counts, drawn, distances), seed=seed)
    if found["value"] is not None and rows.sum() <= MOST_ROWS:
        found["value"] = estimate(library_alpha(counts, rows, distances), None, None, 0)["value"]
    return found


def _telling(counts: Floats, rows: Floats) -> int:
    """Rows in which not all gave the answer that most rows are unanimous in: what is known of all other answers."""
    return int(rows.sum() - (rows @ ((counts > 0) & (counts == counts.sum(axis=1, keepdims=True)))).max())


def _doubtful(found: dict[str, Any], percent: Mapping[str, Any], chance: float, telling: int, *, none_alike: bool = True) -> dict[str, Any]:
    """The interval of a coefficient, where resamples cannot show the doubt.

    Where all rows agree, or none does, so do all resamples; the other end then is that of Wilson's interval of the share of agreeing
    pairs, put into the formula. Few telling rows allow no interval at all: of a rare answer a resample often has none.

    percent (Mapping): Estimate of that share.
    chance (float): Agreement by chance.
    telling (int): See `_telling`.
    none_alike (bool): Whether the share says all; not so for distances between sets, which may be near without being alike.
    """
    if found["value"] is None or found["low"] is None or telling < FEWEST or chance >= 1:
        return {**found, "low": None, "high": None}
    low, high = found["low"], found["high"]
    if percent["value"] == 1.0:
        low = min(low, (percent["low"] - chance) / (1 - chance))
    elif percent["value"] == 0.0 and none_alike:
        high = max(high, (percent["high"] - chance) / (1 - chance))
    return estimate(found["value"], low, high, found["n"]) if low < high else {**found, "low": None, "high": None}


def fleiss_chance(counts: Floats, rows: Floats) -> Any:
    """RETURNS (ndarray): Agreement by chance: that of two draws from all answers."""
    totals = rows @ counts
    return ((totals / totals.sum(axis=-1, keepdims=True)) ** 2).sum(axis=-1)


def fleiss(counts: Floats, rows: Floats) -> Floats:
    """Fleiss' kappa (Psychological Bulletin 76, 1971), with rows that differ in how many people answered: each row has one voice
    in the agreement, each answer one in the chance.

    counts (ndarray): Patterns × answers.
    rows (ndarray): Resamples × patterns.
    RETURNS (ndarray): One value per resample.
    """
    observed = rows @ _agreeing(counts) / rows.sum(axis=-1)
    chance = fleiss_chance(counts, rows)
    return (observed - chance) / (1 - chance)


def alpha(counts: Floats, rows: Floats, distances: Floats) -> Floats:
    """Krippendorff's alpha (Computing Krippendorff's Alpha-Reliability, 2011, part D, from counts per unit).

    distances (ndarray): Between answers, 0 on the diagonal; all 1 elsewhere for the nominal alpha.
    RETURNS (ndarray): One value per resample.
    """
    apart = ((counts @ distances) * counts).sum(axis=1) / (counts.sum(axis=1) - 1)
    totals = rows @ counts
    n = totals.sum(axis=-1)
    return 1 - (rows @ apart) * (n - 1) / ((totals @ distances) * totals).sum(axis=-1)


def library_alpha(counts: Floats, rows: Floats, distances: Floats) -> float:
    """The same for all rows by the package krippendorff."""
    import krippendorff
    import numpy as np

    units = np.repeat(counts, rows.astype(int), axis=0)
    if counts.shape[1] < 2:
        return float("nan")

    def between(v1: Any, v2: Any, *, i1: Any, i2: Any, n_v: Any, dtype: Any = np.float64) -> Any:
        return distances[i1.astype(int), i2.astype(int)].astype(dtype)

    nominal = bool(((distances == 1) | (np.eye(len(distances)) == 1)).all())
    level: Any = "nominal" if nominal else between
    return float(krippendorff.alpha(value_counts=units, level_of_measurement=level))


def masi_distances(answers: Sequence[Answer]) -> Floats:
    """The MASI distance between sets of labels (Passonneau, LREC 2006): 1 − Jaccard × 1, 2/3, 1/3 or 0 where the sets are equal, one
    holds the other, they overlap, or they are disjoint. Turning a row away, or choosing none, is as far from any other as can be.
    """
    import numpy as np

    return np.array([[_masi(one, other) for other in answers] for one in answers])


def _masi(one: Answer, other: Answer) -> float:
    if one == other:
        return 0.0
    if AWAY in (one, other) or not one & other:
        return 1.0
    return 1 - len(one & other) / len(one | other) * (2 / 3 if one <= other or other <= one else 1 / 3)


def cohen(cells: Mapping[tuple[Answer, Answer], int], *, seed: int) -> dict[str, Any]:
    """Two people on the rows that both answered.

    cells (Mapping): First one's answer, second one's → rows.
    RETURNS (dict): Estimates "percent" and "kappa" (Cohen, Educational and Psychological Measurement 20, 1960).
    """
    import numpy as np

    pairs = sorted(cells, key=lambda pair: [sorted(answer) for answer in pair])
    answers = sorted({answer for pair in pairs for answer in pair}, key=sorted)
    rows = np.array([cells[pair] for pair in pairs], dtype=float)
    same = np.array([one == other for one, other in pairs], dtype=float)
    first, second = (np.array([[pair[side] == answer for answer in answers] for pair in pairs], dtype=float) for side in (0, 1))

    def kappa(drawn: Floats) -> Floats:
        n = drawn.sum(axis=-1)
        observed = drawn @ same / n
        chance = ((drawn @ first) * (drawn @ second)).sum(axis=-1) / (n * n)
        return (observed - chance) / (1 - chance)

    percent = wilson(float(rows @ same), int(rows.sum()))
    chance = float(((rows @ first) * (rows @ second)).sum() / rows.sum() ** 2)
    telling = _telling(first + second, rows)
    return {"percent": percent, "kappa": _doubtful(bootstrap(rows, kappa, seed=seed), percent, chance, telling)}


def of_label(patterns: Mapping[Pattern, int], label: str, *, seed: int) -> dict[str, Any]:
    """One label against all others.

    RETURNS (dict): Estimates "alpha" (nominal) and "specific" (see `_specific`), n the rows in which somebody chose the label.
    """
    import numpy as np

    answers, counts, rows = table(patterns)
    chose = np.array([label in answer for answer in answers], dtype=float)
    if not len(rows) or not (counts @ chose).any():
        return {"alpha": estimate(None, None, None, 0), "specific": estimate(None, None, None, 0)}
    both = np.stack([counts @ chose, counts @ (1 - chose)], axis=1)
    chosen = both[:, 0] > 0
    n, percent = int(rows[chosen].sum()), wilson(float(rows @ _agreeing(both)), int(rows.sum()))
    against = _alpha(both, rows, 1.0 - _same(2), seed)
    against = _doubtful(against, percent, float(fleiss_chance(both, rows)), _telling(both, rows))
    return {"alpha": {**against, "n": n}, "specific": _specific(both[chosen], rows[chosen], seed)}


def _specific(both: Floats, rows: Floats, seed: int) -> dict[str, Any]:
    """Of those who chose a label, how many of the others did so too (specific agreement; Cicchetti and Feinstein, J. Clin. Epidemiol.
    43, 1990, for any number of people).

    Where all or none did, the other end is by Wilson's interval of the share q of rows in which all m people did: if one of them did
    in the other rows, m q / (m q + 1 − q) of those who chose it agree with the others.

    both (ndarray): Patterns in which somebody chose the label × (who chose it, who did not).
    """
    people = both.sum(axis=1)
    together = both[:, 0] * (both[:, 0] - 1) / (people - 1)
    found = bootstrap(rows, lambda drawn: drawn @ together / (drawn @ both[:, 0]), seed=seed)
    if found["value"] not in (0.0, 1.0):
        return found if found["n"] >= FEWEST else {**found, "low": None, "high": None}
    share, most = wilson(found["value"] * found["n"], found["n"]), float(people.max() if found["value"] == 0 else people.min())
    low, high = (most * q / (most * q + 1 - q) for q in (share["low"], share["high"]))
    return estimate(found["value"], low, high, found["n"])
