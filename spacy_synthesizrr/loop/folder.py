"""The folder of a loop, runs/NAME: its files, and a run for every round of every arm.

loop.json, grid.json            what the loop was asked for; on whose account it spends
error.jsonl, selection.jsonl    the labelled rows: those whose errors are extrapolated, and those that choose models
task.yml                        the task of the starting run, with the selection part as its dev rows
start/                          round 0: the starting rows and their student
loop-1/, loop-2/, goldgen-1/ …  the rounds of each arm, each a run with all its files
ledger.json, index.html         what came of it
"""

from __future__ import annotations

import contextlib
import io
import secrets
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from spacy_synthesizrr.context import GRID, KINDS, RUNS, SINGLE, Context, relative
from spacy_synthesizrr.errors import RunFolderError
from spacy_synthesizrr.jsonl import atomic, read_json, write_json
from spacy_synthesizrr.labelled import LabelledRow
from spacy_synthesizrr.loop.neighbours import Neighbours
from spacy_synthesizrr.loop.settings import LOOP, LoopSettings
from spacy_synthesizrr.loop.split import ERROR, SELECTION, SplitSettings, part_spec, read_part, source_file, split_task
from spacy_synthesizrr.receipts import LOOP_FILE, LOOP_START, RunFolder, locked
from spacy_synthesizrr.steps.prepare import ID_BYTES, Choices
from spacy_synthesizrr.taskfile import TASK_FILE, TaskSpec, read_task

ABOUT, START = LOOP_FILE, LOOP_START
ASKED = ("v", "run", "config", "settings", "rows")  # in loop.json: what was asked for; all else tells how far it came
MADE = "rounds"  # in loop.json: how many rounds of each arm are done
PREDICT = "predict"  # the last step of a round
PARTS = {ERROR: "error.jsonl", SELECTION: "selection.jsonl"}
FILES = ("corpus", "seeds", "dev", "test", "train")


@dataclass(frozen=True)
class Loop:
    """A loop while it is worked on.

    folder (Path): runs/NAME. ctx (Context): The starting run. settings (LoopSettings): What is asked for.
    """

    folder: Path
    ctx: Context
    settings: LoopSettings

    @property
    def name(self) -> str:
        """RETURNS (str): Of the folder; a round is the run NAME/ARM-NUMBER."""
        return self.folder.name

    @cached_property
    def task(self) -> TaskSpec:
        """RETURNS (TaskSpec): The task of every round: its dev rows are the selection part."""
        return read_task(self.folder / TASK_FILE)

    @cached_property
    def parts(self) -> dict[str, list[LabelledRow]]:
        """RETURNS (dict): The rows of the error part and of the selection part."""
        return {part: read_part(self.folder / name, self.task) for part, name in PARTS.items()}

    @cached_property
    def neighbours(self) -> Neighbours | None:
        """RETURNS (Neighbours | None): The rows of the error part that are asked about passages; they are embedded once for all rounds."""
        return Neighbours.of(self.parts[ERROR], self.task, self.settings.extrapolate.neighbours)

    def round(self, arm: str, number: int) -> RunFolder:
        """RETURNS (RunFolder): Of a round; round 0 is the start, which all arms share."""
        return RunFolder(self.folder / (f"{arm}-{number}" if number else START))

    def note(self, arm: str, number: int, *, anew: bool) -> None:
        """Note that a round is done: those that an earlier loop left in this folder do not count while this one goes on.

        anew (bool): Whether its student is another one than before; what was made after that one then counts no more.
        """
        about = read_json(self.folder / ABOUT)
        made = {name: int(count) for name, count in about.get(MADE, {}).items()}
        if anew and arm in (START, LOOP):  # all arms go on from the start, and controls keep pace with the loop
            made = {name: min(count, max(0, number - 1)) for name, count in made.items()}
        if number:
            made[arm] = number if anew else max(number, made.get(arm, 0))
        if anew or made != about.get(MADE):
            kept = {name: value for name, value in about.items() if name in ASKED or not anew}  # how an earlier loop ended holds no more
            write_json(self.folder / ABOUT, {**kept, MADE: made})

    def choices(self, folder: RunFolder, **changed: Any) -> Choices:
        """What `prepare` is asked for: the starting run's own choices.

        changed (Any): Other values of `Choices`, such as strategy, curate, parents, per_label.
        """
        inputs, settings = self.ctx.inputs, self.ctx.settings
        named = {kind: str(inputs["identity"].get(kind, inputs.get(kind, ""))) for kind in KINDS if kind != "review"}
        single = {kind: self.ctx.config_path(kind).as_posix() for kind in SINGLE}
        wanted = {**named, **single, **{name: settings[name] for name in ("per_label", "seed", "lang", "gpu_id")}, **changed}
        return Choices(task=(self.folder / TASK_FILE).as_posix(), run=folder.name, **wanted)


@contextlib.contextmanager
def opened(ctx: Context, settings: LoopSettings, name: str) -> Iterator[Loop]:
    """Set up the folder of a loop, in which nobody else works meanwhile.

    ctx (Context): The starting run. name (str): Of the folder.
    RAISES (RunFolderError): When the name belongs to something else, or another process works there.
    RAISES (InputError): When there are no labelled rows to take errors from, or too few to cut in two.
    """
    folder = RUNS / name
    if Path(name).name != name or name.startswith("."):
        raise RunFolderError(f"'{name}' is not a name for a loop. Use letters, digits, '-', '_' and '.'.")
    _guard(folder, ctx)
    with locked(RunFolder(folder)):
        write_json(folder / GRID, {"v": 1, "id": _id(folder), "name": name, "file": settings.path.as_posix(), "loop_of": ctx.folder.name})
        error, selection = (folder / name for name in PARTS.values())
        counts = split_task(ctx.task, settings.split, seed=ctx.seed, error=error, selection=selection)
        _write_task(folder, ctx.task, settings.split)
        about = {"v": 1, "run": ctx.folder.name, "config": settings.path.as_posix(), "settings": settings.to_dict(), "rows": counts}
        write_json(folder / ABOUT, about | _noted(folder, about))
        yield Loop(folder, ctx, settings)


