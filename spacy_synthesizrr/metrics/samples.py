"""Seeded samples, for measures that depend on how many texts they are given."""

from __future__ import annotations

import random
from collections.abc import Iterable
from typing import TypeVar

Item = TypeVar("Item")


def draw(items: Iterable[Item], size: int, *, seed: int) -> list[Item]:
    """Draw from a stream without replacement, each item with equal chance (reservoir sampling, Vitter 1985, algorithm R).

    size (int): How many; all items when there are fewer.
    seed (int): The same items in the same order with the same seed give the same sample.
    RETURNS (List): The sample in the items' order.
    """
    chance = random.Random(seed)
    kept: list[tuple[int, Item]] = []
    for number, item in enumerate(items):
        if number < size:
            kept.append((number, item))
        elif (place := chance.randrange(number + 1)) < size:
            kept[place] = (number, item)
    return [item for _, item in sorted(kept, key=lambda pair: pair[0])]
