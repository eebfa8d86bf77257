"""Which models stream."""

from collections.abc import Iterable
from typing import Any

from spacy_llm.models.rest.noop import NoOpModel

from spacy_synthesizrr.models.answers.streaming import streams
from spacy_synthesizrr.models.extractive import make_extractive


def test_our_teachers_stream():
    assert streams(make_extractive())


def test_a_model_that_returns_a_list_does_not():
    assert not streams(NoOpModel())


def test_functions_are_told_apart_too():
    def lazy(prompts: Iterable[Iterable[Any]]) -> Iterable[Iterable[Any]]:
        yield from prompts

    assert streams(lazy) and not streams(lambda prompts: list(prompts))


def test_a_models_own_word_counts_most():
    class Model:
        lazy = True

        def __call__(self, prompts):
            return map(list, prompts)

    assert streams(Model())


def test_what_cannot_be_called_does_not_stream():
    assert not streams(3)
