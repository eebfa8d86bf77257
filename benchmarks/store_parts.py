"""What store.py needs beside the stores: vectors that are there already, news to search for, and a bare loop over the client's batch."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spacy_synthesizrr.candidates import Passage
from spacy_synthesizrr.embedders.base import Embedder
from spacy_synthesizrr.stores.memory import MemoryStore

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from spacy_synthesizrr.stores.weaviate.store import WeaviateStore

BATCH, REQUESTS = 200, 4  # those of the store's config


class Given:
    """The embedder of an index, with the vectors that lie there: nothing is computed when passages are embedded."""

    def __init__(self, source: MemoryStore) -> None:
        self._source, self._embedder = source, source.embedder

    def __getattr__(self, name: str) -> Any:
        return getattr(self._embedder, name)

    def fit(self, texts: Iterable[str], *, seed: int) -> None:
        """It is fitted."""

    def embed_passages(self, passages: Sequence[Passage]) -> NDArray[np.float32]:
        """RETURNS (ndarray): The stored vectors."""
        return self._source.vectors([passage.id for passage in passages])

    def load(self, folder: Path) -> Embedder:
        """RETURNS (Embedder): The one without vectors."""
        return self._embedder.load(folder)


def news_texts(path: Path, number: int) -> list[str]:
    """RETURNS (List[str]): The first texts of a labelled file, different ones."""
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        texts = dict.fromkeys(row["text"] for row in csv.DictReader(file))
    return list(texts)[:number]


def bare_fill(store: WeaviateStore, source: MemoryStore) -> int:
    """Fill the collection of a store with the client's own batch, and nothing else: no check of what was turned away but its count.

    RETURNS (int): Objects that got in.
    """
    from spacy_synthesizrr.stores.base import describe
    from spacy_synthesizrr.stores.weaviate.schema import State, object_id, to_properties

    state = State("bare", describe(source.embedder), source.count(), "")
    store._table.create(state, source.embedder)
    collection, total = store._table.collection, 0
    with collection.batch.fixed_size(batch_size=BATCH, concurrent_requests=REQUESTS) as batch:
        for row, (passage, vector) in enumerate(source.iterate(with_vectors=True)):
            assert vector is not None
            properties = to_properties(passage, row, "", {})
            batch.add_object(properties=properties, uuid=object_id(passage.id), vector=vector.tolist())
            total += 1
    return total - len(collection.batch.failed_objects)
