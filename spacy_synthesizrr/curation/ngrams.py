"""Hashes of words and of n-grams of words, as comparisons of texts need them: the same on every machine and in every process."""

from __future__ import annotations

import hashlib

import numpy as np
import numpy.typing as npt

from spacy_synthesizrr.words import words

Hashes = npt.NDArray[np.uint64]

# an odd number, so that multiplying modulo 2**64 loses nothing (the fractional part of the golden ratio, times 2**64)
_BASE = np.uint64(0x9E3779B97F4A7C15)
_WORDS_REMEMBERED = 500_000


class _WordHashes(dict[str, bytes]):
    """64-bit hashes of words, remembered until there are too many. As bytes: a text's are joined into an array many at a time."""

    def __missing__(self, word: str) -> bytes:
        if len(self) >= _WORDS_REMEMBERED:
            self.clear()
        value = hashlib.blake2b(word.encode(errors="surrogatepass"), digest_size=8).digest()
        self[word] = value
        return value


_HASHES = _WordHashes()


def word_hashes(tokens: list[str]) -> Hashes:
    """Hashes of words.

    tokens (List[str]): What `words` gave.
    RETURNS (Hashes): Shape (words,), not to be written to.
    """
    return np.frombuffer(b"".join(map(_HASHES.__getitem__, tokens)), dtype="<u8").astype(np.uint64, copy=False)


def combine(hashes: Hashes, n: int) -> Hashes:
    """Hashes of all runs of n words: a polynomial in the word hashes, modulo 2**64 (Karp and Rabin 1987).

    hashes (Hashes): Word hashes, shape (words,).
    n (int): Words per n-gram.
    RETURNS (Hashes): Shape (words − n + 1,), empty when there are fewer words.
    """
    count = len(hashes) - n + 1
    if count < 1:
        return np.empty(0, dtype=np.uint64)
    total = hashes[:count].copy()
    for place in range(1, n):
        total *= _BASE
        total += hashes[place : place + count]
    return total


def ngram_hashes(text: str, n: int) -> Hashes:
    """Hashes of the n-grams of a text, in order, repeated ones repeated.

    n (int): Words per n-gram.
    RETURNS (Hashes): Shape (words − n + 1,), empty when the text has fewer words.
    """
    return combine(word_hashes(words(text)), n)
