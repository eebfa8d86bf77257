"""A collection that the user already has, as a store: it is only read. `synthesizrr.WeaviateCollection.v1`.

Where a module of the server made its vectors, the server embeds queries, too. Otherwise queries are embedded by an embedder of
ours that must be the one that made the stored vectors: this is tried before anything is searched. Keyword search needs none.
"""

from __future__ import annotations

import functools
import json
import weakref
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from spacy_synthesizrr.candidates import Hit, Passage, digest
from spacy_synthesizrr.embedders.base import Embedder
from spacy_synthesizrr.embedders.none import embeds
from spacy_synthesizrr.embedders.trial import TRIED, fit_on_nothing, try_embedder
from spacy_synthesizrr.errors import StoreError
from spacy_synthesizrr.jsonl import write_json
from spacy_synthesizrr.stores.asking import check_k
from spacy_synthesizrr.stores.base import BY_VECTOR, Filter, IndexCounts, Query, Search, describe
from spacy_synthesizrr.stores.searching import by_vector, query_vectors
from spacy_synthesizrr.stores.weaviate.connect import Link, connect
from spacy_synthesizrr.stores.weaviate.finding import as_asked
from spacy_synthesizrr.stores.weaviate.home import ABOUT, EMBEDDER, Home
from spacy_synthesizrr.stores.weaviate.mapping import Layout, Mapped
from spacy_synthesizrr.stores.weaviate.objects import Objects
from spacy_synthesizrr.stores.weaviate.picking import Picker, require
from spacy_synthesizrr.stores.weaviate.reading import CollectionFinder, in_its_words
from spacy_synthesizrr.stores.weaviate.settings import Place
from spacy_synthesizrr.stores.weaviate.store import HOME
from spacy_synthesizrr.stores.weaviate.vectorizer import WeaviateVectorizer, bound, module_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spacy_synthesizrr.stores.weaviate.finding import Near


