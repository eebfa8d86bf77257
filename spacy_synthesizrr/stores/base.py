"""What a store is: passages with vectors that can be searched, fetched, drawn and walked through."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from spacy_synthesizrr.candidates import Hit, Passage
from spacy_synthesizrr.embedders.base import Embedder
from spacy_synthesizrr.errors import StoreError
from spacy_synthesizrr.stores.asking import BY_VECTOR, Condition, Filter, Mode, Search

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["BY_VECTOR", "Condition", "Filter", "IndexCounts", "Mode", "Query", "Search", "Store", "brings_passages", "describe"]


@dataclass(frozen=True, eq=False)
class Query:
    """What to look for.

    text (str): Embedded by the store's embedder when there is no vector.
    vector (ndarray): Shape (dimensions,); need not have length 1.
    """

    text: str
    vector: NDArray[np.float32] | None = None


@dataclass(frozen=True)
class IndexCounts:
    """What `Store.index` did.

    passages (int): Passages in the index.
    equal_ids (int): Passages left out because one with the same id was there before.
    equal_texts (int): Passages kept although an earlier one has the same text.
    written (bool): False when the index held just this already and nothing was written.
    content (str): What `Store.content` says as long as nobody changes the index; empty where the store cannot tell.
    """

    passages: int
    equal_ids: int
    equal_texts: int
    written: bool
    content: str = ""


class Store(Protocol):
    """Passages with vectors. Similarity is larger for closer, everywhere: the cosine, or the score of another search."""

    def at(self, key: str) -> Store:
        """RETURNS (Store): The store of one index among those that this place holds; nothing is made yet."""

    def keys(self) -> list[str]:
        """RETURNS (List[str]): Keys of the whole indexes that `at` opens here, sorted."""

    @property
    def location(self) -> str:
        """RETURNS (str): Where the index lies, for people."""

    @property
    def notes(self) -> Path:
        """RETURNS (Path): A local folder for files about this index; it goes when the index is built anew."""

    @property
    def embedder(self) -> Embedder:
        """RETURNS (Embedder): The fitted embedder that made the vectors."""

    def complete(self) -> bool:
        """RETURNS (bool): Whether a whole index is there."""

    def content(self) -> str:
        """RETURNS (str): What lies at this place now, as the store itself knows it: the same for the same passages, embedder and seed.
        Empty where there is no whole index, or the store cannot tell.
        """

    def index(self, passages: Iterable[Passage], embedder: Embedder, *, seed: int = 0) -> IndexCounts:
        """Fit the embedder on the passages, embed them and keep both; afterwards `self.embedder` is the fitted one.

        passages (Iterable[Passage]): Read once, in a stream.
        embedder (Embedder): Of which the recipe counts; a fit that it has is not used.
        """

    def search(self, queries: Sequence[Query], k: int, *, how: Search = BY_VECTOR, filter: Filter | None = None) -> list[list[Hit]]:
        """Find the k best passages of each query.

        how (Search): By what, and which of the best; `Hit.similarity` is the cosine in vector search, the BM25 score in
            keyword search, and the fused score between 0 and 1 in hybrid search.
        filter (Filter): Which passages may be found.
        RETURNS (List[List[Hit]]): Per query at most k hits, in the order of `rank`.
        RAISES (ConfigError): When k is below 1.
        """

    def get(self, ids: Sequence[str]) -> list[Passage]:
        """RETURNS (List[Passage]): In the order of the ids.

        RAISES (StoreError): For an id that is not there.
        """

    def vectors(self, ids: Sequence[str]) -> NDArray[np.float32]:
        """RETURNS (ndarray): The stored vectors of these passages in the order of the ids, shape (ids, dimensions), rows of length 1 or 0.

        RAISES (StoreError): For an id that is not there.
        """

    def iterate(self, with_vectors: bool = False, filter: Filter | None = None) -> Iterator[tuple[Passage, NDArray[np.float32] | None]]:
        """YIELDS (Tuple[Passage, Optional[ndarray]]): All passages that `search` may find under a filter, in the order in which they were
        indexed.
        """

    def sample(self, n: int, *, seed: int, filter: Filter | None = None) -> list[Passage]:
        """RETURNS (List[Passage]): n different passages in random order, all of them when there are fewer."""

    def delete(self, ids: Sequence[str]) -> int:
        """RETURNS (int): How many passages went; unknown ids are no error."""

    def count(self) -> int:
        """RETURNS (int): Passages that can be found."""

    def close(self) -> None:
        """Let go of files and connections; the next call opens them again."""


def brings_passages(store: Store) -> bool:
    """RETURNS (bool): Whether a store has passages of its own, so that no corpus is read. One that does has an attribute
    `brings_passages`, and a method `own_embedder`, which gives the embedder for a config that names none.
    It may have a text `mapping`, which says what it reads as a passage: when that changes, the index is another one.
    """
    return bool(getattr(store, "brings_passages", False))


def describe(embedder: Embedder) -> dict[str, Any]:
    """RETURNS (dict): What is stored with an index about its embedder, as JSON."""
    return {"id": embedder.id, "dimensions": embedder.dimensions, "normalised": embedder.normalised}


def check_embedder(embedder: Embedder, stored: Mapping[str, Any], *, where: str) -> None:
    """Refuse another embedder than the one that made the vectors of an index.

    stored (Mapping): What `describe` said of that one. where (str): The index, for people.
    RAISES (StoreError): When it is another one.
    """
    if describe(embedder) != stored:
        raise StoreError(
            f"The index {where} was built with the embedder {stored['id']} ({stored['dimensions']} dimensions), "
            f"not with {embedder.id} ({embedder.dimensions} dimensions). Vectors of two embedders cannot be compared: "
            "leave the embedder out to use the stored one, or run the step 'index' again with this one."
        )
