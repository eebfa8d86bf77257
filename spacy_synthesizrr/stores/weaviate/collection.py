"""A collection that the user already has, as a store: it is only read. `synthesizrr.WeaviateCollection.v1`.

Queries are embedded by an embedder of ours that must be the one that made the stored vectors: this is tried before anything
is searched. Keyword search needs none.
"""

from __future__ import annotations

import functools
import random
import uuid
import weakref
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from spacy_synthesizrr.candidates import Hit, Passage, digest
from spacy_synthesizrr.embedders.base import Embedder, unit_rows
from spacy_synthesizrr.errors import InputError, StoreError
from spacy_synthesizrr.jsonl import write_json
from spacy_synthesizrr.stores.asking import check_k
from spacy_synthesizrr.stores.base import BY_VECTOR, Filter, IndexCounts, Query, Search, describe
from spacy_synthesizrr.stores.passages import batched
from spacy_synthesizrr.stores.searching import by_vector, query_vectors
from spacy_synthesizrr.stores.weaviate.connect import Link, connect
from spacy_synthesizrr.stores.weaviate.finding import LIMIT
from spacy_synthesizrr.stores.weaviate.home import ABOUT, EMBEDDER, Home
from spacy_synthesizrr.stores.weaviate.mapping import Layout, Mapped
from spacy_synthesizrr.stores.weaviate.reading import CollectionFinder, in_its_words
from spacy_synthesizrr.stores.weaviate.settings import Place
from spacy_synthesizrr.stores.weaviate.store import HOME
from spacy_synthesizrr.stores.weaviate.table import FETCHED, SCANNED, Table

if TYPE_CHECKING:
    from numpy.typing import NDArray

TRIED, ALIKE = 20, 0.99  # passages that are embedded to compare embedders; cosine that each must reach


