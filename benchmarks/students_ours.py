"""One student of this project, trained on plain texts and labels as `train` would do it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import spacy

from spacy_synthesizrr.fingerprints import size
from spacy_synthesizrr.students.config import StudentTask, count_steps, read_student_config, use_gpu
from spacy_synthesizrr.students.evaluate import read_gold, score
from spacy_synthesizrr.students.export import write_docs
from spacy_synthesizrr.students.job import Job
from spacy_synthesizrr.students.rows import StudentRow
from spacy_synthesizrr.students.train import train_student

CONFIGS = Path(__file__).parents[1] / "configs"
Set = tuple[list[str], list[str]]


def train_ours(kind: str, train: Set, dev: Set, test: Set, *, seed: int, encoder: str, gpu_id: int, folder: Path) -> dict[str, Any]:
    """Train with the config configs/student.<kind>.cfg.

    encoder (str): Folder of the pretrained encoder, where there is one.
    RETURNS (dict): Accuracies on dev and test, seconds of training, texts per second, megabytes on disk, number of steps.
    """
    use_gpu(gpu_id)
    task = StudentTask(tuple(sorted(set(test[1]))), True, "en")
    for name, rows in (("train", train), ("dev", dev), ("test", test)):
        write_docs(_rows(name, rows), folder / f"{name}.spacy", nlp=spacy.blank("en"), labels=task.labels)
    path = CONFIGS / f"student.{kind}.cfg"
    config = read_student_config(path, task)
    if encoder and "name" in config["components"]["textcat"]["model"]:
        config["components"]["textcat"]["model"]["name"] = encoder
    steps = count_steps(config.interpolate()["training"], len(train[0]), path=path)
    job = Job("main", seed, steps, folder / "train.spacy", folder / "dev.spacy", folder / "model", f"{train[0][0]} {len(train[0])}")
    trained = train_student(job, config, task=task, has_dev=True, gpu_id=gpu_id)
    nlp = spacy.load(trained.folder)
    scored = score(nlp, read_gold(folder / "test.spacy", nlp, task), task)
    fresh = [f"{text} ." for text in test[0]]  # a frozen encoder remembers the vectors of texts that it has seen
    began = time.monotonic()
    for _ in nlp.pipe(fresh):
        pass
    speed = len(fresh) / (time.monotonic() - began)
    about = {"steps": steps, "seconds": trained.seconds or 0.0, "docs_per_second": speed, "megabytes": size(trained.folder) / 1e6}
    return {"test": scored.score, "dev": trained.dev, **about, "finish": trained.finish, "device": "gpu" if gpu_id >= 0 else "cpu"}


def _rows(name: str, rows: Set) -> Iterator[StudentRow]:
    for number, (text, label) in enumerate(zip(*rows, strict=True), start=1):
        yield StudentRow(f"{name}:{number}", text, (label,))
