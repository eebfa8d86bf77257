"""`synthesizrr_retriever`: finds passages for each Doc and plans candidates from them.

A spaCy pipeline imports this module whenever a pipeline is built, so nothing heavy is imported at its top.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Dict, Iterable, List, Tuple

from spacy.language import Language
from spacy.pipeline.pipe import Pipe
from spacy.tokens import Doc
from spacy.util import minibatch

from spacy_synthesizrr.candidates import Candidate, Seed
from spacy_synthesizrr.errors import ConfigError, PlanError, StoreError, choices
from spacy_synthesizrr.extensions import MAX_PLANNED, PASSAGES, PLANNED, register_extensions
from spacy_synthesizrr.stores.asking import BY_VECTOR, Filter, Search, read_search

if TYPE_CHECKING:
    from spacy_synthesizrr.stores.base import Store

STRATEGY = "retriever"
GOLD = 0.5  # from this score on a category of a Doc counts as its label
STORE_METHODS = ("search", "get")


class Retriever(Pipe):
    """Puts passages and planned candidates on Docs.

    name (str): Name of the component.
    store (Store): What is searched, with the Doc's text as the query. Without one the passages that a Doc has already
        are used, and a Doc without any gets candidates without a passage (for FewGen).
    k (int): Passages per Doc, and candidates per label.
    labels (Sequence[str]): Labels of Docs that have no gold category.
    field (str): Name of the text field that the Doc's text stands for.
    how (Search): By what to search.
    filter (Filter): Which passages may be found.
    """

    def __init__(
        self,
        name: str,
        *,
        store: Store | None = None,
        k: int = 4,
        labels: Sequence[str] = (),
        field: str = "text",
        how: Search = BY_VECTOR,
        filter: Filter | None = None,
    ) -> None:
        self.name = name
        self.k, self.field = k, field
        self.how, self.filter = how, filter
        self._labels = tuple(labels)
        self._given = store
        register_extensions()

    @property
    def labels(self) -> Tuple[str, ...]:
        """RETURNS (Tuple[str, ...]): Labels of Docs that have no gold category."""
        return self._labels

    def __reduce__(self) -> Tuple[Any, ...]:
        """RETURNS (tuple): For pickling, all but the opened index; another process opens its own."""
        return _rebuild, (self.name, {key: value for key, value in self.__dict__.items() if key != "store"})

    @functools.cached_property
    def store(self) -> Store | None:
        """The index to search, found when it is first needed.

        RAISES (StoreError): When there is none at the store's place, or more than one.
        """
        return None if self._given is None else _one_index(self._given)

    def __call__(self, doc: Doc) -> Doc:
        """doc (Doc): Gets `doc._.synthesizrr_passages` and `doc._.synthesizrr_planned`; if it has a plan, it stays as it is."""
        self._annotate([doc])
        return doc

    def pipe(self, stream: Iterable[Doc], *, batch_size: int = 64) -> Iterator[Doc]:
        """Annotate a stream of Docs; the store is asked once per batch.

        stream (Iterable[Doc]): Docs.
        batch_size (int): Docs per question to the store.
        YIELDS (Doc): The same Docs in order. A batch that fails goes to the error handler.
        """
        handle: Callable[..., None] = self.get_error_handler()
        for batch in minibatch(stream, batch_size):  # type: ignore[no-untyped-call]
            docs = list(batch)
            try:
                self._annotate(docs)
            except Exception as error:  # spaCy's contract: the handler decides; the default one raises
                handle(self.name, self, docs, error)
            else:
                yield from docs

    def _annotate(self, docs: Sequence[Doc]) -> None:
        docs = [doc for doc in docs if not doc._.get(PLANNED)]
        for doc, passages in zip(docs, self._passages(docs), strict=True):
            doc._.set(PASSAGES, passages)
            doc._.set(PLANNED, self._plan(doc, passages))

    def _passages(self, docs: Sequence[Doc]) -> List[List[Dict[str, Any]]]:
        if self.store is None or not docs:
            return [[dict(passage) for passage in doc._.get(PASSAGES) or ()] for doc in docs]
        from spacy_synthesizrr.stores.base import Query

        hits = self.store.search([Query(doc.text) for doc in docs], self.k, how=self.how, filter=self.filter)
        ids = sorted({hit.passage_id for found in hits for hit in found})
        by_id = {passage.id: passage for passage in self.store.get(ids)}
        return [
            [
                {"id": hit.passage_id, "text": by_id[hit.passage_id].text, "source": by_id[hit.passage_id].source,
                 "similarity": float(hit.similarity), "rank": hit.rank}
                for hit in found
            ]
            for found in hits
        ]  # fmt: skip

    def _plan(self, doc: Doc, passages: Sequence[Mapping[str, Any]]) -> List[Dict[str, Any]]:
        """k candidates per label: one per passage, or one per draw where there is no passage."""
        labels = [label for label, score in doc.cats.items() if score >= GOLD] or list(self._labels)
        if not labels:
            warnings.warn(
                f"{self.name}: a Doc has no label, so nothing is planned for it (text: {doc.text[:40]!r}). "
                f"Set doc.cats, or give labels in [components.{self.name}].",
                stacklevel=2,
            )
        used = list(passages[: self.k])
        if len(labels) * (len(used) or self.k) > MAX_PLANNED:
            raise PlanError(
                f"{self.name}: k = {self.k} candidates for each of {len(labels)} labels are more than the {MAX_PLANNED} "
                f"that a Doc may hold. Set k to {MAX_PLANNED // len(labels)} or less."
            )
        return [planned for label in labels for planned in self._plan_label(doc, label, used)]

    def _plan_label(self, doc: Doc, label: str, passages: Sequence[Mapping[str, Any]]) -> Iterator[Dict[str, Any]]:
        seed = Seed.make([label], {self.field: doc.text}, origin="gold" if label in doc.cats else "description")
        for draw, passage in enumerate(passages or [{}] * self.k):
            candidate = Candidate.plan(
                task=self.name, strategy=STRATEGY, seed=seed, passage_id=passage.get("id"), draw=0 if passage else draw,
                rank=passage.get("rank"), similarity=passage.get("similarity"),
            )  # fmt: skip
            yield {"candidate": candidate.to_dict(), "passage": passage.get("text", ""), "verbalizations": [], "fields": {}, "shots": []}


def _rebuild(name: str, attributes: Dict[str, Any]) -> Retriever:
    made = Retriever(name)
    made.__dict__.update(attributes)
    return made


def _one_index(store: Store) -> Store:
    """The store itself when it holds an index, else the only index in its place: a project keeps each under its key."""
    complete, keys = getattr(store, "complete", None), getattr(store, "keys", None)
    if complete is None or keys is None or complete():
        return store
    found = keys()
    if len(found) > 1:
        valid = choices("", [store.at(key).location for key in found])
        raise StoreError(f"{store.location} holds {len(found)} indexes. Name one of them as the store's path, or its key. {valid}")
    return store.at(found[0]) if found else store  # without any the store says itself what is missing


@Language.factory(
    "synthesizrr_retriever",
    assigns=[f"doc._.{PASSAGES}", f"doc._.{PLANNED}"],
    default_config={"store": None, "k": 4, "labels": [], "field": "text", "search": {}},
)
def make_retriever(nlp: Language, name: str, store: Any | None, k: int, labels: List[str], field: str, search: Dict[str, Any]) -> Retriever:
    """Make the component `synthesizrr_retriever`.

    nlp (Language): The pipeline.
    name (str): Name of the component.
    store (Store): A block such as {"@misc": "synthesizrr.MemoryStore.v1", "path": "index"}; its path is the folder of an
        index, or a folder that holds just one. It is opened with the first Doc.
    k (int): Passages per Doc and candidates per label.
    labels (List[str]): Labels of Docs without gold categories (`doc.cats` from 0.5).
    field (str): Name of the text field that a Doc's text stands for.
    search (Dict[str, Any]): By what to search, such as {"mode": "hybrid", "alpha": 0.7, "where": [["source", "==", "news"]]};
        by vector where nothing is said.
    RETURNS (Retriever): The component.
    RAISES (ConfigError): When k, the store or the search cannot be used.
    """
    if not 1 <= k <= MAX_PLANNED:
        raise ConfigError(f"[components.{name}] k = {k} must lie between 1 and {MAX_PLANNED}.")
    missing = [method for method in STORE_METHODS if store is not None and not callable(getattr(store, method, None))]
    if missing:
        raise ConfigError(
            f"[components.{name}] store = {store!r} is no store: it has no method '{missing[0]}'. "
            'Use a block such as @misc = "synthesizrr.MemoryStore.v1".'
        )
    how, filter = read_search(search)
    return Retriever(name, store=store, k=k, labels=labels, field=field, how=how, filter=filter)
