"""A loop whose settings change after it has ended: what comes of it is what a new loop would say, and nothing is asked for twice."""

from __future__ import annotations

import random
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from loop_project import loop_config, walk
from writer import Writer, begin

from spacy_synthesizrr.candidates import Candidate
from spacy_synthesizrr.context import Context
from spacy_synthesizrr.jsonl import read_jsonl
from spacy_synthesizrr.loop import rounds
from spacy_synthesizrr.loop.finished import Asked, finished_rounds
from spacy_synthesizrr.loop.running import run_loop
from spacy_synthesizrr.loop.settings import read_loop_settings
from spacy_synthesizrr.steps.prepare import Choices

LOOP = Path("runs/news-test")
BASE = {"rounds": 2, "controls": '["goldgen"]', "max": 3, "final": "best"}
TEXT = {**BASE, "rounds": 1, "how": "text"}


@pytest.fixture(scope="module")
def writer():
    with Writer() as running:
        yield running


@pytest.fixture(scope="module")
def started(tmp_path_factory, writer):
    """A project whose run "news" has come as far as `curate`; tests copy it."""
    path = tmp_path_factory.mktemp("changed") / "project"
    begin(path, writer)
    shutil.copyfile(path / "assets/news_demo/seeds.jsonl", path / "mine.jsonl")
    return path


def loop(*, name: str = "news-test", dry_run: bool = False, **settings: object) -> None:
    run_loop(Context.open("news"), read_loop_settings(loop_config(**settings)), name=name, dry_run=dry_run)


def ended(project: Path, path: Path, **settings: object) -> Path:
    """Copy a project and let its loop come to its end."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(shutil.copytree(project, path))
        loop(**settings)
    return path


@pytest.fixture(scope="module")
def refined(started, tmp_path_factory):
    """A loop that has ended, of rows that are refined from passages."""
    return ended(started, tmp_path_factory.mktemp("refined") / "project", **BASE)


@pytest.fixture(scope="module")
def written(started, tmp_path_factory):
    """A shorter one of rows that are written after texts."""
    return ended(started, tmp_path_factory.mktemp("written") / "project", **TEXT)


@pytest.fixture
def law(started, tmp_path, writer, monkeypatch):
    """The law: a loop that changes and a new one write the same bytes, and the first asks for nothing but what is new."""

    def check(based: Path, project: Path = started, *, prepare: Callable[[], None] = lambda: None, **settings: object) -> None:
        monkeypatch.chdir(shutil.copytree(based, tmp_path / "changed" / "project"))
        known, old = answered(), ledger()
        prepare()
        before = writer.count
        loop(**settings)
        asked, found = writer.count - before, ledger()
        monkeypatch.chdir(shutil.copytree(project, tmp_path / "anew" / "project"))
        prepare()
        loop(**settings)
        assert found == ledger() != old
        assert asked == len(answered() - known)

    return check


def ledger() -> bytes:
    return (LOOP / "ledger.json").read_bytes()


def answered() -> set[str]:
    """RETURNS (Set[str]): Hashes of all requests that the loop's teacher has answered."""
    with closing(sqlite3.connect(LOOP / "answers.sqlite")) as found:
        return {request for (request,) in found.execute("SELECT request FROM answers")}


@pytest.mark.parametrize(
    "change",
    [{"rounds": 1}, {"controls": '["more-seed"]'}, {"share": "null"}, {"how": "text"}],
    ids=lambda change: " ".join(change),
)
def test_a_changed_loop_of_passages_says_what_a_new_one_says(refined, law, change):
    law(refined, **{**BASE, **change})


@pytest.mark.parametrize(
    "change", [{"rounds": 2, "controls": "[]"}, {"predicted": "true"}, {"keep": "true"}], ids=lambda change: " ".join(change)
)
def test_a_changed_loop_of_texts_says_what_a_new_one_says(written, law, change):
    law(written, **{**TEXT, **change})


def test_a_starting_run_whose_failed_requests_are_answered_gives_what_a_new_loop_gives(law, tmp_path, writer):
    """Its step is done again by the same settings, and then asks for fewer rows of its plan: the rest is for more-seed."""
    project, settings = tmp_path / "broken" / "project", {**TEXT, "controls": '["more-seed"]'}
    writer.broken = lambda prompt, draw: "about sport" in prompt and random.Random(prompt).random() < 0.7
    begin(project, writer)
    writer.broken = lambda prompt, draw: False
    based = ended(project, tmp_path / "based" / "project", **settings)
    law(based, project, prepare=lambda: walk(Path.cwd(), teacher="mine"), **settings)


def test_rounds_of_other_settings_are_named_when_the_loop_ends(refined, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(shutil.copytree(refined, tmp_path / "project"))
    loop(**{**BASE, "rounds": 1, "controls": "[]"})
    said = capsys.readouterr().out
    assert "The loop ends: 1 round is done." in said
    assert "Left by a loop of other settings, and counted nowhere: goldgen-1, goldgen-2, loop-2." in said


def test_what_is_taken_back_is_as_if_it_had_never_been(refined, tmp_path, writer, monkeypatch):
    monkeypatch.chdir(shutil.copytree(refined, tmp_path / "project"))
    old = ledger()
    loop(**BASE, rows="mine.jsonl", share=0.4)
    assert ledger() != old
    before = writer.count
    loop(**BASE)
    assert ledger() == old and writer.count == before


def test_while_a_changed_loop_is_on_its_way_no_round_of_the_old_one_counts(refined, tmp_path, monkeypatch):
    monkeypatch.chdir(shutil.copytree(refined, tmp_path / "project"))
    really = rounds.prepare.run

    def stop(wanted: Choices) -> bool:
        if wanted.run.endswith("loop-2"):
            raise KeyboardInterrupt
        return really(wanted)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(rounds.prepare, "run", stop)
        loop(**{**BASE, "max": 2})
    asked = Asked.read(LOOP)
    assert {arm: len(finished_rounds(asked, arm)) for arm in asked.arms} == {"loop": 1, "goldgen": 0}
    loop(name="later", dry_run=True, additions='["news-test"]', share="null")
    paths = Path("runs/later/start/additions.jsonl"), LOOP / "loop-1/accepted.jsonl"
    added, first = ([row.id for row in read_jsonl(path, Candidate.from_dict)] for path in paths)
    assert added == first


def test_a_dry_run_of_the_same_settings_takes_no_round_back(refined, tmp_path, monkeypatch):
    monkeypatch.chdir(shutil.copytree(refined, tmp_path / "project"))
    noted = (LOOP / "loop.json").read_bytes()
    loop(**BASE, dry_run=True)
    assert (LOOP / "loop.json").read_bytes() == noted
