"""`train`: the student and every control, several seeds each, all with the same number of steps."""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spacy_synthesizrr.candidates import digest
from spacy_synthesizrr.context import Context
from spacy_synthesizrr.documents import read_document
from spacy_synthesizrr.jsonl import write_json
from spacy_synthesizrr.progress import progress_bar, say
from spacy_synthesizrr.receipts import run_step
from spacy_synthesizrr.steps.export import REPORT as EXPORTED
from spacy_synthesizrr.steps.gating import check_gate, sets_of
from spacy_synthesizrr.students.arms import MAIN, Arm, check_main
from spacy_synthesizrr.students.scores import ACCURACY, F1, MICRO_F, spread
from spacy_synthesizrr.students.span.rows import span_file

if TYPE_CHECKING:
    from confection import Config

    from spacy_synthesizrr.students.config import StudentTask
    from spacy_synthesizrr.students.job import Job, Trained

TRAINING, STUDENT, REPORT = "training", "student", "student.json"
PACE = "pace"  # key in export.json: rows whose number of steps this run takes, where another run sets the pace; else its own
STRIDE, LIMIT = 100, 4_000_000_000  # the most trainings of a task; numpy takes seeds below 2 ** 32


def run(ctx: Context) -> bool:
    """Write training/<arm>/<seed>/, student/ (the main arm's best on dev) and student.json.

    Each finished student stays on disk; after an interruption only the missing ones are trained.
    RETURNS (bool): Whether work was done.
    RAISES (StudentError): When a label has no accepted row, the contamination gate does not vouch for the rows, or the GPU that was
        asked for is not there.
    """
    from spacy_synthesizrr.students.foundations import foundation

    settings = {**ctx.depends(task=True, configs=("student",), settings=("seed", "lang")), "run": ctx.folder.path.name}
    if founded := foundation(ctx.config("student")):
        settings["foundation"] = founded
    return run_step(ctx.folder, "train", after=("export",), settings=settings, outputs=(STUDENT, REPORT, TRAINING), body=lambda: _body(ctx))


def student_task(exported: Mapping[str, Any]) -> StudentTask:
    """RETURNS (StudentTask): What export.json says about the task."""
    from spacy_synthesizrr.students.config import StudentTask

    return StudentTask(tuple(exported["labels"]), bool(exported["exclusive"]), str(exported["lang"]))


def _body(ctx: Context) -> dict[str, Any]:
    exported = read_document(ctx.folder, EXPORTED)
    arms = [Arm.from_dict(row) for row in exported["arms"]]
    check_gate(ctx, sets_of(arms))
    check_main(arms[0], exported["labels"])
    config, jobs = plan_training(ctx, exported, arms, path=ctx.config_path("student"), root=ctx.folder.file(TRAINING))
    _tidy(ctx, jobs)
    trained = train_all(ctx, jobs, config, exported)
    chosen = max((student for student in trained if student.arm == MAIN), key=lambda student: (student.dev or 0.0, -student.seed))
    if ctx.task.answer:
        _save_span(ctx, chosen, exported)
    else:
        _save(ctx, chosen, exported)
        _tell_long_texts(ctx)
    write_json(ctx.folder.file(REPORT), _report(ctx, exported, arms, trained, chosen))
    if not exported["dev"]["rows"]:
        say("  There are no dev rows: the last model of each training is kept, and the first seed's becomes the student.")
    return {"students": len(trained), "steps": jobs[0].steps}


