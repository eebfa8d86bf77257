"""How a chat server is asked: how much at a time, how fast, how patiently."""

from __future__ import annotations

from typing import Any, Dict, Mapping

from spacy_synthesizrr.errors import ConfigError, choices
from spacy_synthesizrr.models.chat.endpoint import NAME

SETTINGS: Dict[str, Any] = {
    "max_in_flight": 64,
    "read_ahead": 64,
    "requests_per_minute": None,
    "tokens_per_minute": None,
    "connect_timeout": 10.0,
    "read_timeout": 300.0,
    "max_retries": 8,
}


def read_settings(given: Mapping[str, Any]) -> Dict[str, Any]:
    """Check the section `requests` of a teacher's config.

    RETURNS (Dict[str, Any]): All settings, given or by default.
    RAISES (ConfigError): For unknown keys, and for values that are no number in range.
    """
    for key, value in given.items():
        if key not in SETTINGS:
            raise ConfigError(f"{NAME}: requests has the unknown key '{key}'. {choices(key, SETTINGS)}")
        default = SETTINGS[key]
        whole = isinstance(default, int)
        if value is None and default is None:
            continue
        lowest = 0 if key == "max_retries" else 1 if whole else 0.001
        if isinstance(value, bool) or not isinstance(value, int if whole else (int, float)) or not lowest <= value < float("inf"):
            raise ConfigError(f"{NAME}: requests.{key} = {value!r} must be a {'whole ' if whole else ''}number from {lowest}.")
    return {**SETTINGS, **given}
