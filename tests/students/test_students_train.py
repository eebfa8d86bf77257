"""One student, trained by spaCy's own function."""

from __future__ import annotations

import json
import shutil
import warnings
from dataclasses import replace
from pathlib import Path

import pytest
import spacy
from spacy.util import load_config

from spacy_synthesizrr.errors import ConfigError
from spacy_synthesizrr.students.config import StudentTask, read_student_config
from spacy_synthesizrr.students.evaluate import answer, load_each, read_gold, score
from spacy_synthesizrr.students.export import write_docs
from spacy_synthesizrr.students.fitting import fit, make_plain
from spacy_synthesizrr.students.job import Job, find_trained
from spacy_synthesizrr.students.rows import StudentRow
from spacy_synthesizrr.students.train import save_student, train_student

BOW = Path(__file__).parents[2] / "configs" / "student.bow.cfg"
TASK = StudentTask(("sport", "business"), True, "en")
TOPICS = StudentTask(("sport", "business"), False, "en")
WORDS = {"sport": "goal match striker coach league", "business": "bank shares profit market merger"}
TEXT = "The coach praised the striker after the match."


def rows(kind, number, sets=(("sport",), ("business",))):
    """Rows of which each has two words of each of its topics."""
    for i in range(number):
        labels = sets[i % len(sets)]
        words = [WORDS[label].split()[(i + shift) % 5] for label in labels for shift in range(2)]
        yield StudentRow(f"{kind}:{i + 1}", f"The {' and the '.join(words or ['weather'])}.", labels)


@pytest.fixture(scope="module")
def sets(tmp_path_factory):
    """Train, dev and test of the two topics."""
    folder = tmp_path_factory.mktemp("sets")
    for kind, number in (("train", 24), ("dev", 8), ("test", 10)):
        write_docs(rows(kind, number), folder / f"{kind}.spacy", nlp=spacy.blank("en"), labels=TASK.labels)
    write_docs([], folder / "empty.spacy", nlp=spacy.blank("en"), labels=TASK.labels)
    return folder


def job(sets, folder, **changes):
    made = Job("main", 0, 51, sets / "train.spacy", sets / "dev.spacy", folder / "main" / "0", "inputs")
    return replace(made, **changes)


def train(a_job, task=TASK, has_dev=True, **options):
    return train_student(a_job, read_student_config(BOW, task), task=task, has_dev=has_dev, **options)


@pytest.fixture(scope="module")
def trained(sets, tmp_path_factory):
    """A student; tests only read it."""
    return train(job(sets, tmp_path_factory.mktemp("training")))


def test_student_is_a_spacy_pipeline_that_has_learned(trained):
    doc = spacy.load(trained.folder)(TEXT)
    assert doc.cats["sport"] > doc.cats["business"]


def test_updates_are_as_many_as_asked_for_and_the_last_is_evaluated(trained):
    assert trained.steps == 51
    assert [step for step, _ in trained.curve] == [0, 50]


def test_dev_score_is_that_of_the_kept_model(trained, sets):
    nlp = spacy.load(trained.folder)
    assert trained.dev == score(nlp, read_gold(sets / "dev.spacy", nlp, TASK), TASK).score


def test_training_is_silent(sets, tmp_path, capfd, recwarn):
    warnings.simplefilter("always")
    train(job(sets, tmp_path))
    assert capfd.readouterr() == ("", "")
    assert not recwarn.list


def test_same_seed_gives_the_same_files(trained, sets, tmp_path):
    again = train(job(sets, tmp_path))
    for name in ("textcat/model", "vocab/strings.json", "training.json"):
        assert (again.folder / name).read_bytes() == (trained.folder / name).read_bytes()


def test_another_seed_gives_another_student(trained, sets, tmp_path):
    other = train(job(sets, tmp_path, seed=1))
    assert (other.folder / "textcat/model").read_bytes() != (trained.folder / "textcat/model").read_bytes()


def test_without_dev_rows_the_last_model_is_kept(trained, sets, tmp_path):
    last = train(job(sets, tmp_path, dev=sets / "empty.spacy"), has_dev=False)
    assert (last.dev, last.best_step, last.curve) == (None, 50, ())
    assert spacy.load(last.folder)(TEXT).cats["sport"] > 0.5


def test_spacy_train_takes_the_shipped_config_and_makes_the_same_student(trained, sets, tmp_path):
    from spacy.cli.train import train as spacy_train

    paths = {"paths.train": str(sets / "train.spacy"), "paths.dev": str(sets / "dev.spacy")}
    spacy_train(BOW, tmp_path, overrides={**paths, "training.max_epochs": 0, "training.max_steps": 50})
    assert (tmp_path / "model-best/textcat/model").read_bytes() == (trained.folder / "textcat/model").read_bytes()


def test_finished_student_is_found_again(trained, sets):
    found = find_trained(job(sets, trained.folder.parents[1]), read_student_config(BOW, TASK))
    assert found == trained


@pytest.mark.parametrize("change", [{"inputs": "other rows"}, {"steps": 101}])
def test_student_of_other_rows_or_steps_does_not_count(trained, sets, change):
    assert find_trained(job(sets, trained.folder.parents[1], **change), read_student_config(BOW, TASK)) is None


