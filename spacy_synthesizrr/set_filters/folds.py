"""Which rows are held back together when a student judges rows: never one that it saw, nor the seed or the siblings of one."""

from __future__ import annotations

import random
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from spacy_synthesizrr.candidates import digest


@dataclass(frozen=True)
class Folds:
    """The fold of every row.

    count (int): Folds.
    by (str): "seed" when a seed and all rows made from it lie in one fold; "row" where there are too few seeds for that.
    rows (Tuple[int, ...]): Fold of each synthetic row.
    labelled (Tuple[int, ...]): Fold of each labelled row.
    """

    count: int
    by: str
    rows: tuple[int, ...]
    labelled: tuple[int, ...]


def make_folds(
    rows: Sequence[tuple[str, str]],
    labelled: Sequence[tuple[str, str]],
    *,
    keys: Mapping[str, str],
    count: int,
    seed: int,
    exclusive: bool = True,
    described: Collection[str] = (),
) -> Folds:
    """Deal rows into folds.

    rows (Sequence[Tuple[str, str]]): Id and seed's id of each synthetic row.
    labelled (Sequence[Tuple[str, str]]): Id and label key of each labelled row; a seed's id is the one that rows name.
    keys (Mapping[str, str]): Label key of each seed that rows were made from.
    count (int): Most folds.
    exclusive (bool): Whether a row has one label. Where not, a label set with one seed shares its labels with other sets.
    described (Collection[str]): Ids of descriptions that stand in for seeds: rows made from one have no text in common.
    RETURNS (Folds): By seed when some label has at least two seeds among the rows: a label with one seed lies in one fold with all
        its rows, and students judge no row whose label they never met. By row where no label has.
    """
    groups: dict[str, list[str]] = {}
    for seed_id in dict.fromkeys(seed_id for _, seed_id in rows if seed_id not in described):
        groups.setdefault(keys[seed_id], []).append(seed_id)
    alone = sorted(ids[0] for ids in groups.values() if len(ids) == 1)
    several = {key: ids for key, ids in groups.items() if len(ids) > 1}
    if several or (not exclusive and len(alone) > 1):
        dealt = _deal(several | {"": alone}, count, seed)  # those with one seed are spread as if they were one label
        dealt |= _deal(_grouped([(id, keys[seed_id]) for id, seed_id in rows if seed_id in described]), count, seed)
        rest = _deal(_grouped([item for item in labelled if item[0] not in dealt]), count, seed)
        own = tuple(dealt[seed_id if seed_id in dealt else id] for id, seed_id in rows)
        return Folds(count, "seed", own, tuple((dealt | rest)[id] for id, _ in labelled))
    each = _deal(_grouped([(id, keys[seed_id]) for id, seed_id in rows]), count, seed)
    rest = _deal(_grouped(labelled), count, seed)
    return Folds(count, "row", tuple(each[id] for id, _ in rows), tuple(rest[id] for id, _ in labelled))


def _grouped(items: Sequence[tuple[str, str]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for id, key in items:
        found.setdefault(key, []).append(id)
    return found


def _deal(groups: Mapping[str, Sequence[str]], count: int, seed: int) -> dict[str, int]:
    """Ids of each label spread evenly over the folds; which goes where follows from the seed and the ids, not from their order."""
    found: dict[str, int] = {}
    for place, key in enumerate(sorted(groups)):
        order = sorted(dict.fromkeys(groups[key]), key=lambda id: digest("fold", id))
        random.Random(f"{seed} {key}").shuffle(order)
        found |= {id: (number + place) % count for number, id in enumerate(order)}
    return found
