"""Which answers belong to which Doc, by spacy-llm's sharding protocol; our tasks never cut a Doc into shards."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Iterable, Iterator, List, Tuple

from spacy.tokens import Doc

from spacy_synthesizrr.prompts import NO_ANSWER, Failure


def answered(
    shards: Iterable[Iterable[Doc]], responses: Iterable[Iterable[str]], wanted: Callable[[Doc], int]
) -> Iterator[Tuple[Doc, List[Any]]]:
    """Pair each Doc with what a model said of it.

    shards (Iterable[Iterable[Doc]]): What `generate_prompts` yielded beside the prompts.
    responses (Iterable[Iterable[str]]): Answers per Doc.
    wanted (Callable): How many answers a Doc must have; missing ones are failures of the kind "missing".
    YIELDS (Tuple[Doc, List]): A Doc and its answers, at least as many as are wanted; a model may give more.
    """
    answers = iter(responses)
    for docs in shards:
        doc = next(iter(docs))
        given = _as_list(next(answers, ()))
        yield doc, given + [Failure("missing", NO_ANSWER)] * (wanted(doc) - len(given))


def _as_list(answers: object) -> List[Any]:
    """A model that breaks its contract may give one flat string for a Doc: that is one answer, not its letters."""
    if isinstance(answers, str) or not isinstance(answers, Iterable):
        return [answers]
    return list(answers)
