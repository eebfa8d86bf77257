"""What may be spent: reservations at admission, so that a cap holds before it is exceeded and not after.

A request that is admitted holds back the most that it can cost, and that is no guess: a tokenizer makes at most one token of
a byte. When it is settled, what it did cost takes that place, usually a quarter. So a cap that is far away slows nothing
down, and one that is near lets fewer go at a time. What does not fit waits for requests in flight to be settled; when none is
in flight, the cap is reached. A request that no empty account could bear fails alone, and smaller ones go on.

Rates and the account of a request whose reply got lost use a likelier figure, from the tokens per byte that were seen.
Money is counted only where a price is known: an unknown price stays unknown and is never taken for zero.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Dict

from spacy_synthesizrr.errors import ConfigError, choices

MARGIN = 1.25  # over the most tokens per byte that were seen
FIRST_GUESS = 0.5  # tokens per byte before any answer; English has about 0.25
MOST = 1.0  # tokens per byte: those whose tokenizers fall back to bytes reach it with digits, code, rare scripts
TEMPLATE = 32  # tokens that a server may put around the messages, beside what their JSON takes
CAPS = ("max_cost", "max_tokens", "max_requests")
PRICES = ("input_per_million", "output_per_million")
MILLION = 1_000_000


@dataclass(frozen=True)
class Price:
    """Money per million tokens, in any one currency. None where it is not known."""

    input_per_million: float | None = None
    output_per_million: float | None = None

    @property
    def known(self) -> bool:
        """RETURNS (bool): Whether both prices are."""
        return self.input_per_million is not None and self.output_per_million is not None

    def cost(self, prompt_tokens: float, answer_tokens: float) -> float | None:
        """RETURNS (float | None): Money for tokens; None where the price is not known."""
        if self.input_per_million is None or self.output_per_million is None:
            return None
        return (prompt_tokens * self.input_per_million + answer_tokens * self.output_per_million) / MILLION


@dataclass
class Spent:
    """What was spent: requests that may have been paid, and their tokens."""

    requests: int = 0
    prompt_tokens: int = 0
    answer_tokens: int = 0

    @property
    def tokens(self) -> int:
        """RETURNS (int): Of prompts and answers."""
        return self.prompt_tokens + self.answer_tokens

    def add(self, other: Spent, sign: int = 1) -> None:
        """Add another account, or take it off with sign = -1."""
        self.requests += sign * other.requests
        self.prompt_tokens += sign * other.prompt_tokens
        self.answer_tokens += sign * other.answer_tokens


@dataclass
class Total(Spent):
    """What a run has spent by the ledger, on all its models.

    cost (float): Money, of the requests whose price was known when they were paid.
    unpriced (Spent): The other requests, which are counted above too.
    """

    cost: float = 0.0
    unpriced: Spent = field(default_factory=Spent)

    def add(self, other: Spent, sign: int = 1) -> None:
        """Add another account, or take it off with sign = -1."""
        super().add(other, sign)
        self.cost += sign * (other.cost if isinstance(other, Total) else 0.0)
        self.unpriced.add(other.unpriced if isinstance(other, Total) else other, sign)


@dataclass
class Budget:
    """Caps and what counts against them. Used on one thread, but for `others`.

    price (Price): For `max_cost`.
    max_cost (float | None), max_tokens (int | None), max_requests (int | None): Caps; None means none.
    answer_limit (int | None): Most tokens that one answer may have.
    before (Total): What the run spent elsewhere: in earlier processes, in others that run now, on other models.
    new (Spent): Here and now. reserved (Spent): The most that what is in flight can cost.
    reached (str): The cap that was reached, in words. It stays so.
    """

    price: Price = Price()
    max_cost: float | None = None
    max_tokens: int | None = None
    max_requests: int | None = None
    answer_limit: int | None = None
    before: Total = field(default_factory=Total)
    new: Spent = field(default_factory=Spent)
    reserved: Spent = field(default_factory=Spent)
    reached: str = ""
    _ratio: float = FIRST_GUESS
    _seen: bool = False

    @property
    def spent(self) -> Total:
        """RETURNS (Total): By the run, here and elsewhere."""
        total = Total()
        for part in (self.before, self.new):
            total.add(part)
        return total

    def others(self, spent: Total) -> None:
        """Learn what the run has spent elsewhere by now. Any thread may tell."""
        self.before = spent

    def reservation(self, size: int) -> Spent:
        """What a request will cost, rather more than less: for rates, and for the account when its reply gets lost.

        size (int): Bytes of its body.
        """
        return self.most(size) if self._strict else Spent(1, int(size * self._ratio) + 1, self.answer_limit or 0)

    def most(self, size: int) -> Spent:
        """What a request can cost at the very most: what counts against the caps while it is in flight.

        size (int): Bytes of its body.
        """
        return Spent(1, int(size * MOST) + TEMPLATE, self.answer_limit or 0)

    @property
    def _strict(self) -> bool:
        """Whether a guess could break a cap: nothing is known yet of the tokens in a byte."""
        return not self._seen and (self.max_tokens is not None or self.max_cost is not None)

    def alone(self, wanted: Spent) -> str:
        """RETURNS (str): The cap, unless it is 0, that a request breaks even where nothing was spent; empty when it could fit."""
        cost = self._money(wanted)
        if self.max_tokens is not None and 0 < self.max_tokens < wanted.tokens:
            return f"this request alone could take {wanted.tokens:,} tokens, and max_tokens = {self.max_tokens}"
        if self.max_cost is not None and cost is not None and 0 < self.max_cost < cost:
            return f"this request alone could cost {cost:.4f}, and max_cost = {self.max_cost:g}"
        return ""

    def exceeded_by(self, wanted: Spent) -> str:
        """RETURNS (str): The cap that a reservation would break, in words; empty when it fits."""
        spent, total = self.spent, self.spent
        for part in (self.reserved, wanted):
            total.add(part)
        if self.max_requests is not None and total.requests > self.max_requests:
            return f"max_requests = {self.max_requests} ({spent.requests} sent)"
        if self.max_tokens is not None and total.tokens > self.max_tokens:
            return f"max_tokens = {self.max_tokens} ({spent.tokens} used, and the next request could take {wanted.tokens})"
        cost = self._money(total)
        if self.max_cost is not None and cost is not None and cost > self.max_cost:
            each = self._money(wanted) or 0.0
            return f"max_cost = {self.max_cost:g} ({self._money(spent) or 0.0:.4f} spent, and the next request could cost {each:.4f})"
        return ""

    def reserve(self, wanted: Spent) -> None:
        """Hold back what a request can cost."""
        self.reserved.add(wanted)

    def settle(self, wanted: Spent, used: Spent) -> None:
        """Put what a request did cost in the place of its reservation."""
        self.reserved.add(wanted, -1)
        self.new.add(used)

    def starting(self, spent: Spent) -> Budget:
        """RETURNS (Budget): The same caps, with what a run has spent before."""
        before = Total()
        before.add(spent)
        return Budget(self.price, self.max_cost, self.max_tokens, self.max_requests, self.answer_limit, before)

    def sums(self, spent: Spent) -> Dict[str, Any]:
        """RETURNS (dict): requests, tokens, cost (None where the price is not known)."""
        return {"requests": spent.requests, "tokens": spent.tokens, "cost": self._money(spent)}

    def learn(self, size: int, prompt_tokens: int | None) -> None:
        """Correct the guess of tokens per byte from what a server counted: never under the most that was seen."""
        if not size or not prompt_tokens:
            return
        ratio = MARGIN * prompt_tokens / size
        self._ratio = max(self._ratio, ratio) if self._seen else ratio
        self._seen = True

    def _money(self, spent: Spent) -> float | None:
        """What an account comes to. Requests without a price of their own are taken at this one."""
        open_ = spent.unpriced if isinstance(spent, Total) else spent
        cost = self.price.cost(open_.prompt_tokens, open_.answer_tokens)
        return None if cost is None else cost + (spent.cost if isinstance(spent, Total) else 0.0)


def make_budget(
    caps: Mapping[str, Any] | None, price: Mapping[str, Any] | None, *, answer_limit: int | None, local: bool, name: str
) -> Budget:
    """Check caps and price.

    local (bool): The server is on this machine: without a price, its answers are taken to cost nothing. It may be a gateway that
        costs, so a cap on money wants a price here too.
    RAISES (ConfigError): For unknown keys, for a cap on money without a price, for a cap on tokens or money without a limit
        of tokens per answer.
    """
    given = _numbers(caps or {}, CAPS, f"{name}: budget")
    known = make_price(price or {}, where=f"{name}: price")
    if given.get("max_cost") is not None and not known.known:
        free = ", or set both to 0 if this server costs nothing" if local else ""
        raise ConfigError(
            f"{name}: budget.max_cost = {given['max_cost']:g} cannot be kept, because the price is unknown. Give it per million tokens, "
            f"from the price list of the provider: [teacher.price] input_per_million = …, output_per_million = …{free}; "
            "or cap max_tokens instead."
        )
    if local and known == Price():
        known = Price(0.0, 0.0)
    if answer_limit is None and (given.get("max_tokens") is not None or given.get("max_cost") is not None):
        raise ConfigError(
            f"{name}: a cap on tokens or money needs to know how long one answer can be. "
            "Set max_tokens in [teacher.parameters], such as 512."
        )
    return Budget(known, given.get("max_cost"), _whole(given, "max_tokens"), _whole(given, "max_requests"), answer_limit)


def make_price(values: Mapping[str, Any], *, where: str) -> Price:
    """Check a price.

    RAISES (ConfigError): For an unknown key, or a value that is no number.
    """
    return Price(**_numbers(values, PRICES, where))


def _whole(given: Mapping[str, float | None], key: str) -> int | None:
    value = given.get(key)
    return None if value is None else int(value)


def _numbers(values: Mapping[str, Any], valid: tuple[str, ...], where: str) -> Dict[str, float | None]:
    for key, value in values.items():
        if key not in valid:
            raise ConfigError(f"{where} has the unknown key '{key}'. {choices(key, valid)}")
        if value is not None and (isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < float("inf")):
            raise ConfigError(f"{where}: {key} = {value!r} must be a number from 0, or null for none.")
    return {key: value for key, value in values.items() if value is not None}
