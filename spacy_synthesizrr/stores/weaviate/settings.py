"""What a config may say of a Weaviate: where it is, how vectors and words are indexed, how hard it is worked."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, model_validator

from spacy_synthesizrr.configs import Settings
from spacy_synthesizrr.errors import ConfigError
from spacy_synthesizrr.secret_names import is_secret_variable, secret_in_address, secret_setting

Reach = Literal["auto", "server", "cloud", "embedded"]
CLOUD = (".weaviate.cloud", ".weaviate.network", ".weaviate.io", ".semi.technology")
GRPC_PORT, GRPC_PORT_ENV = 50051, "WEAVIATE_GRPC_PORT"
EXAMPLE = "Example: WEAVIATE_URL=http://127.0.0.1:8080"
_ENV_NAME = re.compile(r"[A-Z_][A-Z0-9_]*")


class Connection(Settings):
    """How a server is reached; secrets are named, never given."""

    reach: Reach = "auto"
    url: str | None = None
    url_env: str = "WEAVIATE_URL"
    grpc_host: str | None = None
    grpc_port: int | None = Field(None, ge=1, le=65535)
    api_key_env: str | None = "WEAVIATE_API_KEY"
    headers_env: dict[str, str] = {}
    timeout: float = Field(60.0, gt=0)
    trust_env: bool = False


class Embedded(Settings):
    """A server of our own, started for as long as a step works."""

    version: str | None = None
    binary_path: str | None = None
    data_path: str | None = None
    port: int | None = Field(None, ge=1, le=65535)
    grpc_port: int | None = Field(None, ge=1, le=65535)
    environment: dict[str, str] = {}

    @model_validator(mode="after")
    def _no_secret(self) -> Embedded:
        for name, value in self.environment.items():
            if is_secret_variable(name, value):
                raise ValueError(
                    f"environment: '{name}' looks like a secret, and configs are written to disk in clear. Take it out and set it in the "
                    f"shell, where the server finds it: export {name}=… (keys of services may also go as [store.connection] headers_env)"
                )
        return self


class Vectors(Settings):
    """The index of the vectors: HNSW by cosine."""

    max_connections: int = Field(32, ge=4)
    ef_construction: int = Field(128, ge=4)
    ef: int = Field(-1, ge=-1)
    dynamic_ef_min: int = Field(100, ge=1)
    dynamic_ef_max: int = Field(2000, ge=1)
    dynamic_ef_factor: int = Field(8, ge=1)
    quantizer: Literal["none", "rq", "sq", "bq", "pq"] = "none"


class Words(Settings):
    """The index of the words, for keyword search (BM25)."""

    tokenization: Literal["word", "lowercase", "whitespace", "trigram", "gse", "kagome_ja", "kagome_kr", "gse_ch"] = "word"
    stopwords: Literal["none", "en"] = "none"
    k1: float = Field(1.2, ge=0)
    b: float = Field(0.75, ge=0, le=1)


class Pace(Settings):
    """How much is on its way at once, and how long a server that does not answer is waited for (seconds)."""

    batch: int = Field(200, ge=1)
    uploads: int = Field(4, ge=1)
    queries: int = Field(8, ge=1)
    patience: float = Field(120.0, ge=0)


class Module(Settings):
    """A module of the server that turns texts into vectors.

    module (str): Its name, such as "text2vec-ollama".
    settings (dict): As the module calls them; whatever it knows.
    """

    module: str = Field(pattern=r"^text2vec-[a-z0-9-]+$")
    settings: dict[str, Any] = {}

    @model_validator(mode="after")
    def _no_secret_and_nothing_of_ours(self) -> Module:
        for name, value in self.settings.items():
            if name in ("properties", "vectorizeClassName"):
                raise ValueError(f"'{name}' cannot be set: the text of a passage is embedded and nothing else")
            if isinstance(value, str) and secret_in_address(value):
                raise ValueError(f"the address in '{name}' holds a user name or a password, or a key; take it out")
        if name := secret_setting(self.settings):
            raise ValueError(f"'{name}' looks like a secret; name the variable that holds it in [store.connection] headers_env instead")
        return self


@dataclass(frozen=True)
class Place:
    """Everything that a config says of a Weaviate.

    tenants (str): Where corpora are tenants of one collection: what names it; empty where each has a collection of its own.
    """

    connection: Connection = Connection()
    embedded: Embedded = Embedded()
    vectors: Vectors = Vectors()
    words: Words = Words()
    pace: Pace = Pace()
    tenants: str = ""

    @property
    def url(self) -> str | None:
        """RETURNS (str): The address of the config, else that of the environment."""
        return self.connection.url or os.environ.get(self.connection.url_env, "").strip() or None

    @property
    def shown(self) -> str:
        """RETURNS (str): Where the server is, for people: never a user, a password or a query, whatever the address holds."""
        if self.url is None or self.connection.reach == "embedded":
            return "embedded Weaviate"
        try:
            return address(self.url, cloud=True).url
        except ConfigError:
            return "Weaviate at an address that cannot be used"

    @property
    def reach(self) -> str:
        """RETURNS (str): "server", "cloud" or "embedded"; without an address there is only the last."""
        if self.connection.reach != "auto":
            return self.connection.reach
        if self.url is None:
            return "embedded"
        return "cloud" if (address(self.url, cloud=True).host).endswith(CLOUD) else "server"

    def api_key(self) -> str | None:
        """RETURNS (str): The key from the environment; None where the config names no variable or it is not set."""
        name = self.connection.api_key_env
        return _secret(name) if name is not None else None

    def headers(self) -> dict[str, str]:
        """Read the secret headers from the environment.

        RAISES (ConfigError): When a variable is not set; names the variable.
        """
        found = {}
        for header, name in self.connection.headers_env.items():
            value = _secret(name)
            if value is None:
                raise ConfigError(f"[store.connection] headers_env: the environment variable {name} is not set. Set it: export {name}=…")
            found[header] = value
        return found

    def grpc_port(self) -> int:
        """The port of the config, else that of the environment, else the usual one.

        RAISES (ConfigError): When the environment holds no port.
        """
        if self.connection.grpc_port is not None:
            return self.connection.grpc_port
        named = os.environ.get(GRPC_PORT_ENV, "").strip()
        if named and not (named.isdecimal() and 0 < int(named) < 1 << 16):
            raise ConfigError(f"The environment variable {GRPC_PORT_ENV} holds '{named}', which is no port. Example: {GRPC_PORT}")
        return int(named) if named else GRPC_PORT


def check_names(connection: Mapping[str, Any]) -> None:
    """Refuse secrets where the names of variables belong, and in the address; what stands there is not shown, for it may be one.

    connection (Mapping): The section of the config, as it was read.
    RAISES (ConfigError): Names the setting.
    """
    headers = connection.get("headers_env")
    named = {name: connection.get(name) for name in ("url_env", "api_key_env")}
    named.update({f"headers_env of '{header}'": name for header, name in (headers if isinstance(headers, Mapping) else {}).items()})
    for setting, name in named.items():
        if name is not None and not (isinstance(name, str) and _ENV_NAME.fullmatch(name)):
            raise ConfigError(
                f"[store.connection] {setting} must hold the name of an environment variable, in capitals, not the value itself "
                '(it is not shown here: it may be a secret). Example: api_key_env = "WEAVIATE_API_KEY"'
            )
    if isinstance(url := connection.get("url"), str):
        address(url, cloud=True)


@dataclass(frozen=True)
class Address:
    """Where a server listens for HTTP."""

    host: str
    port: int
    secure: bool

    @property
    def url(self) -> str:
        """RETURNS (str): As people write it, never with a user or password."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http{'s' if self.secure else ''}://{host}:{self.port}"


