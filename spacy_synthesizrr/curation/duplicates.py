"""Exact duplicates: a row that says what a seed or an earlier row says."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import numpy as np

from spacy_synthesizrr.candidates import Candidate
from spacy_synthesizrr.curation.verdicts import ACCEPT, Binder, Verdict, reject
from spacy_synthesizrr.words import comparable

DUPLICATE, SEED_COPY = "duplicate", "seed_copy"
BUFFER = 1 << 14


class SeenDigests:
    """A set of 64-bit digests in 8 bytes each: a small Python set that is merged into a sorted array when it is full.

    A million texts take 8 MB. Two different texts share a digest with a chance of n² / 2^65: 3 in 10^8 for n = 10^6.

    buffer (int): Size at which the small set is merged.
    """

    def __init__(self, *, buffer: int = BUFFER) -> None:
        self._buffer = buffer
        self._recent: set[int] = set()
        self._sorted = np.empty(0, dtype=np.uint64)

    def add(self, value: int) -> None:
        """value (int): A digest, 0 ≤ value < 2^64."""
        self._recent.add(value)
        if len(self._recent) >= self._buffer:
            recent = np.fromiter(self._recent, dtype=np.uint64, count=len(self._recent))
            self._sorted = np.union1d(self._sorted, recent)
            self._recent.clear()

    def __contains__(self, value: int) -> bool:
        if value in self._recent:
            return True
        at = int(np.searchsorted(self._sorted, np.uint64(value)))
        return at < len(self._sorted) and int(self._sorted[at]) == value


class ExactDuplicate:
    """Turns away rows that say what a seed ("seed_copy") or an accepted row ("duplicate") says.

    Texts are compared as `words.comparable` gives them. Two rows are the same when all fields of the task are, so one
    hypothesis may stand with two premises; labels do not count, because one text under two labels teaches a student
    nothing. A row copies a seed when its generated field does.

    names (Iterable[str]): The task's fields.
    seeds (Iterable[str]): What the seeds say in the generated field.
    """

    def __init__(self, names: Iterable[str], seeds: Iterable[str] = ()) -> None:
        self.names = tuple(names)
        self._seeds = frozenset(_digest([text]) for text in seeds)
        self._rows = SeenDigests()

    def __call__(self, candidate: Candidate, text: str, passage: str) -> Verdict:
        """See `RowFilter`."""
        if _digest([text]) in self._seeds:
            return reject(SEED_COPY)
        return reject(DUPLICATE) if self._row(candidate) in self._rows else ACCEPT

    def remember(self, candidate: Candidate, text: str) -> None:
        """See `Remembers`."""
        self._rows.add(self._row(candidate))

    def _row(self, candidate: Candidate) -> int:
        return _digest([candidate.fields.get(name, "") for name in self.names])


def _digest(texts: Iterable[str]) -> int:
    state = hashlib.blake2b(digest_size=8)
    for text in texts:
        part = comparable(text).encode("utf-8", errors="surrogatepass")
        state.update(len(part).to_bytes(8, "big") + part)
    return int.from_bytes(state.digest(), "big")


def make_exact_duplicate(seeds: bool = True) -> Binder:
    """Turn away copies of accepted rows and, unless told otherwise, of seeds.

    seeds (bool): Whether the seeds' texts count as seen.
    RETURNS (Binder): See curation/verdicts.py.
    """
    return lambda inputs: ExactDuplicate([spec.name for spec in inputs.task.fields], inputs.seeds if seeds else ())
