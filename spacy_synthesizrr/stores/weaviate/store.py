"""The store in Weaviate: `synthesizrr.WeaviateStore.v1`.

One index is one collection (see `schema`), or one tenant of a collection that several share (see `tenants`), and a folder on
this machine with the fitted embedder and notes (see `home`). A collection says itself whether it is whole: what was interrupted
is known as such and goes on where it stopped.
"""

from __future__ import annotations

import functools
import random
import weakref
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from spacy_synthesizrr.candidates import Hit, Passage
from spacy_synthesizrr.embedders.base import Embedder
from spacy_synthesizrr.errors import StoreError
from spacy_synthesizrr.stores.asking import check_k
from spacy_synthesizrr.stores.base import BY_VECTOR, Filter, IndexCounts, Query, Search, check_embedder
from spacy_synthesizrr.stores.searching import by_keyword, by_vector, query_vectors
from spacy_synthesizrr.stores.weaviate.building import build, content_key
from spacy_synthesizrr.stores.weaviate.connect import Link, connect
from spacy_synthesizrr.stores.weaviate.finding import Finder, allowed_rows, as_asked
from spacy_synthesizrr.stores.weaviate.home import Home
from spacy_synthesizrr.stores.weaviate.schema import DELETED, State, collection_name, object_id
from spacy_synthesizrr.stores.weaviate.settings import Place
from spacy_synthesizrr.stores.weaviate.settling import wait_for_words
from spacy_synthesizrr.stores.weaviate.table import Table
from spacy_synthesizrr.stores.weaviate.tenants import Tenant, all_states, tenant_name
from spacy_synthesizrr.stores.weaviate.tuning import follow
from spacy_synthesizrr.stores.weaviate.vectorizer import bound

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spacy_synthesizrr.stores.weaviate.finding import Near

HOME = "weaviate"  # the folder of this store beside those of others
QUERIES = 256  # embedded and answered at once
CURE = "Run the step 'index' again."


