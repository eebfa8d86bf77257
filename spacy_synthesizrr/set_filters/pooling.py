"""What several judges think of a label, as one probability.

Each judge gives evidence of shape (rows, labels): log probabilities in a task whose labels exclude each other, log odds per label
otherwise; a judge that has nothing to say about a row gives zeros there. The pool is logarithmic: sum over judges of weight times
evidence, put through softmax or logistic (Genest & Zidek, Combining Probability Distributions, Statistical Science 1(1), 1986,
§3.2). With one judge that is temperature scaling (Guo et al. 2017, §4.2), with one label Platt's logistic (Platt 1999) without a
bias. Weights are fitted on labelled rows that no judge saw with their labels; what the fit is worth is measured on rows that the
fit did not see.

That is what the text says. The label that a row was asked for says something too: most such labels are right. How many, is estimated
from the rows themselves, as the share that makes the judges' evidence most likely (`right_share`: expectation maximization for the
prior of a mixture, as Saerens, Latinne & Decaestecker, Neural Computation 14(1), 2002, §2.2; wrong labels are taken to be spread
evenly). Judges that hardly know better than chance say next to nothing of that share, so it is held to `ASSUMED_RIGHT` by
`HELD` pseudo-rows and counted within bounds (`counted_share`); `with_intent` puts the two together by Bayes' rule.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spacy_synthesizrr.students.quality.calibration import Array, Booleans, ece, nll, probabilities, reliability

HEAVIEST = 20.0  # bound of a weight
PRIOR = 0.05  # pseudo-rows that hold the weights to equal shares: few, for a fit that has an end where judges are always right
MOST_RIGHT = 0.95  # never taken for granted more than that: errors that a student learns from the rows look right to it
LEAST_RIGHT, ABOVE_CHANCE = 0.5, 0.1  # nor less than half, nor less than labels given by chance and a tenth
ASSUMED_RIGHT = 0.9  # where nothing is calibrated, the share cannot be estimated
HELD = 20  # pseudo-rows with `ASSUMED_RIGHT`
RESAMPLES, LEVEL = 200, 0.95  # of labelled rows, for the interval of an AUROC
DROP = 1.92  # of a log-likelihood at the ends of its 95 % interval: half the quantile of chi squared with one degree of freedom
ROUNDS, SETTLED = 500, 1e-9
LEAST_ROWS, LEAST_EACH = 20, 3  # labelled rows for a fit: of all labels, and of each
FOLDS = 5
DIGITS = 4  # of numbers that are told

Evidence = Mapping[str, Array]


@dataclass(frozen=True)
class Pool:
    """How judges are put together.

    weights (Mapping[str, float]): Of each judge.
    why (str): Why nothing was fitted, so that scores are uncalibrated; empty when they are calibrated.
    rows (int): Labelled rows of the fit.
    measured (Mapping): What the calibrated score is worth on rows that its fit did not see, as `measure` says it.
    by_chance (bool): Whether it is worth no more than chance there, so that nothing should be done by it.
    """

    weights: Mapping[str, float]
    why: str = ""
    rows: int = 0
    measured: Mapping[str, Any] = field(default_factory=dict)
    by_chance: bool = False

    @property
    def calibrated(self) -> bool:
        """RETURNS (bool): Whether scores were fitted to labelled rows."""
        return not self.why

    def to_dict(self) -> dict[str, Any]:
        """RETURNS (dict): Plain JSON."""
        weights = {name: round(float(value), DIGITS) for name, value in self.weights.items()}
        about = {"calibrated": self.calibrated, "why": self.why, "by_chance": self.by_chance, "rows": self.rows}
        return {**about, "weights": weights, "measured": dict(self.measured)}


def equal_weights(names: Sequence[str]) -> dict[str, float]:
    """RETURNS (Dict[str, float]): The same share for every judge: the geometric mean of what they say."""
    return {name: 1.0 / len(names) for name in names}


def logits_of(evidence: Evidence, weights: Mapping[str, float]) -> Array:
    """RETURNS (Array): The weighted sum of evidence, rows × labels."""
    return np.asarray(sum(weights[name] * np.asarray(evidence[name], dtype=np.float64) for name in weights))


def posterior(evidence: Evidence, weights: Mapping[str, float], *, exclusive: bool) -> Array:
    """RETURNS (Array): The pool's probability of each label, rows × labels."""
    return probabilities(logits_of(evidence, weights), exclusive=exclusive)


def right_share(scores: Array, labels: Array, *, exclusive: bool) -> float:
    """The share of given labels that are right, as far as judges can tell: the most likely one, with `HELD` pseudo-rows beside the rows.

    scores (Array): What the judges' evidence alone says, rows × labels. labels (Array): 1 for the labels that a row was given.
    RETURNS (float): From 0 to 1. Otherwise than exclusive: of the decisions for and against each label.
    """
    own, ways = _own(scores, labels, exclusive=exclusive)
    share, held = ASSUMED_RIGHT, _held(own)
    for _ in range(ROUNDS if own.size else 0):
        before, right, wrong = share, own * share, (1 - own) * (1 - share) / ways
        likely = right / np.maximum(right + wrong, np.finfo(float).tiny)
        share = float((likely.sum() + held * ASSUMED_RIGHT) / (own.size + held))
        if abs(share - before) < SETTLED:
            break
    return share


