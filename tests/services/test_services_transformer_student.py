"""The transformer student with torch and onnx, which this environment is kept without: in a child process that has them."""

import subprocess
import sys

import pytest
from conftest import ROOT


@pytest.mark.parametrize("name", ["with_torch_student.py", "with_torch_onnx.py", "with_torch_project.py"])
def test_inside(transformers, name, tmp_path):
    about = ["-p", "no:cacheprovider", "-c", str(ROOT / "pyproject.toml"), "--basetemp", str(tmp_path / "inside")]
    command = [sys.executable, "-m", "pytest", *about, str(ROOT / "tests" / "students" / "transformer" / name)]
    # not in the checkout: what lies there would say which entry points it had when it was installed
    done = subprocess.run(command, cwd=tmp_path, env=transformers, capture_output=True, text=True, timeout=1800, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout
    assert " skipped" not in done.stdout
