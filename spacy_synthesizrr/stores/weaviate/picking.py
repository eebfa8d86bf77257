"""Passages of a collection that somebody else made: by their ids, all of them, or some drawn at random."""

from __future__ import annotations

import heapq
import itertools
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from spacy_synthesizrr.candidates import Passage
from spacy_synthesizrr.errors import StoreError
from spacy_synthesizrr.stores.passages import batched, hash_text
from spacy_synthesizrr.stores.weaviate.finding import LIMIT
from spacy_synthesizrr.stores.weaviate.mapping import Layout
from spacy_synthesizrr.stores.weaviate.objects import FETCHED, SCANNED, TOO_LARGE, Objects, in_parts

if TYPE_CHECKING:
    from numpy.typing import NDArray

LOOKED_AT = 50_000  # objects among which a few are drawn
Row = tuple[Passage, "NDArray[np.float32] | None"]


@dataclass(frozen=True)
class Picker:
    """Reads a collection.

    objects (Objects): Of the collection, or of one tenant. layout (Layout): What their properties mean.
    """

    objects: Objects
    layout: Layout

    def all(self, *, with_vectors: bool) -> Iterator[Row]:
        """YIELDS (Tuple[Passage, Optional[ndarray]]): All passages in the order of the objects' ids, with unit vectors."""
        names, asked = self.layout.mapped.properties(), self.layout.asked(with_vectors)
        last, size = None, FETCHED
        while True:
            try:
                with self.objects.speaking("reading passages"):
                    for found in self.objects.collection.iterator(
                        include_vector=asked, return_properties=names, after=last, cache_size=size
                    ):
                        last = found.uuid
                        yield self._row(found)
                return
            except StoreError as error:
                if size == 1 or TOO_LARGE not in str(error):
                    raise
                size //= 4  # goes on where it was

    def by_ids(self, ids: Iterable[str], *, with_vectors: bool) -> dict[str, Row]:
        """The passages of some ids that are there, by id. An object without its id property has the id of the object.

        RAISES (StoreError): When the property of the ids cannot be searched for them, or several objects have the same.
        """
        name = self.layout.mapped.id_property
        self._findable(name)
        wanted = list(dict.fromkeys(ids))
        rows = self._of(name, wanted, with_vectors)
        left = [each for each in wanted if each not in rows and _is_uuid(each)]
        if name is not None and left:
            rows |= {key: row for key, row in self._of(None, left, with_vectors).items() if key in left}
        return rows

    def _findable(self, name: str | None) -> None:
        if name is not None and not self.layout.exact(name):
            raise StoreError(
                f"The property '{name}' of {self.objects.where} cannot find ids: it is cut into words, or not indexed for filters."
            )

    def _of(self, name: str | None, ids: Sequence[str], with_vectors: bool) -> dict[str, Row]:
        """RETURNS (Dict[str, Row]): What objects have one of these values in a property; None is the id of the object."""

        def ask(part: Sequence[str]) -> list[Any]:
            known = self._known(name, part)
            found = self._fetch(name, known, with_vectors) if known else []
            if len(found) < LIMIT or len(part) == 1:
                return found
            half = len(part) // 2  # the server gives no more at once
            return ask(part[:half]) + ask(part[half:])

        def fetch(part: Sequence[str]) -> list[Any]:
            return in_parts(ask, part)

        found = itertools.chain.from_iterable(self.objects.together(fetch, list(batched(ids, FETCHED))))
        rows: dict[str, Row] = {}
        for each in found:
            row = self._row(each)
            if row[0].id in rows:
                raise repeated(self.objects, self.layout, row[0].id)
            rows[row[0].id] = row
        return rows

    def check_ids(self) -> None:
        """See whether the property of the ids tells objects apart. Memory: 8 bytes per object.

        RAISES (StoreError): When several objects have the same value in it, or it cannot be searched.
        """
        if self.layout.mapped.id_property is None:
            return
        self._findable(self.layout.mapped.id_property)
        hashes = np.sort(np.fromiter(map(hash_text, self._ids()), dtype=np.uint64))
        doubtful = set(hashes[1:][hashes[1:] == hashes[:-1]].tolist())
        seen: set[str] = set()
        for each in self._ids() if doubtful else ():  # two texts may have one hash
            if hash_text(each) in doubtful:
                if each in seen:
                    raise repeated(self.objects, self.layout, each)
                seen.add(each)

    def _ids(self) -> Iterator[str]:
        mapped = self.layout.mapped
        with self.objects.speaking("reading ids"):
            for found in self.objects.collection.iterator(return_properties=[mapped.id_property or ""], cache_size=SCANNED):
                yield mapped.passage(str(found.uuid), found.properties).id

    def _fetch(self, name: str | None, known: Sequence[Any], with_vectors: bool) -> list[Any]:
        from weaviate.classes.query import Filter as By

        where = By.by_id().contains_any(known) if name is None else By.by_property(name).contains_any(known)
        with self.objects.speaking("reading passages"):
            found = self.objects.collection.query.fetch_objects(
                filters=where,
                limit=LIMIT,
                include_vector=self.layout.asked(with_vectors),
                return_properties=self.layout.mapped.properties(),
            )
        return list(found.objects)

    def _known(self, name: str | None, ids: Sequence[str]) -> list[Any]:
        """RETURNS (List): Ids as the collection has them, without those that it cannot have."""
        if name is None:
            return [each for each in ids if _is_uuid(each)]
        kind = self.layout.properties[name].data_type.value
        if kind == "uuid":
            return [each for each in ids if _is_uuid(each)]
        return [int(each) for each in ids if _is_int(each)] if kind == "int" else list(ids)

    def draw(self, n: int, *, seed: int, passes: Callable[[Passage], bool] | None) -> list[Passage]:
        """Draw passages: those whose ids have the smallest hashes with the seed. All are looked at, n are kept in memory.

        passes (Callable): Whether a passage (here without its text) may be drawn; None for all.
        RETURNS (List[Passage]): n different passages in random order, all of them when there are fewer.
        """
        mapped = self.layout.mapped
        needed = [mapped.id_property] if mapped.id_property else []
        if passes is not None:
            needed = [name for name in mapped.properties() if name != mapped.text_property]
        with self.objects.speaking("drawing passages"):
            every = self.objects.collection.iterator(return_properties=needed, cache_size=SCANNED)
            seen = ((mapped.passage(str(each.uuid), each.properties), str(each.uuid)) for each in every)
            chosen = _smallest(n, ((passage.id, name) for passage, name in seen if passes is None or passes(passage)), seed)
        uuids = [uuid for _, uuid in chosen]
        names = [name for name, _ in chosen]
        if len(set(names)) < len(names):
            raise repeated(self.objects, self.layout, max(names, key=names.count))
        rows = {str(each.uuid): self._row(each) for part in batched(uuids, FETCHED) for each in in_parts(self._plainly, part)}
        return [rows[name][0] for name in uuids if name in rows]

    def _plainly(self, uuids: Sequence[str]) -> list[Any]:
        return self._fetch(None, uuids, False)

    def some(self, n: int, *, seed: int) -> list[Row]:
        """RETURNS (List[Row]): Passages from all over the beginning of the collection that have a text and a vector; n at most."""
        with self.objects.speaking("drawing passages"):
            first = itertools.islice(self.objects.collection.iterator(return_properties=[], cache_size=SCANNED), LOOKED_AT)
            uuids = [uuid for uuid, _ in _smallest(4 * n, ((str(each.uuid), "") for each in first), seed)]
        rows = [self._row(each) for each in self._fetch(None, uuids, True)] if uuids else []
        return [row for row in sorted(rows, key=lambda row: row[0].id) if row[1] is not None and row[0].text.strip()][:n]

    def _row(self, found: Any) -> Row:
        return self.layout.mapped.passage(str(found.uuid), found.properties), self.layout.vector_of(found)


