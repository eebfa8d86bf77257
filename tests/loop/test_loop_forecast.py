"""What a loop says before anything is asked, and how it answers those who look for what a round does not have."""

from __future__ import annotations

from pathlib import Path

import pytest
from apart import ServerApart
from loop_project import loop_config, walk, write_project
from typer.testing import CliRunner

from spacy_synthesizrr.cli import app
from spacy_synthesizrr.context import Context
from spacy_synthesizrr.errors import RunFolderError, TeacherError
from spacy_synthesizrr.loop.running import run_loop
from spacy_synthesizrr.loop.settings import read_loop_settings

TEACHER = """[teacher]
@llm_models = "synthesizrr.ChatCompletions.v1"
base_url = "{url}"
model = "m"
{price}
[teacher.parameters]
max_tokens = 80
"""
PRICE = "[teacher.price]\ninput_per_million = 1.0\noutput_per_million = 2.0\n"


@pytest.fixture(scope="module")
def server():
    with ServerApart(seconds=0.0, words=20) as running:
        yield running


@pytest.fixture(scope="module", params=[PRICE, ""], ids=["priced", "unpriced"])
def paid(request, server, tmp_path_factory):
    """A project with a run whose teacher is a chat server, and what a dry run of a loop says of it."""
    path = tmp_path_factory.mktemp("forecast") / "project"
    write_project(path)
    # without a price, a server on this machine costs nothing
    (path / "configs/teacher.mine.cfg").write_text(TEACHER.format(url=server.url, price=request.param))
    walk(path, per_label=2, teacher="mine")
    return path, bool(request.param)


def dry_run() -> None:
    run_loop(
        Context.open("news"), read_loop_settings(loop_config(rounds=2, controls='["goldgen"]', how="text")), name="news-test", dry_run=True
    )


def test_a_dry_run_tells_calls_and_money_and_asks_nothing(paid, server, monkeypatch, capsys):
    path, priced = paid
    monkeypatch.chdir(path)
    before = server.counts()["paid"]
    dry_run()
    said = capsys.readouterr().out
    assert server.counts()["paid"] == before
    assert "It asks the teacher 6 times. If all rounds are like it, 2 rounds with 1 control ask 24 times." in said
    assert ("All together: about 0.0" if priced else "All together: nothing to pay.") in said
    assert "The first round: About 6 requests" in said
    assert "The prompts of the first round: synthesizrr preview --run news-test/loop-1" in said


def test_the_prompts_of_the_first_round_can_be_looked_at_before_they_are_paid(paid, server, monkeypatch):
    path, _ = paid
    monkeypatch.chdir(path)
    dry_run()
    before = server.counts()["paid"]
    found = CliRunner().invoke(app, ["preview", "--run", "news-test/loop-1"])
    assert found.exit_code == 0 and "candidate" in found.output
    assert server.counts()["paid"] == before


@pytest.mark.parametrize("command", ["rows", "preview", "report", "plan-cost"])
def test_who_looks_for_rows_of_the_start_is_sent_to_its_run(paid, monkeypatch, capsys, command):
    path, _ = paid
    monkeypatch.chdir(path)
    dry_run()
    found = CliRunner().invoke(app, [command, "--run", "news-test/start"])
    assert found.exit_code == 2
    assert "look at the run that they come from, with --run news." in found.stderr


def test_who_looks_for_answers_of_a_round_that_asked_nothing_is_told_the_command_of_the_loop(paid, monkeypatch):
    path, _ = paid
    monkeypatch.chdir(path)
    dry_run()
    found = CliRunner().invoke(app, ["rows", "--run", "news-test/loop-1"])
    assert found.exit_code == 2
    assert "synthesizrr loop --run news --loop configs/loop.test.cfg --name news-test" in found.stderr


def test_a_finished_round_is_not_forecast_again(paid, monkeypatch, capsys):
    path, _ = paid
    monkeypatch.chdir(path)
    settings = read_loop_settings(loop_config(rounds=1, how="text"))
    said = []
    for _ in range(2):
        run_loop(Context.open("news"), settings, name="news-again")
        said.append(capsys.readouterr().out)
    assert "plan-cost --run news-again/loop-1" in said[0]
    assert "plan-cost" not in said[1] and "It asks the teacher" not in said[1]


def test_a_loop_that_has_ended_needs_no_teacher_to_be_told_again(paid, monkeypatch):
    path, _ = paid
    monkeypatch.chdir(path)
    settings = read_loop_settings(loop_config(rounds=1))  # of passages: with texts the teacher is looked at first
    first = run_loop(Context.open("news"), settings, name="news-kept")

    def gone(*wanted: object, **more: object) -> None:
        raise TeacherError("no key")

    monkeypatch.setattr("spacy_synthesizrr.steps.synthesize.pipeline", gone)
    assert run_loop(Context.open("news"), settings, name="news-kept") == first


def test_a_dry_run_with_other_settings_leaves_a_loop_that_has_ended_alone(paid, monkeypatch):
    path, _ = paid
    monkeypatch.chdir(path)
    run_loop(Context.open("news"), read_loop_settings(loop_config(rounds=1)), name="news-ended")
    noted = Path("runs/news-ended/loop.json").read_bytes()
    other = read_loop_settings(loop_config(rounds=1, max=2))
    with pytest.raises(RunFolderError, match="has ended with other settings.*--name NAME"):
        run_loop(Context.open("news"), other, name="news-ended", dry_run=True)
    assert Path("runs/news-ended/loop.json").read_bytes() == noted


def test_a_budget_of_calls_is_the_most_that_is_told(paid, monkeypatch, capsys):
    path, _ = paid
    monkeypatch.chdir(path)
    settings = read_loop_settings(loop_config(rounds=3, controls='["goldgen"]', calls=8))
    run_loop(Context.open("news"), settings, name="news-capped", dry_run=True)
    assert "It asks the teacher 6 times. If all rounds are like it, 3 rounds with 1 control ask 16 times." in capsys.readouterr().out
