"""What lies in a store: its indexes, whole or not; and how one of them is taken away."""

from __future__ import annotations

import contextlib
import shutil
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from spacy_synthesizrr.errors import InputError, StoreError
from spacy_synthesizrr.jsonl import read_json
from spacy_synthesizrr.stores.base import Store, brings_passages, describe
from spacy_synthesizrr.stores.memory import MemoryStore
from spacy_synthesizrr.stores.memory_files import DELETED, META
from spacy_synthesizrr.stores.publish import LOCK, locked
from spacy_synthesizrr.stores.weaviate.schema import State
from spacy_synthesizrr.stores.weaviate.store import WeaviateStore


@dataclass(frozen=True)
class Held:
    """An index in a store.

    key (str): By which `Store.at` opens it. whole (bool): Whether all of it is there.
    passages (int): That can be found. deleted (int): Taken out of search.
    embedder (Mapping): What is stored of it: id, dimensions, normalised; empty where nobody knows.
    fingerprint (str): Of its passages, deleted ones too; empty where nobody knows.
    """

    key: str
    whole: bool
    passages: int = 0
    deleted: int = 0
    embedder: Mapping[str, Any] = field(default_factory=dict)
    fingerprint: str = ""


def survey(store: Store) -> list[Held]:
    """RETURNS (List[Held]): The indexes that a store holds, in the order of their keys; unfinished and damaged ones too.

    RAISES (StoreError): When a server cannot be asked.
    """
    if isinstance(store, MemoryStore):
        root = Path(store.location)
        if (root / META).is_file():  # it is at an index already
            return [_in_folder(store, root, "")]
        return [_in_folder(store.at(path.name), path, path.name) for path in sorted(root.glob("[!.]*")) if (path / META).is_file()]
    if isinstance(store, WeaviateStore):
        return [_in_collection(key, state) for key, state in store.states().items()]
    return [_as_it_says(store.at(key), key) for key in store.keys()]


def look_up(store: Store, key: str) -> Held | None:
    """RETURNS (Optional[Held]): The index of a key, None when there is none."""
    if brings_passages(store):
        return _as_it_says(store.at(key), key)
    location = store.at(key).location  # servers may have another name for a key
    return next((replace(held, key=key) for held in survey(store) if store.at(held.key).location == location), None)


def remove(store: Store) -> None:
    """Take away an index with all that is kept of it.

    store (Store): At the index.
    RAISES (StoreError): When it is not ours to take away.
    """
    if isinstance(store, WeaviateStore):
        store.drop()
    elif isinstance(store, MemoryStore):
        store.close()
        folder = Path(store.location)
        doomed = folder.with_name(f".{folder.name}.{uuid.uuid4().hex}.part")
        with locked(folder.parent / LOCK):
            folder.rename(doomed)
            shutil.rmtree(doomed)
    else:
        raise StoreError(f"{store.location} is only read: nothing is deleted from it.")


def _in_folder(store: MemoryStore, folder: Path, key: str) -> Held:
    try:
        meta, gone = read_json(folder / META), folder / DELETED
        deleted = len(read_json(gone)) if gone.is_file() else 0
        return Held(key, store.complete(), meta["passages"] - deleted, deleted, meta["embedder"], meta["fingerprint"])
    except (InputError, KeyError, TypeError):
        return Held(key, False)


def _in_collection(key: str, state: State | None) -> Held:
    if state is None:
        return Held(key, False)
    return Held(key, state.complete, state.passages - state.deleted, state.deleted, state.embedder, state.fingerprint)


def _as_it_says(store: Store, key: str) -> Held:
    with contextlib.closing(store):
        return Held(key, store.complete(), store.count(), 0, describe(store.embedder))