class WeaviateStore:
    """One index in a Weaviate; connected by the first call that needs it.

    place (Place): Where the server is, and how it is used.
    folder (Path): On this machine; all indexes of a project have theirs in it.
    key (str): Of the index.
    embedder (Embedder): What queries will be embedded with; by default the one kept when the index was built.
    """

    def __init__(self, place: Place, folder: Path, key: str = "", embedder: Embedder | None = None) -> None:
        self._place, self._folder, self._key, self._given = place, folder, key, embedder
        shared = place.tenants
        self._name = tenant_name(key) if shared else collection_name(key)
        self._home = Home(folder / HOME / (f"{collection_name(shared)}.{self._name}" if shared else self._name))

    def __reduce__(self) -> tuple[type[WeaviateStore], tuple[Any, ...]]:
        return WeaviateStore, (self._place, self._folder, self._key, self._given)  # other processes connect themselves

    @property
    def place(self) -> Place:
        """RETURNS (Place): What the config says of the server."""
        return self._place

    @property
    def location(self) -> str:
        """RETURNS (str): Server and collection, and the tenant where it is one."""
        shared = self._place.tenants
        lies = f"collection {collection_name(shared)}, tenant {self._name}" if shared else f"collection {self._name}"
        return f"{self._place.shown}, {lies}"

    @property
    def notes(self) -> Path:
        """RETURNS (Path): A folder for files about this index, on this machine."""
        return self._home.notes

    def at(self, key: str) -> WeaviateStore:
        """RETURNS (WeaviateStore): The index of this key on the same server."""
        return WeaviateStore(self._place, self._folder, f"{self._key}_{key}" if self._key else key, self._given)

    def keys(self) -> list[str]:
        """RETURNS (List[str]): Keys of the whole indexes on the server that `at` can open, sorted."""
        return [key for key, state in self.states().items() if state is not None and state.complete]

    def states(self) -> dict[str, State | None]:
        """RETURNS (dict): What the collections (or tenants) on the server that `at` can open say of themselves, whole or not, by key in
        rising order; None for those of another release.
        """
        start, found = f"{self._key}_" if self._key else "", all_states(self._table)
        return {name.removeprefix(start): found[name] for name in sorted(found) if name.startswith(start)}

    def drop(self) -> None:
        """Delete the collection, and what is kept of it on this machine."""
        with self._home.alone():
            self._table.drop()
            self._home.clear()
        self._forget()

    def complete(self) -> bool:
        """Whether the collection is whole and its embedder is here.

        RAISES (StoreError): When the server cannot be asked: nobody knows then.
        """
        state = self._table.state()
        if state is None or not state.complete:
            return False
        return self._given is not None or self._home.about().get("key") == state.key

    def content(self) -> str:
        """RETURNS (str): What the collection says of itself: a hash of passages, embedder and seed; empty when it is not whole."""
        return state.key if (state := self._table.state()) is not None and state.complete else ""

    # writing

    def index(self, passages: Iterable[Passage], embedder: Embedder, *, seed: int = 0) -> IndexCounts:
        """Bring the collection to hold these passages. Memory does not follow their number; what is there already stays.

        passages (Iterable[Passage]): Read once.
        embedder (Embedder): Not fitted; afterwards `self.embedder` is the fitted one.
        seed (int): Of the fit.
        RETURNS (IndexCounts): Counts; `written` is false when nothing was sent to the server.
        RAISES (StoreError): When there is no passage, the collection is somebody else's, or the server does not take them.
        """
        self._forget()
        with self._home.alone(), self._home.spool(passages) as (counted, file, kinds):
            if not counted.count:
                raise StoreError("There is no passage to index. Check the corpus and the length band [passages].")
            written = build(self._table, self._home, counted, file, kinds, embedder, seed=seed)
        self._forget()
        key = content_key(counted, bound(embedder, self._place), seed)
        return IndexCounts(counted.count, counted.equal_ids, counted.equal_texts, written, key)

    def follow_config(self) -> None:
        """Let a collection that is there follow what the config says of vectors and words, as far as the server can.

        RAISES (StoreError): When words are cut in another way.
        """
        with self._home.alone():
            follow(self._table)

    def delete(self, ids: Sequence[str]) -> int:
        """Take passages out of search, sample, iterate and count; indexing the corpus again brings them back.

        RETURNS (int): How many went; unknown ids are no error.
        """
        from weaviate.classes.query import Filter as By

        with self._home.alone():
            found = self._table.by_ids(ids)
            gone = [object_id(name) for name, stored in found.items() if not stored.deleted]
            self._table.together(self._table.mark_deleted, gone)
            deleted = self._table.count(By.by_property(DELETED).equal(True))
            self._table.write_state(self._state.but(deleted=deleted))
        self.__dict__.pop("_state", None)
        return len(gone)

    # reading

    @functools.cached_property
    def embedder(self) -> Embedder:
        """The embedder that made the vectors.

        RAISES (StoreError): When the one given, or the one kept here, is not the one that the collection names.
        """
        stored, here = self._state.embedder, self._home.about()
        if self._given is None and here.get("key") != self._state.key:
            raise StoreError(
                f"The embedder of the index {self.location} is not in {self._home.folder}: the index was built elsewhere. Run the step "
                "'index' here, too (what is in the collection stays), or copy that folder from there."
            )
        embedder = bound(self._given or self._home.embedder(), self._place)
        check_embedder(embedder, stored, where=self.location)
        return embedder

    def search(self, queries: Sequence[Query], k: int, *, how: Search = BY_VECTOR, filter: Filter | None = None) -> list[list[Hit]]:
        """The k best passages of each query; equal scores in the order of the corpus. Several queries are asked at a time.

        RAISES (ConfigError): When k is below 1.
        RAISES (StoreError): For a vector of another length, another embedder, or when the server fails.
        """
        check_k(k)
        if by_keyword(how) and queries:
            self._settled  # noqa: B018  (waits once)
        finder = Finder(self._table, self._state, filter or Filter())
        hits: list[list[Hit]] = []
        for start in range(0, len(queries), QUERIES):
            block = queries[start : start + QUERIES]
            vectors = self._nears(block) if by_vector(how) else None
            for found in finder.find([query.text for query in block], vectors, k, how):
                pairs = zip(found.keys.tolist(), found.scores.tolist(), strict=True)
                hits.append([Hit(finder.names[row][0], score, rank) for rank, (row, score) in enumerate(pairs, 1)])
        self._still()
        return hits

    def get(self, ids: Sequence[str]) -> list[Passage]:
        """The passages of these ids, deleted ones too: rows made before a deletion still need their text.

        RAISES (StoreError): For an id that is not there.
        """
        found = self._require(ids)
        return [found[name].passage for name in ids]

    def vectors(self, ids: Sequence[str]) -> NDArray[np.float32]:
        """The stored vectors of these ids, in their order.

        RAISES (StoreError): For an id that is not there.
        """
        found = self._require(ids, with_vectors=True)
        nothing = np.zeros(int(self._state.embedder["dimensions"]), dtype=np.float32)  # a module makes none of an empty text
        rows = [nothing if found[name].vector is None else found[name].vector for name in ids]
        return np.array(rows, dtype=np.float32).reshape(len(ids), len(nothing))

    def _require(self, ids: Sequence[str], *, with_vectors: bool = False) -> dict[str, Any]:
        self._state  # noqa: B018  (refuses what is not whole)
        return self._table.require(ids, self.location, with_vectors=with_vectors)

    def iterate(self, with_vectors: bool = False, filter: Filter | None = None) -> Iterator[tuple[Passage, NDArray[np.float32] | None]]:
        """YIELDS (Tuple[Passage, Optional[ndarray]]): All passages that pass, in the order of the corpus."""
        passes = np.zeros(self._state.passages, dtype=bool)
        passes[allowed_rows(self._table, self._state, filter or Filter())] = True
        walk = self._table.walk(len(passes), with_vectors=with_vectors)
        yield from ((each.passage, each.vector) for each in walk if each.row < len(passes) and passes[each.row] and not each.deleted)
        self._still()

    def sample(self, n: int, *, seed: int, filter: Filter | None = None) -> list[Passage]:
        """RETURNS (List[Passage]): n different passages in random order, all of them when there are fewer."""
        allowed = allowed_rows(self._table, self._state, filter or Filter())
        rows = [int(allowed[place]) for place in random.Random(seed).sample(range(len(allowed)), min(n, len(allowed)))]
        found = self._table.by_rows(rows)
        self._still()
        return [found[row].passage for row in rows]

    def count(self) -> int:
        """RETURNS (int): Passages that can be found, as the server counts them."""
        from weaviate.classes.query import Filter as By

        return self._table.count(By.by_property(DELETED).equal(False) if self._state.deleted else None)

    def close(self) -> None:
        """Close the connection, and stop the server when it is ours; the next call opens them again."""
        self._forget()
        if "_link" in self.__dict__:
            self.__dict__.pop("_closing")()
            del self.__dict__["_link"]
        self.__dict__.pop("_table", None)

    def _still(self) -> None:
        try:
            self._table.still(self._state)
        except StoreError:
            self._forget()  # the next call sees what is there now
            raise

    def _forget(self) -> None:
        for name in ("_state", "_settled", "embedder"):
            self.__dict__.pop(name, None)

    # what is open

    @functools.cached_property
    def _link(self) -> Link:
        link = connect(self._place)
        self._closing = weakref.finalize(self, link.close)  # stores are rarely closed by hand
        return link

    @functools.cached_property
    def _table(self) -> Table:
        make = Tenant if self._place.tenants else Table
        return make(self._link, self._name, self._place)

    @functools.cached_property
    def _settled(self) -> bool:
        return wait_for_words(self._table, self._state.passages)

    @functools.cached_property
    def _state(self) -> State:
        state = self._table.state()
        if state is None:
            raise StoreError(f"There is no index in {self.location}. Build it first: run the step 'index'.")
        if not state.complete:
            raise StoreError(f"The index in {self.location} was not finished. {CURE} It goes on where it stopped.")
        return state

    def _nears(self, queries: Sequence[Query]) -> list[Near]:
        dimensions = int(self._state.embedder["dimensions"])
        if self._given is not None or self._state.module:
            self.embedder  # noqa: B018  (refuses another one, vectors at hand or not)
        if self._state.module:
            return as_asked(queries, dimensions, where=self.location)
        return list(query_vectors(queries, lambda: self.embedder, dimensions=dimensions, where=self.location))
