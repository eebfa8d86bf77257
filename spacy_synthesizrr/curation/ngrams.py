"""Words and n-grams of words, as comparisons of texts need them: the same on every machine and in every process."""

from __future__ import annotations

import hashlib
import re
import unicodedata

import numpy as np
import numpy.typing as npt

Hashes = npt.NDArray[np.uint64]

# Thai, Lao, Burmese, Khmer, kana, Han: scripts without blanks between words, where each character counts as one
_NO_BLANKS = r"\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
_ASCII_WORD = re.compile(r"\w+", re.ASCII)
_WORD = re.compile(rf"[{_NO_BLANKS}]|[^\W{_NO_BLANKS}]+")
# an odd number, so that multiplying modulo 2**64 loses nothing (the fractional part of the golden ratio, times 2**64)
_BASE = 0x9E3779B97F4A7C15
_WORDS_REMEMBERED = 500_000


class _WordHashes(dict[str, int]):
    """64-bit hashes of words, remembered until there are too many."""

    def __missing__(self, word: str) -> int:
        if len(self) >= _WORDS_REMEMBERED:
            self.clear()
        value = int.from_bytes(hashlib.blake2b(word.encode(errors="surrogatepass"), digest_size=8).digest(), "little")
        self[word] = value
        return value


_HASHES = _WordHashes()


def words(text: str) -> list[str]:
    """The words of a text for comparing: letters and digits, casefolded, in one Unicode form.

    RETURNS (List[str]): Such as ["don", "t", "panic"] for "Don't panic!".
    """
    if text.isascii():
        return _ASCII_WORD.findall(text.lower())
    return _WORD.findall(unicodedata.normalize("NFKC", text).casefold())


def normalise(text: str) -> str:
    """The form in which two texts count as equal: words joined by blanks; of a text without words what is not blank.

    RETURNS (str): Such as "don t panic".
    """
    return " ".join(words(text)) or "".join(text.split())


def word_hashes(tokens: list[str]) -> Hashes:
    """Hashes of words.

    tokens (List[str]): What `words` gave.
    RETURNS (Hashes): Shape (words,).
    """
    return np.fromiter(map(_HASHES.__getitem__, tokens), dtype=np.uint64, count=len(tokens))


def combine(hashes: Hashes, n: int) -> Hashes:
    """Hashes of all runs of n words: a polynomial in the word hashes, modulo 2**64 (Karp and Rabin 1987).

    hashes (Hashes): Word hashes, shape (words,).
    n (int): Words per n-gram.
    RETURNS (Hashes): Shape (words − n + 1,), empty when there are fewer words.
    """
    count = len(hashes) - n + 1
    if count < 1:
        return np.empty(0, dtype=np.uint64)
    base, total = np.uint64(_BASE), np.zeros(count, dtype=np.uint64)
    for place in range(n):
        total = total * base + hashes[place : place + count]
    return total


def ngram_hashes(text: str, n: int) -> Hashes:
    """Hashes of the n-grams of a text, in order, repeated ones repeated.

    n (int): Words per n-gram.
    RETURNS (Hashes): Shape (words − n + 1,), empty when the text has fewer words.
    """
    return combine(word_hashes(words(text)), n)
