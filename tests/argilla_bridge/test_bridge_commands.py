"""The commands of a review on a run, with people who fill in a file."""

import csv
import json
import shutil
from pathlib import Path

import pytest
from filled_in import fill_in, lines

from argilla_bridge import commands
from spacy_synthesizrr.candidates import Candidate
from spacy_synthesizrr.context import Context
from spacy_synthesizrr.errors import ConfigError, InputError, RunFolderError
from spacy_synthesizrr.jsonl import read_jsonl
from spacy_synthesizrr.steps import export, prepare
from spacy_synthesizrr.students.reviewed import label_source
from spacy_synthesizrr.trace import find

ROWS = "review/rows.csv"


@pytest.fixture
def run(walked):
    """The run, reviewed in a file that shows every suggestion."""
    config = Path("configs/review.file.cfg")
    config.write_text(config.read_text().replace("blind = 0.1", "blind = 0"))
    prepare.run(prepare.Choices("tiny", "tiny", per_label=4, review="file"))
    return Context.open("tiny")


def reviewed(ctx, name="reviewed.jsonl"):
    return {row.id: row for row in read_jsonl(ctx.folder.file(f"review/{name}"), Candidate.from_dict)}


def test_every_accepted_row_is_pushed_once(run):
    assert commands.push(run)
    accepted = [row.id for row in read_jsonl(run.folder.file("accepted.jsonl"), Candidate.from_dict)]
    assert len(lines(run.folder.file(ROWS))) == len(accepted)
    before = run.folder.file(ROWS).read_bytes()
    commands.push(run)
    assert run.folder.file(ROWS).read_bytes() == before


def test_pushing_again_leaves_the_receipt_as_it_is(run):
    commands.push(run)
    before = run.folder.receipt_path("push").read_bytes()
    commands.push(run)
    assert run.folder.receipt_path("push").read_bytes() == before


def test_votes_change_labels_turn_rows_away_and_say_so(run):
    commands.push(run)
    asked = lines(run.folder.file(ROWS))
    other = {"sport": "cooking", "cooking": "sport"}[asked[0]["suggestion"]]
    fill_in(run.folder.file(ROWS), [other, "unusable", asked[2]["suggestion"]])
    commands.pull(run)
    kept, away = reviewed(run), reviewed(run, "turned_away.jsonl")
    assert len(kept) == len(asked) - 1 and [row.reason for row in away.values()] == ["unusable"]
    by_people = [row for row in kept.values() if label_source(row) == "human"]
    assert sorted(row.events[-1].detail.get("was", []) for row in by_people) == [[], [asked[0]["suggestion"]]]


def test_pulling_again_without_new_votes_leaves_the_receipt_as_it_is(run):
    commands.push(run)
    commands.pull(run)
    before = run.folder.receipt_path("pull").read_bytes()
    commands.pull(run)
    assert run.folder.receipt_path("pull").read_bytes() == before


def test_export_takes_the_rows_as_people_left_them(run):
    commands.push(run)
    fill_in(run.folder.file(ROWS), ["unusable"])
    commands.pull(run)
    export.run(run)
    told = json.loads(run.folder.file("export.json").read_text())
    assert told["arms"][0]["rows"] == len(reviewed(run))


def test_export_refuses_to_go_on_without_a_pull(run):
    commands.push(run)
    with pytest.raises(Exception, match="The step 'pull'"):
        export.run(run)


def test_agreement_is_measured_on_the_votes_of_the_last_pull(run, capsys):
    commands.push(run)
    rows = fill_in(run.folder.file(ROWS), ["sport"])
    commands.pull(run)
    commands.agreement(run)
    found = json.loads(run.folder.file("review/agreement.json").read_text())
    assert found["rows"] == {"asked": len(rows), "answered": 1}
    assert f"1 of {len(rows)} rows were answered by 1 person" in capsys.readouterr().out


def test_agreement_tells_what_several_people_said(run, tmp_path, capsys):
    for name in ("ann", "bob"):
        commands.push(run, tmp_path / f"{name}.csv")
        fill_in(tmp_path / f"{name}.csv", ["sport"] * 3 + ["cooking"] * 3)
    commands.pull(run, [tmp_path / "ann.csv", tmp_path / "bob.csv"])
    commands.agreement(run)
    said = capsys.readouterr().out
    assert "6 rows that several people answered are alike in 100.0 (61.0 to 100.0) %; Krippendorff's alpha: 1.00" in said


def test_status_counts_rows_votes_and_people(run):
    commands.push(run)
    rows = fill_in(run.folder.file(ROWS), ["sport", "unusable"])
    about = commands.status(run)["main"]
    assert (about["rows"], about["answered"], about["people"]) == (len(rows), 2, {"reviewer": {"submitted": 2}})


def test_status_counts_a_row_with_lines_of_two_people_once(run):
    commands.push(run)
    path = run.folder.file(ROWS)
    rows = fill_in(path, ["sport"])
    with path.open("a", encoding="utf-8", newline="") as file:
        csv.DictWriter(file, list(rows[0])).writerow({**rows[0], "label": "cooking", "user": "bob"})
    about = commands.status(run)["main"]
    assert (about["rows"], about["answered"], sorted(about["people"])) == (len(rows), 1, ["bob", "reviewer"])


