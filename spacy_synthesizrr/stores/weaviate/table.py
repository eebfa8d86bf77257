"""Where one index lies in Weaviate: a collection of its own, whose description says what it holds."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from spacy_synthesizrr.embedders.base import Embedder
from spacy_synthesizrr.errors import StoreError
from spacy_synthesizrr.stores.passages import refuse_missing
from spacy_synthesizrr.stores.weaviate.faults import faults
from spacy_synthesizrr.stores.weaviate.objects import Objects, Stored
from spacy_synthesizrr.stores.weaviate.schema import Kinds, State, all_properties, column, meta_property, vector_config

if TYPE_CHECKING:
    from weaviate.collections.classes.config import Property


def changed(where: str) -> StoreError:
    """RETURNS (StoreError): What to say to a reader whose index became another one."""
    return StoreError(f"The index {where} was changed while it was read: what was found may be of the old one or the new one. Run again.")


class Table(Objects):
    """The collection of one index."""

    def still(self, state: State) -> None:
        """See whether the index is what it was when somebody began to read it.

        state (State): What it said of itself then.
        RAISES (StoreError): When it is not, or is being written to.
        """
        now = self.state()
        if now is None or not now.complete or now.key != state.key:
            raise changed(self.where)

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

    def require(self, ids: Sequence[str], where: str, *, with_vectors: bool) -> dict[str, Stored]:
        """RETURNS (dict): The passages of ids that must be there, by id.

        where (str): The index, for people.
        RAISES (StoreError): Names the first that is not.
        """
        found = self.by_ids(ids, with_vectors=with_vectors)
        refuse_missing(ids, [name for name in ids if name not in found], where=where)
        return found

    def write_state(self, state: State) -> None:
        """Write what the collection says of itself."""
        self.patiently("describing a collection", lambda: self.collection.config.update(description=state.to_text()))

    def admit(self, embedder: Embedder) -> None:
        """embedder (Embedder): Fitted.
        RAISES (StoreError): When no index of this embedder can lie here.
        """

    def create(self, state: State, embedder: Embedder) -> None:
        """Make the place of an index; another writer may make it at the same time.

        embedder (Embedder): Fitted.
        """
        self._make(state.to_text(), state.kinds, embedder)

    def _make(self, description: str, kinds: Kinds, embedder: Embedder, **more: Any) -> None:
        """Make the collection if there is none."""
        from weaviate.classes.config import Configure, StopwordsPreset

        words, made = self.place.words, self.link.client.collections
        preset = StopwordsPreset.EN if words.stopwords == "en" else StopwordsPreset.NONE

        def make() -> None:
            try:
                made.create(
                    self.name,
                    description=description,
                    properties=list(all_properties(self.place, kinds)),
                    vector_config=vector_config(self.place, getattr(embedder, "module", None)),
                    inverted_index_config=Configure.inverted_index(bm25_b=words.b, bm25_k1=words.k1, stopwords_preset=preset),
                    **more,
                )
            except faults():
                if not made.exists(self.name):
                    self._refuse_similar()
                    raise

        self.patiently("making a collection", make)

    def _refuse_similar(self) -> None:
        similar = [name for name in self.link.client.collections.list_all() if name.lower() == self.name.lower() and name != self.name]
        if similar:
            raise StoreError(
                f"There is a collection {similar[0]} in Weaviate at {self.link.where}, whose name differs from {self.name} by capital "
                "letters alone; the server takes one of the two. Choose another name for this index, or spell it in the same way."
            )

    def drop(self) -> None:
        """Delete the collection with all that is in it."""
        self.patiently("deleting a collection", lambda: self.link.client.collections.delete(self.name))

    def add_kinds(self, kinds: Kinds) -> None:
        """Add the properties of metadata that the collection does not have yet."""
        wanted = {meta_property(key, kind): column(meta_property(key, kind), kind, about=key[:200]) for key in kinds for kind in kinds[key]}
        if wanted:
            for name in sorted(set(wanted) - self._properties()):
                self.patiently("adding a property", functools.partial(self._add, wanted[name]))

    def _add(self, made: Property) -> None:
        try:
            self.collection.config.add_property(made)
        except faults():
            if made.name not in self._properties():  # another writer was faster
                raise

    def _properties(self) -> set[str]:
        return {each.name for each in self.collection.config.get().properties}

    def unindexed(self) -> int:
        """RETURNS (int): Vectors that the server has taken but not indexed yet; 0 where it indexes at once."""
        nodes = self.patiently("asking for its state", lambda: self.link.client.cluster.nodes(collection=self.name, output="verbose"))
        return sum(shard.vector_queue_length for node in nodes for shard in node.shards or ())
