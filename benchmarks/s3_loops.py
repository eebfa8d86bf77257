"""What the benchmarks of the loop share: a project with a task, a starting run and a loop from it, and figures of many loops."""

from __future__ import annotations

import contextlib
import json
import os
import platform
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from spacy_synthesizrr.ablations.results import over_draws
from spacy_synthesizrr.context import RUNS, Context
from spacy_synthesizrr.loop.running import LEDGER, run_loop
from spacy_synthesizrr.loop.settings import read_loop_settings
from spacy_synthesizrr.receipts import versions
from spacy_synthesizrr.scaffold import write_project
from spacy_synthesizrr.steps import curate, index, plan, prepare, rationales, synthesize

STARTING = (index, rationales, plan, synthesize, curate)
ARMS = ("loop", "goldgen", "random", "more-seed")
LEVEL = 0.95
CURATE = "configs/curate.s3.cfg"
Figures = dict[str, Any]


@dataclass(frozen=True)
class Wanted:
    """One loop.

    task (str): Its folder, in the project. run (str): Name of the starting run.
    loop (str): Name of configs/loop.NAME.cfg. choices (Mapping): Of the starting run, see `prepare.Choices`.
    """

    task: str
    run: str
    loop: str
    choices: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """RETURNS (str): Of the loop."""
        return f"{self.run}-{self.loop}"


def make_project(folder: Path, configs: Mapping[str, str], *, steps: int) -> Path:
    """A project as `synthesizrr init` makes it, with configs of ours.

    configs (Mapping): Files in configs/ and what they say.
    steps (int): Training steps of the student "s3", however many rows it has.
    RETURNS (Path): Its folder.
    """
    if not (folder / "project.yml").is_file():
        write_project(folder)
    student = (folder / "configs" / "student.bow.cfg").read_text(encoding="utf-8")
    for old, new in (("max_epochs = 25", "max_epochs = 0"), ("max_steps = 400", f"max_steps = {steps}")):
        if old not in student:
            raise SystemExit(f"configs/student.bow.cfg has no line {old!r} any more; correct this script.")
        student = student.replace(old, new)
    curating = (folder / "configs" / "curate.cfg").read_text(encoding="utf-8")
    judged = curating.index("[set_filters.labels]")  # it only marks rows, and takes a third of the time
    configs = {**configs, "student.s3.cfg": student, "curate.s3.cfg": curating[:judged]}
    for name, text in configs.items():
        write(folder / "configs" / name, text)
    return folder


def write(path: Path, text: str) -> None:
    """Write a file unless it says so already."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.is_file() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")


def write_rows(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write rows as JSONL."""
    write(path, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))


def config_text(sections: Mapping[str, Mapping[str, Any]]) -> str:
    """RETURNS (str): A config file."""
    return "\n".join(
        "\n".join([f"[{head}]", *(f"{key} = {json.dumps(value)}" for key, value in about.items()), ""]) for head, about in sections.items()
    )


@contextlib.contextmanager
def inside(project: Path) -> Iterator[None]:
    """Work in a project's folder."""
    before = Path.cwd()
    os.chdir(project)
    try:
        yield
    finally:
        os.chdir(before)


def do_start(project: Path, wanted: Wanted, *, first: Callable[[Context], None] | None = None) -> Path:
    """The starting run, up to its rows. What is done is not done again.

    first (Callable | None): What is done before its steps.
    RETURNS (Path): Its folder.
    """
    with inside(project), _quietly(wanted.run):
        prepare.run(prepare.Choices(task=wanted.task, run=wanted.run, student="s3", curate=CURATE, **wanted.choices))
        ctx = Context.open(wanted.run)
        if first is not None:
            first(ctx)
        for step in STARTING:
            step.run(ctx)
    return project / RUNS / wanted.run


def do_loop(project: Path, wanted: Wanted) -> Figures:
    """The starting run and the loop; whatever is done is not done again.

    RETURNS (dict): The ledger.
    """
    do_start(project, wanted)
    with inside(project), _quietly(wanted.name):
        found = run_loop(Context.open(wanted.run), read_loop_settings(Path("configs") / f"loop.{wanted.loop}.cfg"), name=wanted.name)
    assert found is not None  # only a dry run has no ledger
    return found