def test_student_of_another_config_does_not_count(trained, sets):
    config = read_student_config(BOW, TASK)
    config["training"]["optimizer"]["learn_rate"] = 0.5
    assert find_trained(job(sets, trained.folder.parents[1]), config) is None


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"key": 1'])
def test_damaged_record_does_not_count(trained, sets, tmp_path, text):
    folder = shutil.copytree(trained.folder, tmp_path / "main" / "0")
    (folder / "training.json").write_text(text)
    assert find_trained(job(sets, tmp_path), read_student_config(BOW, TASK)) is None


def test_what_a_killed_training_left_is_in_nobodys_way(sets, tmp_path):
    litter = tmp_path / "main" / "0.unfinished"
    (litter / "model-best").mkdir(parents=True)
    (litter / "log.jsonl").write_text("half a li")
    train(job(sets, tmp_path))
    assert [path.name for path in (tmp_path / "main").iterdir()] == ["0"]


def test_config_that_spacy_refuses_is_named(sets, tmp_path):
    config = read_student_config(BOW, TASK)
    config["training"]["optimizer"]["learning_rate"] = 1.0
    with pytest.raises(ConfigError, match="spaCy refuses the student's config.*learning_rate"):
        train_student(job(sets, tmp_path), config, task=TASK, has_dev=True)


def test_multi_label_student_gives_any_number_of_labels(tmp_path):
    label_sets = (("sport",), ("business",), ("sport", "business"), ())
    for kind, number in (("train", 64), ("dev", 8)):
        write_docs(rows(kind, number, label_sets), tmp_path / f"{kind}.spacy", nlp=spacy.blank("en"), labels=TOPICS.labels)
    nlp = spacy.load(train(job(tmp_path, tmp_path, steps=401), TOPICS).folder)
    docs = [
        nlp.make_doc(text) for text in ("The striker and the coach.", "The goal and the match and the bank and the shares.", "The weather.")
    ]
    assert answer(nlp, docs, TOPICS) == [("sport",), ("sport", "business"), ()]


def test_saved_student_refers_to_nothing_of_the_run(trained, sets, tmp_path):
    save_student(trained, tmp_path / "student", meta={"name": "news", "synthesizrr": {"run": "r"}})
    config = load_config(tmp_path / "student" / "config.cfg")
    assert config["paths"]["train"] is None
    assert "synthesizrr" not in config.to_str()
    assert str(sets) not in (tmp_path / "student" / "config.cfg").read_text()
    meta = json.loads((tmp_path / "student" / "meta.json").read_text())
    assert (meta["name"], meta["synthesizrr"]["run"], meta["labels"]) == ("news", "r", {"textcat": ["sport", "business"]})
    assert meta["synthesizrr"]["finish"]["temperature"] == 1


def test_saved_student_can_be_trained_on(trained, sets, tmp_path):
    from spacy.training.initialize import init_nlp

    save_student(trained, tmp_path / "student", meta={})
    config = load_config(tmp_path / "student" / "config.cfg")
    config["paths"] |= {"train": str(sets / "train.spacy"), "dev": str(sets / "dev.spacy")}
    assert init_nlp(config).pipe_names == ["textcat"]


def test_sourced_into_another_pipeline_the_student_scores_the_same(trained, tmp_path):
    save_student(trained, tmp_path / "student", meta={})
    student = spacy.load(tmp_path / "student")
    other = spacy.blank("en")
    other.add_pipe("sentencizer")
    other.add_pipe("textcat", source=student)
    assert other(TEXT).cats == student(TEXT).cats
    assert len(list(other(TEXT).sents)) == 1


def test_students_loaded_one_into_the_other_answer_like_spacy_load(trained, sets, tmp_path):
    folders = [trained.folder, train(job(sets, tmp_path, seed=1)).folder, trained.folder]
    cats = [nlp(TEXT).cats for nlp in load_each(folders)]
    assert cats == [spacy.load(folder)(TEXT).cats for folder in folders]


def test_scores_equal_those_of_spacy(trained, sets):
    from spacy.training import Corpus

    nlp = spacy.load(trained.folder)
    mine = score(nlp, read_gold(sets / "test.spacy", nlp, TASK), TASK)
    its = nlp.evaluate(list(Corpus(sets / "test.spacy")(nlp)))
    assert (mine.score, mine.macro_f) == (pytest.approx(its["cats_micro_f"]), pytest.approx(its["cats_macro_f"]))


def test_gold_knows_the_lines_of_the_users_file(sets):
    gold = read_gold(sets / "test.spacy", spacy.blank("en"), TASK)
    assert gold.lines == list(range(1, 11))
    assert gold.labels[:2] == [("sport",), ("business",)]


def test_gold_is_read_from_shards_in_order(tmp_path):
    write_docs(rows("test", 7), tmp_path / "test.spacy", nlp=spacy.blank("en"), labels=TASK.labels, shard_rows=2)
    assert read_gold(tmp_path / "test.spacy", spacy.blank("en"), TASK).lines == list(range(1, 8))


