"""What vectors say about sets of texts: labels against each other, spread, nearest neighbours, and how much of gold is covered.

All functions take vectors of length 1 (or 0, for a text without a known word, whose similarity to all is 0), so that a dot product is
a cosine. Nothing is larger than a block of rows times the other set.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

Vectors = npt.NDArray[np.float32]
Floats = npt.NDArray[np.float64]

BLOCK = 1024  # rows compared at once


def mean_cosines(vectors: Mapping[str, Vectors], *, self_pairs: bool = False) -> list[list[float | None]]:
    """Mean cosine between the texts of each label and those of each other (Divekar and Durrett 2024, arXiv 2405.10040, appendix).

    Mean of a_i · b_j over all pairs is the product of the two mean vectors, so it takes linear time.

    vectors (Mapping[str, ndarray]): Vectors of each label's texts.
    self_pairs (bool): Whether a text is compared with itself too, as the paper's code does; that lifts the diagonal by about 1/n.
    RETURNS (List[List[float | None]]): Square, in the order of the labels; None where there is no pair.
    """
    sums = {label: rows.sum(axis=0, dtype=np.float64) for label, rows in vectors.items()}
    return [[_mean(vectors, sums, one, other, self_pairs) for other in vectors] for one in vectors]


def _mean(vectors: Mapping[str, Vectors], sums: Mapping[str, Floats], one: str, other: str, self_pairs: bool) -> float | None:
    pairs, total = len(vectors[one]) * len(vectors[other]), float(sums[one] @ sums[other])
    if one == other and not self_pairs:
        pairs -= len(vectors[one])
        total -= float(np.einsum("ij,ij->", vectors[one], vectors[one], dtype=np.float64))
    return total / pairs if pairs else None


def spread(vectors: Vectors) -> float | None:
    """Mean cosine distance, 1 − cosine, over all pairs of different texts: 0 when all are alike.

    RETURNS (float): None for fewer than two texts.
    """
    found = mean_cosines({"": vectors})[0][0]
    return None if found is None else 1 - found


def nearest(vectors: Vectors, others: Vectors | None = None) -> Floats:
    """Cosine distance of each text to the nearest one of another set, or of the same set, then not to itself.

    others (ndarray): At least one; None: the same set, of at least two texts.
    RETURNS (ndarray): 1 − cosine for each text, from 0 to 2.
    RAISES (ValueError): When there is nothing to compare with.
    """
    against = vectors if others is None else others
    if len(against) < (2 if others is None else 1):
        raise ValueError(f"There is nothing to be near to ({len(against)} texts).")
    found = np.empty(len(vectors))
    for start in range(0, len(vectors), BLOCK):
        cosines = (vectors[start : start + BLOCK] @ against.T).astype(np.float64)
        if others is None:
            rows = np.arange(len(cosines))
            cosines[rows, start + rows] = -np.inf
        found[start : start + BLOCK] = 1 - cosines.max(axis=1)
    return np.clip(found, 0.0, 2.0)


def neighbours(vectors: Vectors) -> dict[str, Any]:
    """How near the nearest other text of the same set lies; falls as texts are added, so compare sets of equal size.

    RETURNS (dict): `mean` and `median` cosine distance and `n`; None for fewer than two texts.
    """
    if len(vectors) < 2:
        return {"mean": None, "median": None, "n": len(vectors)}
    found = nearest(vectors)
    return {"mean": float(found.mean()), "median": float(np.median(found)), "n": len(found)}


def coverage(gold: Vectors, rows: Vectors) -> dict[str, Any]:
    """How much of gold has a row near it: nearer than half of the gold texts have another gold text.

    It rises with the number of rows, so compare sets of equal size. Other gold texts, as many as are in `gold`, cover about a half:
    that, measured, is what to compare with; one row repeated covers next to nothing.

    gold (ndarray): Vectors of at least two gold texts. rows (ndarray): Of the rows.
    RETURNS (dict): `value`, the share of gold texts with a row within `radius`, the median cosine distance between a gold text and
        the nearest other one; `gold` and `n`, the numbers of texts. `value` is None when there is no row or fewer than two gold texts.
    """
    about = {"gold": len(gold), "n": len(rows)}
    if len(gold) < 2 or not len(rows):
        return {"value": None, "radius": None, **about}
    radius = float(np.median(nearest(gold)))
    return {"value": float(np.mean(nearest(gold, rows) <= radius + 1e-6)), "radius": radius, **about}
