"""Where the rows of each arm come from: accepted candidates, their passages, seeds, labelled files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

from spacy_synthesizrr.candidates import Candidate, Passage, Seed, digest
from spacy_synthesizrr.jsonl import read_jsonl
from spacy_synthesizrr.labelled import LabelledRow, read_rows
from spacy_synthesizrr.stores.passages import batched
from spacy_synthesizrr.students.reviewed import label_score, label_source
from spacy_synthesizrr.taskfile import TaskSpec
from spacy_synthesizrr.words import comparable

BATCH = 256  # passages looked up at once
GOLD = "gold"


class Passages(Protocol):
    """The part of a store that is needed here."""

    def get(self, ids: Sequence[str]) -> list[Passage]:
        """RETURNS (List[Passage]): The passages with these ids, in this order."""


@dataclass(frozen=True)
class StudentRow:
    """What a student reads and should answer.

    id (str): A candidate's or seed's id, or kind and line of a labelled row, such as "test:7".
    source (str): Who chose the labels: "gold" for rows of the user's files, else see `reviewed.label_source`.
    score (float | None): How sure curation is of the labels, in [0, 1]; None where nothing measured it.
    weight (float): How much the row counts, where a training looks at weights; 1 is the usual.
    written (str | None): The generated field of the task alone; None where the text has no other.
    fields (Mapping[str, str]): All text fields of the task by name.
    """

    id: str
    text: str
    labels: tuple[str, ...]
    source: str = GOLD
    score: float | None = None
    weight: float = 1.0
    written: str | None = None
    fields: Mapping[str, str] = field(default_factory=dict, repr=False, compare=False)


def _row(candidate: Candidate, fields: Mapping[str, str], task: TaskSpec) -> StudentRow:
    about = label_source(candidate), label_score(candidate), candidate.weight, fields[task.generated.name], fields
    return StudentRow(candidate.id, task.student_text(fields), candidate.labels, *about)


def candidate_rows(candidates: Iterable[Candidate], task: TaskSpec) -> Iterator[StudentRow]:
    """Turn candidates into rows."""
    for candidate in candidates:
        yield _row(candidate, candidate.fields, task)


def accepted_rows(path: Path, task: TaskSpec) -> Iterator[StudentRow]:
    """Stream the rows of an accepted.jsonl."""
    return candidate_rows(read_jsonl(path, Candidate.from_dict), task)


def retrieved_rows(candidates: Iterable[Candidate], task: TaskSpec, passages: Passages, *, copies: Counter[str]) -> Iterator[StudentRow]:
    """Stream candidates with their passage in place of what the teacher wrote; rows without a passage are left out.

    copies (Counter[str]): Counts "rows", and those "equal" to their passage (see `comparable`).
    """
    name = task.generated.name
    for batch in batched((candidate for candidate in candidates if candidate.passage_id), BATCH):
        wanted = sorted({str(candidate.passage_id) for candidate in batch})
        texts = {passage.id: passage.text for passage in passages.get(wanted)}
        for candidate in batch:
            text = texts[str(candidate.passage_id)]
            copies["rows"] += 1
            copies["equal"] += comparable(text) == comparable(candidate.fields[name])
            yield _row(candidate, {**candidate.fields, name: text}, task)


def seed_rows(path: Path, task: TaskSpec) -> Iterator[StudentRow]:
    """Stream the seeds that `plan` used as train rows; descriptions of labels are no rows."""
    for seed in read_jsonl(path, Seed.from_dict):
        if seed.origin == "gold":
            written = seed.fields[task.generated.name]
            yield StudentRow(seed.id, task.student_text(seed.fields), seed.labels, written=written, fields=seed.fields)


def labelled_rows(task: TaskSpec, kind: Literal["dev", "test", "train"]) -> Iterator[StudentRow]:
    """Stream one of the task's labelled files."""
    for row in read_rows(task, kind):
        yield labelled_row(kind, row, task)


def labelled_row(kind: str, row: LabelledRow, task: TaskSpec) -> StudentRow:
    """RETURNS (StudentRow): A labelled row, whose id is its kind and its line."""
    written = row.fields[task.generated.name]
    return StudentRow(f"{kind}:{row.line}", task.student_text(row.fields), row.labels, written=written, fields=row.fields)


class KnownRows:
    """Dev and test rows by the digest of what a student reads of them (about 200 bytes each), to tell rows that equal one."""

    def __init__(self, rows: Mapping[str, Iterable[StudentRow]]) -> None:
        self._kinds: dict[str, str] = {}
        for kind, some in rows.items():
            for row in some:
                self._kinds.setdefault(digest(comparable(row.text)), kind)

    def kind(self, row: StudentRow) -> str | None:
        """RETURNS (str | None): The first kind that has an equal row."""
        return self._kinds.get(digest(comparable(row.text)))
