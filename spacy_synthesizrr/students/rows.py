"""Where the rows of each arm come from: accepted candidates, their passages, seeds, labelled files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Literal, Protocol

from spacy_synthesizrr.candidates import Candidate, Passage
from spacy_synthesizrr.jsonl import read_jsonl
from spacy_synthesizrr.labelled import read_rows, read_seeds
from spacy_synthesizrr.taskfile import TaskSpec

BATCH = 256  # passages looked up at once


class Passages(Protocol):
    """The part of a store that is needed here."""

    def get(self, ids: Sequence[str]) -> list[Passage]:
        """RETURNS (List[Passage]): The passages with these ids, in this order."""


@dataclass(frozen=True)
class StudentRow:
    """What a student reads and should answer.

    id (str): A candidate's or seed's id, or kind and line of a labelled row, such as "test:7".
    """

    id: str
    text: str
    labels: tuple[str, ...]


def accepted_rows(path: Path, task: TaskSpec) -> Iterator[StudentRow]:
    """Stream the rows of an accepted.jsonl."""
    for candidate in read_jsonl(path, Candidate.from_dict):
        yield StudentRow(candidate.id, task.student_text(candidate.fields), candidate.labels)


def retrieved_rows(path: Path, task: TaskSpec, passages: Passages, *, copies: Counter[str]) -> Iterator[StudentRow]:
    """Stream the accepted rows with their passage in place of what the teacher wrote; rows without a passage are left out.

    copies (Counter[str]): Counts "rows", and those "equal" to their passage up to case and white space.
    """
    name = task.generated.name
    candidates = (candidate for candidate in read_jsonl(path, Candidate.from_dict) if candidate.passage_id)
    for batch in batches(candidates, BATCH):
        wanted = sorted({str(candidate.passage_id) for candidate in batch})
        texts = {passage.id: passage.text for passage in passages.get(wanted)}
        for candidate in batch:
            text = texts[str(candidate.passage_id)]
            copies["rows"] += 1
            copies["equal"] += normal(text) == normal(candidate.fields[name])
            yield StudentRow(candidate.id, task.student_text({**candidate.fields, name: text}), candidate.labels)


def seed_rows(task: TaskSpec) -> Iterator[StudentRow]:
    """The seeds as train rows; descriptions of labels are no rows."""
    for seed in read_seeds(task):
        if seed.origin == "gold":
            yield StudentRow(seed.id, task.student_text(seed.fields), seed.labels)


def labelled_rows(task: TaskSpec, kind: Literal["dev", "test", "train"]) -> Iterator[StudentRow]:
    """Stream one of the task's labelled files."""
    for row in read_rows(task, kind):
        yield StudentRow(f"{kind}:{row.line}", task.student_text(row.fields), row.labels)


def batches(items: Iterable[Candidate], size: int) -> Iterator[list[Candidate]]:
    """Cut a stream into lists of at most `size`."""
    stream = iter(items)
    while batch := list(islice(stream, size)):
        yield batch


def normal(text: str) -> str:
    """RETURNS (str): A text as it is compared: folded case, single blanks."""
    return " ".join(text.casefold().split())
