"""`make demo-llm`: the demo task with whatever LLM runs on this machine, and one clear line where none does."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT, Project, make_project

from services.processes import free_ports

RUN = "news_llm"


@pytest.fixture
def made(tmp_path: Path) -> Project:
    """A copy of the project with its Makefile."""
    project = make_project(tmp_path / "project")
    shutil.copyfile(ROOT / "Makefile", project.path / "Makefile")
    return project


def make(project: Project, host: str, *words: str) -> subprocess.CompletedProcess[str]:
    """Run `make demo-llm` with this Python instead of an environment that it would install."""
    command = ["make", "-o", "install", "demo-llm", f"BIN={Path(sys.executable).parent}", *words]
    env = {**os.environ, "OLLAMA_HOST": host}
    return subprocess.run(command, cwd=project.path, env=env, capture_output=True, text=True, timeout=1200, check=False)


def loosen(project: Project) -> None:
    """A very small model needs more room and more tries; the controls that ask the teacher too would take minutes."""
    for file, old, new in (
        ("assets/news_demo/task.yml", "max_words: 60", "max_words: 120"),
        ("configs/strategy.synthesizrr.cfg", "overgenerate = 2.0", "overgenerate = 20.0"),
        ("configs/strategy.synthesizrr.cfg", '"retrieve-only", "random", "fewgen"]', '"retrieve-only"]'),
    ):
        path = project.path / file
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, new), encoding="utf-8")


def test_it_ends_with_a_report_on_rows_that_the_llm_wrote(made, ollama):
    loosen(made)
    done = make(made, ollama.base_url.removeprefix("http://").removesuffix("/v1"), "PER_LABEL=1")
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"the model {ollama.model} at {ollama.base_url}" in done.stdout
    assert made.file(RUN, "report/index.html").is_file()
    rows = made.rows(RUN, "accepted.jsonl")
    assert {row["labels"][0] for row in rows} == {"politics", "business", "sport", "science"}
    assert {row["events"][0]["detail"]["model"] for row in rows} == {ollama.model}


def test_without_a_server_it_says_what_to_do(made):
    done = make(made, f"127.0.0.1:{free_ports(1)[0]}")
    assert done.returncode != 0
    assert "✘ No chat server answers" in done.stderr and "ollama serve" in done.stderr
    assert not (made.path / "runs").exists()


def test_a_model_that_the_server_does_not_have_is_refused_before_a_run_begins(made, ollama):
    done = make(made, ollama.base_url, "MODEL=no-such-model")
    assert done.returncode != 0
    assert "no model 'no-such-model'" in done.stderr and ollama.model in done.stderr
    assert not (made.path / "runs").exists()
