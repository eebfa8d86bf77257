"""YAML files of the user, checked down to the line: ruamel.yaml knows the places, pydantic finds what is wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from spacy_synthesizrr.errors import InputError, choices

SHORT = {"missing": "is missing", "extra_forbidden": "is an unknown key"}
Location = tuple[Any, ...]


class Spec(BaseModel):
    """Base of what we read from YAML: unknown keys are refused, values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True, populate_by_name=True)


@dataclass(frozen=True)
class Lines:
    """Where each key of a YAML file stands.

    root (Any): What `load_yaml` read.
    """

    root: Any

    def of(self, location: Location) -> int | None:
        """RETURNS (int | None): The line of a key or item, from 1; that of the nearest one around it where it has none itself."""
        node: Any = self.root
        line: int | None = None
        for part in location:
            try:
                places: Any = getattr(node, "lc", None)  # ruamel's line and column
                mark = places.key(part) if isinstance(node, dict) else places.item(part)
                node, line = node[part], mark[0] + 1
            except (AttributeError, KeyError, IndexError, TypeError):
                break
        return line


def load_yaml(path: Path, error: type[InputError] = InputError) -> Any:
    """Read a YAML file with the places of its keys.

    error (type): What is raised.
    RAISES (InputError): When it is not UTF-8 or not YAML.
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    try:
        return YAML(typ="rt").load(path.read_text(encoding="utf-8"))
    except UnicodeDecodeError as fault:
        raise error(f"This is not UTF-8 (byte {fault.start}).", path=path, cure="Save the file as UTF-8.") from fault
    except MarkedYAMLError as fault:
        line = fault.problem_mark.line + 1 if fault.problem_mark else None
        raise error(f"This is not YAML: {fault.problem}.", path=path, line=line) from fault
    except YAMLError as fault:
        raise error(f"This is not YAML: {' '.join(str(fault).split())}.", path=path) from fault


def plain(value: Any) -> Any:
    """Plain Python values; keys and labels that YAML read as numbers stay as they are and fail the check."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, float):
        return float(value)
    return str(value) if isinstance(value, str) else value


def first_problem(
    error: ValidationError,
    path: Path,
    data: Any,
    keys: Callable[[Location], Iterable[str]],
    made: type[InputError] = InputError,
) -> InputError:
    """What pydantic found, as an error that names the line of the first thing that is wrong; the others are counted.

    data (Any): What `load_yaml` read.
    keys (Callable): The valid keys of the mapping at a place of the file.
    """
    problems = error.errors(include_url=False)
    problem = min(problems, key=lambda item: (Lines(data).of(item["loc"]) or 0, item["type"] != "extra_forbidden"))
    where = ".".join(str(part) for part in problem["loc"]) or "the file"
    message = SHORT.get(problem["type"], problem["msg"].removeprefix("Value error, "))
    value = problem["input"]
    shown = f" (was: {value!r})" if isinstance(value, (str, int, float, bool)) and problem["type"] != "extra_forbidden" else ""
    cure = ""
    if problem["type"] == "extra_forbidden":
        cure = choices(problem["loc"][-1], keys(problem["loc"][:-1]))
    more = f" ({len(problems) - 1} more below)" if len(problems) > 1 else ""
    return made(f"'{where}' {message}{shown}.{more}", path=path, line=Lines(data).of(problem["loc"]), cure=cure)
