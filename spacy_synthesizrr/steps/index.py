"""The step `index`: from the corpus to a store of passages with vectors.

An index belongs to a corpus, not to a run: its key is a hash of all that shapes it, and runs with the same key share it. One that
has a name keeps its place instead, and is brought up to date.
What was read and what was turned away is noted beside it when it is whole, so that a later run need not read the corpus.

A store may bring passages of its own, such as a collection that the user has: then no corpus is read and nothing is written,
and the index belongs to the store as it was counted.
"""

from __future__ import annotations

import contextlib
import json
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from spacy_synthesizrr.candidates import Passage, digest
from spacy_synthesizrr.configs import build, section
from spacy_synthesizrr.context import Context
from spacy_synthesizrr.corpus import PassageSettings, read_passages
from spacy_synthesizrr.embedders.base import Embedder
from spacy_synthesizrr.errors import InputError
from spacy_synthesizrr.jsonl import atomic, dumps, read_json, write_json
from spacy_synthesizrr.progress import say
from spacy_synthesizrr.receipts import run_step, versions
from spacy_synthesizrr.steps.vectors import vectors_from
from spacy_synthesizrr.stores.base import Store, brings_passages, describe
from spacy_synthesizrr.stores.opening import HELD, INDEX, NOTE, IndexSettings, configured_store, index_stands
from spacy_synthesizrr.tables import BadRow

REJECTED = "corpus_rejected.jsonl"
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
    with contextlib.closing(configured_store(ctx)) as store:
        settings = {"passages": store.count()} if brings_passages(store) else {"columns": _columns(ctx)}
    used = ("seed",) if "passages" in settings else ("lang", "seed")
    settings |= ctx.depends(files=() if "passages" in settings else ("corpus",), configs=("store",), settings=used)
    return run_step(ctx.folder, "index", after=(), settings=settings, outputs=(INDEX, REJECTED), body=lambda: _index(ctx))


def _index(ctx: Context) -> Mapping[str, Any]:
    path = ctx.config_path("store")
    config = ctx.config("store")
    passages = section(config, "passages", PassageSettings, path=path)
    with contextlib.closing(configured_store(ctx)) as root:
        embedder = _embedder(config, root, path)
        content = _key_of_own(ctx, root, embedder) if brings_passages(root) else _key(ctx, passages, embedder)
    name = section(config, "index", IndexSettings, path=path).name
    with contextlib.closing(root.at(name or content)) as store:
        note = _noted(ctx, store, content if name else "")
        if note is None:
            note = _build(ctx, store, passages, embedder, content=content if name else "")
        elif follow := getattr(store, "follow_config", None):  # settings that do not shape the index
            follow()
    named = {"notes": store.notes.as_posix()} if name else {}
    write_json(ctx.folder.file(INDEX), {"v": 1, "store": store.location, "key": name or content, **named, **note})
    say(_told(note, store))
    return {name: note[name] for name in ("passages", "documents", "words", "rejected", "equal_ids", "equal_texts")}


def _told(note: Mapping[str, Any], store: Store) -> str:
    if note["documents"] is None:
        return f"{note['passages']:,} passages are in {store.location}; it is only read, and no corpus file."
    turned_away = ", ".join(f"{reason} {count:,}" for reason, count in note["rejected"].items()) or "nothing"
    return f"{note['passages']:,} passages from {note['documents']:,} documents; turned away: {turned_away}."


def _embedder(config: dict[str, Any], store: Store, path: Path) -> Embedder:
    """RETURNS (Embedder): The one of the config; where it names none, a store that brings passages may bring the embedder, too."""
    if "embedder" not in config and brings_passages(store):
        own: Embedder = store.own_embedder()  # type: ignore[attr-defined]
        return own
    named: Embedder = build(config, "embedder", path=path)
    return named


