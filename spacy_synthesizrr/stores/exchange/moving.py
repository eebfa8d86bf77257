"""Taking an index out of a file into a store."""

from __future__ import annotations

import contextlib
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from spacy_synthesizrr.errors import StoreError
from spacy_synthesizrr.jsonl import atomic, read_json, write_json
from spacy_synthesizrr.stores.base import Store, brings_passages, describe
from spacy_synthesizrr.stores.exchange.carried import Carried
from spacy_synthesizrr.stores.exchange.form import EMBEDDER, NOTES, Manifest, check_key
from spacy_synthesizrr.stores.exchange.reading import VECTORS, read_manifest, unpack
from spacy_synthesizrr.stores.opening import HELD, NOTE
from spacy_synthesizrr.stores.passages import PassageFile
from spacy_synthesizrr.stores.publish import workspace
from spacy_synthesizrr.stores.survey import Held, look_up


@dataclass(frozen=True)
class Plan:
    """What an import would do.

    manifest (Manifest): Of the file. location (str): Where the index will lie.
    there (bool): Whether all of it is there already.
    begun (bool): Whether a part is, which will be gone on with.
    """

    manifest: Manifest
    location: str
    there: bool
    begun: bool


def plan_import(root: Store, path: Path, key: str = "") -> Plan:
    """Look at a file and at the store that shall take it in; nothing is changed.

    root (Store): Not at an index.
    key (str): Of the index; the file's own by default.
    RAISES (InputError): When the file is missing, cut off, or no index.
    RAISES (StoreError): When another index lies there, or the store is only read.
    """
    manifest = read_manifest(path)
    check_key(key or manifest.key)
    if brings_passages(root):
        raise StoreError(f"{root.location} is only read: no index can be imported into it. Choose another store with --store NAME.")
    with contextlib.closing(root.at(key or manifest.key)) as store:
        held = look_up(root, key or manifest.key)
        if held is not None and held.whole and not _fits(held, manifest):
            raise StoreError(
                f"{store.location} holds another index under the key {held.key} ({held.passages:,} passages, embedder "
                f"{held.embedder.get('id')}). Give this one a key of its own with --key, or delete that one: synthesizrr index delete."
            )
        there = held is not None and held.whole and not held.deleted and store.complete() and (store.notes / NOTE).is_file()
        return Plan(manifest, store.location, there, held is not None and not there)


def _fits(held: Held, manifest: Manifest) -> bool:
    return held.fingerprint == manifest.fingerprint and dict(held.embedder) == dict(manifest.embedder)


def import_index(root: Store, path: Path, key: str = "") -> bool:
    """Check a file from end to end, then let a store write its passages and vectors. Killed, it goes on when it is called again.

    RETURNS (bool): Whether something was written; False when all of it was there.
    RAISES (InputError), (StoreError): As `plan_import`; and when the content of the file is not what it says.
    """
    plan = plan_import(root, path, key)
    if plan.there:
        return False
    with contextlib.closing(root.at(key or plan.manifest.key)) as store:
        with workspace(store.notes.parent.with_name(f"{store.notes.parent.name}-import")) as work:
            manifest = unpack(path, work)
            with contextlib.closing(PassageFile(work)) as file:
                vectors = np.memmap(work / VECTORS, dtype="<f4", mode="r", shape=(manifest.passages, manifest.dimensions))
                embedder = Carried(work / EMBEDDER, file, vectors)
                if describe(embedder) != dict(manifest.embedder):
                    raise StoreError(f"The embedder in {path} is {embedder.id}, not {manifest.embedder['id']} as the file says.")
                counts = store.index(file.get(range(manifest.passages)), embedder, seed=manifest.seed)
            _take_notes(store, work / NOTES, counts.content)
        return counts.written


def _take_notes(store: Store, folder: Path, content: str) -> None:
    """Write the notes; the counts that vouch for them come last.

    content (str): What the store calls what it holds now; the one that the notes come from may have had another word for it.
    """
    if not folder.is_dir():
        return
    store.notes.mkdir(exist_ok=True)
    for path in sorted(folder.iterdir(), key=lambda path: path.name == NOTE):
        if path.name == NOTE and isinstance(note := read_json(path), dict) and HELD in note:
            write_json(store.notes / NOTE, {**note, HELD: content})
            continue
        with path.open("rb") as source, atomic(store.notes / path.name, "wb") as target:
            shutil.copyfileobj(source, target)
