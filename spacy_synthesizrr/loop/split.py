"""Labelled rows in two parts: one whose errors are extrapolated, and one that chooses the round and is never extrapolated.

In S3 one set does both (Wang et al. 2023, §3.2: the original train split), so that its scores are too good after the first round.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import Field

from spacy_synthesizrr.candidates import ROW_VERSION, digest, label_key
from spacy_synthesizrr.configs import Settings
from spacy_synthesizrr.errors import ConfigError, InputError, TaskFileError, choices
from spacy_synthesizrr.jsonl import read_jsonl, write_jsonl
from spacy_synthesizrr.labelled import Kind, LabelledRow, read_rows
from spacy_synthesizrr.progress import say
from spacy_synthesizrr.taskfile import RowsSpec, TaskSpec
from spacy_synthesizrr.words import comparable

ERROR, SELECTION = "error", "selection"  # the parts, and what their files are called
KINDS: Mapping[str, Kind] = {"dev": "dev", "train": "train"}
LABEL, LINE, VERSION = "label", "line", "v"  # columns of a part beside the text fields


class SplitSettings(Settings):
    """The section [split]: which labelled rows are split, and how.

    rows (str): "dev" or "train" for a file of the task, or the path of a file with the columns of dev, as seen from the project folder.
    share (float | None): Share of the rows that becomes the error part; null gives all rows to both parts, as in the paper.
    together (Tuple[str, ...]): Text fields of which equal ones keep rows on one side, such as a premise that many rows share; by
        default only rows of which all fields are equal stay together.
    """

    rows: str = Field("dev", min_length=1)
    share: float | None = Field(0.5, gt=0, lt=1)
    together: tuple[str, ...] = ()


def source_rows(task: TaskSpec, settings: SplitSettings) -> list[LabelledRow]:
    """Read the rows that are to be split.

    RAISES (ConfigError): When there is no such file or no such text field.
    RAISES (InputError): For a row that is not right.
    """
    names = [spec.name for spec in task.fields]
    for name in settings.together:
        if name not in names:
            raise ConfigError(f"[split] together: there is no text field '{name}'. {choices(name, names)}")
    if settings.rows in KINDS:
        try:
            return list(read_rows(task, KINDS[settings.rows]))
        except TaskFileError as error:
            raise ConfigError(
                f'[split] rows = "{settings.rows}", and the task names no such file. Add `{settings.rows}:` with a `path:` to {task.path}, '
                "or set rows to the path of a file with labelled rows."
            ) from error
    path = Path(settings.rows)
    if not path.is_file():
        raise ConfigError(f'[split] rows = "{settings.rows}" is no file. Valid: "dev", "train", or the path of a file with labelled rows.')
    layout = task.dev or task.train or RowsSpec(path="")
    other = task.model_copy(update={"train": layout.model_copy(update={"path": path.resolve().as_posix()})})
    return list(read_rows(other, "train"))


def source_file(task: TaskSpec, settings: SplitSettings) -> Path | None:
    """RETURNS (Path | None): The file whose rows are split; None where the task names no such file."""
    return task.file(KINDS[settings.rows]) if settings.rows in KINDS else Path(settings.rows)


def split_rows(
    rows: Iterable[LabelledRow], share: float | None, seed: int, *, together: Sequence[str] = ()
) -> tuple[list[LabelledRow], list[LabelledRow]]:
    """Cut rows in two, each label set in the same share to within one text.

    Which side a row is on follows from its texts, the other texts and the seed: the order of the file does not matter, and rows with
    equal texts (see `words.comparable`) lie on one side. Texts are put in order by label set and by hash, and one is taken at every
    step of 1 / share (systematic sampling), so that even sets of one row come into both parts in the right number.
    share (float | None): Of the error part; None gives all rows to both.
    together (Sequence[str]): See `SplitSettings`.
    RETURNS (Tuple[List[LabelledRow], List[LabelledRow]]): The error part and the selection part, in the order of the rows.
    """
    rows = list(rows)
    if share is None:
        return rows, list(rows)
    groups: dict[tuple[str, ...], list[LabelledRow]] = defaultdict(list)
    for row in rows:
        groups[_key(row, together)].append(row)
    strata = {key: min(_stratum(row) for row in group) for key, group in groups.items()}
    order = sorted(groups, key=lambda key: (strata[key], digest("split", str(seed), *key), key))
    start = int(digest("split", str(seed))[:8], 16) / 16**8
    errors = {key for place, key in enumerate(order) if int((place + 1) * share + start) > int(place * share + start)}
    first = [row for row in rows if _key(row, together) in errors]
    return first, [row for row in rows if _key(row, together) not in errors]


def _key(row: LabelledRow, together: Sequence[str]) -> tuple[str, ...]:
    return tuple(comparable(row.fields[name]) for name in together) if together else texts_of(row.fields)


def texts_of(fields: Mapping[str, str]) -> tuple[str, ...]:
    """RETURNS (Tuple[str, ...]): What a row says, by which equal ones are told; see `words.comparable`."""
    return tuple(comparable(fields[name]) for name in sorted(fields))


def _stratum(row: LabelledRow) -> tuple[str, tuple[str, ...]]:
    """The label set, and for a key of several rows which of them says it, whatever their order."""
    return label_key(row.labels), texts_of(row.fields)


def check_parts(task: TaskSpec, errors: Sequence[LabelledRow], selection: Sequence[LabelledRow], *, share: float | None) -> list[str]:
    """See whether both parts can do their work.

    RETURNS (List[str]): What the user must know.
    RAISES (InputError): When a part is empty, or in an exclusive task lacks a label.
    """
    counts = {ERROR: _count(errors), SELECTION: _count(selection)}
    for name, part in ((ERROR, errors), (SELECTION, selection)):
        if not part:
            rows = len(errors) + len(selection)
            raise InputError(f"The {name} part has no row (all labelled rows: {rows}).", cure=_cure(rows, share))
    remarks = []
    for label in task.labels:
        first, second = (counts[name][label] for name in (ERROR, SELECTION))
        if first and second:
            continue
        text = f"The label '{label}' has too few labelled rows: {first} in the error part, {second} in the selection part."
        if task.exclusive:
            raise InputError(text, cure=f"Each part needs at least one. {_cure(first + second, share)}")
        remarks.append(text)
    if share is None:
        remarks.append(
            "[split] share = null: the rows whose errors are extrapolated also choose the round, so scores on them are optimistic."
        )
    return remarks


def _cure(rows: int, share: float | None) -> str:
    """RETURNS (str): What to do where a part lacks rows. rows (int): Those that there are to share out."""
    more = "Give more rows in [split] rows"
    if not rows or share is None:
        return f"{more}."
    other = ", set another [split] share" if rows > 1 else ""
    return f"{more}{other}, or set [split] share = null, so that the same rows do both (scores on them are too good then)."


def _count(rows: Iterable[LabelledRow]) -> Counter[str]:
    return Counter(label for row in rows for label in row.labels)


def split_task(task: TaskSpec, settings: SplitSettings, *, seed: int, error: Path, selection: Path) -> dict[str, Any]:
    """Split the labelled rows of a task into two files, and say what the user must know.

    seed (int): Of the split. error (Path), selection (Path): The files.
    RETURNS (dict): "from" (what was split), rows of "error" and "selection", "labels" (of both), and "remarks".
    RAISES (ConfigError): When there are no such rows. RAISES (InputError): When there are too few.
    """
    errors, chosen = split_rows(source_rows(task, settings), settings.share, seed, together=settings.together)
    known = {texts_of(row.fields) for row in read_rows(task, "test")} if task.test is not None else set()
    parts = [row for row in errors if texts_of(row.fields) not in known], chosen
    remarks = check_parts(task, *parts, share=settings.share)
    if away := len(errors) - len(parts[0]):
        remarks.append(f"{away} rows of the error part are left out: they equal a test row, and rows would be written after these.")
    for line in remarks:
        say(line)
    rows = {name: write_part(path, part, task) for name, path, part in zip((ERROR, SELECTION), (error, selection), parts, strict=True)}
    counts = {name: {label: _count(part)[label] for label in task.labels} for name, part in zip(rows, parts, strict=True)}
    return {"from": settings.rows, **rows, "labels": counts, "remarks": remarks}


def part_columns(task: TaskSpec) -> dict[str, str]:
    """RETURNS (Dict[str, str]): The column of each text field in the file of a part: its name, unless another column has that."""
    taken = {LABEL, LINE, VERSION}
    found = {}
    for spec in task.fields:
        name = spec.name
        while name in taken:
            name = f"{name}_text"
        taken.add(name)
        found[spec.name] = name
    return found


def part_spec(task: TaskSpec, path: Path) -> RowsSpec:
    """RETURNS (RowsSpec): How the file of a part is laid out, for the `dev:` of a task file."""
    fields = {name: column for name, column in part_columns(task).items() if name != column}
    return RowsSpec(path=path.as_posix(), label=LABEL, fields=fields)


def write_part(path: Path, rows: Iterable[LabelledRow], task: TaskSpec) -> int:
    """Write a part: the text fields, "label" (a list where labels do not exclude each other) and "line", that of the user's file.

    RETURNS (int): Number of rows.
    """
    return write_jsonl(path, (_to_dict(row, task) for row in rows))


def _to_dict(row: LabelledRow, task: TaskSpec) -> dict[str, Any]:
    texts = {column: row.fields[name] for name, column in part_columns(task).items()}
    return {VERSION: ROW_VERSION, **texts, LABEL: row.labels[0] if task.exclusive else list(row.labels), LINE: row.line}


def read_part(path: Path, task: TaskSpec) -> list[LabelledRow]:
    """RETURNS (List[LabelledRow]): What `write_part` wrote, with the lines of the user's file.

    RAISES (InputError): When the file is missing or is no part of this task.
    """
    columns = part_columns(task)

    def make(row: Mapping[str, Any]) -> LabelledRow:
        labels = (row[LABEL],) if isinstance(row[LABEL], str) else tuple(row[LABEL])
        return LabelledRow({name: row[column] for name, column in columns.items()}, labels, int(row[LINE]))

    return list(read_jsonl(path, make))
