"""A spaCy training config, fitted to a task."""

from __future__ import annotations

from pathlib import Path

import pytest
from spacy import util
from spacy.schemas import ConfigSchemaTraining
from spacy.util import registry

from spacy_synthesizrr.errors import ConfigError, StudentError
from spacy_synthesizrr.students.config import StudentTask, count_steps, read_student_config, use_gpu

BOW = Path(__file__).parents[2] / "configs" / "student.bow.cfg"
EXCLUSIVE = StudentTask(("a", "b"), True, "de")
MULTI = StudentTask(("a", "b"), False, "en")
TRAINING = {"max_epochs": 25, "max_steps": 0, "eval_frequency": 50, "batcher": {"@batchers": "spacy.batch_by_sequence.v1", "size": 32}}


def test_shipped_config_is_complete_for_spacy():
    config = util.load_config(BOW).interpolate()
    resolved = registry.resolve(config["training"], schema=ConfigSchemaTraining)
    assert resolved["score_weights"] == {"cats_score": 0.0, "cats_micro_f": 1.0}


def test_config_takes_language_and_labels_from_the_task():
    config = read_student_config(BOW, EXCLUSIVE)
    assert config["nlp"]["lang"] == "de"
    assert config["initialize"]["components"] == {"textcat": {"labels": ["a", "b"]}}


def test_multi_label_task_gets_the_multi_label_component():
    config = read_student_config(BOW, MULTI)
    assert config["nlp"]["pipeline"] == ["textcat_multilabel"]
    assert config["components"]["textcat_multilabel"]["factory"] == "textcat_multilabel"
    assert config["components"]["textcat_multilabel"]["model"]["exclusive_classes"] is False


def test_exclusive_classes_are_set_in_sub_models_too(tmp_path):
    path = tmp_path / "student.deep.cfg"
    path.write_text(BOW.read_text() + "\n[components.textcat.model.linear_model]\nexclusive_classes = true\n")
    config = read_student_config(path, MULTI)
    assert config["components"]["textcat_multilabel"]["model"]["linear_model"]["exclusive_classes"] is False


def test_scorer_of_the_other_factory_is_dropped(tmp_path):
    path = tmp_path / "student.filled.cfg"
    path.write_text(BOW.read_text() + '\n[components.textcat.scorer]\n@scorers = "spacy.textcat_scorer.v2"\n')
    assert "scorer" not in read_student_config(path, MULTI)["components"]["textcat_multilabel"]
    assert "scorer" in read_student_config(path, EXCLUSIVE)["components"]["textcat"]


@pytest.mark.parametrize("text", ["[nlp\n", "lang = 1\n"])
def test_file_that_is_no_config_is_refused(tmp_path, text):
    path = tmp_path / "student.bad.cfg"
    path.write_text(text)
    with pytest.raises(ConfigError, match="student.bad.cfg cannot be read as a spaCy training config"):
        read_student_config(path, EXCLUSIVE)


def test_config_without_training_is_refused(tmp_path):
    path = tmp_path / "student.bad.cfg"
    path.write_text('[nlp]\nlang = "en"\n\n[components]\n\n[corpora]\n')
    with pytest.raises(ConfigError, match=r"section \[training\] is missing"):
        read_student_config(path, EXCLUSIVE)


def test_config_without_classifier_is_refused(tmp_path):
    path = tmp_path / "student.bad.cfg"
    path.write_text(BOW.read_text().replace("components.textcat", "components.tagger"))
    with pytest.raises(ConfigError, match=r"\[components.textcat\]; this config has 0"):
        read_student_config(path, EXCLUSIVE)


@pytest.mark.parametrize(
    ("change", "rows", "steps"),
    [
        ({}, 240, 201),  # 25 passes of 8 batches
        ({}, 257, 251),  # a ninth batch: 225, up to the next evaluation
        ({"max_steps": 100}, 240, 101),
        ({"max_epochs": 0, "max_steps": 400}, 10, 401),
        ({"max_epochs": -1, "max_steps": 400}, 10, 401),
        ({"max_epochs": 0, "max_steps": 400, "batcher": {"@batchers": "spacy.batch_by_words.v1", "size": 2000}}, 240, 401),
        ({"max_steps": 410}, 10_000, 451),  # no update after the last evaluation is wasted
    ],
)
def test_steps_follow_passes_and_limit_and_end_with_an_evaluation(change, rows, steps):
    assert count_steps({**TRAINING, **change}, rows) == steps


@pytest.mark.parametrize("batcher", [
    {"@batchers": "spacy.batch_by_words.v1", "size": 2000}, {"@batchers": "spacy.batch_by_padded.v1", "size": 2000},
    {"@batchers": "spacy.batch_by_sequence.v1", "size": {"@schedules": "compounding.v1"}}, {},
])  # fmt: skip
def test_passes_can_be_counted_only_in_batches_of_so_many_rows(batcher):
    with pytest.raises(ConfigError, match=r"max_epochs = 25 .*spacy.batch_by_sequence.v1 .*max_epochs = 0 and max_steps"):
        count_steps({**TRAINING, "max_steps": 400, "batcher": batcher}, 240)


@pytest.mark.parametrize("change", [{"max_epochs": 0}, {"eval_frequency": 0}])
def test_config_without_limit_is_refused(change):
    with pytest.raises(ConfigError, match="must limit the steps"):
        count_steps({**TRAINING, **change}, 240)


def test_cpu_needs_nothing():
    use_gpu(-1)


def test_missing_gpu_is_named_with_a_cure():
    with pytest.raises(StudentError, match="no GPU 97.*--vars.gpu_id -1"):
        use_gpu(97)


SHIPPED = {"cats_score": 0.0, "cats_micro_f": 1.0}


@pytest.mark.parametrize("kind", ["bow", "reduce", "ensemble", "frozen", "transformer", "distilbert", "deberta-v3-large"])
def test_ranking_chooses_the_model_where_thresholds_come_after_it(kind):
    path = Path(__file__).parents[2] / "configs" / f"student.{kind}.cfg"
    weights = {
        exclusive: read_student_config(path, StudentTask(("a", "b"), exclusive, "en"))["training"]["score_weights"]
        for exclusive in (True, False)
    }
    assert weights[True] == SHIPPED
    assert weights[False] == {**SHIPPED, "cats_micro_f": 0.0, "cats_macro_auc": 1.0}


def test_score_weights_of_ones_own_are_left_alone(tmp_path):
    text = (Path(__file__).parents[2] / "configs" / "student.bow.cfg").read_text(encoding="utf-8")
    (tmp_path / "student.cfg").write_text(text.replace("cats_score = 0.0", "cats_macro_f = 0.7"), encoding="utf-8")
    config = read_student_config(tmp_path / "student.cfg", StudentTask(("a", "b"), False, "en"))
    assert config["training"]["score_weights"] == {"cats_macro_f": 0.7, "cats_micro_f": 1.0}
