"""`plan-cost`: calls, tokens and money per arm and label, before the first call.

Three cases: *low* asks for every row once and all are accepted; *high* asks for the whole plan with its reserve, and every
answer is as long as it may be; *likely* lies between, with one row in `LIKELY_REJECTED` turned away and answers of the
length that the task hints at. A price that is not known stays "unknown"; a teacher on this machine costs nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from spacy_synthesizrr.candidates import Candidate
from spacy_synthesizrr.context import Context
from spacy_synthesizrr.errors import ConfigError
from spacy_synthesizrr.jsonl import read_jsonl
from spacy_synthesizrr.labelled import read_seeds
from spacy_synthesizrr.lookup import Lookup
from spacy_synthesizrr.models.budget import Price, make_price
from spacy_synthesizrr.models.wire import LIMIT_KEYS
from spacy_synthesizrr.sourcing.context import count_tokens
from spacy_synthesizrr.steps.preview import prompts
from spacy_synthesizrr.steps.teacher import Arm, arms, pipeline, teacher
from spacy_synthesizrr.stores.opening import open_store

SAMPLE = 50  # prompts per label whose tokens are counted
LIKELY_REJECTED = 5
TOKENS_PER_WORD = 1.3
LIKELY_LENGTH = 0.7  # of the most words that the task asks for
CASES = ("low", "likely", "high")


@dataclass(frozen=True)
class Estimate:
    """What one label of one arm will take.

    calls, prompt_tokens, answer_tokens, cost (Tuple): low, likely, high; cost is None where the price is unknown.
    """

    arm: str
    label: str
    calls: tuple[int, int, int]
    prompt_tokens: tuple[int, int, int]
    answer_tokens: tuple[int, int, int]
    cost: tuple[float, float, float] | None


def plan_cost(ctx: Context) -> list[Estimate]:
    """Estimate a planned run.

    RETURNS (List[Estimate]): Per arm and label, in their order.
    RAISES (RunFolderError): When nothing is planned yet.
    """
    config = ctx.config("teacher")
    model: Any = pipeline(ctx, arms(ctx)[0].mode).get_pipe("llm_synthesizrr")
    price = price_of(config, model._model, where=str(ctx.config_path("teacher")))
    limit = answer_limit(teacher(ctx))
    with closing(open_store(ctx)) as store:
        lookup = Lookup(ctx.task, store, read_seeds(ctx.task))
        return [estimate for arm in arms(ctx) for estimate in _estimates(ctx, arm, lookup, price, limit)]


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


def _estimates(ctx: Context, arm: Arm, lookup: Lookup, price: Price, limit: int | None) -> Iterator[Estimate]:
    firm: dict[str, int] = {}
    total: dict[str, int] = {}
    for candidate in read_jsonl(arm.folder / "planned.jsonl", Candidate.from_dict):
        total[candidate.key] = total.get(candidate.key, 0) + 1
        firm[candidate.key] = firm.get(candidate.key, 0) + (not candidate.reserve)
    sizes: dict[str, list[int]] = {label: [] for label in total}
    for candidate, prompt in prompts(ctx, arm, lookup):
        if len(sizes[candidate.key]) < SAMPLE:
            sizes[candidate.key].append(count_tokens(prompt))
        elif all(len(found) >= min(SAMPLE, total[label]) for label, found in sizes.items()):
            break
    words = ctx.task.prompt.max_words * TOKENS_PER_WORD
    likely, most = int(LIKELY_LENGTH * words), limit or int(words)
    for label, count in total.items():
        mean = sum(sizes[label]) / max(1, len(sizes[label]))
        once = firm[label] or count
        calls = (once, min(count, once + once // (LIKELY_REJECTED - 1)), count)
        asked = (int(calls[0] * mean), int(calls[1] * mean), int(calls[2] * mean))
        told = (calls[0] * likely, calls[1] * likely, calls[2] * most)
        costs = [price.cost(a, t) for a, t in zip(asked, told, strict=True)]
        known = [cost for cost in costs if cost is not None]
        yield Estimate(arm.name, label, calls, asked, told, (known[0], known[1], known[2]) if len(known) == 3 else None)


def table(found: list[Estimate]) -> Iterator[str]:
    """YIELDS (str): Lines for the terminal, with a sum at the end."""
    yield f"{'arm':<10} {'label':<24} {'calls':>22} {'prompt tokens':>30} {'answer tokens':>30} {'money':>30}"
    for row in found:
        yield _line(row.arm, row.label, row.calls, row.prompt_tokens, row.answer_tokens, row.cost)
    calls, asked, told = (sums_of(found, name) for name in ("calls", "prompt_tokens", "answer_tokens"))
    yield _line("all", "", calls, asked, told, money_of(found))
    yield f"Each figure: {' / '.join(CASES)}. Tokens are estimated at {TOKENS_PER_WORD} per word. Answers that are kept cost nothing again."


def headline(found: list[Estimate]) -> str:
    """RETURNS (str): One line: what all of it will likely take, and what it may take."""
    calls, asked, told = (sums_of(found, name) for name in ("calls", "prompt_tokens", "answer_tokens"))
    money = money_of(found)
    tokens = [a + t for a, t in zip(asked, told, strict=True)]
    cost = "price unknown"
    if money is not None:
        cost = f"about {money[1]:.4f} of money (at most {money[2]:.4f})" if money[2] else "costs nothing"
    return f"About {calls[1]:,} requests (at most {calls[2]:,}), {tokens[1]:,} tokens (at most {tokens[2]:,}), {cost}."


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
