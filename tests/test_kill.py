"""kill -9, Ctrl-C, SIGTERM, a full disk, a cap: what was in flight may be paid again, and nothing else; what was handed on is on disk."""

from __future__ import annotations

import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from apart import ServerApart
from conftest import ROOT, Project, make_project

from spacy_synthesizrr.models.answers.responses import ResponseStore

ASKER = ROOT / "tests" / "servers" / "asker.py"
PATIENCE = 120.0  # seconds; a busy computer is slow, a hang is for ever


class Account:
    """What every kill has cost: answers that were paid since the one before, less those that lie in the store.

    server (ServerApart): Outlives the clients. path (Path): Their store.
    """

    def __init__(self, server: ServerApart, path: Path) -> None:
        self._server, self._path = server, path
        self._paid, self._kept = server.counts()["paid"], len(stored(path))
        self.lost: list[int] = []

    def settle(self) -> list[str]:
        """Count one kill. Returns the answers that are kept."""
        paid = self._server.wait(quiet=1)["paid"]  # what was sent is answered, and paid for, though nobody listens any more
        kept = stored(self._path)
        self.lost.append(paid - self._paid - (len(kept) - self._kept))
        self._paid, self._kept = paid, len(kept)
        return kept


def stored(path: Path) -> list[str]:
    """Every answer in a store. A file that is not there yet holds none."""
    if not path.is_file():
        return []
    with ResponseStore(path) as store, store.transaction(flush=False) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        return [text for (text,) in connection.execute("SELECT text FROM answers")]


def told(path: Path) -> list[str]:
    """The whole lines that a client has written."""
    return path.read_text().split("\n")[:-1] if path.is_file() else []


def test_kill_at_twenty_moments_pays_only_what_was_in_flight_again(tmp_path):
    prompts, in_flight, rng, path = 2000, 64, random.Random(20), tmp_path / "answers.sqlite"
    steps = [rng.randint(1, 180) for _ in range(20)]  # requests from one kill to the next: some hit the start, some the middle
    assert sum(steps) < prompts
    with ServerApart(seconds=0.03, mix={"busy": 3, "broken": 3}) as server:
        work = {"url": server.url, "store": str(path), "count": prompts, "settings": {"requests": {"max_in_flight": in_flight}}}
        account = Account(server, path)
        for number, step in enumerate(steps):
            handed_on = tmp_path / f"told{number}"
            client = subprocess.Popen([sys.executable, str(ASKER), json.dumps({**work, "told": str(handed_on)})], cwd=ROOT)
            server.wait(asked=server.counts()["asked"] + step)
            time.sleep(rng.uniform(0.0, 0.06))
            client.kill()
            assert client.wait(PATIENCE) == -signal.SIGKILL
            assert set(told(handed_on)) <= set(account.settle())
        last = subprocess.run([sys.executable, str(ASKER), json.dumps(work)], cwd=ROOT, capture_output=True, text=True, timeout=600)
        report, counts = json.loads(last.stdout), server.counts()
    assert (report["answers"], report["wrong"], report["kept"], counts["distinct"]) == (prompts, "", prompts, prompts)
    assert counts["paid"] - prompts == sum(account.lost) > 0
    assert max(account.lost) <= in_flight, account.lost


# ── through the command line ─────────────────────────────────────────────────────────────────────────────────────────

TEACHER = """[teacher]
@llm_models = "synthesizrr.ChatCompletions.v1"
base_url = "{url}"
model = "m"

[teacher.requests]
max_in_flight = 16
"""
FILES = ("generated.jsonl", "synthesized.jsonl", "turned_away.jsonl")
OPTIONS = {"run": "killed", "teacher": "mine", "per_label": 25}
STEP = ("spacy_synthesizrr", "synthesize", "--run", "killed")
PROJECT = (
    "spacy",
    "project",
    "run",
    "synthesize",
    ".",
    *(part for name, value in OPTIONS.items() for part in (f"--vars.{name}", str(value))),
)


@pytest.fixture(scope="module")
def server():
    """Slow enough that many requests are in flight at any moment; the same answer to the same prompt."""
    with ServerApart(seconds=0.1, words=20) as running:
        yield running


@pytest.fixture(scope="module")
def planned(server, tmp_path_factory) -> Project:
    """A project that has come as far as its plan, with that server as its teacher."""
    project = make_project(tmp_path_factory.mktemp("planned") / "project")
    teacher(project, server)
    for step in ("prepare", "index", "rationales", "plan"):
        ok(project.run(command=step, **OPTIONS))
    return project


@pytest.fixture(scope="module")
def whole(planned, tmp_path_factory) -> dict[str, bytes]:
    """What `synthesize` writes when nothing disturbs it."""
    project = copied(planned, tmp_path_factory.mktemp("whole"))
    ok(project.command(*STEP))
    assert len(files(project)) == 9  # the run and two control arms
    return files(project)


