"""Estimates with 95 % intervals: by Wilson for shares, by the bootstrap over rows for whatever else.

Rows that look alike for a measure (the same answers, however people are called) are counted as one pattern with its frequency, and
a resample of the rows is a multinomial draw of frequencies: exactly the bootstrap, at a cost that grows with the patterns and not
with the rows. (Where many people meet in changing pairs, though, hardly two rows are alike.)
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Measure = Callable[[Floats], Floats]  # frequencies (resamples × patterns) → values per resample; NaN where there is none

Z = 1.959963984540054  # of the standard normal, 97.5 %
TAILS = (2.5, 97.5)  # percentiles
RESAMPLES = 2000
LEAST = 0.95  # of the resamples must have a value
CELLS = 1_000_000  # numbers of one block of resamples
DIGITS = 4
Ends = tuple[float, float, float]  # a value, its lower and its upper end


def estimate(value: float | None, low: float | None, high: float | None, n: float) -> dict[str, Any]:
    """RETURNS (dict): value, low, high (None where there is none) and n, the rows behind it."""

    def plain(number: float | None) -> float | None:
        return None if number is None or not math.isfinite(number) else round(float(number), DIGITS) + 0.0

    return {"value": plain(value), "low": plain(low), "high": plain(high), "n": int(n)}


def wilson(successes: float, n: int) -> dict[str, Any]:
    """The interval of a share; see `score_interval`.

    successes (float): May be broken: where several people answer a row, the row counts once with the share of them. The interval
        is too wide then rather than too narrow.
    RETURNS (dict): An estimate.
    """
    if n == 0:
        return estimate(None, None, None, 0)
    return estimate(*score_interval(successes, n), n)


def score_interval(successes: float, n: int) -> Ends:
    """The score interval of a share (Wilson, J. Am. Stat. Assoc. 22, 1927; Brown, Cai and DasGupta, Stat. Sci. 16, 2001, eq. 4).

    n (int): At least 1.
    RETURNS (Tuple[float, float, float]): The share, its lower and its upper end.
    """
    share, z2 = successes / n, Z * Z
    middle = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = Z * math.sqrt(max(0.0, share * (1 - share)) / n + z2 / (4 * n * n)) / (1 + z2 / n)
    return share, 0.0 if successes <= 0 else middle - half, 1.0 if successes >= n else middle + half


def difference(one: Ends, other: Ends) -> Ends:
    """One share less another of other rows, each with its ends (Newcombe, Stat. Med. 17, 1998, p. 873, method 10). An arm without
    variance keeps its doubt, which no resample of it would show.
    """
    (a, low_a, high_a), (b, low_b, high_b) = one, other
    return a - b, a - b - math.hypot(a - low_a, high_b - b), a - b + math.hypot(high_a - a, b - low_b)


def ratio(one: Ends, other: Ends) -> Ends:
    """One share over another of other rows, each with its ends, by the same principle (MOVER-R: Donner and Zou, Stat. Methods Med.
    Res. 21, 2012, eq. 9; Newcombe, Stat. Methods Med. Res. 25, 2016). Of its lower end this is the form without a difference in the
    numerator.

    other (Tuple): Its share is above 0.
    """
    (a, low_a, high_a), (b, low_b, high_b) = one, other

    def root(x: float, y: float) -> float:
        return math.sqrt(max(0.0, (a * b) ** 2 - x * y * (2 * a - x) * (2 * b - y)))

    low = low_a * (2 * a - low_a) / (a * b + root(low_a, high_b)) if low_a > 0 else 0.0
    return a / b, low, (a * b + root(high_a, low_b)) / (low_b * (2 * b - low_b))


def bootstrap(frequencies: Floats, measure: Measure, *, seed: int, resamples: int = RESAMPLES) -> dict[str, Any]:
    """See `bootstraps`; of a measure with one value per resample."""
    if not frequencies.sum():
        return estimate(None, None, None, 0)
    (found,) = bootstraps(frequencies, lambda drawn: measure(drawn)[:, None], seed=seed, resamples=resamples)
    return found


def bootstraps(frequencies: Floats, measure: Measure, *, seed: int, resamples: int = RESAMPLES) -> list[dict[str, Any]]:
    """The percentile intervals of measures over rows (Efron and Tibshirani, An Introduction to the Bootstrap, 1993, ch. 13).

    frequencies (ndarray): How many rows have each pattern; at least one row.
    measure (Callable): Gives resamples × measures.
    RETURNS (List[dict]): Estimates; without an interval where the measure has no value on more than a twentieth of the resamples,
        as what is left would be the interval of the lucky ones.
    """
    import numpy as np

    total = int(frequencies.sum())
    with np.errstate(all="ignore"):
        values = measure(frequencies[None, :])[0]
        found = np.concatenate([measure(block) for block in _blocks(frequencies, total, resamples, np.random.default_rng(seed))])
    return [_percentiles(float(value), column, total) for value, column in zip(values, found.T, strict=True)]


def _percentiles(value: float, found: Floats, n: int) -> dict[str, Any]:
    import numpy as np

    kept = found[np.isfinite(found)]
    if not math.isfinite(value) or len(kept) < LEAST * len(found):
        return estimate(value, None, None, n)
    low, high = np.percentile(kept, TAILS)
    return estimate(value, float(low), float(high), n)


def _blocks(frequencies: Floats, total: int, resamples: int, rng: np.random.Generator) -> Any:
    size = max(1, min(resamples, CELLS // len(frequencies)))
    shares = frequencies / total
    for start in range(0, resamples, size):
        yield rng.multinomial(total, shares, size=min(size, resamples - start)).astype(float)