def _guard(folder: Path, ctx: Context) -> None:
    if (folder / "inputs.json").is_file():
        raise RunFolderError(f"'{folder.name}' is a run ({folder}), so it cannot hold a loop. Give the loop another name with --name NAME.")
    grid = read_json(folder / GRID) if (folder / GRID).is_file() else {}
    if grid and grid.get("loop_of") != ctx.folder.name:
        whose = f"a loop of the run '{grid['loop_of']}'" if "loop_of" in grid else "a grid"
        raise RunFolderError(f"{folder} holds {whose}. Give the loop another name with --name NAME, or remove the folder.")


def _id(folder: Path) -> str:
    """Who throws the folder away and makes it anew begins with nothing spent, as with a run."""
    path = folder / GRID
    return str(read_json(path)["id"]) if path.is_file() else secrets.token_hex(ID_BYTES)


def _noted(folder: Path, about: dict[str, Any]) -> dict[str, Any]:
    """RETURNS (dict): Which rounds are done. Where the loop is asked for what it was asked for before, all that was noted of it holds."""
    path = folder / ABOUT
    old = read_json(path) if path.is_file() else {}
    same = all(old.get(name) == value for name, value in about.items())
    return {MADE: {}, **({name: value for name, value in old.items() if name not in ASKED} if same else {})}


def _write_task(folder: Path, task: TaskSpec, split: SplitSettings) -> None:
    """The task file of the rounds; paths in it start at its folder. It is left alone while it says the same.

    Filters may compare with the train rows. Where these were split, they are the error part alone.
    """
    from ruamel.yaml import YAML

    about: dict[str, Any] = task.model_dump(mode="json", by_alias=True, exclude={"path"}, exclude_defaults=True)
    for kind in FILES:
        path = task.file(kind)
        if path is not None:
            about[kind] = {**about[kind], "path": relative_to(path, folder)}
    about["dev"] = part_spec(task, Path(PARTS[SELECTION])).model_dump(mode="json", exclude_defaults=True)
    train, source = task.file("train"), source_file(task, split)
    if train is not None and source is not None and train.resolve() == source.resolve():
        about["train"] = part_spec(task, Path(PARTS[ERROR])).model_dump(mode="json", exclude_defaults=True)
    yaml, text = YAML(typ="safe"), io.StringIO()
    yaml.default_flow_style, yaml.sort_base_mapping_type_on_output = False, False  # type: ignore[assignment]
    yaml.dump(about, text)
    whole = f"# The task {relative(task.path)}, with the selection part as its dev rows; `synthesizrr loop` made it. Edit that one.\n"
    if not ((path := folder / TASK_FILE).is_file() and path.read_text(encoding="utf-8") == whole + text.getvalue()):
        with atomic(path) as file:
            file.write(whole + text.getvalue())


def relative_to(path: Path, folder: Path) -> str:
    """RETURNS (str): A path as seen from a folder."""
    import os

    try:
        return Path(os.path.relpath(path.resolve(), folder.resolve())).as_posix()
    except ValueError:  # another drive
        return path.resolve().as_posix()


def loops_of(run: str) -> list[Path]:
    """RETURNS (List[Path]): The folders of the loops that started from a run, sorted."""
    found = []
    for path in sorted(RUNS.glob(f"*/{GRID}")):
        about = read_json(path)
        if about.get("loop_of") == run:
            found.append(path.parent)
    return found


def is_loop(folder: Path) -> bool:
    """RETURNS (bool): Whether a folder under runs/ holds a loop."""
    return (folder / ABOUT).is_file() and (folder / GRID).is_file()


def left_over(folder: Path, counted: Collection[str]) -> list[str]:
    """RETURNS (List[str]): Names of finished rounds in the folder of a loop that are none of those that count, sorted."""
    there = (path.parents[1].name for path in folder.glob(f"*-[0-9]*/receipts/{PREDICT}.json"))
    return sorted(name for name in there if name not in counted)


def check_dry(folder: Path, ctx: Context, settings: LoopSettings) -> None:
    """A dry run plans the first round, and with other settings that would take back the rounds of a loop that has ended.

    RAISES (RunFolderError): When a loop with other settings has ended in the folder.
    """
    old = read_json(folder / ABOUT) if is_loop(folder) else {}
    if "result" in old and (old["run"], old["settings"]) != (ctx.folder.name, settings.to_dict()):
        raise RunFolderError(
            f"The loop '{folder.name}' has ended with other settings, and a dry run would take its rounds back. Give it another name with "
            "--name NAME; or run it without --dry-run, if these settings are to replace the old ones."
        )


def rounds_of(folder: Path, arm: str = LOOP) -> list[RunFolder]:
    """RETURNS (List[RunFolder]): The rounds of an arm that were begun, from the first."""
    numbers = sorted(int(path.name.rpartition("-")[2]) for path in folder.glob(f"{arm}-[0-9]*") if path.name.rpartition("-")[2].isdigit())
    return [RunFolder(folder / f"{arm}-{number}") for number in numbers]
