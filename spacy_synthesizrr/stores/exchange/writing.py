"""Writing an index to a file, row group by row group: memory does not follow the number of passages."""

from __future__ import annotations

import contextlib
import fcntl
import glob
import hashlib
import json
import os
import tempfile
import uuid
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from spacy_synthesizrr.candidates import Passage
from spacy_synthesizrr.errors import InputError, StoreError, require
from spacy_synthesizrr.fingerprints import fingerprint
from spacy_synthesizrr.jsonl import dumps, read_json, write_json
from spacy_synthesizrr.progress import progress
from spacy_synthesizrr.stores.base import Store, describe
from spacy_synthesizrr.stores.exchange.form import ABOUT, CHUNK, EMBEDDER, EXTRA, FIELDS, NOTES, ROWS, Manifest, check_key, schema
from spacy_synthesizrr.stores.exchange.reading import read_manifest
from spacy_synthesizrr.stores.opening import HELD, NOTE
from spacy_synthesizrr.stores.passages import Seen, batched, hash_text
from spacy_synthesizrr.stores.publish import locked
from spacy_synthesizrr.stores.survey import Held

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pyarrow.parquet import ParquetWriter

UNFINISHED = ".unfinished"


def export_index(store: Store, held: Held, target: Path) -> Manifest:
    """Write an index to a parquet file, which appears when it is whole. Deleted passages are left out.

    store (Store): At the index.
    held (Held): What is known of the index.
    RETURNS (Manifest): What the file says of itself.
    RAISES (StoreError): When the index has no vectors, has an id twice, or changes meanwhile.
    RAISES (InputError): When something else than the file of an index is there already.
    RAISES (MissingExtraError): Without pyarrow.
    """
    pq = require("pyarrow.parquet", EXTRA)
    check_key(held.key)
    embedder = store.embedder
    _check_target(target)
    with tempfile.TemporaryDirectory() as work:
        files = _small_files(store, held, Path(work))
        with _appearing(target) as file:
            with contextlib.closing(pq.ParquetWriter(file, schema(), compression=_packed(), use_dictionary=False)) as writer:
                sums = _write_passages(writer, store, held)
                about = {name: fingerprint(path) for name, path in files.items()}
                for name, path in files.items():
                    _write_file(writer, name, path)
                seed, content = int(_note(files).get("seed", 0)), str(_note(files).get("content", ""))
                manifest = Manifest(held.key, sums.passages, sums.fingerprint, sums.vectors, describe(embedder), seed, about, content)
                writer.add_key_value_metadata({ABOUT: manifest.to_text()})
    return manifest


def _check_target(target: Path) -> None:
    if not target.exists():
        return
    try:
        read_manifest(target)
    except InputError as error:
        cure = "Give the index another name, or move away what is there."
        raise InputError("This is there already and is no whole file of an index: it was not touched.", path=target, cure=cure) from error


