"""The passages of an index on disk: one JSON line each, found by row number or by id without holding them in memory.

    passages.jsonl  the rows         passages.npy  where each begins, and where the last ends (bytes)
    ids.txt         all ids in a row  ids.npy       where each begins, and where the last ends (bytes)
    lookup.npy      hashes of the ids in rising order, and the row of each

Reading holds nothing but the mapped arrays; writing holds about 50 bytes per passage until the end.
"""

from __future__ import annotations

import hashlib
import os
import weakref
from array import array
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import IO, TYPE_CHECKING, TypeVar

import numpy as np

from spacy_synthesizrr.candidates import Passage
from spacy_synthesizrr.errors import StoreError
from spacy_synthesizrr.jsonl import dumps, parse_row

if TYPE_CHECKING:
    from numpy.typing import NDArray

ROWS_FILE, IDS_FILE = "passages.jsonl", "ids.txt"
FILES = (ROWS_FILE, "passages.npy", IDS_FILE, "ids.npy", "lookup.npy")
BATCH = 1024
Item = TypeVar("Item")


def batched(items: Iterable[Item], size: int = BATCH) -> Iterator[list[Item]]:
    """Cut a stream into lists of `size` items; the last may be shorter."""
    stream = iter(items)
    while batch := list(islice(stream, size)):
        yield batch


def hash_text(text: str) -> int:
    """RETURNS (int): 64 bits, the same in every process."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")


class Seen:
    """Remembers 64-bit hashes at 8 bytes each, as sorted runs that are merged when they have grown alike."""

    def __init__(self) -> None:
        self._runs: list[NDArray[np.uint64]] = []

    def first_time(self, hashes: Sequence[int]) -> NDArray[np.bool_]:
        """RETURNS (ndarray): For each hash whether it came for the first time, in this call or before; then keeps them."""
        batch = np.array(hashes, dtype=np.uint64)
        unique, places = np.unique(batch, return_index=True)
        known = np.zeros(len(unique), dtype=bool)
        for run in self._runs:
            found = np.minimum(np.searchsorted(run, unique), len(run) - 1)
            known |= run[found] == unique
        self._add(unique[~known])
        first = np.zeros(len(batch), dtype=bool)
        first[places[~known]] = True
        return first

    def _add(self, run: NDArray[np.uint64]) -> None:
        if not len(run):
            return
        while self._runs and len(self._runs[-1]) <= 2 * len(run):
            run = np.sort(np.concatenate((self._runs.pop(), run)))
        self._runs.append(run)


class PassageWriter:
    """Writes passages one batch after the other; those with an id that is there already are counted and left out."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._rows: IO[bytes] = (folder / ROWS_FILE).open("wb")
        self._ids: IO[bytes] = (folder / IDS_FILE).open("wb")
        self._row_ends, self._id_ends, self._hashes = array("q", [0]), array("q", [0]), array("Q")
        self._seen_ids, self._seen_texts = Seen(), Seen()
        self._state = hashlib.sha256()
        self.equal_ids = self.equal_texts = 0

    @property
    def count(self) -> int:
        """RETURNS (int): Passages written."""
        return len(self._hashes)

    @property
    def fingerprint(self) -> str:
        """RETURNS (str): Hash of everything written, in its order."""
        return self._state.hexdigest()[:32]

    def add(self, batch: Sequence[Passage]) -> None:
        """batch (Sequence[Passage]): The next passages."""
        hashes = [hash_text(passage.id) for passage in batch]
        new = self._seen_ids.first_time(hashes)
        kept = [(passage, value) for passage, value, is_new in zip(batch, hashes, new, strict=True) if is_new]
        self.equal_ids += len(batch) - len(kept)
        self.equal_texts += int((~self._seen_texts.first_time([hash_text(passage.text) for passage, _ in kept])).sum())
        for passage, value in kept:
            row, name = (dumps(passage.to_dict()) + "\n").encode(), passage.id.encode()
            self._rows.write(row)
            self._ids.write(name)
            self._state.update(row)
            self._row_ends.append(self._row_ends[-1] + len(row))
            self._id_ends.append(self._id_ends[-1] + len(name))
            self._hashes.append(value)

    def __enter__(self) -> PassageWriter:
        return self

    def __exit__(self, *error: object) -> None:
        self._rows.close()
        self._ids.close()

    def finish(self) -> None:
        """Write the arrays; everything is on disk afterwards."""
        for file in (self._rows, self._ids):
            file.flush()
            os.fsync(file.fileno())
        np.save(self._folder / "passages.npy", np.frombuffer(self._row_ends, dtype=np.int64), allow_pickle=False)
        np.save(self._folder / "ids.npy", np.frombuffer(self._id_ends, dtype=np.int64), allow_pickle=False)
        hashes = np.array(self._hashes, dtype=np.uint64)
        order = np.argsort(hashes, kind="stable").astype(np.uint64)
        np.save(self._folder / "lookup.npy", np.stack((hashes[order], order)), allow_pickle=False)


