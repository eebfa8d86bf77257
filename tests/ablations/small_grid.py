"""A project of two labels with dev and test rows, and a grid of two arms over it, for tests that run one."""

from __future__ import annotations

import shutil
from pathlib import Path

from conftest import ROOT
from walked_run import SENTENCES, TASK

from spacy_synthesizrr.jsonl import write_jsonl

GRID = """
about: Do more rows help?
base:
  task: tiny
  student.training.max_steps: 4
  student.training.eval_frequency: 4
  student.components.textcat.model.length: 64
  curate.row_filters: {duplicate: {"@misc": synthesizrr.ExactDuplicate.v1}}
arms:
  few: {per_label: 2}
  more: {per_label: 4, strategy.plan.margin.on: false}
"""


def make(path: Path) -> Path:
    """Write the project with the grid file.

    RETURNS (Path): Its folder.
    """
    shutil.copytree(ROOT / "configs", path / "configs")
    (path / "tiny").mkdir(parents=True)
    (path / "tiny" / "task.yml").write_text(TASK.replace("k_seeds: 2", "k_seeds: 1") + "dev: {path: dev.jsonl}\ntest: {path: test.jsonl}\n")
    rows: dict[str, list[dict[str, str]]] = {"corpus": [], "seeds": [], "dev": [], "test": []}
    for label, text in SENTENCES.items():
        parts = [f"{part}." for part in " ".join(text.split()).removesuffix(".").split(". ")]
        for number in range(12):
            passage = " ".join(parts[(number + step) % 12] for step in (0, 1, 3, 6))
            rows["corpus"].append({"id": f"{label}{number}", "source": f"paper {number % 2}", "text": passage})
            kind = ("seeds", "dev", "test", "test")[number % 4]
            said = [" ".join(parts[(number + step) % 12].rstrip(".").split()[:5]) for step in (0, 5)]  # too short for a leak
            rows[kind].append({"text": f"{said[0]}, and {said[1]}.", "label": label})
    for kind, some in rows.items():
        write_jsonl(path / "tiny" / f"{kind}.jsonl", some)
    (path / "rows.yml").write_text(GRID)
    return path
