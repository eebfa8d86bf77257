"""All hits of all seeds, kept as arrays: 12 bytes a hit and one id per passage, whatever the number of rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from spacy_synthesizrr.candidates import Hit
from spacy_synthesizrr.progress import progress

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
    mode: Literal["vector", "keyword", "hybrid"] = "vector",
) -> Hits:
    """Search for every seed text.

    texts (Sequence[str]): What to search for.
    k (int): Hits kept per text.
    vectors (np.ndarray): The texts' vectors, shape (texts, dimensions).
    """
    blocks = list(_blocks(texts, store, k=k, vectors=vectors, mode=mode))
    names = np.concatenate([block[0] for block in blocks]) if blocks else np.array([], dtype="S1")
    ids, passage = np.unique(names, return_inverse=True)
    del names
    columns = [np.concatenate([block[i] for block in blocks]) if blocks else np.array([], dtype=kind) for i, kind in ((1, "i4"), (2, "i4"), (3, "f4"))]
    return Hits(ids, columns[0], passage.astype(np.int32), columns[1], columns[2])


Block = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def _blocks(
    texts: Sequence[str], store: Store, *, k: int, vectors: np.ndarray | None, mode: Literal["vector", "keyword", "hybrid"]
) -> Iterator[Block]:
    from spacy_synthesizrr.stores.base import Query

    for start in progress(range(0, len(texts), QUERIES), "Searching", unit="blocks of seeds"):
        block = range(start, min(start + QUERIES, len(texts)))
        queries = [Query(texts[i], None if vectors is None else vectors[i]) for i in block]
        found = store.search(queries, k, mode=mode)
        flat = [(i, hit) for i, hits in zip(block, found, strict=True) for hit in hits]
        if flat:
            yield _columns(flat)


def _columns(flat: Sequence[tuple[int, Hit]]) -> Block:
    return (
        np.array([hit.passage_id.encode() for _, hit in flat]),
        np.array([i for i, _ in flat], dtype=np.int32),
        np.array([hit.rank for _, hit in flat], dtype=np.int32),
        np.array([hit.similarity for _, hit in flat], dtype=np.float32),
    )