def right_interval(scores: Array, labels: Array, *, exclusive: bool) -> tuple[float, float]:
    """RETURNS (Tuple[float, float]): The shares, in hundredths, whose likelihood (that of `right_share`) is not significantly lower than
    the highest (level 95 %).
    """
    own, ways = _own(scores, labels, exclusive=exclusive)
    shares, held = np.arange(1, 100) / 100, _held(own)
    likely = [
        float(np.log(np.maximum(own * share + (1 - own) * (1 - share) / ways, np.finfo(float).tiny)).sum())
        + held * (ASSUMED_RIGHT * np.log(share) + (1 - ASSUMED_RIGHT) * np.log(1 - share))
        for share in shares.tolist()
    ]
    inside = shares[np.array(likely) >= max(likely) - DROP]
    return float(inside[0]), float(inside[-1])


def counted_share(share: float, labels: int, *, exclusive: bool) -> float:
    """RETURNS (float): An estimated share of right labels as it is counted: never so low that a row's own label speaks against itself."""
    ways = labels if exclusive else 2
    return min(max(share, LEAST_RIGHT, 1 / ways + ABOVE_CHANCE), MOST_RIGHT)


def _held(own: Array) -> float:
    """RETURNS (float): Pseudo-decisions: `HELD` rows of them."""
    return HELD * own.size / max(1, len(own))


def _own(scores: Array, labels: Array, *, exclusive: bool) -> tuple[Array, int]:
    """RETURNS (Tuple[Array, int]): The probability of what was given, and in how many ways it can be wrong."""
    has = np.asarray(labels) > 0.5
    if exclusive:
        return np.asarray(np.where(has, scores, 0.0).sum(axis=1)), scores.shape[1] - 1
    return np.asarray(np.where(has, scores, 1.0 - scores)), 1


def with_intent(scores: Array, labels: Array, share: float, *, exclusive: bool) -> Array:
    """RETURNS (Array): The probability of each label when it counts, too, with which labels a row was asked for.

    share (float): Of given labels that are right.
    """
    has = np.asarray(labels) > 0.5
    if exclusive:
        joint = scores * np.where(has, share, (1 - share) / (scores.shape[1] - 1))
        return np.asarray(joint / joint.sum(axis=1, keepdims=True))
    right, wrong = scores * np.where(has, share, 1 - share), (1 - scores) * np.where(has, 1 - share, share)
    return np.asarray(right / (right + wrong))


def score_of(scores: Array, labels: Array, *, exclusive: bool) -> Array:
    """How likely the labels of rows are right.

    labels (Array): 1 for the labels that a row has, 0 for the others; rows × labels.
    RETURNS (Array): Exclusive: the probability of the row's label. Otherwise: the least over labels of the probability that a label
        which the row has belongs there, and one that it lacks does not.
    """
    own, _ = _own(scores, labels, exclusive=exclusive)
    return own if exclusive else np.asarray(own.min(axis=1, initial=1.0))


def fit_weights(evidence: Evidence, gold: Array, *, exclusive: bool) -> dict[str, float]:
    """Weights that minimize the negative log-likelihood of gold, held to equal ones by `PRIOR` pseudo-rows.

    gold (Array): 1 for the labels that a row has, 0 for the others.
    RETURNS (Dict[str, float]): From 0 to `HEAVIEST`.
    """
    from scipy.optimize import minimize

    names, equal = list(evidence), np.array(list(equal_weights(list(evidence)).values()))

    def loss(weights: Array) -> float:
        held = PRIOR / len(gold) * float(((weights - equal) ** 2).sum())
        return nll(logits_of(evidence, dict(zip(names, weights, strict=True))), gold, exclusive=exclusive) + held

    found = minimize(loss, equal, method="L-BFGS-B", bounds=[(0.0, HEAVIEST)] * len(names))
    return {name: float(value) for name, value in zip(names, found.x, strict=True)}


def make_pool(evidence: Evidence, gold: Array, *, exclusive: bool, seed: int) -> Pool:
    """Fit the weights of judges on labelled rows, and measure by cross-validation what comes of it.

    evidence (Mapping[str, Array]): By judge, of labelled rows that it never saw with their labels.
    gold (Array): 1 for the labels that a row has, 0 for the others.
    RETURNS (Pool): With `why` where there are too few rows, and then equal weights, or where the judges know no better than chance.
    """
    names, rows = list(evidence), len(gold)
    if why := too_few(gold):
        return Pool(equal_weights(names), why)
    folds = deal(gold, FOLDS, seed=seed)
    held_out = np.zeros_like(gold, dtype=np.float64)
    for fold in range(FOLDS):
        here, rest = folds == fold, folds != fold
        weights = fit_weights(_some(evidence, rest), gold[rest], exclusive=exclusive)
        held_out[here] = posterior(_some(evidence, here), weights, exclusive=exclusive)
    before = posterior(evidence, equal_weights(names), exclusive=exclusive)
    low, high = auroc_interval(held_out, gold, seed=seed)
    fitted = {**measure(held_out, gold, exclusive=exclusive), "right_above_wrong_interval": [low, high]}
    measured = {"equal weights": measure(before, gold, exclusive=exclusive), "fitted": fitted}
    why = "" if low > 0.5 else _by_chance(fitted)
    return Pool(fit_weights(evidence, gold, exclusive=exclusive), why, rows, measured, by_chance=bool(why))


