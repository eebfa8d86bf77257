"""What an arm of a grid changes: a var of project.yml by its name, or a value in a config by its dotted path.

per_label: 20                        a var
strategy.plan.margin.on: false       KIND.SECTION.KEY: `on` in the section [plan.margin] of the strategy's config
curate.set_filters.map: {...}        a whole section, which is added or put in the place of the one there
curate.row_filters.near_copy: null   null in the place of a section removes it; in the place of a value it is null
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from spacy_synthesizrr.context import KINDS, SINGLE
from spacy_synthesizrr.errors import choices
from spacy_synthesizrr.steps.prepare import Choices

Changes = Mapping[str, Any]
OURS = ("run", "review")  # a grid names its runs itself, and no people are asked
VARS: Mapping[str, type[int] | type[str]] = {
    spec.name: int if spec.type == "int" else str for spec in fields(Choices) if spec.name not in (*OURS, *SINGLE)
}
EDITED = tuple(kind for kind in (*KINDS, *SINGLE) if kind not in OURS)


def fault_of(key: str, value: Any) -> str:
    """RETURNS (str): What is wrong with one change, as far as its own words tell; empty when nothing is."""
    kind, dot, rest = key.partition(".")
    if not dot:
        return _fault_of_var(key, value)
    if kind not in EDITED:
        return f"there is no kind of config '{kind}'. {choices(kind, EDITED)}"
    if not all(rest.split(".")):
        return "a dotted path needs a name between any two dots, such as strategy.plan.margin.on"
    return ""


def _fault_of_var(key: str, value: Any) -> str:
    if key not in VARS:
        such = f" Values of configs have dotted paths, such as {EDITED[0]}.plan.hits." if key in SINGLE else ""
        return f"there is no var '{key}'. {choices(key, VARS)}{such}"
    if isinstance(value, bool) or not isinstance(value, VARS[key]):
        return f"'{key}' must be {'a whole number' if VARS[key] is int else 'a text'} (was: {value!r})"
    return ""


def told(changes: Changes) -> list[str]:
    """RETURNS (List[str]): Each change as people read it, such as "strategy.plan.margin.on = true"."""
    return [f"{key} = {json.dumps(value, ensure_ascii=False) if not isinstance(value, str) else value}" for key, value in changes.items()]


def typed(key: str, text: str) -> Any:
    """A var as it is given on the command line.

    RAISES (ValueError): When there is no such var, or its value is of another kind.
    """
    value: Any = text
    if VARS.get(key) is int:
        try:
            value = int(text)
        except ValueError:
            value = text
    if fault := fault_of(key, value) if "." not in key else "only vars can be set here":
        raise ValueError(fault)
    return value


def name_of(key: str, value: Any) -> str:
    """RETURNS (str): What an arm is called that a value of an axis makes, such as "margin-on", "hits-50", "student-bow"."""
    parts = key.split(".")
    if isinstance(value, bool):
        shown = ("off", "on")[value]
        return f"{parts[-2] if parts[-1] in ('on', 'enabled') and len(parts) > 1 else parts[-1]}-{shown}"
    if isinstance(value, (list, tuple)):
        return f"{parts[-1]}-{'+'.join(str(item) for item in value) or 'none'}"
    return f"{parts[-1]}-{'none' if value is None else value}"
