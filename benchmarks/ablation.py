"""One ablation on real data: does the similarity window or the margin serve the student? AG News, 10 seeds per label, 6 draws.

    python benchmarks/ablation.py DATA              # goes on after any stop
    python benchmarks/ablation.py DATA --collect    # only write what is finished

DATA is a folder with news_corpus.jsonl.gz and agnews_train_sample.csv.gz. The arms are those of grids/window-and-margin.yml, the teacher
is the extractive one, and every draw is a task with seeds, dev and test rows of its own; all share one index. The project lies in a cache
folder; only figures are written, to results/ablation.json and docs/images/ablation.svg.
"""

from __future__ import annotations

import argparse
import json
import platform
import shutil
import subprocess
import sys
from pathlib import Path

from cache import cache_folder
from corpora import HERE, make_task

GRID = HERE.parent / "grids" / "window-and-margin.yml"
RESULTS, FIGURE = HERE / "results" / "ablation.json", HERE.parent / "docs" / "images" / "ablation.svg"
DRAWS, SEEDS, DEV, TEST, PER_LABEL = 6, 10, 25, 500, 200  # all but the first: rows per label


def call(*words: str, cwd: Path) -> None:
    """Run a command of the project, showing what it prints."""
    subprocess.run([sys.executable, "-m", "spacy_synthesizrr", *words], cwd=cwd, check=True)


def make_project(folder: Path, data: Path) -> Path:
    """`synthesizrr init` with a task per draw.

    RETURNS (Path): Its folder.
    """
    project = folder / "project"
    if not (project / "project.yml").is_file():
        folder.mkdir(parents=True, exist_ok=True)
        call("init", str(project), cwd=folder)
    for draw in range(DRAWS):
        task = project / "tasks" / f"draw{draw}"
        if not (task / "task.yml").is_file():
            shutil.rmtree(task, ignore_errors=True)
            sizes = ("--per-label", SEEDS, "--dev", DEV, "--test", TEST, "--seed", draw)
            call("seeds", "draw", str(data / "agnews_train_sample.csv.gz"), str(task), *map(str, sizes), cwd=project)
            make_task(task, data)
    (project / "grids" / GRID.name).write_text(grid_file(GRID.read_text(encoding="utf-8")), encoding="utf-8")
    return project


def grid_file(shipped: str) -> str:
    """RETURNS (str): The shipped grid with our rows per label, and our tasks as draws."""
    kept = [line for line in shipped.splitlines() if not line.startswith("draws:")]
    draws = [f"  draw{draw}: {{task: tasks/draw{draw}}}" for draw in range(DRAWS)]
    return "\n".join([*kept, f"base: {{per_label: {PER_LABEL}, seed: 0}}", "draws:", *draws]) + "\n"


def publish(project: Path) -> None:
    """Write the figures: no path of this machine and no text of a row is among them."""
    folder = project / "runs" / GRID.stem
    found = json.loads((folder / "ablation.json").read_text(encoding="utf-8"))
    settings = {"seeds_per_label": SEEDS, "dev_per_label": DEV, "test_per_label": TEST, "rows_per_label": PER_LABEL}
    machine = {"python": platform.python_version(), "system": platform.platform(terse=True)}
    RESULTS.write_text(json.dumps({"settings": settings, **found, "machine": machine}, indent=1) + "\n", encoding="utf-8")
    shutil.copyfile(folder / "ablation.svg", FIGURE)


def main() -> None:
    """Run the grid, or only collect."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--folder", type=Path, default=cache_folder("ablation"), help="project and runs; kept")
    parser.add_argument("--collect", action="store_true", help="only write the results of what is finished")
    options = parser.parse_args()
    project = make_project(options.folder.expanduser().resolve(), options.data.resolve())
    call("ablate", f"grids/{GRID.name}", *(["--collect"] if options.collect else []), cwd=project)
    publish(project)


if __name__ == "__main__":
    main()
