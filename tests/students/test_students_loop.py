"""The training loop: the best model on disk at every evaluation, and going on to the very same student."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import spacy
from spacy.training.initialize import init_nlp

from spacy_synthesizrr.students.config import StudentTask, read_student_config
from spacy_synthesizrr.students.export import write_docs
from spacy_synthesizrr.students.fitting import fit
from spacy_synthesizrr.students.job import Job
from spacy_synthesizrr.students.loop import BEST, CHECKPOINT, Place, train_loop
from spacy_synthesizrr.students.rows import StudentRow

CONFIGS = Path(__file__).parents[2] / "configs"
TASK = StudentTask(("sport", "business"), True, "en")
WORDS = {"sport": "goal match striker coach league", "business": "bank shares profit market merger"}
KINDS = ("bow", "reduce", "ensemble")
TEXT = "The coach praised the bank after the match."


def rows(kind, number):
    for i in range(number):
        label = TASK.labels[i % 2]
        words = WORDS[label].split()
        yield StudentRow(f"{kind}:{i + 1}", f"The {words[i % 5]} and the {words[(i + 2) % 5]}.", (label,))


@pytest.fixture(scope="module")
def sets(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sets")
    for kind, number in (("train", 48), ("dev", 12)):
        write_docs(rows(kind, number), folder / f"{kind}.spacy", nlp=spacy.blank("en"), labels=TASK.labels)
    return folder


def pipeline(sets, folder, kind="bow", steps=13, every=4):
    config = read_student_config(CONFIGS / f"student.{kind}.cfg", TASK)
    config["training"]["eval_frequency"] = every
    config["training"]["batcher"]["size"] = 8
    return init_nlp(fit(config, Job("main", 0, steps, sets / "train.spacy", sets / "dev.spacy", folder / "0", "inputs")))


class Killed(Exception):
    """What stands for the end of the process."""


def kill_at(step):
    def on_step(now):
        if now == step:
            raise Killed

    return on_step


def run(sets, folder, kind="bow", *, on_step=lambda step: None, key="key"):
    nlp = pipeline(sets, folder, kind)
    place = Place(folder, key, seconds=0)
    return nlp, train_loop(nlp, place, on_step=on_step)


def model_bytes(folder):
    return (folder / BEST / "textcat" / "model").read_bytes()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("step", [6, 8, 11])  # with 6 batches in a pass: within the first, in the second, at its end
def test_training_that_broke_off_goes_on_to_the_same_student(sets, tmp_path, kind, step):
    whole_nlp, whole = run(sets, tmp_path / "whole", kind)
    with pytest.raises(Killed):
        run(sets, tmp_path / "broken", kind, on_step=kill_at(step))
    nlp, evaluations = run(sets, tmp_path / "broken", kind)
    assert evaluations == whole
    assert nlp.get_pipe("textcat").model.to_bytes() == whole_nlp.get_pipe("textcat").model.to_bytes()
    assert model_bytes(tmp_path / "broken") == model_bytes(tmp_path / "whole")


def test_going_on_does_no_update_twice(sets, tmp_path, monkeypatch):
    with pytest.raises(Killed):
        run(sets, tmp_path, on_step=kill_at(9))
    from spacy.pipeline import TextCategorizer

    sizes = []
    update = TextCategorizer.update
    monkeypatch.setattr(
        TextCategorizer, "update", lambda self, examples, **more: sizes.append(len(examples)) or update(self, examples, **more)
    )
    run(sets, tmp_path)
    assert sum(map(bool, sizes)) == 13 - 9  # updates 0 to 8 are in the checkpoint


def test_best_so_far_can_be_loaded_when_training_breaks_off(sets, tmp_path):
    with pytest.raises(Killed):
        run(sets, tmp_path, on_step=kill_at(5))
    assert set(spacy.load(tmp_path / BEST)(TEXT).cats) == set(TASK.labels)


def test_checkpoint_of_another_job_is_of_no_use(sets, tmp_path):
    with pytest.raises(Killed):
        run(sets, tmp_path, on_step=kill_at(9))
    assert Place(tmp_path, "another").checkpoint() is None


@pytest.mark.parametrize("text", ["", "{", "[]", '{"key": "key"}'])
def test_damaged_checkpoint_is_of_no_use(sets, tmp_path, text):
    with pytest.raises(Killed):
        run(sets, tmp_path, on_step=kill_at(9))
    (tmp_path / CHECKPOINT / "state.json").write_text(text)
    assert Place(tmp_path, "key").checkpoint() is None


def test_short_training_writes_no_checkpoint(sets, tmp_path):
    train_loop(pipeline(sets, tmp_path), Place(tmp_path, "key"), on_step=lambda step: None)
    assert not (tmp_path / CHECKPOINT).exists()


def test_moving_averages_are_kept_and_restored(sets, tmp_path):
    def averaged(folder, on_step=lambda step: None):
        config = read_student_config(CONFIGS / "student.bow.cfg", TASK)
        config["training"]["eval_frequency"] = 4
        config["training"]["optimizer"]["use_averages"] = True
        nlp = init_nlp(fit(config, Job("main", 0, 13, sets / "train.spacy", sets / "dev.spacy", folder / "0", "inputs")))
        train_loop(nlp, Place(folder, "key", seconds=0), on_step=on_step)
        return model_bytes(folder)

    with pytest.raises(Killed):
        averaged(tmp_path / "broken", kill_at(7))
    assert averaged(tmp_path / "broken") == averaged(tmp_path / "whole")


def test_checkpoint_holds_plain_numbers_only(sets, tmp_path):
    run(sets, tmp_path)
    files = {path.name for path in (tmp_path / CHECKPOINT).rglob("*") if path.is_file()}
    assert files == {"state.json", "optimizer.npz", "textcat"}
    assert json.loads((tmp_path / CHECKPOINT / "state.json").read_text())["step"] == 12


def test_steps_are_told_one_by_one(sets, tmp_path):
    told = []
    run(sets, tmp_path, on_step=told.append)
    assert told == list(range(13))
