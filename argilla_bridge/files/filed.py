"""Review without a server: one file that people fill in, with the rows of all datasets of a run.

Each line is a row: texts as they are, the suggestion, and empty cells for the answers (see answers.py). `put` writes the file
anew and keeps what people filled in, also in columns of their own; `open` writes what they read first beside it. A second person
who answers the same rows fills in a copy, or adds lines with the same ids and another `user`. Answers that stood in the file already
when it was copied are not those of who fills in the copy: where all answers that both give to a row are alike, they are the file's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from argilla_bridge.backends import BadRow
from argilla_bridge.files.answers import Line, dataset_of_line, vote_of
from argilla_bridge.files.cells import ID, RUN, check_suffix, columns_of, read_cells, write_cells
from argilla_bridge.files.lines_spool import AnswerSpool, LineSpool
from argilla_bridge.rounds.people import folded
from argilla_bridge.rows import ReviewRow, Vote
from argilla_bridge.schema import ABOUT, ANSWERS, LABEL, ReviewSchema
from argilla_bridge.showing.marking import unescaped
from spacy_synthesizrr.candidates import ROW_VERSION, digest
from spacy_synthesizrr.errors import InputError, choices
from spacy_synthesizrr.jsonl import atomic, dumps

BATCH = 500  # rows that are reported as kept at once
GUIDELINES = "guidelines.md"  # beside the file
WRITTEN = "(Written by `argilla-bridge push`, and again by each.)"


class FileBackend:
    """Rows and votes in a .csv or .jsonl file; see `backends.Backend`.

    path (Path): The file.
    user (str): Whose answers those are that name nobody.
    schema (ReviewSchema | None): What is asked, for reading votes without `open`.
    copies (Sequence[Path]): Copies that other people filled in; answers in them that name nobody are those of the copy's name.
    alone (bool): Whether votes are read in the copies alone, and not in the file.
    run_id (str): Of the run, which no other may share the file with; empty takes the rows of any. Copies may be of another run: a row
        is known by its texts.
    """

    def __init__(
        self,
        path: Path,
        user: str,
        *,
        schema: ReviewSchema | None = None,
        copies: Sequence[Path] = (),
        alone: bool = False,
        run_id: str = "",
    ) -> None:
        for file in (path, *copies):
            check_suffix(file)
        self.path, self.user, self.copies, self.alone, self._schema = path, user, tuple(copies), alone, schema
        self._run_id, self._here = run_id, path.resolve()
        self._news: list[str] = []

    @property
    def schema(self) -> ReviewSchema:
        """RETURNS (ReviewSchema): What is asked.

        RAISES (RuntimeError): Before `open`, when none was given.
        """
        if self._schema is None:
            raise RuntimeError("A FileBackend needs `open`, or a schema of its own, before it reads or writes.")
        return self._schema

    def open(self, dataset: str, schema: ReviewSchema) -> str:
        """Make sure that the file is there and holds rows of this task.

        RETURNS (str): Its path.
        RAISES (InputError): When it holds rows of another task, or of another run.
        """
        # the dataset for ties shows one field more, and all are in one file
        if self._schema is None or len(schema.fields) >= len(self._schema.fields):
            self._schema = schema
        if not self.path.is_file():
            write_cells(self.path, self._columns(), ())
        next(self._lines(self.path), None)
        self._complete(schema)
        _write_guidelines(self.path.with_name(GUIDELINES), schema.guidelines)
        return self.path.as_posix()

    def put(self, dataset: str, rows: Iterable[ReviewRow], *, done: Callable[[Sequence[str]], None]) -> Sequence[BadRow]:
        """Write the file anew with these rows in it, the highest priority first; what people filled in stays.

        done (Callable): Called with the ids once the file is written.
        RETURNS (Sequence[BadRow]): None: a file takes every row.
        """
        blank = dict.fromkeys([*(shape.name for shape in self.schema.questions), "user", "status"], "")
        with LineSpool() as spool:
            self._load(spool)
            for row in rows:
                spool.put(dataset, row.id, row.priority, self._shown(dataset, row), blank)
            write_cells(self.path, self._columns(), spool.lines())
            for batch in spool.fresh(BATCH):
                done(batch)
        return ()

    def remove(self, dataset: str, ids: Iterable[str]) -> None:
        """Write the file anew without these rows and their answers."""
        if not self.path.is_file():
            return
        with LineSpool() as spool:
            self._load(spool)
            if spool.remove(dataset, ids):
                write_cells(self.path, self._columns(), spool.lines())

    def ids(self, dataset: str) -> Iterator[str]:
        """RETURNS (Iterator[str]): The ids of the lines of a dataset; one with lines of several people comes once for each."""
        if self.path.is_file():
            for _, line in self._lines(self.path, dataset):
                yield line.text("id")

    def votes(self, dataset: str) -> Iterator[Vote]:
        """Read what people filled in, in the file and its copies.

        YIELDS (Vote): Each once.
        RAISES (InputError): For a value that is no answer, and for two different answers of one person to one row.
        """
        with AnswerSpool() as seen, AnswerSpool() as own:
            for path, user in self._sources():
                taken = path.resolve() != self._here and self._taken_over(path, dataset, own)
                for vote, line in self._said(path, dataset, user):
                    if not self.alone and path == self.path and not line.text("user"):
                        own.first(vote.row_id, _said(vote), "")
                    if taken and not line.text("user") and own.said(vote.row_id):
                        continue
                    if _is_new(vote, line, seen):
                        yield replace(vote, identity=path.as_posix())

    def held(self, dataset: str) -> Iterator[tuple[str, str]]:
        """RETURNS (Iterator[Tuple[str, str]]): Each row of each file that is read: who empties its cells takes the answer back."""
        return ((path.as_posix(), line.text("id")) for path, _ in self._sources() for _, line in self._lines(path, dataset))

    def news(self) -> list[str]:
        """RETURNS (List[str]): Which copies were made of a file that was filled in already."""
        return list(self._news)

    def _sources(self) -> list[tuple[Path, str]]:
        """The files that are read, each with the person whose answers those are that name nobody."""
        copies = [(copy, self.user if copy.resolve() == self._here else copy.stem) for copy in self.copies]
        return copies if self.alone else [(self.path, self.user), *copies]

    def _said(self, path: Path, dataset: str, user: str) -> Iterator[tuple[Vote, Line]]:
        columns = columns_of(path)
        if ID in columns and LABEL not in columns:  # a JSONL without rows has neither
            raise InputError(f"There is no column '{LABEL}'.", path=path, line=1, cure=f"{choices(LABEL, columns)} Put it back.")
        for _, line in self._lines(path, dataset):
            vote = vote_of(line, self.schema, user=user, dataset=dataset)
            if vote is not None:
                yield vote, line

    def _taken_over(self, copy: Path, dataset: str, own: AnswerSpool) -> bool:
        """Whether the answers of a copy to rows that the file answers, too, stood there when it was copied: each is the same."""
        common = 0
        for vote, line in self._said(copy, dataset, ""):
            said = None if line.text("user") else own.said(vote.row_id)
            if said is not None and said != _said(vote):
                return False
            common += said is not None
        if common:
            self._news.append(
                f"{copy}: {common:,} answers stand in {self.path} just so, and none that differs; they count once. If somebody else gave "
                "them as well, write the name into the column 'user'."
            )
        return common > 0

    def place(self, dataset: str) -> str:
        """RETURNS (str): The path of the file."""
        return str(self.path)

    def close(self) -> None:
        """Nothing is held."""

    def _lines(self, path: Path, dataset: str | None = None) -> Iterator[tuple[str, Line]]:
        """YIELDS (Tuple[str, Line]): Dataset and line, of one dataset or of all."""
        own = path.resolve() == self._here
        for number, row in read_cells(path):
            line = Line(row, path, number)
            if own:
                self._check_run(line)
            found = dataset_of_line(line, self.schema)
            if dataset in (None, found):
                yield found, line

    def _check_run(self, line: Line) -> None:
        """RAISES (InputError): When another run put the line here: each of the two would take the rows of the other for its own."""
        run = line.text(RUN)
        if self._run_id and run and run != self._run_id:
            raise line.error(
                "This row belongs to another run.",
                "Name a file of its own for this run, in [file] path or with --to. Answers in here are read all the same, as those of a "
                f"person: argilla-bridge pull --from {line.path}. If the other run is gone, empty the column 'run'.",
            )

    def _complete(self, schema: ReviewSchema) -> None:
        """Add the columns of questions that the file lacks: another mode asks more, and nobody can answer what has no cell."""
        there = columns_of(self.path)
        # where somebody took the labels out they are to come back: empty cells would take all answers back
        missing = {shape.name: "" for shape in schema.questions if shape.name not in (*there, LABEL)}
        if not there or not missing:  # a JSONL without rows has no columns
            return
        with LineSpool() as spool:
            for dataset, line in self._lines(self.path):
                spool.add(dataset, line.text("id"), _float(line.text("priority")), {**line.row, **missing})
            write_cells(self.path, self._columns(), spool.lines())

    def _load(self, spool: LineSpool) -> None:
        if self.path.is_file():
            for dataset, line in self._lines(self.path):
                spool.add(dataset, line.text("id"), _float(line.text("priority")), line.row)

    def _columns(self) -> list[str]:
        """Ours, and behind them those that people added."""
        fields, questions = ([shape.name for shape in shapes] for shapes in (self.schema.fields, self.schema.questions))
        ours = ["id", *fields, "suggestion", "suggestion_score", *questions, "user", "status", "priority", "dataset", "task", RUN, "v"]
        ours += [ABOUT] if ANSWERS in fields else []
        there = columns_of(self.path) if self.path.is_file() else []
        return [*ours, *(name for name in there if name not in ours)]

    def _shown(self, dataset: str, row: ReviewRow) -> dict[str, Any]:
        """The cells of a row that are not to be filled in."""
        labels = row.suggestion.labels if row.suggestion else ()
        fields = {shape.name: unescaped(row.fields.get(shape.name, "")) for shape in self.schema.fields}
        return {
            "id": row.id, **fields,
            "suggestion": "".join(labels[:1]) if self.schema.exclusive else list(labels),
            "suggestion_score": row.suggestion.score if row.suggestion else None,
            "priority": row.priority, "dataset": dataset, "task": self.schema.task, RUN: self._run_id, "v": ROW_VERSION,
            **({ABOUT: row.metadata[ABOUT]} if ABOUT in row.metadata else {}),
        }  # fmt: skip


def _write_guidelines(path: Path, text: str) -> None:
    """Write what people read first beside the file, unless somebody has a file of their own there."""
    wanted = f"{WRITTEN}\n\n{text}\n"
    there = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
    if text and there != wanted and (not there or there.startswith(WRITTEN)):
        with atomic(path) as file:
            file.write(wanted)


def _said(vote: Vote) -> str:
    """A hash of what somebody says, whoever it is."""
    return digest(dumps(replace(vote, user="").to_dict()))


def _is_new(vote: Vote, line: Line, seen: AnswerSpool) -> bool:
    """Whether this is the first line of a person on a row.

    RAISES (InputError): When an earlier one says something else.
    """
    key, said, where = digest(vote.row_id, folded(vote.user)), _said(vote), f"{line.path}:{line.number}"
    before = seen.first(key, said, where)
    if before[0] != said:
        cure = f"Remove one of the two, or write in the column 'user' whose it is (here it is '{vote.user}')."
        raise line.error(f"This row is answered otherwise in {before[1]} by the same person.", cure)
    return before[1] == where


def _float(text: str) -> float:
    try:
        return float(text.replace(",", "."))  # a spreadsheet may have put a comma for the point
    except ValueError:
        return 0.0
