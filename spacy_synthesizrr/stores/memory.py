"""A store in this process: memory-mapped vectors and exact search; no server, no training of an index.

One index is one folder: the passages (see `passages`), `vectors.npy`, the fitted embedder under `embedder/`, and
`meta.json`, which says what belongs together. The folder appears when all of it is written. Two things come later: `delete`
lists rows in `deleted.json`, and the first search by keyword writes `keywords/` (see `keywords`).
"""

from __future__ import annotations

import functools
import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from spacy_synthesizrr.candidates import Hit, Passage, digest
from spacy_synthesizrr.embedders.base import Embedder, load_embedder
from spacy_synthesizrr.errors import ConfigError, StoreError, SynthesizrrError
from spacy_synthesizrr.jsonl import read_json, write_json
from spacy_synthesizrr.stores.asking import check_k
from spacy_synthesizrr.stores.base import BY_VECTOR, Filter, IndexCounts, Query, Search, check_embedder
from spacy_synthesizrr.stores.filters import Barred
from spacy_synthesizrr.stores.keywords import Keywords, ready_keywords
from spacy_synthesizrr.stores.memory_files import DELETED, FORMAT, KEYWORDS, META, NOTES, foreign, read_deleted, write_meta
from spacy_synthesizrr.stores.passages import PassageFile, PassageWriter, batched, require_rows
from spacy_synthesizrr.stores.publish import LOCK, locked, publish, settled, workspace
from spacy_synthesizrr.stores.ranking import Ranking
from spacy_synthesizrr.stores.searching import Shelf, by_vector, query_vectors
from spacy_synthesizrr.stores.vectors import EMBEDDER, VECTORS, write_vectors

if TYPE_CHECKING:
    from numpy.typing import NDArray

QUERIES = 256  # embedded and answered at once
Opened = TypeVar("Opened")


