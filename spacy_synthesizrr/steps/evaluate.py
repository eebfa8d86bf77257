"""`evaluate`: every student on the test set, which is read here and nowhere else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from spacy_synthesizrr.context import Context
from spacy_synthesizrr.documents import read_document
from spacy_synthesizrr.jsonl import write_json
from spacy_synthesizrr.progress import progress, say
from spacy_synthesizrr.receipts import run_step
from spacy_synthesizrr.steps.export import REPORT as EXPORTED
from spacy_synthesizrr.steps.train import REPORT as TRAINED
from spacy_synthesizrr.steps.train import TRAINING, student_task
from spacy_synthesizrr.students.arms import MAIN
from spacy_synthesizrr.students.scores import confusion, majority, mean_per_label, spread
from spacy_synthesizrr.students.table import arms_table

if TYPE_CHECKING:
    from spacy_synthesizrr.students.evaluate import Gold, Scored

REPORT = "evaluation.json"
NO_TEST = "no test rows"
Key = tuple[str, int]  # arm and training seed


def run(ctx: Context) -> bool:
    """Write evaluation.json and print the table of student and controls.

    RETURNS (bool): Whether work was done.
    """
    return run_step(ctx.folder, "evaluate", after=("export", "train"), settings={}, outputs=(REPORT,), body=lambda: _body(ctx))


def _body(ctx: Context) -> dict[str, Any]:
    exported = read_document(ctx.folder, EXPORTED)
    trained = read_document(ctx.folder, TRAINED)
    keys = [(arm["name"], seed["seed"]) for arm in trained["arms"] for seed in arm["seeds"]]
    gold, scored = _score_all(ctx, exported, keys) if exported["test"]["rows"] else (None, {})
    found: dict[str, Any] = {
        "v": 1,
        "metric": trained["metric"],
        "rows": exported["test"]["rows"],
        "why": "" if gold else NO_TEST,
        "arms": [_arm(arm, [scored[key] for key in keys if key[0] == arm["name"] and key in scored]) for arm in trained["arms"]],
        "chosen": _chosen(trained["chosen"], gold, scored) if gold else None,
        "baselines": {"majority": majority(gold.labels, exported["labels"], exclusive=exported["exclusive"])} if gold else {},
        "copies": exported["copies"],
        "dev_in_test": exported["dev"]["in_test"],
    }
    write_json(ctx.folder.file(REPORT), found)
    for line in arms_table(found).splitlines():
        say(line)
    return {"rows": found["rows"], "students": len(scored)}


def _score_all(ctx: Context, exported: Mapping[str, Any], keys: Sequence[Key]) -> tuple[Gold, dict[Key, Scored]]:
    from spacy_synthesizrr.students.config import use_gpu
    from spacy_synthesizrr.students.evaluate import load_each, read_gold, score

    use_gpu(int(ctx.settings["gpu_id"]))
    task = student_task(exported)
    gold, scored = None, {}
    students = load_each([ctx.folder.file(TRAINING) / arm / str(seed) for arm, seed in keys])
    for key, nlp in progress(zip(keys, students, strict=True), "Evaluating", total=len(keys), unit="students"):
        gold = gold or read_gold(ctx.folder.file("test.spacy"), nlp, task)
        scored[key] = score(nlp, gold, task)
    if gold is None:
        raise RuntimeError("student.json names no trained student; `train` refuses to write such a file.")
    return gold, scored


def _arm(arm: Mapping[str, Any], scored: Sequence[Scored]) -> dict[str, Any]:
    test = spread([student.score for student in scored])
    return {
        **{name: arm[name] for name in ("name", "run", "why", "rows", "steps", "dev")},
        "test": test and {**test, "seeds": [student.score for student in scored]},
        "macro_f": spread([student.macro_f for student in scored]),
        "per_label": mean_per_label([student.per_label for student in scored]) if scored else {},
    }


def _chosen(chosen: Mapping[str, Any], gold: Gold, scored: Mapping[Key, Scored]) -> dict[str, Any]:
    student = scored[MAIN, chosen["seed"]]
    return {
        "arm": MAIN,
        "seed": chosen["seed"],
        "score": student.score,
        "macro_f": student.macro_f,
        "per_label": student.per_label,
        "confusion": confusion(gold.labels, student.answers, gold.lines),
    }
