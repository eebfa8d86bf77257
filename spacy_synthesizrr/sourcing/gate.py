"""The leak gate: what equals or nearly equals a dev or test text never enters a plan."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from spacy_synthesizrr.candidates import ROW_VERSION, Passage, Seed

if TYPE_CHECKING:
    from spacy_synthesizrr.embedders.base import Embedder

EQUAL = "equal"
PASSAGE, SEED, DEV = "passage", "seed", "dev"
WHAT = {"seeds": SEED, "dev": DEV}


@dataclass(frozen=True)
class Gold:
    """The dev and test texts.

    texts (Sequence[str]): Every text field of every row.
    places (Sequence[str]): Where each stands, such as "test:12".
    """

    texts: Sequence[str] = ()
    places: Sequence[str] = ()


@dataclass(frozen=True)
class Located:
    """A leak and the gold text that it gives away.

    id (str): Id of the passage or seed, or the place of the dev row.
    reason (str): "equal", "ngram" or "similarity".
    score (float): Shared n-grams, or the similarity.
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


@dataclass(frozen=True)
class Gate:
    """Finds passages that give a gold text away.

    gold (Gold): What must stay unseen.
    ngram (int): Words shared in a row that make a leak.
    similarity (float): Similarity above which a passage is a leak; None leaves vectors out.
    vectors (np.ndarray): Of the gold texts, where similarity counts; shape (texts, dimensions).
    """

    gold: Gold
    ngram: int
    similarity: float | None = None
    vectors: np.ndarray | None = None

    @classmethod
    def make(cls, gold: Gold, *, ngram: int, similarity: float | None, embedder: Embedder | None) -> Gate:
        """Embed the gold texts where a similarity is asked for."""
        from spacy_synthesizrr.embedders.base import unit_rows

        vectors = None
        if similarity is not None and embedder is not None and gold.texts:
            vectors = unit_rows(embedder.embed(gold.texts))
        return cls(gold, ngram, similarity if vectors is not None else None, vectors)

    @property
    def needs_vectors(self) -> bool:
        """RETURNS (bool): Whether passages must come with their vectors."""
        return self.vectors is not None

    def find(self, passages: Iterable[tuple[Passage, np.ndarray | None]]) -> Iterator[Located]:
        """Look at every passage of a stream; all of it is read, even where there is no gold text."""
        if not self.gold.texts:
            for _ in passages:
                pass
            return
        from spacy_synthesizrr.curation.leaks import LeakSettings, find_leaks

        settings = LeakSettings(ngram=self.ngram, similarity=self.similarity)
        for leak in find_leaks(passages, self.gold.texts, self.vectors, settings=settings):
            yield Located(leak.passage_id, leak.reason, float(leak.score), self.gold.places[leak.gold_index])


def cross_check(seeds: Sequence[Seed], dev: Gold, test: Gold, *, field: str, ngram: int) -> list[Located]:
    """Find what stands in two of seeds, dev and test.

    dev (Gold), test (Gold): Their generated texts.
    field (str): The text field that is generated.
    RETURNS (List[Located]): Equal and nearly equal texts: seeds by their ids, dev rows by their places.
    """
    from spacy_synthesizrr.curation.leaks import LeakSettings, cross_leaks

    names = {"seeds": [seed.id for seed in seeds], "dev": dev.places, "test": test.places}
    texts = [seed.fields[field] for seed in seeds]
    found = cross_leaks(texts, dev.texts, test.texts, settings=LeakSettings(ngram=ngram))
    return [
        Located(names[leak.part][leak.index], leak.reason, float(leak.score), names[leak.other][leak.other_index], WHAT[leak.part])
        for leak in found
    ]
