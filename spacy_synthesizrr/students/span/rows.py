"""Rows of question answering on disk: one JSON object a line, in the layout of SQuAD, which other trainers read too.

{"v": 1, "id": "test:7", "context": "…", "question": "…", "answers": {"text": ["…"], "answer_start": [31]}}
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spacy_synthesizrr.answer_spans import Span, find_answer
from spacy_synthesizrr.candidates import ROW_VERSION
from spacy_synthesizrr.errors import StudentError
from spacy_synthesizrr.jsonl import atomic, dumps, read_jsonl, write_jsonl
from spacy_synthesizrr.students.rows import StudentRow
from spacy_synthesizrr.taskfile import TaskSpec


@dataclass(frozen=True)
class SpanRow:
    """A question, its context and its answers.

    id (str): A candidate's or seed's id, or kind and line of a labelled row, such as "test:7".
    answers (Tuple[str, ...]): All that are right; the first is learned.
    starts (Tuple[int, ...]): Where each stands in the context, in characters.
    weight (float): How much the row counts in training; 1 is the usual.
    """

    id: str
    context: str
    question: str
    answers: tuple[str, ...]
    starts: tuple[int, ...]
    weight: float = 1.0

    @property
    def span(self) -> Span:
        """RETURNS (Span): Of the answer that is learned: its first character and the one after its last."""
        return self.starts[0], self.starts[0] + len(self.answers[0])

    @property
    def line(self) -> int | None:
        """RETURNS (int | None): Of the user's file; None for a row that was made."""
        number = self.id.rpartition(":")[2]
        return int(number) if ":" in self.id and number.isdigit() else None

    @classmethod
    def make(cls, id: str, fields: Mapping[str, str], task: TaskSpec, *, weight: float = 1.0) -> SpanRow:
        """Make a row of the text fields of a task that has `answer`.

        RAISES (StudentError): When the answer does not stand in the context.
        """
        answer, context = fields[task.answer], fields[task.context]
        place = find_answer(answer, context)
        if place is None:
            raise StudentError(f"The answer of the row {id} does not stand in its '{task.context}': {answer[:80]!r}. Correct the row.")
        return cls(id, context, fields[task.generated.name], (answer,), (place[0],), weight)

    def to_dict(self) -> dict[str, Any]:
        """RETURNS (dict): A JSON row."""
        answers = {"text": list(self.answers), "answer_start": list(self.starts)}
        weight = {} if self.weight == 1.0 else {"weight": self.weight}
        return {"v": ROW_VERSION, "id": self.id, "context": self.context, "question": self.question, "answers": answers, **weight}

    @classmethod
    def from_dict(cls, row: Mapping[str, Any]) -> SpanRow:
        """row (Mapping): What `to_dict` made, or a row of SQuAD.

        RAISES (ValueError): When an answer does not stand at its place, or there is none.
        """
        answers, starts = tuple(row["answers"]["text"]), tuple(int(start) for start in row["answers"]["answer_start"])
        if not answers or len(answers) != len(starts):
            raise ValueError("a row needs an answer, and each answer a start")
        context = str(row["context"])
        for answer, start in zip(answers, starts, strict=True):
            if start < 0 or context[start : start + len(answer)] != answer:
                raise ValueError(f"the answer {answer[:80]!r} does not stand at {start}")
        return cls(str(row["id"]), context, str(row["question"]), answers, starts, float(row.get("weight", 1.0)))


def span_file(name: str) -> str:
    """RETURNS (str): Name of the file with these rows, beside a set such as "train.spacy"."""
    return name.removesuffix(".spacy") + ".jsonl"


def also_spans(rows: Iterable[StudentRow], path: Path, task: TaskSpec) -> Iterator[StudentRow]:
    """Let rows pass and write them as rows of question answering, where the task has `answer`.

    path (Path): Of the set in spaCy's format; the other file lies beside it, and appears when all rows have passed.
    """
    if not task.answer:
        yield from rows
        return
    with atomic(path.with_name(span_file(path.name))) as file:
        for row in rows:
            file.write(dumps(SpanRow.make(row.id, row.fields, task, weight=row.weight).to_dict()) + "\n")
            yield row


def write_span_rows(path: Path, rows: Iterable[SpanRow]) -> int:
    """Stream rows into a file that appears when all are written.

    RETURNS (int): Number of rows.
    """
    return write_jsonl(path, (row.to_dict() for row in rows))


def read_span_rows(path: Path) -> Iterator[SpanRow]:
    """Stream the rows of a file.

    RAISES (InputError): For a row that is not right; it names file and line.
    """
    return read_jsonl(path, SpanRow.from_dict)
