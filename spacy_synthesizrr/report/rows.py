"""Rows for people to read: a seeded sample of a stream, and the words that a row took from its passage."""

from __future__ import annotations

import random
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from spacy_synthesizrr.candidates import Candidate
from spacy_synthesizrr.metrics.samples import Reservoir
from spacy_synthesizrr.words import word_places

SPAN = 5  # words in a row that count as copied
MOST_KEYS = 40  # labels or reasons with a sample of their own, where not more are asked for


@dataclass(frozen=True)
class Piece:
    """A stretch of a text, and whether the generated text says the same words."""

    text: str
    copied: bool


def sample(
    rows: Iterable[Candidate], size: int, *, by: Callable[[Candidate], str], seed: int, most: int = MOST_KEYS
) -> dict[str, list[Candidate]]:
    """Draw at most `size` rows of each kind in one pass, every row of a kind with the same chance.

    by (Callable): The kind of a row, such as its label or its reason.
    seed (int): The same rows and seed give the same sample. most (int): Kinds with a sample of their own; those that come later share one.
    RETURNS (Dict[str, List[Candidate]]): Kinds in order of appearance, rows in file order.
    """
    chance = random.Random(seed)
    kept: dict[str, Reservoir[Candidate]] = {}
    for row in rows:
        kind = by(row)
        kind = kind if kind in kept or len(kept) < most else "other"
        kept.setdefault(kind, Reservoir(size, chance)).add(row)
    return {kind: pool.items() for kind, pool in kept.items()}


class SimilarityCounts:
    """Watches candidates go by and counts their similarities.

    edges (Sequence[float]): Edges of the bins, rising; what lies outside goes to the first or last bin.
    """

    def __init__(self, edges: Sequence[float]) -> None:
        self.edges = list(edges)
        self.counts = [0] * max(0, len(self.edges) - 1)

    def watch(self, candidates: Iterable[Candidate]) -> Iterator[Candidate]:
        """Pass candidates on."""
        for candidate in candidates:
            if candidate.similarity is not None and self.counts:
                self.counts[min(max(bisect_right(self.edges, candidate.similarity) - 1, 0), len(self.counts) - 1)] += 1
            yield candidate


def mark_copied(text: str, passage: str, *, span: int = SPAN) -> tuple[tuple[Piece, ...], float]:
    """Find the stretches of a passage that a text repeats word for word.

    text (str): What the teacher wrote.
    span (int): Shortest run of words that counts; a shorter text counts as a whole.
    RETURNS (Tuple[Tuple[Piece, ...], float]): The whole passage in pieces, and the share of the text's words inside such runs.
    """
    words = [word for word, _, _ in word_places(text)]
    places = word_places(passage)
    span = min(span, len(words)) or 1
    theirs = _runs([word for word, _, _ in places], span)
    ours = _runs(words, span)
    inside = sorted({start + step for run in theirs.keys() & ours.keys() for start in theirs[run] for step in range(span)})
    covered = {start + step for run in theirs.keys() & ours.keys() for start in ours[run] for step in range(span)}
    pieces, done = [], 0
    for first, last in _stretches(inside):
        begin, end = places[first][1], places[last][2]
        pieces += [Piece(passage[done:begin], False), Piece(passage[begin:end], True)]
        done = end
    pieces.append(Piece(passage[done:], False))
    return tuple(piece for piece in pieces if piece.text), len(covered) / len(words) if words else 0.0


def _runs(words: Sequence[str], span: int) -> dict[tuple[str, ...], list[int]]:
    found: dict[tuple[str, ...], list[int]] = {}
    for start in range(len(words) - span + 1):
        found.setdefault(tuple(words[start : start + span]), []).append(start)
    return found


def _stretches(places: Sequence[int]) -> list[tuple[int, int]]:
    """Runs of neighbouring numbers as (first, last)."""
    found: list[tuple[int, int]] = []
    for place in places:
        if found and found[-1][1] == place - 1:
            found[-1] = (found[-1][0], place)
        else:
            found.append((place, place))
    return found
