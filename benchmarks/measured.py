"""One run of one client against a fresh fake server: what it took, and what the server saw.

Seconds, CPU and memory are those of the whole process tree. "start-up" ends when the first request reaches the server,
"steady" is from there to the last answer; both are read off the server's clock, which is the same monotonic clock.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import ProxyHandler, build_opener

from clients import Client, without_folders
from fake_server import answer_to

HERE = Path(__file__).parent
SAMPLED = 0.25  # seconds between looks at the process tree
MEGABYTE = 2**20
_DIRECT = build_opener(ProxyHandler({}))


@dataclass(frozen=True)
class Used:
    """What a process tree took.

    code (int): Exit code; −9 when it was killed.
    began (float): When it was started, on the monotonic clock.
    wall (float), cpu (float): Seconds.
    rss_mb (int): Peak memory: of one process as the system counts it, of several the largest sum of their shares that was
        seen (pages that processes share count once).
    processes (int): The most at a time.
    """

    code: int
    began: float
    wall: float
    cpu: float
    rss_mb: int
    processes: int


def tree(pid: int) -> list[int]:
    """RETURNS (List[int]): A process and all its descendants, as far as they live."""
    found, index = [pid], 0
    while index < len(found):
        with contextlib.suppress(OSError):
            for thread in os.listdir(f"/proc/{found[index]}/task"):
                found += map(int, Path(f"/proc/{found[index]}/task/{thread}/children").read_text().split())
        index += 1
    return found


def share(pid: int) -> int:
    """RETURNS (int): Bytes of memory of a process, shared pages by their share."""
    with contextlib.suppress(OSError, IndexError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    return 0


class Watch(threading.Thread):
    """Looks at a process tree now and then; ends it when its time is up."""

    def __init__(self, pid: int, *, limit: float) -> None:
        super().__init__(daemon=True)
        self.pid, self.limit = pid, limit
        self.over, self.late = threading.Event(), False
        self.processes, self.shares = 1, 0

    def run(self) -> None:
        """Until it is over."""
        last = time.monotonic() + self.limit
        while not self.over.wait(SAMPLED):
            if (found := tree(self.pid))[1:]:
                self.processes = max(self.processes, len(found))
                self.shares = max(self.shares, sum(map(share, found)))
            if time.monotonic() > last and not self.late:
                self.late = True
                os.killpg(self.pid, signal.SIGKILL)


def watched(process: subprocess.Popen[Any], began: float, *, limit: float) -> tuple[Used, bool]:
    """Wait for a process that leads a group of its own.

    limit (float): Seconds after which it is killed.
    RETURNS (Tuple[Used, bool]): What it took, and whether it was killed for its time.
    """
    watch = Watch(process.pid, limit=limit)
    watch.start()
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.monotonic() - began
    watch.over.set()
    watch.join()
    process.returncode = os.waitstatus_to_exitcode(status)
    memory = usage.ru_maxrss * 1024 if watch.processes == 1 else watch.shares
    used = Used(process.returncode, began, wall, usage.ru_utime + usage.ru_stime, round(memory / MEGABYTE), watch.processes)
    return used, watch.late


@contextlib.contextmanager
def fake_server(law: Mapping[str, Any]) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """YIELDS (Tuple[Popen, int]): A server of its own process, and its port."""
    command = [sys.executable, str(HERE / "fake_server.py"), json.dumps(law)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            yield server, int(server.stdout.readline())
        finally:
            server.terminate()


def counts(port: int) -> dict[str, Any]:
    """RETURNS (Dict): What the server has counted until now."""
    with _DIRECT.open(f"http://127.0.0.1:{port}/counts", timeout=30) as reply:
        return json.load(reply)


@dataclass(frozen=True)
class Task:
    """What a client is to do.

    client (Client), python (str): Who, and with which Python.
    prompts (Path): JSON strings, one a line; the n-th begins with "Prompt n".
    in_flight (int): Requests in flight.
    folder (Path): Empty at first; the client may keep things in it.
    limit (float): Seconds that one start may take.
    """

    client: Client
    python: str
    prompts: Path
    in_flight: int
    folder: Path
    limit: float

    def start(self, port: int, *, again: bool = False) -> tuple[subprocess.Popen[Any], float]:
        """RETURNS (Tuple[Popen, float]): The client at work, and when it was started."""
        told = {"url": f"http://127.0.0.1:{port}/v1", "in_flight": self.in_flight, "folder": str(self.folder), "again": again}
        told |= {"variant": self.client.variant, "prompts": str(self.prompts), "answers": str(self.answers)}
        job = self.folder / "job.json"
        job.write_text(json.dumps(told), encoding="utf-8")
        environment = {**os.environ, "OPENAI_API_KEY": "none", "NO_PROXY": "127.0.0.1", "PYTHONWARNINGS": "ignore"}
        with (self.folder / "log.txt").open("ab") as log:
            command = [self.python, str(HERE / "peers" / f"ask_{self.client.script}.py"), str(job)]
            began = time.monotonic()
            return subprocess.Popen(command, env=environment, stdout=log, stderr=log, cwd=self.folder, start_new_session=True), began

    @property
    def answers(self) -> Path:
        """RETURNS (Path): Where the client writes its answers."""
        return self.folder / "answers.jsonl"

    def judged(self, number: int) -> dict[str, int]:
        """Count what the client wrote, by the last answer to each prompt.

        number (int): Of prompts.
        RETURNS (Dict): right, wrong (a text that the server never gave for the prompt), missing.
        """
        last: dict[int, str | None] = {}
        if self.answers.is_file():
            for line in self.answers.read_text(encoding="utf-8").splitlines():
                with contextlib.suppress(ValueError):  # cut by a kill
                    index, text = json.loads(line)
                    last[index] = text
        right = sum(text == answer_to(f"Prompt {index}") for index, text in last.items())
        wrong = sum(text is not None for text in last.values()) - right
        return {"right": right, "wrong": wrong, "missing": number - right - wrong}

    def complaint(self) -> str:
        """RETURNS (str): The last error that the client told of, or the end of what it said."""
        log = self.folder / "log.txt"
        said = log.read_text(encoding="utf-8", errors="replace") if log.is_file() else ""
        errors = re.findall(r"^[\w.]*(?:Error|Exception)\b.*", said, re.MULTILINE)
        return without_folders(" ".join((errors or [said])[-1].split())[-300:])


def timed(task: Task, law: Mapping[str, Any], *, number: int) -> dict[str, Any]:
    """One start to its end.

    number (int): Of prompts.
    RETURNS (Dict): A row of the results.
    """
    with fake_server(law) as (_, port):
        process, began = task.start(port)
        used, late = watched(process, began, limit=task.limit)
        seen = counts(port)
    row = {**_took(used, seen), **task.judged(number), "requests": seen["requests"], "paid": seen["paid"], "peak": seen["peak"]}
    row |= {"kinds": seen["kinds"], "given_again": seen["given_again"], "server_cpu": round(seen["cpu"], 2)}
    if used.code or late:
        row["ended"] = f"killed after {task.limit:.0f} s" if late else f"exit code {used.code}: {task.complaint()}"
    report = task.folder / "report.json"
    return {**row, "report": json.loads(report.read_text(encoding="utf-8"))} if report.is_file() else row


def killed(task: Task, law: Mapping[str, Any], *, number: int, journal: bool) -> dict[str, Any]:
    """Kill the client when the server says so, start it again, and count what was paid twice.

    law (Mapping): With `tell_at`.
    journal (bool): Whether the file of answers is what the client goes on from; others begin an empty one.
    RETURNS (Dict): A row of the results.
    """
    with fake_server(law) as (server, port):
        process, began = task.start(port)
        reached = _kill_when_told(process, server, limit=task.limit)
        before = counts(port)
        if not journal and task.answers.exists():
            task.answers.unlink()
        process, began = task.start(port, again=True)
        used, late = watched(process, began, limit=task.limit)
        seen = counts(port)
    row = {"killed_at": before["paid"] if reached else None, "paid": seen["paid"], "paid_again": seen["paid_again"], **task.judged(number)}
    row |= {"in_flight": seen["told_in_flight"], "requests": seen["requests"], "rerun_wall": round(used.wall, 2)}
    if used.code or late:
        row["ended"] = f"hangs: killed after {task.limit:.0f} s" if late else f"exit code {used.code}: {task.complaint()}"
    return row


def _kill_when_told(process: subprocess.Popen[Any], server: subprocess.Popen[str], *, limit: float) -> bool:
    """Kill a client and its children when the server prints a line.

    RETURNS (bool): Whether the server did, before the client ended or its time was up.
    """
    assert server.stdout is not None
    told = threading.Thread(target=server.stdout.readline, daemon=True)
    told.start()
    last = time.monotonic() + limit
    while told.is_alive() and process.poll() is None and time.monotonic() < last:
        told.join(0.002)
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    return not told.is_alive()


def _took(used: Used, seen: Mapping[str, Any]) -> dict[str, Any]:
    first, last = seen["first_request"] or used.began, seen["last_answer"]
    return {
        "wall": round(used.wall, 3),
        "steady": round(max(0.0, last - first), 3),
        "startup": round(first - used.began, 3),
        "cpu": round(used.cpu, 2),
        "rss_mb": used.rss_mb,
        "processes": used.processes,
    }
