"""Whether a passage lies among labelled rows of the label that it would be refined to.

An error lies where labels meet, and so do the passages nearest to it: many of them are about another label, which a teacher that only
copies cannot mend, and one that writes must write against. So the labelled rows of the error part are asked about every passage: most
of those nearest to it must have the label. ReGen keeps a retrieved text for a like reason, where the queries nearest to it agree on its
label (Yu et al. 2023, Findings of ACL, round-trip filter); here real rows are in the place of queries.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from spacy_synthesizrr.candidates import Seed
from spacy_synthesizrr.embedders.base import Embedder, embed_queries, unit_rows
from spacy_synthesizrr.labelled import LabelledRow
from spacy_synthesizrr.sourcing.passages import blocks
from spacy_synthesizrr.stores.exact import nearest
from spacy_synthesizrr.taskfile import TaskSpec

if TYPE_CHECKING:
    from spacy_synthesizrr.stores.base import Store

NEIGHBOURS = 9  # by default
HITS, PASSAGES = 65_536, 1024  # looked at at a time
NOBODY = -1


class Neighbours:
    """Labelled rows that are asked about passages. What is nearest to a passage is found once for all rounds.

    rows (Sequence[Tuple[str, Tuple[str, ...]]]): Text and labels of each, no two alike.
    labels (Sequence[str]): Of the task.
    most (int): Rows that are asked about a passage.
    """

    def __init__(self, rows: Sequence[tuple[str, tuple[str, ...]]], labels: Sequence[str], most: int) -> None:
        self.rows, self.most = tuple(rows), most
        self._index = {row: place for place, row in enumerate(self.rows)}
        self._labels = {label: place for place, label in enumerate(labels)}
        self._has = np.array([[label in own for label in labels] for _, own in self.rows], dtype=bool)
        self._vectors: dict[str, np.ndarray] = {}
        self._near: dict[tuple[str, bytes], np.ndarray] = {}

    @classmethod
    def of(cls, rows: Iterable[LabelledRow], task: TaskSpec, most: int | None) -> Neighbours | None:
        """RETURNS (Neighbours | None): None where nobody is to be asked, or rows of one label do not lie near one another: in pair tasks
        the label is in what lies between two texts.
        """
        if not most or len(task.fields) > 1:
            return None
        known = list(dict.fromkeys((row.fields[task.generated.name], row.labels) for row in rows))
        return cls(known, [*task.labels], most) if known else None

    def agree(self, passages: np.ndarray, asking: np.ndarray, seeds: Sequence[Seed], store: Store, *, generated: str) -> np.ndarray:
        """Ask about hits.

        passages (np.ndarray): The id of each hit's passage, as bytes; shape (hits,).
        asking (np.ndarray): For each hit the index of the seed whose labels the passage would get; shape (hits,).
        store (Store): With an embedder that makes vectors.
        generated (str): Name of the generated field.
        RETURNS (np.ndarray): For each hit whether most of the rows nearest to the passage, the seed itself apart, have a label, for each
            label of the seed; bool. As many are asked as have the label, an odd number of them and `most` at most. True where nobody
            can be asked: no other row has the label, or the passage has no vector.
        """
        self._find(np.unique(passages), store)
        own = np.array([self._index.get((seed.fields[generated], seed.labels), NOBODY) for seed in seeds], dtype=np.int64)
        wanted = np.array([[label in seed.labels for label in self._labels] for seed in seeds], dtype=bool).reshape(len(seeds), -1)
        voting = self._has & np.any(self._vectors[store.embedder.id] != 0, axis=1, keepdims=True)
        agreed = np.ones(len(passages), dtype=bool)
        for some in blocks(np.arange(len(passages)), HITS):
            near = np.stack([self._near[store.embedder.id, name] for name in passages[some].tolist()])
            agreed[some] = self._judge(near, own[asking[some]], wanted[asking[some]], voting)
        return agreed

    def _judge(self, near: np.ndarray, own: np.ndarray, wanted: np.ndarray, voting: np.ndarray) -> np.ndarray:
        """near (np.ndarray): Rows nearest to the passage of each hit, then NOBODY. own (np.ndarray): The row that asks, or NOBODY.
        wanted (np.ndarray): Whether a label would be given; shape (hits, labels). voting (np.ndarray): Whether a row speaks for a label.
        """
        blind = near[:, 0] == NOBODY
        last = np.argsort(near == own[:, None], axis=1, kind="stable")  # the seed itself to the end, the others in their order
        near = np.take_along_axis(near, last, axis=1)[:, : self.most]
        others: np.ndarray = voting.sum(axis=0) - (voting[own] & (own != NOBODY)[:, None])
        asked = np.minimum(self.most, others - (others % 2 == 0))
        agreed = np.ones(len(near), dtype=bool)
        for place in np.flatnonzero(wanted.any(axis=0)):
            votes = voting[near, place] & (near != NOBODY) & (np.arange(near.shape[1]) < asked[:, place, None])
            agreed &= ~wanted[:, place] | (others[:, place] < 1) | (2 * votes.sum(axis=1) > asked[:, place])
        return agreed | blind

    def _find(self, ids: np.ndarray, store: Store) -> None:
        """Find the rows nearest to passages, one more than are asked: the seed may be among them."""
        embedder = store.embedder
        vectors = self._embedded(embedder)
        empty = np.flatnonzero(~vectors.any(axis=1))  # texts without a known word are near to nothing
        new = np.array([name for name in ids.tolist() if (embedder.id, name) not in self._near], dtype=ids.dtype)
        for block in blocks(new, PASSAGES):
            passages = unit_rows(store.vectors([name.decode() for name in block.tolist()]))
            found = nearest(vectors, passages, self.most + 1, banned=empty)
            for name, passage, (rows, _) in zip(block.tolist(), passages, found, strict=True):
                near = np.full(self.most + 1, NOBODY, dtype=np.int32)
                if passage.any():
                    near[: len(rows)] = rows
                self._near[embedder.id, name] = near

    def _embedded(self, embedder: Embedder) -> np.ndarray:
        if embedder.id not in self._vectors:
            self._vectors[embedder.id] = unit_rows(embed_queries(embedder, [text for text, _ in self.rows]))
        return self._vectors[embedder.id]
