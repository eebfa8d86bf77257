"""The leak gate of a plan: what equals or nearly equals a dev or test text never enters it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from spacy_synthesizrr.candidates import Passage
from spacy_synthesizrr.curation.leaks import Gold, GoldIndex, Leak, find_leaks
from spacy_synthesizrr.embedders.base import unit_rows

if TYPE_CHECKING:
    from spacy_synthesizrr.embedders.base import Embedder


@dataclass(frozen=True)
class Gate:
    """Finds passages that give a gold text away.

    index (GoldIndex): Of what must stay unseen.
    similarity (float): Similarity above which a passage is a leak; None leaves vectors out.
    vectors (np.ndarray): Of the gold texts, where similarity counts; shape (texts, dimensions).
    """

    index: GoldIndex
    similarity: float | None = None
    vectors: np.ndarray | None = None

    @classmethod
    def make(cls, gold: Gold, *, ngram: int, similarity: float | None, embedder: Embedder) -> Gate:
        """Index the gold texts, and embed them where a similarity is asked for."""
        index = GoldIndex(gold, ngram)
        if similarity is None or not gold.texts:
            return cls(index)
        return cls(index, similarity, unit_rows(embedder.embed(gold.texts)))

    @property
    def needs_vectors(self) -> bool:
        """RETURNS (bool): Whether passages must come with their vectors."""
        return self.vectors is not None

    def find(self, passages: Iterable[tuple[Passage, np.ndarray | None]]) -> Iterator[Leak]:
        """Look at every passage of a stream; all of it is read, even where there is no gold text."""
        if not self.index.gold.texts:
            for _ in passages:
                pass
            return
        yield from find_leaks(passages, self.index, similarity=self.similarity, vectors=self.vectors)
