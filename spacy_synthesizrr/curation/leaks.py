"""The leak gate: texts that say what a dev or test text says may not become training data.

Three signs, the strongest first: *equal* (the same words), *ngram* (a shared run of words, 8 by default), *similarity* (above
the threshold, when vectors are given). N-grams are found by hash and confirmed word by word, so a hit is never a collision.

Punctuation does not count in an equal text of `shortest_contained` words or more; symbols do. A shorter one must be equal
when `words.comparable` has folded both: "so good :)" is not "so good :(".

A gold text with fewer words than an n-gram counts as shared when it stands in the other as a whole, unless it is shorter
than `shortest_contained` words ("Apple falls") and would hit by chance everywhere.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from spacy_synthesizrr.candidates import ROW_VERSION, Passage
from spacy_synthesizrr.curation.ngrams import Hashes, combine, word_hashes
from spacy_synthesizrr.stores.passages import batched
from spacy_synthesizrr.words import comparable, words

Vectors = npt.NDArray[np.float32]
EQUAL, NGRAM, SIMILARITY = "equal", "ngram", "similarity"
PASSAGE, SEED, DEV = "passage", "seed", "dev"
TEXTS_PER_BLOCK = 512
SHORTEST_CONTAINED = 4


class Row(NamedTuple):
    """A labelled row as leaks see it: where it stands (or its id), and all its text fields."""

    place: str
    texts: tuple[str, ...]


@dataclass(frozen=True)
class Gold:
    """Texts that must stay unseen.

    texts (Sequence[str]): Every text field of every dev and test row.
    places (Sequence[str]): Where each stands, such as "test:12".
    """

    texts: Sequence[str] = ()
    places: Sequence[str] = ()

    @classmethod
    def of(cls, rows: Iterable[Row]) -> Gold:
        """Take the texts of labelled rows."""
        flat = [(text, row.place) for row in rows for text in row.texts]
        return cls([text for text, _ in flat], [place for _, place in flat])


@dataclass(frozen=True)
class Leak:
    """A text that gives a gold text away.

    id (str): Id of the passage or seed, or the place of the dev row.
    reason (str): "equal", "ngram" or "similarity".
    score (float): 1, the number of shared n-grams, or the cosine.
    gold (str): Place of the gold text.
    what (str): "passage", "seed" or "dev".
    """

    id: str
    reason: str
    score: float
    gold: str
    what: str = PASSAGE

    def to_dict(self) -> dict[str, Any]:
        """RETURNS (dict): A JSON row."""
        return {"v": ROW_VERSION, **asdict(self), "score": round(self.score, 4)}


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

    gold (Gold): The gold texts.
    n (int): Words per n-gram.
    shortest_contained (int): Gold texts with fewer words match by equality only.
    """

    def __init__(self, gold: Gold, n: int = 8, *, shortest_contained: int = SHORTEST_CONTAINED) -> None:
        self.gold, self.n, self.shortest_contained = gold, n, shortest_contained
        self._words = [words(text) for text in gold.texts]
        self._word_runs = {" ".join(tokens) for tokens in self._words}
        self._equal: dict[str, int] = {}
        for index, text in enumerate(gold.texts):
            self._equal.setdefault(self.key(text), index)
        lengths = sorted({min(len(tokens), n) for tokens in self._words if len(tokens) >= min(shortest_contained, n)})
        self._grams = [self._make_grams(length) for length in lengths]

    def key(self, text: str) -> str:
        """RETURNS (str): The same for two texts that count as equal."""
        tokens = words(text)
        if len(tokens) < self.shortest_contained:
            return comparable(text)
        return " ".join((*tokens, *(sign for sign in text if unicodedata.category(sign)[0] == "S")))

    def _make_grams(self, length: int) -> _Grams:
        chosen = [i for i, tokens in enumerate(self._words) if min(len(tokens), self.n) == length]
        hashes = [combine(word_hashes(self._words[index]), length) for index in chosen]
        sizes = [len(part) for part in hashes]
        flat = np.concatenate(hashes)
        order = np.argsort(flat, kind="stable")
        texts = np.repeat(np.asarray(chosen, dtype=np.intp), sizes)
        places = np.concatenate([np.arange(size, dtype=np.intp) for size in sizes])
        return _Grams(length, flat[order], texts[order], places[order])

    def match(self, texts: Sequence[str], *, equality: bool = True) -> list[Match | None]:
        """Look at some texts.

        equality (bool): Whether an equal text is told as such; else it counts by the words that it shares.
        RETURNS (List[Match | None]): For each text the gold text that it shares most with, None where it shares nothing.
        """
        found: list[Match | None] = []
        token_lists = [words(text) for text in texts]
        for text, tokens, hits in zip(texts, token_lists, self._shared(token_lists), strict=True):
            # keys cost more than words: few texts have the words of a gold text
            equal = self._equal.get(self.key(text)) if equality and " ".join(tokens) in self._word_runs else None
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
    passages: Iterable[tuple[Passage, Vectors | None]], index: GoldIndex, *, similarity: float | None = None, vectors: Vectors | None = None
) -> Iterator[Leak]:
    """Find the passages that leak gold texts; streams, in blocks.

    passages (Iterable[Tuple[Passage, Vectors]]): Passages, with unit vectors of shape (dimensions,) or None.
    index (GoldIndex): Of dev and test texts.
    similarity (float): Cosine above which a passage is a leak; None: vectors are not compared.
    vectors (Vectors): Unit vectors of the gold texts, shape (texts, dimensions); needed for a similarity.
    YIELDS (Leak): At most one per passage, in the order of the passages.
    RAISES (ValueError): When a similarity is given and there are no gold vectors, or not one per gold text.
    """
    gold = index.gold
    if similarity is not None and (vectors is None or len(vectors) != len(gold.texts)):
        given = "none" if vectors is None else str(len(vectors))
        raise ValueError(f"The leak gate has a similarity threshold and needs {len(gold.texts)} gold vectors; given: {given}.")
    for block in batched(passages, TEXTS_PER_BLOCK):
        matches = index.match([passage.text for passage, _ in block])
        if similarity is not None and vectors is not None and len(vectors):
            close = _closest([vector for _, vector in block], vectors, similarity)
            matches = [match or near for match, near in zip(matches, close, strict=True)]
        for (passage, _), match in zip(block, matches, strict=True):
            if match:
                yield Leak(passage.id, match.reason, match.score, gold.places[match.gold_index])


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


def cross_leaks(seeds: Sequence[Row], dev: Sequence[Row], test: Sequence[Row], *, n: int = 8) -> list[Leak]:
    """Find rows that stand in two of seeds, dev and test: equal ones have all fields equal, others share n-grams in some field.

    n (int): Words per n-gram.
    RETURNS (List[Leak]): Seeds in dev, seeds in test, dev in test.
    """
    found: list[Leak] = []
    for what, rows, other in ((SEED, seeds, dev), (SEED, seeds, test), (DEV, dev, test)):
        index = GoldIndex(Gold.of(other), n)
        equal = {tuple(map(index.key, row.texts)): row.place for row in reversed(other)}
        for block in batched(rows, TEXTS_PER_BLOCK):
            matches = iter(index.match([text for row in block for text in row.texts], equality=False))
            for row in block:
                shared = [match for match in (next(matches) for _ in row.texts) if match]
                place = equal.get(tuple(map(index.key, row.texts)))
                if place is not None:
                    found.append(Leak(row.place, EQUAL, 1.0, place, what))
                elif shared:
                    best = max(shared, key=lambda match: match.score)
                    found.append(Leak(row.place, NGRAM, best.score, index.gold.places[best.gold_index], what))
    return found
