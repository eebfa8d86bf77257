"""Where the vectors of an index come from: a column of the corpus, those kept from before, or the embedder."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from spacy_synthesizrr.configs import section
from spacy_synthesizrr.context import Context
from spacy_synthesizrr.corpus import OnVector
from spacy_synthesizrr.embedders.base import Embedder
from spacy_synthesizrr.embedders.brought import BroughtVectors
from spacy_synthesizrr.embedders.cache import CachedEmbedder, CacheSettings, can_be_kept
from spacy_synthesizrr.progress import say

FOLDER, SPOOL = "vectors", ".vectors.part"


@contextlib.contextmanager
def vectors_from(ctx: Context, embedder: Embedder) -> Iterator[tuple[Embedder, OnVector | None]]:
    """Dress an embedder for the time in which an index is built.

    embedder (Embedder): As the config names it.
    YIELDS (Tuple[Embedder, Callable | None]): What the store gets as its embedder, and what takes the vectors that rows of the
        corpus bring, where they do.
    """
    spec = ctx.task.corpus
    if spec is not None and spec.vector:
        corpus = Path(ctx.inputs["files"]["corpus"]["path"])
        brought = BroughtVectors(embedder, corpus=corpus, column=spec.vector, spool=ctx.folder.file(SPOOL))
        with contextlib.closing(brought):
            yield brought, brought.add
        return
    settings = section(ctx.config("store"), "vector_cache", CacheSettings, path=ctx.config_path("store"))
    if not settings.enabled or not can_be_kept(embedder):
        yield embedder, None
        return
    cached = CachedEmbedder(embedder, _folder(ctx, settings))
    with contextlib.closing(cached):
        yield cached, None
        cached.close()
        if cached.embedded or cached.reused:
            size = cached.path.stat().st_size / 1e6
            say(f"{cached.embedded:,} texts embedded; {cached.reused:,} vectors were there already ({cached.path}, {size:,.1f} MB).")


def _folder(ctx: Context, settings: CacheSettings) -> Path:
    """RETURNS (Path): The folder of the kept vectors; by default it lies among the indexes."""
    return Path(settings.path or Path(str(ctx.config("store")["store"].get("path", "index"))) / FOLDER)
