"""What people see of a row and what they are asked: made from the task file, without any review tool.

The names of questions, metadata and vectors are fixed, so that the code which reads answers need not know the task; a text
field of the task whose name is among them gets a "_". Every field is Markdown: Argilla writes plain ones into its page as HTML,
and `marking.escaped` makes a text harmless in both.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace

from argilla_bridge.rows import FIX, KEEP, REJECT, UNUSABLE
from argilla_bridge.settings import ReviewSettings
from argilla_bridge.showing.guidelines import guidelines
from spacy_synthesizrr.candidates import digest
from spacy_synthesizrr.errors import TaskFileError
from spacy_synthesizrr.taskfile import FieldSpec, TaskSpec

LABEL, VERDICT, CORRECTED, REASON = "label", "verdict", "corrected", "reason"
QUESTIONS = (LABEL, VERDICT, CORRECTED, REASON)
PASSAGE, SEED, ANSWERS = "passage", "seed", "answers"
TEXT_VECTOR, PASSAGE_VECTOR = "text_vector", "passage_vector"
VECTORS = {TEXT_VECTOR: "Text", PASSAGE_VECTOR: "Passage"}
PLANNED_LABEL = "planned_label"  # "label" is the question
ABOUT = "about"  # of a row for a judge: the row on which people disagreed; in a file a column
# name -> title, kind
METADATA = {
    PLANNED_LABEL: ("Label asked for", "terms"),
    "strategy": ("Strategy", "terms"),
    "round": ("Round", "integer"),
    "teacher": ("Teacher", "terms"),
    "similarity": ("Similarity of the passage to its query", "float"),
    "rank": ("Rank of the passage", "integer"),
    "margin": ("Margin of the passage to the other labels", "float"),
    "copy_rate": ("Share of words copied from the passage", "float"),
    "neighbour": ("Nearest other row", "terms"),
    "label_score": ("Score of the label", "float"),
    "confidence": ("Confidence of the student while it learned", "float"),
    "priority": ("Priority", "float"),
    "blind": ("Without a suggestion", "terms"),
    "candidate": ("Candidate", "terms"),
    ABOUT: ("Row on which people disagreed", "terms"),
}
# what a file for review has beside fields and questions; "priority" is among the metadata
FILE_COLUMNS = ("id", "task", "dataset", "suggestion", "suggestion_score", "user", "status", "run", "v")
RESERVED = frozenset((*QUESTIONS, PASSAGE, SEED, ANSWERS, *VECTORS, *METADATA, *FILE_COLUMNS))
# what the server takes (argilla-server 2.8: constants.py, api/schemas/v1/questions.py and fields.py)
MOST_LABELS, LONGEST_LABEL, LONGEST_TITLE = 500, 200, 500


@dataclass(frozen=True)
class FieldShape:
    """A text that people see.

    title (str): What stands above it.
    markdown (bool): Whether it is rendered.
    required (bool): Whether every row has it.
    """

    name: str
    title: str
    markdown: bool
    required: bool


@dataclass(frozen=True)
class QuestionShape:
    """Something that people are asked.

    kind (str): "label", "multi_label" or "text".
    labels (Tuple[str, ...]): The values to choose from; none for a text.
    description (str): What stands beside it.
    """

    name: str
    title: str
    kind: str
    labels: tuple[str, ...]
    required: bool
    description: str = ""


@dataclass(frozen=True)
class MetadataShape:
    """Something that people filter and sort by; kind is "terms", "float" or "integer"."""

    name: str
    title: str
    kind: str


@dataclass(frozen=True)
class VectorShape:
    """Vectors for find-similar."""

    name: str
    title: str
    dimensions: int


@dataclass(frozen=True)
class ReviewSchema:
    """A dataset for review.

    mode (str): "fast" or "careful".
    labels (Tuple[str, ...]): Of the task, in its order.
    exclusive (bool): Whether a row has exactly one of them.
    guidelines (str): Markdown.
    min_submitted (int): People per row.
    task (str): Name of the task.
    """

    mode: str
    labels: tuple[str, ...]
    exclusive: bool
    fields: tuple[FieldShape, ...]
    questions: tuple[QuestionShape, ...]
    metadata: tuple[MetadataShape, ...]
    vectors: tuple[VectorShape, ...]
    guidelines: str
    min_submitted: int
    task: str

    def fingerprint(self) -> str:
        """RETURNS (str): Hash of what answers depend on: task name, questions and fields. Titles, guidelines, metadata, vectors and
        the number of people may change without making an answer worth less.
        """
        fields = [(shape.name, shape.markdown) for shape in self.fields]
        questions = [(shape.name, shape.kind, shape.labels, shape.required) for shape in self.questions]
        return digest("schema", self.task, json.dumps([fields, questions], ensure_ascii=False))

    def question(self, name: str) -> QuestionShape | None:
        """RETURNS (QuestionShape | None): The question of a name, when it is asked."""
        return next((shape for shape in self.questions if shape.name == name), None)


def review_schema(
    task: TaskSpec,
    settings: ReviewSettings,
    *,
    dimensions: Mapping[str, int],
    adjudication: bool = False,
    examples: Mapping[str, tuple[str, ...]] | None = None,
) -> ReviewSchema:
    """The shape of one dataset of a run.

    task (TaskSpec): Labels with their definitions, text fields.
    settings (ReviewSettings): Mode and people per row.
    dimensions (Mapping[str, int]): Vector name (of `VECTORS`) → numbers in it; empty for none.
    adjudication (bool): The dataset for ties, which shows what others answered; one person decides.
    examples (Mapping[str, Sequence[str]]): Texts per label for the guidelines.
    RAISES (TaskFileError): When a label cannot be an answer.
    """
    _check_labels(task, settings)
    return ReviewSchema(
        mode=settings.mode,
        labels=tuple(task.labels),
        exclusive=task.exclusive,
        fields=_fields(task, adjudication=adjudication),
        questions=_careful(task) if settings.mode == "careful" else (_fast(task),),
        metadata=tuple(MetadataShape(name, title, kind) for name, (title, kind) in METADATA.items()),
        vectors=tuple(VectorShape(name, title, dimensions[name]) for name, title in VECTORS.items() if name in dimensions),
        guidelines=guidelines(task, settings, examples or {}),
        min_submitted=1 if adjudication else settings.min_submitted,
        task=task.name,
    )


def for_several(schema: ReviewSchema, settings: ReviewSettings) -> ReviewSchema:
    """RETURNS (ReviewSchema): The main dataset's, for the one whose rows several people answer."""
    return replace(schema, min_submitted=settings.overlap_submitted)


