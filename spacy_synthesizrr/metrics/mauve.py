"""MAUVE: how close the distribution of some texts lies to that of others, by their vectors.

Pillutla et al. 2021 (arXiv 2102.01454, section 3): the vectors of both sets are cut into clusters; P and Q are the shares of each
cluster. With R_λ = λ·P + (1 − λ)·Q and Kullback-Leibler divergences in nats, the points

    ( exp(−c · KL(Q‖R_λ)), exp(−c · KL(P‖R_λ)) ),   0 < λ < 1, together with (0, 1) and (1, 0)

draw a curve, and MAUVE is the area under it: 1 for equal distributions. Disjoint ones do not have 0 but `floor(c)`: 1/2 with c = 1,
1/252 with c = 5. As in the authors' package, vectors have length 1, are reduced to the principal components that hold 90 % of the
variance, and k-means (here scikit-learn's, there faiss') is the best of 5 starts; λ takes 25 values.

SynthesizRR asks for 30 clusters and c = 1 (`num_buckets`, `mauve_scaling_factor`) with vectors of gpt2-xl; the package by itself takes
c = 5. Values of other vectors, clusters, c or numbers of texts cannot be compared with each other, hence the ceiling that belongs
beside each: the same measure between two samples of the reference texts, of the same sizes.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

Vectors = npt.NDArray[Any]
Floats = npt.NDArray[np.float64]

CLUSTERS, SCALING = 30, 1.0
STARTS, ITERATIONS, VARIANCE, POINTS = 5, 500, 0.9, 25


def mauve(reference: Vectors, rows: Vectors, *, clusters: int = CLUSTERS, scaling: float = SCALING, seed: int = 0) -> float:
    """Compare two sets of texts by their vectors.

    reference (ndarray): Vectors of texts that people wrote, shape (texts, dimensions).
    rows (ndarray): Of those to compare with them; as many, for a fair value.
    clusters (int): At most; no more than half of all texts are made.
    scaling (float): c in the formula; the larger, the smaller the value.
    seed (int): Of k-means.
    RETURNS (float): From `floor(scaling)` to 1; larger is closer.
    RAISES (ValueError): When a set is empty.
    """
    if not len(reference) or not len(rows):
        raise ValueError(f"MAUVE needs texts on both sides (was: {len(reference)} and {len(rows)}).")
    labels = _clustered(np.concatenate([rows, reference]), clusters, seed=seed)
    size = int(labels.max()) + 1
    q, p = (np.bincount(part, minlength=size) / len(part) for part in (labels[: len(rows)], labels[len(rows) :]))
    return area(p, q, scaling=scaling)


def floor(scaling: float = SCALING) -> float:
    """RETURNS (float): The value for sets that share no cluster: the area under (λ^c, (1 − λ)^c), Γ(c + 1)² / Γ(2c + 1)."""
    return math.exp(2 * math.lgamma(scaling + 1) - math.lgamma(2 * scaling + 1))


def area(p: Floats, q: Floats, *, scaling: float = SCALING) -> float:
    """RETURNS (float): The area under the divergence curve of two distributions over the same clusters."""
    mixtures = np.linspace(1e-6, 1 - 1e-6, POINTS)
    curve = [(0.0, 1.0)]
    for share in mixtures:
        mixed = share * p + (1 - share) * q
        curve.append((float(np.exp(-scaling * _divergence(q, mixed))), float(np.exp(-scaling * _divergence(p, mixed)))))
    x, y = np.array([*curve, (1.0, 0.0)]).T
    along_x, along_y = np.lexsort((-y, x)), np.lexsort((-x, y))  # of points one above the other the outer one comes first
    # as in the authors' package: the curve need not fall everywhere, so the mean of both directions is taken
    both = _trapezoids(y[along_x], x[along_x]) + _trapezoids(x[along_y], y[along_y])
    return float(min(1.0, max(0.0, both / 2)))


def _trapezoids(y: Floats, x: Floats) -> float:
    return float(np.sum(np.diff(x) * (y[1:] + y[:-1]) / 2))  # np.trapezoid, which numpy 1 does not have


def _divergence(of: Floats, against: Floats) -> float:
    there = of > 0
    return float(np.sum(of[there] * np.log(of[there] / against[there])))


def _clustered(vectors: Vectors, clusters: int, *, seed: int) -> npt.NDArray[np.int64]:
    """RETURNS (ndarray): The cluster of each vector, from 0."""
    from sklearn.cluster import KMeans
    from sklearn.decomposition import PCA
    from threadpoolctl import threadpool_limits

    from spacy_synthesizrr.embedders.base import unit_rows

    unit = unit_rows(vectors).astype(np.float64)
    different = len(np.unique(unit, axis=0))
    clusters = max(1, min(clusters, len(unit) // 2, different))
    if clusters == 1:
        return np.zeros(len(unit), dtype=np.int64)
    with threadpool_limits(1):  # threads that wait for one another take longer than the work on so few rows
        fitted = PCA(svd_solver="full").fit(unit)
        kept = int(np.argmax(np.cumsum(fitted.explained_variance_ratio_) >= VARIANCE)) + 1
        reduced = fitted.transform(unit)[:, :kept]
        labels = KMeans(clusters, n_init=STARTS, max_iter=ITERATIONS, random_state=seed % 2**32).fit_predict(reduced)
    return np.unique(labels, return_inverse=True)[1].astype(np.int64)
