"""How far the scores of a classifier can be taken as probabilities, and the one number that brings them closer.

Everything here works on arrays: logits, scores and gold of shape (rows, labels), in the order of the task's labels. Gold is 1
for the labels that a row has and 0 for the others. *Exclusive* scores are the softmax of the logits, others the logistic of each.

Sources: temperature scaling, NLL and ECE: Guo, Pleiss, Sun & Weinberger, On Calibration of Modern Neural Networks, ICML 2017,
§2 and §4.2. Smoothed targets: Platt, Probabilistic Outputs for Support Vector Machines, 1999, §2.2. Brier score: Brier, 1950.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

LOWEST, HIGHEST = 0.005, 20.0  # bounds of the temperature; a student of few steps gives tiny logits, which need a low one
BINS = 15  # of equal width, as in Guo et al.
NO_GAIN = 1e-9  # an NLL that sinks by less sinks by rounding alone
AT_BOUND = 1e-3  # of log T
TOO_LOW = f"The temperature lies at its lower bound, {LOWEST:g}: this student is less sure than any temperature can mend; train it longer."
TOO_HIGH = f"The temperature lies at its upper bound, {HIGHEST:g}: on dev its scores hardly tell right from wrong."

Array = NDArray[np.float64]
Booleans = NDArray[np.bool_]


@dataclass(frozen=True)
class Fit:
    """A fitted temperature.

    temperature (float): T in [`LOWEST`, `HIGHEST`]; logits are divided by it.
    note (str): What the reader must know about it; empty as a rule.
    """

    temperature: float
    note: str = ""


@dataclass(frozen=True)
class Bin:
    """The predictions whose score lies in (low, high].

    count (int): How many they are.
    score (float): Their mean score.
    share (float): Share of them that is right.
    """

    low: float
    high: float
    count: int
    score: float
    share: float

    def to_dict(self) -> dict[str, float]:
        """RETURNS (dict): Plain JSON."""
        return asdict(self)


def probabilities(logits: Array, *, exclusive: bool) -> Array:
    """RETURNS (Array): What the last layer makes of logits: softmax over each row, or the logistic of each number."""
    logits = np.asarray(logits, dtype=np.float64)
    if exclusive:
        powers = np.exp(logits - logits.max(axis=1, keepdims=True))
        return np.asarray(powers / powers.sum(axis=1, keepdims=True))
    small = np.exp(-np.abs(logits))  # never overflows
    return np.asarray(np.where(logits >= 0, 1.0, small) / (1.0 + small))


def nll(logits: Array, gold: Array, *, exclusive: bool) -> float:
    """Negative log-likelihood of gold, in nats.

    gold (Array): May be soft, which makes it a cross entropy.
    RETURNS (float): Mean over rows; otherwise than exclusive, over rows and labels.
    """
    logits, gold = np.asarray(logits, dtype=np.float64), np.asarray(gold, dtype=np.float64)
    if exclusive:
        top = logits.max(axis=1)
        whole = top + np.log(np.exp(logits - top[:, None]).sum(axis=1))
        return float(np.mean(whole - (gold * logits).sum(axis=1)))
    return float(np.mean(np.logaddexp(0.0, logits) - gold * logits))


def fit_temperature(logits: Array, gold: Array, *, exclusive: bool) -> Fit:
    """The temperature T that minimizes the NLL of logits / T (Guo et al. 2017, §4.2).

    The NLL is convex in 1/T, so a search in one dimension finds its only minimum. When every row is answered rightly there is
    none: the NLL sinks for ever as T goes to 0. Then the targets are smoothed as if one more row had been answered wrongly.
    """
    from scipy.optimize import minimize_scalar

    gold = np.asarray(gold, dtype=np.float64)
    separable = all_right(logits, gold, exclusive=exclusive)
    targets = smoothed(gold, exclusive=exclusive) if separable else gold

    def loss(log_temperature: float) -> float:
        return nll(logits / np.exp(log_temperature), targets, exclusive=exclusive)

    low, high = np.log(LOWEST), np.log(HIGHEST)
    best = float(minimize_scalar(loss, bounds=(low, high), method="bounded", options={"xatol": 1e-7}).x)
    if loss(0.0) - loss(best) <= NO_GAIN:
        return Fit(1.0, "No other temperature fits dev better.")
    temperature = float(np.exp(best))
    if best - low < AT_BOUND:
        return Fit(temperature, TOO_LOW)
    if high - best < AT_BOUND:
        return Fit(temperature, TOO_HIGH)
    return Fit(temperature, "Every dev row is right; the temperature is fitted as if one more had been wrong." if separable else "")


def all_right(logits: Array, gold: Array, *, exclusive: bool) -> bool:
    """RETURNS (bool): Whether each logit of a gold label is above all others of its row, or on the right side of 0."""
    has = np.asarray(gold) > 0.5
    if exclusive:
        return bool(np.all(np.where(has, logits, -np.inf).max(axis=1) > np.where(has, -np.inf, logits).max(axis=1)))
    return bool(np.all(np.where(has, logits, -logits) > 0))


def smoothed(gold: Array, *, exclusive: bool) -> Array:
    """RETURNS (Array): Targets of n right answers and one wrong one: (n + 1) / (n + 2) for what is so (Platt 1999)."""
    wrong = 1.0 / (len(gold) + 2)
    others = max(1, gold.shape[1] - 1) if exclusive else 1
    return np.asarray(np.where(gold > 0.5, 1.0 - wrong, wrong / others))


def bins_of(scores: Array, right: Booleans, *, bins: int = BINS) -> list[Bin]:
    """Sort predictions into bins of equal width by their score.

    scores (Array): In [0, 1], of any shape.
    right (Booleans): Whether each came true, of the same shape.
    RETURNS (List[Bin]): Those that are not empty, rising; together they hold every prediction.
    """
    flat, hits = np.ravel(scores).astype(np.float64), np.ravel(right).astype(np.float64)
    places = np.clip(np.ceil(flat * bins).astype(int) - 1, 0, bins - 1)
    counts = np.bincount(places, minlength=bins)
    sums, right_sums = (np.bincount(places, weights=values, minlength=bins) for values in (flat, hits))
    found = []
    for place in np.flatnonzero(counts).tolist():
        count = int(counts[place])
        found.append(Bin(place / bins, (place + 1) / bins, count, float(sums[place] / count), float(right_sums[place] / count)))
    return found


def reliability(scores: Array, gold: Array, *, exclusive: bool) -> list[Bin]:
    """Bins for a reliability diagram: of the top score of each row, or of every score of every label together."""
    top = _top(scores, gold) if exclusive else (scores, np.asarray(gold) > 0.5)
    return bins_of(*top)


def ece(scores: Array, gold: Array, *, exclusive: bool) -> float:
    """Expected calibration error (Guo et al. 2017, §2): mean distance between score and share of right answers over the bins,
    weighted by their predictions.

    RETURNS (float): In [0, 1]. Exclusive: of the top score. Otherwise: of each label's score, and the mean over labels.
    RAISES (ValueError): When there are no rows.
    """
    if not len(scores):
        raise ValueError("The calibration error of no rows is not defined.")
    if exclusive:
        return _distance(bins_of(*_top(scores, gold)))
    right = np.asarray(gold) > 0.5
    return float(np.mean([_distance(bins_of(scores[:, label], right[:, label])) for label in range(scores.shape[1])]))


def _distance(bins: list[Bin]) -> float:
    return sum(one.count * abs(one.share - one.score) for one in bins) / sum(one.count for one in bins)


def _top(scores: Array, gold: Array) -> tuple[Array, Booleans]:
    """The top score of each row, and whether its label is gold; of equal scores the first."""
    best, rows = np.argmax(scores, axis=1), np.arange(len(scores))
    return scores[rows, best], np.asarray(gold)[rows, best] > 0.5


def brier(scores: Array, gold: Array, *, exclusive: bool) -> float:
    """Brier score: mean squared distance between scores and gold.

    RETURNS (float): Exclusive: summed over labels, in [0, 2]. Otherwise: mean over labels, in [0, 1].
    """
    squares = (np.asarray(scores, dtype=np.float64) - np.asarray(gold, dtype=np.float64)) ** 2
    return float(squares.sum(axis=1).mean() if exclusive else squares.mean())
