"""Vector search in this process by several libraries, each as its users would write it: exact in numpy, HNSW in hnswlib and usearch."""

from __future__ import annotations

import functools
import importlib.metadata
import importlib.util
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

M, EF_CONSTRUCTION, EF = 16, 100, 128
BLOCK = 16_384  # rows compared at once, in numpy

Find = Callable[..., "NDArray[np.int64]"]  # queries and k


@dataclass(frozen=True)
class Peer:
    """A way to search. package (str): Needed. build (Callable): Takes vectors of length 1; gives a function that finds rows."""

    package: str
    build: Callable[[NDArray[np.float32]], Find]

    @property
    def version(self) -> str | None:
        """RETURNS (Optional[str]): None when it is not installed."""
        return importlib.metadata.version(self.package) if importlib.util.find_spec(self.package) else None


def _numpy(vectors: NDArray[np.float32]) -> Find:
    def find(queries: NDArray[np.float32], k: int) -> NDArray[np.int64]:
        best, rows = np.full((len(queries), 0), -np.inf, dtype=np.float32), np.zeros((len(queries), 0), dtype=np.int64)
        for start in range(0, len(vectors), BLOCK):
            block = queries @ vectors[start : start + BLOCK].T
            scores = np.concatenate((best, block), axis=1)
            numbers = np.concatenate((rows, np.broadcast_to(np.arange(start, start + block.shape[1]), block.shape)), axis=1)
            kept = np.argpartition(-scores, k - 1, axis=1)[:, :k]
            best, rows = np.take_along_axis(scores, kept, 1), np.take_along_axis(numbers, kept, 1)
        return np.take_along_axis(rows, np.argsort(-best, axis=1), 1)

    return find


def _hnswlib(vectors: NDArray[np.float32]) -> Find:
    import hnswlib

    index = hnswlib.Index(space="cosine", dim=vectors.shape[1])
    index.init_index(max_elements=len(vectors), M=M, ef_construction=EF_CONSTRUCTION)
    index.add_items(vectors)
    index.set_ef(EF)
    return lambda queries, k: index.knn_query(queries, k)[0].astype(np.int64)


def _usearch(vectors: NDArray[np.float32]) -> Find:
    from usearch.index import Index

    index = Index(ndim=vectors.shape[1], metric="cos", dtype="f32", connectivity=M, expansion_add=EF_CONSTRUCTION, expansion_search=EF)
    index.add(np.arange(len(vectors)), vectors)
    return lambda queries, k: np.atleast_2d(index.search(queries, k).keys).astype(np.int64)


PEERS = {
    "numpy, blocks of a matrix product": Peer("numpy", _numpy),
    "hnswlib": Peer("hnswlib", _hnswlib),
    "usearch": Peer("usearch", _usearch),
}


def rate(find: Callable[[NDArray[np.float32]], Any], queries: NDArray[np.float32], *, at_once: int, most: float = 8.0) -> float:
    """RETURNS (float): Queries per second, asked `at_once` at a time for a few seconds."""
    find(queries[:at_once])
    began, done = time.monotonic(), 0
    while (spent := time.monotonic() - began) < most and done < 4 * len(queries):
        start = done % len(queries)
        done += len(found := queries[start : start + at_once])
        find(found)
    return done / (time.monotonic() - began if spent < most else spent)


def recall(found: NDArray[np.int64], truth: NDArray[np.int64]) -> float:
    """RETURNS (float): Share of the truly nearest that were found."""
    return float(np.mean([len(np.intersect1d(a, b)) / len(b) for a, b in zip(found, truth, strict=True)]))


def measure(vectors: NDArray[np.float32], queries: NDArray[np.float32], truth: NDArray[np.int64]) -> dict[str, Any]:
    """RETURNS (dict): Per library: seconds to build, queries per second, recall at as many hits as the truth has."""
    k, results = truth.shape[1], {}
    for name, peer in PEERS.items():
        if peer.version is None:
            results[name] = {"why": f"not installed: pip install {peer.package}"}
            continue
        began = time.monotonic()
        find = peer.build(vectors)
        about: dict[str, Any] = {"version": peer.version, "build_seconds": round(time.monotonic() - began, 1)}
        for size in (1, 64):
            about[f"queries_per_second_by_{size}"] = round(rate(functools.partial(find, k=k), queries, at_once=size))
        about["recall"] = round(recall(find(queries, k), truth), 4)
        results[name] = about
    return results
