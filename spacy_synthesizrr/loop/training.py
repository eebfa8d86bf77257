"""A round's train set and its student: starting rows and the additions so far, a fresh student, and what it says of the labelled rows."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from spacy_synthesizrr.candidates import Candidate
from spacy_synthesizrr.context import Context
from spacy_synthesizrr.documents import read_document
from spacy_synthesizrr.fingerprints import fingerprint_file
from spacy_synthesizrr.jsonl import read_jsonl
from spacy_synthesizrr.labelled import LabelledRow, read_rows
from spacy_synthesizrr.loop.folder import PARTS, PREDICT, Loop
from spacy_synthesizrr.loop.predictions import PREDICTIONS, Prediction, predict_rows, write_predictions
from spacy_synthesizrr.loop.split import texts_of
from spacy_synthesizrr.receipts import run_step
from spacy_synthesizrr.steps.export import REPORT as EXPORTED
from spacy_synthesizrr.steps.export import export_arm, finish_export
from spacy_synthesizrr.steps.gating import GATE, HITS, gating, sets_of
from spacy_synthesizrr.steps.train import PACE, TRAINING
from spacy_synthesizrr.steps.train import REPORT as TRAINED
from spacy_synthesizrr.students.arms import MAIN, Arm
from spacy_synthesizrr.students.rows import StudentRow, candidate_rows, labelled_row
from spacy_synthesizrr.taskfile import RowsSpec, TaskSpec

ACCEPTED_ROWS = "accepted.jsonl"


@dataclass(frozen=True)
class TrainRows:
    """What a round's student is trained on.

    candidates (Tuple[Tuple[Path, int | None], ...]): Files of accepted rows, and how many of each count, from the top; None for all.
    labelled (Tuple[Path, ...]): Files of labelled rows.
    kept_errors (Tuple[LabelledRow, ...]): Labelled rows themselves: errors that are trained on.
    layout (RowsSpec | None): Of the labelled files; None where their columns are those of the task's fields.
    """

    candidates: tuple[tuple[Path, int | None], ...] = ()
    labelled: tuple[Path, ...] = ()
    kept_errors: tuple[LabelledRow, ...] = field(default=(), repr=False)
    layout: RowsSpec | None = None

    def read(self, task: TaskSpec) -> Iterator[StudentRow]:
        """YIELDS (StudentRow): All rows, a file after the other; a candidate that stands in two files comes once."""
        seen: set[str] = set()
        for path, most in self.candidates:
            rows = candidate_rows(islice(read_jsonl(path, Candidate.from_dict), most), task)
            for row in rows:
                if row.id not in seen:
                    seen.add(row.id)
                    yield row
        for path in self.labelled:
            yield from _student_rows(f"rows:{path.name}", read_labelled(path, task, self.layout), task)
        yield from _student_rows("error", self.kept_errors, task)

    def about(self) -> dict[str, Any]:
        """RETURNS (dict): What a receipt must know of them."""
        files = [[path.as_posix(), fingerprint_file(path), most] for path, most in self.candidates]
        files += [[path.as_posix(), fingerprint_file(path), None] for path in self.labelled]
        return {"train_rows": files, "kept_errors": [[row.line, *row.labels, *texts_of(row.fields)] for row in self.kept_errors]}


def read_labelled(path: Path, task: TaskSpec, layout: RowsSpec | None) -> Iterator[LabelledRow]:
    """Stream a file of labelled rows.

    layout (RowsSpec | None): That of the task's train file, whose columns it has; without one, they are those of its fields.
    RAISES (InputError): For the first row that is not right.
    """
    other = task.model_copy(update={"train": (layout or RowsSpec(path="")).model_copy(update={"path": path.resolve().as_posix()})})
    return read_rows(other, "train")


def _student_rows(kind: str, rows: Iterable[LabelledRow], task: TaskSpec) -> Iterator[StudentRow]:
    for row in rows:
        yield labelled_row(kind, row, task)


def export_round(ctx: Context, rows: TrainRows, *, after: Sequence[str], pace: int | None = None) -> bool:
    """Write the sets of a round, as `export` does for a run without controls: every row goes through the contamination gate.

    ctx (Context): The round.
    after (Sequence[str]): The steps whose outputs these sets are made from.
    pace (int | None): Rows after which the number of training steps goes; those of the set by default.
    RETURNS (bool): Whether work was done.
    """
    settings = ctx.depends(task=True, files=("dev", "test"), configs=("curate",), settings=("lang",)) | rows.about() | {PACE: pace}
    return run_step(
        ctx.folder,
        "export",
        after=after,
        settings=settings,
        outputs=lambda: [EXPORTED, GATE, HITS, *sets_of(_arms(ctx))],
        body=lambda: _export(ctx, rows, pace),
    )


def _arms(ctx: Context) -> list[Arm]:
    return [Arm.from_dict(row) for row in read_document(ctx.folder, EXPORTED)["arms"]]


def _export(ctx: Context, rows: TrainRows, pace: int | None) -> dict[str, Any]:
    import spacy

    from spacy_synthesizrr.stores.opening import open_store

    nlp = spacy.blank(str(ctx.settings["lang"]))
    with contextlib.closing(open_store(ctx)) as store, gating(ctx, getattr(store, "embedder", None)) as gate:
        arm = export_arm(ctx, MAIN, nlp, rows.read(ctx.task), gate)
    finish_export(ctx, [arm], gate, nlp, {PACE: pace})
    return {"rows": {MAIN: arm.rows}}


def predict_round(loop: Loop, ctx: Context) -> bool:
    """Let every student of a round answer the rows of both parts, and write predictions.jsonl.

    RETURNS (bool): Whether work was done.
    """
    parts = {part: fingerprint_file(loop.folder / name) for part, name in PARTS.items()}
    return run_step(
        ctx.folder, PREDICT, after=("train",), settings={"parts": parts}, outputs=(PREDICTIONS,), body=lambda: _predict(loop, ctx)
    )


def _predict(loop: Loop, ctx: Context) -> dict[str, Any]:
    """All rows in one go, because loading a student takes longer than asking it."""
    rows = [row for part in loop.parts.values() for row in part]
    found = predict_rows(students_of(ctx), rows, loop.task)
    parts: dict[str, dict[int, list[Prediction]]] = {}
    start = 0
    for part, own in loop.parts.items():
        parts[part] = {seed: answers[start : start + len(own)] for seed, answers in found.items()}
        start += len(own)
    return {"rows": write_predictions(ctx.folder.file(PREDICTIONS), parts)}


def students_of(ctx: Context) -> dict[int, Path]:
    """RETURNS (Dict[int, Path]): The folder of each student of a round, by its training seed."""
    seeds = read_document(ctx.folder, TRAINED)["arms"][0]["seeds"]
    return {int(one["seed"]): ctx.folder.file(TRAINING) / MAIN / str(one["seed"]) for one in seeds}


def chosen_seed(ctx: Context) -> int:
    """RETURNS (int): Training seed of the student that is best on the selection part."""
    return int(read_document(ctx.folder, TRAINED)["chosen"]["seed"])


def selection_score(ctx: Context) -> float:
    """RETURNS (float): Mean score on the selection part over training seeds: accuracy, or micro F."""
    return float(read_document(ctx.folder, TRAINED)["arms"][0]["dev"]["mean"])
