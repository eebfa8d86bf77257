"""Which demonstrations a prompt shows. They are chosen while planning and seeded per candidate.

The reference code draws them unseeded at request time, lets the seed that retrieved the passage be its own
demonstration, and can show one seed twice; none of that can happen here. A label description is a query, never a shot.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from spacy_synthesizrr.candidates import DESCRIPTION, Shot
from spacy_synthesizrr.sourcing.seeds import SeedSet

Pairs = Mapping[int, Sequence[str]]


@dataclass(frozen=True)
class Shots:
    """Draws the shots of a prompt.

    seed_set (SeedSet): Where shots come from: seeds with the same labels.
    wanted (int): Shots per prompt; there may be fewer seeds.
    pairs (Mapping[int, Sequence[str]]): In RetrICL the ids of the passages kept back for each seed; None elsewhere.
    hidden (FrozenSet[str]): Origins of seeds that are never shown.
    """

    seed_set: SeedSet
    wanted: int
    pairs: Pairs | None = None
    hidden: frozenset[str] = frozenset({DESCRIPTION})
    _pools: dict[int, tuple[int, ...]] = field(default_factory=dict, init=False, repr=False, compare=False)

    def draw(self, rng: random.Random, group: int, *, but: int | None = None, passage_id: str | None = None) -> tuple[Shot, ...]:
        """Draw shots of one label set, each seed and each passage at most once.

        rng (random.Random): Seeded for this candidate.
        group (int): Index of the label set.
        but (int): Index of a seed that must not be shown.
        passage_id (str): A passage that must not be shown.
        """
        if not self.wanted:
            return ()
        found: list[Shot] = []
        shown = {passage_id}
        for index in lazily_shuffled(self._pool(group), rng):
            shot = None if index == but else self._shot(index, rng, shown)
            if shot is not None:
                found.append(shot)
                shown.add(shot.passage_id)
            if len(found) == self.wanted:
                break
        return tuple(found)

    def _pool(self, group: int) -> tuple[int, ...]:
        if group not in self._pools:
            members = tuple(i for i in self.seed_set.members[group] if self.seed_set.seeds[i].origin not in self.hidden)
            self._pools[group] = members if self.pairs is None else tuple(i for i in members if self.pairs.get(i))
        return self._pools[group]

    def _shot(self, index: int, rng: random.Random, shown: set[str | None]) -> Shot | None:
        seed_id = self.seed_set.seeds[index].id
        if self.pairs is None:
            return Shot(seed_id)
        free = [passage_id for passage_id in self.pairs[index] if passage_id not in shown]
        return Shot(seed_id, rng.choice(free)) if free else None


def lazily_shuffled(items: Sequence[int], rng: random.Random) -> Iterator[int]:
    """Items in random order (Fisher and Yates), paying only for those that are taken."""
    moved: dict[int, int] = {}
    for i in range(len(items)):
        j = rng.randrange(i, len(items))
        yield items[moved.get(j, j)]
        moved[j] = moved.get(i, i)