class PassageFile:
    """Reads what `PassageWriter` wrote."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / ROWS_FILE
        self._rows = os.open(self._path, os.O_RDONLY)
        self._close = weakref.finalize(self, os.close, self._rows)  # stores are rarely closed by hand
        self._row_ends = np.load(folder / "passages.npy", mmap_mode="r", allow_pickle=False)
        self._id_ends = np.load(folder / "ids.npy", mmap_mode="r", allow_pickle=False)
        self._ids = np.memmap(folder / IDS_FILE, dtype=np.uint8, mode="r")
        self._hashes, self._order = np.load(folder / "lookup.npy", mmap_mode="r", allow_pickle=False)

    def __len__(self) -> int:
        return len(self._row_ends) - 1

    def ids(self, rows: NDArray[np.int64]) -> list[str]:
        """RETURNS (List[str]): The ids of some rows."""
        spans = zip(self._id_ends[rows].tolist(), self._id_ends[rows + 1].tolist(), strict=True)
        names = self._ids.data
        return [str(names[start:end], "utf-8") for start, end in spans]

    def row(self, passage_id: str) -> int | None:
        """RETURNS (Optional[int]): The row of an id, None when it is not there."""
        value = np.uint64(hash_text(passage_id))
        place = int(np.searchsorted(self._hashes, value))
        if place == len(self._hashes) or self._hashes[place] != value:
            return None
        row = int(self._order[place])
        return row if self.ids(np.array([row])) == [passage_id] else None

    def line(self, row: int) -> bytes:
        """RETURNS (bytes): The passage of a row as it stands in the file, with the end of its line."""
        start, end = int(self._row_ends[row]), int(self._row_ends[row + 1])
        return os.pread(self._rows, end - start, start)

    def get(self, rows: Iterable[int]) -> Iterator[Passage]:
        """YIELDS (Passage): The passages of some rows, in their order."""
        for row in rows:
            yield parse_row(self.line(row), Passage.from_dict, path=self._path, number=row + 1)

    def close(self) -> None:
        """Close the file of rows."""
        self._close()


def require_rows(file: PassageFile, ids: Sequence[str], *, where: str) -> list[int]:
    """The rows of ids that must be there.

    RAISES (StoreError): Names the first that is not, and how many.
    """
    rows = [file.row(name) for name in ids]
    refuse_missing(ids, [name for name, row in zip(ids, rows, strict=True) if row is None], where=where)
    return [row for row in rows if row is not None]


def refuse_missing(ids: Sequence[str], missing: Sequence[str], *, where: str) -> None:
    """RAISES (StoreError): When ids are missing from an index; names the first, and how many of those asked for."""
    if missing:
        raise StoreError(
            f"{len(missing)} of {len(ids)} passages are not in the index {where}, the first is '{missing[0]}'. "
            "The index was built from another corpus or with other settings: run the steps 'index' and 'plan' again."
        )
