"""A connection to a Weaviate: a running server, Weaviate Cloud, or a server of our own. It is checked before it is used.

The client's own checks at the start are left out, because they ask the Python package index for news; ours follow.
"""

from __future__ import annotations

import contextlib
import logging
import re
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from spacy_synthesizrr.errors import ConfigError, StoreError, require
from spacy_synthesizrr.stores.weaviate.embedded import Running, embedded_server
from spacy_synthesizrr.stores.weaviate.faults import explained, faults, status_of
from spacy_synthesizrr.stores.weaviate.settings import Address, Place, address

if TYPE_CHECKING:
    import grpc
    from weaviate import WeaviateClient

OLDEST = (1, 33)  # below it there is no filter that leaves passages out
HEALTH, SERVING = "/grpc.health.v1.Health/Check", b"\x08\x01"  # the answer of a healthy gRPC server, as its protocol encodes it
LAST_LOOK = 2.0  # seconds; gRPC looks whether it should still watch five times a second
INSERT_SECONDS = 300.0  # at least, for one batch: a module of the server may have to embed it
THREE_WAYS = (
    "There are three ways: start a server and set WEAVIATE_URL (and WEAVIATE_GRPC_PORT) to where it listens; "
    "set WEAVIATE_URL and WEAVIATE_API_KEY to those of a cluster in Weaviate Cloud; "
    'or set [store.connection] reach = "embedded", which starts a server of its own.'
)


@dataclass(frozen=True)
class Link:
    """An open connection.

    client (WeaviateClient): The client.
    where (str): The server, for people.
    version (Tuple[int, int]): Of the server.
    secrets (Tuple[str]): What no message may show.
    watch (Watch): Knows whether the connection broke.
    running (Optional[Running]): The server of our own, when it is one.
    """

    client: WeaviateClient
    where: str
    version: tuple[int, int]
    secrets: tuple[str, ...]
    watch: Watch
    running: Running | None = None

    def serves(self) -> bool:
        """RETURNS (bool): Whether the server answers on both of its ports."""
        return self.client.is_ready() and self.watch.serves()

    def close(self) -> None:
        """Close the connection, and stop the server when it is ours."""
        self.watch.close()
        self.client.close()
        if self.running is not None:
            self.running.release()


def connect(place: Place) -> Link:
    """Connect and check: HTTP, version, key, gRPC.

    RAISES (ConfigError): When the address or a name of a variable is wrong.
    RAISES (StoreError): When no server answers, it is too old, or it refuses us; says what to do.
    RAISES (MissingExtraError): When the client is not installed.
    """
    require_client()
    logger = logging.getLogger("weaviate-client")  # it would print whole passages to stderr; we report ourselves
    if not any(isinstance(handler, logging.NullHandler) for handler in logger.handlers):
        logger.addHandler(logging.NullHandler())
    reach = place.reach
    if reach == "embedded":
        return _embedded(place)
    if place.url is None:
        raise ConfigError(f"[store.connection] reach = \"{reach}\", but neither 'url' nor ${place.connection.url_env} is set. {THREE_WAYS}")
    return _cloud(place, place.url) if reach == "cloud" else _server(place, place.url)


def require_client() -> None:
    """Import the client, without what a library below it tells people about another one.

    RAISES (MissingExtraError): When the client is not installed.
    """
    with warnings.catch_warnings(record=True):
        require("weaviate", "weaviate")


def _server(place: Place, url: str) -> Link:
    import weaviate

    at = address(url)
    grpc_host, grpc_port = place.connection.grpc_host or at.host, place.grpc_port()
    if (grpc_host, grpc_port) == (at.host, at.port):
        raise ConfigError(f"Port {grpc_port} of {at.host} cannot be both HTTP and gRPC. Set $WEAVIATE_GRPC_PORT to the other one.")
    client = weaviate.WeaviateClient(
        connection_params=weaviate.connect.ConnectionParams.from_params(
            http_host=at.host, http_port=at.port, http_secure=at.secure,
            grpc_host=grpc_host, grpc_port=grpc_port, grpc_secure=at.secure,
        ),
        **_common(place, key=place.api_key()),
    )  # fmt: skip
    return _opened(client, place, at.url, Address(grpc_host, grpc_port, at.secure))


