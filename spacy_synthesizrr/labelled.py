"""Labelled rows: seeds, dev, test and gold train rows as the task file describes them, checked row by row."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from spacy_synthesizrr.answer_spans import ANSWERABLE, find_answer, written_otherwise
from spacy_synthesizrr.candidates import Seed, label_key
from spacy_synthesizrr.context import PARENTS, Context
from spacy_synthesizrr.errors import InputError, TaskFileError, choices
from spacy_synthesizrr.jsonl import read_jsonl
from spacy_synthesizrr.tables import BadRow, read_table, text_fault
from spacy_synthesizrr.taskfile import RowsSpec, TaskSpec
from spacy_synthesizrr.words import comparable

Kind = Literal["seeds", "dev", "test", "train"]
SEPARATOR = "|"


@dataclass(frozen=True)
class LabelledRow:
    """A row with its labels.

    fields (Mapping[str, str]): All text fields of the task by name, without blanks around them.
    labels (Tuple[str, ...]): In the order of the task file; one in an exclusive task, in others any number, even none.
    line (int): Line of the file (Parquet: row), from 1.
    """

    fields: Mapping[str, str]
    labels: tuple[str, ...]
    line: int


def read_rows(task: TaskSpec, kind: Kind) -> Iterator[LabelledRow]:
    """Stream labelled rows of a task.

    task (TaskSpec): Names the file, its columns and the labels.
    kind (str): "seeds", "dev", "test" or "train".
    YIELDS (LabelledRow): In the order of the file.
    RAISES (TaskFileError): When the task file names no such file.
    RAISES (InputError): For the first row that is not right: file, line, value, valid labels.
    """
    path, spec = rows_file(task, kind)
    columns = {field.name: spec.fields.get(field.name, field.name) for field in task.fields}
    wanted = dict.fromkeys((*columns.values(), *(() if task.answer else (spec.label,))))
    for line, row in read_table(path, columns=wanted):
        fields = {}
        for name, column in columns.items():
            if fault := text_fault(row[column], column):
                raise BadRow(line, *fault).error(path)
            fields[name] = row[column].strip()
        if task.answer:
            _check_answer(fields[task.answer], fields[task.context], columns, task, path=path, line=line)
        yield LabelledRow(fields, _labels(task, ANSWERABLE if task.answer else row[spec.label], path=path, line=line), line)


def _check_answer(answer: str, context: str, columns: Mapping[str, str], task: TaskSpec, *, path: Path, line: int) -> None:
    """RAISES (InputError): When the answer does not stand in its context."""
    if find_answer(answer, context):
        return
    where, otherwise = columns[task.context], written_otherwise(answer, context)
    cure = f"It is written {otherwise[:80]!r} there: copy that." if otherwise else "Copy the words that answer the question from there."
    raise InputError(f"The answer {answer[:80]!r} does not stand in '{where}'.", path=path, line=line, cure=cure)


def rows_file(task: TaskSpec, kind: Kind) -> tuple[Path, RowsSpec]:
    """RETURNS (Tuple[Path, RowsSpec]): Where the rows of a kind lie and how they are laid out."""
    path, spec = task.file(kind), getattr(task, kind)
    if path is None:
        raise TaskFileError(f"The task file names no {kind} file.", path=task.path, cure=f"Add `{kind}:` with a `path:` to it.")
    return path, spec


def label_names(value: Any) -> list[str] | None:
    """The labels that a cell holds, as they stand there.

    value (Any): A text, perhaps with several labels between '|', a whole number, or a list of these.
    RETURNS (List[str] | None): Without blanks around them, each once; None when the cell holds something else.
    """
    parts = value if isinstance(value, list) else value.split(SEPARATOR) if isinstance(value, str) else [value]
    if any(isinstance(part, bool) or not isinstance(part, (str, int)) for part in parts):
        return None
    return [name for name in dict.fromkeys(str(part).strip() for part in parts) if name]


def _labels(task: TaskSpec, value: Any, *, path: Path, line: int) -> tuple[str, ...]:
    # a label may hold the separator itself
    whole = isinstance(value, str) and value.strip() in task.labels
    names = [value.strip()] if whole else label_names(value)
    if names is None:
        cure = f"{choices(value, task.labels)} Give a label, or a list of labels."
        raise InputError(f"This is not a label: {value!r}.", path=path, line=line, cure=cure)
    for name in names:
        if name not in task.labels:
            cure = f"{choices(name, task.labels)} Correct the row, or add the label to the task file."
            raise InputError(f"The label '{name}' is not in the task file.", path=path, line=line, cure=cure)
    if task.exclusive and len(names) != 1:
        shown = f"{len(names)} labels ({', '.join(names)})" if names else "no label"
        cure = f"{choices('', task.labels)} Give one, or set `exclusive: false` in the task file."
        raise InputError(f"This row has {shown}, and the labels of this task exclude each other.", path=path, line=line, cure=cure)
    return tuple(name for name in task.labels if name in names)


def read_seeds(task: TaskSpec) -> list[Seed]:
    """The seeds of a task: its gold rows, or one seed per label made of the label's description.

    RETURNS (List[Seed]): In the order of the file, a text that stands there twice once (in a task whose labels do not exclude
        each other with the labels of both rows); without a seeds file one per label, of origin "description". Where the task gives
        label sets, a set without a seed gets one of its labels' descriptions.
    RAISES (InputError): For a row that is not right, one text under two labels that exclude each other, a label without a seed,
        or labels that are none of the task's label sets.
    """
    sets = task.given_sets()
    if task.seeds is None:
        return [task.description(labels) for labels in sets or [(label,) for label in task.labels]]
    path, _ = rows_file(task, "seeds")
    rows: dict[tuple[str, ...], LabelledRow] = {}
    for row in read_rows(task, "seeds"):
        if not row.labels:
            raise InputError(
                "This seed has no label.", path=path, line=row.line, cure=f"{choices('', task.labels)} Give one or remove the row."
            )
        key = tuple(comparable(text) for text in row.fields.values())
        rows[key] = _merge(task, rows[key], row, path) if key in rows else row
    there = {label for row in rows.values() for label in row.labels}
    for label in task.labels:
        if label not in there:
            raise InputError(
                f"The label '{label}' has no seed ({len(rows)} seeds, of: {', '.join(sorted(there))}).",
                path=path, cure="Add one, or take `seeds:` out of the task file: then the labels' descriptions are the seeds.",
            )  # fmt: skip
    seeds = [Seed.make(row.labels, row.fields) for row in rows.values()]
    return seeds if sets is None else [*seeds, *_of_given_sets(task, sets, rows.values(), path)]


def run_seeds(ctx: Context) -> list[Seed]:
    """RETURNS (List[Seed]): The seeds of a run's task; in a round of a loop the parents of its rows come after them.

    RAISES (InputError): See `read_seeds`.
    """
    parents = ctx.inputs["files"].get(PARENTS)
    return [*read_seeds(ctx.task), *(read_jsonl(Path(parents["path"]), Seed.from_dict) if parents else ())]


def _of_given_sets(task: TaskSpec, sets: Sequence[tuple[str, ...]], rows: Iterable[LabelledRow], path: Path) -> list[Seed]:
    """RETURNS (List[Seed]): Descriptions for the sets of which there is no seed."""
    bare = list(sets)
    for row in rows:
        if row.labels not in sets:
            cure = f"{choices('', map(label_key, sets))} Add its set to `label_sets` in the task file, or remove the row."
            raise InputError(
                f"This seed is '{label_key(row.labels)}', which is none of the label sets.", path=path, line=row.line, cure=cure
            )
        if row.labels in bare:
            bare.remove(row.labels)
    if bare and task.carried:
        cure = f"Add one: the field '{task.carried[0].name}' can only come from seeds. Or take the set out of `label_sets`."
        raise InputError(f"The label set '{label_key(bare[0])}' has no seed.", path=path, cure=cure)
    return [task.description(labels) for labels in bare]


def _merge(task: TaskSpec, old: LabelledRow, new: LabelledRow, path: Path) -> LabelledRow:
    if task.exclusive and old.labels != new.labels:
        raise InputError(
            f"This text is '{label_key(new.labels)}' here and '{label_key(old.labels)}' in line {old.line}.",
            path=path, line=new.line, cure="These labels exclude each other: remove one of the two rows.",
        )  # fmt: skip
    both = tuple(label for label in task.labels if label in (*old.labels, *new.labels))
    return LabelledRow(old.fields, both, old.line)
