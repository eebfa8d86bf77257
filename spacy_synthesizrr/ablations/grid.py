"""The grid file: what is compared with what, checked down to the line.

about: Does it help to choose passages by margin?
base: {per_label: 20}                # changes of every arm; what they leave open is as project.yml says
arms:                                # name → changes …
  ranked: {strategy.plan.margin.on: false}
  margin: {strategy.plan.margin.on: true}
# grid: {strategy.plan.margin.on: [false, true], per_label: [20, 50]}    … or every combination of some values
baseline: ranked                     # the first arm by default
draws: [0, 1, 2]                     # seeds; or name → changes, such as {a: {task: tasks/a}, b: {task: tasks/b}}
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError

from spacy_synthesizrr.ablations.changes import Changes, fault_of, name_of
from spacy_synthesizrr.errors import InputError, choices
from spacy_synthesizrr.yaml_lines import Lines, Location, Spec, first_problem, load_yaml, plain

NAME = r"^[A-Za-z0-9][A-Za-z0-9_+-]*$"
LETTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+-")
NO_CONTROLS: Changes = {"strategy.plan.controls.arms": []}  # every control would be trained in every arm


class GridSpec(Spec):
    """Everything that one grid file says."""

    name: str = Field("", pattern=r"^$|" + NAME, description="Its runs lie in runs/NAME; the file's name by default.")
    about: str = Field("", description="The question, which stands above the table.")
    base: Mapping[str, Any] = Field(default_factory=dict, description="Changes of every arm.")
    arms: Mapping[str, Mapping[str, Any]] = Field(default_factory=dict, description="Name → changes.")
    grid: Mapping[str, tuple[Any, ...]] = Field(default_factory=dict, description="What is changed → its values; all combinations.")
    baseline: str = Field("", description="The arm that the others are compared with; the first by default.")
    draws: tuple[int, ...] | Mapping[str, Mapping[str, Any]] = Field((0,), description="Seeds, or name → changes.")
    metric: Literal["score", "macro_f"] = Field("score", description="Score: accuracy, or micro F where a row may have several labels.")
    show: tuple[str, ...] = Field((), description="Dotted paths of numbers in metrics.json that the table shows, too.")


@dataclass(frozen=True)
class Part:
    """An arm or a draw. name (str). changes (Mapping): What it changes, itself alone."""

    name: str
    changes: Changes


@dataclass(frozen=True)
class Run:
    """One run of a grid. changes (Mapping): All that is changed, of base, arm and draw, in this order."""

    arm: str
    draw: str
    changes: Changes

    @property
    def name(self) -> str:
        """RETURNS (str): Of its folder."""
        return f"{self.arm}.{self.draw}"


@dataclass(frozen=True)
class Grid:
    """A grid file, read and spread out.

    path (Path): The file. lines (Lines): Where its keys stand.
    """

    path: Path
    name: str
    spec: GridSpec
    arms: tuple[Part, ...]
    draws: tuple[Part, ...]
    baseline: str
    lines: Lines

    def runs(self) -> Iterator[Run]:
        """YIELDS (Run): Draw by draw, so that all arms have as many draws when one stops."""
        for draw, arm in itertools.product(self.draws, self.arms):
            yield Run(arm.name, draw.name, {**NO_CONTROLS, **self.spec.base, **arm.changes, **draw.changes})

    def error(self, run: Run, key: str, message: str) -> InputError:
        """RETURNS (InputError): What is wrong with a change of a run, with the line that makes it."""
        places: Sequence[Location] = (("draws", run.draw, key), ("arms", run.arm, key), ("grid", key), ("base", key))
        line = next((self.lines.of(place) for place in places if _stands(self.lines.root, place)), None)
        return InputError(f"'{key}' {message}", path=self.path, line=line)


def read_grid(path: Path) -> Grid:
    """Read and check a grid file.

    RAISES (InputError): With file and line for the first thing that is wrong.
    """
    if not path.is_file():
        near = sorted(file.as_posix() for file in path.parent.glob("*.yml")) if path.parent.is_dir() else []
        raise InputError("There is no grid file here.", path=path, cure=choices(path.as_posix(), near) if near else "")
    data = load_yaml(path)
    if not isinstance(data, dict):
        raise InputError("A grid file is a mapping with the keys arms (or grid), base, draws …; this is none.", path=path, line=1)
    try:
        spec = GridSpec.model_validate(plain(data))
    except ValidationError as error:
        raise first_problem(error, path, data, lambda place: GridSpec.model_fields if not place else ()) from None
    return _Reading(path, spec, Lines(data)).grid()


@dataclass(frozen=True)
class _Reading:
    """What pydantic cannot see: what the words mean together."""

    path: Path
    spec: GridSpec
    lines: Lines

    def grid(self) -> Grid:
        spec = self.spec
        if bool(spec.arms) == bool(spec.grid):
            raise self.error((), "A grid file has either 'arms' or 'grid'.")
        self.check(("base",), spec.base)
        arms = tuple(self.arms())
        if len(arms) < 2:
            raise self.error(("arms" if spec.arms else "grid",), f"There is nothing to compare: {len(arms)} arm.")
        names = [arm.name for arm in arms]
        baseline = spec.baseline or names[0]
        if baseline not in names:
            raise self.error(("baseline",), f"'baseline' is no arm. {choices(baseline, names)}")
        draws = tuple(self.draws())
        if not draws:
            raise self.error(("draws",), "'draws' is empty.")
        return Grid(self.path, spec.name or self.named(), spec, arms, draws, baseline, self.lines)

    def named(self) -> str:
        name = self.path.stem
        if not set(name) <= LETTERS:
            raise self.error((), f"'{name}' cannot be the name of the folder of a grid. Give another with `name:`.")
        return name

    def arms(self) -> Iterator[Part]:
        if self.spec.arms:
            for name, changes in self.spec.arms.items():
                self.check(("arms", name), changes)
                yield self.part(("arms", name), name, changes)
            return
        for key, values in self.spec.grid.items():
            for value in values:
                self.check(("grid",), {key: value})
        seen: dict[str, Changes] = {}
        for values in itertools.product(*self.spec.grid.values()):
            changes = dict(zip(self.spec.grid, values, strict=True))
            name = "_".join(name_of(key, value) for key, value in changes.items())
            if name in seen:
                raise self.error(("grid",), f"Two arms would be called '{name}'. Name them yourself, under `arms:`.")
            seen[name] = changes
            yield self.part(("grid",), name, changes)

    def draws(self) -> Iterator[Part]:
        if isinstance(self.spec.draws, Mapping):
            for name, changes in self.spec.draws.items():
                self.check(("draws", name), changes)
                yield self.part(("draws", name), name, changes)
            return
        for seed in dict.fromkeys(self.spec.draws):
            yield Part(f"seed{seed}", {"seed": seed})

    def part(self, place: Location, name: str, changes: Changes) -> Part:
        dots = "." if place[0] != "draws" else ""  # the last dot of a run's name is where its draw begins
        if not set(name) <= LETTERS.union(dots) or name.startswith(".") or not name:
            cure = "Letters, digits, '_', '+' and '-' make a name; give arms such names under `arms:`."
            raise self.error(place, f"'{name}' cannot be the name of a folder. {cure}")
        return Part(name, dict(changes))

    def check(self, place: Location, changes: Changes) -> None:
        for key, value in changes.items():
            if fault := fault_of(key, value):
                raise self.error((*place, key), f"'{'.'.join(map(str, (*place, key)))}': {fault}")

    def error(self, place: Location, message: str) -> InputError:
        return InputError(message, path=self.path, line=self.lines.of(place))


def _stands(root: Any, place: Location) -> bool:
    for part in place:
        if not isinstance(root, Mapping) or part not in root:
            return False
        root = root[part]
    return True
