"""The project end to end on one store and on the other: the same corpus, seeds and strategy; which rows differ, and why."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from corpora import make_task

from spacy_synthesizrr.draws import draw_splits

STEPS = ("index", "plan", "synthesize", "curate")
PER_LABEL = 200


def call(*words: str, cwd: Path) -> None:
    """Run a command of the project."""
    subprocess.run([sys.executable, "-m", "spacy_synthesizrr", *words], cwd=cwd, check=True, stdout=subprocess.DEVNULL)


def compare(data: Path, scratch: Path) -> dict[str, Any]:
    """Run both and compare what was planned and accepted.

    data (Path): Folder of the corpus and the labelled rows. scratch (Path): For the project; WEAVIATE_URL names the server.
    RETURNS (dict): Seconds per step; rows planned and accepted; how many stand in one of the two only.
    """
    project = scratch / "project"
    call("init", str(project), cwd=scratch)
    task = project / "tasks" / "news"
    draw_splits(
        data / "agnews_train_sample.csv.gz", task, text=["text"], label="label", per_label_seeds=10, dev=25, test=50, seed=0, force=True
    )  # fmt: skip
    make_task(task, data)
    seconds: dict[str, dict[str, float]] = {}
    for store in ("memory", "weaviate"):
        options = ("--store", store, "--per-label", str(PER_LABEL))
        call("prepare", "--task", "tasks/news", "--run", store, *options, cwd=project)
        seconds[store] = {}
        for step in STEPS:
            began = time.monotonic()
            call(step, "--run", store, cwd=project)
            seconds[store][step] = round(time.monotonic() - began, 1)
    runs = project / "runs"
    counted = {name: _differences(runs, f"{name}.jsonl") for name in ("planned", "accepted")}
    return {"strategy": "synthesizrr", "per_label": PER_LABEL, "seconds": seconds, **counted}


def _differences(runs: Path, name: str) -> dict[str, int]:
    exact, other = (_rows(runs / store / name) for store in ("memory", "weaviate"))
    return {
        "memory": len(exact),
        "weaviate": len(other),
        "only_memory": len(exact.keys() - other.keys()),
        "only_weaviate": len(other.keys() - exact.keys()),
    }


def _rows(path: Path) -> dict[tuple[str, ...], Any]:
    """RETURNS (dict): Rows by label, seed, passage and text, but not by place."""
    found: dict[tuple[str, ...], Any] = {}
    with path.open(encoding="utf-8") as file:
        for row in map(json.loads, file):
            text = json.dumps(row.get("fields"), sort_keys=True)
            found[("+".join(row["labels"]), str(row["seed_id"]), str(row["passage_id"]), text)] = row
    return found
