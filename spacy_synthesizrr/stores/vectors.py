"""The vectors of an index: written batch by batch, so that memory does not follow the number of passages."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from spacy_synthesizrr.embedders.base import Embedder, embed_passages, unit_rows
from spacy_synthesizrr.progress import progress
from spacy_synthesizrr.stores.passages import PassageFile, batched

VECTORS, EMBEDDER = "vectors.npy", "embedder"
AT_ONCE = 256  # passages: enough to have many of like length, few enough that the bar moves while a large model works


def write_vectors(work: Path, embedder: Embedder, *, seed: int) -> None:
    """Fit on the passages in a folder and append their vectors batch by batch behind a header of the final shape."""
    passages = PassageFile(work)
    try:
        count = len(passages)
        embedder.fit((passage.text for passage in passages.get(range(count))), seed=seed)
        embedder.save(work / EMBEDDER)
        with (work / VECTORS).open("wb") as file:
            shape = (count, embedder.dimensions)
            np.lib.format.write_array_header_1_0(file, {"descr": "<f4", "fortran_order": False, "shape": shape})
            shown = progress(passages.get(range(count)), "Embedding", total=count, unit="passages")
            for batch in batched(shown, AT_ONCE):
                file.write(unit_rows(embed_passages(embedder, batch)).astype("<f4").data)
            file.flush()
            os.fsync(file.fileno())
    finally:
        passages.close()
