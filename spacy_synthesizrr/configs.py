"""Reading .cfg files: confection parses them, pydantic checks our sections, spaCy's registry builds the objects."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from spacy_synthesizrr.errors import ConfigError, choices


class Settings(BaseModel):
    """Base of every section that we check: unknown keys are refused, values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


Section = TypeVar("Section", bound=Settings)


def config_names(folder: Path, kind: str) -> list[str]:
    """RETURNS (List[str]): The names that there are of a kind: of files KIND.NAME.cfg."""
    return [file.name.split(".")[1] for file in sorted(folder.glob(f"{kind}.*.cfg"))]


def read_config(path: Path) -> dict[str, Any]:
    """Parse a .cfg file.

    RAISES (ConfigError): When it is missing (with the names that exist) or cannot be parsed.
    """
    from confection import Config

    if not path.is_file():
        kind = path.name.split(".")[0]
        names = config_names(path.parent, kind)
        wanted = path.name.removeprefix(f"{kind}.").removesuffix(".cfg")
        raise ConfigError(f"There is no config {path}. {choices(wanted, names)} Set it with: --vars.{kind} NAME")
    try:
        return dict(Config().from_disk(path, interpolate=True))
    except Exception as error:  # confection raises its own, configparser's and json's errors
        raise ConfigError(f"{path} cannot be read: {' '.join(str(error).split())}") from error


def section(config: dict[str, Any], name: str, model: type[Section], *, path: Path | str = "") -> Section:
    """Check one section of a config; a missing one means the defaults.

    name (str): Dotted name of the section, such as "plan.window".
    RAISES (ConfigError): Names file, section, key, value and the valid keys.
    """
    values: Any = config
    for part in name.split("."):
        values = values.get(part, {}) if isinstance(values, dict) else {}
    try:
        return model.model_validate(dict(values))
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in problem["loc"])
        if problem["type"] == "extra_forbidden":
            text = f"unknown key '{where}'. {choices(where.split('.')[-1], _keys(model, problem['loc'][:-1]))}"
        elif where:
            text = f"'{where}' {problem['msg'].removeprefix('Value error, ')} (was: {problem['input']!r})"
        else:  # the keys do not fit each other: the message names them
            text = problem["msg"].removeprefix("Value error, ")
        raise ConfigError(f"{path}: [{name}] {text}") from None


def check_sections(config: Mapping[str, Any], valid: Iterable[str], *, path: Path) -> None:
    """Make sure that somebody reads every section of a config: a slip in a name would leave the defaults in force, and nobody would notice.

    valid (Iterable[str]): The sections there may be. One that others take values from, as in ${vars.size}, may have any name.
    RAISES (ConfigError): Names the section and the valid ones.
    """
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    for name in config:
        if name not in valid and not re.search(rf"\$\{{{re.escape(name)}[.:]", text):
            raise ConfigError(f"{path}: unknown section [{name}]. {choices(name, valid)}")


def check_names(config: Mapping[str, Any], *, path: Path) -> None:
    """Make sure that every registered name in a config (`@misc = "synthesizrr.MemoryStore.v1"`) is one. What it names is not imported.

    RAISES (ConfigError): Names the section, the name and the nearest ones.
    """
    known: dict[str, set[str]] = {}
    for where, key, name in _named(config, ""):
        if key not in known:
            known[key] = registered(key, path=path)
        if name not in known[key] and name.replace("spacy.", "spacy-legacy.", 1) not in known[key]:
            raise ConfigError(f"{path}: [{where}] there is no '{name}' among @{key}. {choices(name, _ours_first(known[key]))}")


def _named(node: Mapping[str, Any], where: str) -> Iterator[tuple[str, str, str]]:
    """YIELDS (Tuple[str, str, str]): Section, registry and name."""
    for key, value in node.items():
        if isinstance(value, dict):
            yield from _named(value, f"{where}.{key}".lstrip("."))
        elif key.startswith("@") and isinstance(value, str):
            yield where, key[1:], value


def registered(key: str, *, path: Path) -> set[str]:
    """RETURNS (Set[str]): The names in a registry, such as "misc", of all packages that are installed; none of them is imported.
    RAISES (ConfigError): When there is no such registry.
    """
    import importlib.metadata

    import catalogue
    from spacy.util import registry

    if key.startswith("llm_"):
        import spacy_llm.registry  # noqa: F401  registers its own
    registry.ensure_populated()
    table = getattr(registry, key, None)
    if not isinstance(table, catalogue.Registry):
        raise ConfigError(f"{path}: '@{key}' is no kind of registered function. Shipped configs have such as @misc and @llm_models.")
    points = importlib.metadata.entry_points(group=table.entry_point_namespace)
    return {point.name for point in points} | {names[-1] for names in [*catalogue.REGISTRY] if names[:-1] == tuple(table.namespace)}


def _ours_first(names: Iterable[str]) -> list[str]:
    return sorted(names, key=lambda name: (not name.startswith("synthesizrr."), name))


def _keys(model: Any, location: tuple[Any, ...]) -> list[str]:
    for part in location:
        model = model.model_fields[part].annotation
    return [spec.alias or name for name, spec in model.model_fields.items()]


def build(config: dict[str, Any], name: str, *, path: Path | str = "") -> Any:
    """Build the object that a section describes by a registered name (`@misc = "synthesizrr.MemoryStore.v1"`).

    RAISES (ConfigError): When the section is missing or its registered function refuses it.
    """
    from confection import ConfigValidationError
    from spacy.util import registry

    if not isinstance(config.get(name), dict):
        raise ConfigError(f"{path}: the section [{name}] is missing.")
    try:
        return registry.resolve({name: config[name]})[name]
    except ConfigValidationError as error:
        raise ConfigError(f"{path}: {' '.join(str(error).split())}") from error
    except ValueError as error:  # catalogue: unknown registered name, with the names there are
        raise ConfigError(f"{path}: [{name}] {' '.join(str(error).split())}") from error
