"""Generated rows that give a dev or test text away: a teacher may know public test sets by heart."""

from __future__ import annotations

from functools import partial

from spacy_synthesizrr.candidates import Candidate
from spacy_synthesizrr.curation.leaks import EQUAL, Gold, GoldIndex
from spacy_synthesizrr.curation.verdicts import ACCEPT, DISABLED, Binder, FilterInputs, SwitchedOff, Verdict, reject
from spacy_synthesizrr.errors import ConfigError

GOLD_COPY, GOLD_NGRAM = "gold_copy", "gold_ngram"


def make_leak(ngram: int = 8, enabled: bool = True) -> Binder:
    """Turn away rows whose generated field says what a dev or test text says (see curation/leaks.py).

    Reasons: "gold_copy" (equal) and "gold_ngram" (score: the number of word n-grams that a gold text has too). In a run
    without dev and test rows all are accepted.

    ngram (int): Words in a row that make a leak.
    enabled (bool): False switches the filter off.
    RETURNS (Binder): See curation/verdicts.py.
    RAISES (ConfigError): For n-grams of fewer than two words.
    """
    if ngram < 2:
        raise ConfigError(f"Leak: ngram must be at least 2 (was: {ngram}).")

    def bind(inputs: FilterInputs) -> partial[Verdict] | SwitchedOff:
        if not enabled:
            return DISABLED
        return partial(_judge, GoldIndex(Gold(inputs.gold), ngram))

    return bind


def _judge(index: GoldIndex, /, candidate: Candidate, text: str, passage: str) -> Verdict:
    [match] = index.match([text])
    if match is None:
        return ACCEPT
    return reject(GOLD_COPY if match.reason == EQUAL else GOLD_NGRAM, match.score)