class CollectionStore:
    """A collection of the user, opened by the first call that needs it.

    place (Place): Where the server is. folder (Path): On this machine, for the embedder and notes.
    mapped (Mapped): The collection and its properties. key (str): Of the index that a run takes it for.
    """

    brings_passages = True  # no corpus is read

    def __init__(self, place: Place, folder: Path, mapped: Mapped, key: str = "") -> None:
        self._place, self._folder, self._mapped, self._key = place, folder, mapped, key
        where = digest("collection", place.url or "", self.mapping, key)
        self._home = Home(folder / HOME / f"collection-{where}")

    def __reduce__(self) -> tuple[type[CollectionStore], tuple[Any, ...]]:
        return CollectionStore, (self._place, self._folder, self._mapped, self._key)

    @property
    def place(self) -> Place:
        """RETURNS (Place): What the config says of the server."""
        return self._place

    @property
    def location(self) -> str:
        """RETURNS (str): Server and collection."""
        tenant = f", tenant {self._mapped.tenant}" if self._mapped.tenant else ""
        return f"{self._place.shown}, collection {self._mapped.name}{tenant}"

    @property
    def mapping(self) -> str:
        """RETURNS (str): What is read of the collection, and as what: with something else the passages are others."""
        return json.dumps(self._mapped.model_dump(), sort_keys=True, ensure_ascii=False)

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

    def content(self) -> str:
        """RETURNS (str): Nothing: the passages are not ours, and nobody says when they change."""
        return ""

    def index(self, passages: Iterable[Passage], embedder: Embedder, *, seed: int = 0) -> IndexCounts:
        """Write nothing: try whether the embedder is the one that made the vectors, and keep it here.

        passages (Iterable[Passage]): Left unread; the passages are those of the collection.
        embedder (Embedder): A pretrained one, or `own_embedder`, which needs no trial.
        RETURNS (IndexCounts): How many passages there are.
        RAISES (StoreError): When the embedder is another one, or several objects have the same id.
        """
        count = self.count()
        if not count:
            raise StoreError(f"The collection {self.location} is empty.")
        self._picker.check_ids()
        embedder = bound(embedder, self._place)
        with self._home.alone():
            fit_on_nothing(embedder, seed=seed, whose="the vectors of a collection")
            if embeds(embedder) and not self._is_own(embedder):
                self._try(embedder, seed)
            self._home.clear_notes()
            embedder.save(self._home.folder / EMBEDDER)
            write_json(self._home.folder / ABOUT, {"v": 1, "key": self._key, "embedder": describe(embedder)})
        self.__dict__.pop("embedder", None)
        return IndexCounts(count, 0, 0, False)

    def own_embedder(self) -> Embedder:
        """RETURNS (Embedder): The module of the server that made the vectors.

        RAISES (StoreError): When it was none.
        """
        if self._layout.module is None:
            raise StoreError(
                f"The vectors of {self.location} were made by no text2vec module of the server: they were brought. Name the embedder that "
                "made them in [embedder], such as synthesizrr.FastEmbed.v1, or synthesizrr.NoEmbedder.v1 to search by words alone."
            )
        return WeaviateVectorizer(self._layout.module, self._place)

    def _is_own(self, embedder: Embedder) -> bool:
        return self._layout.module is not None and module_of(embedder) == self._layout.module

    def _try(self, embedder: Embedder, seed: int) -> None:
        rows = [(passage.text, vector) for passage, vector in self._picker.some(TRIED, seed=seed)]
        if not rows:
            raise StoreError(f"The collection {self.location} has no vectors to compare an embedder with.")
        texts, vectors = [text for text, _ in rows], [vector for _, vector in rows if vector is not None]
        try_embedder(embedder, texts, vectors, whose=f"the vectors of {self.location}")

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
        return bound(self._home.embedder(), self._place)

    def search(self, queries: Sequence[Query], k: int, *, how: Search = BY_VECTOR, filter: Filter | None = None) -> list[list[Hit]]:
        """The k best passages of each query; equal scores in the order of the objects' ids.

        RAISES (StoreError): For a filter that the collection cannot answer exactly, or vectors that are not compared by cosine.
        """
        check_k(k)
        filter = filter or Filter()
        where, empty = in_its_words(self._layout, filter.where)
        if empty or not queries:
            return [[] for _ in queries]
        vectors = self._nears(queries) if by_vector(how) else None
        finder = CollectionFinder(self._objects, self._layout, where, filter.exclude, self.count())
        hits = []
        for found in finder.find([query.text for query in queries], vectors, k, how):
            pairs = zip(found.keys.tolist(), found.scores.tolist(), strict=True)
            hits.append([Hit(finder.seen[name].id, score, rank) for rank, (name, score) in enumerate(pairs, 1)])
        return hits

    def get(self, ids: Sequence[str]) -> list[Passage]:
        """The passages of these ids, in their order.

        RAISES (StoreError): For an id that is not there.
        """
        return [passage for passage, _ in require(self._picker, ids, with_vectors=False, where=self.location)]

    def vectors(self, ids: Sequence[str]) -> NDArray[np.float32]:
        """The stored vectors of these ids, brought to length 1.

        RAISES (StoreError): For an id that is not there.
        """
        rows = [vector for _, vector in require(self._picker, ids, with_vectors=True, where=self.location)]
        nothing = np.zeros(self.embedder.dimensions, dtype=np.float32)
        found = np.array([nothing if vector is None else vector for vector in rows], dtype=np.float32)
        return found.reshape(len(rows), len(nothing))

    def iterate(self, with_vectors: bool = False, filter: Filter | None = None) -> Iterator[tuple[Passage, NDArray[np.float32] | None]]:
        """YIELDS (Tuple[Passage, Optional[ndarray]]): All passages that pass, in the order of the objects' ids."""
        passes = self._layout.as_read(filter or Filter()).passes
        yield from (row for row in self._picker.all(with_vectors=with_vectors) if passes(row[0]))

    def sample(self, n: int, *, seed: int, filter: Filter | None = None) -> list[Passage]:
        """RETURNS (List[Passage]): n different passages in random order, all of them when there are fewer."""
        filter = self._layout.as_read(filter or Filter())
        return self._picker.draw(n, seed=seed, passes=None if filter == Filter() else filter.passes)

    def count(self) -> int:
        """RETURNS (int): Passages, as the server counts them."""
        self._layout  # noqa: B018
        return self._objects.count()

    def close(self) -> None:
        """Close the connection; the next call opens it again."""
        if "_link" in self.__dict__:
            self.__dict__.pop("_closing")()
        for name in ("_link", "_objects", "_layout", "embedder"):
            self.__dict__.pop(name, None)

    # what is open

    @functools.cached_property
    def _link(self) -> Link:
        link = connect(self._place)
        self._closing = weakref.finalize(self, link.close)
        return link

    @functools.cached_property
    def _objects(self) -> Objects:
        objects = Objects(self._link, self._mapped.name, self._place)
        if self._mapped.tenant is not None:
            objects.collection = objects.collection.with_tenant(self._mapped.tenant)
        return objects

    @property
    def _picker(self) -> Picker:
        return Picker(self._objects, self._layout)

    @functools.cached_property
    def _layout(self) -> Layout:
        client, name = self._link.client, self._mapped.name
        with self._objects.speaking("reading the description of a collection"):
            if not client.collections.exists(name):
                raise StoreError(f"There is no collection {name} in Weaviate at {self._link.where}.")
            layout = Layout.read(self._mapped, client.collections.use(name).config.get())
            if self._mapped.tenant is not None and not client.collections.use(name).tenants.exists(self._mapped.tenant):
                raise StoreError(f"The collection {name} of Weaviate at {self._link.where} has no tenant '{self._mapped.tenant}'.")
        return layout

    def _nears(self, queries: Sequence[Query]) -> list[Near]:
        if self._layout.distance != "cosine":
            raise StoreError(f"The vectors of {self.location} are compared by '{self._layout.distance}', not by cosine. Search by keyword.")
        tried = bool(self._home.about())
        if self._layout.module is not None and (not tried or self._is_own(self.embedder)):
            given = [len(query.vector) for query in queries if query.vector is not None]
            return as_asked(queries, self.embedder.dimensions if tried else max(given, default=0), where=self.location)
        return list(query_vectors(queries, lambda: self.embedder, dimensions=self.embedder.dimensions, where=self.location))
