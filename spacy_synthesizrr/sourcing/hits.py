"""All hits of all seeds, kept as arrays: 12 bytes a hit and one id per passage, whatever the number of rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from spacy_synthesizrr.candidates import Hit
from spacy_synthesizrr.progress import progress
from spacy_synthesizrr.stores.asking import BY_VECTOR, Filter, Search

if TYPE_CHECKING:
    from spacy_synthesizrr.stores.base import Store

QUERIES = 32  # seeds per call to the store


@dataclass(frozen=True)
class Hits:
    """Hits as columns of equal length, in order of seed and rank.

    ids (np.ndarray): Ids of the passages that were hit, sorted, as bytes; shape (passages,).
    seed (np.ndarray): Index of the seed, int32.
    passage (np.ndarray): Index into `ids`, int32.
    rank (np.ndarray): From 1, int32.
    similarity (np.ndarray): Larger for closer, float32.
    """

    ids: np.ndarray
    seed: np.ndarray
    passage: np.ndarray
    rank: np.ndarray
    similarity: np.ndarray

    def __len__(self) -> int:
        return len(self.seed)

    def between(self, ranks: tuple[int, int]) -> np.ndarray:
        """RETURNS (np.ndarray): Which hits have a rank in a range, bool."""
        return (self.rank >= ranks[0]) & (self.rank <= ranks[1])

    def passage_id(self, index: int) -> str:
        """RETURNS (str): The id of a passage by its index."""
        return self.ids[index].decode()


def find_hits(
    texts: Sequence[str],
    store: Store,
    *,
    k: int,
    vectors: np.ndarray | None = None,
    how: Search = BY_VECTOR,
    filter: Filter | None = None,
) -> Hits:
    """Search for every seed text, some at a time.

    texts (Sequence[str]): What to search for.
    k (int): Hits kept per text.
    vectors (np.ndarray): The texts' vectors, shape (texts, dimensions).
    how (Search): By what to search; by cosine where nothing is said.
    filter (Filter): Which passages may be found.
    """
    from spacy_synthesizrr.stores.base import Query

    table = _Table(len(texts) * k)
    for start in progress(range(0, len(texts), QUERIES), "Searching", unit="blocks of seeds"):
        block = range(start, min(start + QUERIES, len(texts)))
        queries = [Query(texts[i], None if vectors is None else vectors[i]) for i in block]
        for i, found in zip(block, store.search(queries, k, how=how, filter=filter), strict=True):
            table.add(i, found)
    return table.finish()


class _Table:
    """Columns that are filled in place, so that nothing is held twice."""

    def __init__(self, size: int) -> None:
        self.names = np.zeros(size, dtype="S36")
        self.seed, self.rank = np.zeros(size, dtype=np.int32), np.zeros(size, dtype=np.int32)
        self.similarity = np.zeros(size, dtype=np.float32)
        self.end = 0

    def add(self, seed: int, found: Sequence[Hit]) -> None:
        """Write the hits of one seed."""
        if not found:
            return
        rows = slice(self.end, self.end + len(found))
        names = np.array([hit.passage_id.encode() for hit in found])
        if names.dtype.itemsize > self.names.dtype.itemsize:
            self.names = self.names.astype(names.dtype)
        self.names[rows], self.seed[rows] = names, seed
        self.rank[rows] = [hit.rank for hit in found]
        self.similarity[rows] = [hit.similarity for hit in found]
        self.end = rows.stop

    def finish(self) -> Hits:
        """Number the passages in the order of their ids; the names of single hits are let go."""
        names = self.names[: self.end]
        order = np.argsort(names, kind="stable")
        names = names[order]
        self.names = names[:0]
        fresh = np.ones(len(names), dtype=bool)
        fresh[1:] = names[1:] != names[:-1]
        passage = np.empty(len(names), dtype=np.int32)
        passage[order] = np.cumsum(fresh) - 1
        return Hits(names[fresh], self.seed[: self.end], passage, self.rank[: self.end], self.similarity[: self.end])
