"""Round 0: the rows that a loop starts from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from spacy_synthesizrr.context import RUNS
from spacy_synthesizrr.errors import InputError, RunFolderError, choices
from spacy_synthesizrr.jsonl import write_jsonl
from spacy_synthesizrr.loop.folder import Loop, is_loop, rounds_of
from spacy_synthesizrr.loop.training import ACCEPTED_ROWS, TrainRows
from spacy_synthesizrr.receipts import RunFolder, upstream
from spacy_synthesizrr.students.reviewed import main_rows


def starting_rows(loop: Loop, folder: RunFolder) -> TrainRows:
    """The rows of the first student: those of the starting run, or of a file; and the additions of other loops.

    folder (RunFolder): Of the start; rows of the starting run are copied into its accepted.jsonl, so that it is whole by itself.
    RAISES (RunFolderError): When the starting run, or one whose additions are wanted, is not finished.
    """
    start = loop.settings.start
    additions = tuple((path, None) for name in start.additions for path in additions_of(name))
    if start.rows:
        if not Path(start.rows).is_file():
            cure = "Correct [start] rows; paths begin at the project folder."
            raise InputError("There is no such file.", path=Path(start.rows), cure=cure)
        return TrainRows(candidates=additions, labelled=(Path(start.rows),))
    run = loop.ctx
    for step in ("curate", *(("pull",) if run.reviewed else ())):
        upstream(run.folder, step)  # says which step is to be run
    own = folder.file(ACCEPTED_ROWS)
    write_jsonl(own, (candidate.to_dict() for candidate in main_rows(run, Counter())))
    return TrainRows(candidates=((own, None), *additions))


def additions_of(name: str) -> Iterator[Path]:
    """YIELDS (Path): The files with the additions of a loop (of all its rounds), or with the rows that a run accepted.

    RAISES (RunFolderError): When there is neither of this name, or it has no rows yet.
    """
    folder = RUNS / name
    paths = [one.file(ACCEPTED_ROWS) for one in rounds_of(folder)] if is_loop(folder) else [folder / ACCEPTED_ROWS]
    found = [path for path in paths if path.is_file()]
    if not found:
        there = sorted(path.parent.name for pattern in ("*/inputs.json", "*/loop.json") for path in RUNS.glob(pattern))
        raise RunFolderError(f"There are no additions of '{name}': neither a loop nor a run with accepted rows. {choices(name, there)}")
    yield from found
