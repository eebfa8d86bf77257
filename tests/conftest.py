"""Fixtures that many tests share: a project folder, and `spacy project run` in it as a person would call it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from spacy_synthesizrr.context import Context

pytest_plugins = ["services.fixtures", "asking"]

settings.register_profile("ci", derandomize=True, deadline=None)
settings.register_profile("here", deadline=None)
settings.load_profile("ci" if os.environ.get("CI") else "here")

# a shell that starts us in the background lets us ignore Ctrl-C, and so would every process that tests start and interrupt
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

ROOT = Path(__file__).parents[1]
FIXTURES = Path(__file__).parent / "fixtures"


@dataclass(frozen=True)
class Project:
    """A copy of the project in a folder of its own."""

    path: Path

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run `python -m WORDS` in the project folder."""
        env = {**os.environ, "PYTHONWARNINGS": "default", "COLUMNS": "200"}
        return subprocess.run(
            [sys.executable, "-m", *words], cwd=self.path, env=env, capture_output=True, text=True, timeout=600, check=False
        )

    def run(self, *words: str, command: str = "all", **variables: object) -> subprocess.CompletedProcess[str]:
        """Run `spacy project run COMMAND . --vars.NAME VALUE …`."""
        overrides = [part for name, value in variables.items() for part in (f"--vars.{name}", str(value))]
        return self.command("spacy", "project", "run", command, ".", *overrides, *words)

    def file(self, run: str, name: str) -> Path:
        """A file of a run."""
        return self.path / "runs" / run / name

    def json(self, run: str, name: str) -> dict:
        """A JSON file of a run."""
        return json.loads(self.file(run, name).read_text(encoding="utf-8"))

    def rows(self, run: str, name: str) -> list[dict]:
        """A JSONL file of a run."""
        return [json.loads(line) for line in self.file(run, name).read_text(encoding="utf-8").splitlines()]


def make_project(path: Path) -> Project:
    """Copy project.yml, configs, grids and assets to a folder."""
    path.mkdir(parents=True)
    for part in ("project.yml", "configs", "grids", "assets"):
        copy = shutil.copytree if (ROOT / part).is_dir() else shutil.copyfile
        copy(ROOT / part, path / part)
    return Project(path)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A fresh copy of the project."""
    return make_project(tmp_path / "project")


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The demo, run once from end to end; tests only read it."""
    made = make_project(tmp_path_factory.mktemp("demo") / "project")
    done = made.run()
    assert done.returncode == 0, done.stdout + done.stderr
    return made


@pytest.fixture(scope="session")
def walked_project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose run "tiny" has been walked as far as `measure`, in this process; tests only read it."""
    from walked_run import walk

    path = tmp_path_factory.mktemp("walked") / "project"
    walk(path)
    return path


@pytest.fixture
def walked(walked_project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Context:
    """A copy of that project as working directory, and its run."""
    from spacy_synthesizrr.context import Context

    shutil.copytree(walked_project, tmp_path / "project")
    monkeypatch.chdir(tmp_path / "project")
    return Context.open("tiny")
