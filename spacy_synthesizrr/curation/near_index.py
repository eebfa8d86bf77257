"""Which earlier text shares most word shingles with this one: exact Jaccard similarity, row by row.

The Jaccard similarity of two sets is the size of their intersection over that of their union. A set of size a reaches a threshold t
with another only when they share at least ⌈t · a⌉ members. So, when a − ⌈t · a⌉ + h members of the set are indexed, no matter which,
at least h of the shared ones are among them (for h = 1 the prefix filter turned to one side: Chaudhuri, Ganti and Kaushik 2006, "A
primitive operator for similarity joins in data cleaning"; for more its overlap form: Wang, Li and Feng 2012, "Can we beat the prefix
filtering?"). The other set is looked up whole, so the two need no common order, and each set may be indexed where nobody else is:
under shingles that are new. Hence a shingle has one owner nearly always, the index is a table of row numbers, one gather of numpy
looks a text up, and a row that comes out h times is compared whole. Nothing is missed and nothing is guessed, unlike with MinHash.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from spacy_synthesizrr.curation.ngrams import Hashes, combine, word_hashes
from spacy_synthesizrr.words import words

SLOTS = 1 << 12  # of an empty table; a power of two
LOAD = 0.25  # share of the slots that may be taken: when fuller, more keys find both their slots taken
HITS = 4  # indexed keys that a row must share with a text (where it has so many) before the two are compared
ROWS_PER_BLOCK = 4096
ROUNDING = 1e-9
Numbers: TypeAlias = npt.NDArray[np.int64]
Owners: TypeAlias = npt.NDArray[np.uint32]
Block: TypeAlias = tuple[Hashes, Numbers, int]
_MIX = np.uint64(0x9E3779B97F4A7C15)  # odd, so that multiplying modulo 2**64 loses nothing


class Near(NamedTuple):
    """The row that a text is nearest to: its number in the order of adding, and the Jaccard similarity."""

    row: int
    similarity: float


def shingle_keys(text: str, ngram: int, *, salt: int = 0) -> Hashes:
    """The set of a text's word n-grams as sorted 64-bit hashes. Two different shingles share one with a chance of 2^−64.

    ngram (int): Words per shingle; a text of fewer words is one shingle.
    salt (int): Texts with different salts have no key in common (but by chance).
    RETURNS (Hashes): Shape (distinct shingles,), ascending.
    """
    tokens = words(text)
    size = min(ngram, len(tokens))
    if size == 0:
        return np.empty(0, dtype=np.uint64)
    keys = combine(word_hashes(tokens), size)
    keys ^= np.uint64(salt ^ size)  # a shingle of two words must not look like one of three: texts shorter than a shingle are whole texts
    keys *= _MIX
    keys.sort()
    again = keys[1:] == keys[:-1]
    return keys[np.concatenate(([True], ~again))] if np.count_nonzero(again) else keys


class NearIndex:
    """Sets of keys, added one by one, each found again by any set that is near it.

    Memory per row: 8 bytes for each key, 8 for its place, and for each key that is indexed 16 to 32 in the table (half as much again
    while the table grows). Time grows with the words of a text, hardly with the rows.

    threshold (float): Least Jaccard similarity of what is found, above 0 and at most 1.
    slots (int): Of the empty table: a power of two.
    """

    def __init__(self, threshold: float, *, slots: int = SLOTS) -> None:
        self.threshold = threshold
        self._keys = array("Q")
        self._ends = array("q", [0])
        self._table = OwnerTable(slots)

    def __len__(self) -> int:
        return len(self._ends) - 1

    @property
    def nbytes(self) -> int:
        """RETURNS (int): Bytes in arrays; the few keys that found no slot come on top."""
        return len(self._keys) * 8 + len(self._ends) * 8 + self._table.nbytes

    def add(self, keys: Hashes) -> int:
        """Add a set.

        keys (Hashes): What `shingle_keys` gave.
        RETURNS (int): The number of its row, from 0.
        """
        row, least = len(self), self._least(len(keys))
        self._table.claim(keys, row, len(keys) - least + min(HITS, least), self._block)
        self._keys.frombytes(keys.tobytes())
        self._ends.append(len(self._keys))
        return row

    def nearest(self, keys: Hashes) -> Near | None:
        """The nearest row; of two that are as near, the earlier.

        RETURNS (Near | None): None when no row reaches the threshold; a text without words is near nothing.
        """
        owners = self._table.owners(keys)
        # a near row is no smaller than `_least` of this set, and shares `_least` of its own keys
        hits = min(HITS, self._least(self._least(len(keys))))
        often = owners[hits - 1 :]
        often = often[often == owners[: len(often)]]  # owners ascend: who is there `hits` times stands again that many places on
        if not len(often) or not often[-1]:
            return None
        rows = np.array(sorted({*often.tolist()} - {0}), dtype=np.int64) - 1
        shared, sizes = self._shared(keys, rows)
        similarity = shared / (len(keys) + sizes - shared)
        best = int(similarity.argmax())  # the first of the largest
        return Near(int(rows[best]), float(similarity[best])) if similarity[best] >= self.threshold - ROUNDING else None

    def _least(self, size: int) -> int:
        """How many members a set of this size must share to reach the threshold (the small term keeps 0.7 · 10 from being 8)."""
        return max(1, math.ceil((self.threshold - ROUNDING) * size)) if size else 0

    def _shared(self, keys: Hashes, rows: Numbers) -> tuple[Numbers, Numbers]:
        """How many keys each of some rows shares with a set, and how many it has; all rows in one pass."""
        flat, ends = np.frombuffer(self._keys, dtype=np.uint64), np.frombuffer(self._ends, dtype=np.int64)
        starts, stops = ends[rows], ends[rows + 1]
        others = np.concatenate([flat[start:stop] for start, stop in zip(starts.tolist(), stops.tolist(), strict=True)])
        sizes = stops - starts
        same = keys.take(keys.searchsorted(others), mode="clip") == others
        return np.add.reduceat(same, np.cumsum(sizes) - sizes, dtype=np.int64), sizes

    def _block(self, first: int) -> Block | None:
        """Some rows' keys, the number of keys of each row, and the row after them; None when there are none."""
        after = min(first + ROWS_PER_BLOCK, len(self))
        if after <= first:
            return None
        ends = np.frombuffer(self._ends, dtype=np.int64)[first : after + 1]
        return np.frombuffer(self._keys, dtype=np.uint64)[ends[0] : ends[-1]], np.diff(ends), after


