"""The step `evaluate`: scores of every arm on test, the confusion matrix with its rows, the table."""

from __future__ import annotations

import statistics

import pytest
import spacy
from spacy.training import Corpus
from student_run import StudentRun

from spacy_synthesizrr.fingerprints import fingerprint
from spacy_synthesizrr.jsonl import write_json
from spacy_synthesizrr.steps import evaluate, export, train


def walk(run, **settings):
    """Run the three steps."""
    ctx = run.ready(**settings)
    for step in (export, train, evaluate):
        step.run(ctx)
    return ctx


def untimed(found):
    """What train wrote, without how long it took."""
    for seed in (seed for arm in found["arms"] for seed in arm["seeds"]):
        seed.pop("seconds", None)
    return found


def make(path, monkeypatch, **options):
    run = StudentRun.make(path, ("sport", "business", "science"), **options)
    monkeypatch.setattr("spacy_synthesizrr.stores.opening.open_store", lambda ctx: run.store)
    run.accept(8)
    run.not_run("fewgen", "not run: this teacher only copies")
    return run


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """A run that has been evaluated; tests only read it."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        run = make(tmp_path_factory.mktemp("evaluated"), monkeypatch)
        walk(run)
    return run


@pytest.fixture
def again(done, tmp_path, monkeypatch):
    """A copy of the evaluated run, to be changed and run again."""
    run = done.copy(tmp_path)
    monkeypatch.setattr("spacy_synthesizrr.stores.opening.open_store", lambda ctx: run.store)
    return run


def test_scores_of_every_seed_equal_those_of_spacy(done):
    for seed, score in enumerate(done.arm("evaluation.json", "retrieve-only")["test"]["seeds"]):
        nlp = spacy.load(done.folder.file(f"training/retrieve-only/{seed}"))
        assert score == pytest.approx(nlp.evaluate(list(Corpus(done.folder.file("test.spacy"))(nlp)))["cats_micro_f"])


def test_mean_and_deviation_run_over_seeds(done):
    test = done.arm("evaluation.json", "main")["test"]
    assert test["mean"] == pytest.approx(statistics.fmean(test["seeds"]))
    assert test["sd"] == pytest.approx(statistics.stdev(test["seeds"]))


def test_rows_steps_and_dev_are_those_of_training(done):
    for arm in done.json("student.json")["arms"]:
        row = done.arm("evaluation.json", arm["name"])
        assert [row[name] for name in ("rows", "steps", "dev", "why")] == [arm[name] for name in ("rows", "steps", "dev", "why")]


def test_confusion_matrix_is_the_chosen_students_and_names_test_rows(done):
    chosen = done.json("evaluation.json")["chosen"]
    right = sum(cell["count"] for cell in chosen["confusion"] if cell["gold"] == cell["predicted"])
    assert right / 18 == pytest.approx(chosen["score"])
    assert sorted(row for cell in chosen["confusion"] for row in cell["rows"]) == list(range(1, 19))
    assert all(["sport", "business", "science"][(row - 1) % 3] == cell["gold"] for cell in chosen["confusion"] for row in cell["rows"])


def test_per_label_scores_know_their_rows(done):
    assert {about["rows"] for about in done.arm("evaluation.json", "main")["per_label"].values()} == {6}


def test_baseline_is_the_share_of_the_most_frequent_label(done):
    assert done.json("evaluation.json")["baselines"]["majority"]["score"] == pytest.approx(1 / 3)


def test_arm_that_was_not_run_has_no_scores(done):
    arm = done.arm("evaluation.json", "fewgen")
    assert (arm["why"], arm["test"], arm["per_label"]) == ("not run: this teacher only copies", None, {})


def test_table_shows_every_arm_and_how_many_rows_were_copied(again, capsys):
    again.folder.receipt_path("evaluate").unlink()
    evaluate.run(again.ready())
    table = capsys.readouterr().out
    for words in (
        "seed-only",
        "retrieve-only",
        "macro F",
        "fewgen: not run: this teacher only copies",
        "gold: not run",
        "6 of 24 rows equal",
    ):
        assert words in table
    assert any(line.split()[:3] == ["main", "24", "51"] for line in table.splitlines())


def test_every_arm_has_an_interval_around_its_mean_and_a_calibration_error(done):
    for arm in done.json("evaluation.json")["arms"]:
        if not arm["run"]:
            assert (arm["interval"], arm["ece"]) == (None, None)
            continue
        assert arm["interval"]["value"] == pytest.approx(arm["test"]["mean"])
        assert arm["interval"]["low"] <= arm["test"]["mean"] <= arm["interval"]["high"]
        assert 0 <= arm["ece"]["mean"] <= 1


def test_the_chosen_student_has_intervals_and_its_calibration_on_test(done):
    chosen = done.json("evaluation.json")["chosen"]
    for name in ("score", "macro_f"):
        assert chosen["intervals"][name]["value"] == pytest.approx(chosen[name])
    found = chosen["calibration"]
    assert (found["rows"], found["bins"], found["temperature"]) == (18, 15, 1.0)
    assert found["ece"]["before"] == pytest.approx(found["ece"]["after"])
    assert sum(one["count"] for one in found["reliability"]) == 18
    assert chosen["thresholds"] == {}


def test_too_few_dev_rows_calibrate_nothing_and_train_says_so(done):
    seeds = [seed for arm in done.json("student.json")["arms"] for seed in arm["seeds"]]
    assert {seed["finish"]["why"] for seed in seeds} == {"12 dev rows are too few to fit anything to them (at least 50)."}


def test_with_enough_dev_rows_the_table_says_what_calibration_was_worth(again, capsys):
    again.labelled("dev", 20, first=200)
    walk(again)
    found = again.json("evaluation.json")["chosen"]["calibration"]
    assert found["temperature"] != 1.0
    assert found["ece"]["before"] != found["ece"]["after"]
    table = capsys.readouterr().out
    assert f"takes its ECE on test from {100 * found['ece']['before']:.1f} to {100 * found['ece']['after']:.1f}" in table
    assert "95 % interval" in table


def test_without_test_rows_evaluation_says_so(again, capsys):
    again.without("test")
    walk(again)
    found = again.json("evaluation.json")
    assert (found["why"], found["chosen"], found["baselines"], found["arms"][0]["test"]) == ("no test rows", None, {}, None)
    assert "no test rows. Dev chose the models" in capsys.readouterr().out


def test_test_set_is_not_read_by_training(again):
    for step in ("train", "evaluate"):
        again.folder.receipt_path(step).unlink()
    (again.folder.file("training/main/0/training.json")).unlink()
    ctx = again.ready()
    before = untimed(again.json("student.json"))
    path = again.folder.file("test.spacy")
    path.write_bytes(b"x" * path.stat().st_size)
    gate = again.json("gate.json")
    gate["files"]["test.spacy"] = fingerprint(path)["sha256"]  # or train refuses a set that nobody compared its rows with
    write_json(again.folder.file("gate.json"), gate)
    assert train.run(ctx)
    assert untimed(again.json("student.json")) == before


def test_test_rows_that_are_dev_rows_too_are_said(again, capsys):
    again.task.write_text(again.task.read_text().replace("path: dev.jsonl", "path: test.jsonl"))
    walk(again)
    assert again.json("evaluation.json")["dev_in_test"] == 18
    assert "18 dev rows stand in test too: test helped to choose the models" in capsys.readouterr().out


def test_second_run_does_nothing(again):
    assert not evaluate.run(again.ready())