class MemoryStore:
    """One index in a folder; opened by the first call that reads it.

    folder (Path): Where it is or will be.
    embedder (Embedder): What queries will be embedded with; by default the one stored with the index.
    """

    def __init__(self, folder: Path, embedder: Embedder | None = None) -> None:
        self._folder, self._given = folder, embedder

    def __reduce__(self) -> tuple[type[MemoryStore], tuple[Path, Embedder | None]]:
        return MemoryStore, (self._folder, self._given)  # other processes map the files themselves

    @property
    def location(self) -> str:
        """RETURNS (str): The folder."""
        return self._folder.as_posix()

    @property
    def notes(self) -> Path:
        """RETURNS (Path): A folder for files about this index."""
        return self._folder / NOTES

    def at(self, key: str) -> MemoryStore:
        """RETURNS (MemoryStore): The index in the subfolder of this name."""
        return MemoryStore(self._folder / key, self._given)

    def keys(self) -> list[str]:
        """RETURNS (List[str]): Names of the subfolders that hold a whole index, sorted."""
        return sorted(path.name for path in self._folder.glob("[!.]*") if path.is_dir() and self.at(path.name).complete())

    def complete(self) -> bool:
        """RETURNS (bool): Whether every file of an index is there with its size; one that is being exchanged is waited for."""
        if self._whole():
            return True
        with settled(self._folder):
            return self._whole()

    def _whole(self) -> bool:
        try:
            sizes = self._read_meta()["bytes"]
            return all((self._folder / name).stat().st_size == size for name, size in sizes.items())
        except (OSError, SynthesizrrError, KeyError, TypeError, AttributeError):
            return False

    def content(self) -> str:
        """RETURNS (str): Hash of the passages, the embedder and the seed of the index that lies there now; empty when none is whole."""
        with settled(self._folder):
            return str(self._read_meta()["key"]) if self._whole() else ""

    # writing

    def index(self, passages: Iterable[Passage], embedder: Embedder, *, seed: int = 0) -> IndexCounts:
        """Write passages, fit the embedder on them, embed them. Memory does not follow the number of passages.

        passages (Iterable[Passage]): Read once.
        embedder (Embedder): Not fitted; afterwards `self.embedder` is the fitted one.
        seed (int): Of the fit.
        RETURNS (IndexCounts): Counts; `written` is false when these passages were here already with this embedder.
        RAISES (StoreError): When there is no passage, or the folder holds something else.
        """
        self._refuse_foreign_folder()
        with workspace(self._folder) as work:
            with PassageWriter(work) as writer:
                for batch in batched(passages):
                    writer.add(batch)
                writer.finish()
            if not writer.count:
                raise StoreError("There is no passage to index. Check the corpus and the length band [passages].")
            key = digest(str(FORMAT), writer.fingerprint, embedder.recipe, str(seed))
            written = False
            if not self._holds(key):
                write_vectors(work, embedder, seed=seed)
                write_meta(work, key, writer, embedder)
                written = publish(work, self._folder, keep=lambda: self._holds(key))
        self.close()
        (self._folder / DELETED).unlink(missing_ok=True)
        return IndexCounts(writer.count, writer.equal_ids, writer.equal_texts, written, key)

    def delete(self, ids: Sequence[str]) -> int:
        """Take passages out of search, sample, iterate and count; indexing the corpus again brings them back.

        RETURNS (int): How many went; unknown ids are no error.
        RAISES (StoreError): When the index was built anew since it was opened: its rows are others now.
        """
        rows = {row for row in map(self._passages.row, ids) if row is not None}
        with locked(self._folder.parent / LOCK):  # which nobody exchanges the folder without
            self._refuse_another()
            gone = set(read_deleted(self._folder))
            write_json(self._folder / DELETED, sorted(gone | rows))
        for name in ("_deleted", "_barred"):
            self.__dict__.pop(name, None)
        return len(rows - gone)

    # reading

    @functools.cached_property
    def embedder(self) -> Embedder:
        """The embedder that made the vectors.

        RAISES (StoreError): When the one given, or the one in the folder, is not the one that `meta.json` names.
        """
        stored = self._meta["embedder"]
        embedder = self._given or self._opened(lambda: load_embedder(self._folder / EMBEDDER))
        check_embedder(embedder, stored, where=self.location)
        return embedder

    def search(self, queries: Sequence[Query], k: int, *, how: Search = BY_VECTOR, filter: Filter | None = None) -> list[list[Hit]]:
        """The k best passages of each query; equal scores in the order of the corpus. Vector search is exact.

        RAISES (ConfigError): When k is below 1.
        RAISES (StoreError): For a vector of another length, or when the words of the passages cannot be indexed.
        """
        check_k(k)
        banned = self._barred.rows(filter)
        shelf = Shelf(self._passages, self._vectors, lambda: self._keywords)
        hits: list[list[Hit]] = []
        for start in range(0, len(queries), QUERIES):
            block = queries[start : start + QUERIES]
            vectors = self._query_vectors(block) if by_vector(how) else None
            hits += map(self._hits, shelf.find([query.text for query in block], vectors, k, how=how, banned=banned))
        return hits

    def get(self, ids: Sequence[str]) -> list[Passage]:
        """The passages of these ids, deleted ones too: rows made before a deletion still need their text.

        RAISES (StoreError): For an id that is not there.
        """
        return list(self._passages.get(require_rows(self._passages, ids, where=self.location)))

    def vectors(self, ids: Sequence[str]) -> NDArray[np.float32]:
        """The stored vectors of these ids, in their order.

        RAISES (StoreError): For an id that is not there.
        """
        return np.array(self._vectors[require_rows(self._passages, ids, where=self.location)])

    def iterate(self, with_vectors: bool = False, filter: Filter | None = None) -> Iterator[tuple[Passage, NDArray[np.float32] | None]]:
        """YIELDS (Tuple[Passage, Optional[ndarray]]): All passages that pass, in the order of the corpus, with a copy of their vector."""
        passes = np.ones(len(self._passages), dtype=bool)
        passes[self._barred.rows(filter)] = False
        for row, passage in enumerate(self._passages.get(range(len(passes)))):
            if passes[row]:
                yield passage, np.array(self._vectors[row]) if with_vectors else None

    def sample(self, n: int, *, seed: int, filter: Filter | None = None) -> list[Passage]:
        """RETURNS (List[Passage]): n different passages in random order, all of them when there are fewer."""
        banned = self._barred.rows(filter)
        draw, left = random.Random(seed), len(self._passages) - len(banned)
        places = np.array(draw.sample(range(left), min(n, left)), dtype=np.int64)
        # the place-th row that is not banned: banned[i] - i rows stand before banned[i] that are not
        rows = places + np.searchsorted(banned - np.arange(len(banned)), places, side="right")
        return list(self._passages.get(rows.tolist()))

    def count(self) -> int:
        """RETURNS (int): Passages that can be found."""
        return len(self._passages) - len(self._deleted)

    def close(self) -> None:
        """Let go of the files; the next call opens them again."""
        if "_passages" in self.__dict__:
            self._passages.close()
        for name in ("_passages", "_vectors", "_meta", "_deleted", "_barred", "_keywords", "embedder"):
            self.__dict__.pop(name, None)

    # what is open

    @functools.cached_property
    def _meta(self) -> dict[str, Any]:
        if not self.complete():
            if not (self._folder / META).is_file():
                raise StoreError(f"There is no index in {self.location}. Build it first: run the step 'index'.")
            raise self._damaged("or of another release")
        return self._read_meta()

    @functools.cached_property
    def _passages(self) -> PassageFile:
        self._meta  # noqa: B018  (refuses a folder that is missing or damaged)
        return self._opened(lambda: PassageFile(self._folder))

    @functools.cached_property
    def _vectors(self) -> NDArray[np.float32]:
        stored = self._meta["embedder"]["dimensions"]
        vectors: NDArray[np.float32] = self._opened(lambda: np.load(self._folder / VECTORS, mmap_mode="r", allow_pickle=False))
        if vectors.shape != (len(self._passages), stored):
            raise self._damaged(f"(its vectors have shape {vectors.shape})")
        return vectors

    def _damaged(self, how: str) -> StoreError:
        return StoreError(f"The index in {self.location} is damaged {how}. Delete that folder and run the step 'index' again.")

    @functools.cached_property
    def _deleted(self) -> NDArray[np.int64]:
        return np.array(self._opened(lambda: read_deleted(self._folder)), dtype=np.int64)

    def _read_meta(self) -> dict[str, Any]:
        meta: dict[str, Any] = read_json(self._folder / META)
        if meta["format"] != FORMAT:
            raise StoreError(f"The index in {self.location} has format {meta['format']}; this release reads {FORMAT}.")
        return meta

    def _holds(self, key: str) -> bool:
        return self._whole() and self._read_meta()["key"] == key

    def _refuse_another(self) -> None:
        """RAISES (StoreError): When the folder holds another index than the one that is open."""
        if not self._holds(self._meta["key"]):
            raise StoreError(f"The index in {self.location} has been built anew since it was opened, or deleted. Run the step again.")

    def _opened(self, open_it: Callable[[], Opened]) -> Opened:
        """RETURNS (Opened): A file of the index that `_meta` describes. It is opened when it is first needed, and until then the folder
        may have been exchanged.

        RAISES (StoreError): When it was.
        """
        try:
            found = open_it()
        except (OSError, ValueError, SynthesizrrError):
            self._refuse_another()
            raise
        self._refuse_another()
        return found

    def _refuse_foreign_folder(self) -> None:
        if self._folder.exists() and (not self._folder.is_dir() or (names := foreign(self._folder))):
            what = "is a file" if not self._folder.is_dir() else f"holds '{names[0]}', which is no part of an index"
            raise StoreError(f"{self.location} {what}. Give the index a folder of its own ([store] path).")

    @functools.cached_property
    def _barred(self) -> Barred:
        return Barred(self._passages, self._deleted)

    @functools.cached_property
    def _keywords(self) -> Keywords:
        self._refuse_another()
        return ready_keywords(self._folder / KEYWORDS, self._passages, index=self._meta["key"])

    def _query_vectors(self, queries: Sequence[Query]) -> NDArray[np.float32]:
        return query_vectors(queries, lambda: self.embedder, dimensions=self._meta["embedder"]["dimensions"], where=self.location)

    def _hits(self, found: Ranking) -> list[Hit]:
        names = zip(self._passages.ids(found.keys), found.scores.tolist(), strict=True)
        return [Hit(name, score, rank) for rank, (name, score) in enumerate(names, 1)]


def make_memory_store(path: str = "index") -> MemoryStore:
    """Make a store in this process.

    path (str): A folder; the project keeps an index per corpus and embedder in it. To search one directly, give the
        subfolder of that index (`index.json` of a run names it).
    RETURNS (MemoryStore): The store.
    RAISES (ConfigError): When the path is empty.
    """
    if not path:
        raise ConfigError("[store] 'path' is empty. Give a folder, such as: path = \"index\"")
    return MemoryStore(Path(path))
