"""Near-copies of the passage: a teacher that was asked to rewrite and copied instead."""

from __future__ import annotations

from difflib import SequenceMatcher
from functools import partial

import numpy as np

from spacy_synthesizrr.candidates import Candidate
from spacy_synthesizrr.curation.ngrams import ngram_hashes
from spacy_synthesizrr.curation.verdicts import ACCEPT, DISABLED, Binder, FilterInputs, SwitchedOff, Verdict, reject
from spacy_synthesizrr.errors import ConfigError
from spacy_synthesizrr.words import words

NEAR_COPY, COPIED_SPAN = "near_copy", "copied_span"


def containment(text: str, passage: str, *, ngram: int = 5) -> float:
    """How much of a text stands in a passage: the share of its word n-grams that are n-grams of the passage too.

    A text of fewer than n words is compared whole: 1 when its words stand in the passage in their order, else 0.

    ngram (int): Words per n-gram.
    RETURNS (float): 0 to 1; 0 when either has no words.
    """
    size = min(ngram, len(words(text)))
    if size == 0 or len(words(passage)) < size:
        return 0.0
    return float(np.isin(ngram_hashes(text, size), ngram_hashes(passage, size)).mean())


def longest_common_span(text: str, passage: str) -> int:
    """RETURNS (int): Words in the longest run of words that a text and a passage share; case and punctuation do not count."""
    ours, theirs = words(text), words(passage)
    return SequenceMatcher(None, ours, theirs, autojunk=False).find_longest_match(0, len(ours), 0, len(theirs)).size


def make_near_copy(threshold: float = 0.8, ngram: int = 5, max_span: int | None = 25, enabled: bool = True) -> Binder:
    """Turn away texts that copy their passage.

    Reasons: "near_copy" (score: the share of word n-grams that stand in the passage) and "copied_span" (score: words in
    the longest common span). Off for a teacher that only copies. Rows without a passage are accepted.

    threshold (float): Share from which on a text is a copy.
    ngram (int): Words per n-gram; shorter texts are compared whole.
    max_span (int): Longest run of words that may be shared with the passage; None for any.
    enabled (bool): False switches the filter off.
    RETURNS (Binder): See curation/verdicts.py.
    RAISES (ConfigError): For values out of range.
    """
    if not 0 < threshold <= 1:
        raise ConfigError(f"NearCopy: threshold must lie above 0 and not above 1 (was: {threshold}).")
    if ngram < 1 or (max_span is not None and max_span < 1):
        raise ConfigError(f"NearCopy: ngram and max_span must be at least 1 (were: {ngram}, {max_span}).")

    def bind(inputs: FilterInputs) -> partial[Verdict] | SwitchedOff:
        if not enabled:
            return DISABLED
        if inputs.copies:
            return SwitchedOff("this teacher only copies sentences of the passage, so that every row would be turned away")
        return partial(_near_copy, threshold, ngram, max_span)

    return bind


def _near_copy(threshold: float, ngram: int, max_span: int | None, /, candidate: Candidate, text: str, passage: str) -> Verdict:
    if not passage:
        return ACCEPT
    share = containment(text, passage, ngram=ngram)
    if share >= threshold:
        return reject(NEAR_COPY, round(share, 4))
    if max_span is not None and (span := longest_common_span(text, passage)) > max_span:
        return reject(COPIED_SPAN, span)
    return ACCEPT
