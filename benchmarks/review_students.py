"""Students that learn from suggestions, votes and truth, for review.py."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from corpora import HERE
from review_people import Row

from spacy_synthesizrr.candidates import Candidate, digest
from spacy_synthesizrr.jsonl import read_jsonl
from spacy_synthesizrr.taskfile import TaskSpec

COVERS = "training seeds alone; one sample of rows and answers, one test set"
STEPS = 400  # updates of each student, whatever its rows
T = {2: 12.71, 3: 4.303, 4: 3.182, 5: 2.776, 10: 2.262}  # 97.5 % of Student's t by number of training seeds


def students(task: TaskSpec, rows: Sequence[Row], tested: Sequence[Row], folder: Path, seeds: int) -> dict[str, Any]:
    """RETURNS (dict): Accuracy of a student on the held-out rows for each kind of labels, and what each gains over the suggestions, with
    an interval by Student's t over pairs of the same training seed.
    """
    votes = {ties: {made.fields["text"]: made.labels[0] for made in _reviewed(folder / ties)} for ties in ("suggestion", "drop")}
    arms = {
        "suggestions": [(row.text, row.suggestion) for row in rows],
        "votes, ties left out": [*votes["drop"].items()],
        "votes, ties by the suggestion": [*votes["suggestion"].items()],
        "truth": [(row.text, row.truth) for row in rows],
    }
    truth = {row.text: row.truth for row in rows}
    found: dict[str, Any] = {}
    for name, pairs in arms.items():
        scores = [_student(task, pairs, tested, folder / "student", seed) for seed in range(seeds)]
        right = fmean(truth[text] == label for text, label in pairs)
        found[name] = {"rows": len(pairs), "labels_right": round(right, 4), "scores": scores, "mean": round(fmean(scores), 4)}
        print(name, found[name], flush=True)
    for name in [*found][1:]:
        gains = [score - first for score, first in zip(found[name]["scores"], found["suggestions"]["scores"], strict=True)]
        half = T.get(seeds, 1.96) * stdev(gains) / seeds**0.5 if seeds > 1 else None
        found[name]["gain"] = {"mean": round(fmean(gains), 4), "half_of_95": None if half is None else round(half, 4), "covers": COVERS}
    return found


def _reviewed(folder: Path) -> Iterator[Candidate]:
    return read_jsonl(folder / "reviewed.jsonl", Candidate.from_dict)


def _student(task: TaskSpec, pairs: Sequence[tuple[str, str]], tested: Sequence[Row], work: Path, seed: int) -> float:
    import spacy

    from spacy_synthesizrr.students.config import StudentTask, read_student_config
    from spacy_synthesizrr.students.evaluate import load_each, read_gold, score
    from spacy_synthesizrr.students.export import write_docs
    from spacy_synthesizrr.students.job import Job
    from spacy_synthesizrr.students.rows import StudentRow
    from spacy_synthesizrr.students.train import train_student

    about, nlp, labels = StudentTask(tuple(task.labels), task.exclusive, "en"), spacy.blank("en"), list(task.labels)
    work.mkdir(parents=True, exist_ok=True)
    sets = {"train": pairs, "dev": (), "test": [(row.text, row.truth) for row in tested]}
    for kind, texts in sets.items():
        made = (StudentRow(f"{kind}:{number}", text, (label,)) for number, (text, label) in enumerate(texts))
        write_docs(made, work / f"{kind}.spacy", nlp=nlp, labels=labels)
    config = read_student_config(HERE.parent / "configs" / "student.bow.cfg", about)
    job = Job("main", seed, STEPS + 1, work / "train.spacy", work / "dev.spacy", work / "model", digest(json.dumps([*pairs]), str(seed)))
    (student,) = load_each([train_student(job, config, task=about, has_dev=False).folder])
    return round(score(student, read_gold(work / "test.spacy", student, about), about).score, 4)
