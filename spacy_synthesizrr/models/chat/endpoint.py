"""Where a chat server is and how it is spoken to: addresses and headers, checked; secrets named, never held."""

from __future__ import annotations

import ipaddress
import json
import os
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Dict, List, Tuple
from urllib.parse import parse_qsl, urlsplit, urlunsplit

from spacy_synthesizrr.errors import ConfigError, TeacherError
from spacy_synthesizrr.secret_names import LITERAL, SECRET, flat, is_secret

NAME = "synthesizrr.ChatCompletions.v1"
PATH = "/chat/completions"
HIDDEN = "***"
TOO_SHORT = 6  # letters of a word that is no secret by itself, such as "Bearer"
_ENV_NAME = re.compile(r"[A-Z_][A-Z0-9_]*")


@dataclass(frozen=True)
class Endpoint:
    """One address of a server that speaks the chat completions protocol.

    url (str): The whole address that requests go to.
    identity (str): What tells it from others in request hashes: scheme, host, path and query, not the port.
    headers (Mapping[str, str]): Sent as they are; none of them is a secret.
    headers_env (Mapping[str, str]): Header → name of the environment variable that holds its value.
    api_key_env (str | None): Name of the variable whose value is sent as `Authorization: Bearer …`.
    """

    url: str
    identity: str
    headers: Mapping[str, str] = field(default_factory=dict)
    headers_env: Mapping[str, str] = field(default_factory=dict)
    api_key_env: str | None = None

    @property
    def local(self) -> bool:
        """RETURNS (bool): Whether the server is on this machine, where answers cost no money."""
        host = urlsplit(self.url).hostname or ""
        if host == "localhost":
            return True
        try:
            return ipaddress.ip_address(host).is_loopback
        except ValueError:
            return False

    @property
    def exposed(self) -> bool:
        """RETURNS (bool): Whether what is sent crosses a network without encryption."""
        return urlsplit(self.url).scheme == "http" and not self.local

    def secrets(self) -> Dict[str, str]:
        """Read the secret headers from the environment, now.

        RAISES (TeacherError): When a variable is not set; names the variable.
        """
        found = {header: _variable(name) for header, name in self.headers_env.items()}
        if self.api_key_env is not None:
            found["Authorization"] = f"Bearer {_variable(self.api_key_env)}"
        return found


def _variable(name: str) -> str:
    value = os.environ.get(name, "").strip()
    if not value:
        raise TeacherError(f"{NAME}: the environment variable {name} is not set. Set it in the shell, such as: export {name}=…")
    if not value.isascii() or not value.isprintable():
        raise TeacherError(
            f"{NAME}: the value of {name} holds characters that no header may have. Set it again, without quotes or newlines."
        )
    return value


def scrub(text: str, secrets: Mapping[str, str]) -> str:
    """Take secrets out of what a server said: some servers repeat the key that they refuse.

    secrets (Mapping[str, str]): What `Endpoint.secrets` read.
    """
    for value in secrets.values():
        for part in (value, *(word for word in value.split() if len(word) > TOO_SHORT)):
            text = text.replace(part, HIDDEN)
    return text


