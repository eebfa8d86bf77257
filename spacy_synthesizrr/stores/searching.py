"""How the store in this process answers queries: rankings by exact cosine, by BM25, or by both."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from spacy_synthesizrr.embedders.base import Embedder, embed_queries, unit_rows
from spacy_synthesizrr.errors import StoreError
from spacy_synthesizrr.stores.asking import Search, document_of
from spacy_synthesizrr.stores.base import Query
from spacy_synthesizrr.stores.exact import nearest
from spacy_synthesizrr.stores.fusion import fuse
from spacy_synthesizrr.stores.keywords import Keywords
from spacy_synthesizrr.stores.passages import PassageFile
from spacy_synthesizrr.stores.ranking import Ranking, find

if TYPE_CHECKING:
    from numpy.typing import NDArray


def by_vector(how: Search) -> bool:
    """RETURNS (bool): Whether vectors of the queries are needed."""
    return how.mode == "vector" or (how.mode == "hybrid" and how.alpha > 0)


def by_keyword(how: Search) -> bool:
    """RETURNS (bool): Whether the words of the queries are needed."""
    return how.mode == "keyword" or (how.mode == "hybrid" and how.alpha < 1)


def joined(how: Search, near: Sequence[Ranking], words: Sequence[Ranking]) -> list[Ranking]:
    """Make the rankings of some queries of what each half of the search gave.

    near (Sequence[Ranking]), words (Sequence[Ranking]): By vector and by words, one per query; none where that half is not asked.
    """
    if how.mode != "hybrid":
        return list(near or words)
    lacking = [ranking.take(slice(0)) for ranking in near or words]
    return [fuse(*pair, how.alpha) for pair in zip(near or lacking, words or lacking, strict=True)]


@dataclass(frozen=True)
class Shelf:
    """What is searched.

    passages (PassageFile): The rows.
    vectors (ndarray): Their vectors, rows of length 1 or 0.
    keywords (Callable): Gives their words; called when they are needed.
    """

    passages: PassageFile
    vectors: NDArray[np.float32]
    keywords: Callable[[], Keywords]

    def find(
        self, texts: Sequence[str], vectors: NDArray[np.float32] | None, k: int, *, how: Search, banned: NDArray[np.int64]
    ) -> list[Ranking]:
        """The hits of some queries, by rows.

        texts (Sequence[str]): What to search for.
        vectors (ndarray): Their vectors; None in a search that needs none.
        banned (ndarray): Sorted rows that may not be found.
        """

        def rank(which: Sequence[int], depth: int) -> list[Ranking]:
            near = [] if vectors is None else [Ranking(*found) for found in nearest(self.vectors, vectors[which], depth, banned=banned)]
            words = [self.keywords().best(texts[index], depth, banned=banned) for index in which] if by_keyword(how) else []
            return joined(how, near, words)

        most = len(self.passages) - len(banned)
        return find(len(texts), k, how, most=most, rank=rank, documents=self._documents, vectors=self._vectors_of)

    def _documents(self, rankings: Sequence[Ranking]) -> Iterator[list[str]]:
        rows = np.unique(np.concatenate([ranking.keys for ranking in rankings])).tolist()
        names = dict(zip(rows, map(document_of, self.passages.get(rows)), strict=True))
        return ([names[row] for row in ranking.keys.tolist()] for ranking in rankings)

    def _vectors_of(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        return np.array(self.vectors[rows])


def query_vectors(queries: Sequence[Query], embedder: Callable[[], Embedder], *, dimensions: int, where: str) -> NDArray[np.float32]:
    """The vectors of queries; those without one are embedded.

    embedder (Callable): Gives the embedder; called when it is needed.
    where (str): The index, for the message.
    RETURNS (ndarray): Shape (queries, dimensions), rows of length 1 or 0.
    RAISES (StoreError): For a vector of another length.
    """
    vectors = np.zeros((len(queries), dimensions), dtype=np.float32)
    texts = [row for row, query in enumerate(queries) if query.vector is None]
    if texts:
        vectors[texts] = embed_queries(embedder(), [queries[row].text for row in texts])
    for row, query in enumerate(queries):
        if query.vector is not None:
            if np.shape(query.vector) != (dimensions,):
                raise StoreError(
                    f"A query's vector has shape {np.shape(query.vector)}; the index {where} has {dimensions} dimensions. "
                    "Embed queries with the embedder of the index."
                )
            vectors[row] = query.vector
    return unit_rows(vectors)
