"""FewGen: rows without passages, from the label and its shots alone. A strategy of its own, and every user's control."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from spacy_synthesizrr.candidates import Candidate, digest
from spacy_synthesizrr.errors import PlanError
from spacy_synthesizrr.sourcing.seeds import SeedSet
from spacy_synthesizrr.sourcing.settings import FEWGEN, PlanSettings
from spacy_synthesizrr.sourcing.shots import Shots
from spacy_synthesizrr.taskfile import TaskSpec


def needs_passage(task: TaskSpec) -> bool:
    """RETURNS (bool): Whether a text field of the task is the passage itself, so that no row can be made without one."""
    return any(spec.origin == "passage" for spec in task.carried)


@dataclass(frozen=True)
class FewGenPlan:
    """A plan without passages.

    task (TaskSpec): The task.
    totals (Sequence[int]): Rows per label set, reserve included.
    per_label (int): Rows wanted per label set.
    seed (int): Seed of the draws.
    """

    task: TaskSpec
    seed_set: SeedSet
    shots: Shots
    totals: Sequence[int]
    per_label: int
    seed: int

    def candidates(self) -> Iterator[Candidate]:
        """Label sets take turns, and so do their seeds. The draw counts a label's rows, so that equal prompts stay apart.

        A seed lends its other text fields to the row; where there are some, its own text is not among the shots.
        """
        for number in range(max(self.totals, default=0)):
            for group, key in enumerate(self.seed_set.keys):
                if number >= self.totals[group]:
                    continue
                members = self.seed_set.members[group]
                index = members[number % len(members)]
                rng = random.Random(digest(FEWGEN, str(self.seed), key, str(number)))
                yield Candidate.plan(
                    task=self.task.name,
                    strategy=FEWGEN,
                    seed=self.seed_set.seeds[index],
                    passage_id=None,
                    shots=self.shots.draw(rng, group, but=index if self.task.carried else None),
                    draw=number,
                    reserve=number >= self.per_label,
                )


def plan_fewgen(seed_set: SeedSet, *, task: TaskSpec, settings: PlanSettings, per_label: int, seed: int) -> FewGenPlan:
    """Plan FewGen as the strategy itself.

    RAISES (PlanError): When the task makes a text field of the passage.
    """
    if needs_passage(task):
        names = ", ".join(spec.name for spec in task.carried if spec.origin == "passage")
        raise PlanError(
            f"The mode '{FEWGEN}' has no passages, but the task's field {names} comes from the passage. "
            "Choose another strategy with --vars.strategy synthesizrr, or set `from: seed` for that field."
        )
    total = math.ceil(per_label * settings.overgenerate)
    return FewGenPlan(task, seed_set, Shots(seed_set, settings.shots_wanted), [total] * len(seed_set.keys), per_label, seed)
