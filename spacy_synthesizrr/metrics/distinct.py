"""Distinct-n: how many of the n-grams of a set of texts are different ones."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from spacy_synthesizrr.curation.ngrams import ngram_hashes
from spacy_synthesizrr.words import words


def distinct(texts: Iterable[str], n: int) -> float | None:
    """Different word n-grams over all word n-grams of the texts (Li et al. 2016, arXiv 1510.03055, section 5).

    Larger means more varied. The value falls as texts are added, since words come back (Heaps' law): compare sets at an
    equal number of texts and of like length. N-grams do not reach across texts; case and punctuation do not count; texts
    of fewer than n words count for nothing. 8 bytes are kept per n-gram.

    n (int): Words per n-gram, at least 1.
    RETURNS (float): Above 0 and not above 1; None when no text has n words.
    """
    if n < 1:
        raise ValueError(f"distinct-n needs n ≥ 1 (was: {n}).")
    blocks = [ngram_hashes(text, n) for text in texts if len(words(text)) >= n]
    if not blocks:
        return None
    hashes = np.concatenate(blocks)
    return len(np.unique(hashes)) / len(hashes)
