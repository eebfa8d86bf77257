"""`synthesizrr.NoEmbedder.v1`: for a collection that is searched by words alone, whose vectors nobody here can make.

Whatever would need a vector says so, and which setting asks for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from spacy_synthesizrr.embedders.base import EMBEDDER_FILE
from spacy_synthesizrr.errors import StoreError
from spacy_synthesizrr.jsonl import write_json

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

FACTORY = "synthesizrr.NoEmbedder.v1"


class NoEmbedder:
    """Embeds nothing."""

    recipe = id = "none"
    dimensions, normalised, pretrained = 0, True, True

    def fit(self, texts: Iterable[str], *, seed: int) -> None:
        """Nothing is learnt, and the texts are left unread."""

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """RAISES (StoreError): Always."""
        raise StoreError(
            f"This index has no embedder ([embedder] is {FACTORY}), so nothing can be compared by vectors. Search by words alone: "
            'search = "keyword" in [plan], no diversity, on = false in [plan.margin] and similarity = null in [plan.leaks]. Or name the '
            "embedder that made the vectors."
        )

    def save(self, folder: Path) -> None:
        """Write embedder.json."""
        folder.mkdir(parents=True, exist_ok=True)
        write_json(folder / EMBEDDER_FILE, {"v": 1, "factory": FACTORY, "parameters": {}})

    def load(self, folder: Path) -> NoEmbedder:
        """RETURNS (NoEmbedder): Itself."""
        return self


def make_no_embedder() -> NoEmbedder:
    """RETURNS (NoEmbedder): See the head of this module."""
    return NoEmbedder()


def embeds(embedder: object) -> bool:
    """RETURNS (bool): Whether an embedder makes vectors at all."""
    return not isinstance(embedder, NoEmbedder)