def make_endpoint(
    base_url: str,
    *,
    api_key_env: str | None = None,
    headers: Mapping[str, str] | None = None,
    headers_env: Mapping[str, str] | None = None,
    identity: str | None = None,
    teacher: str = NAME,
) -> Endpoint:
    """Check an address and its headers.

    base_url (str): Such as "http://127.0.0.1:11434/v1"; "/chat/completions" is added where it is missing.
    identity (str): Takes the place of scheme, host, path and query in request hashes.
    teacher (str): The registered name of the teacher, for errors about the address.
    RETURNS (Endpoint): The checked endpoint.
    RAISES (ConfigError): For an address that is none, and for every secret that was given instead of named.
    """
    url, where = _address(base_url, teacher)
    for name in (api_key_env, *(headers_env or {}).values()):
        if name is not None and not _ENV_NAME.fullmatch(name):
            raise ConfigError(
                f"{NAME}: api_key_env and headers_env hold names of environment variables, in capitals, not the secrets themselves "
                '(the value is not shown here, it may be one). Example: api_key_env = "OPENAI_API_KEY"'
            )
    for header, value in (headers or {}).items():
        if not isinstance(value, str):
            raise ConfigError(f"{NAME}: the value of the header '{header}' must be text (was: {value!r}). Put it in quotes.")
        if is_secret(header) or LITERAL.search(value):
            raise ConfigError(
                f"{NAME}: the header '{header}' looks like a secret, and configs are written to disk in clear. "
                f'Put it into an environment variable and name that: headers_env = {{"{header}": "MY_VARIABLE"}}'
            )
    _check_headers({**(headers or {}), **(headers_env or {})})
    _check_twice([*(headers or {}), *(headers_env or {}), *(["Authorization"] if api_key_env else [])])
    return Endpoint(url, identity or where, dict(headers or {}), dict(headers_env or {}), api_key_env)


def _check_headers(headers: Mapping[str, str]) -> None:
    for name, value in headers.items():
        if not re.fullmatch(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", name) or "\n" in value or "\r" in value:
            raise ConfigError(f"{NAME}: '{name[:40]}' cannot be sent as a header: names are letters, digits and dashes, values one line.")


def _check_twice(names: List[str]) -> None:
    seen = Counter(name.casefold() for name in names)
    for name in names:
        if seen[name.casefold()] > 1:
            raise ConfigError(f"{NAME}: the header '{name}' is given more than once (api_key_env sends Authorization). Keep one.")


def _address(base_url: str, teacher: str) -> Tuple[str, str]:
    example = 'Example: base_url = "http://127.0.0.1:11434/v1"'
    try:
        parts = urlsplit(base_url.strip())
        port = parts.port
        if any(sign.isspace() for sign in base_url.strip()):
            raise ValueError
    except (ValueError, AttributeError):
        raise ConfigError(f"{teacher}: base_url cannot be read as an address. {example}") from None
    if parts.username is not None or parts.password is not None:
        raise ConfigError(
            f"{teacher}: base_url holds a user name or a password, and configs are written to disk in clear. Take it out of the address "
            'and name an environment variable: headers_env = {"Authorization": "MY_VARIABLE"}'
        )
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigError(f"{teacher}: base_url must begin with http:// or https:// and name a host (was: '{base_url}'). {example}")
    for name, value in parse_qsl(parts.query, keep_blank_values=True):
        if is_secret(name) or LITERAL.search(value):
            raise ConfigError(
                f"{teacher}: base_url carries the secret '{name}', and configs are written to disk in clear. "
                'Send it as a header instead: headers_env = {"api-key": "MY_VARIABLE"}'
            )
    if any(LITERAL.search(part) for part in parts.path.split("/")):
        raise ConfigError(f"{teacher}: the path of base_url holds what looks like a secret, and configs are written to disk in clear.")
    path = parts.path.rstrip("/")
    path = path if path.endswith(PATH) else path + PATH
    name = parts.hostname.rstrip(".")
    host = f"[{name}]" if ":" in name else name
    place = host if port is None else f"{host}:{port}"
    return tuple(urlunsplit((parts.scheme, at, path, parts.query, "")) for at in (place, host))  # type: ignore[return-value]


def check_no_secrets(values: Mapping[str, Any], where: str, *, name: str = NAME) -> None:
    """Refuse keys and values that look like secrets in what is sent with every request.

    where (str): The setting, for the error. name (str): The registered name of the teacher, for the error.
    RAISES (ConfigError): Names the key, never the value.
    """
    for key, value in flat(values):
        if SECRET.search(key) or (isinstance(value, str) and LITERAL.search(value)):
            raise ConfigError(
                f"{name}: {where} holds '{key}', which looks like a secret. Name an environment variable in headers_env instead."
            )
    try:
        json.dumps(dict(values), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ConfigError(f"{name}: {where} cannot be written as JSON: {error}.") from None
