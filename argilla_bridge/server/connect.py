"""A connection to an Argilla server, checked before it is used: address, key, role, version.

Records, and what the SDK has no call for, go over the SDK's own HTTP client: its models would cost more than the server does,
it cannot say which row of a batch was refused, and its progress bars cannot be turned off.
"""

from __future__ import annotations

import logging
import os
import time
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from argilla_bridge.server.faults import Refused, ServerError, detail_of, spoken
from argilla_bridge.settings import ServerSettings
from spacy_synthesizrr.errors import ConfigError, choices, require

if TYPE_CHECKING:
    import httpx
    from argilla import Argilla

API = "/api/v1"
KEY_HEADER = "X-Argilla-Api-Key"
MAJOR = "2"
ROLES = ("owner", "admin")
AGAIN = (429, 502, 503, 504)  # the server did not do it, and may when asked again
FIRST_WAIT, LONGEST_WAIT = 0.5, 10.0  # seconds before asking again


@dataclass(frozen=True)
class Link:
    """An open connection.

    client (Argilla): The SDK's.
    url (str): Of the server.
    version (str): Of the server.
    user (str): Whose key it is. role (str): "owner" or "admin".
    settings (ServerSettings): Where the address and the secrets come from.
    secrets (Tuple[str, ...]): What no message may show.
    """

    client: Argilla
    url: str
    version: str
    user: str
    role: str
    settings: ServerSettings
    secrets: tuple[str, ...]

    def call(self, method: str, path: str, **request: Any) -> Any:
        """Ask the server; ask again where it did not answer. Every request that is sent here may be sent twice.

        method (str): Of HTTP. path (str): Behind "/api/v1".
        request (Any): `json`, `content`, `headers` or `params`, as httpx takes them.
        RETURNS (Any): The JSON of the answer; None where there is none.
        RAISES (Refused): When the server says no.
        RAISES (ServerError): When it does not answer.
        """
        answer = _answer(self.client.http_client, method, path, self.settings.retries, self._explained, request)
        if answer.status_code >= 400:
            raise self._refusal(answer)
        return answer.json() if answer.content else None

    def workspace(self, name: str) -> str:
        """RETURNS (str): The id of a workspace.
        RAISES (ConfigError): When there is none of that name, or the key's owner does not see it.
        """
        ids = {each["name"]: str(each["id"]) for each in self.call("GET", "/me/workspaces")["items"]}
        if name not in ids:
            cure = "Set [review] workspace to one of them, or create it in Argilla: settings, workspaces."
            raise ConfigError(f"Argilla at {self.url} has no workspace '{name}' for the user '{self.user}'. {choices(name, ids)} {cure}")
        return ids[name]

    def dataset(self, name: str, workspace_id: str) -> dict[str, Any] | None:
        """RETURNS (dict | None): What the server says of a dataset, None when there is none of that name."""
        found = self.call("GET", "/me/datasets", params={"workspace_id": workspace_id})["items"]
        return next((each for each in found if each["name"] == name), None)

    @contextmanager
    def explained(self, doing: str) -> Iterator[None]:
        """Errors of the SDK as ours.

        doing (str): What is tried, for people.
        """
        import httpx
        from argilla._exceptions import ArgillaError

        try:
            with quiet():
                yield
        except httpx.HTTPError as error:
            raise ServerError(self._explained(error)) from None
        except ArgillaError as error:
            told = [str(each) for each in (error, error.__cause__) if each is not None and str(each)]
            raise ServerError(f"Argilla at {self.url} failed at {doing}: {spoken('; '.join(told), self.secrets)}") from None

    def close(self) -> None:
        """Close the connection."""
        self.client.http_client.close()

    def _explained(self, error: Exception) -> str:
        return _unreachable(self.url, error, self.secrets)

    def _refusal(self, answer: httpx.Response) -> Refused:
        detail, status = detail_of(answer.text), answer.status_code
        said = spoken(detail, self.secrets)
        if status == 401:
            message = _bad_key(self.url, self.settings)
        elif status >= 500:
            message = f"Argilla at {self.url} failed (HTTP status {status}): {said}. Its log says more."
        else:
            message = f"Argilla at {self.url} refuses (HTTP status {status}): {said}"
        return Refused(message, status=status, detail=detail)


def connect(settings: ServerSettings) -> Link:
    """Connect and check.

    settings (ServerSettings): Names the environment variables with the address, the key and further headers.
    RAISES (ConfigError): When a variable is not set, the address is none, or the key's owner may not do what we do.
    RAISES (ServerError): When no Argilla answers, it does not take the key, or it is of another generation.
    RAISES (MissingExtraError): When the SDK is not installed.
    """
    url = _url(settings)
    key = _variable(settings.key_env, "an API key of the server (in Argilla: my settings)")
    headers = {name: _variable(variable, f"the header {name}") for name, variable in settings.headers_env.items()}
    secrets = tuple(part for value in (key, *headers.values()) for part in {value, *value.split()} if len(part) > 3)
    require_sdk()
    me, version = _greeted(url, {**headers, KEY_HEADER: key}, settings, secrets)
    if version.split(".")[0] != MAJOR:
        raise ServerError(f"Argilla at {url} is version {version}; {MAJOR}.x is needed. Upgrade the server.")
    if me["role"] not in ROLES:
        who = f"The key in ${settings.key_env} is that of '{me['username']}', whose role at {url} is '{me['role']}'"
        raise ConfigError(f"{who}. Pushing and pulling need an owner, or an admin of the workspace: set ${settings.key_env} to such a key.")
    return Link(_client(url, key, headers, settings, secrets), url, version, me["username"], me["role"], settings, secrets)