def _cloud(place: Place, url: str) -> Link:
    import weaviate

    at = address(url, cloud=True)
    if place.api_key() is None:
        raise ConfigError(f"Weaviate Cloud wants a key. Set the environment variable {place.connection.api_key_env or 'WEAVIATE_API_KEY'}.")
    ident, _, domain = at.host.partition(".")
    old = at.host.endswith(".weaviate.network")
    grpc_host = place.connection.grpc_host or (f"{ident}.grpc.{domain}" if old else f"grpc-{at.host}")
    client = weaviate.WeaviateClient(
        connection_params=weaviate.connect.ConnectionParams.from_params(
            http_host=at.host, http_port=at.port, http_secure=True, grpc_host=grpc_host, grpc_port=443, grpc_secure=True
        ),
        **_common(place, key=place.api_key()),
    )
    return _opened(client, place, at.url, Address(grpc_host, 443, True))


def _embedded(place: Place) -> Link:
    import weaviate

    running = embedded_server(place)
    try:
        client = weaviate.WeaviateClient(
            connection_params=weaviate.connect.ConnectionParams.from_params(
                http_host=running.host, http_port=running.port, http_secure=False,
                grpc_host=running.host, grpc_port=running.grpc_port, grpc_secure=False,
            ),
            **_common(place, key=None),  # it takes everybody; its modules may need the headers
        )  # fmt: skip
        where = f"http://{running.host}:{running.port}"
        return _opened(client, place, where, Address(running.host, running.grpc_port, False), running)
    except BaseException:
        running.release()
        raise


def _common(place: Place, *, key: str | None) -> dict[str, Any]:
    from weaviate.classes.init import AdditionalConfig, Auth, Timeout

    seconds = place.connection.timeout
    return {
        "auth_client_secret": Auth.api_key(key) if key else None,
        "additional_headers": place.headers() or None,
        "additional_config": AdditionalConfig(
            timeout=Timeout(init=seconds, query=seconds, insert=max(seconds, INSERT_SECONDS)), trust_env=place.connection.trust_env
        ),
        "skip_init_checks": True,
    }


def _opened(client: WeaviateClient, place: Place, where: str, grpc: Address, running: Running | None = None) -> Link:
    secrets = tuple(filter(None, (place.api_key(), *place.headers().values())))
    try:
        with _first_words(place, where, secrets):
            client.connect()
            version = _version(client.get_meta()["version"], where)
        watch = _check_grpc(grpc, where, place)
    except BaseException:
        client.close()
        raise
    return Link(client, where, version, secrets, watch, running)


@contextlib.contextmanager
def _first_words(place: Place, where: str, secrets: tuple[str, ...]) -> Iterator[None]:
    """The same errors as later on mean something else while a connection is made."""
    try:
        yield
    except (KeyError, TypeError, ValueError) as error:
        raise StoreError(f"What answers at {where} is no Weaviate. {THREE_WAYS}") from error
    except faults() as error:
        status, variable = status_of(error), place.connection.api_key_env or "api_key_env (none is named)"
        if status in (401, 403):
            problem = "refuses the key in" if place.api_key() else "wants a key, and none is set in"
            raise StoreError(f"Weaviate at {where} {problem} {variable}. Set it to a key of that server: export {variable}=…") from error
        if "is not supported" in str(error):
            raise StoreError(f"Weaviate at {where} is too old. {_wanted()}") from error
        if status:
            raise StoreError(f"What answers at {where} is no Weaviate (HTTP status {status}). {THREE_WAYS}") from error
        if type(error).__name__ in ("ResponseCannotBeDecodedError", "EmptyResponseError"):
            raise StoreError(f"What answers at {where} is no Weaviate. {THREE_WAYS}") from error
        said = explained(error, "connecting", where, secrets=secrets).split(": ", 1)[1].split(". Check that")[0]
        raise StoreError(f"No Weaviate answers at {where} ({said}). {THREE_WAYS}") from error


