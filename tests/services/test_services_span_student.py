"""The span student with torch, which this environment is kept without: in a child process that has it."""

import os
import subprocess
import sys

import pytest
from conftest import ROOT

STUDENTS = ROOT / "tests" / "students"


@pytest.mark.parametrize("name", ["with_torch_span.py", "with_torch_span_project.py"])
def test_inside(transformers, name, tmp_path):
    about = ["-p", "no:cacheprovider", "-c", str(ROOT / "pyproject.toml"), "--basetemp", str(tmp_path / "inside")]
    command = [sys.executable, "-m", "pytest", *about, str(STUDENTS / "span" / name)]
    # where the tiny encoders are made
    env = {**transformers, "PYTHONPATH": os.pathsep.join([transformers["PYTHONPATH"], str(STUDENTS / "transformer")])}
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=1800, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout
