"""The seeds of a plan, grouped by label set, in an order that no file order can change."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from spacy_synthesizrr.candidates import Seed, digest, label_key
from spacy_synthesizrr.errors import PlanError
from spacy_synthesizrr.sourcing.settings import PlanSettings
from spacy_synthesizrr.taskfile import TaskSpec


@dataclass(frozen=True)
class SeedSet:
    """Seeds in the order of their ids.

    keys (Tuple[str, ...]): The label sets, in the order of the task file.
    group (np.ndarray): For each seed the index of its label set, int32, shape (seeds,).
    left_out (int): Seeds that were not used because there are more than the settings ask for.
    """

    seeds: tuple[Seed, ...]
    keys: tuple[str, ...]
    group: np.ndarray
    left_out: int = 0

    @cached_property
    def members(self) -> tuple[tuple[int, ...], ...]:
        """RETURNS (Tuple[Tuple[int, ...], ...]): For each label set the indexes of its seeds."""
        return tuple(tuple(int(i) for i in np.flatnonzero(self.group == g)) for g in range(len(self.keys)))

    @cached_property
    def rivals(self) -> tuple[tuple[int, ...], ...]:
        """RETURNS (Tuple[Tuple[int, ...], ...]): For each label set the sets that have no label in common with it."""
        sets = [frozenset(self.seeds[members[0]].labels) for members in self.members]
        return tuple(tuple(j for j, other in enumerate(sets) if not own & other) for own in sets)


def seed_limit(settings: PlanSettings, task: TaskSpec) -> int | None:
    """RETURNS (int): Most seeds per label set; None for all."""
    binary = len(task.labels) == 2 and settings.seeds_per_label_binary
    return binary or settings.seeds_per_label


def group_seeds(seeds: Iterable[Seed], *, task: TaskSpec, settings: PlanSettings, seed: int, every_label: bool = True) -> SeedSet:
    """Group seeds by label set; where there are more than asked for, draw some.

    every_label (bool): Whether each label of the task must have a seed.
    RAISES (PlanError): When one has none.
    """
    groups: dict[str, dict[str, Seed]] = {}
    for item in seeds:
        groups.setdefault(label_key(item.labels), {})[item.id] = item
    seen = {label for group in groups.values() for item in group.values() for label in item.labels}
    missing = [label for label in task.labels if label not in seen]
    if missing and every_label:
        raise PlanError(
            f"No seed for label '{missing[0]}'"
            + (f" and {len(missing) - 1} more" if len(missing) > 1 else "")
            + ": nothing can be planned for it. "
            "Add a seed, drop the label from the task file, or remove `seeds` there so that the label descriptions are the queries."
        )
    limit = seed_limit(settings, task)
    chosen: list[Seed] = []
    for key, group in groups.items():
        members = [group[name] for name in sorted(group)]
        if limit is not None and len(members) > limit:
            members = random.Random(digest("seeds", str(seed), key)).sample(members, limit)
        chosen.extend(members)
    chosen.sort(key=lambda item: item.id)
    place = {label: number for number, label in enumerate(task.labels)}
    keys = tuple(sorted(groups, key=lambda key: [place[label] for label in next(iter(groups[key].values())).labels]))
    column = np.array([keys.index(label_key(item.labels)) for item in chosen], dtype=np.int32)
    return SeedSet(tuple(chosen), keys, column, sum(map(len, groups.values())) - len(chosen))