class OwnerTable:
    """Which rows own a key: slots with row numbers, two for each key, and a dict for keys that found both taken.

    The slots do not say which key they were taken for, so a key may name rows that do not own it; it always names those that do.

    slots (int): To begin with.
    """

    def __init__(self, slots: int) -> None:
        self._slots = np.zeros(slots, dtype=np.uint32)  # the row and 1; 0 when free
        self._mask = np.uint32(slots - 1)
        self._taken = 0
        self._crowded: dict[int, list[int]] = {}

    @property
    def nbytes(self) -> int:
        """RETURNS (int): Bytes of the slots."""
        return self._slots.nbytes

    def owners(self, keys: Hashes) -> Owners:
        """RETURNS (Owners): Each row and 1, as often as it owns one of the keys or by chance oftener, among zeros; ascending."""
        found = self._slots.take(keys.view(np.uint32) & self._mask)
        if self._crowded and not self._crowded.keys().isdisjoint(several := keys.tolist()):
            more = [owner for key in several for owner in self._crowded.get(key, ())]
            found = np.concatenate((found, np.array(more, dtype=np.uint32)))
        found.sort()
        return found

    def claim(self, keys: Hashes, row: int, count: int, block: Callable[[int], Block | None]) -> None:
        """Note a row as the owner of some of its keys, those first that have a free slot.

        count (int): How many.
        block (Callable): The keys of the rows so far, from a row on, needed when the table grows.
        """
        if self._taken + count > LOAD * len(self._slots):
            self._grow(count, block)
        halves = keys.view(np.uint32) & self._mask
        free = self._slots.take(halves) == 0
        chosen = halves[::2][free[::2]][:count]
        if len(chosen) < count:
            second = halves[1::2][free[1::2] & ~free[::2]][: count - len(chosen)]
            chosen = np.concatenate((chosen, second))
            if len(chosen) < count:
                self._crowd(keys[~(free[::2] | free[1::2])].tolist(), row, count - len(chosen))
        self._slots[chosen] = row + 1
        self._taken += len(chosen)

    def _crowd(self, keys: list[int], row: int, count: int) -> None:
        """Note a row as the owner of keys without a free slot, those first that fewest rows own."""
        for key in sorted(keys, key=lambda key: len(self._crowded.get(key, ())))[:count]:
            self._crowded.setdefault(key, []).append(row + 1)

    def _grow(self, count: int, block: Callable[[int], Block | None]) -> None:
        """Make room for more keys: what a row owns in the old table it owns in the new one."""
        size, old, mask = len(self._slots), self._slots, self._mask
        while self._taken + count > LOAD * size:
            size *= 2
        self._slots, self._mask = np.zeros(size, dtype=np.uint32), np.uint32(size - 1)
        first = 0
        while some := block(first):
            keys, sizes, after = some
            halves, rows = keys.view(np.uint32), np.repeat(np.arange(first + 1, after + 1, dtype=np.uint32), 2 * sizes)
            owned = old.take(halves & mask) == rows
            self._slots[halves[owned] & self._mask] = rows[owned]
            first = after
        self._taken = int(np.count_nonzero(self._slots))
