"""Rows that say in other words what an earlier row says: near-duplicates by the vectors of the index's embedder.

Every row is compared with every other, in blocks. Memory: 4 bytes for each number of a vector, 1.5 kB a row with 384; time grows
with the square of the rows. Of two near rows the later goes; a row that goes blocks no other. Rows that stay learn who is their
nearest neighbour among those that stay, which tells people where a set is crowded.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from spacy_synthesizrr.candidates import Candidate, digest
from spacy_synthesizrr.curation.near_duplicates import NEIGHBOUR, NEIGHBOUR_SIMILARITY
from spacy_synthesizrr.curation.verdicts import DISABLED, SwitchedOff, Verdict
from spacy_synthesizrr.embedders.base import ROUNDING, unit_rows
from spacy_synthesizrr.embedders.none import embeds
from spacy_synthesizrr.errors import ConfigError
from spacy_synthesizrr.set_filters.running import Rows, SetBinder, SetInputs
from spacy_synthesizrr.stores.passages import batched
from spacy_synthesizrr.words import comparable

if TYPE_CHECKING:
    from spacy_synthesizrr.embedders.base import Embedder

SAME_MEANING = "same_meaning"
BLOCK = 512
Vectors = npt.NDArray[np.float32]
Numbers = npt.NDArray[np.int64]
NOBODY = -1
SLACK = 8 * ROUNDING  # equal vectors have a cosine of nearly 1


@dataclass
class EmbeddingDuplicates:
    """The filter of one arm.

    embedder (Embedder): Of the index.
    generated (str), carried (Sequence[str]): The task's fields; only rows that agree in all carried ones are compared.
    threshold (float): Cosine from which on two rows say the same.
    neighbours (bool): Whether rows that stay are told their nearest neighbour.
    """

    embedder: Embedder
    generated: str
    carried: Sequence[str]
    threshold: float
    neighbours: bool
    counts: dict[str, int] = field(default_factory=dict)

    def __call__(self, rows: Rows) -> Iterator[Verdict]:
        """See `SetFilter`."""
        ids, vectors, groups = self._read(rows)
        nearest, similarity, kept = sort_out(vectors, groups, self.threshold)
        if self.neighbours:
            who, how = neighbours(vectors, groups, kept)
            nearest[kept], similarity[kept] = who[kept], how[kept]
        self.counts = {"rows": len(ids), "gone": int((~kept).sum())}
        for row, stays in enumerate(kept):
            score, other = round(float(similarity[row]), 4), int(nearest[row])
            detail = {NEIGHBOUR: ids[other], NEIGHBOUR_SIMILARITY: score} if other != NOBODY else {}
            yield Verdict(True, detail=detail if self.neighbours else {}) if stays else Verdict(False, SAME_MEANING, score, detail)

    def told(self) -> dict[str, Any]:
        """RETURNS (dict): Counts, threshold and embedder."""
        return {**self.counts, "threshold": self.threshold, "embedder": self.embedder.id}

    def _read(self, rows: Rows) -> tuple[list[str], Vectors, Numbers]:
        """Ids, unit vectors, and a number for each different set of carried fields."""
        ids, parts, groups, known = list[str](), list[Vectors](), list[int](), dict[str, int]()
        for block in batched(rows, BLOCK):
            ids += [row.id for row in block]
            parts.append(unit_rows(self.embedder.embed([row.fields[self.generated] for row in block])))
            groups += [known.setdefault(self._carried(row), len(known)) for row in block]
        vectors = np.concatenate(parts) if parts else np.empty((0, 1), dtype=np.float32)
        return ids, vectors, np.asarray(groups, dtype=np.int64)

    def _carried(self, row: Candidate) -> str:
        return digest(*(comparable(row.fields.get(name, "")) for name in self.carried))


def _similarities(vectors: Vectors, groups: Numbers, rows: slice, others: slice) -> Vectors:
    """Cosines of some rows with others; those of another group, and a row's own, are −1."""
    found: Vectors = vectors[rows] @ vectors[others].T
    found[groups[rows, None] != groups[None, others]] = -1.0
    own = np.arange(rows.start, rows.stop)[:, None] == np.arange(others.start, others.stop)[None, :]
    found[own] = -1.0
    return found


