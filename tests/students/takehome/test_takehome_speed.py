"""How fast a student is: what is timed, and what is told of it."""

from __future__ import annotations

import itertools

import pytest
import spacy
from hypothesis import given
from hypothesis import strategies as st

from spacy_synthesizrr.students.takehome.machine import count_parameters
from spacy_synthesizrr.students.takehome.speed import ALONE, REPEATS, fresh, measure_speed, quantile, spaced

numbers = st.lists(st.floats(0, 100), min_size=1, max_size=40)


def student():
    nlp = spacy.blank("en")
    model = {"@architectures": "spacy.TextCatBOW.v3", "exclusive_classes": True, "ngram_size": 1, "no_output_layer": False, "length": 64}
    component = nlp.add_pipe("textcat", config={"model": model})
    for label in ("a", "b"):
        component.add_label(label)
    nlp.initialize()
    return nlp


class Ticking:
    """A clock that goes on by a step every time somebody looks."""

    def __init__(self, step):
        self.now, self.step = 0.0, step

    def __call__(self):
        self.now += self.step
        return self.now


def test_times_are_those_of_the_clock():
    found = measure_speed(student(), ["A text."] * 50, size=123, clock=Ticking(0.004))
    assert (found.p50_ms, found.p95_ms) == (pytest.approx(4.0), pytest.approx(4.0))
    assert found.docs_per_second == pytest.approx(50 / 0.004)
    assert (found.alone, found.streamed, found.repeats, found.bytes) == (50, 50, REPEATS, 123)


def test_a_slow_student_is_measured_on_fewer_texts():
    found = measure_speed(student(), ["A text."] * 300, size=1, clock=Ticking(0.5))
    assert (found.alone, found.streamed) == (10, 10)


def test_a_fast_student_is_measured_on_many_and_says_on_how_many():
    found = measure_speed(student(), ["A text of six words, evenly."] * 300, size=1)
    assert (found.alone, found.streamed) == (ALONE, 300)
    assert 0 < found.p50_ms <= found.p95_ms
    assert found.words == 8.0


def test_no_text_is_read_twice():
    nlp, seen = student(), []
    make = nlp.make_doc
    nlp.make_doc = lambda text: (seen.append(text), make(text))[1]
    measure_speed(nlp, ["one", "two"], size=1)
    timed = [text for text in seen if text not in ("one", "two")]
    assert len(set(timed)) == len(timed) > 2 * 2 * REPEATS


def test_the_machine_is_told_without_its_name():
    import socket

    found = measure_speed(student(), ["A text."], size=1).machine
    assert set(found) == {"cpu", "cores", "threads", "device", "system"}
    assert (found["device"], found["cores"] >= 1) == ("cpu", True)
    assert socket.gethostname() not in str(found)


def test_learned_numbers_are_weights_and_bias():
    assert count_parameters(student()) == 64 * 2 + 2


def test_no_texts_are_refused():
    with pytest.raises(ValueError, match="there are none"):
        measure_speed(student(), [], size=1)


@given(numbers, st.floats(0, 1))
def test_a_quantile_is_the_smallest_value_that_so_many_do_not_exceed(values, share):
    found = quantile(values, share)
    assert found in values
    assert sum(value <= found for value in values) >= share * len(values) - 1e-9
    assert sum(value < found for value in values) <= share * len(values) + 1e-9


@given(st.integers(1, 50), st.integers(1, 60))
def test_a_sample_is_spread_and_has_no_text_twice(count, number):
    texts = list(map(str, range(count)))
    found = spaced(texts, number)
    assert len(found) == len(set(found)) == min(count, number)
    assert found[0] == "0"


def test_texts_are_made_new_by_a_number():
    assert fresh(["a", "a"], itertools.count(3)) == ["a 3", "a 4"]
