"""Scores of a classifier, from gold and predicted label sets alone.

Every function takes two lists of equal length, `gold` and `predicted`, with one tuple of labels per row: of one label in
an exclusive task, of any number in a multi-label task. Scores lie between 0 and 1.
"""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from spacy_synthesizrr.candidates import label_key

LabelSet = tuple[str, ...]
ACCURACY, MICRO_F, F1 = "accuracy", "micro F", "F1"
CELL_ROWS = 50  # row numbers kept per cell of a confusion matrix
NO_LABEL = "(none)"
NOTHING = "–"
Spread = dict[str, float | None]  # mean and sd


@dataclass(frozen=True)
class Counts:
    """Hits and misses of one label."""

    true_positives: int
    false_positives: int
    false_negatives: int

    @property
    def precision(self) -> float:
        """RETURNS (float): Share of the rows given this label that have it; 0 when it was never given."""
        return _share(self.true_positives, self.true_positives + self.false_positives)

    @property
    def recall(self) -> float:
        """RETURNS (float): Share of the rows of this label that were given it; 0 when there are none."""
        return _share(self.true_positives, self.true_positives + self.false_negatives)

    @property
    def f(self) -> float:
        """RETURNS (float): Harmonic mean of precision and recall."""
        return _share(2 * self.true_positives, 2 * self.true_positives + self.false_positives + self.false_negatives)

    def to_dict(self) -> dict[str, Any]:
        """RETURNS (dict): p, r, f and the number of gold rows."""
        return {"p": self.precision, "r": self.recall, "f": self.f, "rows": self.true_positives + self.false_negatives}


@dataclass
class Cell:
    """One cell of a confusion matrix: how many rows fell into it, and the numbers of the first ones."""

    count: int = 0
    rows: list[int] = field(default_factory=list)


def _share(part: float, whole: float) -> float:
    return part / whole if whole else 0.0


def count_label(gold: Sequence[LabelSet], predicted: Sequence[LabelSet], label: str) -> Counts:
    """Hits and misses of one label."""
    cells = Counter((label in has, label in given) for has, given in zip(gold, predicted, strict=True))
    return Counts(cells[True, True], cells[False, True], cells[True, False])


def main_score(gold: Sequence[LabelSet], predicted: Sequence[LabelSet], labels: Sequence[str]) -> float:
    """Micro-averaged F over labels. With exactly one label per row on both sides it is the accuracy."""
    counts = [count_label(gold, predicted, label) for label in labels]
    total = [sum(values) for values in zip(*((c.true_positives, c.false_positives, c.false_negatives) for c in counts), strict=True)]
    return Counts(*total).f


def macro_f(gold: Sequence[LabelSet], predicted: Sequence[LabelSet], labels: Sequence[str]) -> float:
    """Mean F over labels, those without gold rows included."""
    return statistics.fmean(count_label(gold, predicted, label).f for label in labels)


def per_label(gold: Sequence[LabelSet], predicted: Sequence[LabelSet], labels: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Precision, recall and F of each label."""
    return {label: count_label(gold, predicted, label).to_dict() for label in labels}


def mean_per_label(runs: Sequence[Mapping[str, Mapping[str, Any]]]) -> dict[str, dict[str, Any]]:
    """Means over training seeds of what `per_label` gives."""
    return {
        label: {key: statistics.fmean(run[label][key] for run in runs) for key in ("p", "r", "f")} | {"rows": runs[0][label]["rows"]}
        for label in runs[0]
    }


def confusion(gold: Sequence[LabelSet], predicted: Sequence[LabelSet], numbers: Iterable[int]) -> list[dict[str, Any]]:
    """The cells of the confusion matrix that are not empty, in order of first appearance.

    numbers (Iterable[int]): Number of each row in the file that the user knows.
    RETURNS (List[dict]): gold, predicted, count, and the numbers of the first 50 rows.
    """
    cells: dict[tuple[str, str], Cell] = {}
    for has, given, number in zip(gold, predicted, numbers, strict=True):
        cell = cells.setdefault((label_key(has) or NO_LABEL, label_key(given) or NO_LABEL), Cell())
        cell.count += 1
        if len(cell.rows) < CELL_ROWS:
            cell.rows.append(number)
    return [{"gold": has, "predicted": given, "count": cell.count, "rows": cell.rows} for (has, given), cell in cells.items()]


def majority(gold: Sequence[LabelSet], labels: Sequence[str], *, exclusive: bool) -> dict[str, Any]:
    """The best score that one gets who knows these very rows and gives all of them one answer.

    exclusive (bool): Whether an answer is exactly one label. Otherwise it is any set of labels; among sets of one size the
        most frequent labels score highest, so one set of each size is tried.
    RETURNS (dict): label and score.
    """
    counts = Counter(label for row in gold for label in row)
    ranked = sorted(labels, key=lambda label: -counts[label])
    sizes = range(1, 2 if exclusive else len(ranked) + 1)
    answers = [tuple(label for label in labels if label in ranked[:size]) for size in sizes]
    score, answer = max(((main_score(gold, [one] * len(gold), labels), one) for one in answers), key=lambda pair: pair[0])
    return {"label": label_key(answer), "score": score}


def spread(values: Sequence[float]) -> Spread | None:
    """Mean and sample standard deviation (n − 1) over training seeds; the latter is None for one seed.

    RETURNS (dict | None): None when there are no values.
    """
    if not values:
        return None
    return {"mean": statistics.fmean(values), "sd": statistics.stdev(values) if len(values) > 1 else None}


def said(about: Mapping[str, float | None] | None) -> str:
    """RETURNS (str): Mean ± standard deviation in percent, such as "71.4 ± 0.8"; a dash when there is no mean."""
    if about is None or about["mean"] is None:
        return NOTHING
    return f"{100 * about['mean']:.1f}" + ("" if about["sd"] is None else f" ± {100 * about['sd']:.1f}")
