"""The task file: one YAML per task, checked down to the line.

It names the labels (each with a *verbalization*, the phrase that completes the instruction, and a definition), the text
fields, the words of the prompt, and the files: corpus, seeds, dev, test, and gold train rows where there are any. A new
data set needs a new task file and no Python.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, ValidationInfo, field_validator, model_validator

from spacy_synthesizrr.answer_spans import ANSWERABLE, fault_of_answer, fault_of_labels
from spacy_synthesizrr.candidates import DESCRIPTION, Seed, digest
from spacy_synthesizrr.errors import TaskFileError, choices
from spacy_synthesizrr.label_sets import fault_of, fault_of_name
from spacy_synthesizrr.prompt_spec import PromptSpec, Words
from spacy_synthesizrr.yaml_lines import Spec, first_problem, load_yaml, plain

TASK_FILE = "task.yml"
Name = Annotated[str, Field(min_length=1, pattern=r"^\S(.*\S)?$")]


class LabelSpec(Words):
    """One label of the task."""

    verbalization: str = Field(min_length=1, description="The phrase that completes the instruction, such as 'about sport'.")
    definition: str = Field("", description="What belongs under this label, for queries, judges and annotators.")


class FieldSpec(Words):
    """One named text field of a row."""

    name: str = Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")
    generated: bool = Field(False, description="True for the one field that the teacher writes.")
    origin: Literal["seed", "passage"] = Field("seed", alias="from", description="Where a field that is not generated comes from.")
    header: str = Field("", description="How prompts announce it; its name by default.")

    @property
    def title(self) -> str:
        """RETURNS (str): The header for prompts, without a colon."""
        return self.header or self.name.replace("_", " ").capitalize()


class CorpusSpec(Spec):
    """The unlabelled text."""

    path: str
    text: str = Field("text", description="Column of the text.")
    id: str = Field("", description="Column of the document's id; the row number by default.")
    source: str = Field("", description="Column of the source.")
    title: str = Field("", description="Column of a title, which goes in front of the first passage when given.")
    meta: tuple[str, ...] = Field((), description="Other columns to keep with every passage.")
    vector: str = Field("", description="Column of the vector, a list of numbers; each row is one passage then.")

    @model_validator(mode="after")
    def _can_hold_lists(self) -> CorpusSpec:
        if self.vector and self.path.lower().endswith((".csv", ".csv.gz")):
            raise ValueError(
                f"vector: '{self.vector}' cannot be a column of {self.path}: CSV holds no lists. Save it as .jsonl or .parquet"
            )
        return self


class RowsSpec(Spec):
    """A file of labelled rows."""

    path: str
    label: str = Field("label", description="Column of the label, or of a list of labels (in CSV: separated by '|').")
    fields: Mapping[str, str] = Field(default_factory=dict, description="Column of each text field; its own name by default.")


class TaskSpec(Spec):
    """Everything that one task file says. `path` is the file's own place."""

    path: Path
    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")
    exclusive: bool = True
    answer: str = Field("", description="Question answering: the field that must stand in the other carried one; no labels then.")
    labels: Mapping[Name, LabelSpec] = Field(min_length=1)
    label_sets: tuple[tuple[Name, ...], ...] | None = Field(None, description="Combinations to plan; by default those of the seeds.")
    fields: tuple[FieldSpec, ...] = (FieldSpec.model_validate({"name": "text", "generated": True}),)
    prompt: PromptSpec
    corpus: CorpusSpec | None = Field(None, description="May be missing where the store brings passages of its own.")
    seeds: RowsSpec | None = None
    dev: RowsSpec | None = None
    test: RowsSpec | None = None
    train: RowsSpec | None = Field(None, description="Gold train rows, for the 'gold' control only.")
    k_seeds: int = Field(5, ge=1, le=100, description="Training seeds per student and control.")

    @model_validator(mode="before")
    @classmethod
    def _answers_need_no_labels(cls, data: Any) -> Any:
        if not isinstance(data, dict) or not data.get("answer"):
            return data
        prompt = data.get("prompt")  # whose words end with what the teacher goes on from: here that is no answer
        asked = {"prompt": {"answer_header": "Question:", **prompt}} if isinstance(prompt, dict) else {}
        return {"labels": {ANSWERABLE: {"verbalization": ANSWERABLE}}, **data, **asked}

    @field_validator("labels", "prompt")
    @classmethod
    def _fit_answers(cls, value: Any, info: ValidationInfo) -> Any:
        answer = bool(info.data.get("answer"))
        if fault := value.lacks(labels=not answer) if isinstance(value, PromptSpec) else fault_of_labels(value, answer=answer):
            raise ValueError(fault)
        return value

    @model_validator(mode="after")
    def _fields_are_sound(self) -> TaskSpec:
        names = [spec.name for spec in self.fields]
        if len(set(names)) < len(names):
            raise ValueError(f"two text fields have the same name: {', '.join(names)}")
        if sum(spec.generated for spec in self.fields) != 1:
            raise ValueError("exactly one of the text fields must have `generated: true`")
        for label in self.labels:
            if fault := fault_of_name(label, exclusive=self.exclusive):
                raise ValueError(f"the label '{label}': {fault}")
        if self.label_sets is not None and (fault := fault_of(self.label_sets, self.labels, exclusive=self.exclusive)):
            raise ValueError(fault)
        if self.seeds is None and any(spec.origin == "seed" for spec in self.carried):
            raise ValueError("seeds are missing: the fields with `from: seed` can only come from them")
        for kind in ("seeds", "dev", "test", "train"):
            rows = getattr(self, kind)
            for name in rows.fields if rows else ():
                if name not in names:
                    raise ValueError(f"{kind}.fields: there is no text field '{name}'. {choices(name, names)}")
        return self

    @model_validator(mode="after")
    def _answers_have_a_context(self) -> TaskSpec:
        origins = {spec.name: spec.origin for spec in self.carried}
        if self.answer and (fault := fault_of_answer(self.answer, origins, exclusive=self.exclusive)):
            raise ValueError(fault)
        return self

    def given_sets(self) -> tuple[tuple[str, ...], ...] | None:
        """RETURNS (Tuple[Tuple[str, ...], ...] | None): `label_sets`, each in the order of the labels; None when there are none."""
        if self.label_sets is None:
            return None
        return tuple(tuple(label for label in self.labels if label in one) for one in self.label_sets)

    @property
    def generated(self) -> FieldSpec:
        """RETURNS (FieldSpec): The field that the teacher writes."""
        return next(spec for spec in self.fields if spec.generated)

    @property
    def carried(self) -> tuple[FieldSpec, ...]:
        """RETURNS (Tuple[FieldSpec, ...]): The other fields."""
        return tuple(spec for spec in self.fields if not spec.generated)

    @property
    def context(self) -> str:
        """RETURNS (str): The field that the answer stands in; empty without `answer`."""
        return next((spec.name for spec in self.carried if spec.name != self.answer), "") if self.answer else ""

    def file(self, kind: str) -> Path | None:
        """The place of one of the task's files; relative paths start at the task file's folder.

        kind (str): "corpus", "seeds", "dev", "test" or "train".
        """
        spec = getattr(self, kind)
        return None if spec is None else self.path.parent / spec.path

    def need_corpus(self) -> CorpusSpec:
        """RETURNS (CorpusSpec): The corpus.

        RAISES (TaskFileError): When the file names none.
        """
        if self.corpus is None:
            cure = "Name the file with the passages, or use a store that has its own, such as synthesizrr.WeaviateCollection.v1."
            raise TaskFileError("'corpus' is missing.", path=self.path, cure=cure)
        return self.corpus

    def student_text(self, fields: Mapping[str, str]) -> str:
        """RETURNS (str): What a student reads of a row: its fields in order, one a line."""
        return "\n".join(fields[spec.name] for spec in self.fields)

    def label_text(self, label: str) -> str:
        """RETURNS (str): A description of a label that can serve as a query: name, verbalization, definition."""
        spec = self.labels[label]
        return ". ".join(part for part in (label, spec.verbalization, spec.definition) if part)

    def set_text(self, labels: Sequence[str]) -> str:
        """RETURNS (str): The descriptions of several labels, one after the other."""
        return ". ".join(self.label_text(label) for label in labels)

    def description(self, labels: Sequence[str]) -> Seed:
        """RETURNS (Seed): What asks for a label set without a row of it: its description."""
        return Seed.make(labels, {self.generated.name: self.set_text(labels)}, DESCRIPTION)

    def fingerprint(self) -> str:
        """RETURNS (str): Hash of what the file says, wherever it lies; comments and order of keys do not count."""
        # what a file does not say leaves the fingerprint as it was before that could be said
        unsaid: dict[str, Any] = {"path": True, "prompt": self.prompt.unsaid, **({} if self.answer else {"answer": True})}
        return digest(self.model_dump_json(exclude=unsaid if self.label_sets else {**unsaid, "label_sets": True}))


