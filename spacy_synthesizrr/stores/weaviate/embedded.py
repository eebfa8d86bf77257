"""A Weaviate of our own: a binary on disk, or one that the client downloads, run for as long as somebody here needs it.

Its ports are free ones and its name goes with its data, so that what one step writes is there for the next. One process runs it
at a time; the stores of that process share it. A server that a killed process left behind is found again and used.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import signal
import socket
import threading
import time
import uuid
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.error import URLError

from spacy_synthesizrr.errors import StoreError
from spacy_synthesizrr.jsonl import read_json, write_json
from spacy_synthesizrr.stores.publish import locked
from spacy_synthesizrr.stores.weaviate.settings import Embedded, Place

HOST = "127.0.0.1"
DATA = "weaviate-data"
ABOUT = "synthesizrr.json"  # in the data: the name of the node; pid and ports of the server that runs or ran last
READY_SECONDS = 60.0
_NAME = re.compile(r"weaviate-v(\d+\.\d+\.\d+)-([0-9a-f]{64})")
_running: dict[Path, Running] = {}
_guard = threading.RLock()


@dataclass(eq=False)
class Running:
    """A server that this process started.

    data (Path): Its data. port (int), grpc_port (int): Where it listens.
    users (int): How many connections need it.
    """

    data: Path
    port: int
    grpc_port: int
    server: _Launched | _LeftBehind
    host: str = HOST
    users: int = 0
    held: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    def release(self) -> None:
        """One connection less; the last one stops the server."""
        with _guard:
            self.users -= 1
            if self.users <= 0 and _running.pop(self.data, None) is not None:
                self.server.stop()
                self.held.close()


def embedded_server(place: Place) -> Running:
    """Start the server, or share the one that this process runs on the same data.

    RAISES (StoreError): When there is no binary and none can be had, another process uses the data, or it does not start.
    """
    data = Path(place.embedded.data_path or DATA).absolute()
    with _guard:
        running = _running.get(data)
        if running is None:
            running = _running[data] = _start(place.embedded, data)
        running.users += 1
        return running


def binaries(folder: Path) -> dict[str, Path]:
    """RETURNS (dict): The binaries in a folder whose names follow the client's rule, by version, the newest last."""
    found = {}
    for path in folder.glob("weaviate-v*"):
        named = _NAME.fullmatch(path.name)
        if named is not None and named.group(2) == hashlib.sha256(f"v{named.group(1)}".encode()).hexdigest():
            found[named.group(1)] = path
    return dict(sorted(found.items(), key=lambda item: tuple(map(int, item[0].split(".")))))


def _start(settings: Embedded, data: Path) -> Running:
    with contextlib.ExitStack() as stack:
        data.mkdir(parents=True, exist_ok=True)
        try:
            stack.enter_context(locked(data / ".lock", wait=False))
        except BlockingIOError:
            raise StoreError(
                f"Another process runs the embedded Weaviate on {data}. Wait until it has ended; "
                "for several steps at a time start a server and set WEAVIATE_URL."
            ) from None
        about = read_json(data / ABOUT) if (data / ABOUT).is_file() else {"node": f"synthesizrr-{uuid.uuid4().hex[:12]}"}
        running = _left_behind(about, data) or _launch(settings, data, about["node"])
        write_json(data / ABOUT, {**about, "pid": running.server.pid, "port": running.port, "grpc_port": running.grpc_port})
        running.held = stack.pop_all()
        return running


def _launch(settings: Embedded, data: Path, node: str) -> Running:
    from weaviate.embedded import WEAVIATE_VERSION, EmbeddedOptions, EmbeddedV4
    from weaviate.exceptions import WeaviateBaseError

    folder = Path(settings.binary_path or EmbeddedOptions().binary_path).expanduser()
    there = binaries(folder)
    version = settings.version or (WEAVIATE_VERSION if WEAVIATE_VERSION in there or not there else list(there)[-1])
    ports = _free_ports(2)
    options = EmbeddedOptions(
        persistence_data_path=str(data),
        binary_path=str(folder),
        version=version,
        port=settings.port or ports[0],
        hostname=HOST,
        grpc_port=settings.grpc_port or ports[1],
    )
    options.additional_env_vars = {**_environment(node, options.grpc_port, data), **settings.environment}
    try:
        server = EmbeddedV4(options)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # tarfile's, in the client's download
            server.start()
        launched = _Launched(server)
        try:
            _wait_until_ready(options.port)
        except BaseException:
            launched.stop()
            raise
    except (URLError, OSError, WeaviateBaseError) as error:
        raise StoreError(_no_server(error, folder, version)) from error
    return Running(data, options.port, options.grpc_port, launched)


