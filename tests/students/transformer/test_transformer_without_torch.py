"""What can be said of the transformer student where there is no torch: its configs, its errors, its parts that need none."""

import importlib.util
import subprocess
import sys

import numpy as np
import pytest
import spacy
from conftest import ROOT
from hypothesis import given
from hypothesis import strategies as st
from spacy.schemas import ConfigSchemaTraining
from spacy.util import load_config, registry
from thinc.api import NumpyOps

from spacy_synthesizrr.embedders.folders import package_folder
from spacy_synthesizrr.errors import ConfigError, MissingExtraError
from spacy_synthesizrr.students.config import StudentTask, count_steps, read_student_config
from spacy_synthesizrr.students.transformer.activations import logistic_of_logits, softmax_of_logits
from spacy_synthesizrr.students.transformer.architecture import make_transformer_textcat
from spacy_synthesizrr.students.transformer.cache import VectorCache
from spacy_synthesizrr.students.transformer.onnx import export_onnx
from spacy_synthesizrr.students.transformer.pieces import cut_batches, padded

CONFIGS = ["transformer", "frozen", "distilbert", "deberta-v3-large"]
ARCHITECTURE = "synthesizrr.TransformerTextCat.v1"
without_torch = pytest.mark.skipif(importlib.util.find_spec("torch") is not None, reason="torch is installed")


@pytest.mark.parametrize("kind", CONFIGS)
@pytest.mark.parametrize("exclusive", [True, False])
def test_a_config_fits_the_task(kind, exclusive):
    path = ROOT / "configs" / f"student.{kind}.cfg"
    config = read_student_config(path, StudentTask(("a", "b"), exclusive, "en"))
    model = config["components"]["textcat" if exclusive else "textcat_multilabel"]["model"]
    assert model["@architectures"] == ARCHITECTURE
    assert model["exclusive_classes"] is exclusive
    training = config.interpolate()["training"]
    assert registry.resolve({"training": training}, schema=None)["training"]["optimizer"].learn_rate == 0.0  # it warms up
    ConfigSchemaTraining.model_validate({**registry.resolve(training), "train_corpus": "a", "dev_corpus": "b"})
    assert count_steps(training, 400) > 0


@pytest.mark.parametrize("kind", CONFIGS)
def test_six_hundredths_of_the_steps_are_warm_up(kind):
    training = load_config(ROOT / "configs" / f"student.{kind}.cfg")["training"]
    rate = training["optimizer"]["learn_rate"]
    assert rate["total_steps"] == training["max_steps"]
    assert rate["warmup_steps"] == 0.06 * rate["total_steps"]


@without_torch
def test_without_torch_the_extra_is_named():
    nlp = spacy.blank("en")
    config = {"model": {"@architectures": ARCHITECTURE, "name": "x", "exclusive_classes": True}}
    with pytest.raises(MissingExtraError, match=r"pip install 'spacy-synthesizrr\[transformers\]'"):
        nlp.add_pipe("textcat", config=config)


@without_torch
def test_an_export_without_torch_names_the_extra(tmp_path):
    with pytest.raises(MissingExtraError, match=r"spacy-synthesizrr\[transformers\]"):
        export_onnx(tmp_path, tmp_path / "out")


@pytest.mark.parametrize(
    ("parameters", "says"),
    [
        ({"name": ""}, "'name' is empty"),
        ({"name": []}, "'name' is empty"),
        ({"pooling": "firts"}, r"pooling = \"firts\" is unknown. Did you mean 'first'\?"),
        ({"long_texts": "all"}, "long_texts = \"all\" is unknown. Valid: 'cut', 'windows'"),
        ({"max_length": 4}, r"'max_length' must be 8 or more \(was: 4\)"),
        ({"batch_tokens": 0}, r"'batch_tokens' must be 1 or more \(was: 0\)"),
        ({"dropout": 1.0}, r"'dropout' must be at least 0 and below 1 \(was: 1.0\)"),
    ],
)
def test_a_parameter_that_cannot_be_is_told(parameters, says):
    with pytest.raises(ConfigError, match=says):
        make_transformer_textcat(**{"name": "x", "exclusive_classes": True, **parameters})


