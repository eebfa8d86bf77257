"""The configs of a run of a grid: those of the project where it changes nothing in them, else edited copies in its own folder."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spacy_synthesizrr.ablations.changes import EDITED, VARS
from spacy_synthesizrr.ablations.grid import Grid, Run
from spacy_synthesizrr.configs import build, read_config
from spacy_synthesizrr.context import SINGLE, config_file
from spacy_synthesizrr.errors import ConfigError, InputError, TeacherError, choices
from spacy_synthesizrr.jsonl import atomic
from spacy_synthesizrr.steps.checking import check_config
from spacy_synthesizrr.steps.prepare import Choices, run_folder

if TYPE_CHECKING:
    from confection import Config

FOLDER = "configs"
SETTINGS = ("strategy", "measure")  # kinds whose every section is checked by its keys
Edit = tuple[str, str, Any]  # the change's key, the path in the config, the value


def choices_of(grid: Grid, run: Run, given: Mapping[str, Any]) -> Choices:
    """Write the configs of a run and say what `prepare` is to be asked for.

    given (Mapping): Vars of the project, which the grid's own go before.
    RAISES (InputError): With the line of the change that cannot be made.
    """
    named = {**given, **{key: value for key, value in run.changes.items() if key in VARS}}
    wanted = Choices(**{"task": "", **named}, run=f"{grid.name}/{run.name}")
    if not wanted.task:
        cure = "Name it in the file, under `base:`, or run this in the folder of a project.yml, whose vars name it."
        raise InputError("It is not said which task this grid is about.", path=grid.path, cure=cure)
    paths = {}
    for kind in EDITED:
        edits = [(key, key.partition(".")[2], value) for key, value in run.changes.items() if key.startswith(f"{kind}.")]
        if edits:
            source = config_file(kind, str(getattr(wanted, kind)))
            target = run_folder(wanted.run).file(FOLDER) / f"{kind}.cfg"
            _write(target, _edited(grid, run, kind, source, edits), grid, source)
            paths[kind] = target.as_posix()
    return Choices(**{**vars(wanted), **paths})


def _write(target: Path, config: Config, grid: Grid, source: Path) -> None:
    """Unless it says so already: an unchanged config is not written anew."""
    text = f"# Made by `synthesizrr ablate {grid.path.as_posix()}` from {source.as_posix()}; edit those.\n\n{config.to_str()}\n"
    if target.is_file() and target.read_text(encoding="utf-8") == text:
        return
    with atomic(target) as file:
        file.write(text)


def _edited(grid: Grid, run: Run, kind: str, source: Path, edits: list[Edit]) -> Config:
    """RAISES (InputError): With the line of the change that does not fit the config."""
    read_config(source)  # says what is wrong with the project's own
    config = _load(source)
    for key, path, value in edits:
        try:
            _set(config, kind, path.split("."), value)
        except ValueError as error:
            raise grid.error(run, key, f"cannot be set in {source}: {error}") from None
    try:
        _check(config, kind, source, [edit[1] for edit in edits])
    except (ConfigError, TeacherError) as error:
        key = _guilty(kind, source, edits)
        raise grid.error(run, key, f"does not fit: {error}") from None
    return config


def _load(source: Path) -> Config:
    from confection import Config

    return Config().from_disk(source, interpolate=False)


def _set(config: Config, kind: str, parts: list[str], value: Any) -> None:
    """RAISES (ValueError): When there is no such section or key."""
    node: Any = config
    for number, part in enumerate(parts[:-1]):
        if part not in node and (kind in SETTINGS or (number == 0 and kind != "student")):
            node[part] = {}  # optional; what nobody reads is refused by the checks afterwards
        if part not in node or not isinstance(node[part], dict):
            sections = [".".join([*parts[:number], name]) for name, inside in node.items() if isinstance(inside, dict)]
            wanted = ".".join(parts[: number + 1])
            raise ValueError(f"there is no section [{wanted}]. {choices(wanted, sections)}")
        node = node[part]
    name = parts[-1]
    if value is None and isinstance(node.get(name), dict):
        del node[name]
        return
    if name not in node and (valid := _keys(node, kind, value)) is not None and name not in valid:
        raise ValueError(f"there is no key '{name}'. {choices(name, valid)}")
    node[name] = value


def _keys(node: Mapping[str, Any], kind: str, value: Any = None) -> list[str] | None:
    """RETURNS (List[str] | None): The keys that a section may have; None where we cannot know or another check does."""
    from spacy.util import registry

    made = next(((key[1:], name) for key, name in node.items() if key.startswith("@")), None)
    if made is None:
        return [*node] if kind == "student" and not isinstance(value, Mapping) else None
    if made[0].startswith("llm_"):
        import spacy_llm.registry  # noqa: F401  registers its own
    try:
        parameters = inspect.signature(registry.get(*made)).parameters.values()
    except ValueError:  # no such name: what builds it will say so
        return None
    open_ended = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters)
    return None if open_ended else [parameter.name for parameter in parameters]


def _check(config: Config, kind: str, source: Path, paths: list[str]) -> None:
    """Check what was edited as the steps will, before anything is done.

    RAISES (ConfigError, TeacherError): As they would.
    """
    from confection import Config

    try:
        whole = dict(Config().from_str(config.to_str()))
    except Exception as error:  # confection raises its own, configparser's and json's errors
        raise ConfigError(" ".join(str(error).split())) from error
    check_config(kind, whole, source)
    for parent, name in _built(whole, paths):
        valid = _keys(parent[name], kind)
        for key in parent[name]:
            if valid is not None and not key.startswith("@") and key not in valid:
                raise ConfigError(f"{source}: [{name}] has no key '{key}'. {choices(key, valid)}")
        if kind in SINGLE:
            build(parent, name, path=source)


def _built(config: Mapping[str, Any], paths: list[str]) -> Iterator[tuple[dict[str, Any], str]]:
    """YIELDS (Tuple[dict, str]): The sections that were edited and describe an object, each in the one around it."""
    for path in paths:
        node: Any = config
        for part in path.split("."):
            inside = node.get(part)
            if _describes(inside):
                yield node, part
            if not isinstance(inside, dict):
                break
            node = inside
        else:  # a section as a whole: what stands in it
            yield from ((node, name) for name, inside in node.items() if _describes(inside))


def _describes(section: Any) -> bool:
    return isinstance(section, dict) and any(str(key).startswith("@") for key in section)


def _guilty(kind: str, source: Path, edits: list[Edit]) -> str:
    """RETURNS (str): Which of several changes cannot be made alone; the last one where all can."""
    for key, path, value in edits:
        config = _load(source)
        try:
            _set(config, kind, path.split("."), value)
            _check(config, kind, source, [path])
        except (ConfigError, TeacherError, ValueError):
            return key
    return edits[-1][0]
