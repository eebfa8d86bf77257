"""`evaluate`: every student on the test set, which is read here and nowhere else.

evaluation.json, besides what `student.json` says of each arm:
    arms[].test       mean, sd and seeds of accuracy or micro F; in a multi-label task with each student's own thresholds
    arms[].interval   of that mean over other test rows: value, low, high, level, resamples (`quality.bootstrap`)
    arms[].macro_f, arms[].ece    mean and sd over training seeds; ece is that of the scores as the students give them
    chosen            the student that is taken home: score, macro_f, per_label, confusion with lines of the test file
    chosen.intervals  score and macro_f, as arms[].interval, of this student alone
    chosen.calibration    temperature; ece, brier and nll before and after it; reliability: low, high, count, score, share of each
                      bin (`quality.measured`)
    chosen.thresholds     per label, as they are used; empty in an exclusive task
    chosen.finish     what `train` noted about temperature and thresholds, both fitted on dev (`quality.finishing`)
    baselines, copies, dev_in_test    what the scores must be compared with, and what makes them too high
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from spacy_synthesizrr.context import Context
from spacy_synthesizrr.documents import read_document
from spacy_synthesizrr.jsonl import write_json, write_jsonl
from spacy_synthesizrr.progress import progress, say
from spacy_synthesizrr.receipts import run_step
from spacy_synthesizrr.steps.evaluate_spans import ANSWERS as ANSWERS
from spacy_synthesizrr.steps.evaluate_spans import NO_TEST, evaluate_spans
from spacy_synthesizrr.steps.evaluate_spans import REPORT as REPORT
from spacy_synthesizrr.steps.export import REPORT as EXPORTED
from spacy_synthesizrr.steps.takehome import take_home
from spacy_synthesizrr.steps.train import REPORT as TRAINED
from spacy_synthesizrr.steps.train import TRAINING, student_task
from spacy_synthesizrr.students.arms import MAIN
from spacy_synthesizrr.students.scores import confusion, majority, mean_per_label, spread
from spacy_synthesizrr.students.table import arms_table, speed_line

if TYPE_CHECKING:
    from spacy_synthesizrr.students.evaluate import Gold, Scored
    from spacy_synthesizrr.students.quality.bootstrap import Metric
    from spacy_synthesizrr.students.quality.measured import Calibration

Key = tuple[str, int]  # arm and training seed


@dataclass(frozen=True)
class Chosen:
    """What is measured of the student that people take home, beside its scores.

    calibration (Calibration | None): None when it was not measured.
    thresholds (Mapping[str, float]): Per label; empty in an exclusive task.
    finish (Mapping): What `train` noted about both, see `students.quality.finishing`; empty where nobody finished it.
    """

    calibration: Calibration | None = None
    thresholds: Mapping[str, float] = field(default_factory=dict)
    finish: Mapping[str, Any] = field(default_factory=dict)


def run(ctx: Context) -> bool:
    """Write evaluation.json and answers.jsonl and print the table of student and controls; write takehome.json and card.md.

    The latter two tell how fast the student is on this machine. They are no outputs by the receipt, since a receipt holds no
    times: the same work must leave the same receipt.
    RETURNS (bool): Whether work was done.
    """
    settings = {**ctx.depends(task=True, settings=("seed",)), "run": ctx.folder.path.name}
    return run_step(
        ctx.folder, "evaluate", after=("export", "train"), settings=settings, outputs=(REPORT, ANSWERS), body=lambda: _body(ctx)
    )


def _body(ctx: Context) -> dict[str, Any]:
    exported = read_document(ctx.folder, EXPORTED)
    trained = read_document(ctx.folder, TRAINED)
    if ctx.task.answer:
        return evaluate_spans(ctx, exported, trained)
    keys = [(arm["name"], seed["seed"]) for arm in trained["arms"] for seed in arm["seeds"]]
    key = (MAIN, trained["chosen"]["seed"])
    gold, scored, about = _score_all(ctx, exported, keys, key) if exported["test"]["rows"] else (None, {}, Chosen())
    found: dict[str, Any] = {
        "v": 1,
        "metric": trained["metric"],
        "rows": exported["test"]["rows"],
        "why": "" if gold else NO_TEST,
        "arms": [_arm(arm, _of(arm, keys, scored), gold, exported["labels"], ctx.seed) for arm in trained["arms"]],
        "chosen": _chosen(key[1], scored[key], about, gold, exported, draws=ctx.seed) if gold else None,
        "baselines": {"majority": majority(gold.labels, exported["labels"], exclusive=exported["exclusive"])} if gold else {},
        "copies": exported["copies"],
        "dev_in_test": exported["dev"]["in_test"],
    }
    write_json(ctx.folder.file(REPORT), found)
    write_jsonl(ctx.folder.file(ANSWERS), _answers(gold, scored, key) if gold else ())
    for line in arms_table(found).splitlines():
        say(line)
    home = take_home(ctx, exported=exported, trained=trained, evaluation=found)
    say(speed_line(home["speed"]))
    return {"rows": found["rows"], "students": len(scored)}


def _of(arm: Mapping[str, Any], keys: Sequence[Key], scored: Mapping[Key, Scored]) -> list[Scored]:
    return [scored[key] for key in keys if key[0] == arm["name"] and key in scored]


def _score_all(ctx: Context, exported: Mapping[str, Any], keys: Sequence[Key], chosen: Key) -> tuple[Gold, dict[Key, Scored], Chosen]:
    from spacy_synthesizrr.students.config import use_gpu
    from spacy_synthesizrr.students.evaluate import calibration, load_each, read_gold, score
    from spacy_synthesizrr.students.quality.finishing import FINISH, META, thresholds_of

    use_gpu(int(ctx.settings["gpu_id"]))
    task = student_task(exported)
    gold, scored, about = None, {}, Chosen()
    students = load_each([ctx.folder.file(TRAINING) / arm / str(seed) for arm, seed in keys])
    for key, nlp in progress(zip(keys, students, strict=True), "Evaluating", total=len(keys), unit="students"):
        gold = gold or read_gold(ctx.folder.file("test.spacy"), nlp, task)
        scored[key] = score(nlp, gold, task)
        if key == chosen:
            thresholds = {} if task.exclusive else thresholds_of(nlp, task)
            about = Chosen(calibration(nlp, gold, task), thresholds, nlp.meta.get(META, {}).get(FINISH, {}))
    if gold is None:
        raise RuntimeError("student.json names no trained student; `train` refuses to write such a file.")
    return gold, scored, about


def _answers(gold: Gold, scored: Mapping[Key, Scored], chosen: Key) -> Iterator[dict[str, Any]]:
    """One row per test row: its line in the user's file, its labels, what the chosen student says, and what all say, by arm."""
    arms = list(dict.fromkeys(arm for arm, _ in scored))
    by_arm = {arm: [student.answers for (name, _), student in scored.items() if name == arm] for arm in arms}
    for place, (line, labels) in enumerate(zip(gold.lines, gold.labels, strict=True)):
        said = {arm: [list(answers[place]) for answers in students] for arm, students in by_arm.items()}
        yield {"v": 1, "line": line, "gold": list(labels), "student": list(scored[chosen].answers[place]), "arms": said}


