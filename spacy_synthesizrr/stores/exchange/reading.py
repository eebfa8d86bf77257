"""Reading the file of an index: checked from end to end before a store sees any of it."""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from spacy_synthesizrr.candidates import Passage
from spacy_synthesizrr.errors import InputError, require
from spacy_synthesizrr.progress import progress_bar
from spacy_synthesizrr.stores.exchange.form import ABOUT, CHUNK, EXTRA, FIELDS, ROWS, Manifest, damaged, schema
from spacy_synthesizrr.stores.passages import PassageWriter

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pyarrow import RecordBatch
    from pyarrow.parquet import ParquetFile

VECTORS = "vectors.f4"
BATCH = 256  # passages at a time: some more than fit may come out of a file that was made to harm
LARGE, DENSE = 1 << 28, 200  # bytes of a row group that are believed of any file, and of a larger one per byte that it has


def read_manifest(path: Path) -> Manifest:
    """What a file says of itself.

    RAISES (InputError): When it is missing, cut off, or no index.
    """
    with _opened(path) as file:
        return _manifest(file, path)


def unpack(path: Path, work: Path) -> Manifest:
    """Write the content of a file to a folder: passages as `PassageFile` reads them, `vectors.f4`, and the small files.

    work (Path): An empty folder.
    RETURNS (Manifest): What the file says of itself; the content agrees with it.
    RAISES (InputError): When it does not.
    """
    with _opened(path) as file, PassageWriter(work) as writer, (work / VECTORS).open("wb") as vectors:
        manifest = _manifest(file, path)
        count, state, files = 0, hashlib.sha256(), _Files(work, manifest, path)
        with progress_bar("Reading", total=manifest.passages, unit="passages") as bar, contextlib.closing(files):
            for group in _groups(file, manifest.rows, path):
                if group["file"][0] is not None:
                    files.add(group["file"], group["chunk"])
                    continue
                passages, rows = _content(group, manifest, path)
                _add(writer, passages, path)
                vectors.write(rows.data)
                state.update(rows.data)
                count += len(passages)
                bar.update(len(passages))
        writer.finish()
        files.check()
        found = (count, writer.count, writer.fingerprint, state.hexdigest())
        if found != (manifest.passages, manifest.passages, manifest.fingerprint, manifest.vectors):
            raise damaged(path, "its passages or vectors are not those that it was written with")
    return manifest


def _add(writer: PassageWriter, passages: list[Passage], path: Path) -> None:
    try:
        writer.add(passages)
    except UnicodeEncodeError as error:  # half of a sign, which JSON can say
        raise damaged(path, str(error)) from error


class _Files:
    """Takes small files piece by piece."""

    def __init__(self, work: Path, manifest: Manifest, path: Path) -> None:
        self._work, self._manifest, self._path = work, manifest, path
        self._found: dict[str, Any] = {}
        self._name, self._file = "", contextlib.ExitStack()
        self._out: IO[bytes] | None = None

    def add(self, names: list[str], chunks: list[bytes]) -> None:
        for name, chunk in zip(names, chunks, strict=True):
            if name not in self._manifest.files or chunk is None or len(chunk) > CHUNK or (name != self._name and name in self._found):
                raise damaged(self._path, "it holds a file that it does not name")
            if name != self._name or self._out is None:
                self._file.close()
                (self._work / name).parent.mkdir(exist_ok=True)
                self._out = self._file.enter_context((self._work / name).open("wb"))
                self._name, self._found[name] = name, [0, hashlib.sha256()]
            self._out.write(chunk)
            self._found[name][0] += len(chunk)
            self._found[name][1].update(chunk)

    def close(self) -> None:
        self._file.close()

    def check(self) -> None:
        found = {name: {"bytes": size, "sha256": state.hexdigest()} for name, (size, state) in self._found.items()}
        if found != dict(self._manifest.files):
            raise damaged(self._path, "its embedder or notes are not those that it was written with")


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[ParquetFile]:
    pq = require("pyarrow.parquet", EXTRA)
    if not path.is_file():
        raise InputError("There is no such file.", path=path, cure="Write one with: synthesizrr index export FILE")
    try:
        file = pq.ParquetFile(path)
    except _faults() as error:
        raise damaged(path, str(error)) from error
    with contextlib.closing(file):
        yield file