def finished(project: Path, wanted: Wanted) -> Figures | None:
    """RETURNS (dict | None): The ledger of a loop that went to its end."""
    path = project / RUNS / wanted.name / LEDGER
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else None


@contextlib.contextmanager
def _quietly(name: str) -> Iterator[None]:
    """What the steps say goes to a file: many loops run one after the other."""
    folder = RUNS / "logs"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{name}.txt").open("a", encoding="utf-8") as log, contextlib.redirect_stdout(log):
        yield


def of_loop(ledger: Mapping[str, Any]) -> Figures:
    """RETURNS (dict): What one loop says of its start and of the last round of each arm; no text."""
    start = ledger["start"]
    found: Figures = {"start": {"rows": start["rows"], "errors": start["errors"], "test": start["test"]["mean"]}}
    for arm in ledger["arms"]:
        if arm["rounds"]:
            last = arm["rounds"][arm["chosen"] - 1] if arm["chosen"] else start
            found[arm["name"]] = {
                "chosen": arm["chosen"],
                "test": last["test"]["mean"],
                "added": arm["rounds"][-1]["added"],
                "calls": sum(one["calls"] for one in arm["rounds"]),
                "steps": arm["rounds"][-1]["steps"],
                "errors": [one["errors"] for one in arm["rounds"]],
                "selection": [one["selection"]["mean"] for one in (start, *arm["rounds"])],
            }
        else:
            found[arm["name"]] = {"why": arm["why"]}
    return found


def of_all(loops: Sequence[Figures]) -> Figures:
    """Many loops, each with a draw of its own.

    RETURNS (dict): Per arm means over the draws, and the loop's gain over every other arm with an interval over draws.
    """
    arms = {name: [one[name] for one in loops if "test" in one.get(name, {})] for name in ("start", *ARMS)}
    about = {name: _mean_of(rows) for name, rows in arms.items() if rows}
    gains = {name: gain(loops, name) for name in ("start", *ARMS[1:]) if arms[name]}
    return {"draws": len(loops), "arms": about, "gain_of_the_loop_over": gains}


def gain(loops: Sequence[Figures], other: str) -> Figures:
    """RETURNS (dict): Mean difference of the loop to another arm on the test rows, paired by draw; low and high at 95 %; each draw's."""
    each = [one["loop"]["test"] - one[other]["test"] for one in loops if "test" in one.get(other, {}) and "test" in one.get("loop", {})]
    return {"mean": round(fmean(each), 4), **interval(each), "draws": [round(value, 4) for value in each]}


def interval(each: Sequence[float]) -> Figures:
    """RETURNS (dict): low and high of the mean, by Student's t over draws; None where there is one draw."""
    found = over_draws(each, level=LEVEL)
    return {name: None if found is None else round(found[name], 4) for name in ("low", "high")}


def _mean_of(rows: Sequence[Figures]) -> Figures:
    scores = [row["test"] for row in rows]
    found = {"test": round(fmean(scores), 4), "sd_over_draws": round(stdev(scores), 4) if len(scores) > 1 else None}
    return found | {name: round(fmean(row[name] for row in rows), 1) for name in ("rows", "added", "calls", "steps") if name in rows[0]}


def publish(path: Path, results: Figures) -> None:
    """Write results with versions and machine, at once whole."""
    machine = {"python": platform.python_version(), "system": platform.platform(terse=True), "cores": os.cpu_count()}
    half = path.with_suffix(f".{os.getpid()}.half")
    path.parent.mkdir(exist_ok=True)
    half.write_text(json.dumps({**results, "versions": versions(), "machine": machine}, indent=1) + "\n", encoding="utf-8")
    half.replace(path)


def table(name: str, about: Figures) -> str:
    """RETURNS (str): Markdown rows of one case."""
    lines = []
    for arm, row in about["arms"].items():
        gain = about["gain_of_the_loop_over"].get(arm)
        told = f"{100 * gain['mean']:+.1f} ({_points(gain['low'])} to {_points(gain['high'])})" if gain else ""
        lines.append(f"| {name} | {arm} | {100 * row['test']:.1f} | {row.get('added', 0):.0f} | {row.get('calls', 0):.0f} | {told} |")
    return "\n".join(lines)


HEAD = "| case | arm | accuracy | rows added | calls | the loop's gain over it |\n|---|---|---|---|---|---|"


def _points(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:+.1f}"
