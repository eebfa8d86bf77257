"""The seed set of S3 (Wang et al. 2023, §2.3 and §2.4): rows written from a label and some values of its dimensions; without any of them
it is that of ZeroGen. Nothing is retrieved. Where a task has fields that are not written, they are those of a row or a passage drawn
uniformly.
"""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from spacy_synthesizrr.candidates import Candidate, Seed, digest
from spacy_synthesizrr.curation.leaks import Gold
from spacy_synthesizrr.dimensions import ALL, Dimension, Lists
from spacy_synthesizrr.errors import ConfigError, choices
from spacy_synthesizrr.sourcing.dimension_settings import REASONS, DimensionSettings
from spacy_synthesizrr.sourcing.fewgen import FewGenPlan, needs_passage
from spacy_synthesizrr.sourcing.gate import Gate
from spacy_synthesizrr.sourcing.randomly import draw_any
from spacy_synthesizrr.sourcing.seeds import SeedSet
from spacy_synthesizrr.sourcing.settings import COPY, PlanSettings
from spacy_synthesizrr.sourcing.shots import Shots
from spacy_synthesizrr.taskfile import TaskSpec
from spacy_synthesizrr.words import comparable

if TYPE_CHECKING:
    from spacy_synthesizrr.stores.base import Store


@dataclass(frozen=True)
class S3SeedPlan(FewGenPlan):
    """A plan without retrieval.

    mode (str): "s3-seed" or "zerogen".
    dimensions (Tuple[Dimension, ...]): What each row gets values of.
    passages (np.ndarray | None): Ids as bytes, one per row, where a field of the task is the passage.
    unused (Tuple[str, ...]): Dimensions of the strategy that do not hold for the task.
    """

    mode: str = ""
    dimensions: tuple[Dimension, ...] = ()
    passages: np.ndarray | None = None
    unused: tuple[str, ...] = ()

    def candidates(self) -> Iterator[Candidate]:
        """Label sets take turns. The draw counts a label's rows, so that equal prompts stay apart; a larger plan begins with the rows of a
        smaller one.
        """
        described = [self.task.description(self._labels(group)) for group in range(len(self.seed_set.keys))]
        lenders = None
        if any(spec.origin == "seed" for spec in self.task.carried):
            lenders = [_lenders(self.seed_set, key, self.seed) for key in self.seed_set.keys]
        for place, (number, group) in enumerate(_turns(self.totals)):
            key = self.seed_set.keys[group]
            rng = random.Random(digest(self.mode, str(self.seed), key, str(number)))
            drawn = [value.id for dimension in self.dimensions for value in dimension.draw(rng, described[group].labels)]
            yield Candidate.plan(
                task=self.task.name,
                strategy=self.mode,
                seed=described[group] if lenders is None else next(lenders[group]),
                passage_id=None if self.passages is None else self.passages[place].decode(),
                rationales=drawn,
                draw=number,
                labels=described[group].labels,
                reserve=number >= self.per_label,
            )

    def _labels(self, group: int) -> tuple[str, ...]:
        return self.seed_set.seeds[self.seed_set.members[group][0]].labels


def _lenders(seed_set: SeedSet, key: str, seed: int) -> Iterator[Seed]:
    """The seeds whose other fields the rows of a label set have, whatever their labels: each serves once before any serves again."""
    for lap in itertools.count():
        rng = random.Random(digest("lenders", str(seed), key, str(lap)))
        yield from rng.sample(seed_set.seeds, len(seed_set.seeds))


def _turns(totals: Sequence[int]) -> Iterator[tuple[int, int]]:
    """YIELDS (Tuple[int, int]): Number of a row within its label set, and the label set."""
    for number in range(max(totals, default=0)):
        for group, total in enumerate(totals):
            if number < total:
                yield number, group


def plan_s3_seed(
    seed_set: SeedSet,
    store: Store | None,
    *,
    task: TaskSpec,
    settings: PlanSettings,
    dimensions: Sequence[Dimension],
    per_label: int,
    seed: int,
    gold: Gold = Gold(),  # noqa: B008  (frozen and empty)
) -> S3SeedPlan:
    """Plan rows without retrieval.

    seed_set (SeedSet): Says which label sets there are, and lends fields that are not written.
    store (Store | None): Where passages are drawn from, if a field of the task is the passage.
    gold (Gold): Texts that no passage may give away.
    """
    totals = [math.ceil(per_label * settings.overgenerate)] * len(seed_set.keys)
    passages = None
    if store is not None and needs_passage(task):
        passages = draw_any(store, sum(totals), settings=settings, gate=_gate(store, settings, gold), seed=seed)
        totals = [0] * len(totals)
        for place in range(len(passages)):  # label sets take turns, and all of them want the same number
            totals[place % len(totals)] += 1
    about: dict[str, Any] = {"mode": settings.mode, "dimensions": tuple(dimensions), "passages": passages}
    about["unused"] = tuple(name for name in settings.dimensions if name not in used_dimensions(settings, task))
    return S3SeedPlan(task, seed_set, Shots(seed_set, 0), totals, per_label, seed, **about)


def _gate(store: Store, settings: PlanSettings, gold: Gold) -> Gate:
    edge = settings.window.high if settings.window.kind == "absolute" else COPY  # no similarities are observed here
    return Gate.make(gold, ngram=settings.leaks.ngram, similarity=settings.leaks.threshold(settings.window, edge), embedder=store.embedder)


def used_dimensions(settings: PlanSettings, task: TaskSpec) -> dict[str, DimensionSettings]:
    """RETURNS (Dict[str, DimensionSettings]): The dimensions that hold for a task, by name."""
    pairs = bool(task.carried)
    return {name: one for name, one in settings.dimensions.items() if not pairs or (name != REASONS if one.pairs is None else one.pairs)}


def filled_dimensions(settings: PlanSettings, task: TaskSpec, read: Mapping[str, Lists]) -> list[Dimension]:
    """The dimensions of a task with their values.

    read (Mapping[str, Lists]): The values of those that name a number to ask for; see `dimensions.read_values`.
    RAISES (ConfigError): For values in the config that are not right.
    """
    found = []
    for name, one in used_dimensions(settings, task).items():
        lists = read[name] if one.values is None else _given(name, one, task)
        found.append(Dimension(name, one.header or name.replace("_", " ").capitalize(), one.per_row, lists))
    return found


def _given(name: str, one: DimensionSettings, task: TaskSpec) -> Lists:
    """RETURNS (Lists): The values that the config lists, checked as those of the file are."""
    where = f"[plan.dimensions.{name}] values"
    lists: Lists = one.values if isinstance(one.values, dict) else {ALL: tuple(one.values or ())}
    for label in lists:
        if label != ALL and label not in task.labels:
            raise ConfigError(f"{where} have a list for '{label}', which is no label of the task. {choices(label, task.labels)}")
    if ALL not in lists and (missing := [label for label in task.labels if label not in lists]):
        raise ConfigError(f"{where} have no list for the label '{missing[0]}'. Add one, or give one list for all labels.")
    for label, texts in lists.items():
        of = f" of '{label}'" if label else ""
        if len({comparable(text) for text in texts}) < len(texts) or not all(text.strip() for text in texts):
            raise ConfigError(f"{where}{of} hold a text twice, or an empty one: {', '.join(map(repr, texts))}. Remove it.")
        if len(texts) < one.per_row:
            raise ConfigError(f"{where}{of} are {len(texts)}, and every row takes per_row = {one.per_row}. Add some, or lower per_row.")
    return lists
