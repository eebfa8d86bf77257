"""Who may send when: one queue for first attempts and retries, oldest prompt first.

Every request holds a permit from admission until its answer is on disk, so "in flight" is all that a crash can cost.
"""

from __future__ import annotations

import asyncio
import heapq
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import List, Tuple

from spacy_synthesizrr.models.budget import Budget, Spent
from spacy_synthesizrr.models.pace import Bucket, Pace

_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


class OverBudget(Exception):
    """A cap is reached: this request is not sent. Ends as a Failure, never outside."""


@dataclass(frozen=True)
class Permit:
    """Leave to send one request.

    sent (float): When it was given, on the monotonic clock.
    reserved (Spent): What the request can cost at most.
    """

    sent: float
    reserved: Spent


@dataclass(order=True)
class _Waiter:
    number: int
    size: int = field(compare=False)
    granted: asyncio.Future[Permit] = field(compare=False)


class Admission:
    """Gives and takes back permits. Lives on one event loop.

    pace (Pace): How many may be in flight.
    budget (Budget): What may be spent.
    requests_per_minute (float | None), tokens_per_minute (float | None): Rates to keep under; None means none.
    """

    def __init__(
        self, pace: Pace, budget: Budget, *, requests_per_minute: float | None = None, tokens_per_minute: float | None = None
    ) -> None:
        self.pace, self.budget = pace, budget
        self.in_flight = 0
        self._requests = Bucket(requests_per_minute) if requests_per_minute else None
        self._tokens = Bucket(tokens_per_minute) if tokens_per_minute else None
        self._waiting: List[_Waiter] = []
        self._timer: asyncio.TimerHandle | None = None

    async def acquire(self, number: int, size: int) -> Permit:
        """Wait for leave to send.

        number (int): Place of the prompt: lower ones go first.
        size (int): Bytes of the request.
        RETURNS (Permit): Must be given back with `release`.
        RAISES (OverBudget): When a cap is reached.
        """
        granted: asyncio.Future[Permit] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, _Waiter(number, size, granted))
        self._pump()
        try:
            return await granted
        except asyncio.CancelledError:
            if granted.done() and not granted.cancelled() and granted.exception() is None:  # given in the same instant
                self.release(granted.result(), Spent())
            raise

    def release(self, permit: Permit, used: Spent) -> None:
        """Give a permit back.

        used (Spent): What the request did cost.
        """
        self.in_flight -= 1
        self.budget.settle(permit.reserved, used)
        if self._tokens is not None:
            reserved = permit.reserved
            self._tokens.take(used.prompt_tokens + used.answer_tokens - reserved.prompt_tokens - reserved.answer_tokens)
        self._pump()

    def held(self, headers: Mapping[str, str]) -> None:
        """Wait when a reply says that its requests or tokens per minute are used up."""
        for what in ("requests", "tokens"):
            left, reset = headers.get(f"x-ratelimit-remaining-{what}"), headers.get(f"x-ratelimit-reset-{what}")
            if left is not None and left.strip() == "0" and (seconds := duration(reset or "")):
                self.pace.hold(time.monotonic() + min(seconds, 60.0))

    def _pump(self) -> None:
        """Let in all who may go now, oldest first."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        while self._waiting:
            waiter = self._waiting[0]
            if waiter.granted.done():  # cancelled while it waited
                heapq.heappop(self._waiting)
                continue
            if self.in_flight >= self.pace.allowed:
                return
            wanted = self.budget.reservation(waiter.size)
            cap = self.budget.reached or self.budget.exceeded_by(wanted)
            if cap and not self.budget.reached and self.in_flight:
                return  # what is in flight may cost less than it reserved
            if cap:
                self.budget.reached = cap
                heapq.heappop(self._waiting).granted.set_exception(OverBudget(cap))
                continue
            now = time.monotonic()
            pause = self._pause(wanted, now)
            if pause > 0:
                self._timer = asyncio.get_running_loop().call_later(pause, self._pump)
                return
            heapq.heappop(self._waiting)
            self._admit(waiter, wanted, now)

    def _pause(self, wanted: Spent, now: float) -> float:
        waits = [self.pace.held_until - now]
        if self._requests is not None:
            waits.append(self._requests.wait(1, now))
        if self._tokens is not None:
            waits.append(self._tokens.wait(wanted.prompt_tokens + wanted.answer_tokens, now))
        return max(waits)

    def _admit(self, waiter: _Waiter, wanted: Spent, now: float) -> None:
        self.in_flight += 1
        self.budget.reserve(wanted)
        if self._requests is not None:
            self._requests.take(1)
        if self._tokens is not None:
            self._tokens.take(wanted.prompt_tokens + wanted.answer_tokens)
        waiter.granted.set_result(Permit(now, wanted))


def duration(text: str) -> float | None:
    """Seconds in "1s", "6m0s", "20ms" or "1.5".

    RETURNS (float | None): None for anything else.
    """
    text = text.strip()
    parts: List[Tuple[str, str]] = _DURATION.findall(text)
    if parts and "".join(amount + unit for amount, unit in parts) == text:
        return sum(float(amount) * _UNITS[unit] for amount, unit in parts)
    try:
        return max(0.0, float(text)) if text.lower() not in ("nan", "inf", "infinity") else None
    except ValueError:
        return None


def retry_after(headers: Mapping[str, str]) -> float | None:
    """How long a server asks to wait: `retry-after-ms`, or `Retry-After` in seconds or as a date (RFC 9110, 10.2.3).

    RETURNS (float | None): Seconds; None when it does not say.
    """
    in_ms = duration(headers.get("retry-after-ms", ""))
    if in_ms is not None:
        return in_ms / 1000.0
    said = headers.get("retry-after", "")
    seconds = duration(said)
    if seconds is not None or not said:
        return seconds
    try:
        return max(0.0, parsedate_to_datetime(said).timestamp() - time.time())
    except (ValueError, TypeError):
        return None