def plan_training(ctx: Context, exported: Mapping[str, Any], arms: Sequence[Arm], *, path: Path, root: Path) -> tuple[Config, list[Job]]:
    """What is to be trained: every arm that was exported, with K seeds, all for the same number of steps.

    path (Path): The student's config. root (Path): Folder of the trained students, by arm and seed.
    RETURNS (Tuple[Config, List[Job]]): The config, fitted to the task; and the jobs, the main arm's first.
    RAISES (StudentError): When the GPU that was asked for is not there.
    RAISES (ConfigError): When the config does not say how many steps, spaCy refuses it, or its encoder is not there.
    """
    from spacy_synthesizrr.students.foundations import foundation
    from spacy_synthesizrr.students.job import Job

    config, steps = _read_config(ctx, exported, int(exported.get(PACE) or arms[0].rows), path)
    founded = json.dumps(foundation(config.interpolate()), sort_keys=True)
    about = ctx.folder.receipt("export")["outputs"]
    name_of = span_file if ctx.task.answer else str
    dev = name_of("dev.spacy")
    jobs = [
        Job(
            arm=arm.name,
            seed=seed,
            steps=steps,
            train=ctx.folder.file(name_of(arm.file)),
            dev=ctx.folder.file(dev),
            folder=root / arm.name / str(seed),
            inputs=digest(about[name_of(arm.file)]["sha256"], about[dev]["sha256"], founded),
        )
        for arm in arms
        if arm.run
        for seed in training_seeds(ctx.seed, ctx.task.k_seeds)
    ]
    return config, jobs


def _read_config(ctx: Context, exported: Mapping[str, Any], rows: int, path: Path) -> tuple[Config, int]:
    """RETURNS (Tuple[Config, int]): The student's config, checked, and the number of steps for so many rows."""
    from spacy_synthesizrr.students.config import count_steps, read_student_config, use_gpu
    from spacy_synthesizrr.students.foundations import check_builds

    if ctx.task.answer:
        from spacy_synthesizrr.students.span.predicting import device_of
        from spacy_synthesizrr.students.span.settings import read_span_config

        spans = read_span_config(path)
        device_of(int(ctx.settings["gpu_id"]))
        return spans.config, spans.training.steps(rows, path=path)
    use_gpu(int(ctx.settings["gpu_id"]))
    config = read_student_config(path, student_task(exported))
    check_builds(config)
    return config, count_steps(config.interpolate()["training"], rows, path=path)


def training_seeds(seed: int, count: int) -> range:
    """RETURNS (range): The seeds of the trainings; runs with neighbouring seeds have none in common."""
    first = seed * STRIDE % LIMIT
    return range(first, first + count)


def _tidy(ctx: Context, jobs: list[Job]) -> None:
    """Remove what an earlier run trained or left half-done and nobody asks for now."""
    wanted = {folder for job in jobs for folder in (job.folder, job.unfinished)}
    for folder in ctx.folder.file(TRAINING).glob("*/*"):
        if folder not in wanted:
            shutil.rmtree(folder)


def train_all(ctx: Context, jobs: Sequence[Job], config: Config, exported: Mapping[str, Any]) -> list[Trained]:
    """Train what is not there yet; each finished student stays on disk.

    RETURNS (List[Trained]): In the order of the jobs.
    """
    from spacy_synthesizrr.students.job import find_trained

    train = _trainer(ctx, config, exported)
    trained: list[Trained] = []
    with _told_when_stopped(jobs, trained), progress_bar("Training", total=sum(job.steps for job in jobs), unit="steps") as bar:
        for number, job in enumerate(jobs, start=1):
            bar.set_postfix_str(f"student {number} of {len(jobs)}: {job.arm}, seed {job.seed}", refresh=False)
            found = find_trained(job, config)
            if found:
                bar.update(job.steps)
                shutil.rmtree(job.unfinished, ignore_errors=True)  # killed at its very end, or left by another student's training
            trained.append(found or train(job, on_step=lambda _: bar.update()))
    return trained


def _trainer(ctx: Context, config: Config, exported: Mapping[str, Any]) -> Callable[..., Trained]:
    """RETURNS (Callable): Trains the student of a job; of question answering one that marks spans."""
    about: dict[str, Any] = {"has_dev": exported["dev"]["rows"] > 0, "gpu_id": int(ctx.settings["gpu_id"])}
    if ctx.task.answer:
        from spacy_synthesizrr.students.span.settings import make_span_config
        from spacy_synthesizrr.students.span.training import train_span

        return partial(train_span, config=make_span_config(config), **about)
    from spacy_synthesizrr.students.train import train_student

    return partial(train_student, config=config, task=student_task(exported), **about)


