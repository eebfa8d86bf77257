"""The whole project on real data: sizes, seconds and peak memory per step, funnel, accuracy against every control.

    python benchmarks/whole_way.py DATA [--only agnews-10] [--keep FOLDER]

DATA is a folder with news_corpus.jsonl.gz, agnews_train_sample.csv.gz, sst2_train.csv, imdb_train_5k.jsonl.gz and
amazon_reviews.jsonl.gz. The project is made by `synthesizrr init` in a temporary folder; the data stay where they are, and
only figures are written, to results/whole_way.json beside this script. A run that is there already is not repeated.
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
RESULTS = HERE / "results" / "whole_way.json"


@dataclass(frozen=True)
class Case:
    """One run: a task, how its rows are cut, and the vars of the project."""

    name: str
    task: str
    corpus: str | None
    rows: str
    draw: tuple[str, ...]
    strategy: str = "synthesizrr"
    variables: Mapping[str, object] = field(default_factory=dict)


def cases() -> list[Case]:
    """RETURNS (List[Case]): AG News with 10 and 50 seeds, with margin on and off; SST-2; Amazon categories."""
    news = {"task": "agnews", "corpus": "news_corpus.jsonl.gz", "rows": "agnews_train_sample.csv.gz"}
    found = []
    for seeds in (10, 50):
        draw = ("--per-label", str(seeds), "--dev", "100", "--test", "500")
        for strategy in ("synthesizrr", "no-margin"):
            variables = {"per_label": 200 if seeds == 10 else 800}
            found.append(Case(f"agnews-{seeds}-{strategy}", **news, draw=draw, strategy=strategy, variables=variables))
    sst2 = ("--per-label", "50", "--dev", "100", "--test", "500")
    found.append(Case("sst2-50", "sst2", "imdb_train_5k.jsonl.gz", "sst2_train.csv", sst2, variables={"per_label": 400}))
    amazon = ("--per-label", "10", "--dev", "50", "--test", "250", "--label", "category")
    found.append(Case("amazon-10", "amazon", None, "amazon_reviews.jsonl.gz", amazon, variables={"per_label": 200}))
    return found


def call(*words: str, cwd: Path) -> None:
    """Run a command, showing what it prints."""
    subprocess.run([sys.executable, "-m", *words], cwd=cwd, check=True)


def make_project(folder: Path) -> None:
    """`synthesizrr init`, and one more strategy: the default one without margin."""
    if not (folder / "project.yml").is_file():
        call("spacy_synthesizrr", "init", str(folder), cwd=HERE)
    text = (folder / "configs" / "strategy.synthesizrr.cfg").read_text(encoding="utf-8")
    (folder / "configs" / "strategy.no-margin.cfg").write_text(without_margin(text), encoding="utf-8")


def without_margin(text: str) -> str:
    """The same strategy with the section [plan.margin] switched off."""
    lines, inside = [], False
    for line in text.splitlines():
        inside = line.strip() == "[plan.margin]" if line.startswith("[") else inside
        lines.append("on = false" if inside and line.startswith("on =") else line)
    if "on = false" not in lines:
        raise SystemExit("strategy.synthesizrr.cfg has no [plan.margin] with a line `on = true`")
    return "\n".join(lines) + "\n"


def make_task(folder: Path, case: Case, data: Path) -> Path:
    """Cut seeds, dev and test into a task folder; the corpus is linked, not copied."""
    task = folder / "tasks" / case.name
    if not (task / "task.yml").is_file():
        call("spacy_synthesizrr", "seeds", "draw", str(data / case.rows), str(task), *case.draw, cwd=folder)
        if case.corpus:
            (task / "corpus.jsonl.gz").symlink_to(data / case.corpus)
        (task / "task.yml").write_text((HERE / "tasks" / f"{case.task}.yml").read_text(encoding="utf-8"), encoding="utf-8")
    return task


def run_case(folder: Path, case: Case, data: Path) -> dict[str, Any]:
    """Run the whole project and collect its figures."""
    task = make_task(folder, case, data)
    options = {"task": task.relative_to(folder).as_posix(), "run": case.name, "strategy": case.strategy, **case.variables}
    overrides = [part for name, value in options.items() for part in (f"--vars.{name}", str(value))]
    call("spacy", "project", "run", "all", ".", *overrides, cwd=folder)
    return figures(folder / "runs" / case.name)


def figures(run: Path) -> dict[str, Any]:
    """What stands in a run folder, without a single text."""
    read = lambda name: json.loads((run / name).read_text(encoding="utf-8"))  # noqa: E731
    timings = [json.loads(line) for line in (run / "timings.jsonl").read_text(encoding="utf-8").splitlines()]
    evaluation = read("evaluation.json")
    return {
        "settings": read("inputs.json")["settings"],
        "steps": {row["step"]: {"seconds": row["seconds"], "peak_mb": row["peak_mb"]} for row in timings},
        "index": {name: value for name, value in read("index.json").items() if name in ("passages", "documents", "rejected")},
        "funnel": read("funnel.json"),
        "arms": evaluation["arms"],
        "versions": read("receipts/evaluate.json")["versions"],
    }


def main() -> None:
    """Run the cases that are not in the results yet."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--only", default="", help="run only the cases whose name starts so")
    parser.add_argument("--keep", type=Path, help="project folder to use and keep")
    parser.add_argument("--again", action="store_true", help="repeat runs that are in the results")
    options = parser.parse_args()
    known = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.is_file() else {"runs": {}}
    folder = (options.keep or Path(tempfile.mkdtemp(prefix="whole-way-")) / "project").resolve()
    make_project(folder)
    for case in cases():
        if not case.name.startswith(options.only) or (case.name in known["runs"] and not options.again):
            continue
        known["runs"][case.name] = run_case(folder, case, options.data.resolve())
        known["machine"] = {"python": platform.python_version(), "system": platform.platform(terse=True)}
        RESULTS.parent.mkdir(exist_ok=True)
        RESULTS.write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
