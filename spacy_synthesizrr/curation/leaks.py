"""The leak gate: passages that say what a dev or test text says may not become training data.

Three signs, the strongest first: *equal* (the same words), *ngram* (a shared run of words, 8 by default), *similarity* (above
the threshold, when vectors are given). N-grams are found by hash and confirmed word by word, so a hit is never a collision.

A gold text with fewer words than an n-gram counts as shared when it stands in the passage as a whole. One below
`shortest_contained` words ("Apple falls") would hit by chance everywhere: it must equal the passage.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from pydantic import Field

from spacy_synthesizrr.candidates import ROW_VERSION, Passage
from spacy_synthesizrr.configs import Settings
from spacy_synthesizrr.curation.ngrams import Hashes, combine, normalise, word_hashes, words

Vectors = npt.NDArray[np.float32]
EQUAL, NGRAM, SIMILARITY = "equal", "ngram", "similarity"
PASSAGES_PER_BLOCK = 512
SHORTEST_CONTAINED = 4


class LeakSettings(Settings):
    """The section [plan.leaks].

    ngram (int): Words that a leak shares in a row.
    similarity (float): Cosine above which a passage is a leak; None: vectors are not compared.
    shortest_contained (int): Gold texts with fewer words leak only by equality.
    """

    ngram: int = Field(8, ge=2)
    similarity: float | None = Field(None, ge=-1.0, le=1.0)
    shortest_contained: int = Field(SHORTEST_CONTAINED, ge=1)


@dataclass(frozen=True)
class Leak:
    """A passage that must not enter a plan.

    passage_id (str): The passage.
    reason (str): "equal", "ngram" or "similarity".
    score (float): 1, the number of shared n-grams, or the cosine.
    gold_index (int): The gold text, by its place in the sequence given.
    """

    passage_id: str
    reason: str
    score: float
    gold_index: int

    def to_dict(self) -> dict[str, Any]:
        """RETURNS (dict): A JSON row."""
        return {
            "v": ROW_VERSION, "passage_id": self.passage_id, "reason": self.reason, "score": self.score, "gold_index": self.gold_index,
        }  # fmt: skip


@dataclass(frozen=True)
class CrossLeak:
    """A text of one part that stands in another part too.

    part (str), index (int): The text: "seeds" or "dev" and its place.
    other (str), other_index (int): What it matches: "dev" or "test" and the place there.
    reason (str), score (float): As in `Leak`.
    """

    part: str
    index: int
    other: str
    other_index: int
    reason: str
    score: float


class Match(NamedTuple):
    """The gold text that a text shares most with."""

    reason: str
    score: float
    gold_index: int


class _Grams(NamedTuple):
    """All n-grams of one length: sorted hashes, and for each the gold text and the word where it begins."""

    n: int
    hashes: Hashes
    texts: npt.NDArray[np.intp]
    places: npt.NDArray[np.intp]


class GoldIndex:
    """Finds which texts share words with a set of gold texts.

    texts (Sequence[str]): The gold texts.
    n (int): Words per n-gram.
    shortest_contained (int): Gold texts with fewer words match by equality only.
    """

    def __init__(self, texts: Sequence[str], n: int = 8, *, shortest_contained: int = SHORTEST_CONTAINED) -> None:
        self.n = n
        self._words = [words(text) for text in texts]
        self._equal: dict[str, int] = {}
        for index, text in enumerate(texts):
            self._equal.setdefault(normalise(text), index)
        lengths = sorted({min(len(tokens), n) for tokens in self._words if len(tokens) >= min(shortest_contained, n)})
        self._grams = [self._make_grams(length) for length in lengths]

    def _make_grams(self, length: int) -> _Grams:
        chosen = [i for i, tokens in enumerate(self._words) if min(len(tokens), self.n) == length]
        hashes = [combine(word_hashes(self._words[index]), length) for index in chosen]
        sizes = [len(part) for part in hashes]
        flat = np.concatenate(hashes)
        order = np.argsort(flat, kind="stable")
        texts = np.repeat(np.asarray(chosen, dtype=np.intp), sizes)
        places = np.concatenate([np.arange(size, dtype=np.intp) for size in sizes])
        return _Grams(length, flat[order], texts[order], places[order])

    def shared(self, text: str) -> int:
        """RETURNS (int): How many n-grams of a text stand in a gold text too; a whole short gold text counts as one."""
        return len(self._shared([words(text)])[0])

    def match(self, texts: Sequence[str]) -> list[Match | None]:
        """Compare a block of texts.

        texts (Sequence[str]): As many as fit into memory.
        RETURNS (List[Match | None]): For each the gold text that it equals or shares most with.
        """
        found: list[Match | None] = []
        token_lists = [words(text) for text in texts]
        for text, tokens, hits in zip(texts, token_lists, self._shared(token_lists), strict=True):
            equal = self._equal.get(" ".join(tokens) or normalise(text))
            if equal is not None:
                found.append(Match(EQUAL, 1.0, equal))
            elif hits:
                best = int(np.bincount(np.concatenate(hits)).argmax())
                found.append(Match(NGRAM, float(len(hits)), best))
            else:
                found.append(None)
        return found

    def _shared(self, token_lists: Sequence[list[str]]) -> list[list[npt.NDArray[np.intp]]]:
        """For each text, for each of its n-grams that is shared, the gold texts that hold it."""
        found: list[list[npt.NDArray[np.intp]]] = [[] for _ in token_lists]
        flat = [token for tokens in token_lists for token in tokens]
        ends = np.cumsum([len(tokens) for tokens in token_lists])
        hashes = word_hashes(flat)
        for grams in self._grams:
            runs = combine(hashes, grams.n)
            first = np.searchsorted(grams.hashes, runs)
            at = np.minimum(first, len(grams.hashes) - 1)
            for place in np.flatnonzero(grams.hashes[at] == runs):
                owner = int(np.searchsorted(ends, place, side="right"))
                if place + grams.n > ends[owner]:
                    continue  # a run over the border of two texts
                last = np.searchsorted(grams.hashes, runs[place], side="right")
                rows = range(int(first[place]), int(last))
                if any(self._same(flat, int(place), grams, row) for row in rows):
                    found[owner].append(grams.texts[rows.start : rows.stop])
        return found

    def _same(self, flat: list[str], place: int, grams: _Grams, row: int) -> bool:
        start = grams.places[row]
        return flat[place : place + grams.n] == self._words[grams.texts[row]][start : start + grams.n]


def find_leaks(
    passages: Iterable[tuple[Passage, Vectors | None]], gold: Sequence[str], gold_vectors: Vectors | None = None, *, settings: LeakSettings
) -> Iterator[Leak]:
    """Find the passages that leak gold texts; streams, in blocks.

    passages (Iterable[Tuple[Passage, Vectors]]): Passages, with unit vectors of shape (dimensions,) or None.
    gold (Sequence[str]): Dev and test texts.
    gold_vectors (Vectors): Unit vectors of the gold texts, shape (texts, dimensions); needed for a similarity threshold.
    YIELDS (Leak): At most one per passage, in the order of the passages.
    RAISES (ValueError): When a similarity threshold is set and there are no gold vectors, or not one per gold text.
    """
    if settings.similarity is not None and (gold_vectors is None or len(gold_vectors) != len(gold)):
        given = "none" if gold_vectors is None else str(len(gold_vectors))
        raise ValueError(f"The leak gate has a similarity threshold and needs {len(gold)} gold vectors; given: {given}.")
    index = GoldIndex(gold, settings.ngram, shortest_contained=settings.shortest_contained)
    stream = iter(passages)
    while block := list(islice(stream, PASSAGES_PER_BLOCK)):
        matches = index.match([passage.text for passage, _ in block])
        if settings.similarity is not None and gold_vectors is not None and len(gold):
            close = _closest([vector for _, vector in block], gold_vectors, settings.similarity)
            matches = [match or near for match, near in zip(matches, close, strict=True)]
        for (passage, _), match in zip(block, matches, strict=True):
            if match:
                yield Leak(passage.id, *match)


def _closest(vectors: Sequence[Vectors | None], gold: Vectors, threshold: float) -> list[Match | None]:
    found: list[Match | None] = [None] * len(vectors)
    rows = [row for row, vector in enumerate(vectors) if vector is not None]
    if not rows:
        return found
    similarities = np.stack([vector for vector in vectors if vector is not None]) @ gold.T
    best = similarities.argmax(axis=1)
    for row, index, line in zip(rows, best, similarities, strict=True):
        if line[index] > threshold:
            found[row] = Match(SIMILARITY, float(line[index]), int(index))
    return found


def cross_leaks(seeds: Sequence[str], dev: Sequence[str], test: Sequence[str], *, settings: LeakSettings | None = None) -> list[CrossLeak]:
    """Find texts that stand in two of seeds, dev and test, by equality and n-grams.

    RETURNS (List[CrossLeak]): Seeds in dev, seeds in test, dev in test.
    """
    settings = settings or LeakSettings()
    parts = {"seeds": seeds, "dev": dev, "test": test}
    indexes = {name: GoldIndex(parts[name], settings.ngram, shortest_contained=settings.shortest_contained) for name in ("dev", "test")}
    found = []
    for part, other in (("seeds", "dev"), ("seeds", "test"), ("dev", "test")):
        for start in range(0, len(parts[part]), PASSAGES_PER_BLOCK):
            block = parts[part][start : start + PASSAGES_PER_BLOCK]
            for place, match in enumerate(indexes[other].match(block), start):
                if match:
                    found.append(CrossLeak(part, place, other, match.gold_index, match.reason, match.score))
    return found
