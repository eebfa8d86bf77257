"""A temperature inside the weights, for every architecture of spaCy, with one label per row and with several."""

from __future__ import annotations

import itertools
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import spacy
from plain_spacy import plain_python
from small_students import ARCHITECTURES, EXCLUSIVE, LABELS, SEVERAL, rows, student, trained
from thinc.api import Linear, Model, chain, concatenate, reduce_mean, softmax_activation

from spacy_synthesizrr.students.quality.calibration import probabilities
from spacy_synthesizrr.students.quality.output_layer import candidates, classifier, observe, predict
from spacy_synthesizrr.students.quality.temperature import fold

KINDS = list(itertools.product(ARCHITECTURES, (EXCLUSIVE, SEVERAL)))
every_kind = pytest.mark.parametrize(("architecture", "task"), KINDS, ids=lambda value: getattr(value, "component", value))
PLAIN = """
import importlib.util, sys
assert importlib.util.find_spec("spacy_synthesizrr") is None
import spacy
nlp = spacy.load(sys.argv[1])
print(*(nlp(sys.argv[2]).cats[label] for label in sys.argv[3:]))
"""


@cache
def folder_of(architecture, component):
    """Trained students as bytes, so that each test has its own to change."""
    nlp = student(architecture, EXCLUSIVE if component == "textcat" else SEVERAL)
    return nlp.config, nlp.to_bytes()


def fresh(architecture, task):
    config, data = folder_of(architecture, task.component)
    return spacy.util.load_model_from_config(config, auto_fill=False).from_bytes(data)


def read(nlp, number=40):
    return [nlp.make_doc(text) for text, _ in rows(number, seed=1)]


@every_kind
@pytest.mark.parametrize("temperature", [0.05, 20.0])
def test_scores_are_those_of_the_scaled_logits(architecture, task, temperature):
    nlp = fresh(architecture, task)
    docs = read(nlp)
    seen = observe(nlp, docs, task)
    assert seen.why == ""
    assert fold(nlp, seen.layer, temperature, docs=docs, logits=seen.logits, task=task) == ""
    expected = probabilities(seen.logits / temperature, exclusive=task.exclusive)
    assert predict(nlp, docs, task) == pytest.approx(expected, abs=2e-5)


@every_kind
def test_log_ratios_shrink_by_exactly_the_temperature(architecture, task):
    nlp = fresh(architecture, task)
    docs = read(nlp)
    before = predict(nlp, docs, task)
    seen = observe(nlp, docs, task)
    fold(nlp, seen.layer, 2.5, docs=docs, logits=seen.logits, task=task)
    after = predict(nlp, docs, task)

    def ratios(scores):
        return np.log(scores[:, 1:] / scores[:, :1]) if task.exclusive else np.log(scores / (1 - scores))

    assert ratios(after) == pytest.approx(ratios(before) / 2.5, abs=1e-4)


@every_kind
@pytest.mark.parametrize("temperature", [0.005, 0.05, 7.0])
def test_the_label_on_top_stays(architecture, task, temperature):
    nlp = fresh(architecture, task)
    docs = read(nlp)
    seen = observe(nlp, docs, task)
    fold(nlp, seen.layer, temperature, docs=docs, logits=seen.logits, task=task)
    after = predict(nlp, docs, task)
    assert np.array_equal(after.argmax(axis=1), seen.scores.argmax(axis=1)) or not task.exclusive
    clear = np.abs(seen.scores - 0.5) > 1e-6
    assert np.array_equal((after > 0.5)[clear], (seen.scores > 0.5)[clear]) or task.exclusive


@every_kind
def test_a_saved_student_gives_the_same_scores(architecture, task, tmp_path):
    nlp = fresh(architecture, task)
    docs = read(nlp)
    seen = observe(nlp, docs, task)
    fold(nlp, seen.layer, 3.0, docs=docs, logits=seen.logits, task=task)
    nlp.to_disk(tmp_path / "student")
    loaded = spacy.load(tmp_path / "student")
    assert np.array_equal(predict(loaded, read(loaded), task), predict(nlp, docs, task))


@every_kind
def test_the_layer_is_as_before_after_it_was_watched(architecture, task):
    nlp = fresh(architecture, task)
    before = nlp.to_bytes()
    forwards = [layer._func for layer in classifier(nlp, task).model.walk()]
    observe(nlp, read(nlp), task)
    assert [layer._func for layer in classifier(nlp, task).model.walk()] == forwards
    assert nlp.to_bytes() == before


@pytest.mark.parametrize("task", [EXCLUSIVE, SEVERAL], ids=["one", "several"])
def test_plain_spacy_gives_the_scaled_scores(task, tmp_path):
    nlp = fresh("ensemble", task)
    docs = read(nlp)
    seen = observe(nlp, docs, task)
    fold(nlp, seen.layer, 3.0, docs=docs, logits=seen.logits, task=task)
    nlp.to_disk(tmp_path / "student")
    printed = plain_python(tmp_path / "site", "-c", PLAIN, tmp_path / "student", docs[0].text, *LABELS)
    expected = probabilities(seen.logits[:1] / 3.0, exclusive=task.exclusive)[0]
    assert [float(word) for word in printed.split()] == pytest.approx(list(expected), abs=1e-5)


