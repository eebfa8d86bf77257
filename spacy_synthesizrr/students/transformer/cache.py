"""Vectors that a frozen encoder made, kept for the life of a process: every epoch, seed and arm asks for the same ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hashlib import blake2b
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

Vectors = Callable[[Sequence[str]], "NDArray[np.float32]"]
MOST_BYTES = 128 << 20  # of vectors; the oldest go first


class VectorCache:
    """Vectors by encoder and text.

    most_bytes (int): That the vectors may take together.
    """

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most = most_bytes
        self._held: dict[bytes, NDArray[np.float32]] = {}
        self._bytes = 0

    def get(self, encoder: str, texts: Sequence[str], compute: Vectors) -> NDArray[np.float32]:
        """Look texts up; what is not there is computed at once and kept.

        encoder (str): Hash of the encoder and of the settings that shape a vector.
        compute (Callable): From texts to vectors of shape (texts, width).
        RETURNS (NDArray[float32]): Shape (texts, width).
        """
        keys = [blake2b(f"{encoder}\0{text}".encode("utf-8", "surrogatepass"), digest_size=16).digest() for text in texts]
        missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in self._held}
        made = dict(zip(missing, compute(list(missing.values())), strict=True)) if missing else {}
        found = np.stack([made[key] if key in made else self._held[key] for key in keys])
        for key, vector in made.items():
            self._keep(key, vector.copy())  # of its own: a row of an array keeps the whole array
        return found

    def clear(self) -> None:
        """Forget all vectors."""
        self._held.clear()
        self._bytes = 0

    def _keep(self, key: bytes, vector: NDArray[np.float32]) -> None:
        self._held[key] = vector
        self._bytes += vector.nbytes
        while self._bytes > self._most:
            self._bytes -= self._held.pop(next(iter(self._held))).nbytes


VECTORS = VectorCache()