class _Launched:
    """A server that this process started."""

    def __init__(self, server: Any) -> None:
        self._server = server
        self.pid = int(server.process.pid)

    def stop(self) -> None:
        self._server.stop()


@dataclass(frozen=True)
class _LeftBehind:
    """A server that a killed process of ours started."""

    pid: int

    def stop(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGTERM)
            last = time.monotonic() + READY_SECONDS
            while time.monotonic() < last:
                os.kill(self.pid, 0)  # raises when it has ended
                time.sleep(0.05)


def _left_behind(about: Mapping[str, Any], data: Path) -> Running | None:
    """RETURNS (Optional[Running]): The server on this data that still runs although nobody holds its lock."""
    port = about.get("port")
    if port is None or _ask(int(port), "ready") is None:
        return None
    nodes = _ask(int(port), "nodes") or {}
    if [node.get("name") for node in nodes.get("nodes", ())] != [about["node"]]:
        return None  # somebody else has that port now
    return Running(data, int(port), int(about["grpc_port"]), _LeftBehind(int(about["pid"])))


def _wait_until_ready(port: int) -> None:
    from weaviate.exceptions import WeaviateStartUpError

    last = time.monotonic() + READY_SECONDS
    while _ask(port, "ready") is None:
        if time.monotonic() > last:
            raise WeaviateStartUpError(f"It listens on port {port}, but was not ready after {READY_SECONDS:.0f} seconds.")
        time.sleep(0.1)


def _ask(port: int, what: str) -> dict[str, Any] | None:
    """RETURNS (Optional[dict]): What a server on this machine answers, None when it does not."""
    import httpx

    path = ".well-known/ready" if what == "ready" else what
    try:
        answer = httpx.get(f"http://{HOST}:{port}/v1/{path}", timeout=5, trust_env=False)
        return (answer.json() if answer.content else {}) if answer.is_success else None
    except (httpx.HTTPError, ValueError):
        return None


def _no_server(error: Exception, folder: Path, version: str) -> str:
    name = f"weaviate-v{version}-{hashlib.sha256(f'v{version}'.encode()).hexdigest()}"
    said = " ".join(str(error).split())
    return (
        f"The embedded Weaviate {version} cannot be started ({said[:300]}). Three ways out: let this machine reach github.com once, so "
        f"that the binary can be downloaded, or put one there by hand as {folder / name}; start a server and set WEAVIATE_URL to where it "
        "listens; or set WEAVIATE_URL and WEAVIATE_API_KEY to those of a cluster in Weaviate Cloud. Without Weaviate: --vars.store memory"
    )


def _environment(node: str, grpc_port: int, data: Path) -> dict[str, str]:
    """One node that talks to nobody. The client would name it after its port, and then not find the data on another port."""
    gossip, raft = _free_pair(), _free_pair()
    return {
        "GRPC_PORT": str(grpc_port),
        "PERSISTENCE_DATA_PATH": str(data),
        "AUTHENTICATION_ANONYMOUS_ACCESS_ENABLED": "true",
        "DISABLE_TELEMETRY": "true",
        "ENABLE_MODULES": "",
        "LOG_LEVEL": "error",
        "GO_PROFILING_DISABLE": "true",
        "CLUSTER_HOSTNAME": node,
        "CLUSTER_IN_LOCALHOST": "true",
        "CLUSTER_BIND_ADDR": HOST,
        "CLUSTER_ADVERTISE_ADDR": HOST,
        "CLUSTER_GOSSIP_BIND_PORT": str(gossip),
        "CLUSTER_DATA_BIND_PORT": str(gossip + 1),
        "RAFT_PORT": str(raft),
        "RAFT_INTERNAL_RPC_PORT": str(raft + 1),
        "RAFT_BOOTSTRAP_EXPECT": "1",
        "RAFT_TIMEOUTS_MULTIPLIER": "1",  # one node need not wait for others
        "PERSISTENCE_MEMTABLES_FLUSH_DIRTY_AFTER_SECONDS": "5",  # see `settling`
        "RAFT_JOIN": f"{node}:{raft}",
    }


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind((HOST, 0))
        return [each.getsockname()[1] for each in sockets]


def _free_pair() -> int:
    """RETURNS (int): A free port with a free one behind it, as the server wants them."""
    while True:
        with contextlib.ExitStack() as stack:
            first, second = (stack.enter_context(socket.socket()) for _ in range(2))
            first.bind((HOST, 0))
            with contextlib.suppress(OSError, OverflowError):
                second.bind((HOST, first.getsockname()[1] + 1))
                return int(first.getsockname()[1])
