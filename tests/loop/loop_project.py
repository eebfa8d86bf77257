"""A small project with a run that a loop can start from, walked in this process: the demo task, few rows, short trainings."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parents[2]
CONFIG = """
[loop]
rounds = {rounds}
final = "{final}"
controls = {controls}
keep_errors_in_train = {keep}

[start]
rows = "{rows}"
additions = {additions}

[split]
share = {share}

[errors]
criterion = "{criterion}"
threshold = {threshold}
confusions = {confusions}
max = {max}

[extrapolate]
with = "{how}"
per_error = {per_error}
neighbours = {neighbours}
include_prediction = {predicted}

[stop]
patience = {patience}
max_calls = {calls}
"""
USUAL: Mapping[str, object] = {
    "rounds": 1, "final": "last", "controls": "[]", "keep": "false", "rows": "", "additions": "[]", "share": 0.5,
    "criterion": "misclassified", "threshold": "null", "confusions": "[]", "max": 6, "how": "retrieval", "per_error": 1,
    "neighbours": "null", "predicted": "false", "patience": 9, "calls": "null",
}  # fmt: skip


def write_project(path: Path) -> None:
    """Copy configs and the demo task, with one training seed and short trainings."""
    path.mkdir(parents=True)
    for part in ("configs", "assets"):
        shutil.copytree(ROOT / part, path / part)
    task = path / "assets/news_demo/task.yml"
    task.write_text(task.read_text().replace("k_seeds: 3", "k_seeds: 1"))
    for name, rows in (("dev", 56), ("test", 40)):
        file = path / f"assets/news_demo/{name}.jsonl"
        lines = file.read_text().splitlines(keepends=True)
        file.write_text("".join(lines[:: len(lines) // rows][:rows]))
    student = path / "configs/student.bow.cfg"
    student.write_text(student.read_text().replace("max_steps = 400", "max_steps = 50"))


def walk(path: Path, *, run: str = "news", per_label: int = 6, **choices: str) -> None:
    """Walk a run as far as `curate`; the working directory is put back. Without a language spaCy loads a student in no time."""
    from spacy_synthesizrr.context import Context
    from spacy_synthesizrr.steps import curate, index, plan, prepare, rationales, synthesize

    before = Path.cwd()
    os.chdir(path)
    try:
        prepare.run(prepare.Choices("assets/news_demo", run, per_label=per_label, lang="xx", **choices))
        context = Context.open(run)
        for step in (index, rationales, plan, synthesize, curate):
            step.run(context)
    finally:
        os.chdir(before)


def loop_config(**changed: object) -> Path:
    """Write configs/loop.test.cfg in the working directory."""
    path = Path("configs/loop.test.cfg")
    path.write_text(CONFIG.format(**{**USUAL, **changed}))
    return path
