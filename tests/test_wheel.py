"""What people without a clone get: a wheel, in an environment that has nothing else of ours."""

from __future__ import annotations

import filecmp
import os
import subprocess
import sys
import venv
from pathlib import Path

import pytest
from conftest import ROOT, Project

PARTS = ("project.yml", "compose.yml", "configs", "grids", "assets")


def call(*words: object, cwd: Path | None = None) -> str:
    """Run a command without the environment of this test run."""
    env = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    done = subprocess.run([str(word) for word in words], cwd=cwd, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of executables of a new environment with the built wheel and what it requires."""
    folder = tmp_path_factory.mktemp("wheel")
    call(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", folder, ROOT)
    venv.create(folder / "env", with_pip=True)
    python = folder / "env" / "bin" / "python"
    call(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *folder.glob("*.whl"))
    return python.parent


@pytest.fixture(scope="module")
def project(fresh: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project written by `synthesizrr init`."""
    folder = tmp_path_factory.mktemp("init") / "my project"
    call(fresh / "synthesizrr", "init", folder)
    return folder


def files(folder: Path) -> set[str]:
    found = (path for part in PARTS for path in (folder / part, *(folder / part).rglob("*")) if path.is_file())
    return {path.relative_to(folder).as_posix() for path in found if not path.name.endswith(".local.cfg")}


def test_init_writes_the_same_project_as_the_repository(project):
    assert files(project) == files(ROOT)
    assert all(filecmp.cmp(project / name, ROOT / name, shallow=False) for name in files(ROOT))


def test_init_project_runs_from_the_wheel(fresh, project):
    call(fresh / "python", "-m", "spacy", "project", "run", "all", ".", "--vars.per_label", "6", cwd=project)
    assert Project(project).file("news_demo", "report/index.html").is_file()


def test_init_refuses_a_folder_that_is_not_empty(fresh, project):
    done = subprocess.run([fresh / "synthesizrr", "init", project], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "This folder is not empty; nothing was written." in done.stderr


def test_the_environment_needs_no_torch(fresh):
    names = call(fresh / "python", "-m", "pip", "list", "--format", "freeze").lower()
    assert not [name for name in ("torch", "transformers", "weaviate", "argilla", "evaluate") if f"\n{name}=" in names]


def test_spacy_loads_none_of_the_heavy_packages(fresh):
    probe = "import sys, spacy; spacy.blank('en'); print(sorted({'torch', 'transformers', 'sklearn', 'matplotlib'} & set(sys.modules)))"
    assert call(fresh / "python", "-W", "error", "-c", probe).strip() == "[]"


def test_the_command_line_is_a_part_of_spacys(fresh):
    assert "Cut the corpus into passages" in call(fresh / "python", "-m", "spacy", "synthesizrr", "--help")


def test_every_registered_name_is_found_without_importing_us(fresh):
    probe = (
        "from spacy.util import registry; import spacy_llm; from spacy_llm.registry import registry as llm; "
        "assert llm.has('llm_tasks', 'synthesizrr.Refine.v1') and llm.has('llm_models', 'synthesizrr.Extractive.v1'); "
        "assert registry.has('misc', 'synthesizrr.MemoryStore.v1'); print('found')"
    )
    assert call(fresh / "python", "-c", probe).strip() == "found"
