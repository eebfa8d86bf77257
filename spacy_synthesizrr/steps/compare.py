"""`compare`: several kinds of student on the train set of the run and on every control, in one table.

Every student of a kind is trained for the same number of steps, on whatever rows; kinds differ in how many a step costs, so each config
says its own number. Nothing of the run is changed: students lie under compare/, figures in compare.json.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spacy_synthesizrr.configs import config_names
from spacy_synthesizrr.context import Context
from spacy_synthesizrr.documents import read_document
from spacy_synthesizrr.errors import ConfigError, choices
from spacy_synthesizrr.fingerprints import size
from spacy_synthesizrr.jsonl import write_json
from spacy_synthesizrr.progress import progress, say
from spacy_synthesizrr.receipts import locked, upstream
from spacy_synthesizrr.steps.export import REPORT as EXPORTED
from spacy_synthesizrr.steps.gating import check_gate, sets_of
from spacy_synthesizrr.steps.train import TRAINING, arm_rows, metric_of, plan_training, student_task, train_all
from spacy_synthesizrr.students.arms import Arm, check_main
from spacy_synthesizrr.students.scores import spread
from spacy_synthesizrr.students.span.settings import only_classifiers
from spacy_synthesizrr.students.table import comparison_table

if TYPE_CHECKING:
    from confection import Config

    from spacy_synthesizrr.students.job import Job

FOLDER, REPORT = "compare", "compare.json"


def compare(ctx: Context, kinds: Sequence[str]) -> dict[str, Any]:
    """Train and test students of several kinds on every arm, and write compare.json. What is trained already is not trained again.

    kinds (Sequence[str]): Names of configs/student.NAME.cfg.
    RETURNS (dict): What compare.json says.
    RAISES (ConfigError): When there is no such config, or something is missing for it; before anything is trained.
    RAISES (StudentError): When a label has no accepted row, the contamination gate does not vouch for the rows, or the GPU that was
        asked for is not there.
    RAISES (RunFolderError): When export.json is older than what it was made from, or another process works on the run.
    """
    only_classifiers("compare", ctx.task.answer)
    with locked(ctx.folder):
        upstream(ctx.folder, "export")
        return _compare(ctx, kinds)


def _compare(ctx: Context, kinds: Sequence[str]) -> dict[str, Any]:
    exported = read_document(ctx.folder, EXPORTED)
    arms = [Arm.from_dict(row) for row in exported["arms"]]
    check_gate(ctx, sets_of(arms))
    check_main(arms[0], exported["labels"])
    paths = {kind: _config_path(ctx, kind) for kind in dict.fromkeys(kinds)}
    if not paths:
        raise ConfigError(f"There is nothing to compare. {choices('', config_names(ctx.config_path('student').parent, 'student'))}")
    plans = {kind: _plan(ctx, exported, arms, kind, path) for kind, path in paths.items()}
    found: dict[str, Any] = {"v": 1, "metric": metric_of(exported), "rows": exported["test"]["rows"], "students": []}
    for kind, (config, jobs) in plans.items():
        say(f"{kind}: {len(jobs)} students of {jobs[0].steps:,} steps")
        began = time.monotonic()
        trained = train_all(ctx, jobs, config, exported)
        about = {"student": kind, "bytes": size(jobs[0].folder), "seconds": [one.seconds for one in trained if one.seconds is not None]}
        found["students"].append({**about, "arms": _test(ctx, exported, arm_rows(arms, trained), jobs)})
        write_json(ctx.folder.file(REPORT), found)
        say(f"{kind}: done in {time.monotonic() - began:.1f} s")
    for line in comparison_table(found).splitlines():
        say(line)
    return found


def _plan(ctx: Context, exported: Mapping[str, Any], arms: Sequence[Arm], kind: str, path: Path) -> tuple[Config, list[Job]]:
    """The students of a kind; those that `train` made are taken as they are, and nothing is added to them."""
    from spacy_synthesizrr.students.job import find_trained

    config, jobs = plan_training(ctx, exported, arms, path=path, root=ctx.folder.file(FOLDER) / kind)
    if path == ctx.config_path("student"):
        theirs = [replace(job, folder=ctx.folder.file(TRAINING) / job.arm / str(job.seed)) for job in jobs]
        if all(find_trained(job, config) for job in theirs):
            return config, theirs
    return config, jobs


def _config_path(ctx: Context, kind: str) -> Path:
    path = ctx.config_path("student").with_name(f"student.{kind}.cfg")
    if not path.is_file():
        raise ConfigError(f"There is no student '{kind}': {path} is missing. {choices(kind, config_names(path.parent, 'student'))}")
    return path


def _test(ctx: Context, exported: Mapping[str, Any], rows: list[dict[str, Any]], jobs: Sequence[Job]) -> list[dict[str, Any]]:
    """The arms with their test scores, None each without test rows."""
    from spacy_synthesizrr.students.evaluate import load_each, read_gold, score

    scores: dict[str, list[float]] = {}
    if exported["test"]["rows"]:
        task, gold = student_task(exported), None
        students = zip(jobs, load_each([job.folder for job in jobs]), strict=True)
        for job, nlp in progress(students, "Evaluating", total=len(jobs), unit="students"):
            gold = gold or read_gold(ctx.folder.file("test.spacy"), nlp, task)
            scores.setdefault(job.arm, []).append(score(nlp, gold, task).score)
    names = ("name", "run", "why", "rows", "steps", "dev")
    return [{**{name: row[name] for name in names}, "test": spread(scores.get(row["name"], []))} for row in rows]