def _version(named: str, where: str) -> tuple[int, int]:
    found = re.match(r"v?(\d+)\.(\d+)", named)
    if found is None:
        raise StoreError(f"What answers at {where} is no Weaviate: it says that it is version '{named}'. {THREE_WAYS}")
    version = int(found.group(1)), int(found.group(2))
    if version < OLDEST:
        raise StoreError(f"Weaviate at {where} is too old (version {named}). {_wanted()}")
    return version


def _wanted() -> str:
    return f"This needs version {'.'.join(map(str, OLDEST))} or later: update the server."


class Watch:
    """A connection that only counts how often it broke.

    The client sends a request again by itself when its connection breaks, and tells nobody; but a server that was killed
    and started again may have lost what it said it had.

    channel (Channel): Open.
    """

    def __init__(self, channel: grpc.Channel) -> None:
        self._breaks = 0
        self._channel, self._ready, self._watching = channel, False, False

    @property
    def breaks(self) -> int:
        """RETURNS (int): How often it broke since this was first asked: who only reads needs no thread that watches."""
        if not self._watching:
            self._watching = True
            self._channel.subscribe(self._changed, try_to_connect=True)
        return self._breaks

    def _changed(self, state: grpc.ChannelConnectivity) -> None:
        import grpc

        ready = state is grpc.ChannelConnectivity.READY
        self._breaks += self._ready and not ready
        self._ready = ready

    def serves(self) -> bool:
        """RETURNS (bool): Whether the gRPC port answers, and says that it serves."""
        import grpc

        ask = self._channel.unary_unary(HEALTH, request_serializer=bytes, response_deserializer=bytes)
        try:
            return bool(ask(b"", timeout=5.0) == SERVING)
        except grpc.RpcError:
            return False

    def close(self) -> None:
        """Stop watching."""
        if self._watching:
            self._channel.unsubscribe(self._changed)
            last = time.monotonic() + LAST_LOOK  # the thread that watches would end with a traceback on a channel that is closed
            while getattr(getattr(self._channel, "_connectivity_state", None), "polling", False) and time.monotonic() < last:
                time.sleep(0.01)
        self._channel.close()


def _check_grpc(at: Address, where: str, place: Place) -> Watch:
    """Ask the gRPC port whether it serves: the client would find out by itself after a minute of retries.

    RETURNS (Watch): The connection that was used for it, still open.
    RAISES (StoreError): When it does not.
    """
    import grpc

    target = at.url.split("://", 1)[1]
    options = [("grpc.client_idle_timeout_ms", (1 << 31) - 1), ("grpc.max_reconnect_backoff_ms", 1000)]
    channel = grpc.secure_channel(target, grpc.ssl_channel_credentials(), options) if at.secure else grpc.insecure_channel(target, options)
    ask = channel.unary_unary(HEALTH, request_serializer=bytes, response_deserializer=bytes)
    try:
        if ask(b"", timeout=min(place.connection.timeout, 20.0)) == SERVING:
            return Watch(channel)
    except grpc.RpcError as error:
        channel.close()
        raise StoreError(
            f"Weaviate at {where} answers, but not its gRPC port at {target} ({error.code().name}). Open that port, or set the right "
            "one: $WEAVIATE_GRPC_PORT, or grpc_host and grpc_port in [store.connection]."
        ) from error
    channel.close()
    raise StoreError(f"The gRPC port of Weaviate at {target} says that it does not serve yet. Wait until the server has started.")