def address(url: str, *, cloud: bool = False) -> Address:
    """Take an address apart.

    cloud (bool): Whether it may lack the scheme, as the addresses in the cloud's console do.
    RAISES (ConfigError): For an address that is none, or that carries a password.
    """
    if cloud and "://" not in url:
        url = f"https://{url}"
    if "@" in url:  # wherever it stands: a password may hold signs after which an address reads otherwise
        raise ConfigError(
            "The address of Weaviate holds a user name or a password. Take it out and put the key into the environment variable that "
            '[store.connection] names: api_key_env = "WEAVIATE_API_KEY"'
        )
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ConfigError(f"The address of Weaviate cannot be read. {EXAMPLE}") from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        shown = re.split("[?#]", url)[0]  # the rest may be a secret
        raise ConfigError(f"The address of Weaviate must begin with http:// or https:// and name a host (was: '{shown}'). {EXAMPLE}")
    if parts.path.strip("/") or parts.query or parts.fragment:
        shown = f"{parts.scheme}://{parts.netloc}"
        raise ConfigError(f"The address of Weaviate must end with the port, as in {shown}: nothing may come after it. {EXAMPLE}")
    secure = parts.scheme == "https"
    return Address(parts.hostname, port or (443 if secure else 80), secure)


def _secret(name: str) -> str | None:
    value = os.environ.get(name, "").strip()
    if value and not (value.isascii() and value.isprintable()):
        raise ConfigError(f"The value of {name} holds characters that no header may have. Set it again, without quotes or newlines.")
    return value or None
