"""The arms of a run that its teacher answers, and the pipeline that asks it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from spacy_synthesizrr.context import Context
from spacy_synthesizrr.sourcing.settings import EXTRAPOLATE
from spacy_synthesizrr.students.arms import FEWGEN, arm_file
from spacy_synthesizrr.teachers import pipeline_for

if TYPE_CHECKING:
    from spacy.language import Language

    from spacy_synthesizrr.models.answers.responses import ResponseStore


@dataclass(frozen=True)
class Arm:
    """The run itself ("main") or a control that the teacher answers too."""

    name: str
    folder: Path
    mode: str


def arms(ctx: Context) -> list[Arm]:
    """RETURNS (List[Arm]): The arms that `plan` planned, by its receipt, the main one first."""
    counts = ctx.folder.receipt("plan")["counts"]
    modes = {name: FEWGEN if name == FEWGEN else str(counts["mode"]) for name in counts["arms"]}
    return [Arm(name, ctx.folder.file(arm_file(name, "")), mode) for name, mode in modes.items()]


def pipeline(ctx: Context, mode: str, answers: ResponseStore | None = None, *, stage: str = "") -> Language:
    """A blank pipeline with our task and the run's teacher, whose answers are remembered in the response store.

    mode (str): Of a strategy, see `tasks.sections.task_config`.
    answers (ResponseStore | None): Where answers are remembered, if they are.
    stage (str): For the ledger.
    """
    from spacy_synthesizrr.steps.plan_settings import plan_settings
    from spacy_synthesizrr.tasks.registry import task_config

    task = task_config(ctx.task, mode=mode)
    if mode not in (FEWGEN, EXTRAPOLATE):  # prompts cut passages where the plan measured them
        task["max_context"] = plan_settings(ctx).context.max_tokens
    task["typical_refusals"] = False  # the filter NotRefused decides, where configs/curate.cfg can switch it off
    return pipeline_for(ctx, task, answers, stage=stage)