@contextlib.contextmanager
def _told_when_stopped(jobs: Sequence[Job], trained: Sequence[Trained]) -> Iterator[None]:
    """Ctrl-C: what is there, and that the same command goes on. (Under `spacy project run` there is no time to say so.)"""
    try:
        yield
    except KeyboardInterrupt:
        job = jobs[len(trained)]
        best = f" The best of the next so far lies in {job.unfinished / 'model-best'}." if (job.unfinished / "model-best").is_dir() else ""
        say(f"  {len(trained)} of {len(jobs)} students are trained and stay.{best} The same command goes on.")
        raise


def _save(ctx: Context, chosen: Trained, exported: Mapping[str, Any]) -> None:
    from spacy_synthesizrr.students.takehome.packaging import package_name
    from spacy_synthesizrr.students.train import save_student

    name = package_name(str(exported["task"]))
    about = {"task": exported["task"], "run": ctx.folder.path.name, "labels": exported["labels"], "exclusive": exported["exclusive"]}
    about |= {"rows": exported["arms"][0]["rows"], "seed": chosen.seed, "steps": chosen.steps, "best_step": chosen.best_step}
    description = f"Text classifier for the task {exported['task']}, trained on synthetic rows. Labels: {', '.join(exported['labels'])}."
    save_student(chosen, ctx.folder.file(STUDENT), meta={"name": name, "description": description, "synthesizrr": about})


def _save_span(ctx: Context, chosen: Trained, exported: Mapping[str, Any]) -> None:
    from spacy_synthesizrr.students.span.model import save_copy

    about = {"task": exported["task"], "run": ctx.folder.path.name, "rows": exported["arms"][0]["rows"], "seed": chosen.seed}
    save_copy(chosen.folder, ctx.folder.file(STUDENT), {**about, "steps": chosen.steps, "best_step": chosen.best_step})
    if long := chosen.finish.get("too_long"):
        say(f"  {long:,} train rows are left out: no window holds their whole answer. Raise max_length.")


def _tell_long_texts(ctx: Context) -> None:
    import spacy
    from spacy.vocab import Vocab

    from spacy_synthesizrr.students.export import read_docs
    from spacy_synthesizrr.students.transformer.lengths import long_texts

    docs = read_docs(ctx.folder.file("train.spacy"), Vocab())
    found = long_texts(spacy.load(ctx.folder.file(STUDENT)), (doc.text for doc in docs))
    if found and found[0]:
        say(
            f"  {found[0]:,} train texts have more than {found[1]} tokens: the student reads their beginning. "
            'Raise max_length, or set long_texts = "windows".'
        )


def _report(ctx: Context, exported: Mapping[str, Any], arms: list[Arm], trained: list[Trained], chosen: Trained) -> dict[str, Any]:
    return {
        "v": 1,
        "task": exported["task"],
        "run": ctx.folder.path.name,
        "labels": exported["labels"],
        "exclusive": exported["exclusive"],
        "metric": metric_of(exported),
        "selected_on": "last step" if chosen.dev is None else "dev",
        "arms": arm_rows(arms, trained),
        "chosen": {"arm": chosen.arm, "seed": chosen.seed, "dev": chosen.dev},
    }


def metric_of(exported: Mapping[str, Any]) -> str:
    """RETURNS (str): What the main score of this task is called."""
    if exported.get("answer"):
        return F1
    return ACCURACY if exported["exclusive"] else MICRO_F


def arm_rows(arms: Sequence[Arm], trained: Sequence[Trained]) -> list[dict[str, Any]]:
    """RETURNS (List[dict]): Every arm with its students, as plain JSON."""
    rows = []
    for arm in arms:
        mine = [student for student in trained if student.arm == arm.name]
        row = {name: value for name, value in arm.to_dict().items() if name != "file"}
        row |= {"steps": mine[0].steps if mine else 0, "seeds": [student.to_dict() for student in mine]}
        rows.append(row | {"dev": spread([student.dev for student in mine if student.dev is not None])})
    return rows