def test_training_that_broke_off_leaves_its_best_and_is_gone_on_with(trained, sets, tmp_path):
    class Killed(Exception):
        """What stands for the end of the process."""

    def kill(step):
        if step == 50:
            raise Killed

    with pytest.raises(Killed):
        train(job(sets, tmp_path), on_step=kill, checkpoint_seconds=0)
    assert spacy.load(tmp_path / "main" / "0.unfinished" / "model-best")(TEXT).cats
    told = []
    again = train(job(sets, tmp_path), on_step=told.append, checkpoint_seconds=0)
    assert (again.folder / "textcat/model").read_bytes() == (trained.folder / "textcat/model").read_bytes()
    assert [path.name for path in (tmp_path / "main").iterdir()] == ["0"]


def test_shards_are_streamed(sets, tmp_path):
    write_docs(rows("train", 24), tmp_path / "train.spacy", nlp=spacy.blank("en"), labels=TASK.labels, shard_rows=5)
    found = train(job(sets, tmp_path, train=tmp_path / "train.spacy"))
    assert (found.steps, spacy.load(found.folder)(TEXT).cats["sport"] > 0.5) == (51, True)
    assert "synthesizrr" not in (found.folder / "config.cfg").read_text()


def test_killed_while_it_is_finished_a_student_is_finished_by_the_rerun(trained, sets, tmp_path, monkeypatch):
    from spacy_synthesizrr.students import train as module

    def killed(path, row):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(module, "write_json", killed)
        train(job(sets, tmp_path), checkpoint_seconds=0)
    again = train(job(sets, tmp_path), checkpoint_seconds=0)
    assert (again.folder / "textcat/model").read_bytes() == (trained.folder / "textcat/model").read_bytes()
    assert [path.name for path in (tmp_path / "main").iterdir()] == ["0"]


def test_student_of_which_a_file_is_gone_does_not_count(trained, sets, tmp_path):
    folder = shutil.copytree(trained.folder, tmp_path / "main" / "0")
    assert find_trained(job(sets, tmp_path), read_student_config(BOW, TASK))
    (folder / "textcat/model").unlink()
    assert find_trained(job(sets, tmp_path), read_student_config(BOW, TASK)) is None


def test_refused_config_leaves_nothing_behind(sets, tmp_path):
    config = read_student_config(BOW, TASK)
    config["components"]["textcat"]["model"]["length"] = "long"
    with pytest.raises(ConfigError):
        train_student(job(sets, tmp_path), config, task=TASK, has_dev=True)
    assert not (tmp_path / "main").exists()


@pytest.mark.parametrize(("warmup", "total"), [(6, 0), (7, 6), ("6", 100), (-1, 10)])
def test_schedule_without_a_share_is_told(sets, tmp_path, warmup, total):
    config = read_student_config(BOW, TASK)
    rate = {"@schedules": "warmup_linear.v1", "initial_rate": 0.001, "warmup_steps": warmup, "total_steps": total}
    config["training"]["optimizer"]["learn_rate"] = rate
    with pytest.raises(ConfigError, match="warmup_steps"):
        train_student(job(sets, tmp_path), config, task=TASK, has_dev=True)


def test_schedule_may_refer_to_the_steps_and_ends_with_the_training(sets, tmp_path):
    config = read_student_config(BOW, TASK)
    rate = {"@schedules": "warmup_linear.v1", "initial_rate": 0.001, "warmup_steps": 40, "total_steps": "${training.max_steps}"}  # 400
    config["training"]["optimizer"]["learn_rate"] = rate
    assert fit(config, job(sets, tmp_path))["training"]["optimizer"]["learn_rate"] == {**rate, "warmup_steps": 5, "total_steps": 51}


def test_saved_config_names_no_place(sets, tmp_path):
    config = read_student_config(BOW, TASK)
    config["paths"]["secret"] = "/home/somebody/rows"
    config["components"]["textcat"]["model"]["name"] = ["/home/somebody/encoder", "org/model"]
    config.to_disk(tmp_path / "config.cfg")
    make_plain(tmp_path / "config.cfg")
    assert "somebody" not in (tmp_path / "config.cfg").read_text()
    assert load_config(tmp_path / "config.cfg")["components"]["textcat"]["model"]["name"] == ["encoder", "org/model"]


@pytest.mark.parametrize("exclusive", [True, False])
def test_two_hundred_labels_are_learned(tmp_path, exclusive):
    labels = tuple(f"label {number}" for number in range(200))
    task = StudentTask(labels, exclusive, "en")
    for kind in ("train", "dev"):
        some = [StudentRow(f"{kind}:{number}", f"word{number} word{number}", (label,)) for number, label in enumerate(labels)]
        write_docs(some, tmp_path / f"{kind}.spacy", nlp=spacy.blank("en"), labels=labels)
    nlp = spacy.load(train(job(tmp_path, tmp_path, steps=401), task).folder)
    assert answer(nlp, [nlp.make_doc("word7 word7"), nlp.make_doc("word199 word199")], task) == [("label 7",), ("label 199",)]
