"""Commands and servers as child processes: in a group of their own, logged to a file, ended by their own pid."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import ProxyHandler, Request, build_opener

PORTS = (15_000, 32_000)  # that servers of tests get
TRIES = 1000
TAIL = 1500  # characters of a log that an error shows
GRACE = 15.0  # seconds that a process gets to end by itself
# no child outlives a test session that was killed
TIED = ("setpriv", "--pdeathsig", "TERM", "--")
NICE = ("nice", "-n", "10")
_DIRECT = build_opener(ProxyHandler({}))  # loopback never goes through a proxy


class ServiceError(RuntimeError):
    """A server that tests want cannot be installed or started: why, and the end of its log."""


def free_ports(count: int, *, together: int = 1) -> list[int]:
    """Choose ports for servers. They lie below those from which the system takes one for whoever connects or asks for any: a port of
    those may be gone before the server listens on it.

    together (int): So many ports side by side are free from each one.
    RETURNS (List[int]): Loopback ports that nothing listens on, all different.
    RAISES (ServiceError): When there are none.
    """
    found: list[int] = []
    with ExitStack() as stack:
        for first in random.SystemRandom().sample(range(*PORTS, together), TRIES):
            if len(found) == count:
                break
            with ExitStack() as some, suppress(OSError):
                for port in range(first, first + together):
                    some.enter_context(socket.socket()).bind(("127.0.0.1", port))
                stack.enter_context(some.pop_all())
                found.append(first)
    if len(found) < count:
        raise ServiceError(f"There are no {count} free ports among {PORTS[0]} to {PORTS[1]}.")
    return found


def free_pair() -> int:
    """RETURNS (int): A loopback port that nothing listens on, and nothing on the one behind it either."""
    return free_ports(1, together=2)[0]


def tool(name: str) -> str:
    """RETURNS (str): The path of a program.
    RAISES (ServiceError): When it is not there.
    """
    path = shutil.which(name)
    if path is None:
        raise ServiceError(f"'{name}' is not on the PATH.")
    return path


def run(command: Sequence[str], *, log: Path, seconds: float, env: Mapping[str, str] | None = None, cwd: Path | None = None) -> None:
    """Run a command to its end, behind everything else that wants the processor.

    log (Path): Its output is appended here.
    seconds (float): Time that it may take.
    env (Mapping[str, str]): Added to the environment.
    RAISES (ServiceError): When it fails or takes longer.
    """
    with _child(_with(TIED, _with(NICE, command)), log=log, env={**os.environ, **(env or {})}, cwd=cwd) as process:
        try:
            code = process.wait(seconds)
        except subprocess.TimeoutExpired as error:
            raise ServiceError(f"{_words(command)} took longer than {seconds:.0f} s. {_end(log)}") from error
    if code:
        raise ServiceError(f"{_words(command)} failed with exit code {code}. {_end(log)}")


@contextmanager
def server(
    command: Sequence[str], *, log: Path, ready: Callable[[], bool], seconds: float, env: Mapping[str, str], cwd: Path | None = None
) -> Iterator[int]:
    """A server while the block runs.

    log (Path): Its output is appended here.
    ready (Callable): Whether it answers.
    seconds (float): Time that it may take to be ready.
    env (Mapping[str, str]): Its whole environment.
    YIELDS (int): Its pid.
    RAISES (ServiceError): When it ends at once, or is not ready in time.
    """
    with _child(_with(TIED, command), log=log, env=env, cwd=cwd) as process:
        last = time.monotonic() + seconds
        while not ready():
            if process.poll() is not None:
                raise ServiceError(f"{_words(command)} ended at once with exit code {process.returncode}. {_end(log)}")
            if time.monotonic() > last:
                raise ServiceError(f"{_words(command)} was not ready after {seconds:.0f} s. {_end(log)}")
            time.sleep(0.05)
        yield process.pid


def answers(url: str) -> bool:
    """RETURNS (bool): Whether a GET of the URL is answered with success."""
    try:
        with _DIRECT.open(url, timeout=5):
            return True
    except (URLError, OSError):
        return False


def ask(url: str, payload: Any = None, *, seconds: float = 300) -> Any:
    """Get JSON from a URL, or post JSON to it.

    payload (Any): What to post; None: get.
    RETURNS (Any): The JSON that comes back.
    """
    body = None if payload is None else json.dumps(payload).encode()
    with _DIRECT.open(Request(url, body, {"content-type": "application/json"}), timeout=seconds) as response:
        return json.load(response)


@contextmanager
def _child(command: Sequence[str], *, log: Path, env: Mapping[str, str], cwd: Path | None) -> Iterator[subprocess.Popen[bytes]]:
    """A child that leads a group of its own: its children end with it, and Ctrl-C reaches it through us alone."""
    with log.open("ab") as out:
        out.write(f"$ {_words(command)}\n".encode())
        out.flush()
        try:
            process = subprocess.Popen(
                command, env=dict(env), cwd=cwd, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True
            )
        except OSError as error:
            raise ServiceError(f"{_words(command)} cannot be started: {error}") from error
    try:
        yield process
    finally:
        _stop(process)


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End a group while its leader is not reaped: until then nobody else can get its number."""
    for ending in (signal.SIGTERM, signal.SIGKILL):
        if process.poll() is None:
            os.killpg(process.pid, ending)
            try:
                process.wait(GRACE)
            except subprocess.TimeoutExpired:
                continue


def _with(prefix: Sequence[str], command: Sequence[str]) -> list[str]:
    return [*(prefix if shutil.which(prefix[0]) else ()), *command]


def _words(command: Sequence[str]) -> str:
    return " ".join(str(word) for word in command)


def _end(log: Path) -> str:
    return f"See {log}, which ends:\n{log.read_text(encoding='utf-8', errors='replace')[-TAIL:]}"
