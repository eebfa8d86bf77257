"""What the teacher will be asked as a judge of labels, in `curate`: questions and tokens, before the first one.

The rows are not there yet. Every arm has as many as it wants at most, and the seeds' texts stand in for them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from spacy_synthesizrr.context import Context
from spacy_synthesizrr.lookup import Lookup
from spacy_synthesizrr.prompts import Prompt
from spacy_synthesizrr.set_filters.blind import judge_config
from spacy_synthesizrr.set_filters.evidence import TEACHER
from spacy_synthesizrr.set_filters.gold_rows import MOST, TRAIN
from spacy_synthesizrr.set_filters.labels import DRAWS, NAME, TEACHER_ROWS
from spacy_synthesizrr.set_filters.running import SET_FILTERS
from spacy_synthesizrr.tasks.verify import make_verify_task

SAMPLE = 50  # seeds whose questions are rendered
NAME_TOKENS = 8  # of the name of a label


@dataclass(frozen=True)
class Judging:
    """What one section [set_filters.NAME] asks of the teacher for one arm.

    calls (int): Questions. prompt_tokens (int): Of all of them. answer_tokens (int): Likely, of all answers.
    """

    section: str
    arm: str
    calls: int
    prompt_tokens: int
    answer_tokens: int


def judging(ctx: Context, lookup: Lookup, rows: Mapping[str, int], tokens: Callable[[Prompt], int]) -> Iterator[Judging]:
    """Estimate the questions of every judge of labels that is the teacher.

    rows (Mapping[str, int]): Rows that each arm wants.
    tokens (Callable): Estimates the tokens of a prompt.
    YIELDS (Judging): Per section and arm. Questions about labelled rows are the same for every arm and asked once.
    """
    for name, section in (ctx.config("curate").get(SET_FILTERS) or {}).items():
        if not isinstance(section, dict) or section.get("@misc") != NAME or TEACHER not in (section.get("judges") or ()):
            continue
        draws = int(section.get("draws", DRAWS))
        mean = _mean_tokens(ctx, lookup, draws, tokens)
        known = min(int(section.get("teacher_rows", TEACHER_ROWS)), _labelled(ctx, lookup, section))
        for arm, count in rows.items():
            calls, known = draws * (count + known), 0
            yield Judging(name, arm, calls, math.ceil(calls * mean), calls * NAME_TOKENS)


def _mean_tokens(ctx: Context, lookup: Lookup, draws: int, tokens: Callable[[Prompt], int]) -> float:
    config = {key: value for key, value in judge_config(ctx, draws=draws).items() if not key.startswith("@")}
    task = make_verify_task(**config)
    names = [spec.name for spec in ctx.task.fields]
    shown = ({name: seed.fields.get(name, "") for name in names} for seed in islice(lookup.seeds.values(), SAMPLE))
    sizes = [tokens(task.prompts(fields)[0]) for fields in shown]
    return sum(sizes) / max(1, len(sizes))


def _labelled(ctx: Context, lookup: Lookup, section: Mapping[str, Any]) -> int:
    """RETURNS (int): Labelled rows that could be judged: gold seeds, and train rows where the section uses them."""
    kinds = section.get("labelled") or ["seeds"]
    seeds = sum(seed.origin == "gold" for seed in lookup.seeds.values()) if "seeds" in kinds else 0
    return seeds + (MOST if TRAIN in kinds and ctx.task.file(TRAIN) else 0)
