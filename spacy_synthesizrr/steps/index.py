"""The step `index`: from the corpus to a store of passages with vectors.

An index belongs to a corpus, not to a run: its key is a hash of all that shapes it, and runs with the same key share it.
What was read and what was turned away is noted beside it when it is whole, so that a later run need not read the corpus.
"""

from __future__ import annotations

import contextlib
import json
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from spacy_synthesizrr.candidates import Passage, digest
from spacy_synthesizrr.configs import build, section
from spacy_synthesizrr.context import Context
from spacy_synthesizrr.corpus import PassageSettings, read_passages
from spacy_synthesizrr.embedders.base import Embedder
from spacy_synthesizrr.jsonl import atomic, dumps, read_json, write_json
from spacy_synthesizrr.progress import say
from spacy_synthesizrr.receipts import run_step, versions
from spacy_synthesizrr.stores.base import Store, describe
from spacy_synthesizrr.stores.opening import INDEX, configured_store, index_stands
from spacy_synthesizrr.tables import BadRow

REJECTED = "corpus_rejected.jsonl"
NOTE = "corpus.json"
# Packages that cut texts, or whose arithmetic makes vectors. Our own is among them: it decides where a passage ends.
SHAPING = ("spacy-synthesizrr", "spacy", "numpy", "scikit-learn")


def run(ctx: Context) -> bool:
    """Index the corpus of a run.

    RETURNS (bool): Whether work was done.
    RAISES (InputError): When the corpus cannot be read or no passage comes out of it.
    RAISES (StoreError): When the place of the store holds something else.
    """
    receipt = ctx.folder.receipt_path("index")
    if receipt.is_file() and not index_stands(ctx):
        receipt.unlink()
    settings = {
        **ctx.depends(files=("corpus",), configs=("store",), settings=("lang", "seed")),
        "columns": ctx.task.corpus.model_dump(mode="json", exclude={"path"}),
    }
    return run_step(ctx.folder, "index", after=(), settings=settings, outputs=(INDEX, REJECTED), body=lambda: _index(ctx))


def _index(ctx: Context) -> Mapping[str, Any]:
    path = ctx.config_path("store")
    config = ctx.config("store")
    passages = section(config, "passages", PassageSettings, path=path)
    embedder: Embedder = build(config, "embedder", path=path)
    key = _key(ctx, passages, embedder)
    with contextlib.closing(configured_store(ctx).at(key)) as store:
        if not (store.complete() and (store.notes / NOTE).is_file()):
            _build(ctx, store, passages, embedder)
        _copy(store, ctx)
        note = read_json(store.notes / NOTE)
    write_json(ctx.folder.file(INDEX), {"v": 1, "store": store.location, "key": key, **note})
    turned_away = ", ".join(f"{reason} {count:,}" for reason, count in note["rejected"].items()) or "nothing"
    say(f"{note['passages']:,} passages from {note['documents']:,} documents; turned away: {turned_away}.")
    return {name: note[name] for name in ("passages", "documents", "words", "rejected", "equal_ids", "equal_texts")}


def _build(ctx: Context, store: Store, passages: PassageSettings, embedder: Embedder) -> None:
    """Fill the store, then write the notes: rejected rows first, the counts that vouch for them last."""
    totals: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    with atomic(ctx.folder.file(REJECTED)) as file:

        def turn_away(bad: BadRow) -> None:
            reasons[bad.reason] += 1
            file.write(dumps(bad.to_dict()) + "\n")

        stream = read_passages(ctx.task, passages, lang=ctx.settings["lang"], on_bad=turn_away)
        counts = store.index(_count(stream, totals), embedder, seed=ctx.seed)
    store.notes.mkdir(exist_ok=True)
    with ctx.folder.file(REJECTED).open("rb") as source, atomic(store.notes / REJECTED, "wb") as target:
        shutil.copyfileobj(source, target)
    note = {
        "passages": counts.passages,
        "documents": totals["documents"],
        "words": totals["words"],
        "rejected": dict(sorted(reasons.items())),
        "equal_ids": counts.equal_ids,
        "equal_texts": counts.equal_texts,
        "embedder": describe(store.embedder),
    }
    write_json(store.notes / NOTE, note)


def _copy(store: Store, ctx: Context) -> None:
    with (store.notes / REJECTED).open("rb") as source, atomic(ctx.folder.file(REJECTED), "wb") as target:
        shutil.copyfileobj(source, target)


def _count(passages: Iterable[Passage], totals: Counter[str]) -> Iterator[Passage]:
    """Pass passages on and count words and documents, whose passages stand one after the other."""
    last = None
    for passage in passages:
        totals["words"] += len(passage.text.split())
        totals["documents"] += last != (passage.source, passage.document)
        last = passage.source, passage.document
        yield passage


def _key(ctx: Context, passages: PassageSettings, embedder: Embedder) -> str:
    columns = ctx.task.corpus.model_dump(mode="json", exclude={"path"})
    sha256 = ctx.inputs["files"]["corpus"]["sha256"]
    releases = {name: version for name, version in versions().items() if name in SHAPING}
    shaped_by = [sha256, columns, passages.model_dump(mode="json"), embedder.recipe, ctx.settings["lang"], ctx.seed, releases]
    return digest("index", json.dumps(shaped_by, sort_keys=True, ensure_ascii=False))
