"""Similarity windows: from what the config says to two similarities, for the embedder at hand."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spacy_synthesizrr.sourcing.settings import PlanSettings, Window

CLOSE_ENOUGH = 1e-6  # float32 similarities of one pair differ in the last digits


@dataclass(frozen=True)
class Edges:
    """A window in similarities of the embedder at hand; both edges belong to it.

    low (float), high (float): The edges.
    said (str): How the config put it.
    """

    low: float
    high: float
    said: str

    def below(self, similarity: np.ndarray) -> np.ndarray:
        """RETURNS (np.ndarray): Which similarities lie below, bool."""
        return similarity < self.low - CLOSE_ENOUGH

    def above(self, similarity: np.ndarray) -> np.ndarray:
        """RETURNS (np.ndarray): Which similarities lie above, bool."""
        return similarity > self.high + CLOSE_ENOUGH

    def holds(self, similarity: np.ndarray) -> np.ndarray:
        """RETURNS (np.ndarray): Which similarities lie inside, bool."""
        return ~(self.below(similarity) | self.above(similarity))

    def __str__(self) -> str:
        return f"{self.low:.2f}-{self.high:.2f}" + (f" ({self.said})" if self.said else "")


def edges(window: Window, similarity: np.ndarray) -> Edges:
    """Find the edges of a window.

    similarity (np.ndarray): The observed similarities of the hits in the window's ranks; quantiles are taken of these.
    """
    if window.kind == "absolute":
        return Edges(window.low, window.high, "")
    if not len(similarity):
        return Edges(-1.0, 1.0, "no hit observed")
    low, high = (float(value) for value in np.quantile(similarity.astype(np.float64), [window.low, window.high]))
    return Edges(low, high, f"quantiles {window.low:g}-{window.high:g}")


def score_remark(settings: PlanSettings) -> str:
    """RETURNS (str): What the similarities of a plan are where they are no cosines; empty where they are."""
    if settings.search == "vector":
        return ""
    kind = "BM25 scores" if settings.search == "keyword" else f"fused scores (alpha = {settings.retrieval.alpha:g})"
    return f"Passages are found by {settings.search} search: similarities are {kind} and no cosines, and windows are quantiles."


def fit_to_embedder(settings: PlanSettings, embedder: str) -> tuple[PlanSettings, str]:
    """Replace windows that were set for another embedder: similarities of two embedders have different scales.

    embedder (str): Id of the embedder that built the index.
    RETURNS (Tuple[PlanSettings, str]): Settings that hold for it, and what to tell the user (empty when nothing changed).
    """
    wish = settings.embedder.name
    if not wish or wish.lower() in embedder.lower():
        return settings, ""
    usual = PlanSettings()
    changed = {name: getattr(usual, name) for name in ("window", "pair_window") if getattr(settings, name).kind == "absolute"}
    remark = (
        f"The settings '{settings.preset}' are made for the embedder {wish}; this index was built by {embedder}. "
        + ("Its similarity windows are replaced by quantiles of the observed similarities. " if changed else "")
        + "This is not the paper's setting."
    )
    return settings.model_copy(update=changed), remark
