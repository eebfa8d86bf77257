"""Round 0: the rows that a loop starts from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from spacy_synthesizrr.candidates import Candidate
from spacy_synthesizrr.context import PARENTS, RUNS, Context
from spacy_synthesizrr.errors import InputError, RunFolderError, choices
from spacy_synthesizrr.jsonl import write_jsonl
from spacy_synthesizrr.labelled import read_rows
from spacy_synthesizrr.loop.finished import Asked, finished_rounds
from spacy_synthesizrr.loop.folder import Loop, is_loop
from spacy_synthesizrr.loop.parents import Parent, read_parents
from spacy_synthesizrr.loop.settings import LOOP
from spacy_synthesizrr.loop.split import SELECTION, texts_of
from spacy_synthesizrr.loop.training import ACCEPTED_ROWS, TrainRows, read_labelled
from spacy_synthesizrr.progress import say
from spacy_synthesizrr.receipts import RunFolder, upstream
from spacy_synthesizrr.students.reviewed import main_rows

ADDITIONS = "additions.jsonl"  # in the folder of the start: rows of other loops and runs
STARTING = "starting.jsonl"  # and what the rows of a file say, for the filters of the rounds


def starting_rows(loop: Loop, folder: RunFolder) -> TrainRows:
    """The rows of the first student: those of the starting run, or of a file; and the additions of other loops.

    folder (RunFolder): Of the start; rows of runs are copied into it, so that it is whole by itself.
    RAISES (RunFolderError): When the starting run, or one whose additions are wanted, is not finished.
    RAISES (InputError): When there is no such file, or a row of it is not right.
    """
    start = loop.settings.start
    additions = ((_write_additions(loop, folder), None),) if start.additions else ()
    if start.rows:
        path, layout = Path(start.rows), loop.ctx.task.train
        if not path.is_file():
            raise InputError("There is no such file.", path=path, cure="Correct [start] rows; paths begin at the project folder.")
        name = loop.task.generated.name
        write_jsonl(folder.file(STARTING), ({name: row.fields[name]} for row in read_labelled(path, loop.task, layout)))
        return TrainRows(candidates=additions, labelled=(path,), layout=layout)
    own = folder.file(ACCEPTED_ROWS)
    write_jsonl(own, (candidate.to_dict() for candidate in _rows_of(loop.ctx)))
    return TrainRows(candidates=((own, None), *additions))


def _rows_of(run: Context) -> Iterator[Candidate]:
    """YIELDS (Candidate): What a run accepted, after review where there is one."""
    for step in ("curate", *(("pull",) if run.reviewed else ())):
        upstream(run.folder, step)  # says which step is to be run
    yield from main_rows(run, Counter())


def _write_additions(loop: Loop, folder: RunFolder) -> Path:
    """Write the rows of other loops and runs, but none that was written after a row of the selection part or the test set.

    Another loop may have split the labelled rows elsewhere: what it wrote after this loop's selection part would make its scores too good.
    """
    held = set() if loop.settings.split.share is None else {texts_of(row.fields) for row in loop.parts[SELECTION]}
    if loop.task.test is not None:
        held |= {texts_of(row.fields) for row in read_rows(loop.task, "test")}
    away: Counter[str] = Counter()

    def rows() -> Iterator[dict[str, Any]]:
        for name in dict.fromkeys(loop.settings.start.additions):
            for row, parent in _additions_of(loop, name):
                if parent is not None and texts_of(parent.seed.fields) in held:
                    away[name] += 1
                else:
                    yield row.to_dict()

    write_jsonl(folder.file(ADDITIONS), rows())
    for name, count in away.items():
        say(f"  {count} additions of '{name}' are left out: they were written after rows of this loop's selection part, or of test.")
    return folder.file(ADDITIONS)


def _additions_of(loop: Loop, name: str) -> Iterator[tuple[Candidate, Parent | None]]:
    """YIELDS (Tuple[Candidate, Parent | None]): The additions of a loop (of all its rounds), or the rows that a run accepted; and the
    labelled rows that they were written after.

    RAISES (RunFolderError): When there is neither of this name, it has no rows yet, is this loop itself, or of another task.
    """
    if name.partition("/")[0] == loop.name:
        raise RunFolderError(f"The loop '{loop.name}' cannot start from its own additions. Give this one another name with --name NAME.")
    task, found = loop.task, False
    for rows, parents in _sources(RUNS / name):
        found = True
        for row in rows:
            strange = [*(label for label in row.labels if label not in task.labels)]
            strange += [spec.name for spec in task.fields if spec.name not in row.fields]
            if strange:
                raise RunFolderError(
                    f"The additions of '{name}' belong to another task: '{strange[0]}' is no label, or is a field that they lack. "
                    f"{choices(strange[0], (*task.labels, *(spec.name for spec in task.fields)))}"
                )
            yield row, parents.get(row.seed_id)
    if not found and is_loop(RUNS / name):
        raise RunFolderError(f"The loop '{name}' has no finished round yet, as its settings are now. Run it first, or go on with it.")
    if not found:
        there = sorted(path.parent.name for pattern in ("*/inputs.json", "*/loop.json") for path in RUNS.glob(pattern))
        raise RunFolderError(f"There are no additions of '{name}': neither a loop nor a run with accepted rows. {choices(name, there)}")


def _sources(folder: Path) -> Iterator[tuple[Iterator[Candidate], Mapping[str, Parent]]]:
    if is_loop(folder):
        for one in finished_rounds(Asked.read(folder), LOOP):
            yield one.candidates(ACCEPTED_ROWS), one.parents()
    elif (folder / ACCEPTED_ROWS).is_file() and (folder / "inputs.json").is_file():
        run = Context(RunFolder(folder), RunFolder(folder).inputs())
        path = run.inputs["files"].get(PARENTS, {}).get("path")
        yield _rows_of(run), {one.seed.id: one for one in read_parents(Path(path))} if path else {}
