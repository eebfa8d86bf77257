"""`train`: the student and every control, several seeds each, all with the same number of steps."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from spacy_synthesizrr.candidates import digest
from spacy_synthesizrr.context import Context
from spacy_synthesizrr.documents import read_document
from spacy_synthesizrr.jsonl import write_json
from spacy_synthesizrr.progress import progress, say
from spacy_synthesizrr.receipts import run_step
from spacy_synthesizrr.steps.export import REPORT as EXPORTED
from spacy_synthesizrr.students.arms import MAIN, Arm, check_main
from spacy_synthesizrr.students.scores import ACCURACY, MICRO_F, spread

if TYPE_CHECKING:
    from confection import Config

    from spacy_synthesizrr.students.config import StudentTask
    from spacy_synthesizrr.students.train import Job, Trained

TRAINING, STUDENT, REPORT = "training", "student", "student.json"


def run(ctx: Context) -> bool:
    """Write training/<arm>/<seed>/, student/ (the main arm's best on dev) and student.json.

    Each finished student stays on disk; after an interruption only the missing ones are trained.
    RETURNS (bool): Whether work was done.
    RAISES (StudentError): When a label has no accepted row, or the GPU that was asked for is not there.
    """
    settings = {**ctx.depends(task=True, configs=("student",), settings=("seed", "lang")), "run": ctx.folder.path.name}
    return run_step(ctx.folder, "train", after=("export",), settings=settings, outputs=(STUDENT, REPORT, TRAINING), body=lambda: _body(ctx))


def student_task(exported: Mapping[str, Any]) -> StudentTask:
    """RETURNS (StudentTask): What export.json says about the task."""
    from spacy_synthesizrr.students.config import StudentTask

    return StudentTask(tuple(exported["labels"]), bool(exported["exclusive"]), str(exported["lang"]))


def _body(ctx: Context) -> dict[str, Any]:
    from spacy_synthesizrr.students.config import count_steps, read_student_config, use_gpu

    exported = read_document(ctx.folder, EXPORTED)
    arms = [Arm.from_dict(row) for row in exported["arms"]]
    check_main(arms[0], exported["labels"])
    use_gpu(int(ctx.settings["gpu_id"]))
    config = read_student_config(ctx.config_path("student"), student_task(exported))
    steps = count_steps(config.interpolate()["training"], arms[0].rows, path=ctx.config_path("student"))
    jobs = _jobs(ctx, arms, steps)
    _tidy(ctx, jobs)
    trained = _train_all(ctx, jobs, config, has_dev=exported["dev"]["rows"] > 0)
    chosen = max((student for student in trained if student.arm == MAIN), key=lambda student: (student.dev or 0.0, -student.seed))
    _save(ctx, chosen, exported)
    write_json(ctx.folder.file(REPORT), _report(ctx, exported, arms, trained, chosen))
    if not exported["dev"]["rows"]:
        say("  There are no dev rows: the last model of each training is kept, and the first seed's becomes the student.")
    return {"students": len(trained), "steps": steps}


def _jobs(ctx: Context, arms: list[Arm], steps: int) -> list[Job]:
    from spacy_synthesizrr.students.train import Job

    about = ctx.folder.receipt("export")["outputs"]
    dev = ctx.folder.file("dev.spacy")
    return [
        Job(
            arm=arm.name,
            seed=ctx.seed + number,
            steps=steps,
            train=ctx.folder.file(arm.file),
            dev=dev,
            folder=ctx.folder.file(TRAINING) / arm.name / str(ctx.seed + number),
            inputs=digest(about[arm.file]["sha256"], about["dev.spacy"]["sha256"]),
        )
        for arm in arms
        if arm.run
        for number in range(ctx.task.k_seeds)
    ]


def _tidy(ctx: Context, jobs: list[Job]) -> None:
    """Remove what an earlier run trained or left half-done and nobody asks for now."""
    wanted = {job.folder for job in jobs}
    for folder in ctx.folder.file(TRAINING).glob("*/*"):
        if folder not in wanted:
            shutil.rmtree(folder)


def _train_all(ctx: Context, jobs: list[Job], config: Config, *, has_dev: bool) -> list[Trained]:
    from spacy_synthesizrr.students.train import find_trained, train_student

    gpu_id = int(ctx.settings["gpu_id"])
    return [
        find_trained(job, config) or train_student(job, config, has_dev=has_dev, gpu_id=gpu_id)
        for job in progress(jobs, "Training", total=len(jobs), unit="students")
    ]


def _save(ctx: Context, chosen: Trained, exported: Mapping[str, Any]) -> None:
    from spacy_synthesizrr.students.train import save_student

    name = re.sub(r"[^a-z0-9]+", "_", str(exported["task"]).lower()).strip("_") or "student"
    about = {"task": exported["task"], "run": ctx.folder.path.name, "labels": exported["labels"], "exclusive": exported["exclusive"]}
    about |= {"rows": exported["arms"][0]["rows"], "seed": chosen.seed, "steps": chosen.steps, "best_step": chosen.best_step}
    description = f"Text classifier for the task {exported['task']}, trained on synthetic rows. Labels: {', '.join(exported['labels'])}."
    save_student(chosen, ctx.folder.file(STUDENT), meta={"name": name, "description": description, "synthesizrr": about})


def _report(ctx: Context, exported: Mapping[str, Any], arms: list[Arm], trained: list[Trained], chosen: Trained) -> dict[str, Any]:
    rows = []
    for arm in arms:
        mine = [student for student in trained if student.arm == arm.name]
        row = {name: value for name, value in arm.to_dict().items() if name != "file"}
        row |= {"steps": mine[0].steps if mine else 0, "seeds": [student.to_dict() for student in mine]}
        rows.append(row | {"dev": spread([student.dev for student in mine if student.dev is not None])})
    return {
        "v": 1,
        "task": exported["task"],
        "run": ctx.folder.path.name,
        "labels": exported["labels"],
        "exclusive": exported["exclusive"],
        "metric": ACCURACY if exported["exclusive"] else MICRO_F,
        "selected_on": "last step" if chosen.dev is None else "dev",
        "arms": rows,
        "chosen": {"arm": chosen.arm, "seed": chosen.seed, "dev": chosen.dev},
    }
