"""Whether a passage lies among labelled rows of the label that it would be refined to.

An error lies where labels meet, and so do the passages nearest to it: many of them are about another label, which a teacher that only
copies cannot mend, and one that writes must write against. So the labelled rows of the error part are asked about every passage: most
of those nearest to it must have the label. ReGen keeps a retrieved text for a like reason, where the queries nearest to it agree on its
label (Yu et al. 2023, Findings of ACL, round-trip filter); here real rows are in the place of queries.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from spacy_synthesizrr.candidates import Seed
from spacy_synthesizrr.embedders.base import Embedder, embed_queries, unit_rows
from spacy_synthesizrr.labelled import LabelledRow
from spacy_synthesizrr.sourcing.passages import blocks
from spacy_synthesizrr.taskfile import TaskSpec

if TYPE_CHECKING:
    from spacy_synthesizrr.stores.base import Store

BLOCK = 512  # passages whose similarities to all rows are held at a time
NOBODY = -1


@dataclass(frozen=True)
class Neighbours:
    """Labelled rows that are asked about passages.

    texts (Tuple[str, ...]), labels (Tuple[Tuple[str, ...], ...]): Of each row; no two rows have both in common.
    most (int): Rows that are asked about a passage.
    vectors (Dict[str, ndarray]): By embedder those of the rows, once they were needed.
    """

    texts: tuple[str, ...]
    labels: tuple[tuple[str, ...], ...]
    most: int
    vectors: dict[str, np.ndarray] = field(default_factory=dict, compare=False, repr=False)

    @classmethod
    def of(cls, rows: Iterable[LabelledRow], task: TaskSpec, most: int | None) -> Neighbours | None:
        """RETURNS (Neighbours | None): None where nobody is to be asked, or rows of one label do not lie near one another: in pair tasks
        the label is in what lies between two texts.
        """
        if not most or len(task.fields) > 1:
            return None
        known = list(dict.fromkeys((row.fields[task.generated.name], row.labels) for row in rows))
        return cls(tuple(text for text, _ in known), tuple(labels for _, labels in known), most) if known else None

    def agree(self, passages: np.ndarray, asking: np.ndarray, seeds: Sequence[Seed], store: Store, *, generated: str) -> np.ndarray:
        """Ask about hits.

        passages (np.ndarray): The id of each hit's passage, as bytes; shape (hits,).
        asking (np.ndarray): For each hit the index of the seed whose label the passage would get; shape (hits,).
        generated (str): Name of the generated field.
        RETURNS (np.ndarray): For each hit whether most of the rows nearest to the passage, the seed itself apart, have all labels of the
            seed; bool. Where a label has few other rows, so few are asked that these could be most of them; where it has none, nobody is.
        """
        ids, place = np.unique(passages, return_inverse=True)
        near = self._nearest(ids, store)[place]
        own = np.array([self._index.get((seed.fields[generated], seed.labels), NOBODY) for seed in seeds])[asking]
        last = np.argsort(near == own[:, None], axis=1, kind="stable")  # the seed itself to the end, the others in their order
        near = np.take_along_axis(near, last, axis=1)[:, : self.most]
        having = np.array([[set(seed.labels) <= set(labels) for seed in seeds] for labels in self.labels]).reshape(len(self.labels), -1)
        others = having.sum(axis=0)[asking] - ((own != NOBODY) & having[own, asking])
        asked = np.minimum(np.minimum(self.most, 2 * others - 1), len(self.labels) - (own != NOBODY))
        votes = having[near, asking[:, None]] & (np.arange(near.shape[1]) < asked[:, None])
        return (others < 1) | (2 * votes.sum(axis=1) > asked)

    def _vectors(self, embedder: Embedder) -> np.ndarray:
        if embedder.id not in self.vectors:
            self.vectors[embedder.id] = unit_rows(embed_queries(embedder, self.texts))
        return self.vectors[embedder.id]

    @property
    def _index(self) -> dict[tuple[str, tuple[str, ...]], int]:
        return {key: place for place, key in enumerate(zip(self.texts, self.labels, strict=True))}

    def _nearest(self, ids: np.ndarray, store: Store) -> np.ndarray:
        """RETURNS (np.ndarray): For each passage the indexes of the nearest rows, one more than are asked where there are as many; of
        equally near ones the first.
        """
        rows = self._vectors(store.embedder)
        found = []
        for block in blocks(ids, BLOCK):
            far = -(unit_rows(store.vectors([name.decode() for name in block])) @ rows.T)
            found.append(np.argsort(far, axis=1, kind="stable")[:, : self.most + 1])
        return np.concatenate(found) if found else np.zeros((0, min(self.most + 1, len(rows))), dtype=np.int64)
