"""Searching a collection: filters in the server's words, and rankings that equal those of exact search but for what HNSW misses."""

from __future__ import annotations

import functools
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from spacy_synthesizrr.errors import StoreError
from spacy_synthesizrr.stores.asking import FIELDS, Condition, Filter, Search, kind_of
from spacy_synthesizrr.stores.base import Query
from spacy_synthesizrr.stores.exact import DECIMALS
from spacy_synthesizrr.stores.ranking import Ranking, find
from spacy_synthesizrr.stores.searching import by_keyword, joined, query_vectors
from spacy_synthesizrr.stores.weaviate.objects import Objects
from spacy_synthesizrr.stores.weaviate.schema import DELETED, ID, KINDS, ROW, Kinds, State, filterable, meta_property, object_id
from spacy_synthesizrr.stores.weaviate.table import Table, changed

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Near = NDArray[np.float32] | str  # a unit vector, or a text that the server embeds

MOST_FILTERED = 300  # ids that the server leaves out; when there are more, we fetch more and leave them out ourselves
SPARE = 8  # hits beyond those asked for, because equal ones come in no order; where more are equal, we ask again
MORE_WORDS = 100  # hits beyond those asked for in keyword search, which cuts corners with the last of them
MMR = (1, 37)  # the first version that chooses by diversity
LIMIT = 10_000  # hits that a server gives at most, if it is not told otherwise
HIT, DOCUMENT = [ROW, ID], ["source", "document"]  # properties that searches bring
NOTHING = Ranking(np.zeros(0, dtype=np.int64), np.zeros(0))


