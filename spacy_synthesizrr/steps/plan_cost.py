"""`plan-cost`: calls, tokens and money per arm and label, before the first call.

Three cases: *low* asks for every row once and all are accepted; *high* asks for the whole plan with its reserve, and every
answer is as long as it may be; *likely* lies between, with one row in `LIKELY_REJECTED` turned away and answers of the
length that the task hints at. A sample of the prompts is looked up in the response store: what is answered already is taken off
the low and the likely case. Where the teacher also judges labels, in `curate`, its questions are counted too. A price that is not
known stays "unknown"; a teacher on this machine costs nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spacy_synthesizrr.candidates import Candidate
from spacy_synthesizrr.context import Context
from spacy_synthesizrr.dimensions import read_chosen
from spacy_synthesizrr.errors import ConfigError
from spacy_synthesizrr.jsonl import read_jsonl
from spacy_synthesizrr.labelled import run_seeds
from spacy_synthesizrr.lookup import Lookup
from spacy_synthesizrr.models.answers.budget import Price, make_price
from spacy_synthesizrr.models.chat.wire import LIMIT_KEYS
from spacy_synthesizrr.prompts import Prompt
from spacy_synthesizrr.sourcing.context import BYTES_PER_TOKEN, TOKENS_PER_WORD
from spacy_synthesizrr.steps.rendering import answered, prompts, tokens_of
from spacy_synthesizrr.steps.teacher import Arm, arms, pipeline
from spacy_synthesizrr.steps.verify_cost import judging
from spacy_synthesizrr.stores.opening import open_store
from spacy_synthesizrr.teachers import teacher

SAMPLE = 50  # prompts per label that are rendered, counted and looked up
LIKELY_REJECTED = 5
LIKELY_LENGTH = 0.7  # of the most words that the task asks for
CASES = ("low", "likely", "high")


@dataclass(frozen=True)
class Estimate:
    """What one label of one arm will take.

    calls, prompt_tokens, answer_tokens, cost (Tuple): low, likely, high; cost is None where the price is unknown.
    firm (int): Prompts that are needed if every row is accepted, whether they have their answers or not.
    sampled (int), kept (int): Prompts that were rendered, and those among them that have their answer already.
    """

    arm: str
    label: str
    calls: tuple[int, int, int]
    prompt_tokens: tuple[int, int, int]
    answer_tokens: tuple[int, int, int]
    cost: tuple[float, float, float] | None
    firm: int
    sampled: int
    kept: int


def plan_cost(ctx: Context) -> list[Estimate]:
    """Estimate a planned run.

    RETURNS (List[Estimate]): Per arm and label, in their order.
    RAISES (RunFolderError): When nothing is planned yet.
    """
    with closing(open_store(ctx)) as store:
        return list(estimates(ctx, Lookup(ctx.task, store, run_seeds(ctx), read_chosen(ctx.folder.path))))


def estimates(ctx: Context, lookup: Lookup) -> Iterator[Estimate]:
    """See `plan_cost`.

    lookup (Lookup): The task, its passages and seeds.
    """
    component: Any = pipeline(ctx, arms(ctx)[0].mode).get_pipe("llm_synthesizrr")
    model = component.model
    price = price_of(ctx.config("teacher"), model, where=str(ctx.config_path("teacher")))
    limit = answer_limit(teacher(ctx))
    with answered(ctx, model) as known:
        rows: dict[str, int] = {}
        for arm in arms(ctx):
            for found in _estimates(ctx, arm, lookup, model, known, price=price, limit=limit):
                rows[arm.name] = rows.get(arm.name, 0) + found.firm
                yield found
    if not getattr(model, "copies", False):
        yield from _judged(ctx, lookup, rows, model, price=price, limit=limit)


def _judged(ctx: Context, lookup: Lookup, rows: Mapping[str, int], model: Any, *, price: Price, limit: int | None) -> Iterator[Estimate]:
    """What `curate` asks of the teacher as a judge of labels; none of it is looked up, because the rows are not there yet."""
    for one in judging(ctx, lookup, rows, lambda prompt: tokens_of(prompt, model)):
        told = (one.answer_tokens, one.answer_tokens, one.calls * limit if limit else one.answer_tokens)
        costs = [price.cost(one.prompt_tokens, tokens) for tokens in told]
        paid = [cost for cost in costs if cost is not None]
        cost = (paid[0], paid[1], paid[2]) if len(paid) == len(CASES) else None
        calls, asked = (one.calls,) * 3, (one.prompt_tokens,) * 3
        yield Estimate(one.arm, f"judging: {one.section}", calls, asked, told, cost, one.calls, 0, 0)


def price_of(config: Mapping[str, Any], model: object, *, where: str) -> Price:
    """The price of a teacher: what the model says itself, else the section [price], or nothing for one that works by rule.

    RAISES (ConfigError): For a price that is no number, or an unknown key.
    """
    own: Price | None = getattr(model, "price", None)
    if own is not None and config.get("price"):
        raise ConfigError(f"{where}: this teacher takes its price under [teacher.price], where its caps see it too. Move [price] there.")
    if own is not None:
        return own
    given = make_price(config.get("price") or {}, where=where)
    return Price(0.0, 0.0) if getattr(model, "by_rule", False) and not given.known else given


def answer_limit(block: Mapping[str, Any]) -> int | None:
    """RETURNS (int | None): Most tokens of one answer, where the teacher's config says so."""
    given = [block.get(name) or {} for name in ("parameters", "extra_body")]
    limits = [values[key] for values in given if isinstance(values, Mapping) for key in LIMIT_KEYS if values.get(key)]
    return min(limits, default=None)