def _arm(arm: Mapping[str, Any], scored: Sequence[Scored], gold: Gold | None, labels: Sequence[str], seed: int) -> dict[str, Any]:
    test = spread([student.score for student in scored])
    errors = [student.ece for student in scored if student.ece is not None]
    return {
        **{name: arm[name] for name in ("name", "run", "why", "rows", "steps", "dev")},
        "test": test and {**test, "seeds": [student.score for student in scored]},
        "interval": _interval(gold, scored, labels, seed=seed) if gold and scored else None,
        "macro_f": spread([student.macro_f for student in scored]),
        "ece": spread(errors),
        "per_label": mean_per_label([student.per_label for student in scored]) if scored else {},
    }


def _interval(gold: Gold, scored: Sequence[Scored], labels: Sequence[str], *, seed: int, metric: Metric = "micro_f") -> dict[str, Any]:
    """The interval of the mean score of some students over test rows."""
    from spacy_synthesizrr.students.quality.bootstrap import interval

    return interval(gold.labels, [student.answers for student in scored], labels, metric=metric, seed=seed).to_dict()


def _chosen(seed: int, student: Scored, about: Chosen, gold: Gold, exported: Mapping[str, Any], *, draws: int) -> dict[str, Any]:
    metrics: dict[str, Metric] = {"score": "micro_f", "macro_f": "macro_f"}
    return {
        "arm": MAIN,
        "seed": seed,
        "score": student.score,
        "macro_f": student.macro_f,
        "intervals": {name: _interval(gold, [student], exported["labels"], seed=draws, metric=metric) for name, metric in metrics.items()},
        "calibration": about.calibration and about.calibration.to_dict(),
        "thresholds": dict(about.thresholds),
        "finish": dict(about.finish),
        "per_label": student.per_label,
        "confusion": confusion(gold.labels, student.answers, gold.lines),
    }