def _slices(count: int) -> Iterator[slice]:
    for start in range(0, count, BLOCK):
        yield slice(start, min(start + BLOCK, count))


def sort_out(vectors: Vectors, groups: Numbers, threshold: float) -> tuple[Numbers, Vectors, npt.NDArray[np.bool_]]:
    """Decide row by row, in their order, whether an earlier row that stays is as near as the threshold.

    vectors (Vectors): Unit vectors, shape (rows, dimensions). groups (Numbers): Rows of different groups are not compared.
    RETURNS (Tuple): For each row its nearest earlier row that stays (−1 for none), how near that is, and whether the row stays.
    """
    nearest, similarity = np.full(len(vectors), NOBODY), np.full(len(vectors), -1.0, dtype=np.float32)
    kept = np.ones(len(vectors), dtype=bool)
    for rows in _slices(len(vectors)):
        for others in _slices(rows.start):
            found = _similarities(vectors, groups, rows, others)
            found[:, ~kept[others]] = -1.0
            _take_best(nearest[rows], similarity[rows], found, others.start)
        inside = _similarities(vectors, groups, rows, rows)
        for at in range(rows.stop - rows.start):
            row = rows.start + at
            if at:
                line = np.where(kept[rows.start : row], inside[at, :at], -1.0)
                _take_best(nearest[row : row + 1], similarity[row : row + 1], line[None], rows.start)
            kept[row] = similarity[row] < threshold - SLACK
    return nearest, similarity, kept


def neighbours(vectors: Vectors, groups: Numbers, kept: npt.NDArray[np.bool_]) -> tuple[Numbers, Vectors]:
    """RETURNS (Tuple): For each row its nearest other one that stays (−1 for none), and how near it is."""
    nearest, similarity = np.full(len(vectors), NOBODY), np.full(len(vectors), -1.0, dtype=np.float32)
    for rows in _slices(len(vectors)):
        for others in _slices(len(vectors)):
            found = _similarities(vectors, groups, rows, others)
            found[:, ~kept[others]] = -1.0
            _take_best(nearest[rows], similarity[rows], found, others.start)
    return nearest, similarity


def _take_best(nearest: Numbers, similarity: Vectors, found: Vectors, start: int) -> None:
    """Take what is nearer than before; of equals the earlier stays."""
    best = found.argmax(axis=1)
    score = found[np.arange(len(found)), best]
    better = score > similarity
    nearest[better], similarity[better] = best[better] + start, score[better]


def make_embedding_duplicate(threshold: float = 0.95, neighbours: bool = True, enabled: bool = True) -> SetBinder:
    """Take rows away that are as near to an earlier one as the threshold (reason "same_meaning"; score: the cosine).

    threshold (float): Cosine of the index's embedder. Each embedder has its own: look at some rows before you trust one.
    neighbours (bool): Whether rows that stay get "neighbour" and "neighbour_similarity" in an event, as people who review them see.
    enabled (bool): False switches the filter off.
    RETURNS (SetBinder): See set_filters/running.py.
    RAISES (ConfigError): For a threshold out of range.
    """
    if not -1 < threshold <= 1:
        raise ConfigError(f"EmbeddingDuplicate: threshold must lie above -1 and not above 1 (was: {threshold}).")

    def bind(inputs: SetInputs) -> EmbeddingDuplicates | SwitchedOff:
        if not enabled:
            return DISABLED
        embedder = inputs.lookup.store.embedder
        if not embeds(embedder):
            return SwitchedOff("the index has no vectors")
        task = inputs.task
        return EmbeddingDuplicates(embedder, task.generated.name, [spec.name for spec in task.carried], threshold, neighbours)

    return SetBinder(bind)
