"""Which earlier text shares most word shingles with this one: exact Jaccard similarity, found by a prefix filter, row by row.

The Jaccard similarity of two sets is the size of their intersection over that of their union. Two sets of sizes a and b can
reach a threshold t only when they share at least ⌈t · max(a, b)⌉ members. So, when the members of all sets are put in one fixed
order, they share a member among the first a − ⌈t · a⌉ + 1 of the one and the first b − ⌈t · b⌉ + 1 of the other (the prefix
filter: Chaudhuri, Ganti and Kaushik 2006, "A primitive operator for similarity joins in data cleaning"). Only those few are
indexed. Where the first shared member stands in both says how many they can share at most (the positional filter: Xiao et al.
2008, "Efficient similarity joins for near duplicate detection"); what is left is compared whole. Nothing is missed and
nothing is guessed, unlike with MinHash.

The order puts shingles with many characters first: they are rare, so few texts share one and little has to be compared.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterator
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from spacy_synthesizrr.curation.ngrams import Hashes, combine, word_hashes
from spacy_synthesizrr.words import words

BUFFER = 1 << 14  # index entries that are kept in a dict before they are sorted into arrays
FANOUT = 4  # an array is merged with the one before it unless that is more than so many times larger
LONGEST = 255  # characters of a shingle that count for its place in the order
PLACE_BITS = 16  # of an entry: the place of its key in its set; the row stands above them
MOST_PLACE = (1 << PLACE_BITS) - 1
ROUNDING = 1e-9
Entries: TypeAlias = npt.NDArray[np.int64]
_NONE: Entries = np.empty(0, dtype=np.int64)


class Near(NamedTuple):
    """The row that a text is nearest to: its number in the order of adding, and the Jaccard similarity."""

    row: int
    similarity: float


def shingle_keys(text: str, ngram: int, *, salt: int = 0) -> Hashes:
    """The set of a text's word n-grams as sorted 64-bit keys: 8 bits for its length, long ones first, and 56 bits of its hash.

    Two different shingles of equal length share a key with a chance of 2^−56.

    ngram (int): Words per shingle; a text of fewer words is one shingle.
    salt (int): Texts with different salts have no key in common (but by chance).
    RETURNS (Hashes): Shape (distinct shingles,), ascending.
    """
    tokens = words(text)
    size = min(ngram, len(tokens))
    if size == 0:
        return np.empty(0, dtype=np.uint64)
    hashes = combine(word_hashes(tokens), size)
    # a shingle of two words must not look like one of three: texts shorter than a shingle are whole texts
    hashes = (hashes ^ np.uint64(salt ^ size)) * np.uint64(0x9E3779B97F4A7C15)
    letters = np.fromiter(map(len, tokens), dtype=np.int64, count=len(tokens))
    length = np.minimum(sum(letters[at : len(hashes) + at] for at in range(size)), LONGEST).astype(np.uint64)
    keys = ((np.uint64(LONGEST) - length) << np.uint64(56)) | (hashes >> np.uint64(8))
    keys.sort()
    return keys if len(keys) < 2 else keys[np.concatenate(([True], keys[1:] != keys[:-1]))]


def prefix_length(size: int, threshold: float) -> int:
    """RETURNS (int): How many members of a set of this size must be looked at (the small term keeps 0.7 · 10 from being 8)."""
    return size - math.ceil(threshold * size - ROUNDING) + 1 if size else 0


def early_length(size: int, threshold: float) -> int:
    """RETURNS (int): How many of them may be the first that two sets of this size share, when those reach the threshold."""
    return min(prefix_length(size, threshold), math.floor(size * (1 - threshold) / (1 + threshold) + ROUNDING) + 1) if size else 0


class Postings:
    """Which sets hold a key, and at which place: sorted arrays, and a dict for what came last.

    buffer (int): Entries of the dict.
    """

    def __init__(self, buffer: int) -> None:
        self._buffer = buffer
        self._recent: dict[int, list[int]] = {}
        self._entries = 0
        self._runs: list[tuple[Hashes, Entries]] = []

    @property
    def nbytes(self) -> int:
        """RETURNS (int): Bytes in arrays."""
        return sum(keys.nbytes + entries.nbytes for keys, entries in self._runs)

    def add(self, keys: list[int], row: int, first: int) -> None:
        """keys (List[int]): Of one set, in order. first (int): The place of the first of them."""
        for place, key in enumerate(keys, first):
            self._recent.setdefault(key, []).append(row << PLACE_BITS | min(place, MOST_PLACE))
        self._entries += len(keys)
        if self._entries >= self._buffer:
            self._flush()

    def find(self, prefix: Hashes) -> Iterator[tuple[int, Entries]]:
        """YIELDS (Tuple[int, Entries]): Place of a key in the prefix, and entries of it."""
        for keys, entries in self._runs:
            first = keys.searchsorted(prefix)
            for at in np.flatnonzero(keys[np.minimum(first, len(keys) - 1)] == prefix).tolist():
                yield at, entries[first[at] : keys.searchsorted(prefix[at], side="right")]
        for at, key in enumerate(prefix.tolist()):
            if recent := self._recent.get(key):
                yield at, np.asarray(recent, dtype=np.int64)

    def _flush(self) -> None:
        """Sort the recent entries into an array, and merge arrays of like size, so that there are few of them."""
        counts = [len(entries) for entries in self._recent.values()]
        keys = np.repeat(np.fromiter(self._recent, dtype=np.uint64, count=len(counts)), counts)
        entries = np.fromiter((entry for some in self._recent.values() for entry in some), dtype=np.int64, count=len(keys))
        self._recent, self._entries = {}, 0
        while self._runs and len(self._runs[-1][0]) <= FANOUT * len(keys):
            before = self._runs.pop()
            keys, entries = np.concatenate((before[0], keys)), np.concatenate((before[1], entries))
        order = np.argsort(keys, kind="stable")
        self._runs.append((keys[order], entries[order]))


class NearIndex:
    """Sets of keys, added one by one, each found again by any set that is near it.

    Memory per row: 8 bytes for each key, 16 for each of its prefix, 8 for its place. While arrays are merged, their size again.

    The prefix has an early and a late part. When the first key that two sets share is late in both, they share too little: the rest
    of the shorter set is less than what both need. So the late keys, which are the frequent ones, are never looked up among late ones.

    threshold (float): Least Jaccard similarity of what is found, above 0 and at most 1.
    buffer (int): Entries that are kept in a dict.
    """

    def __init__(self, threshold: float, *, buffer: int = BUFFER) -> None:
        self.threshold = threshold
        self._keys = array("Q")
        self._ends = array("q", [0])
        self._early, self._late = Postings(buffer), Postings(buffer)

    def __len__(self) -> int:
        return len(self._ends) - 1

    @property
    def nbytes(self) -> int:
        """RETURNS (int): Bytes in arrays; the dicts of recent entries come on top."""
        return len(self._keys) * 8 + len(self._ends) * 8 + self._early.nbytes + self._late.nbytes

    def add(self, keys: Hashes) -> int:
        """Add a set.

        keys (Hashes): What `shingle_keys` gave.
        RETURNS (int): The number of its row, from 0.
        """
        row = len(self)
        self._keys.frombytes(keys.tobytes())
        self._ends.append(len(self._keys))
        prefix = keys[: prefix_length(len(keys), self.threshold)].tolist()
        early = early_length(len(keys), self.threshold)
        self._early.add(prefix[:early], row, 0)
        self._late.add(prefix[early:], row, early)
        return row

    def nearest(self, keys: Hashes) -> Near | None:
        """The nearest row; of two that are as near, the earlier.

        RETURNS (Near | None): None when no row reaches the threshold; a text without words is near nothing.
        """
        rows, starts, sizes = self._likely(keys)
        if not len(rows):
            return None
        shared = self._shared(keys, starts, sizes)
        similarity = shared / (len(keys) + sizes - shared)
        best = int(similarity.argmax())  # the first of the largest
        return Near(int(rows[best]), float(similarity[best])) if similarity[best] >= self.threshold - ROUNDING else None

    def _likely(self, keys: Hashes) -> tuple[Entries, Entries, Entries]:
        """The rows that may reach the threshold, ascending, with the place and number of their keys.

        Those of the first key that two sets share say how many they can share at most: it, and what follows it in both.
        """
        found = [*self._early.find(keys[: prefix_length(len(keys), self.threshold)])]
        found += self._late.find(keys[: early_length(len(keys), self.threshold)])
        if not found:
            return _NONE, _NONE, _NONE
        entries = np.concatenate([part for _, part in found])
        ours = np.repeat([at for at, _ in found], [len(part) for _, part in found])
        ends = np.frombuffer(self._ends, dtype=np.int64)
        rows = entries >> PLACE_BITS
        sizes = ends[rows + 1] - ends[rows]
        most = 1 + np.minimum(len(keys) - 1 - ours, sizes - 1 - (entries & MOST_PLACE))
        least = self.threshold / (1 + self.threshold) * (len(keys) + sizes)
        rows = np.unique(rows[most >= least - ROUNDING])  # of a row's entries, that of the first key allows most
        return rows, ends[rows], ends[rows + 1] - ends[rows]

    def _shared(self, keys: Hashes, starts: Entries, sizes: Entries) -> Entries:
        """How many keys each of some rows shares with a set; all rows in one pass."""
        flat = np.frombuffer(self._keys, dtype=np.uint64)
        others = np.concatenate([flat[start : start + size] for start, size in zip(starts.tolist(), sizes.tolist(), strict=True)])
        at = np.minimum(keys.searchsorted(others), len(keys) - 1)
        begins = np.cumsum(sizes) - sizes
        return np.add.reduceat(keys[at] == others, begins, dtype=np.int64)
