"""Weaviate from its Go module: the server that users get from Docker or the vendor's download, built from package registries alone."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from services.cache import installed
from services.processes import answers, free_pair, free_ports, run, server, tool

# later versions need a module that registries do not serve
MODULE, VERSION = "github.com/weaviate/weaviate/cmd/weaviate-server", "v1.37.9"
TAGS = "netgo"
BUILD_SECONDS = 2400.0  # 4 minutes on two idle cores
READY_SECONDS = 120.0  # 8 on two idle cores


@dataclass(frozen=True)
class Weaviate:
    """A running Weaviate.

    url (str): Of its HTTP API. grpc_port (int): Of the other one.
    version (str): Without the "v".
    pid (int): Of the server.
    data (Path): Where it keeps what it is given. log (Path): What it says.
    api_key (str): The only key that it takes; empty where it takes everybody.
    """

    url: str
    grpc_port: int
    version: str
    pid: int
    data: Path
    log: Path
    api_key: str = ""

    @property
    def port(self) -> int:
        """Of the HTTP API."""
        return int(self.url.rsplit(":", 1)[1])


def install_weaviate() -> Path:
    """RETURNS (Path): The program.
    RAISES (ServiceError): When it is not there and cannot be built.
    """
    recipe = (MODULE, VERSION, TAGS, platform.system(), platform.machine())
    return installed(f"weaviate-{VERSION}", _build, recipe=recipe, files=["bin/weaviate-server"]) / "bin" / "weaviate-server"


def choose_ports() -> tuple[int, ...]:
    """RETURNS (Tuple[int, ...]): HTTP, gRPC, gossip and Raft; the server takes the ports behind the last two as well."""
    return (*free_ports(2), free_pair(), free_pair())


@contextmanager
def running_weaviate(
    state: Path, *, api_key: str = "", ports: tuple[int, ...] = (), environment: Mapping[str, str] | None = None
) -> Iterator[Weaviate]:
    """Weaviate while the block runs. Started again on the same folder and ports, it goes on with the same data.

    state (Path): A folder for data and log.
    api_key (str): Take only this key; empty: take everybody.
    ports (Tuple[int, ...]): What `choose_ports` chose; it chooses by default.
    environment (Mapping[str, str]): More variables for the server.
    YIELDS (Weaviate): The server.
    RAISES (ServiceError): When it cannot be installed or started.
    """
    program = install_weaviate()
    ports = ports or choose_ports()
    data, log = state / "data", state / "weaviate.log"
    data.mkdir(parents=True, exist_ok=True)
    url = f"http://127.0.0.1:{ports[0]}"
    command = [str(program), "--host", "127.0.0.1", "--port", str(ports[0]), "--scheme", "http"]
    env = {**_environment(data, ports), **_access(api_key), **(environment or {})}

    def ready() -> bool:
        return answers(f"{url}/v1/.well-known/ready")

    with server(command, log=log, ready=ready, seconds=READY_SECONDS, env=env, cwd=state) as pid:
        yield Weaviate(url, ports[1], VERSION.removeprefix("v"), pid, data, log, api_key)


def _environment(data: Path, ports: tuple[int, ...]) -> dict[str, str]:
    """One node that talks to nobody."""
    _, grpc, gossip, raft = ports
    local = {f"CLUSTER_{name}": "127.0.0.1" for name in ("BIND_ADDR", "ADVERTISE_ADDR")}
    own = {
        "PATH": os.environ.get("PATH", ""),
        "HOME": str(data.parent),
        "PERSISTENCE_DATA_PATH": str(data),
        "DEFAULT_VECTORIZER_MODULE": "none",
        "ENABLE_MODULES": "",
        "DISABLE_TELEMETRY": "true",
        "LOG_LEVEL": "warning",
        "CLUSTER_HOSTNAME": "node1",
        "CLUSTER_IN_LOCALHOST": "true",
        "CLUSTER_GOSSIP_BIND_PORT": str(gossip),
        "CLUSTER_DATA_BIND_PORT": str(gossip + 1),
        "RAFT_PORT": str(raft),
        "RAFT_INTERNAL_RPC_PORT": str(raft + 1),
        "RAFT_BOOTSTRAP_EXPECT": "1",
        "RAFT_JOIN": f"node1:{raft}",
        "RAFT_TIMEOUTS_MULTIPLIER": "1",  # one node need not wait for others: ready in 3 seconds, not in 10
        "GRPC_PORT": str(grpc),
        "GO_PROFILING_DISABLE": "true",
        "GOMEMLIMIT": "2GiB",
        # until it has sorted in what was written last, its keyword search misses passages; by default that takes a minute
        "PERSISTENCE_MEMTABLES_FLUSH_DIRTY_AFTER_SECONDS": "1",
        # a full disk of the machine that tests is not what tests are about
        "DISK_USE_WARNING_PERCENTAGE": "98",
        "DISK_USE_READONLY_PERCENTAGE": "99",
    }
    return {**local, **own}


def _access(api_key: str) -> dict[str, str]:
    if not api_key:
        return {"AUTHENTICATION_ANONYMOUS_ACCESS_ENABLED": "true"}
    return {
        "AUTHENTICATION_ANONYMOUS_ACCESS_ENABLED": "false",
        "AUTHENTICATION_APIKEY_ENABLED": "true",
        "AUTHENTICATION_APIKEY_ALLOWED_KEYS": api_key,
        "AUTHENTICATION_APIKEY_USERS": "tests",
    }


def _build(folder: Path, log: Path) -> None:
    env = {"GOTOOLCHAIN": "local", "CGO_ENABLED": "0", "GOBIN": str(folder / "bin")}
    command = [tool("go"), "install", "-p", "2", "-tags", TAGS, "-ldflags", "-s -w", f"{MODULE}@{VERSION}"]
    run(command, log=log, seconds=BUILD_SECONDS, env=env, cwd=folder)
