"""The objects of one collection and what can be asked of them: every call says what went wrong in our words."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from spacy_synthesizrr.candidates import Passage
from spacy_synthesizrr.embedders.base import unit_rows
from spacy_synthesizrr.errors import StoreError
from spacy_synthesizrr.stores.passages import batched
from spacy_synthesizrr.stores.weaviate.connect import Link
from spacy_synthesizrr.stores.weaviate.faults import explained, faults, plainly, refused
from spacy_synthesizrr.stores.weaviate.schema import CONTENT, DELETED, ROW, STORED, object_id, to_passage
from spacy_synthesizrr.stores.weaviate.settings import Place

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from weaviate.collections import Collection
    from weaviate.collections.classes.internal import Object

FETCHED = 256  # objects per request
TOO_LARGE = "larger than max"  # what both ends say of an answer that does not go into one message
SCANNED = 1000  # objects per request that brings neither text nor vector
WHOLE = ("text", STORED, ROW, DELETED)
Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True, eq=False)
class Stored:
    """A passage as it lies in the collection, with its vector (brought to length 1) when that was asked for."""

    passage: Passage
    row: int
    deleted: bool
    vector: NDArray[np.float32] | None


@dataclass(frozen=True)
class Mark:
    """What shows whether an object is the one that should be there, and when it was written (seconds)."""

    uuid: str
    row: int
    content: str
    deleted: bool
    written: float


class Objects:
    """A collection.

    link (Link): The connection.
    name (str): Of the collection.
    place (Place): What the config says.
    """

    def __init__(self, link: Link, name: str, place: Place) -> None:
        self.link, self.name, self.place = link, name, place
        self.collection: Collection[Any, Any] = link.client.collections.use(name)

    @property
    def where(self) -> str:
        """RETURNS (str): Server and collection, for people."""
        return f"{self.link.where} (collection {self.name})"

    def speaking(self, doing: str) -> AbstractContextManager[None]:
        """RETURNS (ContextManager): Turns faults into errors of ours."""
        return plainly(doing, self.where, secrets=self.link.secrets)

    def patiently(self, doing: str, ask: Callable[[], Result]) -> Result:
        """Ask until the server answers, for as long as the config allows: it may be starting again.

        RAISES (StoreError): When it refuses, or patience is at its end.
        """
        last, pause = time.monotonic() + self.place.pace.patience, 0.5
        while True:
            try:
                return ask()
            except faults() as error:
                if refused(error) or time.monotonic() + pause > last:
                    raise StoreError(explained(error, doing, self.where, secrets=self.link.secrets)) from error
            time.sleep(pause)
            pause = min(2 * pause, 8.0)

    def together(self, function: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
        """RETURNS (List): What a function gives for some items, several at a time, in their order."""
        if len(items) < 2:
            return [function(item) for item in items]
        with ThreadPoolExecutor(min(self.place.pace.queries, len(items))) as pool:
            return list(pool.map(function, items))

    # what is in it

    def count(self, where: Any = None) -> int:
        """RETURNS (int): Objects that pass a filter, as the server counts them."""
        total = self.patiently("counting", lambda: self.collection.aggregate.over_all(total_count=True, filters=where).total_count)
        return int(total or 0)

    def marks(self) -> Iterator[Mark]:
        """YIELDS (Mark): All objects in no order, without text and vector."""
        from weaviate.classes.query import MetadataQuery

        names, asked = [ROW, CONTENT, DELETED], MetadataQuery(last_update_time=True)
        with self.speaking("reading what is there already"):
            for found in self.collection.iterator(return_properties=names, return_metadata=asked, cache_size=SCANNED):
                row, content, deleted = (found.properties.get(name) for name in names)
                written = found.metadata.last_update_time
                yield Mark(str(found.uuid), int(row or 0), str(content), bool(deleted), written.timestamp() if written else 0.0)

    def by_ids(self, ids: Sequence[str], *, with_vectors: bool = False) -> dict[str, Stored]:
        """RETURNS (dict): The passages of some ids that are there, by id."""

        def ask(part: Sequence[str]) -> list[Stored]:
            with self.speaking("reading passages"):
                found = self.collection.query.fetch_objects_by_ids(
                    [object_id(name) for name in part],
                    limit=len(part),
                    include_vector=with_vectors,
                    return_properties=list(WHOLE),
                )
            return [_stored(each) for each in found.objects]

        def fetch(part: Sequence[str]) -> list[Stored]:
            return in_parts(ask, part)

        parts = list(batched(dict.fromkeys(ids), FETCHED))
        return {each.passage.id: each for found in self.together(fetch, parts) for each in found}

    def by_rows(self, rows: Sequence[int], *, with_vectors: bool = False) -> dict[int, Stored]:
        """RETURNS (dict): The passages of some rows that are there, by row."""
        from weaviate.classes.query import Filter

        def ask(part: Sequence[int]) -> list[Stored]:
            return list(map(_stored, self._fetch(Filter.by_property(ROW).contains_any(part), len(part), list(WHOLE), with_vectors)))

        def fetch(part: Sequence[int]) -> list[Stored]:
            return in_parts(ask, part)

        parts = list(batched(dict.fromkeys(rows), FETCHED))
        return {each.row: each for found in self.together(fetch, parts) for each in found}

    def walk(self, rows: int, *, with_vectors: bool = False) -> Iterator[Stored]:
        """YIELDS (Stored): All passages in the order of their rows, deleted ones too.

        rows (int): Rows that there are.
        """
        for start in range(0, rows, FETCHED):
            found = self.window(start, start + FETCHED, list(WHOLE), with_vectors=with_vectors)
            yield from sorted(map(_stored, found), key=lambda each: each.row)

    def rows(self, rows: int, where: Any) -> NDArray[np.int64]:
        """RETURNS (ndarray): The rows that pass a filter, in their order.

        rows (int): Rows that there are.
        """

        def fetch(start: int) -> list[int]:
            return sorted(int(each.properties[ROW]) for each in self.window(start, start + SCANNED, [ROW], where=where))

        parts = self.together(fetch, range(0, rows, SCANNED))
        return np.array([number for part in parts for number in part], dtype=np.int64)

    def window(
        self, start: int, stop: int, names: list[str], *, where: Any = None, with_vectors: bool = False
    ) -> Sequence[Object[Any, Any]]:
        """RETURNS (Sequence[Object]): The objects of a range of rows, in no order, with some of their properties.

        where (Any): A filter that they pass.
        """
        from weaviate.classes.query import Filter

        row = Filter.by_property(ROW)

        def ask(rows: Sequence[int]) -> list[Object[Any, Any]]:
            inside = row.greater_or_equal(rows[0]) & row.less_than(rows[-1] + 1)
            return self._fetch(inside if where is None else inside & where, len(rows), names, with_vectors)

        return in_parts(ask, range(start, stop))

    def _fetch(self, where: Any, limit: int, names: list[str], with_vectors: bool) -> list[Object[Any, Any]]:
        with self.speaking("reading passages"):
            found = self.collection.query.fetch_objects(filters=where, limit=limit, include_vector=with_vectors, return_properties=names)
        return list(found.objects)

    def mark_deleted(self, uuid: str) -> None:
        """Take an object out of search; it stays for rows that were made before."""
        self.patiently("deleting passages", lambda: self.collection.data.update(uuid, properties={DELETED: True}))

    def remove(self, uuids: Sequence[str], *, one_by_one: bool = False) -> None:
        """Delete objects for good.

        one_by_one (bool): Slower, and needs no filter: it finds objects that a killed server wrote by half.
        """
        from weaviate.classes.query import Filter

        data, doing = self.collection.data, "deleting passages that are no longer in the corpus, or that a killed server wrote by half"
        if one_by_one:
            self.together(lambda uuid: self.patiently(doing, functools.partial(data.delete_by_id, uuid)), uuids)
            return
        for part in batched(uuids, FETCHED):
            self.patiently(doing, functools.partial(data.delete_many, where=Filter.by_id().contains_any(part)))


def in_parts(ask: Callable[[Sequence[Item]], list[Result]], items: Sequence[Item]) -> list[Result]:
    """RETURNS (List): What is found for some items: in one answer, or in several where it would be larger than a message may be."""
    try:
        return ask(items)
    except StoreError as error:
        if len(items) < 2 or TOO_LARGE not in str(error):
            raise
    half = len(items) // 2
    return in_parts(ask, items[:half]) + in_parts(ask, items[half:])


def _stored(found: Object[Any, Any]) -> Stored:
    vector = found.vector.get("default") if found.vector else None
    row, deleted = int(found.properties[ROW]), bool(found.properties.get(DELETED))
    return Stored(to_passage(found.properties), row, deleted, None if vector is None else unit_rows([vector])[0])
