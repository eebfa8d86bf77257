"""The task file: one YAML per task, checked down to the line.

It names the labels (each with a *verbalization*, the phrase that completes the instruction, and a definition), the text
fields, the words of the prompt, and the files: corpus, seeds, dev, test, and gold train rows where there are any. A new
data set needs a new task file and no Python.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, model_validator

from spacy_synthesizrr.candidates import digest
from spacy_synthesizrr.errors import TaskFileError, choices
from spacy_synthesizrr.label_sets import NO_REFERENCE, REFERENCE, fault_of, fault_of_name
from spacy_synthesizrr.yaml_lines import Spec, first_problem, load_yaml, plain

TASK_FILE = "task.yml"
Name = Annotated[str, Field(min_length=1, pattern=r"^\S(.*\S)?$")]


class _Words(Spec):
    """What gets into the teacher's config, where `${` begins a reference to another section."""

    @model_validator(mode="after")
    def _refers_to_nothing(self) -> _Words:
        for name, value in self:
            if isinstance(value, str) and REFERENCE in value:
                raise ValueError(f"{name}: {NO_REFERENCE}")
        return self


class LabelSpec(_Words):
    """One label of the task."""

    verbalization: str = Field(min_length=1, description="The phrase that completes the instruction, such as 'about sport'.")
    definition: str = Field("", description="What belongs under this label, for queries, judges and annotators.")


class FieldSpec(_Words):
    """One named text field of a row."""

    name: str = Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")
    generated: bool = Field(False, description="True for the one field that the teacher writes.")
    origin: Literal["seed", "passage"] = Field("seed", alias="from", description="Where a field that is not generated comes from.")
    header: str = Field("", description="How prompts announce it; its name by default.")

    @property
    def title(self) -> str:
        """RETURNS (str): The header for prompts, without a colon."""
        return self.header or self.name.replace("_", " ").capitalize()


class PromptSpec(_Words):
    """The words that prompts are made of."""

    document_header: str = "Document:"
    instruction: str = Field(min_length=1, description="What to do with the document; {verbalization} marks the label's place.")
    instruction_without_document: str = Field("", description="The same for prompts without a document (FewGen).")
    answer_header: str = "Answer:"
    length_header: str = Field("Length:", description="What stands before the length hint.")
    length_hint: str = Field("", description="Such as 'one or two short sentences'.")
    refusal_instruction: str = Field(
        "If the text above cannot serve this, write only:", description="What stands before the refusal marker."
    )
    refusal_marker: str = Field("", description="What the teacher writes when a document cannot serve the label.")
    max_words: int = Field(120, ge=3, description="Longest text that is accepted, in words.")
    min_words: int = Field(3, ge=1, description="Shortest text that is accepted, in words.")

    @model_validator(mode="after")
    def _verbalization_has_a_place(self) -> PromptSpec:
        for text in (self.instruction, self.instruction_without_document):
            unknown = set(re.findall(r"\{(\w*)\}", text)) - {"verbalization"}
            if unknown:
                raise ValueError(f"unknown placeholder '{{{sorted(unknown)[0]}}}'; the only one is {{verbalization}}")
            if text and "{verbalization}" not in text:
                raise ValueError("{verbalization} is missing: without it the teacher is not told the label")
        return self


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
    labels: Mapping[Name, LabelSpec] = Field(min_length=2)
    label_sets: tuple[tuple[Name, ...], ...] | None = Field(None, description="Combinations to plan; by default those of the seeds.")
    fields: tuple[FieldSpec, ...] = (FieldSpec.model_validate({"name": "text", "generated": True}),)
    prompt: PromptSpec
    corpus: CorpusSpec | None = Field(None, description="May be missing where the store brings passages of its own.")
    seeds: RowsSpec | None = None
    dev: RowsSpec | None = None
    test: RowsSpec | None = None
    train: RowsSpec | None = Field(None, description="Gold train rows, for the 'gold' control only.")
    k_seeds: int = Field(5, ge=1, le=100, description="Training seeds per student and control.")

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

    def fingerprint(self) -> str:
        """RETURNS (str): Hash of what the file says, wherever it lies; comments and order of keys do not count."""
        # what a file does not say leaves the fingerprint as it was before that could be said
        return digest(self.model_dump_json(exclude={"path"} if self.label_sets else {"path", "label_sets"}))


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
