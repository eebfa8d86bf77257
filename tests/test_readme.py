"""What the README shows is what happens."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest
from conftest import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
SNIPPETS = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)


def test_there_are_two_python_examples_of_a_screenful():
    assert len(SNIPPETS) == 2
    assert all(len(snippet.splitlines()) <= 20 for snippet in SNIPPETS)


@pytest.mark.parametrize(("number", "shown"), [(0, "generated ['sport']"), (1, "('sport',")])
def test_an_example_runs_in_the_folder_of_the_demo(demo, number, shown):
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", SNIPPETS[number]], cwd=demo.path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert shown in done.stdout


def test_the_test_command_is_the_one_that_ci_runs():
    assert "make test" in README
    assert "make test" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", sorted(set(re.findall(r"\]\(((?:docs/)?[A-Za-z-]+\.md)\)", README))))
def test_a_linked_page_is_there(name):
    assert (ROOT / name).is_file()


def test_the_demo_table_is_what_the_demo_measures(demo):
    """Scores are the same on every machine to a point or two; rows and steps are the same everywhere."""
    arms = {arm["name"]: arm for arm in demo.json("news_demo", "evaluation.json")["arms"]}
    pattern = r"^\| (main|seed-only|retrieve-only|random) \| (\d+) \| (\d+) \| [^|]* \| ([\d.]+) ±"
    lines = re.findall(pattern, README, flags=re.MULTILINE)
    assert len(lines) == 4
    for name, rows, steps, test in lines:
        about = arms[name]
        assert (about["rows"], about["steps"]) == (int(rows), int(steps))
        assert about["test"]["mean"] * 100 == pytest.approx(float(test), abs=3)
