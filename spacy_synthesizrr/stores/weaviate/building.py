"""Building an index: what to keep of a collection that is there, in what order to write, and when it counts as whole."""

from __future__ import annotations

from spacy_synthesizrr.candidates import digest
from spacy_synthesizrr.embedders.base import Embedder
from spacy_synthesizrr.errors import StoreError
from spacy_synthesizrr.stores.base import describe
from spacy_synthesizrr.stores.passages import PassageFile, PassageWriter
from spacy_synthesizrr.stores.weaviate.home import Home
from spacy_synthesizrr.stores.weaviate.schema import FORMAT, Kinds, State
from spacy_synthesizrr.stores.weaviate.table import Table
from spacy_synthesizrr.stores.weaviate.tuning import follow, refuse_other_words
from spacy_synthesizrr.stores.weaviate.vectorizer import SAME, WeaviateVectorizer, bound, changed_model, module_of
from spacy_synthesizrr.stores.weaviate.writing import Filling, tail, wait_until_indexed

TRIED = 10  # stored passages that are embedded again, to see whether a model is still the same


def content_key(counted: PassageWriter, embedder: Embedder, seed: int) -> str:
    """RETURNS (str): Of an index with these passages; what its `State.key` will be."""
    return digest(str(FORMAT), counted.fingerprint, embedder.recipe, str(seed))


def build(table: Table, home: Home, counted: PassageWriter, file: PassageFile, kinds: Kinds, embedder: Embedder, *, seed: int) -> bool:
    """Bring a collection to hold just the passages of a file.

    The description says that it is not whole before anything in it changes, and that it is after all is checked: whoever
    finds it in between knows that it was interrupted, and goes on.

    counted (PassageWriter): What was counted when the file was written. kinds (Kinds): Of the metadata.
    embedder (Embedder): Not fitted.
    RETURNS (bool): Whether anything was sent to the server.
    """
    embedder = bound(embedder, table.place)
    table.admit(embedder)
    refuse_other_words(table)
    key, before = content_key(counted, embedder, seed), table.state()
    if before is not None and _holds(before, key) and home.about().get("key") == key:
        follow(table)
        return False
    fitted = bound(home.fitted(embedder, file, key, seed=seed), table.place)
    module = module_of(fitted)
    state = State(
        key,
        describe(fitted),
        counted.count,
        counted.fingerprint,
        counted.equal_ids,
        counted.equal_texts,
        tail=tail(table, embedded_there=module is not None),
        kinds=_both(before, kinds),
        module="" if module is None else module.module,
    )  # fmt: skip
    if before is not None and before.embedder == state.embedder and isinstance(fitted, WeaviateVectorizer):
        check_model(table, fitted)
    if before is not None and not _can_stay(table, home, before, state, brought=getattr(embedder, "brought", False)):
        table.drop()
        before, state = None, state.but(kinds=kinds)
    if before is not None and _holds(before, key):
        follow(table)
        return False  # whole, but built from another folder
    if before is None or before.key != key:
        home.clear_notes()
    if before is None:
        table.create(state, fitted)
        follow(table)  # tenants share what the first of them made
    else:
        follow(table)
        table.add_kinds(kinds)
        table.write_state(state)
    interrupted = 0 if before is None or before.complete else before.tail
    written = Filling(table, file, fitted if module is None else None, kinds).fill(interrupted)
    wait_until_indexed(table)
    after = table.state()
    if after is None or after.key != key:
        raise StoreError(f"Somebody else changed {table.where} while it was being built. Run the step 'index' again.")
    table.write_state(state.but(complete=True))
    return written > 0


def _can_stay(table: Table, home: Home, before: State, state: State, *, brought: bool) -> bool:
    """Say whether what is there is a part of what shall be.

    brought (bool): Whether the corpus brings the vectors.
    RAISES (StoreError): When it is another one's, and not ours to throw away.
    """
    if brought and before.key != state.key:
        return False  # a passage that is there may have brought another vector now, and nothing there says so
    if before.embedder != state.embedder:
        _refuse_another_fit(table, home, before, state)
        return False
    # made for a module that embeds, or for vectors that are sent: this cannot be changed, and matters when something is written
    return before.module == state.module or _holds(before, state.key)


def check_model(table: Table, fitted: WeaviateVectorizer) -> None:
    """Compare what a module gives now with what lies there.

    RAISES (StoreError): When the model behind it has changed: then new passages would not fit to the old ones.
    """
    some = [stored for stored in table.by_rows(range(TRIED), with_vectors=True).values() if stored.vector is not None]
    if some:
        now = fitted.embed([stored.passage.text for stored in some])
        if min(float(stored.vector @ row) for stored, row in zip(some, now, strict=True)) < SAME:
            raise StoreError(changed_model(fitted.module.module, table.where))


def _both(before: State | None, kinds: Kinds) -> Kinds:
    """Properties of metadata are added and never taken away."""
    old = {} if before is None else before.kinds
    return {key: tuple(sorted({*old.get(key, ()), *kinds.get(key, ())})) for key in {**old, **kinds}}


def _holds(state: State, key: str) -> bool:
    return state.complete and state.key == key and not state.deleted


def _refuse_another_fit(table: Table, home: Home, before: State, state: State) -> None:
    """The same passages with the same recipe, and yet another embedder: not ours to throw away."""
    if before.complete and before.key == state.key:
        raise StoreError(
            f"{table.where} holds these passages with the embedder {before.embedder['id']}; fitted here it is {state.embedder['id']}: "
            f"another machine computes a little differently. Copy the folder {home.folder} from where the collection was built, use a "
            "pretrained embedder, which is the same everywhere, or delete the collection."
        )