@pytest.fixture
def project(planned, whole, tmp_path) -> Project:
    """A copy of the planned project."""
    return copied(planned, tmp_path)


def copied(project: Project, folder: Path) -> Project:
    return Project(Path(shutil.copytree(project.path, folder / "project")))


def teacher(project: Project, server: ServerApart, more: str = "") -> None:
    """Write the teacher's config."""
    (project.path / "configs" / "teacher.mine.cfg").write_text(TEACHER.format(url=server.url) + more)


def ok(done: subprocess.CompletedProcess[str]) -> None:
    assert done.returncode == 0, done.stdout + done.stderr


def files(project: Project) -> dict[str, bytes]:
    """What `synthesize` has written, by name."""
    folder = project.path / "runs" / "killed"
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*.jsonl")) if path.name in FILES}


def started(project: Project, *words: str) -> subprocess.Popen[str]:
    """`python -m WORDS`, in a process group of its own."""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen([sys.executable, "-m", *words], cwd=project.path, start_new_session=True, **pipes)


def answers_of(project: Project) -> Path:
    return project.file("killed", "answers.sqlite")


def ends_as_if_nothing_had_happened(project: Project, whole: dict[str, bytes], *words: str) -> None:
    ok(project.command(*(words or STEP)))
    assert files(project) == whole
    assert not list(project.path.rglob("*.part"))
    assert project.file("killed", "receipts/synthesize.json").is_file()


def test_a_killed_project_run_goes_on_and_ends_as_if_nothing_had_happened(server, project, whole):
    rng, account = random.Random(5), Account(server, answers_of(project))
    begun = server.mix(busy=3, broken=3)["paid"]
    for _ in range(6):
        process = started(project, *PROJECT)
        server.wait(asked=server.counts()["asked"] + rng.randint(1, 60))
        time.sleep(rng.uniform(0.0, 0.1))
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate(timeout=PATIENCE)
        assert process.returncode == -signal.SIGKILL
        account.settle()
        assert files(project).items() <= whole.items()  # a file is there as it must be, or it is not there
        assert not project.file("killed", "receipts/synthesize.json").exists()
    ends_as_if_nothing_had_happened(project, whole, *PROJECT)
    server.mix()
    assert server.counts()["paid"] - begun - len(stored(answers_of(project))) == sum(account.lost) > 0
    assert max(account.lost) <= 16, account.lost


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_a_step_that_is_told_to_stop_loses_at_most_what_is_in_flight(server, project, whole, sent):
    account = Account(server, answers_of(project))
    process = started(project, *STEP)
    server.wait(asked=server.counts()["asked"] + 10)
    process.send_signal(sent)
    _, said = process.communicate(timeout=PATIENCE)
    assert process.returncode in ((1, 130) if sent == signal.SIGINT else (-signal.SIGTERM,))
    assert "Traceback" not in said
    account.settle()
    assert account.lost[0] <= (0 if sent == signal.SIGINT else 16)  # Ctrl-C lets them finish
    assert not files(project)
    ends_as_if_nothing_had_happened(project, whole)


def test_a_cap_ends_the_step_with_a_code_of_its_own_and_a_higher_one_goes_on(server, project, whole):
    begun = server.counts()["asked"]
    teacher(project, server, "\n[teacher.budget]\nmax_requests = 130\n")
    ok(project.run(command="prepare", **OPTIONS))
    for words in (PROJECT, STEP):
        done = project.command(*words)
        assert done.returncode == 3
        assert "max_requests = 130" in done.stdout + done.stderr and "Traceback" not in done.stdout + done.stderr
        assert server.counts()["asked"] - begun == 130 == len(stored(answers_of(project)))
        assert files(project).items() <= whole.items()
    teacher(project, server, "\n[teacher.budget]\nmax_requests = 1000\n")
    ok(project.run(command="prepare", **OPTIONS))
    ends_as_if_nothing_had_happened(project, whole)
    assert server.counts()["asked"] - begun == len(stored(answers_of(project)))


def test_a_full_disk_is_one_line_and_costs_no_answer_that_was_kept(server, project, whole):
    account = Account(server, answers_of(project))

    def full() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, 150_000))  # no file may grow beyond, as on a disk that is full

    command = [sys.executable, "-m", *STEP]
    done = subprocess.run(command, cwd=project.path, capture_output=True, text=True, preexec_fn=full, timeout=300, check=False)
    assert done.returncode == 2
    assert "Make room on the disk" in done.stderr and "Traceback" not in done.stderr
    account.settle()
    assert account.lost[0] <= 16
    assert files(project).items() <= whole.items()
    ends_as_if_nothing_had_happened(project, whole)
