"""`preview`: the prompts as the teacher will see them, and what all of them come to, before anything is asked."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from itertools import groupby
from typing import Any

from spacy_synthesizrr.context import Context
from spacy_synthesizrr.dimensions import read_chosen
from spacy_synthesizrr.labelled import run_seeds
from spacy_synthesizrr.lookup import Lookup
from spacy_synthesizrr.steps.plan_cost import Estimate, estimates, kept_in, sums_of
from spacy_synthesizrr.steps.rendering import prompts, tokens_of
from spacy_synthesizrr.steps.teacher import Arm, arms, pipeline
from spacy_synthesizrr.stores.opening import open_store

RULE = "─" * 78


def preview(ctx: Context, *, per_label: int) -> Iterator[str]:
    """Render prompts of the plan.

    per_label (int): Prompts to show per label.
    YIELDS (str): Lines for the terminal: the prompts, then counts and estimated tokens per arm, as `plan-cost` has them.
    """
    with closing(open_store(ctx)) as store:
        lookup = Lookup(ctx.task, store, run_seeds(ctx), read_chosen(ctx.folder.path))
        yield from _show(ctx, arms(ctx)[0], lookup, per_label)
        for _, rows in groupby(estimates(ctx, lookup), key=lambda row: row.arm):
            yield _line(list(rows))


def _show(ctx: Context, arm: Arm, lookup: Lookup, per_label: int) -> Iterator[str]:
    component: Any = pipeline(ctx, arm.mode).get_pipe("llm_synthesizrr")
    shown: dict[str, int] = {}
    for candidate, prompt in prompts(ctx, arm, lookup):
        if shown.get(candidate.key, 0) >= per_label:
            if len(shown) == len(ctx.task.labels) and all(count >= per_label for count in shown.values()):
                break
            continue
        shown[candidate.key] = shown.get(candidate.key, 0) + 1
        about = f"about {tokens_of(prompt, component.model)} tokens"
        yield f"{RULE}\n{candidate.key} · candidate {candidate.id} · {about}\n{RULE}\n{prompt}\n"


def _line(rows: list[Estimate]) -> str:
    calls, asked, told = (sums_of(rows, name) for name in ("calls", "prompt_tokens", "answer_tokens"))
    return (
        f"{rows[0].arm}: {sum(row.firm for row in rows)} prompts if every row is accepted, {calls[-1]} with the whole reserve; about "
        f"{asked[-1] / max(1, calls[-1]):.0f} tokens each: {asked[0]:,} to {asked[-1]:,} prompt tokens, and {told[0]:,} to at most "
        f"{told[-1]:,} answer tokens (estimated, see synthesizrr plan-cost){kept_in(rows, ': ')}"
    )
