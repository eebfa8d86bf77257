"""`rows`: the rows of a run as text or JSON, by arm, status, label or reason; and the test rows by what the student says of them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any

from spacy_synthesizrr.candidates import ACCEPTED, FAILED, REJECTED, Candidate, label_key
from spacy_synthesizrr.context import Context
from spacy_synthesizrr.errors import RunFolderError, SynthesizrrError, choices
from spacy_synthesizrr.jsonl import dumps, read_jsonl
from spacy_synthesizrr.labelled import LabelledRow, read_rows
from spacy_synthesizrr.receipts import fresh
from spacy_synthesizrr.steps.curate import synthesized_arms
from spacy_synthesizrr.steps.evaluate import ANSWERS
from spacy_synthesizrr.students.arms import MAIN
from spacy_synthesizrr.students.scores import NO_LABEL
from spacy_synthesizrr.trace import printable

TEST = "test"  # in the place of the arm
UNKNOWN = "unknown"  # in the place of a reason, where none was noted
RIGHT, WRONG = "right", "wrong"
FILES = {ACCEPTED: "accepted.jsonl", REJECTED: "rejected.jsonl", FAILED: "rejected.jsonl"}
TAKEN = re.compile(r"taken[ _]for[ _]")  # how the report names a mistake


@dataclass(frozen=True)
class Wanted:
    """Which rows; what is empty is left open.

    arm (str): "main", a control, or "test". status (str): accepted, rejected or failed; right or wrong of test rows.
    label (str): Label set, such as "sport" or "art + sport". reason (str): Why rows were turned away, such as "near_copy".
    gold (str), student (str): Of test rows: the gold label set and the student's.
    text (str): Stands in one of the fields, in whatever case.
    """

    arm: str = ""
    status: str = ""
    label: str = ""
    reason: str = ""
    gold: str = ""
    student: str = ""
    text: str = ""

    @property
    def tested(self) -> bool:
        """RETURNS (bool): Whether test rows are asked for."""
        return bool(self.arm == TEST or self.status in (RIGHT, WRONG) or self.gold or self.student or TAKEN.match(self.reason))


def arm_folders(ctx: Context) -> dict[str, Path]:
    """RETURNS (Dict[str, Path]): Folder of each arm that was synthesized, "main" first."""
    found = {arm: ctx.folder.path / folder for arm, folder in synthesized_arms(ctx.folder).items()}
    return {MAIN: found.pop(MAIN), **found} if MAIN in found else found


def find_rows(ctx: Context, wanted: Wanted) -> Iterator[dict[str, Any]]:
    """Stream rows as plain JSON: candidates as they stand in the run's files, with their arm; test rows with what the student says.

    RAISES (SynthesizrrError): For an arm or status that there is not; the text names those that there are.
    RAISES (RunFolderError): Before the step that writes the rows.
    """
    return _tested(ctx, wanted) if wanted.tested else _candidates(ctx, wanted)


def _candidates(ctx: Context, wanted: Wanted) -> Iterator[dict[str, Any]]:
    _known(wanted.status, FILES, "status")
    folders = arm_folders(ctx)
    _known(wanted.arm, (*folders, TEST), "arm")
    ctx.folder.receipt("curate")
    names = (FILES[wanted.status],) if wanted.status else tuple(dict.fromkeys(FILES.values()))
    for arm, folder in folders.items():
        paths = [folder / name for name in names] if wanted.arm in ("", arm) else []
        for row in chain.from_iterable(read_jsonl(path, Candidate.from_dict) for path in paths if path.is_file()):
            if _fits(row, wanted):
                yield {**row.to_dict(), "arm": arm, **({} if row.status == ACCEPTED else {"reason": row.reason})}


def _known(value: str, valid: Iterable[str], what: str) -> None:
    names = list(valid)
    if value and value not in names:
        raise SynthesizrrError(f"There is no {what} '{value}'. {choices(value, names)}")


def _fits(row: Candidate, wanted: Wanted) -> bool:
    return (
        wanted.status in ("", row.status)
        and wanted.label in ("", row.key)
        and (not wanted.reason or (row.status != ACCEPTED and _plain(wanted.reason) == _plain(row.reason or UNKNOWN)))
        and _says(row.fields, wanted.text)
    )


def _plain(reason: str) -> str:
    return reason.replace(" ", "_")


def _says(fields: Mapping[str, str], text: str) -> bool:
    return not text or any(text.casefold() in value.casefold() for value in fields.values())


def _tested(ctx: Context, wanted: Wanted) -> Iterator[dict[str, Any]]:
    _known(wanted.status, (RIGHT, WRONG), "status of test rows")
    _known(wanted.arm, (TEST,), "arm with test rows")
    if not fresh(ctx.folder, "evaluate") or not ctx.folder.file(ANSWERS).is_file():
        raise RunFolderError(
            f"What the student says of test rows is not known: {ANSWERS} is missing or older than the student. Run `evaluate`."
        )
    rows: Iterator[LabelledRow] = read_rows(ctx.task, "test")
    student, mistakes = wanted.student or TAKEN.sub("", wanted.reason), WRONG if wanted.reason else ""
    for answer in read_jsonl(ctx.folder.file(ANSWERS), dict):
        gold, said = label_key(answer["gold"]) or NO_LABEL, label_key(answer["student"]) or NO_LABEL
        status = RIGHT if answer.get("em", gold == said) else WRONG
        row = next(row for row in rows if row.line == answer["line"])  # both files are in the same order
        fits = (
            wanted.status in ("", status)
            and mistakes in ("", status)
            and wanted.label in ("", gold)
            and wanted.gold in ("", gold)
            and student in ("", said)
        )
        if fits and _says(row.fields, wanted.text):
            yield {"v": 1, "arm": TEST, "status": status, "line": row.line, "gold": gold, "student": said, "fields": dict(row.fields)}


def told(rows: Iterable[Mapping[str, Any]], *, limit: int = 0, as_json: bool = False) -> Iterator[str]:
    """Say rows on a terminal.

    limit (int): So many at most; 0 means all.
    YIELDS (str): A line of JSON for each, or some lines to read; without control characters, which could repaint a terminal.
    """
    for row in islice(rows, limit or None):
        yield dumps(row) if as_json else "\n".join(_readable(row))


def _readable(row: Mapping[str, Any]) -> Iterator[str]:
    if row["arm"] == TEST:
        told = row["gold"] if row["status"] == RIGHT else f"{row['gold']}, taken for {row['student']}"
        yield printable(f"test line {row['line']}  {row['status']}: {told}")
    else:
        reason = f" ({row['reason']})" if row.get("reason") else ""
        yield printable(f"{row['id'][:12]}  {row['arm']}  {row['status']}{reason}  {label_key(row['labels'])}")
    fields = row.get("fields", {})
    for name, text in fields.items():
        yield from (f"    {printable(line)}" for line in (f"{name}: {text}" if len(fields) > 1 else text).splitlines())
    yield ""
