"""Vectors of passages kept on disk, so that a text is embedded once: a corpus that changed a little, another cut, another store
or another index embeds only what is new, and work that was killed goes on where it stopped.

It holds vectors of pretrained embedders alone, those with `pretrained = True`: what is fitted on a corpus gives other vectors for
another one. There is one file per embedder, named by its id. A vector is found by a hash of that id and the exact text; the text
itself is not kept.
"""

from __future__ import annotations

import functools
import hashlib
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from spacy_synthesizrr.candidates import Passage, digest
from spacy_synthesizrr.configs import Settings
from spacy_synthesizrr.embedders.base import Embedder, of_shape, unit_rows
from spacy_synthesizrr.embedders.inside import Outer
from spacy_synthesizrr.embedders.vectorfile import VectorFile
from spacy_synthesizrr.errors import StoreError

if TYPE_CHECKING:
    from numpy.typing import NDArray

PIECE = 128  # texts that are embedded before they are kept: at most so many are lost in a kill
PROBE = "The lighthouse keeper wrote down every ship that passed, 12 in May and 31 in June."
APART = 0.05  # part of its length by which the probe's vector may differ from the one in the file
SUFFIX = ".sqlite"
CURE = "Delete it (nothing else is lost: the vectors are made again), or set [vector_cache] path to another folder or enabled = false."


class CacheSettings(Settings):
    """The section [vector_cache] of a store config.

    enabled (bool): Whether vectors of pretrained embedders are kept.
    path (str): In which folder; "vectors" beside the indexes when empty.
    """

    enabled: bool = True
    path: str = ""


def can_be_kept(embedder: Embedder) -> bool:
    """RETURNS (bool): Whether an embedder says that a text's vector follows from its id and the text alone."""
    return bool(getattr(embedder, "pretrained", False)) and not hasattr(embedder, "embed_passages")


class CachedEmbedder(Outer):
    """An embedder that looks passages up before it embeds them; in everything else it is the embedder inside.

    inner (Embedder): One that `can_be_kept`.
    folder (Path): Of the files.
    """

    pretrained = True

    def __init__(self, inner: Embedder, folder: Path) -> None:
        super().__init__(inner)
        self.folder, self.embedded, self.reused = folder, 0, 0

    def fit(self, texts: Iterable[str], *, seed: int) -> None:
        """Fit the embedder inside, which learns nothing."""
        self.close()
        super().fit(texts, seed=seed)

    def embed_passages(self, passages: Sequence[Passage]) -> NDArray[np.float32]:
        """Take the vectors that are there, embed the other texts in pieces of like length, and keep each piece at once.

        RETURNS (ndarray): Shape (len(passages), dimensions).
        RAISES (StoreError): When the file cannot be used, or is of another model.
        """
        keys = [self._key(passage.text) for passage in passages]
        found = self._file.get(dict.fromkeys(keys))
        self.reused += len(found)
        missing = {key: passage.text for key, passage in zip(keys, passages, strict=True) if key not in found}
        new = sorted(missing, key=lambda key: len(missing[key]))
        for start in range(0, len(new), PIECE):
            piece = new[start : start + PIECE]
            vectors = of_shape(self.inner, self.inner.embed([missing[key] for key in piece]), len(piece)).astype(np.float32)
            unit_rows(vectors)  # refuses NaN, which would be kept for good
            self._file.put(piece, vectors)
            found.update(zip(piece, vectors, strict=True))
            self.embedded += len(piece)
        rows = np.array([found[key] for key in keys], dtype=np.float32)
        return rows.reshape(len(passages), self.dimensions)

    def load(self, folder: Path) -> Embedder:
        """RETURNS (Embedder): This one, with what `save` wrote inside."""
        self.close()
        return super().load(folder)

    @property
    def path(self) -> Path:
        """RETURNS (Path): The file of this embedder.

        RAISES (StoreError): Before the fit.
        """
        name = re.sub(r"[^0-9A-Za-z.]+", "-", self.recipe)[:80].strip("-.")
        return self.folder / f"{name}-{digest('vectors', self.id)[:16]}{SUFFIX}"

    def close(self) -> None:
        """Let go of the file; the next call opens it again."""
        if "_file" in self.__dict__:
            self.__dict__.pop("_file").close()
        self.__dict__.pop("_state", None)

    @functools.cached_property
    def _state(self) -> hashlib.blake2b:
        return hashlib.blake2b(digest("vector", self.id).encode(), digest_size=20)

    def _key(self, text: str) -> bytes:
        state = self._state.copy()
        state.update(text.encode())
        return state.digest()

    @functools.cached_property
    def _file(self) -> VectorFile:
        file = VectorFile(self.path, cure=CURE)
        try:
            self._check(file)
        except BaseException:
            file.close()
            raise
        return file

    def _check(self, file: VectorFile) -> None:
        """Compare the vector of a fixed text: an embedder whose id does not say all would get vectors of another model."""
        key, now = self._key(PROBE), self.inner.embed([PROBE])
        kept = file.get([key]).get(key)
        if kept is None:
            file.put([key], now)
        elif kept.shape != now[0].shape or np.linalg.norm(now[0] - kept) > APART * np.linalg.norm(kept):
            raise StoreError(f"The vectors in {self.path} are of another model than the embedder {self.id} is now. {CURE}")
