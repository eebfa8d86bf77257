"""The embedder of an index that comes out of a file: it has the vectors of its passages."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from spacy_synthesizrr.candidates import Passage
from spacy_synthesizrr.embedders.base import Embedder, embed_queries, load_embedder
from spacy_synthesizrr.stores.passages import PassageFile, require_rows

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Carried:
    """Gives each passage the vector that was stored with it. Everything else is the embedder that made them, and a store that
    keeps this one keeps that one.

    folder (Path): The fitted embedder, as its `save` wrote it.
    file (PassageFile): The passages. vectors (ndarray): Theirs, in the same order.
    """

    def __init__(self, folder: Path, file: PassageFile, vectors: NDArray[np.float32]) -> None:
        self._folder, self._file, self._vectors = folder, file, vectors
        self._embedder = load_embedder(folder)
        self.recipe, self.id = self._embedder.recipe, self._embedder.id
        self.dimensions, self.normalised = self._embedder.dimensions, self._embedder.normalised

    def fit(self, texts: Iterable[str], *, seed: int) -> None:
        """It is fitted."""

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """RETURNS (ndarray): Vectors of texts that are no passages."""
        return self._embedder.embed(texts)

    def embed_queries(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """RETURNS (ndarray): Vectors of queries."""
        return embed_queries(self._embedder, texts)

    def embed_passages(self, passages: Sequence[Passage]) -> NDArray[np.float32]:
        """RETURNS (ndarray): The stored vectors of these passages."""
        rows = require_rows(self._file, [passage.id for passage in passages], where="in the file")
        return np.array(self._vectors[rows], dtype=np.float32)

    def save(self, folder: Path) -> None:
        """Write the embedder that made the vectors."""
        shutil.copytree(self._folder, folder, dirs_exist_ok=True)

    def load(self, folder: Path) -> Embedder:
        """RETURNS (Embedder): The embedder that `save` wrote there."""
        return load_embedder(folder)
