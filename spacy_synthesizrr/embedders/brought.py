"""Vectors that a column of the corpus brings: nothing is embedded but queries, by an embedder that is tried first.

They wait in a file from the reading of the corpus until the store asks for them, so that memory does not follow their number.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from spacy_synthesizrr.candidates import Passage
from spacy_synthesizrr.embedders.base import Embedder
from spacy_synthesizrr.embedders.inside import Outer
from spacy_synthesizrr.embedders.trial import TRIED, fit_on_nothing, try_embedder
from spacy_synthesizrr.embedders.vectorfile import VectorFile
from spacy_synthesizrr.errors import InputError, StoreError

if TYPE_CHECKING:
    from numpy.typing import NDArray

WAITING = 1024  # vectors in memory before they are written
CURE = "Run the step again."
TEXTS = " It must have been given the column of the text, with the title in front where the task file names one."


class BroughtVectors(Outer):
    """An embedder whose vectors of passages were brought; in everything else it is the embedder inside.

    inner (Embedder): What queries are embedded with; a pretrained one.
    corpus (Path): The file that brings them. column (str): Their column.
    spool (Path): Where they wait; the file goes when this is closed.
    """

    brought = True

    def __init__(self, inner: Embedder, *, corpus: Path, column: str, spool: Path) -> None:
        super().__init__(inner)
        self._corpus, self._column = corpus, column
        self._waiting: list[tuple[bytes, NDArray[np.float32]]] = []
        self._length, self._count = 0, 0
        self._state = hashlib.sha256()
        self._tried: list[tuple[str, NDArray[np.float32]]] = []
        self._draw = random.Random(0)
        spool.unlink(missing_ok=True)
        self._file = VectorFile(spool, cure=CURE, fleeting=True)

    # filling

    def add(self, passage: Passage, line: int, value: Any) -> None:
        """Take the vector of a passage.

        line (int): Of the corpus. value (Any): What stands in its column.
        RAISES (InputError): When it is no vector, or has another length than those before.
        """
        vector = self._vector(line, value)
        key = _key(passage.id)
        self._state.update(key + vector.tobytes())
        self._waiting.append((key, vector))
        if len(self._waiting) >= WAITING:
            self._flush()
        self._count += 1
        if len(self._tried) < TRIED:
            self._tried.append((passage.text, vector))
        elif (place := self._draw.randrange(self._count)) < TRIED:
            self._tried[place] = passage.text, vector

    def _vector(self, line: int, value: Any) -> NDArray[np.float32]:
        if value is None:
            raise self._fault(line, "There is no vector in this row", "Every row needs one; leave out the rows that have none.")
        numbers = _numbers(value)
        if numbers is None:
            raise self._fault(line, f"This is no vector: {str(value)[:60]}", "Write a list of numbers.")
        with np.errstate(over="ignore"):  # told below
            vector: NDArray[np.float32] = numbers.astype("<f4")
        if not np.isfinite(vector).all():
            raise self._fault(line, "This vector holds NaN, infinity or a number too large for float32", "Mend the row or leave it out.")
        if not vector.any():
            raise self._fault(line, "This vector is all zeros, so it is close to nothing", "Mend the row or leave it out.")
        self._length = self._length or len(vector)
        if len(vector) != self._length:
            raise self._fault(line, f"This vector has {len(vector)} numbers; those before it have {self._length}", "Mend the row.")
        return vector

    def _fault(self, line: int, what: str, cure: str) -> InputError:
        return InputError(f"{what} (column '{self._column}').", path=self._corpus, line=line, cure=cure)

    def _flush(self) -> None:
        if self._waiting:
            keys, vectors = zip(*self._waiting, strict=True)
            self._file.put(keys, np.array(vectors))
            self._waiting.clear()

    # as an embedder

    @property
    def recipe(self) -> str:
        """RETURNS (str): That of the embedder inside, and a hash of the vectors that were brought so far."""
        return f"{self.inner.recipe}-brought-{self._state.hexdigest()[:16]}"

    def fit(self, texts: Iterable[str], *, seed: int) -> None:
        """Load the embedder inside and try it on some of the passages; the texts stay unread.

        RAISES (StoreError): When it did not make the vectors.
        """
        whose = f"the vectors in the column '{self._column}' of {self._corpus}"
        fit_on_nothing(self.inner, seed=seed, whose=whose)
        pairs = self._tried
        try_embedder(self.inner, [text for text, _ in pairs], [vector for _, vector in pairs], whose=whose, cure=TEXTS)

    def embed_passages(self, passages: Sequence[Passage]) -> NDArray[np.float32]:
        """RETURNS (ndarray): The vectors that were brought, shape (len(passages), dimensions).

        RAISES (StoreError): For a passage that brought none.
        """
        self._flush()
        keys = [_key(passage.id) for passage in passages]
        found = self._file.get(keys)
        missing = [passage.id for passage, key in zip(passages, keys, strict=True) if key not in found]
        if missing:
            raise StoreError(f"{len(missing)} passages brought no vector, the first is {missing[0]}. {CURE}")
        return np.array([found[key] for key in keys], dtype=np.float32).reshape(len(passages), self.dimensions)

    def close(self) -> None:
        """Delete the file in which the vectors waited."""
        self._file.close()
        self._file.path.unlink(missing_ok=True)


def _numbers(value: Any) -> NDArray[Any] | None:
    """RETURNS (Optional[ndarray]): A list of numbers as an array; None for anything else."""
    try:
        found = np.array(value) if isinstance(value, (list, tuple, np.ndarray)) else np.zeros(0)
    except ValueError:  # lists of several lengths in a list
        return None
    return found if found.ndim == 1 and len(found) and found.dtype.kind in "fiu" else None


def _key(passage_id: str) -> bytes:
    return hashlib.blake2b(passage_id.encode(), digest_size=20).digest()
