"""What looks like a secret, by its name or by itself: configs are written to disk in clear, so none may stand in them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

SECRET = re.compile(r"authoriz|api[-_]?key|secret|password|passwd|credential|cookie|(?:^|[-_])(?:auth|token|sig)$", re.IGNORECASE)
LITERAL = re.compile(
    r"^(?:bearer|basic|token)\s+\S|^(?:sk|gsk|hf|xai|pk|ghp)[-_][\w-]{8,}|^AIza[\w-]{20,}|^AKIA[A-Z0-9]{12,}|^eyJ[\w-]{10,}\.",
    re.IGNORECASE,
)
_KEY = re.compile(r"(?:^|[-_])key$", re.IGNORECASE)  # a secret in a header or an address; in a body, "prompt_cache_key" is none
_VARIABLE = re.compile(r"API_?KEY(?!_(?:USERS|ENABLED)$)|TOKEN(?!IZ|_LIMIT)|SECRET|PASSWORD|PASSWD|CREDENTIAL|ACCESS_?KEY", re.IGNORECASE)
_SWITCHES = ("", "true", "false", "on", "off", "enabled", "disabled", "1", "0")
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def is_secret(name: str) -> bool:
    """RETURNS (bool): Whether a header or a query parameter has the name of a secret."""
    return bool(SECRET.search(name) or _KEY.search(name))


def is_secret_variable(name: str, value: str) -> bool:
    """RETURNS (bool): Whether an environment variable of a server holds a secret; one that switches something on or off does not."""
    named = bool(_VARIABLE.search(name)) and value.strip().lower() not in _SWITCHES
    return named or bool(LITERAL.search(value)) or secret_in_address(value)


def secret_in_address(value: str) -> bool:
    """RETURNS (bool): Whether a text is an address with a user, a password or a key in it."""
    if "://" not in value:
        return False
    try:
        parts = urlsplit(value)
    except ValueError:
        return "@" in value
    if "@" in parts.netloc or any(LITERAL.search(part) for part in parts.path.split("/")):
        return True
    return any(is_secret(name) or LITERAL.search(given) for name, given in parse_qsl(parts.query, keep_blank_values=True))


def secret_setting(values: Mapping[str, Any]) -> str:
    """Look for secrets in settings, however deep they lie.

    RETURNS (str): The name of the first that looks like one, by its name or by its value; empty when there is none.
    """
    for name, value in flat(values):
        text = value if isinstance(value, str) else ""
        if is_secret(_HUMP.sub("_", name)) or LITERAL.search(text) or secret_in_address(text):
            return name
    return ""


def flat(values: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """YIELDS (Tuple[str, Any]): All keys with their values, nested ones too; what stands in a list counts under the list's key."""
    if isinstance(values, Mapping):
        for key, value in values.items():
            yield str(key), value
            yield from flat(value, str(key))
    elif isinstance(values, (list, tuple)):
        for value in values:
            yield name, value
            yield from flat(value, name)
