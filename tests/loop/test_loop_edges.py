"""A loop where things are not as usual: reviewed rows, a budget that is used up, requests that fail, hardly any labelled rows."""

from __future__ import annotations

import csv
import shutil
from collections import Counter
from pathlib import Path

import pytest
from loop_project import loop_config, walk
from writer import Writer, begin

from spacy_synthesizrr.candidates import Candidate
from spacy_synthesizrr.context import Context
from spacy_synthesizrr.errors import BudgetReached, InputError, RunFolderError, TeacherError
from spacy_synthesizrr.jsonl import read_json, read_jsonl, write_jsonl
from spacy_synthesizrr.loop.running import run_loop
from spacy_synthesizrr.loop.settings import read_loop_settings
from spacy_synthesizrr.loop.told import cautions
from spacy_synthesizrr.steps import prepare

LOOP = Path("runs/news-test")
DEV = Path("assets/news_demo/dev.jsonl")
LABELS = ("politics", "business", "sport", "science")


@pytest.fixture(scope="module")
def writer():
    with Writer() as running:
        yield running


@pytest.fixture(scope="module")
def started(tmp_path_factory, writer):
    """A project whose run "news" has come as far as `curate`; tests copy it."""
    path = tmp_path_factory.mktemp("edges") / "project"
    begin(path, writer, per_label=2)
    return path


@pytest.fixture
def here(started, tmp_path, monkeypatch, writer):
    shutil.copytree(started, tmp_path / "project")
    monkeypatch.chdir(tmp_path / "project")
    yield
    writer.broken = lambda prompt, draw: False


def loop(run: str = "news", *, dry_run: bool = False, **changed: object):
    settings = read_loop_settings(loop_config(**{"how": "text", "max": 4, "controls": '["goldgen"]', **changed}))
    return run_loop(Context.open(run), settings, name="news-test", dry_run=dry_run)


def prepare_again() -> None:
    """As `spacy project run loop` does before everything else."""
    prepare.run(prepare.Choices("assets/news_demo", "news", per_label=2, lang="xx", teacher="mine"))


@pytest.fixture(scope="module")
def whole(started, tmp_path_factory, writer) -> tuple[bytes, int]:
    """What a loop writes that nothing stops, and how many requests it makes."""
    before = writer.count
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(shutil.copytree(started, tmp_path_factory.mktemp("whole") / "project"))
        loop()
        return (LOOP / "ledger.json").read_bytes(), writer.count - before


def test_a_cap_stops_a_round_and_a_higher_one_goes_on_to_the_same_ledger(here, whole, writer):
    config, before = Path("configs/teacher.mine.cfg"), writer.count
    for cap in (2, 3, 5):  # in a round of the loop, once more, and in one of a control
        config.write_text(writer.config(max_requests=cap))
        prepare_again()
        with pytest.raises(BudgetReached, match=rf"max_requests = {cap} \({cap} sent\).*Raise the cap in \[teacher.budget\]"):
            loop()
        assert not (LOOP / "ledger.json").exists()
    config.write_text(writer.config(max_requests=100))
    prepare_again()
    loop()
    assert ((LOOP / "ledger.json").read_bytes(), writer.count - before) == whole


def test_a_cap_that_is_raised_must_be_prepared_and_the_error_says_so(here, writer):
    Path("configs/teacher.mine.cfg").write_text(writer.config(max_requests=100))
    with pytest.raises(RunFolderError, match=r"configs/teacher\.mine\.cfg\. Run `prepare` again"):
        loop()


class First:
    """Of the prompts that it is shown, some fail by their place; the same one fails again."""

    def __init__(self, *places: int) -> None:
        self.places, self.seen = set(places), dict[str, int]()

    def __call__(self, prompt: str, draw: int) -> bool:
        return self.seen.setdefault(f"{draw} {prompt}", len(self.seen)) in self.places


def test_requests_that_fail_stop_the_loop_before_a_student_lacks_their_rows(here, writer):
    writer.broken = First(1, 2)
    with pytest.raises(TeacherError, match=r"2 requests of the round 'news-test/loop-1' failed \(server_error 2\).*Run the same command"):
        loop()
    assert (LOOP / "loop-1/generated.jsonl").is_file() and not (LOOP / "loop-1/student.json").exists()


def test_what_failed_is_asked_again_and_the_ledger_is_that_of_a_loop_without_failures(here, whole, writer):
    before, writer.broken = writer.count, First(1, 2, 5)
    for _ in range(2):  # in a round of the loop, and in one of the control
        with pytest.raises(TeacherError, match="failed"):
            loop()
        writer.broken.places = {5}
    writer.broken.places = set()
    loop()
    assert (LOOP / "ledger.json").read_bytes() == whole[0]
    assert writer.count - before == whole[1] + 3


