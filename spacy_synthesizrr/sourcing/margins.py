"""How much more a passage resembles its own label's seeds than another label's.

margin of a passage for a label = mean similarity to the label's nearest seeds − the largest such mean of any other label.
Neither SynthesizRR nor S3 has it; it needs nothing but the vectors that are there.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spacy_synthesizrr.sourcing.seeds import SeedSet


@dataclass(frozen=True)
class Closeness:
    """Mean similarity of passages to the nearest seeds of each label set.

    vectors (np.ndarray): Unit vectors of the seeds, shape (seeds, dimensions).
    members (Tuple[Tuple[int, ...], ...]): For each label set the indexes of its seeds.
    nearest (int): How many of them are averaged.
    """

    vectors: np.ndarray
    members: tuple[tuple[int, ...], ...]
    nearest: int

    @classmethod
    def make(cls, vectors: np.ndarray, seed_set: SeedSet, *, nearest: int) -> Closeness:
        """Average over as many seeds in every label set, so that a set with few seeds has no advantage.

        nearest (int): Most seeds to average; fewer where the smallest label set has fewer.
        """
        return cls(vectors, seed_set.members, min(nearest, *map(len, seed_set.members)))

    @property
    def columns(self) -> int:
        """RETURNS (int): Number of label sets."""
        return len(self.members)

    def of(self, passages: np.ndarray) -> np.ndarray:
        """passages (np.ndarray): Unit vectors, shape (n, dimensions).
        RETURNS (np.ndarray): float32, shape (n, label sets).
        """
        similarity = passages @ self.vectors.T
        found = np.empty((len(passages), self.columns), dtype=np.float32)
        for column, members in enumerate(self.members):
            own = similarity[:, list(members)]
            top = np.partition(own, own.shape[1] - self.nearest, axis=1)[:, -self.nearest :]
            found[:, column] = top.mean(axis=1)
        return found


def margins(closeness: np.ndarray, passage: np.ndarray, group: np.ndarray, seed_set: SeedSet) -> np.ndarray:
    """The margin of each hit for the label set of its seed.

    closeness (np.ndarray): Shape (passages, label sets).
    passage (np.ndarray), group (np.ndarray): For each hit the index of its passage and of its label set.
    RETURNS (np.ndarray): float32, shape (hits,); NaN where no other label set could be meant (one label only, or every
        other set shares a label with this one) or the passage was not read.
    """
    found = np.full(len(passage), np.nan, dtype=np.float32)
    for own, rivals in enumerate(seed_set.rivals):
        mine = group == own
        if rivals and mine.any():
            rows = closeness[passage[mine]]
            found[mine] = rows[:, own] - rows[:, list(rivals)].max(axis=1)
    return found


def best_share(margin: np.ndarray, passage: np.ndarray, group: np.ndarray, eligible: np.ndarray, *, keep: float) -> np.ndarray:
    """Which hits belong to the best share of their label set's passages, largest margins first.

    eligible (np.ndarray): Hits that are still in, bool; the share is taken of their passages.
    keep (float): Share to keep, rounded up.
    RETURNS (np.ndarray): bool, shape (hits,); hits without a margin are always in.
    """
    stays = np.isnan(margin) | ~eligible
    for own in np.unique(group[eligible]):
        mine = np.flatnonzero(eligible & (group == own) & ~np.isnan(margin))
        rows, first = np.unique(passage[mine], return_index=True)
        order = np.lexsort((rows, -margin[mine[first]]))
        best = rows[order[: int(np.ceil(keep * len(rows)))]]
        stays[mine] = np.isin(passage[mine], best)
    return stays
