"""Vectors of rows: by a pretrained embedder, or by one that is fitted on the rows, as many of each set."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from spacy_synthesizrr.embedders.base import Embedder, of_shape, unit_rows
from spacy_synthesizrr.embedders.lsa import make_lsa_embedder

Vectors = npt.NDArray[np.float32]

DIMENSIONS, TEXTS_PER_DIMENSION = 100, 10  # of an embedder that is fitted on few texts: more would know each by heart


class Features:
    """Embeds each text once; `fitted` says whether by an embedder that knows these rows alone, so that no other run has such vectors.

    embedder (Embedder | None): A pretrained one. None: one is fitted on the texts when the first is asked for.
    texts (Sequence[str]): Equally many of each set, or one set would be known better than the others.
    seed (int): Of the fit.
    """

    def __init__(self, embedder: Embedder | None, texts: Sequence[str], *, seed: int) -> None:
        self._embedder, self._texts, self._seed = embedder, texts, seed
        self.fitted = embedder is None
        self._known: dict[str, Vectors] = {}

    @property
    def name(self) -> str:
        """RETURNS (str): The embedder's id, and what it was fitted on."""
        return self._ready().id + (f", fitted on {len(self._texts)} rows, as many of each set" if self.fitted else "")

    def __call__(self, texts: Sequence[str]) -> Vectors:
        """RETURNS (ndarray): Vectors of length 1, or 0 for a text without a known word; shape (texts, dimensions)."""
        embedder = self._ready()
        new = [text for text in dict.fromkeys(texts) if text not in self._known]
        if new:
            self._known.update(zip(new, unit_rows(of_shape(embedder, embedder.embed(new), len(new))), strict=True))
        return np.stack([self._known[text] for text in texts])

    def _ready(self) -> Embedder:
        if self._embedder is None:
            embedder = make_lsa_embedder(dimensions=max(2, min(DIMENSIONS, len(self._texts) // TEXTS_PER_DIMENSION)))
            embedder.fit(self._texts, seed=self._seed)
            self._embedder = embedder
        return self._embedder
