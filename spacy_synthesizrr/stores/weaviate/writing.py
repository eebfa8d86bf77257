"""Filling a collection: what is there already stays, what is missing is embedded and uploaded, what is stale goes.

Embedding and uploading go on at the same time; where a module of the server makes the vectors, passages go without any. No
object is taken for written because a call returned: each answer is searched for objects that the server turned away, and in the
end its count must be ours.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from spacy_synthesizrr.embedders.base import Embedder, embed_passages, unit_rows
from spacy_synthesizrr.errors import StoreError
from spacy_synthesizrr.progress import progress_bar
from spacy_synthesizrr.stores.passages import BATCH, PassageFile, batched
from spacy_synthesizrr.stores.weaviate.faults import explained, faults, hidden
from spacy_synthesizrr.stores.weaviate.objects import Objects
from spacy_synthesizrr.stores.weaviate.schema import ID, Kinds, content_of, object_id, to_properties
from spacy_synthesizrr.stores.weaviate.table import Table

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from weaviate.collections.classes.data import DataObject
    from weaviate.collections.classes.internal import ReferenceInputs

    Object = DataObject[dict[str, Any], ReferenceInputs | None]
    Item = tuple[int, NDArray[np.float32] | None]  # row and vector; none where the server makes it

ATTEMPTS, PAUSE = 5, 0.5  # seconds, then twice as many; for objects that the server turned away
ENOUGH = 100  # passages turned away after which the rest is not tried
LARGEST = 4_000_000  # bytes of a batch as it lies on disk: a server takes 100 MB at a time
MODULE_BATCH = 64  # passages of a batch where the server makes the vectors, which takes it long
ROUNDS = 10  # times that we begin again after the server was lost, or lost what it took
TAIL = 6  # times the passages that are on their way at once


@dataclass
class Refused:
    """Passages that the server turned away: how many, and what it said of the first ones."""

    count: int = 0
    first: list[str] = field(default_factory=list)
    _guard: threading.Lock = field(default_factory=threading.Lock)

    def add(self, messages: Sequence[str]) -> None:
        """messages (Sequence[str]): One per passage."""
        with self._guard:
            self.count += len(messages)
            self.first += [text for text in dict.fromkeys(messages) if text not in self.first][: 3 - len(self.first)]


class _Lost(Exception):
    """The connection broke: the server may have been killed."""


def batch_size(table: Table, *, embedded_there: bool) -> int:
    """RETURNS (int): Passages per request.

    embedded_there (bool): Whether the server makes the vectors.
    """
    return min(table.place.pace.batch, MODULE_BATCH) if embedded_there else table.place.pace.batch


def tail(table: Table, *, embedded_there: bool) -> int:
    """RETURNS (int): Passages written last that a killed server may have by half: those on their way, and some before."""
    return TAIL * table.place.pace.uploads * batch_size(table, embedded_there=embedded_there)


class Filling:
    """Brings a collection to hold just the passages of a spool.

    A server that is killed loses more than what is on its way: it says that passages are written before their vectors are
    safe, and may have an object in one of its indexes and not in another. So after a break what was written last is deleted
    and written again, and in the end one object is sent twice: with the next request, the server saves what came before.

    table (Table): The collection.
    file (PassageFile): The passages.
    embedder (Optional[Embedder]): Fitted; None where the server embeds.
    kinds (Kinds): Of their metadata.
    """

    def __init__(self, table: Table, file: PassageFile, embedder: Embedder | None, kinds: Kinds) -> None:
        self.table, self.file, self.embedder, self.kinds = table, file, embedder, kinds
        self._batch = batch_size(table, embedded_there=embedder is None)
        self.refused = Refused()
        self._stopped, self._breaks = threading.Event(), 0

    def fill(self, doubtful: int) -> int:
        """Write what is missing and delete what is stale.

        doubtful (int): Passages written last that may be there by half, because the collection was interrupted.
        RETURNS (int): Passages written.
        RAISES (StoreError): When the server turned passages away, cannot be reached for too long, or loses what it took.
        """
        written = 0
        for _ in range(ROUNDS):
            self._breaks = self.table.link.watch.breaks
            try:
                sent = self._round(doubtful)
            except _Lost:
                self._wait_for_server()
                doubtful = tail(self.table, embedded_there=self.embedder is None)
                continue
            written, doubtful = written + sent, 0
            if self.table.count() == len(self.file):
                return written
        raise StoreError(
            f"Weaviate at {self.table.where} counts {self.table.count():,} passages where {len(self.file):,} were written. Either it is "
            "killed again and again, or another writer is at work there: run the step again, and if this comes back, delete the collection."
        )

    def _round(self, doubtful: int) -> int:
        present, stale = self.look()
        self.table.remove(stale)
        if doubtful:
            newest = np.argsort(present)[-doubtful:]
            newest = newest[np.isfinite(present[newest])]
            self.table.remove([object_id(name) for name in self.file.ids(newest)], one_by_one=True)
            present[newest] = -np.inf
        missing = np.flatnonzero(np.isneginf(present))
        if len(missing):
            self._write(missing)
            self._seal(int(missing[-1]))
        return len(missing)

    def _seal(self, row: int) -> None:
        """Send a passage again; see above."""
        for stored in self.table.by_rows([row], with_vectors=True).values():
            if stored.vector is not None:
                self._send([(row, stored.vector)])

    def _wait_for_server(self) -> None:
        last = time.monotonic() + self.table.place.pace.patience
        while not self.table.link.serves():
            if time.monotonic() > last:
                raise StoreError(
                    f"Weaviate at {self.table.where} cannot be reached any more. What it took is kept. Start it again, then run the step "
                    "again: it goes on where it stopped."
                )
            time.sleep(PAUSE)

    def look(self) -> tuple[NDArray[np.float64], list[str]]:
        """See what is there already.

        RETURNS (Tuple[ndarray, List[str]]): When each row was written, −∞ for those that are not there as they should be;
            and the objects that are no row's.
        """
        present = np.full(len(self.file), -np.inf)
        stale = []
        for mark in self.table.marks():
            if mark.row < len(present):
                line = self.file.line(mark.row)
                uuid = object_id(*self.file.ids(np.array([mark.row])))
                if mark.uuid == uuid and mark.content == content_of(line) and not mark.deleted:
                    present[mark.row] = mark.written
                    continue
            stale.append(mark.uuid)
        return present, self._without_rows(stale)

    def _without_rows(self, uuids: list[str]) -> list[str]:
        """Leave out objects that will be written again: theirs is the id of a passage, only the rest of them changed."""
        if not uuids:
            return uuids
        found = set(uuids)
        parts = batched(range(len(self.file)), BATCH)
        wanted = {uuid for part in parts for name in self.file.ids(np.array(part)) if (uuid := object_id(name)) in found}
        return [uuid for uuid in uuids if uuid not in wanted]

    def _write(self, rows: NDArray[np.int64]) -> None:
        pace = self.table.place.pace
        self._stopped.clear()
        self.refused = Refused()
        waiting: deque[Future[int]] = deque()
        bar = progress_bar("Indexing", total=len(rows), unit="passages")
        with bar, ThreadPoolExecutor(pace.uploads) as pool:
            try:
                for batch in self._batches(rows):
                    waiting.append(pool.submit(self._send, batch))
                    if len(waiting) > 2 * pace.uploads:
                        bar.update(waiting.popleft().result())
                    if self.refused.count >= ENOUGH:
                        break
                while waiting:
                    bar.update(waiting.popleft().result())
            except BaseException:
                self._stopped.set()
                pool.shutdown(wait=False, cancel_futures=True)
                raise
        if self.refused.count:
            said = " | ".join(self.refused.first)
            raise StoreError(
                f"Weaviate at {self.table.where} turned {self.refused.count:,} passages away and kept the others. It said: {said[:600]}. "
                "If the collection was made by hand or by another program, delete it; then run the step again: it goes on where it stopped."
            )

    def _batches(self, rows: NDArray[np.int64]) -> Iterator[list[Item]]:
        """Embed many passages at a time, and give them on in smaller batches as rows and vectors."""
        for part in batched(rows.tolist(), BATCH):
            batch: list[Item] = []
            size = 0
            for row, vector in zip(part, self._vectors(part), strict=True):
                bytes = len(self.file.line(row))
                if batch and (len(batch) >= self._batch or size + bytes > LARGEST):
                    yield batch
                    batch, size = [], 0
                batch.append((row, vector))
                size += bytes
            yield batch

    def _vectors(self, rows: list[int]) -> Iterable[NDArray[np.float32] | None]:
        if self.embedder is None:
            return [None] * len(rows)
        return unit_rows(embed_passages(self.embedder, list(self.file.get(rows))))

    def _send(self, batch: Sequence[Item]) -> int:
        """Write a batch, and again what was turned away.

        RAISES (_Lost): When the connection broke.
        """
        left = [self._object(row, vector) for row, vector in batch]
        for attempt in range(1, ATTEMPTS + 1):
            failed, reached = insert(self.table, left)
            if not reached or self.table.link.watch.breaks != self._breaks:
                raise _Lost
            if not failed:
                break
            if attempt == ATTEMPTS:
                self.refused.add([f"{each.properties[ID]}: {said}" for each, said in failed])
            elif self._stopped.wait(PAUSE * 2 ** (attempt - 1)):
                break
            left = [each for each, _ in failed]
        return len(batch)

    def _object(self, row: int, vector: NDArray[np.float32] | None) -> Object:
        from weaviate.classes.data import DataObject

        (passage,) = self.file.get([row])
        properties = to_properties(passage, row, content_of(self.file.line(row)), self.kinds)
        return DataObject(properties=properties, uuid=object_id(passage.id), vector=None if vector is None else vector.tolist())


def insert(table: Objects, objects: Sequence[Object]) -> tuple[list[tuple[Object, str]], bool]:
    """Write some objects; those that are there are replaced.

    RETURNS (Tuple[List, bool]): The objects that did not get in, each with what the server said; and whether it answered.
    RAISES (StoreError): When we may not write, or ask for what cannot be.
    """
    from weaviate import exceptions

    lost = (
        exceptions.WeaviateBatchError,
        exceptions.WeaviateRetryError,
        exceptions.WeaviateTimeoutError,
        exceptions.WeaviateConnectionError,
    )
    try:
        done = table.collection.data.insert_many(objects)
    except exceptions.WeaviateInsertManyAllFailedError as error:
        return [(each, _said(table, error)) for each in objects], True
    except faults() as error:
        said = _said(table, error)
        if "unauthorized" in said.lower() or (isinstance(error, exceptions.WeaviateBaseError) and not isinstance(error, lost)):
            raise StoreError(explained(error, "taking passages", table.where, secrets=table.link.secrets)) from error
        return [(each, said) for each in objects], False
    return [(objects[place], _said(table, failed.message)) for place, failed in sorted(done.errors.items())], True


def _said(table: Objects, error: object) -> str:
    return hidden(" ".join(str(error).split()), table.link.secrets)[:300]


def wait_until_indexed(table: Table) -> None:
    """Wait while the server builds its index behind our back (ASYNC_INDEXING, as in Weaviate Cloud)."""
    left = table.unindexed()
    if not left:
        return
    with progress_bar("Waiting for the index", total=left, unit="vectors") as bar:
        while left:
            time.sleep(min(1.0, 0.1 + left / 10_000))
            now = table.unindexed()
            bar.update(max(0, left - now))
            left = now