def _estimates(
    ctx: Context, arm: Arm, lookup: Lookup, model: Any, known: Callable[[Prompt], bool], *, price: Price, limit: int | None
) -> Iterator[Estimate]:
    path = arm.folder / "planned.jsonl"
    plan = _calls(path)
    sizes: dict[str, list[int]] = {label: [] for label in plan}
    kept = dict.fromkeys(plan, 0)
    for candidate, prompt in prompts(ctx, arm, lookup, _sample(path, plan)):
        sizes[candidate.key].append(tokens_of(prompt, model))
        kept[candidate.key] += known(prompt)
    words = ctx.task.prompt.max_words * TOKENS_PER_WORD
    likely, most = math.ceil(LIKELY_LENGTH * words), limit or math.ceil(words)
    for label, (low, middle, high) in plan.items():
        sampled = max(1, len(sizes[label]))
        mean, new = sum(sizes[label]) / sampled, sampled - kept[label]
        calls = (low * new // sampled, math.ceil(middle * new / sampled), high)
        asked = (math.ceil(calls[0] * mean), math.ceil(calls[1] * mean), math.ceil(calls[2] * mean))
        told = (calls[0] * likely, calls[1] * likely, calls[2] * most)
        costs = [price.cost(a, t) for a, t in zip(asked, told, strict=True)]
        paid = [cost for cost in costs if cost is not None]
        cost = (paid[0], paid[1], paid[2]) if len(paid) == len(CASES) else None
        yield Estimate(arm.name, label, calls, asked, told, cost, low, sampled, kept[label])


def _calls(path: Path) -> dict[str, tuple[int, int, int]]:
    """Requests per label: low, likely, high, as if none had its answer."""
    firm: dict[str, int] = {}
    total: dict[str, int] = {}
    for candidate in read_jsonl(path, Candidate.from_dict):
        total[candidate.key] = total.get(candidate.key, 0) + 1
        firm[candidate.key] = firm.get(candidate.key, 0) + (not candidate.reserve)
    found: dict[str, tuple[int, int, int]] = {}
    for label, count in total.items():
        once = firm[label] or count
        found[label] = (once, min(count, once + math.ceil(once / (LIKELY_REJECTED - 1))), count)
    return found


def _sample(path: Path, plan: Mapping[str, tuple[int, int, int]]) -> Iterator[Candidate]:
    """Candidates of each label, evenly from those that will likely be asked: a run goes through them in order, so its first ones
    are the first to have answers.
    """
    chosen = {label: {place * likely // SAMPLE for place in range(SAMPLE)} for label, (_, likely, _) in plan.items()}
    seen = dict.fromkeys(plan, 0)
    for candidate in read_jsonl(path, Candidate.from_dict):
        if seen[candidate.key] in chosen[candidate.key]:
            yield candidate
        seen[candidate.key] += 1


def table(found: list[Estimate]) -> Iterator[str]:
    """YIELDS (str): Lines for the terminal, with a sum at the end."""
    yield f"{'arm':<10} {'label':<24} {'calls':>22} {'prompt tokens':>30} {'answer tokens':>30} {'money':>30}"
    for row in found:
        yield _line(row.arm, row.label, row.calls, row.prompt_tokens, row.answer_tokens, row.cost)
    calls, asked, told = (sums_of(found, name) for name in ("calls", "prompt_tokens", "answer_tokens"))
    yield _line("all", "", calls, asked, told, money_of(found))
    yield (
        f"Each figure: {' / '.join(CASES)}. Tokens are estimated: {TOKENS_PER_WORD} per word, or one per {BYTES_PER_TOKEN} bytes where "
        f"that is more; requests that fail and are asked again are not foreseen.{kept_in(found, ' ')}"
    )


def headline(found: list[Estimate]) -> str:
    """RETURNS (str): One line: what all of it will likely take, and what it may take."""
    calls, asked, told = (sums_of(found, name) for name in ("calls", "prompt_tokens", "answer_tokens"))
    money = money_of(found)
    tokens = [a + t for a, t in zip(asked, told, strict=True)]
    cost = "price unknown"
    if money is not None:
        cost = f"about {money[1]:.4f} of money (at most {money[2]:.4f})" if money[2] else "costs nothing"
    about = f"About {calls[1]:,} requests (at most {calls[2]:,}), {tokens[1]:,} tokens (at most {tokens[2]:,}), {cost}."
    return about + kept_in(found, " ")


def told(found: list[Estimate], run: str) -> str:
    """RETURNS (str): The headline, and where the rest stands. run (str): Its name."""
    return f"{headline(found)} In detail: synthesizrr plan-cost --run {run}"


def kept_in(found: list[Estimate], before: str) -> str:
    """RETURNS (str): How many of the sampled prompts have their answer already, after some words; empty where none has."""
    kept, sampled = sum(row.kept for row in found), sum(row.sampled for row in found)
    return f"{before}{kept} of {sampled} sampled prompts have their answers already, which cost nothing again." if kept else ""


def sums_of(found: list[Estimate], name: str) -> tuple[int, ...]:
    """RETURNS (Tuple[int, ...]): Low, likely and high of calls, prompt_tokens or answer_tokens, over all arms and labels."""
    return tuple(sum(getattr(row, name)[case] for row in found) for case in range(len(CASES)))


def money_of(found: list[Estimate]) -> tuple[float, ...] | None:
    """RETURNS (Tuple[float, ...] | None): Low, likely and high over all arms and labels; None where any price is unknown."""
    costs = [row.cost for row in found if row.cost is not None]
    return tuple(sum(cost[case] for cost in costs) for case in range(len(CASES))) if len(costs) == len(found) else None


def _line(arm: str, label: str, calls: Any, asked: Any, told: Any, cost: Any) -> str:
    money = "unknown" if cost is None else " / ".join(f"{value:.4f}" for value in cost)
    numbers = [" / ".join(f"{value:,}" for value in values) for values in (calls, asked, told)]
    return f"{arm:<10} {label[:24]:<24} {numbers[0]:>22} {numbers[1]:>30} {numbers[2]:>30} {money:>30}"
