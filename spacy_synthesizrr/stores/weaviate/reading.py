"""Searching a collection that somebody else made: the same rankings, with object ids for keys."""

from __future__ import annotations

import functools
from collections.abc import Callable, Hashable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from spacy_synthesizrr.candidates import Passage
from spacy_synthesizrr.errors import StoreError
from spacy_synthesizrr.stores.asking import Condition, Search, document_of
from spacy_synthesizrr.stores.exact import DECIMALS
from spacy_synthesizrr.stores.ranking import Ranking, find
from spacy_synthesizrr.stores.searching import by_keyword, joined
from spacy_synthesizrr.stores.weaviate.finding import LIMIT, MORE_WORDS, SPARE, compare, cosine, is_nowhere, nearest, tied
from spacy_synthesizrr.stores.weaviate.mapping import Layout, to_date
from spacy_synthesizrr.stores.weaviate.objects import Objects
from spacy_synthesizrr.stores.weaviate.picking import repeated

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from spacy_synthesizrr.stores.weaviate.finding import Near

NOTHING = Ranking(np.zeros(0, dtype="U36"), np.zeros(0))


class CollectionFinder:
    """Answers one call of `search`.

    objects (Objects): Of the collection, or of one tenant. layout (Layout): What their properties mean.
    where (Any): A filter in the server's words, or None. exclude (FrozenSet[str]): Ids of passages that may not be found.
    most (int): Passages there are.
    """

    def __init__(self, objects: Objects, layout: Layout, where: Any, exclude: frozenset[str], most: int) -> None:
        self.objects, self.layout, self.where, self.exclude, self.most = objects, layout, where, exclude, most
        self.seen: dict[str, Passage] = {}  # by the id of the object
        self._objects_of: dict[str, str] = {}
        self._vectors: dict[str, Any] = {}

    def find(self, texts: Sequence[str], vectors: Sequence[Near] | None, k: int, how: Search) -> list[Ranking]:
        """RETURNS (List[Ranking]): The k best passages of each query; keys are ids of objects, which `seen` knows."""
        diverse = how.diversity is not None

        def rank(which: Sequence[int], depth: int) -> list[Ranking]:
            near = [] if vectors is None else [functools.partial(self._by_vector, vectors[index], depth, diverse) for index in which]
            words = [functools.partial(self._by_words, texts[index], depth, diverse) for index in which] if by_keyword(how) else []
            found = self.objects.together(lambda ask: ask(), near + words)  # both halves at a time
            return joined(how, found[: len(near)], found[len(near) :])

        return find(len(texts), k, how, most=self.most, rank=rank, documents=self._documents, vectors=self._vectors_of)

    def _by_vector(self, near: Near, depth: int, bring: bool) -> Ranking:
        if is_nowhere(near):
            return NOTHING
        from weaviate.classes.query import MetadataQuery

        asked = MetadataQuery(distance=True)
        ask = functools.partial(nearest(self.objects, near), target_vector=self.layout.vector, return_metadata=asked)
        return self._ranked(ask, depth, bring, cosine)

    def _by_words(self, text: str, depth: int, bring: bool) -> Ranking:
        if not text.strip():
            return NOTHING
        from weaviate.classes.query import MetadataQuery

        asked, query = MetadataQuery(score=True), self.objects.collection.query
        worded = functools.partial(query.bm25, text, query_properties=[self.layout.mapped.text_property], return_metadata=asked)
        return self._ranked(worded, depth, bring, lambda found: float(found.metadata.score), MORE_WORDS)

    def _ranked(self, ask: Callable[..., Any], depth: int, bring: bool, score: Callable[[Any], float], spare: int = SPARE) -> Ranking:
        """Ask for more until enough are left of those that may be found, and all that equal the last of them are there."""
        limit, names = min(depth + spare, max(1, self.most)), self.layout.mapped.properties()
        while True:
            asked = min(limit, max(depth, LIMIT))
            with self.objects.speaking("searching"):
                found = ask(limit=asked, filters=self.where, include_vector=self.layout.asked(bring), return_properties=names).objects
            pairs = [(self._note(each), score(each)) for each in found]
            kept = sorted(((name, value) for name, value in pairs if self.seen[name].id not in self.exclude), key=_best_first)
            enough = len(kept) >= min(depth, self.most)
            if (enough and not (tied(kept, pairs, depth, _value) and asked < LIMIT)) or len(found) < asked or asked >= self.most:
                break
            if asked >= LIMIT:
                raise StoreError(f"{len(self.exclude):,} passages may not be found, and the server gives {LIMIT:,} hits at most.")
            limit = min(2 * limit, self.most, LIMIT)
        keys = np.array([name for name, _ in kept], dtype="U36")
        scores = np.array([round(value, DECIMALS) + 0.0 for _, value in kept], dtype=np.float64)
        order = np.lexsort((keys, -scores))
        return Ranking(keys[order], scores[order]).take(slice(depth))

    def _note(self, found: Any) -> str:
        name = str(found.uuid)
        passage = self.layout.mapped.passage(name, found.properties)
        if self._objects_of.setdefault(passage.id, name) != name:
            raise repeated(self.objects, self.layout, passage.id)
        self.seen[name] = passage
        vector = self.layout.vector_of(found)
        if vector is not None:
            self._vectors[name] = vector
        return name

    def _documents(self, rankings: Sequence[Ranking]) -> list[list[Hashable]]:
        return [[document_of(self.seen[name]) for name in ranking.keys.tolist()] for ranking in rankings]

    def _vectors_of(self, names: NDArray[Any]) -> NDArray[np.float32]:
        return np.array([self._vectors[name] for name in names.tolist()], dtype=np.float32)


def _best_first(pair: tuple[str, float]) -> tuple[float, str]:
    return -pair[1], pair[0]


def _value(pair: tuple[str, float]) -> float:
    return pair[1]


def in_its_words(layout: Layout, conditions: Sequence[Condition]) -> tuple[Any, bool]:
    """Say conditions in the server's words.

    RETURNS (Tuple[Any, bool]): The filter (None: everything passes), and whether nothing passes.
    RAISES (StoreError): When the collection cannot compare exactly.
    """
    from weaviate.classes.query import Filter as By

    parts = []
    for condition in conditions:
        name = layout.check(condition)
        if name is None:
            if condition.op != "!=":
                return None, True
            continue
        found = [compare(By.by_property(name), condition.op, _comparable(layout, name, value)) for value in condition.values]
        parts.append(By.not_(By.any_of(found)) if condition.op == "!=" else By.any_of(found))
    return (By.all_of(parts) if parts else None), False


def _comparable(layout: Layout, name: str, value: Any) -> Any:
    kind = layout.properties[name].data_type.value
    if kind.startswith("date"):
        return to_date(value)
    if kind.startswith("number"):
        return float(value)
    return value
