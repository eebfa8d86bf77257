"""Which index a run uses: the store of its config, at the key that the step `index` noted."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import field_validator

from spacy_synthesizrr.configs import Settings, build, check_sections, section
from spacy_synthesizrr.context import Context
from spacy_synthesizrr.corpus import PassageSettings
from spacy_synthesizrr.embedders.cache import CacheSettings
from spacy_synthesizrr.errors import InputError, StoreError
from spacy_synthesizrr.jsonl import read_json
from spacy_synthesizrr.stores.base import Store

INDEX = "index.json"
NOTE = "corpus.json"  # beside an index: what it was made from
HELD = "held"  # in notes about an index with a name: what the store called its content when they were written
SECTIONS = ("store", "embedder", "passages", "index", "vector_cache")  # of a store config
TAKEN = ("vectors", "weaviate")  # folders that lie among the indexes


class IndexSettings(Settings):
    """The section [index] of a store config.

    name (str): Under which the index keeps its place and is brought up to date when the corpus changes; without one, another
        corpus has another index.
    """

    name: str = ""

    @field_validator("name")
    @classmethod
    def _is_a_name(cls, name: str) -> str:
        plain = name.replace("_", "").replace("-", "")
        if name and not (plain.isascii() and plain.isalnum() and name[0].isalnum() and len(name) <= 64 and name not in TAKEN):
            raise ValueError(f"must be up to 64 letters, digits, '-' and '_', beginning with one of the first two, and none of {TAKEN}")
        return name


def check_store_config(config: dict[str, Any], path: Path) -> None:
    """Check all of a store config but what builds the store and the embedder, so that a slip is found before work starts.

    path (Path): Of the file.
    RAISES (ConfigError): For a section that nobody reads, and for a key or value that is none.
    """
    check_sections(config, SECTIONS, path=path)
    section(config, "passages", PassageSettings, path=path)
    section(config, "index", IndexSettings, path=path)
    section(config, "vector_cache", CacheSettings, path=path)


def configured_store(ctx: Context) -> Store:
    """RETURNS (Store): The store that the run's config describes, not yet at any key."""
    store: Store = build(ctx.config("store"), "store", path=ctx.config_path("store"))
    return store


def holds_the_same(about: Mapping[str, Any], store: Store | None = None) -> bool:
    """Whether an index that has a name still holds the corpus of a run: another run may have brought it up to date with another.

    about (Mapping): What `index.json` says.
    store (Store): At the index; it knows best. Without one the notes are believed, which two runs at once may have mixed up.
    RETURNS (bool): True for an index without a name, whose key says what it holds.
    RAISES (StoreError): When a server cannot be asked.
    """
    if "content" not in about:
        return True
    if store is not None and about.get(HELD):
        return store.content() == about[HELD]
    try:
        return bool(read_json(Path(about["notes"]) / NOTE)["content"] == about["content"])
    except (InputError, KeyError, TypeError):
        return False


def index_stands(ctx: Context) -> bool:
    """RETURNS (bool): Whether the index that the run's `index.json` names is still there; runs share it, so it may be gone."""
    try:
        about = read_json(ctx.folder.file(INDEX))
        with contextlib.closing(configured_store(ctx).at(about["key"])) as store:
            return holds_the_same(about, store) and store.complete()
    except (InputError, KeyError, TypeError):
        return False


def open_store(ctx: Context) -> Store:
    """Open the index of a run for reading; `search` embeds texts with the embedder stored in it.

    RAISES (InputError): When the step `index` has not been done.
    RAISES (StoreError): When the index is gone or holds another corpus; the step's receipt goes with it, so that the next run
        builds it again.
    """
    about = read_json(ctx.folder.file(INDEX), cure="Run the step 'index' first.")
    store = configured_store(ctx).at(about["key"])
    whole = store.complete()
    if whole and not holds_the_same(about, store):
        ctx.folder.receipt_path("index").unlink(missing_ok=True)
        raise StoreError(
            f"The index {store.location} holds another corpus than when this run was indexed: another run with the same [index] name has "
            "brought it up to date. Run this one again: spacy project run all (or synthesizrr index); or give it another name."
        )
    if not whole:
        ctx.folder.receipt_path("index").unlink(missing_ok=True)
        raise StoreError(f"The index {store.location} is gone or damaged. Run it again: spacy project run all (or synthesizrr index).")
    return store
