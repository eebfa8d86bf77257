"""The files of an index in this process besides its passages and vectors."""

from __future__ import annotations

import os
from pathlib import Path

from spacy_synthesizrr.embedders.base import Embedder
from spacy_synthesizrr.jsonl import read_json, write_json
from spacy_synthesizrr.stores.base import describe
from spacy_synthesizrr.stores.passages import FILES, PassageWriter
from spacy_synthesizrr.stores.publish import LOCK
from spacy_synthesizrr.stores.vectors import EMBEDDER, VECTORS

META, NOTES, DELETED, KEYWORDS = "meta.json", "notes", "deleted.json", "keywords"
OURS = frozenset((META, VECTORS, EMBEDDER, NOTES, DELETED, KEYWORDS, LOCK, *FILES))
FORMAT = 1


def write_meta(work: Path, key: str, writer: PassageWriter, embedder: Embedder) -> None:
    """Write what says which files belong together, and how large they are.

    work (Path): The folder with all of them. key (str): Of the index. writer (PassageWriter): Of its passages.
    """
    files = sorted(path for path in work.rglob("*") if path.is_file() and path.name != LOCK)
    meta = {
        "v": 1,
        "format": FORMAT,
        "key": key,
        "embedder": describe(embedder),
        "passages": writer.count,
        "equal_ids": writer.equal_ids,
        "equal_texts": writer.equal_texts,
        "fingerprint": writer.fingerprint,
        "bytes": {path.relative_to(work).as_posix(): path.stat().st_size for path in files},
    }
    write_json(work / META, meta)


def foreign(folder: Path) -> list[str]:
    """RETURNS (List[str]): What lies in a folder and is no part of an index, nor left behind by a writer that was killed."""
    left = (f".{KEYWORDS}.", f".{DELETED}.")
    return sorted(name for name in set(os.listdir(folder)) - OURS if not name.startswith(left))


def read_deleted(folder: Path) -> list[int]:
    """RETURNS (List[int]): Rows that were taken out of search."""
    path = folder / DELETED
    return list(read_json(path)) if path.is_file() else []
