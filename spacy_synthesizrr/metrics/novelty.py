"""Novelty: how much of what the rows say does not stand in the corpus, n-gram by n-gram.

McCoy et al. 2023 (arXiv 2111.09509, section 4): the share of a set's n-grams that do not occur in the texts that it was made from.
0: copied word for word. A larger value is no merit by itself: names and figures that no passage holds are novel too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from spacy_synthesizrr.curation.ngrams import Hashes, combine, word_hashes
from spacy_synthesizrr.stores.passages import batched
from spacy_synthesizrr.words import words

ORDERS = (1, 2, 3, 5)
TOGETHER = 512  # texts of the corpus looked up at once


def novelty(texts: Iterable[str], corpus: Iterable[str], orders: Sequence[int] = ORDERS) -> dict[int, float | None]:
    """Share of the word n-grams of some texts that stand in no text of the corpus.

    orders (Sequence[int]): The n's.
    RETURNS (Dict[int, float | None]): By n, from 0 to 1, each occurrence counting; None when no text has n words. Case and punctuation
        do not count, n-grams do not reach across texts.
    """
    return novelties({"": texts}, corpus, orders)[""]


def novelties(
    sets: Mapping[str, Iterable[str]], corpus: Iterable[str], orders: Sequence[int] = ORDERS
) -> dict[str, dict[int, float | None]]:
    """The novelty of several sets of texts, for which the corpus is read once, in a stream.

    9 bytes are kept per n-gram of the texts.

    RETURNS (Dict[str, Dict[int, float | None]]): What `novelty` gives, for each set.
    """
    hashed = {name: [word_hashes(words(text)) for text in texts] for name, texts in sets.items()}
    own = {name: {n: _all(rows, n) for n in orders} for name, rows in hashed.items()}
    wanted = {n: np.unique(np.concatenate([np.empty(0, np.uint64), *(found[n] for found in own.values())])) for n in orders}
    seen = {n: np.zeros(len(hashes), dtype=bool) for n, hashes in wanted.items()}
    for batch in batched(corpus, TOGETHER):
        rows = [word_hashes(words(text)) for text in batch]
        for n in orders:
            place, there = _places(wanted[n], _all(rows, n))
            seen[n][place[there]] = True
    return {name: {n: _share(seen[n][_places(wanted[n], found[n])[0]]) for n in orders} for name, found in own.items()}


def _all(rows: Sequence[Hashes], n: int) -> Hashes:
    return np.concatenate([np.empty(0, np.uint64), *(combine(row, n) for row in rows)])


def _places(known: Hashes, hashes: Hashes) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.bool_]]:
    """RETURNS (Tuple[ndarray, ndarray]): Where hashes stand among sorted ones, and whether they do."""
    if not len(known):
        return np.zeros(len(hashes), dtype=np.intp), np.zeros(len(hashes), dtype=bool)
    place = np.minimum(np.searchsorted(known, hashes), len(known) - 1)
    return place, known[place] == hashes


def _share(seen: npt.NDArray[np.bool_]) -> float | None:
    return float(1 - seen.mean()) if len(seen) else None
