"""What students say of labelled rows, and how sure they are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any, Literal

from spacy_synthesizrr.candidates import ROW_VERSION
from spacy_synthesizrr.jsonl import read_jsonl, write_jsonl
from spacy_synthesizrr.labelled import LabelledRow
from spacy_synthesizrr.students.scores import LabelSet
from spacy_synthesizrr.taskfile import TaskSpec

if TYPE_CHECKING:
    import numpy as np
    from spacy.language import Language

PREDICTIONS = "predictions.jsonl"
DIGITS = 6  # of numbers in the file
LEAST = 1e-12  # of a probability, so that a loss is finite
By = Literal["chosen", "majority"]
BySeed = Mapping[int, Sequence["Prediction"]]


@dataclass(frozen=True)
class Prediction:
    """What a student says of a labelled row.

    line (int): Of the user's file.
    fields (Mapping[str, str]): All text fields of the row.
    labels (Tuple[str, ...]): Gold. predicted (Tuple[str, ...]): What the student says.
    score (float): Of the gold label; of several the lowest; 1 − the highest of all where the row has none.
    margin (float): How far the row is from the nearest mistake. One label per row: gold score − the best other one. Several: the least
        distance of a score from its label's threshold, negative on the wrong side.
    loss (float): Cross entropy in nats: −ln of the gold score; in a multi-label task the mean over labels.
    rival (str): The label that is not gold and comes closest to being given.
    """

    line: int
    fields: Mapping[str, str]
    labels: LabelSet
    predicted: LabelSet
    score: float
    margin: float
    loss: float
    rival: str = ""

    @property
    def wrong(self) -> LabelSet:
        """RETURNS (Tuple[str, ...]): The labels that the student gave and that are not gold."""
        return tuple(label for label in self.predicted if label not in self.labels)


def predict_rows(folders: Mapping[int, Path], rows: Sequence[LabelledRow], task: TaskSpec) -> dict[int, list[Prediction]]:
    """Let trained students answer.

    folders (Mapping[int, Path]): The folder of each student by its training seed; all of one config.
    RETURNS (Dict[int, List[Prediction]]): By training seed, in the order of the rows.
    """
    if task.answer:
        return {seed: predict_spans(folder, rows, task) for seed, folder in folders.items()}
    from spacy_synthesizrr.students.evaluate import load_each

    students = load_each(list(folders.values()))
    return {seed: predict(nlp, rows, task) for seed, nlp in zip(folders, students, strict=True)}


def predict_spans(folder: Path, rows: Sequence[LabelledRow], task: TaskSpec) -> list[Prediction]:
    """What one student of question answering says: the only label where its answer matches exactly, else none.

    RETURNS (List[Prediction]): Score and margin are the F1 of the answer, the loss is what it lacks of 1.
    """
    from spacy_synthesizrr.students.span import SpanRow
    from spacy_synthesizrr.students.span import predict as answers_of

    asked = [SpanRow.make(f"row:{row.line}", row.fields, task) for row in rows]
    said = answers_of(folder, asked)
    return [
        Prediction(row.line, row.fields, row.labels, row.labels if one.em else (), one.f1, one.f1, 1 - one.f1)
        for row, one in zip(rows, said, strict=True)
    ]


def predict(nlp: Language, rows: Sequence[LabelledRow], task: TaskSpec) -> list[Prediction]:
    """RETURNS (List[Prediction]): What one student says; in a multi-label task at its own thresholds."""
    from spacy_synthesizrr.students.config import StudentTask
    from spacy_synthesizrr.students.evaluate import answers_of
    from spacy_synthesizrr.students.quality.finishing import thresholds_of
    from spacy_synthesizrr.students.quality.output_layer import predict as scores_of

    if not rows:
        return []
    about = StudentTask(tuple(task.labels), task.exclusive, str(nlp.lang))
    thresholds = {} if task.exclusive else thresholds_of(nlp, about)
    scores = scores_of(nlp, [nlp.make_doc(task.student_text(row.fields)) for row in rows], about)
    answers = answers_of(scores, about, thresholds)
    return [judge(row, said, given, about.labels, thresholds) for row, said, given in zip(rows, answers, scores, strict=True)]


def judge(row: LabelledRow, said: LabelSet, scores: np.ndarray, labels: Sequence[str], thresholds: Mapping[str, float]) -> Prediction:
    """Measure one answer, see `Prediction`.

    scores (np.ndarray): Of each label, shape (labels,).
    thresholds (Mapping[str, float]): Per label in a multi-label task; empty in an exclusive one.
    """
    import numpy as np

    gold = np.array([label in row.labels for label in labels])
    least = np.array([thresholds.get(label, 0.0) for label in labels])
    right = np.clip(np.where(gold, scores, 1 - scores), LEAST, 1)
    score = float(scores[gold].min() if gold.any() else 1 - scores.max())
    others = np.where(gold, -np.inf, scores - least)
    rival = labels[int(others.argmax())] if not gold.all() else ""
    if thresholds:
        # a score that equals its threshold is given: for another label that is a mistake already
        margin, loss = float(np.where(gold, scores - least, least - scores).min()), float(-np.log(right).mean())
    else:
        margin, loss = float(scores[gold].max() - others.max()), float(-np.log(right[gold][0]))
    return Prediction(row.line, row.fields, row.labels, said, score, margin, loss, rival)


def join(found: BySeed, *, by: By = "chosen", chosen: int) -> list[Prediction]:
    """One answer per row from those of several students.

    by (str): "chosen" takes the chosen student's. "majority" takes the label set that most students give, the chosen student's first
        among equals, then that of the first student; numbers are means over students, the rival is the commonest.
    chosen (int): Training seed of the chosen student.
    """
    if by == "chosen":
        return list(found[chosen])
    order = [chosen, *(seed for seed in found if seed != chosen)]
    return [_majority(answers) for answers in zip(*(found[seed] for seed in order), strict=True)]


def _majority(answers: Sequence[Prediction]) -> Prediction:
    said = Counter(answer.predicted for answer in answers).most_common(1)[0][0]  # the first of equals
    rival = Counter(answer.rival for answer in answers).most_common(1)[0][0]
    score, margin, loss = (fmean(getattr(answer, name) for answer in answers) for name in ("score", "margin", "loss"))
    return replace(answers[0], predicted=said, rival=rival, score=score, margin=margin, loss=loss)


def write_predictions(path: Path, parts: Mapping[str, BySeed]) -> int:
    """Write what every student says: part, seed, line, gold, predicted, score, margin, loss.

    parts (Mapping): By name of the part, such as "error", what `predict_rows` gave.
    RETURNS (int): Number of rows: rows of the parts × students.
    """
    return write_jsonl(path, _rows(parts))


def _rows(parts: Mapping[str, BySeed]) -> Iterator[dict[str, Any]]:
    for part, found in parts.items():
        for seed, predictions in found.items():
            for one in predictions:
                row = {"v": ROW_VERSION, "part": part, "seed": seed, "line": one.line, "gold": list(one.labels)}
                numbers = {name: round(getattr(one, name), DIGITS) for name in ("score", "margin", "loss")}
                yield {**row, "predicted": list(one.predicted), **numbers, "rival": one.rival}


def read_predictions(path: Path, parts: Mapping[str, Sequence[LabelledRow]]) -> dict[str, dict[int, list[Prediction]]]:
    """Read what `write_predictions` wrote.

    parts (Mapping): The rows of each part, which bring the texts; parts that are not named are left out.
    RETURNS (dict): By part and training seed.
    RAISES (InputError): When the file is missing, or names a row that the part does not have.
    """
    rows = {part: {row.line: row for row in some} for part, some in parts.items()}
    found: dict[str, dict[int, list[Prediction]]] = {part: {} for part in parts}

    def make(about: Mapping[str, Any]) -> tuple[str, int, Prediction] | None:
        if about["part"] not in rows:
            return None
        row = rows[about["part"]][int(about["line"])]
        score, margin, loss = (float(about[name]) for name in ("score", "margin", "loss"))
        said, rival = tuple(about["predicted"]), str(about.get("rival", ""))
        answer = Prediction(row.line, row.fields, row.labels, said, score, margin, loss, rival)
        return str(about["part"]), int(about["seed"]), answer

    for item in read_jsonl(path, make):
        if item is not None:
            found[item[0]].setdefault(item[1], []).append(item[2])
    return found
