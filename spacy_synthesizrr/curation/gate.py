"""The contamination gate: the last look at every train row before a student sees it, against every dev and test row.

Three signs, the strongest first. *equal*: the whole row says what a dev or test row says. *ngram*: what was written for it
shares a run of words with some field of one. *similarity*: its vector is nearer to that of a dev or test text than such texts
are to each other, which finds what was said again in other words.

How near is too near follows from the dev and test texts themselves, because each embedder has cosines of its own: the
threshold is the given quantile of their similarities to the nearest other one, never below the given floor and never above the
given ceiling. Texts that stand in dev and test more than once count once: they say nothing about how near different texts are.

Vectors are compared with the generated field of dev and test rows, whose kind of text the written one is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from pydantic import Field

from spacy_synthesizrr.candidates import digest
from spacy_synthesizrr.configs import Settings
from spacy_synthesizrr.curation.leaks import EQUAL, NGRAM, SIMILARITY, Gold, GoldIndex, Leak, Vectors
from spacy_synthesizrr.embedders.base import unit_rows
from spacy_synthesizrr.words import comparable

SECTION = "gate"
REASONS = (EQUAL, NGRAM, SIMILARITY)
BLOCK = 256  # rows that are looked at at once
WIDE = 65_536  # dev and test texts that a block is compared with at once: 64 MB of cosines
SAMPLED = 2_000  # dev and test texts whose nearest others say how near is too near
SAME = 1 - 1e-3  # cosine from which on two dev or test texts are one that was told twice
Embed = Callable[[Sequence[str]], Vectors]


class GateSettings(Settings):
    """The section [gate] of configs/curate.cfg.

    ngram (int): Words in a row that make a hit.
    similarity (float): Floor of the threshold for vectors; null compares no vectors.
    quantile (float): Of the similarities of dev and test texts to their nearest other: the threshold, between floor and ceiling.
    ceiling (float): Highest threshold; what is nearer than this hits, however alike dev and test texts are. Raise it for an embedder
        to which all texts are alike.
    max_share (float): Largest share of hits among the rows of the main train set; above it `train` refuses.
    """

    ngram: int = Field(8, ge=2)
    similarity: float | None = Field(0.9, ge=0, le=1)
    quantile: float = Field(0.995, gt=0, le=1)
    ceiling: float = Field(0.98, gt=0, le=1)
    max_share: float = Field(0.1, ge=0, le=1)


class Checked(NamedTuple):
    """A row as the gate sees it.

    id (str): Where it stands, or its id.
    whole (str): All that a student reads of it.
    written (str): Its generated field.
    """

    id: str
    whole: str
    written: str


class Gate:
    """Compares rows with dev and test rows.

    rows (Iterable[Checked]): Dev and test rows; about 200 bytes each are kept for their digests, beside texts, n-grams and vectors
        (4 bytes for each of their numbers).
    fields (Gold): Every text field of theirs.
    settings (GateSettings): Of the config.
    embed (Callable): Unit vectors of texts, shape (texts, dimensions); None compares no vectors.
    """

    def __init__(self, rows: Iterable[Checked], fields: Gold, settings: GateSettings, embed: Embed | None = None) -> None:
        self.settings, self._index = settings, GoldIndex(fields, settings.ngram)
        self._wholes: dict[str, str] = {}
        written: dict[str, tuple[str, str]] = {}
        for row in rows:
            self._wholes.setdefault(digest(comparable(row.whole)), row.id)
            written.setdefault(comparable(row.written), (row.written, row.id))
        self._embed = embed if settings.similarity is not None and written else None
        self._vectors: Vectors | None = None
        self._places = [place for _, place in written.values()]
        self.threshold: float | None = None
        self.capped = False
        if self._embed is not None:
            self._vectors = unit_rows(self._embed([text for text, _ in written.values()]))
            usual, floor = nearest_quantile(self._vectors, settings.quantile), float(settings.similarity or 0)
            self.capped = usual > max(floor, settings.ceiling)
            self.threshold = max(floor, min(usual, settings.ceiling))

    @property
    def size(self) -> int:
        """RETURNS (int): Texts that rows are compared with."""
        return len(self._index.gold.texts)

    def find(self, rows: Sequence[Checked], arm: str, *, vectors: bool = True) -> list[Leak | None]:
        """Look at some rows.

        arm (str): Whose they are; the leaks say so.
        vectors (bool): Whether vectors are compared, where there are any.
        RETURNS (List[Leak | None]): For each row the strongest sign, None where there is none.
        """
        gold, found = self._index.gold, list[Leak | None]()
        for row, match in zip(rows, self._index.match([row.written for row in rows], equality=False), strict=True):
            place = self._wholes.get(digest(comparable(row.whole)))
            if place is not None:
                found.append(Leak(row.id, EQUAL, 1.0, place, arm))
            else:
                found.append(Leak(row.id, NGRAM, match.score, gold.places[match.gold_index], arm) if match else None)
        open_rows = [at for at, leak in enumerate(found) if leak is None]
        if vectors and self._vectors is not None and open_rows:
            for at, score, place in self._near([rows[at].written for at in open_rows]):
                found[open_rows[at]] = Leak(rows[open_rows[at]].id, SIMILARITY, score, place, arm)
        return found

    def _near(self, texts: Sequence[str]) -> Iterator[tuple[int, float, str]]:
        assert self._embed is not None and self._vectors is not None and self.threshold is not None
        best, similarity = _nearest(unit_rows(self._embed(texts)), self._vectors)
        for at, score in enumerate(similarity):
            if score > self.threshold:
                yield at, float(score), self._places[best[at]]


def _nearest(vectors: Vectors, others: Vectors, *, below: float = 2.0) -> tuple[npt.NDArray[np.intp], Vectors]:
    """RETURNS (Tuple): For each vector the nearest other that is less near than `below`, and its cosine, at most 1; −1 for none."""
    index, nearest = np.zeros(len(vectors), dtype=np.intp), np.full(len(vectors), -1.0, dtype=np.float32)
    for start in range(0, len(others), WIDE):
        similarity = vectors @ others[start : start + WIDE].T
        similarity[similarity >= below] = -1.0
        best = similarity.argmax(axis=1)
        score = np.minimum(similarity[np.arange(len(vectors)), best], 1.0)
        better = score > nearest
        index[better], nearest[better] = best[better] + start, score[better]
    return index, nearest


def nearest_quantile(vectors: Vectors, quantile: float) -> float:
    """How near texts of a set are to their nearest other.

    vectors (Vectors): Unit vectors of different texts, shape (texts, dimensions).
    quantile (float): Of the similarities; above `SAMPLED` texts, of those of every k-th. One as good as equal is passed over.
    RETURNS (float): −1 for fewer than two texts.
    """
    if len(vectors) < 2:
        return -1.0
    chosen = np.arange(0, len(vectors), max(1, len(vectors) // SAMPLED))
    blocks = (vectors[chosen[start : start + BLOCK]] for start in range(0, len(chosen), BLOCK))
    return float(np.quantile(np.concatenate([_nearest(block, vectors, below=SAME)[1] for block in blocks]), quantile))