@contextlib.contextmanager
def _appearing(target: Path) -> Iterator[IO[bytes]]:
    """A file beside `target` that takes its name at the end. It is called otherwise than the unfinished files that a step clears
    out of its run folder, for a step may begin meanwhile; what a killed export left goes with the next one of that name.

    YIELDS (IO): The file, open for writing.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    for left in target.parent.glob(f".{glob.escape(target.name)}.*{UNFINISHED}"):
        with contextlib.suppress(BlockingIOError, FileNotFoundError), locked(left, wait=False):
            left.unlink()
    part = target.with_name(f".{target.name}.{uuid.uuid4().hex}{UNFINISHED}")
    try:
        with part.open("wb") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield file
            file.flush()
            os.fsync(file.fileno())
            os.replace(part, target)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def _packed() -> dict[str, str]:
    """RETURNS (dict): Compression by column; vectors would hardly shrink."""
    return {name: "zstd" for name in schema().names if name != "vector"} | {"vector.list.element": "none"}


def _write_passages(writer: ParquetWriter, store: Store, held: Held) -> Sums:
    sums, seen = Sums(), Seen()
    shown = progress(store.iterate(with_vectors=True), "Exporting", total=held.passages, unit="passages")
    for batch in batched(shown, ROWS):
        passages = [passage for passage, _ in batch]
        vectors = _together(batch, held)
        if not seen.first_time([hash_text(passage.id) for passage in passages]).all():
            raise StoreError(f"Two passages of the index {store.location} have one id: it cannot be exported.")
        sums.add(passages, vectors)
        writer.write_table(_table(passages, vectors))
    if sums.passages != held.passages or (held.fingerprint and not held.deleted and sums.fingerprint != held.fingerprint):
        raise StoreError(
            f"The index {store.location} gave {sums.passages:,} passages where it counts {held.passages:,}, or others than it was built "
            "from: it changed meanwhile, or is damaged. Nothing was written. Try again; if this comes back, run the step 'index' again."
        )
    return sums


def _together(batch: Sequence[tuple[Passage, NDArray[np.float32] | None]], held: Held) -> NDArray[np.float32]:
    """RETURNS (ndarray): The vectors of some passages; where a server made none of an empty text, zeros."""
    dimensions = int(held.embedder["dimensions"])
    rows = np.zeros((len(batch), dimensions), dtype=np.float32)
    for row, (passage, vector) in enumerate(batch):
        if vector is not None and vector.shape == (dimensions,):
            rows[row] = vector
        elif vector is not None or passage.text.strip():
            raise StoreError(f"The passage '{passage.id}' of the index {held.key} has no vector of {dimensions} dimensions: not exported.")
    return rows


def _table(passages: Sequence[Passage], vectors: NDArray[np.float32]) -> Any:
    pa = require("pyarrow", EXTRA)
    count, dimensions = vectors.shape
    ends = pa.array(np.arange(count + 1, dtype=np.int32) * dimensions)
    columns: dict[str, Any] = {name: [getattr(passage, name) for passage in passages] for name in FIELDS}
    columns["meta"] = [dumps(dict(passage.meta)) for passage in passages]
    columns["vector"] = pa.ListArray.from_arrays(ends, pa.array(vectors.reshape(-1)))
    return pa.table({**columns, "file": pa.nulls(count, pa.string()), "chunk": pa.nulls(count, pa.binary())}, schema=schema())


def _write_file(writer: ParquetWriter, name: str, path: Path) -> None:
    pa, form = require("pyarrow", EXTRA), schema()
    for chunk in _chunks(path):
        empty = {column.name: pa.nulls(1, column.type) for column in form}
        writer.write_table(pa.table({**empty, "file": [name], "chunk": [chunk]}, schema=form))


def _chunks(path: Path) -> Iterator[bytes]:
    """YIELDS (bytes): The content of a file in pieces; of an empty one a piece without bytes."""
    with path.open("rb") as file:
        chunk = file.read(CHUNK)
        yield chunk
        while chunk := file.read(CHUNK):
            yield chunk


def _small_files(store: Store, held: Held, work: Path) -> dict[str, Path]:
    """RETURNS (dict): The files of the embedder and the notes, by name; written to a folder where they must be made."""
    store.embedder.save(work / EMBEDDER)
    files = {f"{EMBEDDER}/{path.name}": path for path in sorted((work / EMBEDDER).iterdir())}
    if store.notes.is_dir():
        files |= {f"{NOTES}/{path.name}": path for path in sorted(store.notes.iterdir()) if path.is_file()}
    note = f"{NOTES}/{NOTE}"
    if _note(files).get(HELD, content := store.content()) != content:
        files.pop(note)  # it is about what lay there before
    if held.deleted and note in files:  # it counts the passages that travel
        write_json(work / NOTE, {**read_json(files[note]), "passages": held.passages})
        files[note] = work / NOTE
    return files


def _note(files: dict[str, Path]) -> dict[str, Any]:
    path = files.get(f"{NOTES}/{NOTE}")
    found = json.loads(path.read_text(encoding="utf-8")) if path is not None else {}
    return found if isinstance(found, dict) else {}


class Sums:
    """What is counted and hashed as rows go by."""

    def __init__(self) -> None:
        self.passages = 0
        self._rows, self._vectors = hashlib.sha256(), hashlib.sha256()

    def add(self, passages: Iterable[Passage], vectors: NDArray[np.float32]) -> None:
        """passages (Iterable[Passage]), vectors (ndarray): The next ones."""
        for passage in passages:
            self._rows.update((dumps(passage.to_dict()) + "\n").encode())
            self.passages += 1
        self._vectors.update(np.ascontiguousarray(vectors, dtype="<f4").data)

    @property
    def fingerprint(self) -> str:
        """RETURNS (str): Of the passages, as `PassageWriter` has it."""
        return self._rows.hexdigest()[:32]

    @property
    def vectors(self) -> str:
        """RETURNS (str): Hash of the vectors."""
        return self._vectors.hexdigest()