def _faults() -> tuple[type[Exception], ...]:
    return (require("pyarrow", EXTRA).ArrowException, OSError, ValueError, KeyError, TypeError)


def _manifest(file: ParquetFile, path: Path) -> Manifest:
    about = (file.metadata.metadata or {}).get(ABOUT)
    if about is None or not file.schema_arrow.equals(schema()):
        raise damaged(path, "it is a parquet file, but not of an index")
    manifest = Manifest.from_text(about, path)
    _check_size(file, manifest, path)
    return manifest


def _check_size(file: ParquetFile, manifest: Manifest, path: Path) -> None:
    """A small file may say that it holds very much: what would not be read in pieces of ours is not read at all.

    RAISES (InputError): When a row group is larger than ours are, or there are other rows than the file says of itself.
    """
    groups = [file.metadata.row_group(number) for number in range(file.num_row_groups)]
    rows = [group.num_rows for group in groups]
    if max((group.total_byte_size for group in groups), default=0) > _most(path):
        raise damaged(path, "it is packed more densely than texts can be")
    if max(rows, default=0) > ROWS:
        raise damaged(path, f"it holds more than {ROWS:,} passages in one piece")
    if sum(rows) != manifest.rows:
        raise damaged(path, "it does not hold as many passages as it says")


def _most(path: Path) -> int:
    """RETURNS (int): Bytes that a row group of a file can hold when it is unpacked."""
    return max(LARGE, DENSE * path.stat().st_size)


def _groups(file: ParquetFile, rows: int, path: Path) -> Iterator[dict[str, Any]]:
    """YIELDS (dict): Columns of one row group after the other, as lists; vectors as one flat array with the length of each."""
    for table in _batches(file, path):
        rows -= table.num_rows
        if rows < 0:  # a row group may hold more than it says, so it is read in batches
            raise damaged(path, "it holds more passages than it says")
        if table.nbytes > _most(path):
            raise damaged(path, "it is packed more densely than texts can be")
        try:
            vectors = table.column("vector")
            columns = {name: table.column(name).to_pylist() for name in table.schema.names if name != "vector"}
            lengths = vectors.value_lengths().to_numpy(zero_copy_only=False)
            found = {**columns, "lengths": lengths, "vectors": vectors.flatten().to_numpy()}
        except _faults() as error:
            raise damaged(path, str(error)) from error
        if table.num_rows:
            yield found


def _batches(file: ParquetFile, path: Path) -> Iterator[RecordBatch]:
    for number in range(file.num_row_groups):
        try:
            yield from file.iter_batches(batch_size=BATCH, row_groups=[number])
        except _faults() as error:
            raise damaged(path, str(error)) from error


def _content(group: dict[str, Any], manifest: Manifest, path: Path) -> tuple[list[Passage], NDArray[np.float32]]:
    if any(name is not None for name in group["file"]) or (group["lengths"] != manifest.dimensions).any():
        raise damaged(path, f"a vector has not {manifest.dimensions} dimensions")
    rows = np.ascontiguousarray(group["vectors"], dtype="<f4").reshape(-1, manifest.dimensions)
    if any(value is None for name in FIELDS for value in group[name]) or not np.isfinite(rows).all():
        raise damaged(path, "a value of a passage is missing")
    try:
        values = zip(*(group[name] for name in FIELDS), map(_meta, group["meta"]), strict=True)
        return [Passage(**dict(zip((*FIELDS, "meta"), row, strict=True))) for row in values], rows
    except (ValueError, TypeError, RecursionError) as error:
        raise damaged(path, str(error)) from error


def _meta(text: str) -> dict[str, Any]:
    found = json.loads(text, parse_float=_finite, parse_constant=_finite)
    if not isinstance(found, dict):
        raise ValueError("the metadata of a passage are no object")
    return found


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text[:20]} is no number that JSON knows")
    return number
