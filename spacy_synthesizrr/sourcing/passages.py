"""What a plan must know of each passage that was hit, gathered in one pass and kept as arrays.

A passage's text is read once, block by block; what stays is its length, its document, whether it is a leak, and how
close it is to the seeds of each label set.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from spacy_synthesizrr.candidates import Passage
from spacy_synthesizrr.curation.leaks import Leak
from spacy_synthesizrr.progress import progress
from spacy_synthesizrr.sourcing.context import Count
from spacy_synthesizrr.sourcing.gate import Gate
from spacy_synthesizrr.stores.passages import hash_text
from spacy_synthesizrr.words import comparable

if TYPE_CHECKING:
    from spacy_synthesizrr.sourcing.margins import Closeness
    from spacy_synthesizrr.stores.base import Store

BLOCK = 256  # passages per call to the store


@dataclass(frozen=True)
class Facts:
    """Columns with one value per passage id.

    tokens (np.ndarray): Teacher tokens of the whole text, int32.
    document (np.ndarray): Hash of source and document, uint64.
    text (np.ndarray): Hash of the text as `words.comparable` gives it, uint64: passages that say the same count as one.
    leak (np.ndarray): Whether it equals or nearly equals a dev or test text, bool.
    closeness (np.ndarray): Mean similarity to the nearest seeds of each label set, float32, shape (passages, label sets);
        no columns when it was not asked for.
    leaks (Tuple[Leak, ...]): The leaks, for the list.
    """

    tokens: np.ndarray
    document: np.ndarray
    text: np.ndarray
    leak: np.ndarray
    closeness: np.ndarray
    leaks: tuple[Leak, ...] = ()


def document_hash(passage: Passage) -> int:
    """RETURNS (int): 64 bits that stand for the passage's document."""
    return hash_text(f"{passage.source}\0{passage.document or passage.id}")


def gather_facts(ids: np.ndarray, rows: np.ndarray, store: Store, *, count: Count, closeness: Closeness | None, gate: Gate) -> Facts:
    """Read some passages once.

    ids (np.ndarray): Ids of passages, sorted, as bytes.
    rows (np.ndarray): Indexes of those that matter; no others are read.
    count (Callable): Counts teacher tokens.
    closeness (Closeness): Measures the similarity to each label set's seeds; None leaves it out.
    gate (Gate): Finds leaks.
    """
    size = len(ids)
    columns = 0 if closeness is None else closeness.columns
    facts = Facts(
        np.zeros(size, "i4"), np.zeros(size, "u8"), np.zeros(size, "u8"), np.zeros(size, bool), np.full((size, columns), np.nan, "f4")
    )
    found = []
    for leak in gate.find(_measured(facts, ids, rows, store, count=count, closeness=closeness, vectors=gate.needs_vectors)):
        facts.leak[np.searchsorted(ids, leak.id.encode())] = True
        found.append(leak)
    return replace(facts, leaks=tuple(found))


def _measured(
    facts: Facts, ids: np.ndarray, rows: np.ndarray, store: Store, *, count: Count, closeness: Closeness | None, vectors: bool
) -> Iterator[tuple[Passage, np.ndarray | None]]:
    """Pass the passages on and write down what they measure as they go by."""
    for block in progress(blocks(rows, BLOCK), "Reading passages", total=-(-len(rows) // BLOCK), unit="blocks"):
        names = [ids[row].decode() for row in block]
        passages = store.get(names)
        facts.tokens[block] = [count(passage.text) for passage in passages]
        facts.document[block] = [document_hash(passage) for passage in passages]
        facts.text[block] = [hash_text(comparable(passage.text)) for passage in passages]
        if closeness is None and not vectors:
            yield from ((passage, None) for passage in passages)
            continue
        found = store.vectors(names)
        if closeness is not None:
            facts.closeness[block] = closeness.of(found)
        yield from zip(passages, found, strict=True)


def blocks(rows: np.ndarray, size: int) -> Iterable[np.ndarray]:
    """Cut an array into blocks of at most `size`."""
    return (rows[start : start + size] for start in range(0, len(rows), size))
