"""From which score on a label is given: one threshold per label, chosen on dev."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from spacy_synthesizrr.students.quality.calibration import Array, Booleans

USUAL = 0.5


@dataclass(frozen=True)
class Thresholds:
    """What `tune` found.

    values (Mapping[str, float]): Per label, in the order of the task.
    notes (Tuple[str, ...]): Why a label kept the usual threshold.
    """

    values: Mapping[str, float]
    notes: tuple[str, ...] = ()


def tune(scores: Array, gold: Array, labels: Sequence[str]) -> Thresholds:
    """Choose the threshold of each label that gives the highest F1; a label is given from the threshold on (>=).

    scores (Array), gold (Array): Rows × labels; calibrated scores.
    RETURNS (Thresholds): A label without a row keeps `USUAL`, with a note.
    """
    values, notes = {}, []
    for column, label in enumerate(labels):
        has = np.asarray(gold)[:, column] > 0.5
        if has.any():
            values[label] = best_threshold(np.asarray(scores)[:, column], has)
        else:
            values[label] = USUAL
            notes.append(f"'{label}' keeps the threshold {USUAL}: no dev row has this label.")
    return Thresholds(values, tuple(notes))


def best_threshold(scores: Array, has: Booleans) -> float:
    """The threshold with the highest F1 = 2TP / (2TP + FP + FN); of equal ones the nearest to `USUAL`.

    Only the order of rows counts, so it is enough to try `USUAL` and the middle between each two neighbouring scores (and
    between the lowest one and 0): as far from both as can be, since new scores will fall in between.
    scores (Array): Of one label, one per row.
    has (Booleans): Whether the row has the label; at least one does.
    """
    order = np.argsort(-scores, kind="stable")
    falling, hits = np.asarray(scores, dtype=np.float64)[order], np.cumsum(np.asarray(has)[order])
    last = np.flatnonzero(np.append(falling[1:] < falling[:-1], True))  # the last of each run of equal scores
    below = np.append(falling[last[1:]], 0.0)
    middles = (falling[last] + below) / 2
    middles = np.where(middles > below, middles, falling[last])  # no number lies between two that touch
    f1 = 2 * hits[last] / (last + 1 + hits[-1])  # given rows + gold rows = 2TP + FP + FN
    given = falling >= USUAL
    usual = 2 * float(hits[given.sum() - 1] if given.any() else 0) / (given.sum() + hits[-1])
    candidates = [(usual, USUAL), *zip(f1.tolist(), middles.tolist(), strict=True)]
    return float(max(candidates, key=lambda pair: (pair[0], -abs(pair[1] - USUAL)))[1])
