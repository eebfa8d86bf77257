"""Self-BLEU: how much each text of a set is like the others, n-gram by n-gram.

Zhu et al. 2018 (Texygen, arXiv 1802.01886, section 3.2), as SynthesizRR computes it (Divekar and Durrett 2024, arXiv 2405.10040):
for each text, the sentence BLEU (Papineni et al. 2002) with all other texts of the set as its references, smoothed by method 1 of
Chen and Cherry 2014 (a precision of 0 counts as 0.1 matches), weights 1/n over the n-grams of 1 … n tokens; then the plain mean.
With c the tokens of a text, r the length of the other text nearest in length (of two, the shorter):

    BLEU-n = min(1, exp(1 − r/c)) · exp( Σ_{k≤n} 1/n · ln p_k ),   p_k = Σ_g min(count(g), max over others of count(g)) / (c − k + 1)

and 0 where no token is shared. Pairwise that takes time in the square of the texts. But the largest count of an n-gram in any *other*
text is the largest or the second largest count in all texts, and the nearest other length follows from the sorted lengths: so it takes
a few sorts of all n-grams, and gives the same numbers. n-grams are told apart exactly, by number and not by hash.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
import numpy.typing as npt

Integers = npt.NDArray[np.int64]
Short = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float64]

LONGEST = 5
BLOCK = 2**17  # n-grams that are sorted at once
EPSILON = 0.1  # matches that smoothing puts in the place of none


def self_bleu(texts: Sequence[Sequence[str]], longest: int = LONGEST) -> list[float] | None:
    """Mean Self-BLEU of a set.

    It grows with the number of texts and falls or grows with their length: compare sets of equal size and like length. About 100
    bytes are kept per token.

    texts (Sequence[Sequence[str]]): The tokens of each text, see `tokens`.
    longest (int): The largest n.
    RETURNS (List[float]): Self-BLEU-1 … Self-BLEU-`longest`, each from 0 (all different) to 1 (each text is in another one); None
        for fewer than two texts.
    """
    each = self_bleu_each(texts, longest)
    return None if each is None else [float(value) for value in each.mean(axis=1)]


def self_bleu_each(texts: Sequence[Sequence[str]], longest: int = LONGEST) -> Floats | None:
    """RETURNS (ndarray): The BLEU of each text against all others, shape (longest, texts); None for fewer than two texts.

    RAISES (ValueError): When `longest` is below 1.
    """
    if longest < 1:
        raise ValueError(f"Self-BLEU needs n ≥ 1 (was: {longest}).")
    if len(texts) < 2:
        return None
    lengths = np.fromiter(map(len, texts), dtype=np.int64, count=len(texts))
    matches = _matches(_in_a_row(texts, lengths), longest)
    sizes = np.maximum(lengths - np.arange(longest)[:, None], 1)  # of a text that is too short the one smoothed precision is 0.1
    logs = np.log(np.where(matches > 0, matches, EPSILON) / sizes)
    means = np.cumsum(logs, axis=0) / np.arange(1, longest + 1)[:, None]
    found: Floats = _brevity(lengths) * np.exp(means)
    found[:, matches[0] == 0] = 0.0
    return found


@dataclass(frozen=True)
class _Words:
    """All tokens in a row.

    numbers (ndarray): Equal tokens have equal numbers, from 0. owners (ndarray): The text of each.
    ends (Integers): Where each text ends. different (int): Tokens. texts (int): How many.
    """

    numbers: Short
    owners: Short
    ends: Integers
    different: int
    texts: int


class _Numbers(dict[str, int]):
    """Numbers of tokens in the order in which they are met."""

    def __missing__(self, token: str) -> int:
        number = self[token] = len(self)
        return number


def _in_a_row(texts: Sequence[Sequence[str]], lengths: Integers) -> _Words:
    known = _Numbers()
    numbers = np.fromiter(map(known.__getitem__, chain.from_iterable(texts)), dtype=np.int32, count=int(lengths.sum()))
    return _Words(numbers, np.repeat(np.arange(len(texts), dtype=np.int32), lengths), np.cumsum(lengths), len(known), len(texts))


def _matches(words: _Words, longest: int) -> Integers:
    """RETURNS (Integers): Clipped matches of each text, shape (longest, texts)."""
    found = np.zeros((longest, words.texts), dtype=np.int64)
    for starts in _blocks(words):
        owners, names = words.owners[starts], words.numbers[starts].astype(np.int64)
        left = words.ends[owners] - starts  # tokens from there to the end of the text
        shared = np.ones(len(starts), dtype=bool)
        for n in range(1, longest + 1):
            if n > 1:  # a longer n-gram is shared only if its beginning is
                kept = shared & (left >= n)
                starts, owners, left = starts[kept], owners[kept], left[kept]
                names = names[kept] * words.different + words.numbers[starts + (n - 1)]
            if not len(starts):
                break
            names, shared = _count(owners, names, found[n - 1])
    return found


def _blocks(words: _Words) -> Iterator[Integers]:
    """Places that begin with the same tokens: n-grams of two blocks are never equal, and a block fits the processor's cache.

    YIELDS (Integers): Rising; about `BLOCK` of them, more where one token is as frequent.
    """
    ends = np.cumsum(np.bincount(words.numbers, minlength=1))
    block = (ends - 1) // BLOCK  # of each token
    block = block.astype(np.uint16 if len(words.numbers) < 2**16 * BLOCK else np.int64)  # short numbers are sorted in linear time
    mine = block[words.numbers]
    order = np.argsort(mine, kind="stable")
    yield from np.split(order, np.flatnonzero(np.diff(mine[order])) + 1) if len(order) else ()


def _count(owners: Short, names: Integers, matches: Integers) -> tuple[Integers, npt.NDArray[np.bool_]]:
    """Add the clipped matches of some n-grams to those of their texts.

    owners (ndarray): The text of each n-gram, rising. names (Integers): Equal for equal n-grams.
    matches (Integers): Of each text; added to.
    RETURNS (Tuple): Small new names, and whether each n-gram stands in two texts or more.
    """
    order, ordered = _sorted(names)
    new_name, holders = _changes(ordered), owners[order]
    first = np.flatnonzero(new_name | _changes(holders))  # of an n-gram in a text
    counts = np.diff(first, append=len(order))
    begins = np.flatnonzero(new_name[first])  # of an n-gram
    sizes = np.diff(begins, append=len(first))  # texts that hold it
    limits, place = _largest_elsewhere(counts, begins, sizes)
    np.add.at(matches, holders[first], np.minimum(counts, limits))
    small, shared = np.empty(len(order), dtype=np.int64), np.empty(len(order), dtype=bool)
    small[order] = np.repeat(place, counts)
    shared[order] = np.repeat((sizes > 1)[place], counts)
    return small, shared


def _largest_elsewhere(counts: Integers, begins: Integers, sizes: Integers) -> tuple[Integers, Integers]:
    """The largest count of an n-gram in any other text, for each of its texts.

    counts (Integers): How often it stands in each of its texts; those of the n-th n-gram begin at begins[n] and are sizes[n].
    RETURNS (Tuple[Integers, Integers]): That count, and the n of each.
    """
    place = np.repeat(np.arange(len(begins)), sizes)
    largest = np.maximum.reduceat(counts, begins)
    there = np.where(counts == largest[place], np.arange(len(counts)), len(counts))
    holder = np.minimum.reduceat(there, begins)  # one text that has the largest
    others = counts.copy()
    others[holder] = 0
    limits = largest[place]
    limits[holder] = np.maximum.reduceat(others, begins)
    return limits, place


def _sorted(names: Integers) -> tuple[Integers, Integers]:
    """RETURNS (Tuple[Integers, Integers]): The order that sorts names and keeps equal ones as they stand, and the sorted names."""
    bits = len(names).bit_length()
    if int(names.max()) >> (62 - bits):
        order = np.argsort(names, kind="stable")
        return order, names[order]
    keys = np.sort((names << bits) | np.arange(len(names)))  # several times as fast as to sort an order
    return keys & ((1 << bits) - 1), keys >> bits


def _changes(values: Integers | Short) -> npt.NDArray[np.bool_]:
    """RETURNS (ndarray): Where values differ from the ones before; true at the start."""
    changes = np.ones(len(values), dtype=bool)
    np.not_equal(values[1:], values[:-1], out=changes[1:])
    return changes


def _brevity(lengths: Integers) -> Floats:
    """RETURNS (ndarray): min(1, exp(1 − r/c)) of each text, r being the nearest length of another one, the shorter of two."""
    sizes, place, counts = np.unique(lengths, return_inverse=True, return_counts=True)
    penalty = np.ones(len(sizes))
    for number, size in enumerate(sizes):  # as many as there are different lengths
        if counts[number] > 1 or size == 0:
            continue
        below = sizes[number - 1] if number else -np.inf
        above = sizes[number + 1] if number + 1 < len(sizes) else np.inf
        nearest = below if size - below <= above - size else above
        penalty[number] = 1.0 if nearest <= size else np.exp(1 - nearest / size)
    return penalty[place]
