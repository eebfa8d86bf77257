"""A grid with a teacher that is paid: what arms ask alike is asked once, and the caps are those of the whole grid."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import small_grid
from apart import ServerApart

from spacy_synthesizrr.ablations.ablate import ablate
from spacy_synthesizrr.context import Context
from spacy_synthesizrr.errors import BudgetReached
from spacy_synthesizrr.steps.report import spent_money

GRID = Path("rows.yml")
TEACHER = """[teacher]
@llm_models = "synthesizrr.ChatCompletions.v1"
base_url = "{url}"
model = "m"

[teacher.budget]
max_requests = {cap}

[teacher.price]
input_per_million = 1.0
output_per_million = 2.0
"""


@pytest.fixture(scope="module")
def server():
    """The same answer to the same prompt, and a count of what was asked."""
    with ServerApart(words=12) as running:
        yield running


@pytest.fixture
def project(server, tmp_path, monkeypatch):
    """A project whose arms differ in their student alone; returns what writes the teacher's config with a cap."""
    monkeypatch.chdir(small_grid.make(tmp_path / "project"))
    text = GRID.read_text().replace("base:\n", "base:\n  teacher: paid\n  per_label: 2\n").partition("arms:")[0]
    GRID.write_text(text + "arms:\n  a: {student.training.dropout: 0.1}\n  b: {student.training.dropout: 0.2}\n")
    return lambda cap: Path("configs/teacher.paid.cfg").write_text(TEACHER.format(url=server.url, cap=cap))


def test_what_arms_ask_alike_is_paid_for_once_and_the_caps_hold_for_all(server, project, capsys):
    project(2)
    with pytest.raises(BudgetReached):
        ablate(GRID, {})
    said = capsys.readouterr().out
    assert "The teacher's caps hold for the whole grid: 2 requests." in said and "of money" in said
    project(1000)
    found = ablate(GRID, {})
    counts = server.counts()
    assert counts["paid"] == counts["distinct"]
    first, second = (arm["runs"][0]["rows"] for arm in found["arms"])
    assert first == second > 0
    assert found["spent"]["requests"] == counts["paid"] and found["spent"]["cost"] > 0
    assert json.loads(Path("runs/rows/ablation.json").read_text())["spent"] == found["spent"]
    assert Path("runs/rows/answers.sqlite").is_file()


def test_each_run_tells_what_it_asked_itself(project):
    project(1000)
    spent = ablate(GRID, {})["spent"]
    runs = [spent_money(Context.open(path.parent)) for path in sorted(Path("runs/rows").glob("*/inputs.json"))]
    own = [one["spent"]["requests"] if one else 0 for one in runs]
    assert len(own) == 2 and sum(own) == spent["requests"] and min(own) < max(own)
