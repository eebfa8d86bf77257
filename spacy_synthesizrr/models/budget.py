"""What may be spent: reservations at admission, so that a cap holds before it is exceeded and not after.

A request that is admitted reserves the most that it can cost; when it is settled, what it did cost takes the place of the
reservation. A reservation that does not fit waits for requests in flight to be settled; when none is in flight, the cap
is reached. Money is counted only where a price is known: an unknown price stays unknown and is never taken for zero.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Dict

from spacy_synthesizrr.errors import ConfigError, choices

MARGIN = 1.25  # over the most tokens per byte that were seen
FIRST_GUESS = 0.5  # tokens per byte before any answer; English has about 0.25
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

    def add(self, other: Spent, sign: int = 1) -> None:
        """Add another account, or take it off with sign = -1."""
        self.requests += sign * other.requests
        self.prompt_tokens += sign * other.prompt_tokens
        self.answer_tokens += sign * other.answer_tokens


@dataclass
class Budget:
    """Caps and what counts against them. Used on one thread.

    price (Price): For `max_cost`.
    max_cost (float | None), max_tokens (int | None), max_requests (int | None): Caps; None means none.
    answer_limit (int | None): Most tokens that one answer may have.
    spent (Spent): By the run, in this and earlier processes. new (Spent): Here and now.
    """

    price: Price = Price()
    max_cost: float | None = None
    max_tokens: int | None = None
    max_requests: int | None = None
    answer_limit: int | None = None
    spent: Spent = field(default_factory=Spent)
    new: Spent = field(default_factory=Spent)
    reserved: Spent = field(default_factory=Spent)
    reached: str = ""
    _ratio: float = FIRST_GUESS
    _seen: bool = False

    def reservation(self, size: int) -> Spent:
        """The most that a request can cost.

        size (int): Bytes of its body.
        """
        return Spent(1, int(size * self._ratio) + 1, self.answer_limit or 0)

    def exceeded_by(self, wanted: Spent) -> str:
        """RETURNS (str): The cap that a reservation would break, in words; empty when it fits."""
        total = Spent()
        for part in (self.spent, self.reserved, wanted):
            total.add(part)
        cost = self.price.cost(total.prompt_tokens, total.answer_tokens)
        if self.max_requests is not None and total.requests > self.max_requests:
            return f"max_requests = {self.max_requests} ({self.spent.requests} sent)"
        if self.max_tokens is not None and total.prompt_tokens + total.answer_tokens > self.max_tokens:
            return f"max_tokens = {self.max_tokens} ({self.spent.prompt_tokens + self.spent.answer_tokens} used)"
        if self.max_cost is not None and cost is not None and cost > self.max_cost:
            return f"max_cost = {self.max_cost:g} ({self.price.cost(self.spent.prompt_tokens, self.spent.answer_tokens) or 0:.4f} spent)"
        return ""

    def reserve(self, wanted: Spent) -> None:
        """Hold back what a request can cost."""
        self.reserved.add(wanted)

    def settle(self, wanted: Spent, used: Spent) -> None:
        """Put what a request did cost in the place of its reservation."""
        self.reserved.add(wanted, -1)
        self.spent.add(used)
        self.new.add(used)

    def starting(self, spent: Spent) -> Budget:
        """RETURNS (Budget): The same caps, with what a run has spent before."""
        return Budget(self.price, self.max_cost, self.max_tokens, self.max_requests, self.answer_limit, spent)

    def sums(self, spent: Spent) -> Dict[str, Any]:
        """RETURNS (dict): requests, tokens, cost (None where the price is not known)."""
        cost = self.price.cost(spent.prompt_tokens, spent.answer_tokens)
        return {"requests": spent.requests, "tokens": spent.prompt_tokens + spent.answer_tokens, "cost": cost}

    def learn(self, size: int, prompt_tokens: int | None) -> None:
        """Correct the guess of tokens per byte from what a server counted: never under the most that was seen."""
        if not size or not prompt_tokens:
            return
        ratio = MARGIN * prompt_tokens / size
        self._ratio = max(self._ratio, ratio) if self._seen else ratio
        self._seen = True


def make_budget(
    caps: Mapping[str, Any] | None, price: Mapping[str, Any] | None, *, answer_limit: int | None, local: bool, name: str
) -> Budget:
    """Check caps and price.

    local (bool): The server is on this machine: without a price, its answers cost nothing.
    RAISES (ConfigError): For unknown keys, for a cap on money without a price, for a cap on tokens or money without a limit
        of tokens per answer.
    """
    given = _numbers(caps or {}, CAPS, f"{name}: budget")
    known = make_price(price or {}, where=f"{name}: price")
    if local and known == Price():
        known = Price(0.0, 0.0)
    if given.get("max_cost") is not None and not known.known:
        raise ConfigError(
            f"{name}: budget.max_cost = {given['max_cost']:g} cannot be kept, because the price is unknown. Give it per million tokens, "
            "from the price list of the provider: [price] input_per_million = …, output_per_million = …; or cap max_tokens instead."
        )
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