def test_what_people_turned_away_is_counted_where_rows_go_on_and_traced(run):
    commands.push(run)
    asked = lines(run.folder.file(ROWS))
    fill_in(run.folder.file(ROWS), ["unusable", asked[1]["suggestion"]])
    commands.pull(run), commands.agreement(run)
    export.run(run)
    assert json.loads(run.folder.file("export.json").read_text())["turned_away"] == {"unusable": 1}
    decided = json.loads(run.folder.file("review/agreement.json").read_text())["decided"]
    assert (decided["human"], decided["reasons"]) == (1, {"unusable": 1})
    (away,) = reviewed(run, "turned_away.jsonl")
    (found,) = find(run.folder.path, away)
    assert (found.arm, found.candidate.status, found.candidate.reason) == ("main", "rejected", "unusable")
    assert found.places[-1] == "review/turned_away.jsonl:1"


def users(run):
    return sorted(vote["user"] for vote in read_jsonl(run.folder.file("review/votes.jsonl"), dict))


def test_given_files_are_read_each_by_the_person_of_its_name_and_ties_go_to_the_run_s_own(run, tmp_path):
    commands.push(run)
    label = lines(run.folder.file(ROWS))[0]["suggestion"]
    for name, answer in (("ann", label), ("bob", {"sport": "cooking", "cooking": "sport"}[label])):
        commands.push(run, tmp_path / f"{name}.csv")
        fill_in(tmp_path / f"{name}.csv", [answer])
    config = run.config_path("review")
    config.write_text(config.read_text().replace('ties = "suggestion"', 'ties = "adjudicate"'))
    prepare.run(prepare.Choices("tiny", "tiny", per_label=4, review="file"))
    run = Context.open("tiny")
    before = (tmp_path / "ann.csv").read_bytes()
    commands.pull(run, [tmp_path / "ann.csv", tmp_path / "bob.csv"])
    assert users(run) == ["ann", "bob"]
    assert (tmp_path / "ann.csv").read_bytes() == before
    assert [line["dataset"] for line in lines(run.folder.file(ROWS))].count("adjudication") == 1
    commands.pull(run)
    assert users(run) == ["ann", "bob"]


def test_files_that_come_one_by_one_are_different_people(run, tmp_path):
    commands.push(run)
    for name in ("ann", "bob"):
        commands.push(run, tmp_path / f"{name}.csv")
        fill_in(tmp_path / f"{name}.csv", ["sport"])
        commands.pull(run, [tmp_path / f"{name}.csv"])
    assert users(run) == ["ann", "bob"]


def test_a_pull_needs_no_push_that_went_well(run):
    commands.push(run)
    fill_in(run.folder.file(ROWS), ["sport"])
    run.folder.receipt_path("push").unlink()  # as after one that broke off
    assert commands.pull(run)
    assert users(run) == ["reviewer"]


def test_before_the_first_push_a_pull_says_what_to_do(run):
    with pytest.raises(RunFolderError, match="Push first"):
        commands.pull(run)


def test_a_label_that_is_none_is_named_with_its_line(run):
    commands.push(run)
    fill_in(run.folder.file(ROWS), ["spott"])
    with pytest.raises(InputError, match=r"rows\.csv:2: .*'spott'.*sport"):
        commands.pull(run)


def test_a_run_without_a_review_does_nothing_and_says_nothing_is_wrong(walked):
    assert all(step(walked) for step in (commands.push, commands.pull, commands.agreement))
    assert not any(step(walked) for step in (commands.push, commands.pull, commands.agreement))
    assert not walked.folder.file("review").exists()


def test_writing_to_a_file_needs_a_run_that_is_reviewed(walked, tmp_path):
    with pytest.raises(ConfigError, match="--vars.review"):
        commands.push(walked, tmp_path / "mine.csv")


def test_a_pull_also_writes_the_rows_for_other_tools(run):
    path = run.config_path("review")
    path.write_text(path.read_text().replace("[review]", "[review]\ndatasets = true"))
    prepare.run(prepare.Choices("tiny", "tiny", per_label=4, review="file"))
    run = Context.open("tiny")
    commands.push(run)
    commands.pull(run)
    assert run.folder.file("review/votes.parquet").is_file()
    assert run.folder.file("review/dataset/dataset_info.json").is_file()


def test_guidelines_name_every_label(run):
    assert all(label in commands.guidelines(run) for label in run.task.labels)


def test_another_section_in_the_config_is_refused(run):
    path = run.config_path("review")
    path.write_text(path.read_text() + "\n[exprot]\nunreviewed = 1\n")
    with pytest.raises(ConfigError, match=r"no section \[exprot\]"):
        commands.push(run)


def test_two_runs_that_name_one_file_are_told_apart(run, tmp_path):
    path = run.config_path("review")
    path.write_text(path.read_text().replace('path = "review/rows.csv"', f'path = "{(tmp_path / "shared.csv").as_posix()}"'))
    runs = []
    for name in ("tiny", "other"):
        if name == "other":  # another run of the same task with the same rows
            shutil.copytree(run.folder.path, run.folder.path.with_name(name))
            about = Path("runs/other/inputs.json")
            about.write_text(json.dumps({**json.loads(about.read_text()), "run": "other", "id": "0ther"}))
        prepare.run(prepare.Choices("tiny", name, per_label=4, review="file"))
        runs.append(Context.open(name))
    one, other = runs
    commands.push(one)
    rows = fill_in(tmp_path / "shared.csv", ["sport"])
    for step in (commands.push, commands.status):
        with pytest.raises(InputError, match=r"shared\.csv:2: This row belongs to another run"):
            step(other)
    assert lines(tmp_path / "shared.csv") == rows
    commands.pull(one)
    assert users(one) == ["reviewer"]
