"""Trying whether an embedder is the one that made vectors which somebody else brought."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from spacy_synthesizrr.embedders.base import Embedder, unit_rows
from spacy_synthesizrr.errors import InputError, StoreError

if TYPE_CHECKING:
    from numpy.typing import NDArray

TRIED, ALIKE = 20, 0.99  # texts that are embedded; cosine that each must reach


def fit_on_nothing(embedder: Embedder, *, seed: int, whose: str) -> None:
    """Load a pretrained embedder.

    whose (str): The vectors that it is to have made, for the error, such as "the vectors of a collection".
    RAISES (StoreError): When it learns from a corpus.
    """
    try:
        embedder.fit((), seed=seed)
    except InputError as error:
        raise StoreError(
            f"The embedder {embedder.recipe} learns from a corpus, so it cannot be the one that made {whose}. Name a pretrained one in "
            "[embedder], such as synthesizrr.FastEmbed.v1."
        ) from error


def try_embedder(embedder: Embedder, texts: Sequence[str], vectors: Sequence[NDArray[np.float32]], *, whose: str, cure: str = "") -> None:
    """Embed some texts and compare with their vectors.

    embedder (Embedder): Fitted. texts (Sequence[str]): Some texts; not none.
    vectors (Sequence[ndarray]): One per text, shape (dimensions,).
    whose (str): The vectors, for the error. cure (str): What else may be wrong.
    RAISES (StoreError): When one of them is not nearly the same.
    """
    ours, theirs = embedder.embed(texts), np.array(vectors, dtype=np.float32)
    alike = float((unit_rows(ours) * unit_rows(theirs)).sum(axis=1).min()) if ours.shape == theirs.shape else 0.0
    if alike < ALIKE:
        raise StoreError(
            f"The embedder {embedder.id} ({ours.shape[1]} dimensions) did not make {whose} ({theirs.shape[1]} dimensions): of "
            f"{len(texts)} passages, the least alike has a cosine of {alike:.3f} to its stored vector, and {ALIKE} is needed. Name the "
            f"embedder that was used in [embedder], with its prefixes and pooling.{cure}"
        )
