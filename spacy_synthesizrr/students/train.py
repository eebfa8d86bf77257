"""One student: spaCy's training on one train set with one seed."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import spacy

from spacy_synthesizrr.errors import ConfigError
from spacy_synthesizrr.fingerprints import replace_folder, size
from spacy_synthesizrr.jsonl import write_json
from spacy_synthesizrr.students.config import SCORE
from spacy_synthesizrr.students.evaluate import answer
from spacy_synthesizrr.students.fitting import fit, make_plain
from spacy_synthesizrr.students.job import RECORD, Job, Trained
from spacy_synthesizrr.students.loop import BEST, CHECKPOINT_SECONDS, Place, save_pipeline, train_loop
from spacy_synthesizrr.students.quality.finishing import finish
from spacy_synthesizrr.students.readers import read_examples, read_texts
from spacy_synthesizrr.students.scores import main_score

FINISHED = "finished"

if TYPE_CHECKING:
    from confection import Config
    from spacy.language import Language

    from spacy_synthesizrr.students.checkpoint import Evaluation
    from spacy_synthesizrr.students.config import StudentTask


def train_student(
    job: Job,
    config: Config,
    *,
    task: StudentTask,
    has_dev: bool,
    gpu_id: int = -1,
    on_step: Callable[[int], object] = lambda step: None,
    checkpoint_seconds: float = CHECKPOINT_SECONDS,
) -> Trained:
    """Train one student and put it under its folder when it is whole; one that broke off goes on from its last checkpoint.

    config (Config): What `read_student_config` made; it is not changed.
    has_dev (bool): Whether dev has rows; without any the last model is kept.
    on_step (Callable): Told the number of every update that is done, from 0.
    checkpoint_seconds (float): At least so long between two checkpoints.
    RAISES (ConfigError): When spaCy refuses the config.
    """
    from confection import ConfigValidationError
    from spacy.training.initialize import init_nlp

    key, work = job.key(config), job.unfinished
    place = Place(work, key, checkpoint_seconds)
    if place.checkpoint() is None:
        shutil.rmtree(work, ignore_errors=True)
    start = time.monotonic()
    try:
        evaluations = train_loop(init_nlp(fit(config, job), use_gpu=gpu_id), place, on_step=on_step)
    except (ConfigValidationError, ValueError) as error:
        raise ConfigError(f"spaCy refuses the student's config: {' '.join(str(error).split())}") from error
    finally:
        read_examples.cache_clear()
    trained = replace(_outcome(job, evaluations, has_dev=has_dev), seconds=round(time.monotonic() - start, 1))
    trained = _finish(trained, job, task, key)
    shutil.rmtree(work)
    return trained


def _outcome(job: Job, evaluations: Sequence[Evaluation], *, has_dev: bool) -> Trained:
    """Which model was kept; of equal scores the later one."""
    steps = evaluations[-1].step + 1
    if not has_dev:
        return Trained(job.arm, job.seed, steps, None, steps - 1, (), job.folder)
    best = max(evaluations, key=lambda one: (one.score, one.step))
    curve = tuple((one.step, one.score) for one in evaluations)
    return Trained(job.arm, job.seed, steps, best.scores[SCORE], best.step, curve, job.folder)


def _finish(trained: Trained, job: Job, task: StudentTask, key: str) -> Trained:
    """Calibrate the kept model on dev, make its config plain, and put it where finished students lie.

    The kept model itself stays as it is until then: killed in here, a rerun finds it and finishes it again.
    """
    nlp = spacy.load(job.unfinished / BEST)
    rows = [(text, cats) for text, cats, _ in read_texts(job.dev.as_posix(), job.inputs)]
    trained = replace(trained, finish=finish(nlp, rows, task).to_dict())
    if trained.dev is not None and not task.exclusive:
        trained = replace(trained, dev=_dev_score(nlp, rows, task))
    work = job.unfinished / FINISHED
    shutil.rmtree(work, ignore_errors=True)
    nlp.to_disk(work)
    make_plain(work / "config.cfg")
    record = {"v": 1, "key": key, "arm": job.arm, "bytes": size(work), "steps": trained.steps, **trained.to_dict()}
    write_json(work / RECORD, record)
    replace_folder(work, job.folder)
    return trained


def _dev_score(nlp: Language, rows: Sequence[tuple[str, Mapping[str, float]]], task: StudentTask) -> float:
    """RETURNS (float): Micro F on dev at the student's own thresholds, as on test."""
    gold = [tuple(label for label in task.labels if cats[label] > 0.5) for _, cats in rows]
    return main_score(gold, answer(nlp, [nlp.make_doc(text) for text, _ in rows], task), task.labels)


def save_student(trained: Trained, folder: Path, *, meta: dict[str, Any]) -> None:
    """Save a trained student as the pipeline that a user takes home.

    meta (dict): Goes into the pipeline's meta.json.
    """
    nlp = spacy.load(trained.folder)
    nlp.meta.update({**meta, "synthesizrr": {**nlp.meta.get("synthesizrr", {}), **meta.get("synthesizrr", {})}})
    save_pipeline(nlp, folder)