def read_task(path: Path | str) -> TaskSpec:
    """Read and lint a task file.

    path (Path): The file, or the folder that holds a `task.yml`.
    RETURNS (TaskSpec): What it says.
    RAISES (TaskFileError): With file and line for the first thing that is wrong; the others are counted.
    """
    path = Path(path)
    if path.is_dir():
        path = path / TASK_FILE
    if not path.is_file():
        cure = "Give the folder of a task.yml, or write one with: synthesizrr init FOLDER"
        raise TaskFileError("There is no task file here.", path=path, cure=cure)
    data = load_yaml(path, TaskFileError)
    if not isinstance(data, dict):
        raise TaskFileError("A task file is a mapping with the keys name, labels, prompt, corpus …; this is none.", path=path, line=1)
    try:
        return TaskSpec.model_validate({**plain(data), "path": path.resolve()})
    except ValidationError as error:
        raise first_problem(error, path, data, _keys_at, TaskFileError) from None


def _keys_at(location: tuple[Any, ...]) -> list[str]:
    """The valid keys of the mapping at a place of the task file."""
    if not location:
        return [name for name in TaskSpec.model_fields if name != "path"]
    inner: Mapping[str, type[Spec]] = {
        "labels": LabelSpec, "fields": FieldSpec, "prompt": PromptSpec, "corpus": CorpusSpec,
    }  # fmt: skip
    model = inner.get(str(location[0]), RowsSpec)
    return [spec.alias or name for name, spec in model.model_fields.items()]
