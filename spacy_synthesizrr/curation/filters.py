"""Row filters that look at one text alone: is there any, is it a refusal, is it as long as it should be."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from spacy_synthesizrr.candidates import Candidate
from spacy_synthesizrr.curation.refusals import REFUSED, declines
from spacy_synthesizrr.curation.verdicts import ACCEPT, Binder, FilterInputs, Verdict, reject
from spacy_synthesizrr.errors import ConfigError
from spacy_synthesizrr.words import count_words, folded

EMPTY, TOO_SHORT, TOO_LONG = "empty", "too_short", "too_long"


def make_not_empty() -> Binder:
    """Turn away texts without a single word character (reason "empty")."""
    return lambda inputs: _not_empty


def _not_empty(candidate: Candidate, text: str, passage: str) -> Verdict:
    return ACCEPT if any(character.isalnum() for character in text) else reject(EMPTY)


def make_not_refused(openings: Sequence[str] = (), typical: bool = True) -> Binder:
    """Turn away answers that decline (reason "refused"); see `curation.refusals`.

    The task's refusal marker always counts: as the whole text, or as written at its start or end.

    openings (Sequence[str]): Further beginnings of refusals; case, whitespace and outer punctuation do not count.
    typical (bool): Whether the typical openings count too: the English ones and those of the run's language.
    RETURNS (Binder): See curation/verdicts.py.
    RAISES (ConfigError): When an opening has no words, because every text would begin with it.
    """
    if "" in [folded(opening) for opening in openings]:
        raise ConfigError("NotRefused: an opening is empty, and every text begins with it. Remove it from `openings`.")

    def bind(inputs: FilterInputs) -> partial[Verdict]:
        marker = inputs.task.prompt.refusal_marker
        return partial(_not_refused, partial(declines, marker=marker, lang=inputs.lang, typical=typical, openings=openings))

    return bind


def _not_refused(refuses: Callable[[str], bool], /, candidate: Candidate, text: str, passage: str) -> Verdict:
    return reject(REFUSED) if refuses(text) else ACCEPT


def make_length(min_words: int | None = None, max_words: int | None = None) -> Binder:
    """Turn away texts that are too short or too long (reasons "too_short", "too_long"; score: number of words).

    min_words (int): Shortest text that is accepted, in words (see `count_words`); the task's `min_words` by default.
    max_words (int): Longest; the task's `max_words` by default.
    RETURNS (Binder): Binding raises ConfigError when the shortest is longer than the longest.
    """

    def bind(inputs: FilterInputs) -> partial[Verdict]:
        prompt = inputs.task.prompt
        low = prompt.min_words if min_words is None else min_words
        high = prompt.max_words if max_words is None else max_words
        if low > high:
            raise ConfigError(
                f"Length: min_words = {low} is above max_words = {high}, so no text can be accepted. "
                f"Change them in the config or in the prompt of the task {inputs.task.path}."
            )
        return partial(_length, low, high)

    return bind


def _length(low: int, high: int, /, candidate: Candidate, text: str, passage: str) -> Verdict:
    count = count_words(text)
    if count < low:
        return reject(TOO_SHORT, count)
    return reject(TOO_LONG, count) if count > high else ACCEPT
