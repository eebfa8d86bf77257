"""Who may send when: one queue for first attempts and retries, oldest prompt first.

Every request holds a permit from admission until its answer is on disk, so "in flight" is all that a crash can cost.
"""

from __future__ import annotations

import asyncio
import heapq
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import List

from spacy_synthesizrr.models.answers.budget import Budget, Spent
from spacy_synthesizrr.models.chat.headers import duration
from spacy_synthesizrr.models.chat.pace import Bucket, Pace


class OverBudget(Exception):
    """A request is not sent because of a cap. Ends as a Failure, never outside.

    cap (str): Which one, in words.
    alone (bool): Whether only this request is too large; others may go on.
    """

    def __init__(self, cap: str, *, alone: bool = False) -> None:
        super().__init__(cap)
        self.alone = alone

    @property
    def detail(self) -> str:
        """RETURNS (str): For the Failure."""
        return f"{'too large for the budget' if self.alone else 'the budget is used up'}: {self}"


@dataclass(frozen=True)
class Permit:
    """Leave to send one request.

    sent (float): When it was given, on the monotonic clock.
    reserved (Spent): What the request will cost, rather more than less.
    most (Spent): What it can cost at the very most: that much is held back under the caps.
    """

    sent: float
    reserved: Spent
    most: Spent


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
        RAISES (OverBudget): When a cap is reached, or the request is too large for it.
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
        self.budget.settle(permit.most, used)
        if self._tokens is not None:
            self._tokens.take(used.tokens - permit.reserved.tokens)
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
            wanted, most = self.budget.reservation(waiter.size), self.budget.most(waiter.size)
            cap = self._cap(most)
            if cap is not None:
                if not cap.alone and not self.budget.reached:
                    if self.in_flight:
                        return  # what is in flight may cost less than it reserved
                    self.budget.reached = str(cap)
                heapq.heappop(self._waiting).granted.set_exception(cap)
                continue
            now = time.monotonic()
            pause = self._pause(wanted, now)
            if pause > 0:
                self._timer = asyncio.get_running_loop().call_later(pause, self._pump)
                return
            heapq.heappop(self._waiting)
            self._admit(waiter, Permit(now, wanted, most))

    def _cap(self, most: Spent) -> OverBudget | None:
        """The cap that keeps a request from being sent now."""
        if self.budget.reached:
            return OverBudget(self.budget.reached)
        if alone := self.budget.alone(most):
            return OverBudget(alone, alone=True)
        cap = self.budget.exceeded_by(most)
        return OverBudget(cap) if cap else None

    def _pause(self, wanted: Spent, now: float) -> float:
        waits = [self.pace.held_until - now]
        if self._requests is not None:
            waits.append(self._requests.wait(1, now))
        if self._tokens is not None:
            waits.append(self._tokens.wait(wanted.tokens, now))
        return max(waits)

    def _admit(self, waiter: _Waiter, permit: Permit) -> None:
        self.in_flight += 1
        self.budget.reserve(permit.most)
        if self._requests is not None:
            self._requests.take(1)
        if self._tokens is not None:
            self._tokens.take(permit.reserved.tokens)
        waiter.granted.set_result(permit)