def require_sdk() -> None:
    """Import the SDK, without what libraries tell people about one another.

    RAISES (MissingExtraError): When it is not installed.
    """
    with quiet():
        require("argilla", "argilla")


@contextmanager
def quiet() -> Iterator[None]:
    """No warnings of the SDK: they are for whoever writes it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _url(settings: ServerSettings) -> str:
    url = _variable(settings.url_env, "where Argilla answers, such as http://localhost:6900").rstrip("/").removesuffix(API)
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigError(f"${settings.url_env} is no address of a server. Set it to something like http://localhost:6900")
    if "@" in parts.netloc:
        raise ConfigError(f"${settings.url_env} has a user or a password in it. Set [server.headers_env] for such, and the key apart.")
    if parts.query or parts.fragment:  # the address stands in errors, receipts and files
        problem = f"${settings.url_env} has more than an address in it, behind '?' or '#'."
        raise ConfigError(f"{problem} Take it out, and set [server.headers_env] for a token.")
    return url


def _variable(name: str, about: str) -> str:
    value = os.environ.get(name, "").strip()
    if not value:
        raise ConfigError(f"The environment variable {name} is not set. Set it to {about}: export {name}=…")
    return value


def _greeted(url: str, headers: Mapping[str, str], settings: ServerSettings, secrets: tuple[str, ...]) -> tuple[dict[str, Any], str]:
    """Whose key it is, and the server's version; asked before the SDK is, which leaves its connection open where it fails."""
    import httpx

    def told(error: Exception) -> str:
        return _unreachable(url, error, secrets)

    with httpx.Client(base_url=url, headers=headers, timeout=settings.timeout) as client:
        me, version = (_answer(client, "GET", path, settings.retries, told, {}) for path in ("/me", "/version"))
    if me.status_code == 401 and isinstance(detail_of(me.text), dict):
        raise ServerError(_bad_key(url, settings))
    try:
        who = {name: str(me.json()[name]) for name in ("username", "role")}
        return who, str(version.json()["version"])
    except (ValueError, KeyError, TypeError):
        raise _no_argilla(url, settings, me.status_code) from None


def _no_argilla(url: str, settings: ServerSettings, status: int) -> ServerError:
    seen = f" (HTTP status {status})" if status >= 400 else ""
    space = "" if settings.headers_env else " A private Hugging Face Space wants a token as well: [server.headers_env] Authorization."
    return ServerError(f"What answers at {url} is no Argilla{seen}. Check ${settings.url_env}.{space}")


def _client(url: str, key: str, headers: Mapping[str, str], settings: ServerSettings, secrets: tuple[str, ...]) -> Argilla:
    """The SDK's client. It greets the server too, and logs that in a way that would give all of Python a log handler."""
    import argilla
    import httpx

    root, silent = logging.getLogger(), logging.NullHandler()
    root.addHandler(silent)
    try:
        with quiet():
            return argilla.Argilla(url, key, timeout=settings.timeout, retries=0, headers=dict(headers))
    except httpx.TransportError as error:
        raise ServerError(_unreachable(url, error, secrets)) from None
    finally:
        root.removeHandler(silent)


def _answer(client: httpx.Client, method: str, path: str, retries: int, told: Any, request: Mapping[str, Any]) -> httpx.Response:
    import httpx

    wait = FIRST_WAIT
    for left in range(retries, -1, -1):
        try:
            answer = client.request(method, API + path, **request)
        except httpx.TransportError as error:
            if not left:
                raise ServerError(told(error)) from None
        else:
            if answer.status_code not in AGAIN or not left:
                return answer
        wait = _waited(wait)
    raise AssertionError("a last try returns or raises")


def _waited(seconds: float) -> float:
    time.sleep(seconds)
    return min(2 * seconds, LONGEST_WAIT)


def _unreachable(url: str, error: Exception, secrets: Iterable[str]) -> str:
    said = spoken(str(error), secrets) or type(error).__name__
    cure = "Start it, or wait for it, and do this again: it goes on where it was."
    return f"No Argilla answers at {url} ({type(error).__name__}: {said}). {cure}"


def _bad_key(url: str, settings: ServerSettings) -> str:
    return f"Argilla at {url} does not take the key in ${settings.key_env}. Set it to a key of that server (in Argilla: my settings)."
