"""Which rows count as errors of a student."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from pydantic import Field, model_validator

from spacy_synthesizrr.configs import Settings
from spacy_synthesizrr.errors import ConfigError, choices
from spacy_synthesizrr.loop.predictions import By, Prediction
from spacy_synthesizrr.taskfile import TaskSpec

MISCLASSIFIED, MARGIN, LOSS, F1 = "misclassified", "margin", "loss", "f1"
AUTO: Literal["auto"] = "auto"


class ErrorSettings(Settings):
    """The section [errors].

    criterion (str): "misclassified" (as in the paper): the answer is not gold, in a multi-label task not the same set. "margin": the
        margin lies below the threshold, so that narrow escapes count, too. "loss": the loss lies above it. See `Prediction` for both.
        In question answering, "misclassified": the answer is no exact match, and "f1": its F1 lies below the threshold.
    threshold (float | None): Needed for "margin", "loss" and "f1".
    by (str): Whose answers count where several students were trained: those of the "chosen" one, or the "majority".
    confusions (Tuple[Tuple[str, str], ...]): Pairs of gold label and predicted label; only errors of these kinds count. None: all do.
    clusters ("auto" | int): Clusters of the errors of each label over which the budget is spread; 0 or 1 makes none.
    max (int | None): Most errors that are extrapolated in a round; null means all.
    min_new (int): Fewer errors than this end the loop.
    """

    criterion: Literal["misclassified", "margin", "loss", "f1"] = "misclassified"
    threshold: float | None = Field(None, allow_inf_nan=False)
    by: By = "chosen"
    confusions: tuple[tuple[str, str], ...] = ()
    clusters: Literal["auto"] | int = AUTO
    max: int | None = Field(None, ge=1)
    min_new: int = Field(1, ge=1)

    @model_validator(mode="after")
    def _threshold_fits_the_criterion(self) -> ErrorSettings:
        if self.criterion == MISCLASSIFIED and self.threshold is not None:
            raise ValueError(
                f'threshold = {self.threshold:g} is read by no one with criterion = "{MISCLASSIFIED}"; '
                f'set criterion to "{MARGIN}" or "{LOSS}", or take threshold out'
            )
        if self.criterion != MISCLASSIFIED and self.threshold is None:
            usual = {MARGIN: 0.2, LOSS: 0.7, F1: 0.5}[self.criterion]
            raise ValueError(f'criterion = "{self.criterion}" needs a threshold, such as threshold = {usual}')
        if self.criterion == LOSS and self.threshold is not None and self.threshold < 0:
            raise ValueError(f"a loss is never negative, so threshold must be 0 or more (was: {self.threshold:g})")
        if isinstance(self.clusters, int) and self.clusters < 0:
            raise ValueError(f'clusters must be "auto" or a whole number from 0 (was: {self.clusters})')
        for gold, said in self.confusions:
            if gold == said:
                raise ValueError(f'confusions are pairs of two labels, gold and predicted (was: ["{gold}", "{said}"])')
        return self


@dataclass(frozen=True)
class Errors:
    """The errors among some predictions.

    found (Tuple[Prediction, ...]): Those that can be extrapolated, in the order of the rows.
    rows (int): Rows that were looked at.
    without_label (int): Errors on rows without a gold label, of which there is nothing to write.
    off_target (int): Errors of a kind that `confusions` does not name.
    """

    found: tuple[Prediction, ...]
    rows: int
    without_label: int = 0
    off_target: int = 0

    def few(self, settings: ErrorSettings) -> bool:
        """RETURNS (bool): Whether there are too few for another round."""
        return len(self.found) < settings.min_new


def check_errors(settings: ErrorSettings, task: TaskSpec) -> None:
    """RAISES (ConfigError): When `confusions` names a label that the task does not have, or the criterion is of another kind of task."""
    if (settings.criterion == F1) != bool(task.answer) and settings.criterion != MISCLASSIFIED:
        valid = (MISCLASSIFIED, F1) if task.answer else (MISCLASSIFIED, MARGIN, LOSS)
        kind = "has `answer`" if task.answer else "has labels"
        raise ConfigError(f'[errors] criterion = "{settings.criterion}", and the task {kind}. {choices("", valid)}')
    for pair in settings.confusions:
        for label in pair:
            if label not in task.labels:
                raise ConfigError(f"[errors] confusions: there is no label '{label}'. {choices(label, task.labels)}")


def is_error(one: Prediction, settings: ErrorSettings) -> bool:
    """RETURNS (bool): Whether a prediction is an error by the criterion, whatever its kind."""
    if settings.criterion == MISCLASSIFIED or settings.threshold is None:
        return set(one.predicted) != set(one.labels)
    return one.loss > settings.threshold if settings.criterion == LOSS else one.margin < settings.threshold


def is_confusion(one: Prediction, pair: tuple[str, str]) -> bool:
    """Whether an error is of a kind: gold has the first label, and the student gave the second one instead, or nearly did.

    Where the student gave no wrong label (it missed one, or the criterion caught a narrow escape), the rival stands for it.
    """
    gold, said = pair
    return gold in one.labels and (said in one.wrong if one.wrong else said == one.rival)


def find_errors(predictions: Iterable[Prediction], settings: ErrorSettings) -> Errors:
    """Find the errors.

    predictions (Iterable[Prediction]): One per row of the error part.
    """
    found, rows, bare, off = [], 0, 0, 0
    for one in predictions:
        rows += 1
        if not is_error(one, settings):
            continue
        if not one.labels:
            bare += 1
        elif settings.confusions and not any(is_confusion(one, pair) for pair in settings.confusions):
            off += 1
        else:
            found.append(one)
    return Errors(tuple(found), rows, bare, off)
