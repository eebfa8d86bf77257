"""What turns texts into vectors, and how a stored one is found again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from spacy_synthesizrr.candidates import Passage
from spacy_synthesizrr.errors import StoreError
from spacy_synthesizrr.jsonl import read_json

if TYPE_CHECKING:
    from numpy.typing import NDArray

EMBEDDER_FILE = "embedder.json"
ROUNDING = 2.0**-23  # the spacing of float32 at 1


class Embedder(Protocol):
    """Turns texts into vectors whose dot product is the cosine similarity.

    One whose `fit` learns nothing, so that a text's vector follows from its id and the text alone, says so with an attribute
    `pretrained = True`; its vectors are kept from one index to the next (see `cache`).
    """

    @property
    def recipe(self) -> str:
        """RETURNS (str): Name and parameters; known before the fit."""

    @property
    def id(self) -> str:
        """RETURNS (str): Name, parameters and a fingerprint of the fit: equal ids mean equal vectors."""

    @property
    def dimensions(self) -> int:
        """RETURNS (int): Numbers in a vector; may be smaller than asked for on a tiny corpus."""

    @property
    def normalised(self) -> bool:
        """RETURNS (bool): Whether vectors have length 1 (or 0, for a text without a known word)."""

    def fit(self, texts: Iterable[str], *, seed: int) -> None:
        """Learn from texts; a pretrained embedder does nothing and leaves the texts unread."""

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Embed passages. An embedder that treats queries otherwise has a method `embed_queries` too,
        and one that brings vectors for passages a method `embed_passages`.

        RETURNS (ndarray): Vectors, shape (len(texts), dimensions). A text's vector does not depend on the others.
        """

    def save(self, folder: Path) -> None:
        """Write `embedder.json`, which names the registered function in "factory", and whatever else `load` needs."""

    def load(self, folder: Path) -> Embedder:
        """RETURNS (Embedder): The embedder that `save` wrote there."""


def embed_queries(embedder: Embedder, texts: Sequence[str]) -> NDArray[np.float32]:
    """RETURNS (ndarray): Vectors of queries, shape (len(texts), dimensions); most embedders treat them as passages."""
    return of_shape(embedder, getattr(embedder, "embed_queries", embedder.embed)(texts), len(texts))


def embed_passages(embedder: Embedder, passages: Sequence[Passage]) -> NDArray[np.float32]:
    """RETURNS (ndarray): Vectors of passages, shape (len(passages), dimensions); few embedders look at more than their text."""
    own: Callable[[Sequence[Passage]], NDArray[np.float32]] | None = getattr(embedder, "embed_passages", None)
    found = embedder.embed([passage.text for passage in passages]) if own is None else own(passages)
    return of_shape(embedder, found, len(passages))


def of_shape(embedder: Embedder, vectors: NDArray[np.float32], count: int) -> NDArray[np.float32]:
    """RETURNS (ndarray): The vectors that an embedder gave for some texts.

    RAISES (StoreError): When it is not one per text: all that follow would belong to other texts.
    """
    if np.shape(vectors) != (count, embedder.dimensions):
        raise StoreError(
            f"The embedder {embedder.id} gave vectors of shape {np.shape(vectors)} for {count} texts, where {(count, embedder.dimensions)} "
            "are needed. This is a fault of the embedder; choose another one in [embedder]."
        )
    return vectors


def load_embedder(folder: Path) -> Embedder:
    """Load a stored embedder by the registered function that its file names.

    folder (Path): What `Embedder.save` filled.
    RAISES (StoreError): When the file is not whole or its function is not installed.
    """
    from spacy.util import registry

    about = read_json(folder / EMBEDDER_FILE, cure="Delete the index and run the step 'index' again.")
    try:
        make = registry.misc.get(about["factory"])
        fresh: Embedder = make(**about["parameters"])
        return fresh.load(folder)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise StoreError(
            f"The embedder of this index cannot be made from {folder / EMBEDDER_FILE} ({' '.join(str(error).split())}). "
            "Install the package that registers it, or delete the index and run the step 'index' again."
        ) from error


def unit_rows(vectors: Any) -> NDArray[np.float32]:
    """Bring rows to length 1; zero rows stay zero, so that their similarity to everything is 0 and never NaN.

    vectors (ndarray): Shape (rows, dimensions).
    RAISES (StoreError): When a number is not finite.
    """
    rows = np.ascontiguousarray(vectors, dtype=np.float32)
    lengths = np.sqrt(np.einsum("ij,ij->i", rows, rows, dtype=np.float64))
    if not np.isfinite(lengths).all():
        row = int(np.flatnonzero(~np.isfinite(lengths))[0])
        raise StoreError(f"The vector in row {row} holds NaN or infinity. Check the embedder or the column that brings the vectors.")
    # what has length 1 but for rounding stays as it is: unit rows of unit rows are the same to the last bit
    lengths[(lengths == 0) | (abs(lengths - 1) <= ROUNDING)] = 1.0
    unit: NDArray[np.float32] = (rows / lengths[:, None]).astype(np.float32)
    return unit