def field_names(task: TaskSpec) -> dict[str, str]:
    """RETURNS (Dict[str, str]): Each text field of the task → its name in review: the same, but for those that are taken."""
    names: dict[str, str] = {}
    own = {spec.name for spec in task.fields}
    for spec in task.fields:
        name = spec.name
        while name in RESERVED or name in names.values() or (name != spec.name and name in own):
            name += "_"
        names[spec.name] = name
    return names


def _check_labels(task: TaskSpec, settings: ReviewSettings) -> None:
    most = MOST_LABELS - (settings.mode == "fast")
    if len(task.labels) > most:
        raise TaskFileError(f"{len(task.labels)} labels are too many to review: {most} at most.", path=task.path, cure="Join some of them.")
    for label in task.labels:
        if len(label) > LONGEST_LABEL:
            problem = f"The label '{label[:40]}…' is too long to review ({len(label)} characters, {LONGEST_LABEL} at most)."
            raise TaskFileError(problem, path=task.path, cure="Give it a shorter name and say the rest in its definition.")
        if label == UNUSABLE and settings.mode == "fast":
            problem = f"The label '{UNUSABLE}' is also the answer for rows that are no good."
            raise TaskFileError(problem, path=task.path, cure='Rename the label, or set mode = "careful" in [review].')


def _fields(task: TaskSpec, *, adjudication: bool) -> tuple[FieldShape, ...]:
    names = field_names(task)
    shapes = [_field(names[spec.name], _title(spec), required=True) for spec in task.fields]
    shapes += [_field(PASSAGE, "Passage it was made from (copied words are marked)"), _field(SEED, "Seed: a text of the kind asked for")]
    if adjudication:
        shapes.append(_field(ANSWERS, "What others answered"))
    return tuple(shapes)


def _field(name: str, title: str, *, required: bool = False) -> FieldShape:
    return FieldShape(name, title[:LONGEST_TITLE], markdown=True, required=required)


def _title(spec: FieldSpec) -> str:
    return spec.title.rstrip(": ") or spec.name


def _fast(task: TaskSpec) -> QuestionShape:
    # the only question, and a required one: with one label to choose, a single key submits the row
    kind, title = ("label", "Which label fits?") if task.exclusive else ("multi_label", "Which labels fit?")
    about = f"'{UNUSABLE}' turns the row away: no label fits, or the text is broken."
    return QuestionShape(LABEL, title, kind, (*task.labels, UNUSABLE), True, about)


def _careful(task: TaskSpec) -> tuple[QuestionShape, ...]:
    """In a task whose labels exclude each other each answer has one, so that nobody keeps a row and forgets its label; else none may
    fit.
    """
    kind, title = ("label", "Which label fits best?") if task.exclusive else ("multi_label", "Which labels fit?")
    verdict = f"'{KEEP}': good as it is, with the label chosen here. '{FIX}': good once it is corrected below. '{REJECT}': no good."
    return (
        QuestionShape(LABEL, title, kind, tuple(task.labels), task.exclusive),
        QuestionShape(VERDICT, "Keep it?", "label", (KEEP, FIX, REJECT), True, verdict),
        QuestionShape(CORRECTED, "Corrected text", "text", (), False, f"The whole text as it should be, for '{FIX}'."),
        QuestionShape(REASON, "Why?", "text", (), False, "A few words for those who read the result."),
    )
