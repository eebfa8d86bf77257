"""Rankings of passages, and how hits are taken from them. Nothing here knows which store made them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from spacy_synthesizrr.stores.asking import Search
from spacy_synthesizrr.stores.diversity import choose

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Ranking:
    """Passages by their score, best first; equal scores in the order of the keys.

    keys (ndarray): What the store calls its passages: numbers of rows, or ids; no two alike.
    scores (ndarray): float64, larger is better.
    """

    keys: NDArray[Any]
    scores: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.keys)

    def take(self, which: NDArray[Any] | slice) -> Ranking:
        """RETURNS (Ranking): Some of them, by places or by what stays."""
        return Ranking(self.keys[which], self.scores[which])


Rank = Callable[[Sequence[int], int], Sequence[Ranking]]
Documents = Callable[[Sequence[Ranking]], Iterable[Sequence[Hashable]]]
Vectors = Callable[["NDArray[Any]"], "NDArray[np.float32]"]


def find(queries: int, k: int, how: Search, *, most: int, rank: Rank, documents: Documents, vectors: Vectors) -> list[Ranking]:
    """Take the hits of some queries from their rankings, which are asked for as deep as needed.

    queries (int): Number of queries.
    most (int): Passages that can be found at all; nothing deeper is asked for.
    rank (Callable): Takes indexes of queries and a depth; gives their rankings, so deep where there are so many.
    documents (Callable): Takes rankings; gives for each the documents of its passages. Called where quotas hold.
    vectors (Callable): Takes keys; gives their vectors, rows of length 1 or 0. Called where diversity is asked for.
    RETURNS (List[Ranking]): The hits of each query in their order, k or fewer.
    """
    found: dict[int, Ranking] = {}
    depth, left = how.candidates(k), list(range(queries))
    while left:
        rankings = rank(left, depth)
        kept = _cut(rankings, how, documents)
        for index, ranking, stays in zip(left, rankings, kept, strict=True):
            if len(stays) >= k or how.fetch is not None or _at_end(ranking, depth, most, how):
                found[index] = stays
        left, depth = [index for index in left if index not in found], 2 * depth
    return [_diverse(found[index], k, how, vectors).take(slice(k)) for index in range(queries)]


def _cut(rankings: Sequence[Ranking], how: Search, documents: Documents) -> list[Ranking]:
    if how.min_similarity is not None:
        rankings = [ranking.take(ranking.scores >= how.min_similarity) for ranking in rankings]
    if how.per_document is None:
        return list(rankings)
    return [ranking.take(within_quota(names, how.per_document)) for ranking, names in zip(rankings, documents(rankings), strict=True)]


def _at_end(ranking: Ranking, depth: int, most: int, how: Search) -> bool:
    """Whether a deeper ranking would bring no more hits."""
    if how.per_document is None or len(ranking) < depth or depth >= most:
        return True
    # the scores of a hybrid search change with its depth
    return how.mode != "hybrid" and how.min_similarity is not None and bool(ranking.scores[-1] < how.min_similarity)


def within_quota(names: Iterable[Hashable], quota: int) -> NDArray[np.bool_]:
    """RETURNS (ndarray): For each of some names in their order whether it came fewer than `quota` times before, bool."""
    seen: Counter[Hashable] = Counter()
    stays = []
    for name in names:
        stays.append(seen[name] < quota)
        seen[name] += 1
    return np.array(stays, dtype=bool)


def _diverse(ranking: Ranking, k: int, how: Search, vectors: Vectors) -> Ranking:
    if how.diversity is None or not len(ranking):
        return ranking
    best = ranking.scores[0] if how.mode == "keyword" else 1.0  # BM25 has no upper end: shares of the best score
    return ranking.take(choose(ranking.scores / best, vectors(ranking.keys), k, balance=how.diversity))
