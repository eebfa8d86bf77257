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
from spacy_synthesizrr.stores.weaviate.writing import Filling, tail, wait_until_indexed


def build(table: Table, home: Home, counted: PassageWriter, file: PassageFile, kinds: Kinds, embedder: Embedder, *, seed: int) -> bool:
    """Bring a collection to hold just the passages of a file.

    The description says that it is not whole before anything in it changes, and that it is after all is checked: whoever
    finds it in between knows that it was interrupted, and goes on.

    counted (PassageWriter): What was counted when the file was written. kinds (Kinds): Of the metadata.
    embedder (Embedder): Not fitted.
    RETURNS (bool): Whether anything was sent to the server.
    """
    key, before = digest(str(FORMAT), counted.fingerprint, embedder.recipe, str(seed)), table.state()
    if before is not None and _holds(before, key) and home.about().get("key") == key:
        return False
    fitted = home.fitted(embedder, file, key, seed=seed)
    state = State(
        key,
        describe(fitted),
        counted.count,
        counted.fingerprint,
        counted.equal_ids,
        counted.equal_texts,
        tail=tail(table),
        kinds=_both(before, kinds),
    )  # fmt: skip
    if before is not None and before.embedder != state.embedder:
        _refuse_another_fit(table, home, before, state)
        table.drop()
        before, state = None, state.but(kinds=kinds)
    if before is not None and _holds(before, key):
        return False  # whole, but built from another folder
    if before is None or before.key != key:
        home.clear_notes()
    if before is None:
        table.create(state)
    else:
        table.add_kinds(before.kinds, kinds)
        table.write_state(state)
    interrupted = 0 if before is None or before.complete else before.tail
    written = Filling(table, file, fitted, kinds).fill(interrupted)
    wait_until_indexed(table)
    after = table.state()
    if after is None or after.key != key:
        raise StoreError(f"Somebody else changed {table.where} while it was being built. Run the step 'index' again.")
    table.write_state(state.but(complete=True))
    return written > 0


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
