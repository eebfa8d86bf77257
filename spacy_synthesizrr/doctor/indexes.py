"""The indexes of a store, and whether the run that is asked about finds its own."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from spacy_synthesizrr.doctor.findings import Finding
from spacy_synthesizrr.errors import InputError
from spacy_synthesizrr.jsonl import read_json
from spacy_synthesizrr.stores.base import Store
from spacy_synthesizrr.stores.opening import NOTE, holds_the_same
from spacy_synthesizrr.stores.survey import Held
from spacy_synthesizrr.stores.weaviate.home import NOTES
from spacy_synthesizrr.stores.weaviate.schema import PREFIX

PART = "store"
MOST = 8  # indexes that are listed
AGAIN = "Run the step again: synthesizrr index --run NAME"


def indexes(store: Store, found: list[Held], of_run: Mapping[str, Any]) -> list[Finding]:
    """Tell the indexes of a store.

    found (List[Held]): What `survey` found there. of_run (Mapping): The `index.json` of a run, or nothing.
    RETURNS (List[Finding]): One per index; that of the run first and needed.
    """
    key = str(of_run.get("key", ""))
    own = store.at(key).location if key else ""  # servers may have another name for a key
    others = [held for held in found if not own or store.at(held.key).location != own]
    mine = [replace(held, key=key) for held in found if held not in others]
    shown = [_of_run(store, held, of_run) for held in mine] + [_index(held) for held in others[: MOST - len(mine)]]
    if key and not mine:
        shown.insert(0, _gone(key))
    if len(found) > MOST:
        shown.append(Finding(PART, "indexes", "ok", f"and {len(found) - MOST:,} more: synthesizrr index ls"))
    return shown or [Finding(PART, "indexes", "ok", "none yet")]


def _gone(key: str) -> Finding:
    return Finding(PART, f"index {key[:12]}", "missing", "the run's index is gone", AGAIN)


def _of_run(store: Store, held: Held, of_run: Mapping[str, Any]) -> Finding:
    """RETURNS (Finding): As `_index`, and whether the run that built it can still open it."""
    told = _index(held, of_run=True)
    with contextlib.closing(store.at(held.key)) as at:
        if told.state == "ok" and not at.complete():
            return replace(told, state="broken", detail=f"its embedder is not on this machine: {told.detail}", cure=AGAIN)
        if told.state == "ok" and not holds_the_same(of_run, at):
            return _another(told)
    return told


def _another(told: Finding) -> Finding:
    cure = f"{AGAIN}; or give it another [index] name."
    return replace(told, state="broken", detail=f"another run has brought it up to date with another corpus: {told.detail}", cure=cure)


def _index(held: Held, *, of_run: bool = False) -> Finding:
    name = f"index {held.key[:12]}"
    gone = f" ({held.deleted:,} deleted)" if held.deleted else ""
    detail = f"{held.passages:,} passages{gone}, {held.embedder.get('id', 'embedder unknown')}" + (", of this run" if of_run else "")
    if held.whole:
        return Finding(PART, name, "ok", detail, needed=of_run)
    cure = "Run the step `index` again: it goes on where it stopped. Or remove it: synthesizrr index delete --key " + held.key
    return Finding(PART, name, "broken", f"not whole: {detail}", cure, needed=of_run)


def built_here(store: Store, of_run: Mapping[str, Any]) -> list[Finding]:
    """RETURNS (List[Finding]): What the folder on this machine says of indexes while the server does not run."""
    key = str(of_run.get("key", ""))
    own = store.at(key).notes if key else None
    found = []
    for path in sorted(store.notes.parent.parent.glob("*/about.json")):
        notes = path.parent / NOTES
        about, note = _read(path), _read(notes / NOTE)
        count = f"{note['passages']:,} passages" if "passages" in note else "passages not counted"
        detail = f"{count}, {about.get('embedder', {}).get('id')}, as noted here; the server counts when it runs"
        if notes != own:
            name = path.parent.name.removeprefix(f"{PREFIX}_")
            found.append(Finding(PART, f"index {name[:12]}", "ok", detail, needed=False))
            continue
        told = Finding(PART, f"index {key[:12]}", "ok", detail + ", of this run")
        found.insert(0, told if holds_the_same(of_run) else _another(told))
    if key and not any(each.needed for each in found):
        found.insert(0, _gone(key))
    return found[:MOST] or [Finding(PART, "indexes", "ok", "none yet")]


def _read(path: Path) -> dict[str, Any]:
    try:
        return dict(read_json(path))
    except (InputError, TypeError, ValueError):
        return {}
