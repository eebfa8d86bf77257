"""Exact duplicates: a row that says what a seed or an earlier row says."""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Iterable, Mapping

import numpy as np

from spacy_synthesizrr.candidates import Candidate
from spacy_synthesizrr.curation.verdicts import ACCEPT, Binder, FilterInputs, Verdict, reject

DUPLICATE, SEED_COPY = "duplicate", "seed_copy"
BUFFER = 1 << 14


def normalise(text: str) -> str:
    """What counts when two texts are compared: Unicode NFKC, case folded, whitespace squeezed, no punctuation at the ends."""
    plain = " ".join(unicodedata.normalize("NFKC", text).casefold().split())
    start, end = 0, len(plain)
    while start < end and _outer(plain[start]):
        start += 1
    while end > start and _outer(plain[end - 1]):
        end -= 1
    return plain[start:end]


def _outer(character: str) -> bool:
    """Punctuation, blanks and control characters; symbols such as '+' or '€' carry meaning and stay."""
    return unicodedata.category(character)[0] in "PZC"


class SeenDigests:
    """A set of 64-bit digests in 8 bytes each: a small Python set that is merged into a sorted array when it is full.

    A million texts take 8 MB. Two different texts share a digest with a chance of n² / 2^65: 3 in 10^8 for n = 10^6.
    """

    def __init__(self) -> None:
        self._recent: set[int] = set()
        self._sorted = np.empty(0, dtype=np.uint64)

    def add(self, value: int) -> None:
        """value (int): A digest, 0 ≤ value < 2^64."""
        self._recent.add(value)
        if len(self._recent) >= BUFFER:
            recent = np.fromiter(self._recent, dtype=np.uint64, count=len(self._recent))
            self._sorted = np.union1d(self._sorted, recent)
            self._recent.clear()

    def __contains__(self, value: int) -> bool:
        if value in self._recent:
            return True
        at = int(np.searchsorted(self._sorted, np.uint64(value)))
        return at < len(self._sorted) and int(self._sorted[at]) == value


class ExactDuplicate:
    """Turns away rows whose fields, normalised, equal those of a seed ("seed_copy") or of an accepted row ("duplicate").

    All fields of the task count, so one hypothesis may stand with two premises; labels do not, because one text under
    two labels teaches a student nothing.

    names (Iterable[str]): The task's fields.
    seeds (Iterable[Mapping[str, str]]): The fields of the seeds.
    """

    def __init__(self, names: Iterable[str], seeds: Iterable[Mapping[str, str]] = ()) -> None:
        self.names = tuple(names)
        self._seeds = frozenset(self._digest(seed) for seed in seeds)
        self._rows = SeenDigests()

    def __call__(self, candidate: Candidate, text: str, passage: str) -> Verdict:
        """See `RowFilter`."""
        found = self._digest(candidate.fields)
        if found in self._seeds:
            return reject(SEED_COPY)
        return reject(DUPLICATE) if found in self._rows else ACCEPT

    def remember(self, candidate: Candidate, text: str) -> None:
        """See `Remembers`."""
        self._rows.add(self._digest(candidate.fields))

    def _digest(self, fields: Mapping[str, str]) -> int:
        parts = [normalise(fields.get(name, "")).encode() for name in self.names]
        state = hashlib.blake2b(digest_size=8)
        for part in parts:
            state.update(len(part).to_bytes(8, "big") + part)
        return int.from_bytes(state.digest(), "big")


def make_exact_duplicate(seeds: bool = True) -> Binder:
    """Turn away copies of accepted rows and, unless told otherwise, of seeds.

    seeds (bool): Whether the seeds' texts count as seen.
    RETURNS (Binder): See curation/verdicts.py.
    """

    def bind(inputs: FilterInputs) -> ExactDuplicate:
        names = [spec.name for spec in inputs.task.fields]
        return ExactDuplicate(names, (seed.fields for seed in inputs.seeds) if seeds else ())

    return bind
