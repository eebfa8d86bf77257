"""An embedder with another one inside."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from spacy_synthesizrr.embedders.base import Embedder, embed_queries

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Outer:
    """Is the embedder inside in everything that it does not say itself; a store that keeps this one keeps that one.

    inner (Embedder): The embedder inside.
    """

    def __init__(self, inner: Embedder) -> None:
        self.inner = inner

    @property
    def recipe(self) -> str:
        """RETURNS (str): That of the embedder inside."""
        return self.inner.recipe

    @property
    def id(self) -> str:
        """RETURNS (str): That of the embedder inside."""
        return self.inner.id

    @property
    def dimensions(self) -> int:
        """RETURNS (int): Numbers in a vector."""
        return self.inner.dimensions

    @property
    def normalised(self) -> bool:
        """RETURNS (bool): Whether vectors have length 1."""
        return self.inner.normalised

    def fit(self, texts: Iterable[str], *, seed: int) -> None:
        """Fit the embedder inside."""
        self.inner.fit(texts, seed=seed)

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """RETURNS (ndarray): Vectors of texts, shape (len(texts), dimensions), by the embedder inside."""
        return self.inner.embed(texts)

    def embed_queries(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """RETURNS (ndarray): Vectors of queries, shape (len(texts), dimensions), by the embedder inside."""
        return embed_queries(self.inner, texts)

    def save(self, folder: Path) -> None:
        """Write the embedder inside; who loads it knows nothing of this one."""
        self.inner.save(folder)

    def load(self, folder: Path) -> Embedder:
        """RETURNS (Embedder): This one, with what `save` wrote inside."""
        self.inner = self.inner.load(folder)
        return self