def test_the_config_is_checked_by_spacy():
    nlp = spacy.blank("en")
    config = {"model": {"@architectures": ARCHITECTURE, "name": "x", "exclusive_classes": True, "max_length": "long"}}
    with pytest.raises(ValueError, match="max_length"):
        nlp.add_pipe("textcat", config=config)


def test_the_architecture_imports_neither_torch_nor_transformers():
    code = (
        "import sys, spacy; before = set(sys.modules); import spacy_synthesizrr.students.transformer.architecture;"
        "import spacy_synthesizrr.students.transformer.onnx;"
        "print(*sorted({name.split('.')[0] for name in set(sys.modules) - before}))"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "spacy_synthesizrr" in loaded
    assert not {"torch", "transformers", "tokenizers", "safetensors", "onnx", "onnxruntime", "sklearn"} & set(loaded)


@pytest.mark.parametrize("make", [softmax_of_logits, logistic_of_logits])
def test_the_gradient_goes_through_as_it_is(make):
    layer = make()
    layer.ops = NumpyOps()
    logits = np.array([[2.0, -1.0, 0.0], [9.0, 9.0, -9.0]], dtype=np.float32)
    scores, backprop = layer(logits, is_train=True)
    wanted = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True) if make is softmax_of_logits else 1 / (1 + np.exp(-logits))
    assert np.allclose(scores, wanted, atol=1e-6)
    assert np.array_equal(backprop(scores - 1), scores - 1)


@given(st.lists(st.integers(0, 50), max_size=40), st.integers(1, 200))
def test_every_piece_is_in_one_batch_and_no_batch_is_too_large(lengths, budget):
    lengths = np.array(lengths, dtype=np.int64)
    batches = list(cut_batches(lengths, budget))
    assert sorted(np.concatenate([*batches, np.array([], dtype=np.int64)])) == list(np.flatnonzero(lengths))
    for batch in batches:
        assert len(batch) == 1 or len(batch) * lengths[batch].max() <= budget


def test_rows_are_padded_to_the_longest():
    assert padded([[7, 8, 9], [5]], 1).tolist() == [[7, 8, 9], [5, 1, 1]]


def test_the_cache_computes_a_text_once_and_stays_small():
    asked = []

    def compute(texts):
        asked.extend(texts)
        return np.array([[len(text)] * 4 for text in texts], dtype=np.float32)

    cache = VectorCache(most_bytes=3 * 16)
    assert cache.get("one", ["a", "bbb", "a"], compute)[:, 0].tolist() == [1, 3, 1]
    assert cache.get("one", ["bbb", "cc"], compute)[:, 0].tolist() == [3, 2]
    assert asked == ["a", "bbb", "cc"]
    assert cache.get("other", ["a"], compute)[:, 0].tolist() == [1]  # and the oldest, "a" of "one", went
    assert cache.get("one", ["cc", "a"], compute)[:, 0].tolist() == [2, 1]
    assert asked == ["a", "bbb", "cc", "a", "a"]


def test_an_encoder_is_found_in_a_package_that_is_not_imported(tmp_path, monkeypatch):
    for name in ("with_encoder", "without_encoder"):
        (tmp_path / name / "inner").mkdir(parents=True)
        (tmp_path / name / "__init__.py").write_text("raise RuntimeError('it was imported')")
    (tmp_path / "with_encoder" / "inner" / "config.json").write_text("{}")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert package_folder("with_encoder") == tmp_path / "with_encoder" / "inner"
    assert [package_folder(name) for name in ("without_encoder", "nowhere_at_all", "org/name", "__main__")] == [None] * 4


def test_students_without_an_encoder_read_all_of_a_text():
    from spacy_synthesizrr.students.transformer.lengths import long_texts

    nlp = spacy.blank("en")
    nlp.add_pipe("sentencizer")
    nlp.add_pipe("textcat")
    assert long_texts(nlp, ["a text"]) is None
