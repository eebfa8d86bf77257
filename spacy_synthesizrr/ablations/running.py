"""`ablate`: every run of a grid, step by step; what is done already is not done again.

All runs are planned before the first prompt is sent, so that all of them can be priced. They share the index of their corpus, the
answers of their teacher and one account, for which the caps of the teacher's config hold: they are the caps of the whole grid.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from spacy_synthesizrr.ablations.derived import choices_of
from spacy_synthesizrr.ablations.grid import Grid, Run
from spacy_synthesizrr.ablations.overlap import MUCH, shared_plans
from spacy_synthesizrr.candidates import digest
from spacy_synthesizrr.configs import read_config
from spacy_synthesizrr.context import GRID, KINDS, RUNS, SINGLE, Context, relative
from spacy_synthesizrr.errors import PlanError, RunFolderError, StudentError, SynthesizrrError
from spacy_synthesizrr.jsonl import read_json, write_json
from spacy_synthesizrr.progress import say
from spacy_synthesizrr.receipts import RunFolder, fresh, locked
from spacy_synthesizrr.steps import prepare
from spacy_synthesizrr.steps.prepare import ID_BYTES, Choices
from spacy_synthesizrr.taskfile import read_task

LOG = "log.txt"
DONE = "ablated.json"  # what a run was asked for when it was done
PLANNING = ("index", "rationales", "plan")
WORKING = ("synthesize", "curate", "export", "train", "evaluate")
MEASURE = "measure"
SETTINGS = ("per_label", "seed", "lang")  # the GPU makes no other run


@dataclass
class Work:
    """The runs of a grid while they are worked on.

    wanted (Mapping): What `prepare` is asked for, by run.
    failed (Mapping): Why a run came to nothing, by run: no row for some label, say. That is a result, and the others go on.
    """

    grid: Grid
    folder: Path
    wanted: Mapping[str, Choices]
    failed: dict[str, str] = field(default_factory=dict)

    def runs(self) -> Iterator[tuple[Run, RunFolder]]:
        """YIELDS (Tuple[Run, RunFolder]): Those that did not fail."""
        for run in self.grid.runs():
            if run.name not in self.failed:
                yield run, RunFolder(self.folder / run.name)


@contextlib.contextmanager
def opened(grid: Grid, given: Mapping[str, Any]) -> Iterator[Work]:
    """Write the configs of all runs, in a folder that nobody else works in meanwhile.

    given (Mapping): Vars of the project.
    RAISES (InputError): With the line of the change that cannot be made; before any work is done.
    RAISES (RunFolderError): When the folder is a run, or another process works on the grid.
    """
    folder = RUNS / grid.name
    if (folder / "inputs.json").is_file():
        raise RunFolderError(f"'{grid.name}' is a run itself ({folder}). Give the grid another name with `name:` in {grid.path}.")
    with locked(RunFolder(folder)):
        write_json(folder / GRID, {"v": 1, "id": _id(folder), "name": grid.name, "file": grid.path.as_posix()})
        yield Work(grid, folder, {run.name: choices_of(grid, run, given) for run in grid.runs()})


def _id(folder: Path) -> str:
    """Who throws the folder away and makes it anew begins with nothing spent, as with a run."""
    path = folder / GRID
    return str(read_json(path)["id"]) if path.is_file() else secrets.token_hex(ID_BYTES)


def plan_all(work: Work) -> None:
    """Prepare, index and plan every run: nothing of it costs money."""
    for run, folder in work.runs():
        with _telling(work, run, folder) as step:
            step("prepare", lambda name=run.name: prepare.run(work.wanted[name]))
            _do(step, folder, PLANNING)


def work_through(work: Work) -> Iterator[Run]:
    """Do the other steps of every run that could be planned.

    YIELDS (Run): Each one when it is done, or came to nothing.
    RAISES (BudgetReached, WaitsForAnswers, TeacherError): As `synthesize` does; the same command goes on.
    """
    steps = (*WORKING[:3], MEASURE, *WORKING[3:]) if work.grid.spec.show else WORKING
    for run, folder in work.runs():
        with _telling(work, run, folder) as step:
            _do(step, folder, steps)
            write_json(folder.file(DONE), {"v": 1, "inputs": _inputs(folder)})
        yield run


def _inputs(folder: RunFolder) -> str:
    """RETURNS (str): One hash of all that `prepare` found out about a run."""
    return digest("ablated", json.dumps(folder.inputs(), sort_keys=True))


def done(folder: RunFolder) -> bool:
    """RETURNS (bool): Whether a run was done to its end with what `prepare` was last asked for, and nothing of it is gone."""
    note = folder.file(DONE)
    return note.is_file() and fresh(folder, WORKING[-1]) and read_json(note).get("inputs") == _inputs(folder)


def as_wanted(folder: RunFolder, wanted: Choices) -> bool:
    """RETURNS (bool): Whether a run that is done is the one that the grid now asks for: same task, vars, configs and files."""
    if not done(folder):
        return False
    ctx = Context(folder, folder.inputs())
    try:
        ctx.check_unchanged()
        same = relative(read_task(Path(wanted.task)).path) == ctx.inputs["identity"]["task"]
    except SynthesizrrError:  # of the task file, too
        return False
    places = {kind: about["path"] for kind, about in ctx.inputs["configs"].items()}
    same = same and all(wanted.config_path(kind).as_posix() == places.get(kind) for kind in (*KINDS, *SINGLE))
    return same and all(getattr(wanted, name) == ctx.settings[name] for name in SETTINGS)


def alike(work: Work) -> Iterator[str]:
    """YIELDS (str): A sentence for each arm that changes nothing against an earlier one: mostly a slip."""
    seen: dict[str, str] = {}
    for run in work.grid.runs():
        if run.draw != work.grid.draws[0].name:
            break
        wanted = work.wanted[run.name]
        configs = {kind: read_config(wanted.config_path(kind)) for kind in (*KINDS, *SINGLE)}
        others = {name: value for name, value in vars(wanted).items() if name not in (*KINDS, *SINGLE, "run")}
        other = seen.setdefault(json.dumps([configs, others], sort_keys=True, default=str), run.arm)
        if other != run.arm:
            yield f"Mind: '{run.arm}' asks for the same as '{other}'; whatever differs between them will not be what the grid changes."


def repeated(work: Work) -> Iterator[str]:
    """YIELDS (str): That draws are planned to be mostly the same rows; to be said before anything is paid for."""
    shares = dict[str, float]()
    for arm in work.grid.arms:
        share = shared_plans([folder for run, folder in work.runs() if run.arm == arm.name])
        if share is not None and share > MUCH:
            shares[arm.name] = share
    if shares:
        most = max(shares, key=lambda name: shares[name])
        yield (
            f"Mind: two draws of an arm plan up to {100 * shares[most]:.0f} % of the same rows ({most}). They will tell how much training "
            "moves a score, and not what other seed rows would give. Draws with seed rows of their own are tasks: docs/ablations.md."
        )


def _do(step: Any, folder: RunFolder, names: Sequence[str]) -> None:
    for name in names:
        module = importlib.import_module(f"spacy_synthesizrr.steps.{name}")
        step(name, lambda module=module: module.run(Context.open(folder.path)))


@contextlib.contextmanager
def _telling(work: Work, run: Run, folder: RunFolder) -> Iterator[Any]:
    """One line per run for people; what the steps say goes to the run's log."""
    began, done, at = time.monotonic(), list[str](), ""

    def step(name: str, body: Any) -> None:
        nonlocal at
        at = name
        folder.path.mkdir(parents=True, exist_ok=True)
        with (folder.path / LOG).open("a", encoding="utf-8") as log, contextlib.redirect_stdout(log):
            say(f"── {name}")
            if body():
                done.append(name)

    try:
        yield step
    except (PlanError, StudentError) as error:
        work.failed[run.name] = " ".join(str(error).split())
        say(f"  {run.name}: came to nothing in '{at}': {work.failed[run.name]}")
    except BaseException:
        say(f"  {run.name}: stopped in '{at}'; what the steps said: {folder.path / LOG}")
        raise
    else:
        said = f"{', '.join(done)} in {time.monotonic() - began:.1f} s" if done else "nothing changed"
        say(f"  {run.name}: {said}")
