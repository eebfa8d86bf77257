"""Sets of rows that are measured side by side, and the sizes at which they can be compared."""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from spacy_synthesizrr.candidates import label_key
from spacy_synthesizrr.metrics.samples import draw
from spacy_synthesizrr.students.arms import MAIN as MAIN
from spacy_synthesizrr.words import count_words

Row = tuple[tuple[str, ...], str]
SEEDS = "seeds"
NEAR = 1.1  # sizes that differ by less are one
SMALL = 0.75  # of the size at which the main set stands beside gold: what has less stays out of that comparison


@dataclass(frozen=True)
class RowSet:
    """Rows that can be read again and again.

    name (str): "main", the name of a control arm, "seeds", "dev" or "train".
    read (Callable): Labels and text of each row, streamed.
    """

    name: str
    read: Callable[[], Iterator[Row]]

    def texts(self) -> Iterator[str]:
        """RETURNS (Iterator[str]): The texts alone."""
        return (text for _, text in self.read())


def missing(why: str) -> dict[str, str]:
    """RETURNS (Dict[str, str]): What stands in the place of a section that has no numbers."""
    return {"missing": why}


def mean_words(texts: Sequence[str]) -> float | None:
    """RETURNS (float | None): Mean length in words; every measure of variety moves with it."""
    return sum(map(count_words, texts)) / len(texts) if texts else None


def comparable_sizes(counts: Mapping[str, int], *, most: int) -> list[int]:
    """The sizes at which sets stand beside the main one: a small set takes part in the comparison of its own size and in no larger one.

    counts (Mapping[str, int]): Rows of each set. most (int): Rows that are looked at.
    RETURNS (List[int]): Rising; each the size of some set, or `most`; the first one is that of the smallest set with rows.
    """
    sizes = sorted({min(count, most) for count in counts.values() if count})
    found: list[int] = []
    for size in sizes:
        there = [name for name, count in counts.items() if min(count, most) >= size]
        if not found or (MAIN in there and len(there) > 1 and size >= NEAR * found[-1]):
            found.append(size)
    return found


@dataclass(frozen=True)
class Beside:
    """Who stands beside main and gold, and at which size.

    n (int): Rows of each. names (Tuple[str, ...]): Who takes part.
    left_out (Mapping[str, int]): Sets that are too small for it, with their rows: they would take most of the others' rows away.
    """

    n: int
    names: tuple[str, ...]
    left_out: Mapping[str, int]


def beside(counts: Mapping[str, int], *, needed: Collection[str], least: int = 1) -> Beside:
    """Choose the size from the main set and gold, and let small sets go.

    counts (Mapping[str, int]): Rows of each set. needed (Collection[str]): Sets without which there is nothing to compare; of those that
        have no rows none is needed, and of others the largest where no needed one is left.
    least (int): Rows below which nobody takes part who is not needed.
    RETURNS (Beside): Sets in their order.
    """
    there = {name: count for name, count in counts.items() if count}
    chosen = [name for name in there if name in needed] or sorted(there, key=lambda name: -there[name])[:1]
    size = min((there[name] for name in chosen), default=0)
    names = [name for name, count in there.items() if name in chosen or count >= max(SMALL * size, min(least, size))]
    n = min((there[name] for name in names), default=0)
    return Beside(n, tuple(names), {name: count for name, count in there.items() if name not in names})


def sampled(rows: RowSet, size: int, *, seed: int) -> list[Row]:
    """RETURNS (List[Row]): Rows of a set, all when there are no more; the same with the same seed."""
    return draw(rows.read(), size, seed=seed)


@dataclass(frozen=True)
class Gold:
    """Gold rows to compare with, as two halves: what the rows are compared with, and what gold itself does in their place.

    kind (str): "train" or "dev". first, second (Sequence[Row]): Both have the same labels as far as that goes.
    """

    kind: str
    first: Sequence[Row]
    second: Sequence[Row]

    @property
    def rows(self) -> list[Row]:
        """RETURNS (List[Row]): Both halves."""
        return [*self.first, *self.second]


def split_gold(kind: str, rows: Sequence[Row], *, seed: int) -> Gold:
    """RETURNS (Gold): Rows dealt out at random, those of each label set in turn, so that the halves are alike."""
    chance, kinds = random.Random(seed), dict[str, list[Row]]()
    for row in rows:
        kinds.setdefault(label_key(row[0]), []).append(row)
    halves: tuple[list[Row], list[Row]] = ([], [])
    turn = 0
    for own in kinds.values():
        chance.shuffle(own)
        for row in own:
            halves[turn % 2].append(row)
            turn += 1
    return Gold(kind, *halves)


def by_label(rows: Sequence[Row]) -> dict[str, list[str]]:
    """RETURNS (Dict[str, List[str]]): The texts of each label set, by its key, in the order of the keys."""
    found: dict[str, list[str]] = {}
    for labels, text in rows:
        found.setdefault(label_key(labels), []).append(text)
    return dict(sorted(found.items()))


def take(texts: Sequence[Any], size: int, *, seed: int) -> list[Any]:
    """RETURNS (List): A seeded sample in the order of the items."""
    return draw(texts, size, seed=seed)
