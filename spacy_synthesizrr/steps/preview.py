"""`preview`: the prompts as the teacher will see them, and how many tokens they come to, before anything is asked."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Any

from spacy_synthesizrr.candidates import Candidate
from spacy_synthesizrr.context import Context
from spacy_synthesizrr.jsonl import read_jsonl
from spacy_synthesizrr.labelled import read_seeds
from spacy_synthesizrr.lookup import Lookup
from spacy_synthesizrr.prompts import Prompt
from spacy_synthesizrr.sourcing.context import count_tokens
from spacy_synthesizrr.steps.teacher import Arm, arms, pipeline
from spacy_synthesizrr.stores.opening import open_store
from spacy_synthesizrr.synthesis import docs

SAMPLE = 200
RULE = "─" * 78


def preview(ctx: Context, *, per_label: int) -> Iterator[str]:
    """Render prompts of the plan.

    per_label (int): Prompts to show per label.
    YIELDS (str): Lines for the terminal: the prompts, then counts and estimated tokens per arm.
    """
    found = arms(ctx)
    with closing(open_store(ctx)) as store:
        lookup = Lookup(ctx.task, store, read_seeds(ctx.task))
        yield from _show(ctx, found[0], lookup, per_label)
        for arm in found:
            yield _estimate(ctx, arm, lookup)


def _show(ctx: Context, arm: Arm, lookup: Lookup, per_label: int) -> Iterator[str]:
    shown: dict[str, int] = {}
    for candidate, prompt in prompts(ctx, arm, lookup):
        if shown.get(candidate.key, 0) >= per_label:
            if len(shown) == len(ctx.task.labels) and all(count >= per_label for count in shown.values()):
                break
            continue
        shown[candidate.key] = shown.get(candidate.key, 0) + 1
        yield f"{RULE}\n{candidate.key} · candidate {candidate.id} · about {count_tokens(prompt)} tokens\n{RULE}\n{prompt}\n"


def _estimate(ctx: Context, arm: Arm, lookup: Lookup) -> str:
    """Mean tokens of the first prompts times the prompts that a run without a rejected row would need, and all of them."""
    sizes, total, firm = [], 0, 0
    for candidate in read_jsonl(arm.folder / "planned.jsonl", Candidate.from_dict):
        total += 1
        firm += not candidate.reserve
    for number, (_, prompt) in enumerate(prompts(ctx, arm, lookup)):
        sizes.append(count_tokens(prompt))
        if number + 1 >= SAMPLE:
            break
    mean = sum(sizes) / len(sizes) if sizes else 0.0
    answer = ctx.task.prompt.max_words * 1.3
    return (
        f"{arm.name}: {firm} prompts if every row is accepted, {total} with the whole reserve; about {mean:.0f} tokens each: "
        f"{firm * mean:,.0f} to {total * mean:,.0f} prompt tokens and at most {firm * answer:,.0f} to {total * answer:,.0f} answer "
        "tokens (estimated at 1.3 tokens per word)."
    )


def prompts(ctx: Context, arm: Arm, lookup: Lookup) -> Iterator[tuple[Candidate, Prompt]]:
    """Render the prompts of an arm, in plan order."""
    nlp = pipeline(ctx, arm.mode)
    component: Any = nlp.get_pipe("llm_synthesizrr")
    task = component._task
    planned = read_jsonl(arm.folder / "planned.jsonl", Candidate.from_dict)
    for rendered, shards in task.generate_prompts(docs(planned, nlp=nlp, lookup=lookup)):
        for prompt, doc in zip(rendered, shards, strict=True):
            yield Candidate.from_dict(doc._.synthesizrr_planned[0]["candidate"]), prompt
