"""Commands and servers of the tests: logged, in a group of their own, ended by their own pid; and what a missing one means."""

import os
import socket
import subprocess
import sys
import time

import pytest

from services.fixtures import serve
from services.processes import PORTS, ServiceError, answers, ask, free_ports, run, server, tool

HTTP = (
    "import http.server as h; s = h.HTTPServer(('127.0.0.1', {port}), h.SimpleHTTPRequestHandler); "
    "print('up', flush=True); s.serve_forever()"
)


def gone(pid):
    """Whether a process has ended: it is not there, or only its exit code waits to be read."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def name_of(pid):
    with open(f"/proc/{pid}/comm") as file:
        return file.read().strip()


def wait_until(what):
    last = time.monotonic() + 60
    while not what():
        assert time.monotonic() < last
        time.sleep(0.02)


def test_free_ports_are_different_and_free():
    ports = free_ports(20)
    assert len({*ports}) == 20
    assert all(PORTS[0] <= port < PORTS[1] for port in ports)  # none that a client may be given meanwhile
    for port in ports:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", port))


def test_a_server_runs_while_the_block_runs(tmp_path):
    (tmp_path / "a.json").write_text('{"a": 1}')
    (port,) = free_ports(1)
    url = f"http://127.0.0.1:{port}/a.json"
    command = [sys.executable, "-c", HTTP.format(port=port)]
    with server(command, log=tmp_path / "log", ready=lambda: answers(url), seconds=60, env=os.environ, cwd=tmp_path) as pid:
        assert ask(url) == {"a": 1}
        assert not gone(pid)
    assert gone(pid)
    assert not answers(url)
    assert "up" in (tmp_path / "log").read_text()


def test_a_server_that_ends_at_once_is_refused_with_its_log(tmp_path):
    command = ["sh", "-c", "echo the port is taken; exit 4"]
    with pytest.raises(ServiceError, match="exit code 4.*\n.*the port is taken"):
        with server(command, log=tmp_path / "log", ready=lambda: False, seconds=60, env=os.environ):
            pass


@pytest.mark.skipif(not os.path.isdir("/proc"), reason="reads /proc")
def test_a_server_that_is_never_ready_is_stopped_with_its_children(tmp_path):
    child = tmp_path / "child"
    command = ["sh", "-c", f"sleep 1000 & echo $! > '{child}'; wait"]
    with pytest.raises(ServiceError, match="was not ready"):
        with server(command, log=tmp_path / "log", ready=lambda: False, seconds=1, env=os.environ):
            pass
    wait_until(lambda: gone(int(child.read_text())))


def test_a_command_that_takes_too_long_is_stopped(tmp_path):
    with pytest.raises(ServiceError, match="took longer than 0 s"):
        run(["sleep", "1000"], log=tmp_path / "log", seconds=0.1)


def test_a_program_that_is_missing_is_named(tmp_path):
    with pytest.raises(ServiceError, match="'no-such-program' is not on the PATH"):
        tool("no-such-program")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux ties a child to its parent")
def test_a_server_ends_with_a_session_that_is_killed(tmp_path):
    script = (
        "import os, time; from pathlib import Path; from services.processes import server\n"
        "with server(['sleep', '1000'], log=Path('log'), ready=lambda: True, seconds=9, env=os.environ) as pid:\n"
        "    print(pid, flush=True); time.sleep(1000)"
    )
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen([sys.executable, "-c", script], cwd=tmp_path, env=env, stdout=subprocess.PIPE, text=True) as session:
        pid = int(session.stdout.readline())
        wait_until(lambda: name_of(pid) == "sleep")  # before that it is not tied yet
        session.kill()
    wait_until(lambda: gone(pid))


@pytest.mark.parametrize(("ci", "outcome"), [("true", "Failed"), ("", "Skipped"), ("false", "Skipped")])
def test_a_server_that_cannot_be_started_fails_ci_and_is_skipped_elsewhere(tmp_path, monkeypatch, ci, outcome):
    monkeypatch.setenv("CI", ci)
    service = server(["sh", "-c", "exit 4"], log=tmp_path / "log", ready=lambda: False, seconds=60, env=os.environ)
    with pytest.raises(BaseException, match="exit code 4") as caught:
        next(serve(service))
    assert type(caught.value).__name__ == outcome
