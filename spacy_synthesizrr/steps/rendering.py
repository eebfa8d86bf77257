"""Prompts of a plan as the teacher will see them, and about how many tokens they come to."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from spacy_synthesizrr.candidates import Candidate
from spacy_synthesizrr.context import Context
from spacy_synthesizrr.jsonl import read_jsonl
from spacy_synthesizrr.lookup import Lookup
from spacy_synthesizrr.models.answers.responses import ResponseStore, request_hash
from spacy_synthesizrr.models.chat.wire import messages_of
from spacy_synthesizrr.prompts import Prompt
from spacy_synthesizrr.sourcing.context import estimate_tokens
from spacy_synthesizrr.steps.teacher import Arm, pipeline
from spacy_synthesizrr.synthesis import docs
from spacy_synthesizrr.teachers import answers_file, identity, teacher


def prompts(ctx: Context, arm: Arm, lookup: Lookup, candidates: Iterable[Candidate] | None = None) -> Iterator[tuple[Candidate, Prompt]]:
    """Render prompts of an arm.

    candidates (Iterable[Candidate] | None): Which; all of the plan, in its order, by default.
    """
    nlp = pipeline(ctx, arm.mode)
    component: Any = nlp.get_pipe("llm_synthesizrr")
    task = component._task
    planned = read_jsonl(arm.folder / "planned.jsonl", Candidate.from_dict) if candidates is None else candidates
    for rendered, shards in task.generate_prompts(docs(iter(planned), nlp=nlp, lookup=lookup)):
        for prompt, doc in zip(rendered, shards, strict=True):
            yield Candidate.from_dict(doc._.synthesizrr_planned[0]["candidate"]), prompt


def tokens_of(prompt: Prompt, model: Any) -> int:
    """Estimate what a teacher reads for a prompt: all messages, the system prompt among them, and the schema of the answer.

    model (Callable): The teacher.
    """
    system = getattr(getattr(model, "shape", None), "system", None) or getattr(model, "system", None)
    parts = [message["content"] for message in messages_of(prompt, system)]
    schema = [] if prompt.schema is None else [json.dumps(prompt.schema, ensure_ascii=False)]
    return estimate_tokens("\n".join([*parts, *schema]))


@contextmanager
def answered(ctx: Context, model: Any) -> Iterator[Callable[[Prompt], bool]]:
    """A look into the response store of a run: whether a prompt has its answer already. Makes no store where there is none.

    model (Callable): The teacher.
    """
    block = teacher(ctx)
    path = answers_file(ctx, block)
    if not path.is_file():
        yield lambda prompt: False
        return
    with ResponseStore(path) as store:
        if hasattr(model, "shape"):
            yield lambda prompt: store.get(model.shape.hash_of(prompt)) is not None
        else:
            own, by_rule = identity(block, model), bool(getattr(model, "by_rule", False))
            yield lambda prompt: store.get(request_hash(prompt, identity=own, by_rule=by_rule)) is not None
