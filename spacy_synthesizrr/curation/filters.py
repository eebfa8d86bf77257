"""Row filters that look at one text alone: is there any, is it a refusal, is it as long as it should be."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial

from spacy_synthesizrr.candidates import Candidate
from spacy_synthesizrr.curation.duplicates import folded
from spacy_synthesizrr.curation.verdicts import ACCEPT, Binder, FilterInputs, Verdict, reject
from spacy_synthesizrr.curation.wordcount import count_words
from spacy_synthesizrr.errors import ConfigError

EMPTY, REFUSED, TOO_SHORT, TOO_LONG = "empty", "refused", "too_short", "too_long"

# How teachers that write English open a refusal. A first person alone is no refusal ("I can't recommend this enough" is a
# review, "I can't help but smile" another), so the verb must be one of a teacher's trade.
_TRADE = (
    r"(?:help (?:you|with)|assist|comply|fulfil+|do (?:that|so)\b|answer (?:this|that|your)|provid(?:e|ing)|offer (?:you|a|an)"
    r"|(?:re)?writ(?:e|ing) (?!enough)|generat(?:e|ing)|creat(?:e|ing)|produce|compose|summari[sz]e|paraphrase"
    r"|complete (?:this|the|your) (?:request|task))"
)
_UNABLE = (
    r"i(?: can ?not| can't| could not| couldn't| won't| will not|(?: am|'m) (?:not able|unable) to| (?:won't|will not) be able to"
    r"| must decline to| (?:do not|don't) feel comfortable)"
)
_SORRY = r"(?:(?:i(?:'m| am) )?(?:very |so )?sorry|i apologi[sz]e|my apologies|unfortunately|i'm afraid)"
_NOT_ABOUT = (
    r"(?:(?:does not|doesn't) (?:relate to|contain (?:enough|any) information)|(?:is not|isn't) (?:related to|relevant|suitable|about)\b)"
)
_DOCUMENT = r"(?:this|the) (?:document|article|passage|text)(?: above)?"
TYPICAL_REFUSAL = re.compile(
    r"as an? (?:ai|artificial intelligence|(?:large )?language model)\b"
    r"|i(?:'m| am) (?:just |only )?an? (?:ai|(?:large )?language model)\b"
    rf"|(?:{_SORRY}\b[^.!?]{{0,40}}?\b)?{_UNABLE} {_TRADE}"
    rf"|(?:{_SORRY}\W+(?:but )?)?{_DOCUMENT} {_NOT_ABOUT}"
    r"|i (?:do not|don't) have (?:enough information|access to)\b"
)


def make_not_empty() -> Binder:
    """Turn away texts without a single word character (reason "empty")."""
    return lambda inputs: _not_empty


def _not_empty(candidate: Candidate, text: str, passage: str) -> Verdict:
    return ACCEPT if any(character.isalnum() for character in text) else reject(EMPTY)


def make_not_refused(openings: Sequence[str] = (), typical: bool = True) -> Binder:
    """Turn away answers that decline (reason "refused").

    The task's refusal marker counts when it is the whole text, or stands in it word for word in its own case. The typical
    openings are English; `openings` adds those of other languages.

    openings (Sequence[str]): Further beginnings of refusals; case, whitespace and outer punctuation do not count.
    typical (bool): Whether the typical English openings count too.
    RETURNS (Binder): See curation/verdicts.py.
    RAISES (ConfigError): When an opening has no words, because every text would begin with it.
    """
    beginnings = tuple(folded(opening) for opening in openings)
    if "" in beginnings:
        raise ConfigError("NotRefused: an opening is empty, and every text begins with it. Remove it from `openings`.")
    return lambda inputs: partial(_not_refused, _marker(inputs.task.prompt.refusal_marker), beginnings, typical)


def _marker(marker: str) -> tuple[str, re.Pattern[str]] | None:
    return (folded(marker), re.compile(rf"(?<!\w){re.escape(marker)}(?!\w)")) if folded(marker) else None


def _not_refused(
    marker: tuple[str, re.Pattern[str]] | None, beginnings: tuple[str, ...], typical: bool, /, candidate: Candidate, text: str, passage: str
) -> Verdict:
    plain = folded(text).replace("’", "'")
    marked = marker is not None and (plain == marker[0] or marker[1].search(text) is not None)
    opened = plain.startswith(beginnings) or (typical and TYPICAL_REFUSAL.match(plain) is not None)
    return reject(REFUSED) if marked or opened else ACCEPT


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