def test_the_ensembles_own_reference_is_not_its_last_layer():
    nlp = fresh("ensemble", EXCLUSIVE)
    found = list(candidates(classifier(nlp, EXCLUSIVE).model))
    assert [layer.name for layer in found] == ["softmax", "sparse_linear"]
    assert observe(nlp, read(nlp), EXCLUSIVE).layer is found[0]


def test_labels_in_another_order_than_the_tasks_keep_their_scores():
    nlp = fresh("bow", EXCLUSIVE)
    turned = type(EXCLUSIVE)(LABELS[::-1], True, "en")
    docs = read(nlp)
    assert np.array_equal(observe(nlp, docs, turned).logits[:, ::-1], observe(nlp, docs, EXCLUSIVE).logits)


def test_a_model_without_softmax_stays_as_it_is():
    nlp = student("bow", EXCLUSIVE, model={**ARCHITECTURES["bow"], "no_output_layer": True})
    seen = observe(nlp, read(nlp), EXCLUSIVE)
    assert (seen.logits, seen.layer) == (None, None)
    assert "does not explain the scores" in seen.why


@spacy.registry.architectures("tests.SideBySide.v1")
def side_by_side(tok2vec: Model, exclusive_classes: bool, nO: int | None = None) -> Model:
    """Two halves of the labels, each with a layer of its own: there is no last layer."""
    from thinc.api import list2ragged

    width = tok2vec.get_dim("nO")
    halves = concatenate(Linear(1, width).initialize(), Linear(2, width).initialize())
    halves.init = lambda model, X=None, Y=None: None
    model = chain(tok2vec, list2ragged(), reduce_mean(), halves, softmax_activation())
    model.attrs["multi_label"] = not exclusive_classes
    return model


@spacy.registry.architectures("tests.OwnForward.v1")
def own_forward(tok2vec: Model, exclusive_classes: bool, nO: int | None = None) -> Model:
    """A model whose inside nobody can look into, that names its linear layer."""
    from thinc.api import Logistic, list2ragged

    linear = Linear(nO, tok2vec.get_dim("nO"))
    inner = chain(tok2vec, list2ragged(), reduce_mean(), linear, softmax_activation() if exclusive_classes else Logistic())

    def forward(model, docs, is_train):
        return inner(docs, is_train)

    def init(model, X=None, Y=None):
        inner.initialize(X, Y)

    made = Model("own", forward, init=init, layers=[inner], refs={"output_layer": linear}, attrs={"multi_label": not exclusive_classes})
    made.attrs["resize_output"] = lambda model, labels: model
    return made


def own(name, task):
    from small_students import TOK2VEC

    return trained({"@architectures": name, "tok2vec": TOK2VEC, "exclusive_classes": task.exclusive, "nO": 3}, task, steps=5)


def test_a_model_without_one_last_layer_stays_as_it_is():
    nlp = own("tests.SideBySide.v1", EXCLUSIVE)
    assert "is not one of those that can be scaled" in observe(nlp, read(nlp), EXCLUSIVE).why


@pytest.mark.parametrize("task", [EXCLUSIVE, SEVERAL], ids=["one", "several"])
def test_a_model_that_names_its_linear_layer_is_scaled_there(task):
    nlp = own("tests.OwnForward.v1", task)
    docs = read(nlp)
    seen = observe(nlp, docs, task)
    assert fold(nlp, seen.layer, 3.0, docs=docs, logits=seen.logits, task=task) == ""
    assert predict(nlp, docs, task) == pytest.approx(probabilities(seen.logits / 3.0, exclusive=task.exclusive), abs=1e-5)


def test_a_wrong_fold_is_undone_and_said():
    nlp = fresh("ensemble", EXCLUSIVE)
    docs = read(nlp)
    seen = observe(nlp, docs, EXCLUSIVE)
    _, wrong = candidates(classifier(nlp, EXCLUSIVE).model)
    before = nlp.to_bytes()
    why = fold(nlp, wrong, 3.0, docs=docs, logits=seen.logits, task=EXCLUSIVE)
    assert "scores were off by up to 0." in why
    assert nlp.to_bytes() == before


def test_nothing_is_changed_by_a_temperature_of_one():
    nlp = fresh("bow", EXCLUSIVE)
    docs = read(nlp)
    seen = observe(nlp, docs, EXCLUSIVE)
    before = nlp.to_bytes()
    fold(nlp, seen.layer, 1.0, docs=docs, logits=seen.logits, task=EXCLUSIVE)
    assert nlp.to_bytes() == before


def test_this_file_knows_every_text_classifier_of_spacy():
    source = (Path(spacy.__file__).parent / "ml" / "models" / "textcat.py").read_text(encoding="utf-8")
    builders = {line.split("(")[0].removeprefix("def ") for line in source.splitlines() if line.startswith("def build_")}
    known = {
        "build_simple_cnn_text_classifier", "build_bow_text_classifier", "build_bow_text_classifier_v3", "build_text_classifier_v2",
        "build_text_classifier_lowdata", "build_textcat_parametric_attention_v1", "build_reduce_text_classifier",
    }  # fmt: skip
    assert builders == known
