"""A step runs when, and only when, something it depends on changed or an output is gone."""

import json
import os

import pytest

from spacy_synthesizrr.errors import RunFolderError
from spacy_synthesizrr.fingerprints import fingerprint, known_fingerprint, replace_folder
from spacy_synthesizrr.receipts import RunFolder, forget_broken, fresh, locked, run_step


@pytest.fixture
def folder(tmp_path):
    return RunFolder(tmp_path / "runs" / "demo")


def step(folder, text="x", settings=None, after=(), name="index"):
    def body():
        (folder.path / f"{name}.txt").write_text(text)
        return {"rows": 1}

    return run_step(folder, name, after=after, settings=settings or {}, outputs=(f"{name}.txt",), body=body)


def test_a_step_runs_once(folder):
    assert [step(folder), step(folder)] == [True, False]


def test_a_changed_setting_runs_the_step_again(folder):
    step(folder, settings={"k": 1})
    assert step(folder, settings={"k": 2})


def test_an_output_deleted_by_hand_runs_the_step_again(folder):
    step(folder)
    folder.file("index.txt").unlink()
    assert step(folder)


def test_a_later_step_runs_again_only_when_what_it_reads_changed(folder):
    step(folder, "x")
    assert step(folder, name="plan", after=("index",))
    step(folder, "x", settings={"k": 2})
    assert not step(folder, name="plan", after=("index",))
    step(folder, "y", settings={"k": 3})
    assert step(folder, name="plan", after=("index",))


def test_a_step_before_its_time_says_what_to_run(folder):
    with pytest.raises(RunFolderError, match="'index' of the run 'demo' has not been done .* synthesizrr index"):
        step(folder, name="plan", after=("index",))


@pytest.mark.parametrize("name", ["push", "pull", "agreement"])
def test_a_step_of_the_bridge_is_named_with_the_command_of_the_bridge(folder, name):
    with pytest.raises(RunFolderError, match=f"Run it first: argilla-bridge {name} --run"):
        step(folder, name="export", after=(name,))
    step(folder, name="curate")
    step(folder, name=name, after=("curate",))
    step(folder, "y", settings={"k": 2}, name="curate")
    with pytest.raises(RunFolderError, match=f"Run it again: argilla-bridge {name} --run"):
        step(folder, name="export", after=(name,))


def test_the_same_work_gives_the_same_receipt(folder):
    step(folder)
    first = folder.receipt_path("index").read_bytes()
    folder.file("index.txt").unlink()
    step(folder)
    assert folder.receipt_path("index").read_bytes() == first


def test_a_step_that_dies_leaves_no_receipt_that_vouches_for_it(folder):
    step(folder)

    def dies():
        folder.file("index.txt").write_text("half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_step(folder, "index", after=(), settings={"k": 2}, outputs=("index.txt",), body=dies)
    assert step(folder)


def test_a_step_that_writes_nothing_is_an_error(folder):
    with pytest.raises(RunFolderError, match="without writing missing.txt"):
        run_step(folder, "index", after=(), settings={}, outputs=("missing.txt",), body=dict)


def test_a_damaged_receipt_vouches_for_nothing(folder):
    step(folder)
    folder.receipt_path("index").write_text("{")
    assert step(folder)


def test_forget_broken_removes_only_receipts_whose_outputs_changed(folder):
    step(folder)
    step(folder, name="plan")
    folder.file("plan.txt").write_text("edited")
    assert forget_broken(folder) == ["plan"]
    assert folder.receipt_path("index").is_file()


def test_receipts_hold_no_times_and_no_absolute_paths(folder):
    step(folder)
    receipt = folder.receipt_path("index").read_text()
    assert str(folder.path) not in receipt
    assert set(json.loads(receipt)) == {"v", "step", "key", "after", "settings", "counts", "versions", "outputs"}


def test_two_processes_cannot_work_on_one_run(folder):
    with locked(folder), pytest.raises(RunFolderError, match="Another process works on the run 'demo'"):
        step(folder)


def test_half_written_files_of_a_killed_step_are_cleared_away(folder):
    folder.path.mkdir(parents=True)
    folder.file(".rows.jsonl.abc.part").write_text("half")
    step(folder)
    assert not folder.file(".rows.jsonl.abc.part").exists()


def test_a_half_written_folder_of_a_killed_process_is_cleared_away(folder):
    folder.file(".news.parquet.abc.part").mkdir(parents=True)
    folder.file(".news.parquet.abc.part").joinpath("file").write_text("half")
    step(folder)
    assert not folder.file(".news.parquet.abc.part").exists()


def test_a_half_written_folder_that_its_writer_locks_stays(folder):
    folder.file("index/.5f3a.abc.part").mkdir(parents=True)
    folder.file("index/.5f3a.abc.part/.lock").touch()
    step(folder)
    assert folder.file("index/.5f3a.abc.part").exists()


def test_fingerprint_of_a_folder_sees_a_rename(tmp_path):
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "a").write_text("x")
    before = fingerprint(tmp_path / "d")
    (tmp_path / "d" / "a").rename(tmp_path / "d" / "b")
    assert fingerprint(tmp_path / "d") != before


def test_replace_folder_swaps_whole_folders(tmp_path):
    for name in ("new", "old"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text(name)
    replace_folder(tmp_path / "new", tmp_path / "old")
    assert (tmp_path / "old" / "file").read_text() == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["old"]


def test_a_step_that_left_something_unfinished_is_done_again(folder):
    def body():
        folder.file("x.txt").write_text("x")
        return {"unfinished": True}

    options = {"after": (), "settings": {}, "outputs": ("x.txt",), "body": body}
    assert run_step(folder, "index", **options)
    assert fresh(folder, "index")
    assert run_step(folder, "index", **options)
    assert forget_broken(folder) == ["index"]


def test_fresh_sees_that_a_step_before_was_done_again_with_another_result(folder):
    step(folder)
    step(folder, name="plan", after=("index",))
    step(folder, name="curate", after=("plan",))
    assert fresh(folder, "curate")
    step(folder, "y", settings={"k": 2})
    assert fresh(folder, "index")
    assert not fresh(folder, "plan")
    assert not fresh(folder, "curate")


def test_a_step_refuses_to_build_on_a_stale_one(folder):
    step(folder)
    step(folder, name="plan", after=("index",))
    step(folder, "y", settings={"k": 2})
    with pytest.raises(RunFolderError, match="'plan' of the run 'demo' is older than what it was made from"):
        step(folder, name="curate", after=("plan",))


def test_the_cache_of_fingerprints_does_not_trust_a_file_that_was_written_just_now(tmp_path):
    path, cache = tmp_path / "x", {}
    path.write_text("a")
    known_fingerprint(path, "x", cache)
    assert cache == {}


def test_the_cache_of_fingerprints_sees_a_change(tmp_path):
    path, cache = tmp_path / "x", {}
    path.write_text("a")
    os.utime(path, (1, 1))
    first = known_fingerprint(path, "x", cache)
    assert known_fingerprint(path, "x", cache) == first and list(cache) == ["x"]
    path.write_text("b")
    assert known_fingerprint(path, "x", cache) != first