class Finder:
    """Answers one call of `search`.

    table (Table): The collection. state (State): What it says of itself.
    filter (Filter): Which passages may be found.
    """

    def __init__(self, table: Table, state: State, filter: Filter) -> None:
        self.table, self.state = table, state
        self.where, self.banned, self.empty = server_filter(state, filter)
        self.names: dict[int, tuple[str, Hashable]] = {}  # id of every row that was found, and its document where that counts
        self._asked = HIT

    def find(self, texts: Sequence[str], vectors: Sequence[Near] | None, k: int, how: Search) -> list[Ranking]:
        """Find the k best passages of each query.

        texts (Sequence[str]): The queries. vectors (Sequence[Near]): Their vectors; None in keyword search.
        RETURNS (List[Ranking]): Keys are rows; `names` knows their ids.
        """
        if self.empty:
            return [NOTHING] * len(texts)
        self._asked = HIT if how.per_document is None else HIT + DOCUMENT
        if self._native(how) and vectors is not None:
            depth = how.candidates(k)
            return self.table.together(lambda row: self._diverse(vectors[row], k, depth, how), range(len(texts)))

        def rank(which: Sequence[int], depth: int) -> list[Ranking]:
            near = [] if vectors is None else [functools.partial(self._by_vector, vectors[index], depth) for index in which]
            words = [functools.partial(self._by_words, texts[index], depth) for index in which] if by_keyword(how) else []
            found = self.table.together(lambda ask: ask(), near + words)  # both halves at a time
            return joined(how, found[: len(near)], found[len(near) :])

        most = self.state.passages - self.state.deleted
        return find(len(texts), k, how, most=most, rank=rank, documents=self._documents, vectors=self._vectors)

    def _native(self, how: Search) -> bool:
        """Whether the server can choose by diversity itself, from the same candidates."""
        return (
            how.diversity is not None
            and 0 < how.diversity < 1  # at the ends there are ties, which the server leaves open
            and how.mode == "vector"
            and how.per_document is None
            and not self.banned
            and self.table.link.version >= MMR
        )

    def _by_vector(self, near: Near, depth: int) -> Ranking:
        if is_nowhere(near):
            return self._in_order(depth)  # every cosine is 0
        from weaviate.classes.query import MetadataQuery

        asked = MetadataQuery(distance=True)
        ask = functools.partial(nearest(self.table, near), filters=self.where, return_metadata=asked, return_properties=self._asked)
        return self._ranked(lambda limit: ask(limit=limit), depth, cosine)

    def _by_words(self, text: str, depth: int) -> Ranking:
        if not text.strip():
            return NOTHING
        from weaviate.classes.query import MetadataQuery

        asked = MetadataQuery(score=True)

        def worded(limit: int) -> Any:
            return self.table.collection.query.bm25(
                text, query_properties=["text"], limit=limit, filters=self.where, return_metadata=asked, return_properties=self._asked
            )

        return self._ranked(worded, depth, lambda found: float(found.metadata.score), MORE_WORDS)

    def _ranked(self, ask: Callable[[int], Any], depth: int, score: Callable[[Any], float], spare: int = SPARE) -> Ranking:
        """Ask for more until enough are left of those that may be found, and all that equal the last of them are there."""
        most = max(1, self.state.passages)
        limit = min(depth + spare, most)
        while True:
            asked = min(limit, max(depth, LIMIT))
            with self.table.speaking("searching"):
                found = ask(asked).objects
            kept = [each for each in found if str(each.uuid) not in self.banned]
            enough = len(kept) >= min(depth, most)
            if (enough and not (tied(kept, found, depth, score) and asked < LIMIT)) or len(found) < asked or asked >= most:
                return self._ranking(kept, score).take(slice(depth))
            if asked >= LIMIT:
                raise StoreError(
                    f"{len(self.banned):,} passages may not be found, and the server gives {LIMIT:,} hits at most: there are not enough "
                    "left. Delete those passages from the index instead."
                )
            limit = min(2 * limit, most, LIMIT)

    def _ranking(self, found: Iterable[Any], score: Callable[[Any], float]) -> Ranking:
        pairs = [(self._note(each), score(each)) for each in found]
        ranking = _scored([row for row, _ in pairs], [value for _, value in pairs])
        return ranking.take(np.lexsort((ranking.keys, -ranking.scores)))

    def _note(self, found: Any) -> int:
        row, name = int(found.properties[ROW]), str(found.properties[ID])
        noted = self.names.setdefault(row, (name, (found.properties.get("source"), found.properties.get("document") or name)))
        if noted[0] != name:
            raise changed(self.table.where)  # rows move while an index is written
        return row

    def _in_order(self, depth: int) -> Ranking:
        """The first passages of the corpus, for a query that is equally far from all."""
        rows: list[int] = []
        for start in range(0, self.state.passages, max(depth, 256)):
            found = self.table.window(start, start + max(depth, 256), self._asked, where=self.where)
            rows += [self._note(each) for each in found if str(each.uuid) not in self.banned]
            if len(rows) >= depth:
                break
        keys = np.array(sorted(rows)[:depth], dtype=np.int64)
        return Ranking(keys, np.zeros(len(keys)))

    def _diverse(self, near: Near, k: int, depth: int, how: Search) -> Ranking:
        """Let the server choose k of the closest passages."""
        from weaviate.classes.query import Diversity, MetadataQuery

        if is_nowhere(near):
            return self._in_order(k)
        most = max(1, self.state.passages)
        limit, closest = min(depth, most), how.min_similarity
        asked = MetadataQuery(distance=True)
        with self.table.speaking("searching"):
            found = nearest(self.table, near)(
                limit=limit, filters=self.where, return_metadata=asked, return_properties=self._asked,
                distance=None if closest is None else 1.0 - closest,
                diversity_selection=Diversity.mmr(limit=min(k, limit), balance=how.diversity),
            ).objects  # fmt: skip
        return _scored([self._note(each) for each in found], [cosine(each) for each in found])

    def _documents(self, rankings: Sequence[Ranking]) -> list[list[Hashable]]:
        return [[self.names[row][1] for row in ranking.keys.tolist()] for ranking in rankings]

    def _vectors(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        found = self.table.by_rows(rows.tolist(), with_vectors=True)
        if len(found) < len(rows):
            raise changed(self.table.where)
        some = [found[row].vector for row in rows.tolist()]
        nothing = np.zeros(int(self.state.embedder["dimensions"]), dtype=np.float32)
        return np.array([nothing if vector is None else vector for vector in some], dtype=np.float32)


def as_asked(queries: Sequence[Query], dimensions: int, *, where: str) -> list[Near]:
    """RETURNS (List[Near]): The vectors of queries that have one, the texts of the others: the server embeds them.

    RAISES (StoreError): For a vector of another length.
    """
    vectors = query_vectors([query for query in queries if query.vector is not None], _none, dimensions=dimensions, where=where)
    given = iter(vectors)
    return [query.text if query.vector is None else next(given) for query in queries]


def _none() -> Any:
    raise AssertionError("every query has a vector")


def is_nowhere(near: Near) -> bool:
    """RETURNS (bool): Whether nothing is closer to it than anything else."""
    return not near.strip() if isinstance(near, str) else not near.any()


def nearest(objects: Objects, near: Near) -> Callable[..., Any]:
    """RETURNS (Callable): The client's search by a vector, or by a text that the server embeds."""
    query = objects.collection.query
    return functools.partial(query.near_text, near) if isinstance(near, str) else functools.partial(query.near_vector, near.tolist())


def tied(kept: Sequence[Any], found: Sequence[Any], depth: int, score: Callable[[Any], float]) -> bool:
    """RETURNS (bool): Whether the last hit of a depth equals the last that came, so that others that equal it may not have come."""
    return depth <= len(kept) and round(score(kept[depth - 1]), DECIMALS) == round(score(found[-1]), DECIMALS)


def cosine(found: Any) -> float:
    """RETURNS (float): Of an object to what was searched for."""
    return 1.0 - float(found.metadata.distance)


def _scored(rows: Sequence[int], scores: Sequence[float]) -> Ranking:
    values = np.array([round(score, DECIMALS) + 0.0 for score in scores], dtype=np.float64)
    return Ranking(np.array(rows, dtype=np.int64), values)


def server_filter(state: State, filter: Filter) -> tuple[Any, frozenset[str], bool]:
    """Say a filter in the server's words.

    RETURNS (Tuple[Any, FrozenSet[str], bool]): The filter (None: everything passes); the objects that it does not leave
        out and we must; and whether nothing passes.
    """
    from weaviate.classes.query import Filter as By

    uuids = frozenset(map(object_id, filter.exclude))
    parts = [By.by_property(DELETED).equal(False)] if state.deleted else []
    if uuids and len(uuids) <= MOST_FILTERED:
        parts.append(By.by_id().contains_none(sorted(uuids)))
        uuids = frozenset()
    for condition in filter.where:
        part, empty = _condition(condition, state.kinds)
        if empty:
            return None, uuids, True
        if part is not None:
            parts.append(part)
    return (By.all_of(parts) if parts else None), uuids, False


def allowed_rows(table: Table, state: State, filter: Filter) -> NDArray[np.int64]:
    """RETURNS (ndarray): Rows of the passages that pass a filter, in their order."""
    where, _, empty = server_filter(state, Filter(where=filter.where))
    if empty:
        return np.zeros(0, dtype=np.int64)
    rows = np.arange(state.passages) if where is None else table.rows(state.passages, where)
    banned = [stored.row for stored in table.by_ids(list(filter.exclude)).values()]
    return np.setdiff1d(rows, np.array(banned, dtype=np.int64))


def _condition(condition: Condition, kinds: Kinds) -> tuple[Any, bool]:
    """RETURNS (Tuple[Any, bool]): The condition in the server's words, None where it holds of all; whether it holds of none."""
    from weaviate.classes.query import Filter as By

    found = [
        compare(By.by_property(name), condition.op, filterable(value))
        for value in condition.values
        for name in _properties(condition.field, value, kinds)
    ]
    if condition.op == "!=":
        return (By.not_(By.any_of(found)) if found else None), False
    return (By.any_of(found), False) if found else (None, True)


def _properties(field: str, value: Any, kinds: Kinds) -> list[str]:
    """RETURNS (List[str]): The properties that may hold such a value."""
    kind = kind_of(value)
    if kind is None:
        return []
    if field in FIELDS:
        return [field] if (kind is float) == (field == "number") and kind is not bool else []
    return [meta_property(field, name) for name in (KINDS[kind], f"{KINDS[kind]}s") if name in kinds.get(field, ())]


def compare(target: Any, op: str, value: Any) -> Any:
    """RETURNS (Any): A comparison in the server's words; "!=" gives the one that must not hold."""
    compare = {
        "==": target.equal,
        "!=": target.equal,
        "in": target.equal,
        "<": target.less_than,
        "<=": target.less_or_equal,
        ">": target.greater_than,
        ">=": target.greater_or_equal,
    }
    return compare[op](value)
