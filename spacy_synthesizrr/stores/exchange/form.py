"""The form of the file: one parquet table that holds passages with their vectors, and then the small files of the index.

    id text source document number   a passage; null in rows that hold a piece of a file
    meta                             its metadata as JSON
    vector                           its vector, float32
    file chunk                       name and next bytes of a file: `embedder/…`, `notes/…`; null in rows of passages

What the file says of itself stands in its metadata under `synthesizrr_index`, as JSON with a hash of its own.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spacy_synthesizrr.candidates import digest
from spacy_synthesizrr.errors import ConfigError, InputError, require
from spacy_synthesizrr.jsonl import dumps

if TYPE_CHECKING:
    from pyarrow import Schema

FORMAT = 1
ABOUT = b"synthesizrr_index"  # in the metadata of the file
EXTRA = "parquet"
FIELDS = ("id", "text", "source", "document", "number")  # of a passage, beside its metadata
ROWS = 2048  # passages of a row group: all that is in memory at a time
CHUNK = 1 << 20  # bytes of a file in one row
EMBEDDER, NOTES = "embedder", "notes"
_KEY = re.compile(r"[0-9A-Za-z][0-9A-Za-z_-]{0,63}")
_FILE = re.compile(rf"(?:{EMBEDDER}|{NOTES})/[0-9A-Za-z_][0-9A-Za-z_.-]*")


@dataclass(frozen=True)
class Manifest:
    """What a file says of itself.

    key (str): Of the index, under which a run looks for it. passages (int): How many there are.
    fingerprint (str): Of the passages, as stores count it. vectors (str): SHA-256 of all vectors in their order.
    embedder (Mapping): What `describe` says of it. seed (int): Of its fit.
    files (Mapping[str, Mapping]): Bytes and SHA-256 of each small file.
    content (str): Of an index with a name, by which a run knows its corpus and settings; empty where the key says it.
    """

    key: str
    passages: int
    fingerprint: str
    vectors: str
    embedder: Mapping[str, Any]
    seed: int = 0
    files: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    content: str = ""

    @property
    def dimensions(self) -> int:
        """RETURNS (int): Of the vectors."""
        return int(self.embedder["dimensions"])

    @property
    def rows(self) -> int:
        """RETURNS (int): Of the table: passages, and the pieces of the small files."""
        return self.passages + sum(max(1, -(-about["bytes"] // CHUNK)) for about in self.files.values())

    def to_text(self) -> str:
        """RETURNS (str): JSON with a hash of it."""
        about = asdict(self)
        return dumps({"v": FORMAT, "about": about, "check": _check(about)})

    @classmethod
    def from_text(cls, text: str | bytes, path: Path) -> Manifest:
        """Read what `to_text` wrote.

        path (Path): The file, for the message.
        RAISES (InputError): When it was altered, or is of a newer release.
        """
        try:
            found = json.loads(text)
            if found["v"] > FORMAT:
                cure = "Install a newer spacy-synthesizrr."
                raise InputError(f"This index has format {found['v']}; this release reads up to {FORMAT}.", path=path, cure=cure)
            if found["check"] != _check(found["about"]):
                raise ValueError("its description was altered")
            manifest = cls(**found["about"])
            _check_types(manifest)
            check_key(manifest.key)
            for name in manifest.files:
                if not _FILE.fullmatch(name):
                    raise ValueError(f"'{name[:60]}' is no file of an index")
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError, ConfigError) as error:
            raise damaged(path, str(error)) from error
        return manifest


def _check_types(manifest: Manifest) -> None:
    """RAISES (ValueError): When the description says what none of ours can."""
    texts = (manifest.key, manifest.content, manifest.fingerprint, manifest.vectors, manifest.embedder["id"])
    counts = (manifest.passages, *(about["bytes"] for about in manifest.files.values()))
    if not all(isinstance(text, str) for text in (*texts, *(about["sha256"] for about in manifest.files.values()))):
        raise ValueError("its description has no text where one belongs")
    if any(type(count) is not int or count < 0 for count in counts) or type(manifest.seed) is not int:
        raise ValueError("its description has no count where one belongs")
    if not manifest.passages:
        raise ValueError("it holds no passages")
    if type(manifest.embedder["dimensions"]) is not int or not 1 <= manifest.embedder["dimensions"] < 1 << 20:
        raise ValueError("its embedder has no dimensions")


def _check(about: Mapping[str, Any]) -> str:
    return digest("manifest", json.dumps(about, sort_keys=True))


def check_key(key: str) -> None:
    """RAISES (ConfigError): For a key that not every store can use as a name."""
    if not _KEY.fullmatch(key):
        raise ConfigError(f"'{key}' is no key of an index. Use letters, digits, '_' and '-', as those that `synthesizrr index ls` lists.")


def damaged(path: Path, how: str) -> InputError:
    """RETURNS (InputError): That a file cannot be trusted."""
    cure = "Nothing was taken from it. Copy it again, or export the index again."
    return InputError(f"This is no whole file of an index ({' '.join(how.split())[:200]}).", path=path, cure=cure)


def schema() -> Schema:
    """RETURNS (Schema): Of the table."""
    pa = require("pyarrow", EXTRA)
    texts = [(name, pa.string()) for name in ("id", "text", "source", "document")]
    rest = [("number", pa.int64()), ("meta", pa.string()), ("vector", pa.list_(pa.float32()))]
    files = [("file", pa.string()), ("chunk", pa.binary())]
    return pa.schema([*texts, *rest, *files])