def test_what_fails_every_time_stops_the_loop_once_and_is_named(here, whole, writer, capsys):
    writer.broken = First(1)
    with pytest.raises(TeacherError):
        loop()
    found = loop()
    assert "1 request of the round 'news-test/loop-1' failed (server_error 1) once more" in capsys.readouterr().out
    assert found["arms"][0]["rounds"][0]["turned_away"] == {"failed: server_error": 1}
    assert "loop, round 1: 1 request failed, and their rows are missing." in cautions(found)
    writer.broken.places = set()
    loop()
    assert (LOOP / "ledger.json").read_bytes() == whole[0]


def rows_of(**counts: int) -> list[dict]:
    """RETURNS (List[dict]): So many dev rows of each label."""
    by_label: dict[str, list[dict]] = {}
    for row in read_jsonl(DEV, dict):
        by_label.setdefault(row["label"], []).append(row)
    return [row for label, count in counts.items() for row in by_label[label][:count]]


def test_two_rows_per_label_are_enough(here):
    write_jsonl(DEV, rows_of(**dict.fromkeys(LABELS, 2)))
    prepare_again()
    found = loop()
    assert found["parts"] == {"error": 4, "selection": 4, "split": True}
    assert [len(arm["rounds"]) for arm in found["arms"]] == [1, 1]


@pytest.mark.parametrize(
    ("counts", "words"),
    [
        (dict.fromkeys(LABELS, 1), r"The label 'politics' has too few.*Give more rows in \[split\] rows, or set \[split\] share = null"),
        ({**dict.fromkeys(LABELS, 6), "sport": 1}, r"The label 'sport' has too few.*, or set \[split\] share = null"),
        ({**dict.fromkeys(LABELS, 6), "sport": 0}, r"The label 'sport' has too few.*Give more rows in \[split\] rows\.$"),
        ({"sport": 1}, r"The error part has no row \(all labelled rows: 1\)"),
    ],
)
def test_too_few_rows_to_cut_in_two_are_refused_with_the_cure_before_anything_is_asked(here, writer, counts, words):
    write_jsonl(DEV, rows_of(**counts))
    prepare_again()
    before = writer.count
    with pytest.raises(InputError, match=words):
        loop()
    assert writer.count == before and not (LOOP / "start").exists()


def test_rows_that_may_do_both_can_be_one_per_label(here):
    write_jsonl(DEV, rows_of(**dict.fromkeys(LABELS, 1)))
    prepare_again()
    assert loop(share="null")["parts"] == {"error": 4, "selection": 4, "split": False}


def decide(path: Path, *, corrected: int, unusable: int) -> None:
    """Fill in a review, as a person would: the first rows get another label than the one suggested, the next ones none."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        lines = list(csv.DictReader(file))
    shown = [line for line in lines if line["suggestion"]]
    for line in shown[:corrected]:
        line["label"] = LABELS[LABELS.index(line["suggestion"]) - 1]
    for line in shown[corrected : corrected + unusable]:
        line["label"] = "unusable"
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        out = csv.DictWriter(file, list(lines[0]))
        out.writeheader()
        out.writerows(lines)


def test_the_start_of_a_reviewed_run_is_what_people_left_with_the_labels_that_they_gave(here):
    from argilla_bridge.commands import pull, push

    walk(Path.cwd(), run="seen", per_label=4, teacher="mine", review="file")
    run = Context.open("seen")
    push(run)
    with pytest.raises(RunFolderError, match="pull"):
        loop("seen", dry_run=True)
    accepted = {row.id: row.labels for row in read_jsonl(Path("runs/seen/accepted.jsonl"), Candidate.from_dict)}
    for corrected, unusable in ((2, 1), (1, 3)):  # people change their minds
        decide(Path("runs/seen/review/rows.csv"), corrected=corrected, unusable=unusable)
        pull(run)
        loop("seen", dry_run=True)
        start = {row.id: row.labels for row in read_jsonl(LOOP / "start/accepted.jsonl", Candidate.from_dict)}
        assert accepted.keys() - start.keys() and len(start) == len(accepted) - unusable
        assert sum(labels != accepted[id] for id, labels in start.items()) == corrected
        main = read_json(LOOP / "start/export.json")["arms"][0]
        assert main["labels"] == dict(Counter(labels[0] for labels in start.values()))