def _noted(ctx: Context, store: Store, content: str) -> Mapping[str, Any] | None:
    """Take over the notes of an index that is there.

    content (str): Of an index with a name: the hash of all that shapes it.
    RETURNS (Optional[Mapping]): The counts; None when the index is not whole, or holds or is noted as something else.
    """
    try:
        note: Mapping[str, Any] = read_json(store.notes / NOTE)
        if content and (note.get("content") != content or note.get(HELD) != store.content()):
            return None
        if not store.complete():
            return None
        with (store.notes / REJECTED).open("rb") as source, atomic(ctx.folder.file(REJECTED), "wb") as target:
            shutil.copyfileobj(source, target)
    except (InputError, FileNotFoundError):
        return None
    return note


def _build(ctx: Context, store: Store, passages: PassageSettings, embedder: Embedder, *, content: str) -> Mapping[str, Any]:
    """Fill the store, then write the notes: rejected rows first, the counts that vouch for them last. Of an index with a name they also
    say what the store called its content: another run may exchange it at any time, and the notes do not notice.

    RETURNS (Mapping): The counts.
    """
    totals: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    with atomic(ctx.folder.file(REJECTED)) as file:

        def turn_away(bad: BadRow) -> None:
            reasons[bad.reason] += 1
            file.write(dumps(bad.to_dict()) + "\n")

        own = brings_passages(store)
        with contextlib.nullcontext((embedder, None)) if own else vectors_from(ctx, embedder) as (dressed, on_vector):
            lang = ctx.settings["lang"]
            stream = () if own else read_passages(ctx.task, passages, lang=lang, on_bad=turn_away, on_vector=on_vector)
            counts = store.index(_count(stream, totals), dressed, seed=ctx.seed)
    store.notes.mkdir(exist_ok=True)
    with ctx.folder.file(REJECTED).open("rb") as source, atomic(store.notes / REJECTED, "wb") as target:
        shutil.copyfileobj(source, target)
    note = {
        "passages": counts.passages,
        "documents": None if own else totals["documents"],  # of passages that are not ours nobody has counted them
        "words": None if own else totals["words"],
        "rejected": dict(sorted(reasons.items())),
        "equal_ids": counts.equal_ids,
        "equal_texts": counts.equal_texts,
        "embedder": describe(store.embedder),
        "seed": ctx.seed,
        **({"content": content, HELD: counts.content} if content else {}),
    }
    write_json(store.notes / NOTE, note)
    return note


def _count(passages: Iterable[Passage], totals: Counter[str]) -> Iterator[Passage]:
    """Pass passages on and count words and documents, whose passages stand one after the other."""
    last = None
    for passage in passages:
        totals["words"] += len(passage.text.split())
        totals["documents"] += last != (passage.source, passage.document)
        last = passage.source, passage.document
        yield passage


def index_key(ctx: Context) -> tuple[str, str]:
    """RETURNS (Tuple[str, str]): The key under which a run looks for its index; and the content that it must have there, which is empty
    where the key says it.
    """
    config, path = ctx.config("store"), ctx.config_path("store")
    name = section(config, "index", IndexSettings, path=path).name
    content = _key(ctx, section(config, "passages", PassageSettings, path=path), build(config, "embedder", path=path))
    return (name, content) if name else (content, "")


def _columns(ctx: Context) -> dict[str, Any]:
    """RETURNS (dict): What the task says of the corpus but its place.

    RAISES (TaskFileError): When it names none.
    """
    return ctx.task.need_corpus().model_dump(mode="json", exclude={"path"})


def _key_of_own(ctx: Context, store: Store, embedder: Embedder) -> str:
    mapping = getattr(store, "mapping", "")  # what of its objects is text, id and so on
    return digest("index", store.location, mapping, str(store.count()), embedder.recipe, str(ctx.seed))


def _key(ctx: Context, passages: PassageSettings, embedder: Embedder) -> str:
    columns = _columns(ctx)
    sha256 = ctx.inputs["files"]["corpus"]["sha256"]
    releases = {name: version for name, version in versions().items() if name in SHAPING}
    shaped_by = [sha256, columns, passages.model_dump(mode="json"), embedder.recipe, ctx.settings["lang"], ctx.seed, releases]
    return digest("index", json.dumps(shaped_by, sort_keys=True, ensure_ascii=False))
