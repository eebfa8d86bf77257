"""Seeded samples: of texts for measures that depend on how many they are given, of rows for people to read."""

from __future__ import annotations

import random
from collections.abc import Iterable
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Reservoir(Generic[Item]):
    """Draws from a stream without replacement, each item with equal chance (Vitter 1985, algorithm R).

    size (int): How many; all items when there are fewer.
    chance (random.Random): Several reservoirs may share one.
    """

    def __init__(self, size: int, chance: random.Random) -> None:
        self._size, self._chance = size, chance
        self._seen = 0
        self._kept: list[tuple[int, Item]] = []

    def add(self, item: Item) -> None:
        """Take or leave the next item."""
        if self._seen < self._size:
            self._kept.append((self._seen, item))
        elif (place := self._chance.randrange(self._seen + 1)) < self._size:
            self._kept[place] = (self._seen, item)
        self._seen += 1

    def items(self) -> list[Item]:
        """RETURNS (List): The sample so far, in the items' order."""
        return [item for _, item in sorted(self._kept, key=lambda pair: pair[0])]


def draw(items: Iterable[Item], size: int, *, seed: int) -> list[Item]:
    """Draw from a stream; see `Reservoir`.

    seed (int): The same items in the same order with the same seed give the same sample.
    RETURNS (List): The sample in the items' order.
    """
    kept: Reservoir[Item] = Reservoir(size, random.Random(seed))
    for item in items:
        kept.add(item)
    return kept.items()