class CollectionStore:
    """A collection of the user, opened by the first call that needs it.

    place (Place): Where the server is. folder (Path): On this machine, for the embedder and notes.
    mapped (Mapped): The collection and its properties. key (str): Of the index that a run takes it for.
    """

    def __init__(self, place: Place, folder: Path, mapped: Mapped, key: str = "") -> None:
        self._place, self._folder, self._mapped, self._key = place, folder, mapped, key
        where = digest("collection", place.url or "", mapped.name, mapped.tenant or "", mapped.vector_name or "", key)
        self._home = Home(folder / HOME / f"collection-{where}")

    def __reduce__(self) -> tuple[type[CollectionStore], tuple[Any, ...]]:
        return CollectionStore, (self._place, self._folder, self._mapped, self._key)

    @property
    def location(self) -> str:
        """RETURNS (str): Server and collection."""
        tenant = f", tenant {self._mapped.tenant}" if self._mapped.tenant else ""
        return f"{self._place.url or 'embedded Weaviate'}, collection {self._mapped.name}{tenant}"

    @property
    def notes(self) -> Path:
        """RETURNS (Path): A folder for files about this index, on this machine."""
        return self._home.notes

    def at(self, key: str) -> CollectionStore:
        """RETURNS (CollectionStore): The same collection; notes lie apart."""
        return CollectionStore(self._place, self._folder, self._mapped, f"{self._key}_{key}" if self._key else key)

    def keys(self) -> list[str]:
        """RETURNS (List[str]): None: the collection is the index."""
        return []

    def complete(self) -> bool:
        """RETURNS (bool): Whether the collection is there and its embedder has been tried."""
        self._layout  # noqa: B018  (refuses what is not there)
        return bool(self._home.about())

    def index(self, passages: Iterable[Passage], embedder: Embedder, *, seed: int = 0) -> IndexCounts:
        """Write nothing: try whether the embedder is the one that made the vectors, and keep it here.

        passages (Iterable[Passage]): Left unread; the passages are those of the collection.
        embedder (Embedder): A pretrained one.
        RETURNS (IndexCounts): How many passages there are.
        RAISES (StoreError): When the embedder is another one.
        """
        count = self.count()
        if not count:
            raise StoreError(f"The collection {self.location} is empty.")
        with self._home.alone():
            _fit_on_nothing(embedder, seed)
            self._try(embedder, seed)
            self._home.clear_notes()
            embedder.save(self._home.folder / EMBEDDER)
            write_json(self._home.folder / ABOUT, {"v": 1, "key": self._key, "embedder": describe(embedder)})
        self.__dict__.pop("embedder", None)
        return IndexCounts(count, 0, 0, False)

    def _try(self, embedder: Embedder, seed: int) -> None:
        rows = [(passage.text, vector) for passage, vector in self._some(TRIED, seed) if vector is not None and passage.text.strip()]
        if not rows:
            raise StoreError(f"The collection {self.location} has no vectors to compare an embedder with.")
        ours, theirs = embedder.embed([text for text, _ in rows]), np.array([vector for _, vector in rows])
        alike = float((unit_rows(ours) * theirs).sum(axis=1).min()) if ours.shape == theirs.shape else 0.0
        if alike < ALIKE:
            raise StoreError(
                f"The embedder {embedder.id} ({ours.shape[1]} dimensions) did not make the vectors of {self.location} ({theirs.shape[1]} "
                f"dimensions): of {len(rows)} passages, the least alike has a cosine of {alike:.3f} to its stored vector, and {ALIKE} is "
                "needed. Name the embedder that was used in [embedder], with its prefixes and pooling."
            )

    def delete(self, ids: Sequence[str]) -> int:
        """RAISES (StoreError): Always: the collection is only read."""
        raise StoreError(f"{self.location} is only read: nothing is deleted from it.")

    # reading

    @functools.cached_property
    def embedder(self) -> Embedder:
        """The embedder that was tried.

        RAISES (StoreError): When none was.
        """
        if not self._home.about():
            raise StoreError(f"No embedder has been tried on {self.location} yet. Run the step 'index' first.")
        return self._home.embedder()

    def search(self, queries: Sequence[Query], k: int, *, how: Search = BY_VECTOR, filter: Filter | None = None) -> list[list[Hit]]:
        """The k best passages of each query; equal scores in the order of the objects' ids.

        RAISES (StoreError): For a filter that the collection cannot answer exactly, or vectors that are not compared by cosine.
        """
        check_k(k)
        filter = filter or Filter()
        where, empty = in_its_words(self._layout, filter.where)
        if empty or not queries:
            return [[] for _ in queries]
        vectors = self._query_vectors(queries) if by_vector(how) else None
        finder = CollectionFinder(self._table, self._layout, where, filter.exclude, self.count())
        hits = []
        for found in finder.find([query.text for query in queries], vectors, k, how):
            pairs = zip(found.keys.tolist(), found.scores.tolist(), strict=True)
            hits.append([Hit(finder.seen[name].id, score, rank) for rank, (name, score) in enumerate(pairs, 1)])
        return hits

    def get(self, ids: Sequence[str]) -> list[Passage]:
        """The passages of these ids, in their order.

        RAISES (StoreError): For an id that is not there.
        """
        return [passage for passage, _ in self._require(ids, with_vectors=False)]

    def vectors(self, ids: Sequence[str]) -> NDArray[np.float32]:
        """The stored vectors of these ids, brought to length 1.

        RAISES (StoreError): For an id that is not there.
        """
        rows = [vector for _, vector in self._require(ids, with_vectors=True)]
        return np.array(rows, dtype=np.float32) if rows else np.zeros((0, self.embedder.dimensions), dtype=np.float32)

    def iterate(self, with_vectors: bool = False) -> Iterator[tuple[Passage, NDArray[np.float32] | None]]:
        """YIELDS (Tuple[Passage, Optional[ndarray]]): All passages in the order of the objects' ids."""
        with self._table.speaking("reading passages"):
            for found in self._table.collection.iterator(
                include_vector=self._layout.asked(with_vectors), return_properties=self._mapped.properties(), cache_size=FETCHED
            ):
                yield self._read(found)

    def sample(self, n: int, *, seed: int, filter: Filter | None = None) -> list[Passage]:
        """RETURNS (List[Passage]): n different passages in random order, all of them when there are fewer."""
        passes = (filter or Filter()).passes
        ids = [passage.id for passage, _ in self.iterate() if filter is None or passes(passage)]
        return self.get(random.Random(seed).sample(ids, min(n, len(ids))))

    def count(self) -> int:
        """RETURNS (int): Passages, as the server counts them."""
        self._layout  # noqa: B018
        return self._table.count()

    def close(self) -> None:
        """Close the connection; the next call opens it again."""
        if "_link" in self.__dict__:
            self.__dict__.pop("_closing")()
        for name in ("_link", "_table", "_layout", "embedder"):
            self.__dict__.pop(name, None)

    # what is open

    @functools.cached_property
    def _link(self) -> Link:
        link = connect(self._place)
        self._closing = weakref.finalize(self, link.close)
        return link

    @functools.cached_property
    def _table(self) -> Table:
        table = Table(self._link, self._mapped.name, self._place)
        if self._mapped.tenant is not None:
            table.collection = table.collection.with_tenant(self._mapped.tenant)
        return table

    @functools.cached_property
    def _layout(self) -> Layout:
        client, name = self._link.client, self._mapped.name
        with self._table.speaking("reading the description of a collection"):
            if not client.collections.exists(name):
                raise StoreError(f"There is no collection {name} in Weaviate at {self._link.where}.")
            layout = Layout.read(self._mapped, client.collections.use(name).config.get())
            if self._mapped.tenant is not None and not client.collections.use(name).tenants.exists(self._mapped.tenant):
                raise StoreError(f"The collection {name} of Weaviate at {self._link.where} has no tenant '{self._mapped.tenant}'.")
        return layout

    def _query_vectors(self, queries: Sequence[Query]) -> NDArray[np.float32]:
        if self._layout.distance != "cosine":
            raise StoreError(f"The vectors of {self.location} are compared by '{self._layout.distance}', not by cosine. Search by keyword.")
        return query_vectors(queries, lambda: self.embedder, dimensions=self.embedder.dimensions, where=self.location)

    def _read(self, found: Any) -> tuple[Passage, NDArray[np.float32] | None]:
        return self._mapped.passage(str(found.uuid), found.properties), self._layout.vector_of(found)

    def _some(self, n: int, seed: int) -> list[tuple[Passage, NDArray[np.float32] | None]]:
        """Passages from all over the collection, with unit vectors."""
        draw, found = random.Random(seed), list[tuple[Passage, Any]]()
        for number, pair in enumerate(self.iterate(with_vectors=True)):
            if len(found) < n:
                found.append(pair)
            elif (place := draw.randrange(number + 1)) < n:
                found[place] = pair
            if number >= 50 * SCANNED:
                break
        return found

    def _require(self, ids: Sequence[str], *, with_vectors: bool) -> list[tuple[Passage, NDArray[np.float32] | None]]:
        ask = functools.partial(self._fetch, with_vectors=with_vectors)
        found = {
            passage.id: (passage, vector)
            for part in self._table.together(ask, list(batched(dict.fromkeys(ids), FETCHED)))
            for passage, vector in part
        }
        missing = [name for name in ids if name not in found]
        if missing:
            raise StoreError(f"{len(missing)} of {len(ids)} passages are not in {self.location}, the first is '{missing[0]}'.")
        return [found[name] for name in ids]

    def _fetch(self, ids: list[str], *, with_vectors: bool) -> list[tuple[Passage, NDArray[np.float32] | None]]:
        from weaviate.classes.query import Filter as By

        name = self._mapped.id_property
        if name is not None and not self._layout.exact(name):
            raise StoreError(f"The property '{name}' of {self.location} cannot find ids: it is cut into words, or not indexed for filters.")
        known = self._known(name, ids)
        if not known:
            return []
        where = By.by_id().contains_any(known) if name is None else By.by_property(name).contains_any(known)
        with self._table.speaking("reading passages"):
            found = self._table.collection.query.fetch_objects(
                filters=where, limit=LIMIT, include_vector=self._layout.asked(with_vectors), return_properties=self._mapped.properties()
            ).objects
        return [self._read(each) for each in found]

    def _known(self, name: str | None, ids: list[str]) -> list[Any]:
        """RETURNS (List): Ids as the collection has them, without those that it cannot have."""
        if name is None:
            return [each for each in ids if _is_uuid(each)]
        is_number = self._layout.properties[name].data_type.value == "int"
        return [int(each) for each in ids if each.lstrip("-").isdecimal()] if is_number else list(ids)


def _fit_on_nothing(embedder: Embedder, seed: int) -> None:
    try:
        embedder.fit((), seed=seed)
    except InputError as error:
        raise StoreError(
            f"The embedder {embedder.recipe} learns from a corpus, so it cannot be the one that made the vectors of a collection. Name a "
            "pretrained one in [embedder], such as synthesizrr.FastEmbed.v1."
        ) from error


def _is_uuid(text: str) -> bool:
    try:
        return str(uuid.UUID(text)) == text
    except ValueError:
        return False
