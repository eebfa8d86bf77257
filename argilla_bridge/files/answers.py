"""What a person wrote into a line of a file for review, as a vote.

An answer is a line in which a cell to fill in says something; it is submitted unless `status` says "draft" or "discarded".
In careful mode a correction without a verdict means `fix`, a label without one `keep`, and `keep` or `fix` without a label takes
the suggestion that stands there; a line with nothing but a reason is a draft. In a task with label sets "|" (JSONL: an empty list)
says that no label fits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from argilla_bridge.backends import DATASETS, MAIN
from argilla_bridge.files.cells import is_changed, spelled, spellings
from argilla_bridge.rows import DRAFT, FIX, KEEP, REJECT, STATUSES, SUBMITTED, UNUSABLE, Vote
from argilla_bridge.schema import ABOUT, CORRECTED, LABEL, REASON, VERDICT, ReviewSchema
from spacy_synthesizrr.candidates import ROW_VERSION
from spacy_synthesizrr.errors import InputError, choices
from spacy_synthesizrr.labelled import label_names


@dataclass(frozen=True)
class Line:
    """A line of a file for review.

    row (Mapping): Its cells.
    number (int): In the file, from 1.
    """

    row: Mapping[str, Any]
    path: Path
    number: int

    def text(self, column: str) -> str:
        """RETURNS (str): A cell without blanks around it; empty where there is none."""
        value = self.row.get(column)
        return "" if value is None or isinstance(value, (list, dict)) else str(value).strip()

    def one_of(self, column: str, valid: Sequence[str]) -> str:
        """RETURNS (str): A cell that holds one of some words, in any case, or nothing.

        RAISES (InputError): When it holds another.
        """
        word = self.text(column).lower()
        if word and word not in valid:
            raise self.error(f"'{self.text(column)}' is no {column}.", f"{choices(word, valid)} Correct it or leave the cell empty.")
        return word

    def error(self, message: str, cure: str) -> InputError:
        """RETURNS (InputError): With the place of this line."""
        return InputError(message, path=self.path, line=self.number, cure=cure)


def dataset_of_line(line: Line, schema: ReviewSchema) -> str:
    """The dataset of a line, "main" where it names none.

    RAISES (InputError): When the line belongs to another task or was written by a later release.
    """
    task, version = line.text("task"), line.text("v")
    if task and task != schema.task:
        cure = "Give the file of this task, or name another one in [file] path."
        raise line.error(f"This row belongs to the task '{task}', not to '{schema.task}'.", cure)
    if version.isdigit() and int(version) > ROW_VERSION:
        cure = "Install a newer spacy-synthesizrr."
        raise line.error(f"This row has version {version}; this release reads versions up to {ROW_VERSION}.", cure)
    return line.one_of("dataset", DATASETS) or MAIN


def vote_of(line: Line, schema: ReviewSchema, *, user: str, dataset: str) -> Vote | None:
    """What a line says.

    user (str): Whose answer it is when the line names nobody.
    RETURNS (Vote | None): None when nothing is filled in.
    RAISES (InputError): For a value that is no answer, or an answer that lacks what it needs.
    """
    labels = _labels(line, LABEL, schema)
    status = line.one_of("status", STATUSES)
    about = {"user": line.text("user") or user, "dataset": dataset, "row_id": line.text("id"), "about": line.text(ABOUT)}
    if schema.question(VERDICT) is None:
        return _fast(line, schema, labels, status, about)
    return _careful(line, schema, labels, status, about)


def _fast(line: Line, schema: ReviewSchema, labels: tuple[str, ...] | None, status: str, about: Mapping[str, str]) -> Vote | None:
    if labels is None and not status:
        return None
    if labels is None and status == SUBMITTED:
        raise _needs_label(line, schema, "This row is submitted and has no label.")
    away = UNUSABLE in (labels or ())
    return Vote(**about, status=status or SUBMITTED, labels=() if away else labels or (), verdict=REJECT if away else "")


def _careful(line: Line, schema: ReviewSchema, labels: tuple[str, ...] | None, status: str, about: Mapping[str, str]) -> Vote | None:
    verdict, text, reason = line.one_of(VERDICT, (KEEP, FIX, REJECT)), line.text(CORRECTED), line.text(REASON)
    if labels is None and not any((verdict, text, reason, status)):
        return None
    verdict = verdict or (FIX if text else KEEP if labels is not None else "")
    status = status or (SUBMITTED if verdict else DRAFT)
    if status == SUBMITTED and not verdict:
        raise line.error("This row is submitted and has no verdict.", f"Write one. {choices('', (KEEP, FIX, REJECT))}")
    if labels is None and verdict in (KEEP, FIX):
        labels = _labels(line, "suggestion", schema)
    if labels is None and schema.exclusive and status == SUBMITTED and verdict != REJECT:
        raise _needs_label(line, schema, f"This row has the verdict '{verdict}' and no label.")
    return Vote(**about, status=status, labels=labels or (), verdict=verdict, text=text, reason=reason)


def _labels(line: Line, column: str, schema: ReviewSchema) -> tuple[str, ...] | None:
    """The labels in a cell in the order of the task; None when it is empty, none when it says that none fits."""
    value = line.row.get(column)
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    valid = _valid(schema)
    whole = _label_of(value, valid)  # a label may hold the separator itself
    parts = [whole] if whole is not None else label_names(value)
    names = []
    for part in [value] if parts is None else parts:
        if (name := _label_of(part, valid)) is None:
            raise line.error(f"'{part}' is not among the labels.", _cure(part, column, schema))
        names.append(name)
    if schema.exclusive and len(names) != 1:
        shown = f"{len(names)} labels ({value!r})"
        raise _needs_label(line, schema, f"The cell '{column}' has {shown}, and the labels of this task exclude each other.")
    return tuple(name for name in valid if name in names)


def _label_of(value: Any, valid: tuple[str, ...]) -> str | None:
    """The label that a cell names: as it is, or as the only one that a spreadsheet could have made this of."""
    if isinstance(value, str) and value.strip() in valid:
        return value.strip()
    near = () if isinstance(value, (list, dict)) else spellings(valid).get(spelled(str(value)), ())
    return near[0] if len(near) == 1 else None


def _cure(value: Any, column: str, schema: ReviewSchema) -> str:
    """What to do about a cell that names no label."""
    valid = _valid(schema)
    told = f"{choices(value, valid)} Correct the cell '{column}' or leave it empty."
    if str(value).strip().lower() == UNUSABLE and schema.question(VERDICT) is not None:
        return f"Write {REJECT} into the column '{VERDICT}' instead, and leave this cell empty."
    if any(map(is_changed, valid)):
        return f"{told} A spreadsheet changes some of them: write a ' in front, or review in a .jsonl ([file] path)."
    return told


def _valid(schema: ReviewSchema) -> tuple[str, ...]:
    question = schema.question(LABEL)
    return question.labels if question else schema.labels


def _needs_label(line: Line, schema: ReviewSchema, message: str) -> InputError:
    return line.error(message, f"Write one. {choices('', _valid(schema))}")
