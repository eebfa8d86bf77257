"""One collection and what can be asked of it, with nothing lost on the way: every call says what went wrong in our words."""

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
from spacy_synthesizrr.errors import StoreError
from spacy_synthesizrr.stores.passages import batched
from spacy_synthesizrr.stores.weaviate.connect import Link
from spacy_synthesizrr.stores.weaviate.faults import explained, faults, plainly, status_of
from spacy_synthesizrr.stores.weaviate.schema import (
    CONTENT,
    DELETED,
    ROW,
    STORED,
    Kinds,
    State,
    all_properties,
    column,
    meta_property,
    object_id,
    to_passage,
    vector_config,
)
from spacy_synthesizrr.stores.weaviate.settings import Place

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from weaviate.collections import Collection
    from weaviate.collections.classes.internal import Object

FETCHED = 256  # objects per request
SCANNED = 1000  # objects per request that brings neither text nor vector
WHOLE = ("text", STORED, ROW, DELETED)
Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True, eq=False)
class Stored:
    """A passage as it lies in the collection, with its vector when that was asked for."""

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


class Table:
    """The collection of one index.

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
                refused = 400 <= status_of(error) < 500
                if refused or time.monotonic() + pause > last:
                    raise StoreError(explained(error, doing, self.where, secrets=self.link.secrets)) from error
            time.sleep(pause)
            pause = min(2 * pause, 8.0)

    def together(self, function: Callable[[Item], Result], items: Sequence[Item]) -> list[Result]:
        """RETURNS (List): What a function gives for some items, several at a time, in their order."""
        if len(items) < 2:
            return [function(item) for item in items]
        with ThreadPoolExecutor(min(self.place.pace.queries, len(items))) as pool:
            return list(pool.map(function, items))

    # the collection itself

    def state(self) -> State | None:
        """What the collection says of itself; None when there is none.

        RAISES (StoreError): When it is not one of ours, or of another release.
        """
        from weaviate.exceptions import UnexpectedStatusCodeError

        with self.speaking("reading the description of a collection"):
            try:
                text = self.collection.config.get().description
            except UnexpectedStatusCodeError as error:
                if error.status_code == 404:
                    return None
                raise
        state = State.from_text(text)
        if state is None:
            raise StoreError(
                f"The collection {self.name} of Weaviate at {self.link.where} was not made by this release, or by somebody else. "
                "Delete it by hand if nobody needs it, or give this index another key."
            )
        return state

    def whole(self) -> bool:
        """RETURNS (bool): Whether it is one of ours, and complete."""
        try:
            state = self.state()
        except StoreError:
            return False
        return state is not None and state.complete

    def write_state(self, state: State) -> None:
        """Write what the collection says of itself."""
        self.patiently("describing a collection", lambda: self.collection.config.update(description=state.to_text()))

    def create(self, state: State) -> None:
        """Make the collection."""
        from weaviate.classes.config import Configure, StopwordsPreset

        words = self.place.words
        preset = StopwordsPreset.EN if words.stopwords == "en" else StopwordsPreset.NONE
        self.patiently(
            "making a collection",
            lambda: self.link.client.collections.create(
                self.name,
                description=state.to_text(),
                properties=list(all_properties(self.place, state.kinds)),
                vector_config=vector_config(self.place),
                inverted_index_config=Configure.inverted_index(bm25_b=words.b, bm25_k1=words.k1, stopwords_preset=preset),
            ),
        )

    def drop(self) -> None:
        """Delete the collection with all that is in it."""
        self.patiently("deleting a collection", lambda: self.link.client.collections.delete(self.name))

    def add_kinds(self, old: Kinds, new: Kinds) -> None:
        """Add the properties of metadata that the collection was not made with."""
        for key, kinds in new.items():
            for kind in sorted(set(kinds) - set(old.get(key, ()))):
                made = column(meta_property(key, kind), kind, about=key[:200])
                self.patiently("adding a property", functools.partial(self.collection.config.add_property, made))

    def unindexed(self) -> int:
        """RETURNS (int): Vectors that the server has taken but not indexed yet; 0 where it indexes at once."""
        nodes = self.patiently("asking for its state", lambda: self.link.client.cluster.nodes(collection=self.name, output="verbose"))
        return sum(shard.vector_queue_length for node in nodes for shard in node.shards or ())

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

        def fetch(part: list[str]) -> list[Stored]:
            with self.speaking("reading passages"):
                found = self.collection.query.fetch_objects_by_ids(
                    [object_id(name) for name in part],
                    limit=len(part),
                    include_vector=with_vectors,
                    return_properties=list(WHOLE),
                )
            return [_stored(each) for each in found.objects]

        parts = list(batched(dict.fromkeys(ids), FETCHED))
        return {each.passage.id: each for found in self.together(fetch, parts) for each in found}

    def by_rows(self, rows: Sequence[int], *, with_vectors: bool = False) -> dict[int, Stored]:
        """RETURNS (dict): The passages of some rows that are there, by row."""
        from weaviate.classes.query import Filter

        def fetch(part: list[int]) -> list[Stored]:
            return list(map(_stored, self._fetch(Filter.by_property(ROW).contains_any(part), len(part), list(WHOLE), with_vectors)))

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
        inside = row.greater_or_equal(start) & row.less_than(stop)
        return self._fetch(inside if where is None else inside & where, stop - start, names, with_vectors)

    def _fetch(self, where: Any, limit: int, names: list[str], with_vectors: bool) -> Sequence[Object[Any, Any]]:
        with self.speaking("reading passages"):
            return self.collection.query.fetch_objects(
                filters=where, limit=limit, include_vector=with_vectors, return_properties=names
            ).objects

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


def _stored(found: Object[Any, Any]) -> Stored:
    vector = found.vector.get("default") if found.vector else None
    row, deleted = int(found.properties[ROW]), bool(found.properties.get(DELETED))
    return Stored(to_passage(found.properties), row, deleted, None if vector is None else np.array(vector, dtype=np.float32))
