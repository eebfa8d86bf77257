"""What trained students answer on the test set, and how good that is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import spacy

from spacy_synthesizrr.students.export import ROW_ID, read_docs
from spacy_synthesizrr.students.scores import LabelSet, macro_f, main_score, per_label

if TYPE_CHECKING:
    from spacy.language import Language
    from spacy.tokens import Doc

    from spacy_synthesizrr.students.config import StudentTask


@dataclass(frozen=True)
class Gold:
    """A labelled set, tokenized once for all students.

    docs (Sequence[Doc]): The texts.
    labels (Sequence[LabelSet]): Their labels.
    lines (Sequence[int]): Their lines in the user's file.
    """

    docs: Sequence[Doc]
    labels: Sequence[LabelSet]
    lines: Sequence[int]


@dataclass(frozen=True)
class Scored:
    """One student on the test set."""

    score: float
    macro_f: float
    per_label: dict[str, dict[str, Any]]
    answers: Sequence[LabelSet]


def read_gold(path: Path, nlp: Language, task: StudentTask) -> Gold:
    """Read a set that `export` wrote; texts are tokenized by the student, as they will be in use.

    path (Path): A .spacy file, or a folder of shards.
    """
    docs, labels, lines = [], [], []
    for stored in read_docs(path, nlp.vocab):
        docs.append(nlp.make_doc(stored.text))
        labels.append(tuple(label for label in task.labels if stored.cats[label] > 0.5))
        lines.append(int(stored.user_data[ROW_ID].rpartition(":")[2]))
    return Gold(docs, labels, lines)


def load_each(folders: Sequence[Path]) -> Iterator[Language]:
    """Load students of one config one after the other, each into the pipeline of the one before (ten times faster).

    YIELDS (Language): The same object, holding the next student; use it before asking for the next.
    """
    nlp = None
    for folder in folders:
        if nlp is None:
            nlp = spacy.load(folder)
        else:
            for name, component in nlp.pipeline:
                component.from_disk(folder / name, exclude=["vocab"])  # type: ignore[attr-defined]
        yield nlp


def answer(nlp: Language, docs: Sequence[Doc], task: StudentTask) -> list[LabelSet]:
    """The label sets that a student gives.

    Exclusive: the label with the highest score, the first of equals. Otherwise: every label that reaches the component's
    threshold.
    """
    threshold = float(nlp.get_pipe(task.component).cfg["threshold"])  # type: ignore[attr-defined]
    answers: list[LabelSet] = []
    for doc in nlp.pipe(docs):
        if task.exclusive:
            answers.append((max(task.labels, key=lambda label: doc.cats[label]),))
        else:
            answers.append(tuple(label for label in task.labels if doc.cats[label] >= threshold))
    return answers


def score(nlp: Language, gold: Gold, task: StudentTask) -> Scored:
    """Score one student."""
    answers = answer(nlp, gold.docs, task)
    labels = task.labels
    return Scored(
        main_score(gold.labels, answers, labels), macro_f(gold.labels, answers, labels), per_label(gold.labels, answers, labels), answers
    )