def _by_chance(fitted: Mapping[str, Any]) -> str:
    low, high = fitted["right_above_wrong_interval"]
    worth = f"AUROC {fitted['right_above_wrong']:.2f}, 95 % interval {low:.2f} to {high:.2f}"
    return f"on {fitted['rows']} labelled rows the judges tell right labels from wrong ones no better than chance ({worth})"


def too_few(gold: Array) -> str:
    """RETURNS (str): Why labelled rows are not enough for a fit; empty when they are."""
    rows = len(gold)
    if not rows:
        return "there are no labelled rows"
    if rows < LEAST_ROWS:
        return f"{rows} labelled rows are too few; {LEAST_ROWS} are needed"
    least = int(np.asarray(gold).sum(axis=0).min())
    return f"some label has {least} labelled rows; {LEAST_EACH} are needed" if least < LEAST_EACH else ""


def deal(gold: Array, folds: int, *, seed: int) -> NDArray[np.int64]:
    """RETURNS (NDArray[int]): The fold of each row; rows with the same labels are spread evenly."""
    order = np.random.default_rng(seed).permutation(len(gold))
    keys = ["".join("1" if value > 0.5 else "0" for value in row) for row in np.asarray(gold)]
    found, next_fold = np.zeros(len(gold), dtype=np.int64), {key: place for place, key in enumerate(sorted(set(keys)))}
    for row in order.tolist():
        found[row] = next_fold[keys[row]] % folds
        next_fold[keys[row]] += 1
    return found


def _some(evidence: Evidence, rows: Booleans) -> dict[str, Array]:
    return {name: np.asarray(values)[rows] for name, values in evidence.items()}


def measure(scores: Array, gold: Array, *, exclusive: bool) -> dict[str, Any]:
    """What scores of labelled rows are worth.

    RETURNS (dict): "rows"; "accuracy" (exclusive: of the top label; otherwise: share of label decisions at 0.5); "right_above_wrong": AUROC
        of a row's right labels against wrong ones, every label of every row taken together; "ece"; "bins" of the reliability diagram.
    """
    right = np.asarray(gold) > 0.5
    if exclusive:
        accuracy = float(np.mean(right[np.arange(len(right)), np.argmax(scores, axis=1)]))
    else:
        accuracy = float(np.mean((scores >= 0.5) == right))
    return {
        "rows": len(right),
        "accuracy": round(accuracy, DIGITS),
        "right_above_wrong": auroc(np.ravel(scores), np.ravel(right)),
        "ece": round(ece(scores, gold, exclusive=exclusive), DIGITS),
        "bins": [
            {name: round(value, DIGITS) for name, value in one.to_dict().items()} for one in reliability(scores, gold, exclusive=exclusive)
        ],
    }


def auroc(scores: Array, positive: Booleans) -> float | None:
    """The chance that a positive has a higher score than a negative; ties count half (Hanley & McNeil, Radiology 143, 1982).

    RETURNS (float | None): None where there are no positives or no negatives.
    """
    from scipy.stats import rankdata

    positives = int(np.sum(positive))
    negatives = len(scores) - positives
    if not positives or not negatives:
        return None
    ranks = rankdata(scores)
    return round(float((ranks[positive].sum() - positives * (positives + 1) / 2) / (positives * negatives)), DIGITS)


def auroc_interval(scores: Array, gold: Array, *, seed: int) -> tuple[float, float]:
    """The percentile bootstrap interval of `measure`'s AUROC, rows drawn with replacement (Efron & Tibshirani, 1993, ch. 13).

    RETURNS (Tuple[float, float]): 0 to 1 where no draw has both right and wrong labels.
    """
    random, right = np.random.default_rng(seed), np.asarray(gold) > 0.5
    drawn = (random.integers(0, len(right), len(right)) for _ in range(RESAMPLES))
    found = [value for rows in drawn if (value := auroc(np.ravel(scores[rows]), np.ravel(right[rows]))) is not None]
    if not found:
        return 0.0, 1.0
    low, high = np.quantile(found, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return round(float(low), DIGITS), round(float(high), DIGITS)


def wilson(right: int, rows: int, *, z: float = 1.959963984540054) -> tuple[float, float]:
    """RETURNS (Tuple[float, float]): The 95 % score interval of a share (Wilson, JASA 22, 1927); 0 to 1 without rows."""
    if not rows:
        return 0.0, 1.0
    share, square = right / rows, z * z / rows
    middle, half = share + square / 2, z * float(np.sqrt(share * (1 - share) / rows + square / (4 * rows)))
    return max(0.0, (middle - half) / (1 + square)), min(1.0, (middle + half) / (1 + square))
