"""Reading the file of an index: checked from end to end before a store sees any of it."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from spacy_synthesizrr.candidates import Passage
from spacy_synthesizrr.errors import InputError, require
from spacy_synthesizrr.progress import progress_bar
from spacy_synthesizrr.stores.exchange.form import ABOUT, EXTRA, FIELDS, Manifest, damaged, schema
from spacy_synthesizrr.stores.passages import PassageWriter

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pyarrow.parquet import ParquetFile

VECTORS = "vectors.f4"


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
            for group in _groups(file, path):
                if group["file"][0] is not None:
                    files.add(group["file"], group["chunk"])
                    continue
                passages, rows = _content(group, manifest, path)
                writer.add(passages)
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


class _Files:
    """Takes small files piece by piece."""

    def __init__(self, work: Path, manifest: Manifest, path: Path) -> None:
        self._work, self._manifest, self._path = work, manifest, path
        self._found: dict[str, Any] = {}
        self._name, self._file = "", contextlib.ExitStack()
        self._out: IO[bytes] | None = None

    def add(self, names: list[str], chunks: list[bytes]) -> None:
        for name, chunk in zip(names, chunks, strict=True):
            if name not in self._manifest.files or chunk is None or (name != self._name and name in self._found):
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
    return Manifest.from_text(about, path)


def _groups(file: ParquetFile, path: Path) -> Iterator[dict[str, Any]]:
    """YIELDS (dict): Columns of one row group after the other, as lists; vectors as one flat array with the length of each."""
    for number in range(file.num_row_groups):
        try:
            table = file.read_row_group(number)
            vectors = table.column("vector").combine_chunks()
            columns = {name: table.column(name).to_pylist() for name in table.column_names if name != "vector"}
            lengths = vectors.value_lengths().to_numpy(zero_copy_only=False)
            found = {**columns, "lengths": lengths, "vectors": vectors.flatten().to_numpy()}
        except _faults() as error:
            raise damaged(path, str(error)) from error
        if table.num_rows:
            yield found


def _content(group: dict[str, Any], manifest: Manifest, path: Path) -> tuple[list[Passage], NDArray[np.float32]]:
    if any(name is not None for name in group["file"]) or (group["lengths"] != manifest.dimensions).any():
        raise damaged(path, f"a vector has not {manifest.dimensions} dimensions")
    rows = np.ascontiguousarray(group["vectors"], dtype="<f4").reshape(-1, manifest.dimensions)
    try:
        metas = map(json.loads, group["meta"])
        values = zip(*(group[name] for name in FIELDS), metas, strict=True)
        return [Passage(**dict(zip((*FIELDS, "meta"), row, strict=True))) for row in values], rows
    except (ValueError, TypeError) as error:
        raise damaged(path, str(error)) from error
