"""Batches of a local model: order, like lengths, windows, and memory that is too small. No model is needed for that."""

import weakref

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spacy_synthesizrr.models.hf.batches import Batches, Row
from spacy_synthesizrr.prompts import Answer, Failure


class Fake:
    """Answers with the length of the prompt; a batch of too many tokens does not fit."""

    def __init__(self, fits=None):
        self.fits, self.asked, self.failed = fits, [], 0

    def prepare(self, prompt):
        return Row(prompt, range(len(prompt)), 0) if prompt else Failure("empty")

    def ask(self, rows):
        if self.fits is not None and len(rows) * max(len(row.ids) + 10 for row in rows) > self.fits:
            self.failed += 1
            return None
        self.asked.append([len(row.ids) for row in rows])
        return [Answer(f"{row.request}!") for row in rows]

    def batches(self, batch_size=4, read_ahead=2):
        return Batches(self.prepare, self.ask, batch_size=batch_size, read_ahead=read_ahead, max_tokens=10)


def words(*lengths):
    """Prompts of these lengths, the longer ones all different."""
    return [f"{number % 10:>{length}}" for number, length in enumerate(lengths)]


@given(
    st.lists(st.lists(st.text(max_size=6), max_size=3), max_size=40), st.integers(1, 5), st.integers(1, 4), st.sampled_from([None, 12, 40])
)
def test_every_prompt_gets_its_own_result_in_order(groups, batch_size, read_ahead, fits):
    fake = Fake(fits)
    found = list(fake.batches(batch_size, read_ahead).answer(groups))
    assert [len(group) for group in found] == [len(group) for group in groups]
    for group, results in zip(groups, found, strict=True):
        for prompt, result in zip(group, results, strict=True):
            if not prompt:
                assert result.kind == "empty"
            elif fits is not None and len(prompt) + 10 > fits:
                assert (result.kind, result.request) == ("too_long", prompt)
            else:
                assert result == f"{prompt}!"
    assert all(len(batch) <= batch_size for batch in fake.asked)


def test_a_batch_holds_prompts_of_like_length():
    fake = Fake()
    list(fake.batches(batch_size=2, read_ahead=3).answer([[word] for word in words(1, 9, 2, 8, 3, 7)]))
    assert sorted(fake.asked) == [[1, 2], [3, 7], [8, 9]]


def test_what_comes_first_is_asked_first():
    fake = Fake()
    answers = fake.batches(batch_size=2, read_ahead=3).answer([[word] for word in words(9, 1, 2, 8, 3, 7)])
    next(answers)
    assert fake.asked == [[8, 9]]


def test_no_more_than_a_window_is_taken_ahead():
    fake, taken = Fake(), []

    def prompts():
        for number in range(1000):
            taken.append(number)
            yield [f"p{number}"]

    answers = fake.batches(batch_size=4, read_ahead=2).answer(prompts())
    assert not taken
    next(answers)
    assert len(taken) == 8
    for number in range(2, 500):
        next(answers)
        assert len(taken) - number <= 8


@pytest.mark.parametrize("prompts", [[], [""]])
def test_docs_that_ask_nothing_come_out_at_once(prompts):
    fake, taken = Fake(), []

    def stream():
        for number in range(1000):
            taken.append(number)
            yield list(prompts)

    answers = fake.batches().answer(stream())
    for number in range(1, 100):
        next(answers)
        assert len(taken) == number
    assert not fake.asked


def test_many_docs_that_ask_nothing_behind_one_that_does_are_not_all_held():
    fake, taken = Fake(), []

    def stream():
        yield ["first"]
        for number in range(1000):
            taken.append(number)
            yield []

    answers = fake.batches().answer(stream())
    assert next(answers) == ["first!"]
    assert len(taken) < 10


def test_results_that_came_out_are_not_held():
    fake, alive = Fake(), weakref.WeakSet()

    class Kept(Answer):
        pass

    def ask(rows):
        made = [Kept("x") for _ in rows]
        alive.update(made)
        return made

    batches = Batches(fake.prepare, ask, batch_size=4, read_ahead=2, max_tokens=10)
    most = 0
    for _ in batches.answer([f"p{number}"] for number in range(200)):
        most = max(most, len(alive))
    assert most <= 10


def test_a_batch_that_does_not_fit_is_halved_and_later_ones_are_made_smaller():
    fake = Fake(fits=40)
    found = list(fake.batches(batch_size=8, read_ahead=1).answer([[word] for word in words(*[3] * 32)]))
    assert len(found) == 32
    assert {len(batch) for batch in fake.asked} == {2}
    assert fake.failed == 3  # eight rows, then each half of them, and never again


def test_a_prompt_that_does_not_fit_alone_harms_nobody():
    found = [result for [result] in Fake(fits=30).batches().answer([[word] for word in words(3, 25, 3, 3)])]
    assert [getattr(result, "kind", "answer") for result in found] == ["answer", "too_long", "answer", "answer"]
    assert "25 tokens" in found[1].detail
