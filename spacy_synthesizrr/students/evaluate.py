"""What trained students answer on the test set, and how good that is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import spacy

from spacy_synthesizrr.jsonl import read_json
from spacy_synthesizrr.students.export import ROW_ID, read_docs
from spacy_synthesizrr.students.quality.calibration import Array, ece
from spacy_synthesizrr.students.quality.finishing import META, thresholds_of
from spacy_synthesizrr.students.quality.measured import Calibration, measure
from spacy_synthesizrr.students.quality.output_layer import predict
from spacy_synthesizrr.students.scores import LabelSet, macro_f, main_score, per_label

if TYPE_CHECKING:
    from spacy.language import Language
    from spacy.tokens import Doc

    from spacy_synthesizrr.students.config import StudentTask


@dataclass(frozen=True)
class Gold:
    """A labelled set, tokenized once for all students.

    docs (Sequence[Doc]): The texts, none of them empty.
    labels (Sequence[LabelSet]): Their labels.
    lines (Sequence[int]): Their lines in the user's file.
    """

    docs: Sequence[Doc]
    labels: Sequence[LabelSet]
    lines: Sequence[int]

    def matrix(self, labels: Sequence[str]) -> Array:
        """RETURNS (Array): Rows × labels: 1 for the labels that a row has, 0 for the others."""
        found = [[float(label in has) for label in labels] for has in self.labels]
        return np.array(found, dtype=np.float64).reshape(len(found), len(labels))


@dataclass(frozen=True)
class Scored:
    """One student on the test set.

    score (float): Accuracy or micro F.
    ece (float | None): Calibration error of its scores, see `quality.calibration.ece`; None without rows.
    """

    score: float
    macro_f: float
    per_label: dict[str, dict[str, Any]]
    answers: Sequence[LabelSet]
    ece: float | None


def read_gold(path: Path, nlp: Language, task: StudentTask) -> Gold:
    """Read a set that `export` wrote; texts are tokenized by the student, as they will be in use.

    Rows without a text are left out, as they are in training and in `spacy evaluate`: spaCy gives them no scores.
    path (Path): A .spacy file, or a folder of shards.
    """
    docs, labels, lines = [], [], []
    for stored in read_docs(path, nlp.vocab):
        if not len(stored):
            continue
        docs.append(nlp.make_doc(stored.text))
        labels.append(tuple(label for label in task.labels if stored.cats[label] > 0.5))
        lines.append(int(stored.user_data[ROW_ID].rpartition(":")[2]))
    return Gold(docs, labels, lines)


def load_each(folders: Sequence[Path]) -> Iterator[Language]:
    """Load students of one config one after the other, each into the pipeline of the one before (ten times faster).

    YIELDS (Language): The same object, holding the next student and what its meta.json says; use it before asking for the next.
    """
    nlp = None
    for folder in folders:
        if nlp is None:
            nlp = spacy.load(folder)
        else:
            for name, component in nlp.pipeline:
                component.from_disk(folder / name, exclude=["vocab"])  # type: ignore[attr-defined]
            nlp.meta[META] = read_json(folder / "meta.json").get(META, {})  # thresholds are each student's own
        yield nlp


def answer(nlp: Language, docs: Sequence[Doc], task: StudentTask) -> list[LabelSet]:
    """The label sets that a student gives.

    Exclusive: the label with the highest score, the first of equals. Otherwise: every label that reaches its threshold, see
    `thresholds_of`.
    """
    return answers_of(predict(nlp, docs, task), task, thresholds_of(nlp, task))


def answers_of(scores: Array, task: StudentTask, thresholds: Mapping[str, float]) -> list[LabelSet]:
    """See `answer`.

    scores (Array): Rows × labels.
    """
    if task.exclusive:
        return [(task.labels[best],) for best in scores.argmax(axis=1).tolist()] if len(scores) else []
    least = np.array([thresholds[label] for label in task.labels])
    return [tuple(label for label, given in zip(task.labels, row, strict=True) if given) for row in (scores >= least).tolist()]


def score(nlp: Language, gold: Gold, task: StudentTask) -> Scored:
    """Score one student."""
    scores, labels = predict(nlp, gold.docs, task), task.labels
    answers = answers_of(scores, task, thresholds_of(nlp, task))
    error = ece(scores, gold.matrix(labels), exclusive=task.exclusive) if len(scores) else None
    return Scored(
        main_score(gold.labels, answers, labels),
        macro_f(gold.labels, answers, labels),
        per_label(gold.labels, answers, labels),
        answers,
        error,
    )


def calibration(nlp: Language, gold: Gold, task: StudentTask) -> Calibration | None:
    """RETURNS (Calibration | None): What a student's temperature is worth on these rows; None without rows."""
    return measure(nlp, gold.docs, gold.matrix(task.labels), task) if gold.docs else None
