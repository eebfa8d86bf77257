"""What a check finds."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

State = Literal["ok", "missing", "broken", "unknown"]
HIDDEN = "***"
SHORTEST = 4  # letters of a value that is taken for a secret; shorter ones would blank out words
_SENTENCE = re.compile(r"(?<=[.)])\s+(?=[A-Z])")


@dataclass(frozen=True)
class Finding:
    """What one check found.

    part (str): Of the doctor's page. name (str): What was looked at.
    state (str): "ok"; "missing": not there; "broken": there, and does not work; "unknown": cannot be told for nothing.
    detail (str): What was found. cure (str): What to do, where something is to be done.
    needed (bool): Whether the chosen configs do not work without it.
    """

    part: str
    name: str
    state: State
    detail: str = ""
    cure: str = ""
    needed: bool = True

    @property
    def bad(self) -> bool:
        """RETURNS (bool): Whether a run would fail because of it."""
        return self.needed and self.state in ("missing", "broken")


def from_error(part: str, name: str, error: Exception, *, state: State = "broken") -> Finding:
    """RETURNS (Finding): An error of ours, whose first sentence says what is wrong and the others what to do."""
    what, *cure = _SENTENCE.split(" ".join(str(error).split()), maxsplit=1)
    return Finding(part, name, state, what, "".join(cure))


def variables(config: Any) -> set[str]:
    """RETURNS (Set[str]): The environment variables that a config names for secrets, in `api_key_env` and `headers_env` anywhere."""
    found: set[str] = set()
    if isinstance(config, Mapping):
        for key, value in config.items():
            if key == "api_key_env" and isinstance(value, str):
                found.add(value)
            elif key == "headers_env" and isinstance(value, Mapping):
                found |= {name for name in value.values() if isinstance(name, str)}
            else:
                found |= variables(value)
    return found


def without_secrets(findings: Iterable[Finding], names: Iterable[str]) -> list[Finding]:
    """Blank out the values of some environment variables, should a server or a library have repeated one.

    names (Iterable[str]): Of the variables.
    """
    values = {os.environ.get(name, "").strip() for name in names}
    values = {part for value in values for part in (value, *value.split()) if len(part) >= SHORTEST}
    longest_first = sorted(values, key=len, reverse=True)

    def clean(text: str) -> str:
        for value in longest_first:
            text = text.replace(value, HIDDEN)
        return text

    return [replace(found, name=clean(found.name), detail=clean(found.detail), cure=clean(found.cure)) for found in findings]
