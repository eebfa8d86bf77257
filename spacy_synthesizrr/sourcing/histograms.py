"""Similarities of seeds and their hits as counts: for plan.json, for the terminal and for the report's plot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

BINS = 24
QUANTILES = (0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99)


@dataclass(frozen=True)
class Histogram:
    """Counts over common bins.

    edges (Tuple[float, ...]): Edges of the bins, one more than bins, in similarities.
    counts (Mapping[str, Tuple[int, ...]]): Hits per bin, by name of the series.
    """

    edges: tuple[float, ...]
    counts: Mapping[str, tuple[int, ...]]

    def to_dict(self) -> dict[str, Any]:
        """RETURNS (dict): JSON: `{"edges": [...], "counts": {name: [...]}}`."""
        return {"edges": list(self.edges), "counts": {name: list(values) for name, values in self.counts.items()}}


def histogram(similarity: np.ndarray, series: Mapping[str, np.ndarray], *, bins: int = BINS) -> Histogram:
    """Count similarities.

    similarity (np.ndarray): Of all hits.
    series (Mapping[str, np.ndarray]): For each name which hits belong to it, bool.
    bins (int): Bins between the smallest and the largest similarity.
    """
    if len(similarity):
        # edges rounded outwards to four digits, so that every hit lies in a bin and JSON shows what was counted
        low, high = np.floor(similarity.min() * 1e4) / 1e4, np.ceil(similarity.max() * 1e4) / 1e4
    else:
        low, high = 0.0, 1.0
    borders = np.linspace(low, max(high, low + 1e-4), bins + 1)
    counts = {name: tuple(int(n) for n in np.histogram(similarity[mine].astype(np.float64), borders)[0]) for name, mine in series.items()}
    return Histogram(tuple(round(float(edge), 6) for edge in borders), counts)


def quantiles(similarity: np.ndarray, at: Sequence[float] = QUANTILES) -> dict[str, float]:
    """RETURNS (dict): Similarity at each quantile, by the quantile's name such as "0.1"; empty when there is no hit."""
    if not len(similarity):
        return {}
    return {f"{q:g}": round(float(value), 4) for q, value in zip(at, np.quantile(similarity.astype(np.float64), at), strict=True)}