def _smallest(n: int, pairs: Iterable[tuple[str, str]], seed: int) -> list[tuple[str, str]]:
    """RETURNS (List[Tuple[str, str]]): The n pairs whose names have the smallest hashes, in their order."""
    return heapq.nsmallest(n, pairs, key=lambda pair: (hash_text(f"{seed}\0{pair[0]}"), pair))


def repeated(objects: Objects, layout: Layout, name: str) -> StoreError:
    """RETURNS (StoreError): What to say when several objects have the same id."""
    of = layout.mapped.id_property
    return StoreError(
        f"Several objects of {objects.where} have the same '{of}', such as '{name}': it cannot say which of them a passage is. Leave "
        f"id_property out of [store.collection], and every object is a passage. If '{of}' names the documents that they are parts of, "
        f'say document_property = "{of}".'
    )


def require(picker: Picker, ids: Sequence[str], *, with_vectors: bool, where: str) -> list[Row]:
    """The passages of ids that must be there, in their order.

    RAISES (StoreError): Names the first that is not.
    """
    found = picker.by_ids(ids, with_vectors=with_vectors)
    missing = [name for name in ids if name not in found]
    if missing:
        raise StoreError(f"{len(missing)} of {len(ids)} passages are not in {where}, the first is '{missing[0]}'.")
    return [found[name] for name in ids]


def _is_uuid(text: str) -> bool:
    try:
        return str(uuid.UUID(text)) == text
    except ValueError:
        return False


def _is_int(text: str) -> bool:
    digits = text.removeprefix("-")
    return digits.isascii() and digits.isdigit() and len(digits) < 20 and abs(int(digits)) < 1 << 63
