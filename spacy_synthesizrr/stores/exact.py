"""Exact search for the closest rows, in blocks: memory follows the block, not the number of rows.

The order is the same whatever else is asked in the same call: BLAS may round the same product differently in a batch of
another shape, so it only finds the neighbourhood, and the rows found are measured again one by one.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

ROWS, QUERIES = 4096, 256  # a block: 4 MB of similarities and 8 MB of keys
KEPT = 1 << 22  # rows that are kept for all queries together, at 8 bytes
SPARE = 32  # rows beyond k that are measured again, in case rounding put them behind
SIGN, LOW_HALF = np.uint32(1 << 31), np.uint64(0xFFFFFFFF)
LOWEST, BANNED = -2.0, -3.0  # below every cosine
MANY = 0.25  # share of banned rows from which copying the others costs less than comparing all
DECIMALS = 6  # finer differences are rounding noise of float32 vectors


def nearest(
    vectors: NDArray[np.float32], queries: NDArray[np.float32], k: int, *, banned: NDArray[np.int64], block: int = ROWS
) -> list[tuple[NDArray[np.int64], NDArray[np.float64]]]:
    """The k rows with the largest cosine to each query.

    vectors (ndarray): Rows of length 1 (or 0), shape (rows, dimensions); may be memory-mapped.
    queries (ndarray): The same, shape (queries, dimensions).
    banned (ndarray): Sorted row numbers that may not be found.
    block (int): Rows that are compared at once.
    RETURNS (List[Tuple[ndarray, ndarray]]): Per query row numbers and similarities, rounded to six decimals, the largest
        first, equal ones by row number.
    """
    found = []
    size = max(1, min(QUERIES, KEPT // (k + SPARE)))
    for start in range(0, len(queries), size):
        chunk = queries[start : start + size]
        near = _neighbourhood(vectors, chunk, k + SPARE, banned, block)
        found += [_measure(vectors, query, rows, k) for query, rows in zip(chunk, near, strict=True)]
    return found


def _neighbourhood(
    vectors: NDArray[np.float32], queries: NDArray[np.float32], k: int, banned: NDArray[np.int64], size: int
) -> list[NDArray[np.int64]]:
    """Row numbers of about the k closest rows of each query, without order."""
    pools = [np.zeros(0, dtype=np.uint64) for _ in queries]
    floors = np.full(len(queries), LOWEST, dtype=np.float32)  # what a row must reach to be among the k best so far
    for rows, block, out in _blocks(vectors, banned, size):
        similarities = queries @ block.T
        similarities[:, out] = BANNED
        places = np.flatnonzero(similarities >= floors[:, None])
        query, column = np.divmod(places, len(block))
        keys = _keys(similarities.ravel()[places], rows[column])
        cuts = np.searchsorted(query, np.arange(len(queries) + 1))
        for number in np.unique(query):
            pool = np.concatenate((pools[number], keys[cuts[number] : cuts[number + 1]]))
            if len(pool) > k:
                pool = np.partition(pool, len(pool) - k)[-k:]
                floors[number] = _similarity(pool.min())
            pools[number] = pool
    return [(LOW_HALF - (pool & LOW_HALF)).astype(np.int64) for pool in pools]


def _blocks(
    vectors: NDArray[np.float32], banned: NDArray[np.int64], size: int
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.int64]]]:
    """Cut the rows into blocks to compare: all of them, or where many are banned copies of the others.

    YIELDS (Tuple[ndarray, ndarray, ndarray]): Numbers of the rows, the rows, and which places among them are banned.
    """
    if len(banned) > MANY * len(vectors):
        rest = np.setdiff1d(np.arange(len(vectors)), banned, assume_unique=True)
        for start in range(0, len(rest), size):
            rows = rest[start : start + size]
            yield rows, vectors[rows], banned[:0]
        return
    for start in range(0, len(vectors), size):
        block = vectors[start : start + size]
        low, high = np.searchsorted(banned, (start, start + len(block)))
        yield np.arange(start, start + len(block)), block, banned[low:high] - start


def _keys(similarities: NDArray[np.float32], rows: NDArray[np.int64]) -> NDArray[np.uint64]:
    """One whole number per pair, no two alike: it grows with the similarity and, among equals, falls with the row.

    The bits of a float grow with it when it is positive and fall when it is negative; turning over the right ones makes
    them grow throughout. They become the upper half, the row number upside down the lower half.
    """
    bits = (similarities + np.float32(0)).view(np.uint32)  # adding 0 makes -0 and 0 equal
    grown = np.where(bits >> 31, ~bits, bits | SIGN).astype(np.uint64)
    keys: NDArray[np.uint64] = (grown << np.uint64(32)) | (LOW_HALF - rows.astype(np.uint64))
    return keys


def _similarity(key: np.uint64) -> np.float32:
    """RETURNS (float32): The similarity in a key."""
    grown = np.uint32(key >> np.uint64(32))
    return (grown ^ SIGN if grown & SIGN else ~grown).view(np.float32)


def _measure(
    vectors: NDArray[np.float32], query: NDArray[np.float32], rows: NDArray[np.int64], k: int
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    rows = np.sort(rows)
    parts = [np.multiply(vectors[rows[start : start + ROWS]], query, dtype=np.float64).sum(axis=1) for start in range(0, len(rows), ROWS)]
    similarities = np.round(np.concatenate(parts), DECIMALS) + 0.0 if parts else np.zeros(0)
    order = np.argsort(-similarities, kind="stable")[:k]
    return rows[order], similarities[order]
