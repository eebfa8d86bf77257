"""Which index a run uses: the store of its config, at the key that the step `index` noted."""

from __future__ import annotations

from spacy_synthesizrr.configs import build
from spacy_synthesizrr.context import Context
from spacy_synthesizrr.errors import InputError, StoreError
from spacy_synthesizrr.jsonl import read_json
from spacy_synthesizrr.stores.base import Store

INDEX = "index.json"


def configured_store(ctx: Context) -> Store:
    """RETURNS (Store): The store that the run's config describes, not yet at any key."""
    store: Store = build(ctx.config("store"), "store", path=ctx.config_path("store"))
    return store


def index_stands(ctx: Context) -> bool:
    """RETURNS (bool): Whether the index that the run's `index.json` names is still there; runs share it, so it may be gone."""
    try:
        return configured_store(ctx).at(read_json(ctx.folder.file(INDEX))["key"]).complete()
    except (InputError, KeyError, TypeError):
        return False


def open_store(ctx: Context) -> Store:
    """Open the index of a run for reading; `search` embeds texts with the embedder stored in it.

    RAISES (InputError): When the step `index` has not been done.
    RAISES (StoreError): When the index is gone; the step's receipt goes with it, so that the next run builds it again.
    """
    about = read_json(ctx.folder.file(INDEX), cure="Run the step 'index' first.")
    store = configured_store(ctx).at(about["key"])
    if not store.complete():
        ctx.folder.receipt_path("index").unlink(missing_ok=True)
        raise StoreError(f"The index {store.location} is gone or damaged. Run it again: spacy project run all (or synthesizrr index).")
    return store
