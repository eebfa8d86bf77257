"""How many requests may be in flight: a limit that gives way when the server is in trouble and comes back afterwards.

Additive increase, multiplicative decrease, as in TCP: × 0.75 on a signal of trouble, + 1 per 25 successes, never under 1.
Signals are refusals for load (429, 503), timeouts, and latency that rises, because a saturated server need not refuse
anything. One burst of trouble counts once: a signal counts only from requests that were sent after the last decrease.
A few refusals say nothing: a gateway that drops 5 % at random would hold the limit at its floor. From 15 % on they count.

Rising latency is a guess, so it is checked. When the median of a window is more than twice the lowest one seen (at first:
twice the lower quartile, because the first window of a saturated server sees its queue only grow), the limit goes down;
when that does not make the next window faster, the server is simply slow: the limit goes back, and the slow median becomes
the new yardstick.
"""

from __future__ import annotations

import random
import statistics
from collections import deque
from dataclasses import dataclass, field
from typing import Deque, List

DECREASE = 0.75
SUCCESSES = 25  # per + 1
FLOOR = 1.0
RISE = 2.0  # times the lowest median
SLACK = 0.05  # seconds by which it must rise at least: less is the noise of busy computers
HELPED = 0.9  # a decrease must bring the median under this share of what it was
WINDOW = 25  # requests, or the limit where that is more
TOLERATED = 0.15  # share of troubled requests
RECENT = 40  # requests of which that share is taken, or the limit where that is more
BACKOFF, LONGEST = 0.5, 30.0  # seconds of the first and the longest pause
CALM = 0.1  # share of these while the server is well
LONGEST_ASKED = 300.0  # seconds that a server may ask us to wait


def full_jitter(attempt: int, rng: random.Random, *, calm: bool = False) -> float:
    """A pause before a retry: uniform between 0 and an exponentially growing bound, so that clients do not come back in step
    (Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015: "full jitter").

    attempt (int): 0 for the first retry.
    calm (bool): The server is well, and one prompt had bad luck: shorter pauses.
    RETURNS (float): Seconds.
    """
    share = CALM if calm else 1.0
    return rng.uniform(0.0, share * min(LONGEST, BACKOFF * 2.0 ** min(attempt, 16)))


@dataclass
class Pace:
    """The limit of requests in flight. Used on one thread; times are given, never read.

    most (int): Upper bound, and where it starts.
    rng (random.Random): For pauses.
    """

    most: int
    rng: random.Random
    limit: float = 0.0
    held_until: float = 0.0
    lowest: float = 0.0
    decreased_at: float = float("-inf")
    streak: int = 0
    _successes: int = 0
    _latencies: List[float] = field(default_factory=list)
    _recent: Deque[bool] = field(default_factory=deque)  # whether each was in trouble
    _before: tuple[float, float] | None = None  # limit and median before a decrease for latency

    def __post_init__(self) -> None:
        self.limit = float(self.most)

    @property
    def allowed(self) -> int:
        """RETURNS (int): Requests that may be in flight."""
        return max(1, int(self.limit))

    @property
    def calm(self) -> bool:
        """RETURNS (bool): Whether so few requests were in trouble lately that it says nothing of the server."""
        return sum(self._recent) / max(RECENT, self.allowed) < TOLERATED and self.streak == 0

    def succeeded(self, *, sent: float, now: float) -> None:
        """A request was answered.

        sent (float), now (float): Seconds on one clock.
        """
        self.streak = 0
        self._share(False)
        self._successes += 1
        if self._successes >= SUCCESSES:
            self._successes = 0
            self.limit = min(float(self.most), self.limit + 1.0)
        if sent >= self.decreased_at:
            self._latencies.append(now - sent)
            if len(self._latencies) >= max(WINDOW, self.allowed):
                self._judge(now)

    def troubled(self, *, sent: float, now: float, wait: float | None = None, hold: bool = True) -> None:
        """A request was refused for load, or timed out.

        wait (float | None): Seconds that the server asks to wait; nothing is sent until then.
        hold (bool): Whether the server said no: without `wait`, all wait a little, longer each time nothing succeeds in between.
        """
        if sent >= self.decreased_at and self._share(True) >= TOLERATED:
            self._decrease(now)
            self._before = None
            if hold and wait is None:
                self.held_until = max(self.held_until, now + full_jitter(self.streak, self.rng))
            self.streak += 1
        if wait is not None:
            self.hold(now + min(wait, LONGEST_ASKED))

    def hold(self, until: float) -> None:
        """Send nothing until then."""
        self.held_until = max(self.held_until, until)

    def _share(self, trouble: bool) -> float:
        """Count one request; returns the share of troubled ones."""
        size = max(RECENT, self.allowed)
        self._recent.append(trouble)
        while len(self._recent) > size:
            self._recent.popleft()
        return sum(self._recent) / size

    def _decrease(self, now: float) -> None:
        self.limit = max(FLOOR, self.limit * DECREASE)
        self.decreased_at = now
        self._successes = 0
        self._latencies.clear()
        self._recent.clear()

    def _judge(self, now: float) -> None:
        """Compare a window with the lowest one, and with the one before a decrease."""
        quartile, median, _ = statistics.quantiles(self._latencies, n=4)
        self._latencies.clear()
        if self._before is not None:
            limit, before = self._before
            self._before = None
            if median > HELPED * before:
                self.limit, self.lowest = max(self.limit, limit), median
                return
        self.lowest = min(self.lowest, median) if self.lowest else quartile
        if median > max(RISE * self.lowest, self.lowest + SLACK) and self.limit > FLOOR:
            self._before = (self.limit, median)
            self._decrease(now)


class Bucket:
    """So many per minute, with a burst of a few seconds. Used on one thread; times are given, never read.

    per_minute (float): The rate.
    """

    BURST = 5.0  # seconds

    def __init__(self, per_minute: float) -> None:
        self.rate = per_minute / 60.0
        self.room = max(1.0, self.rate * self.BURST)
        self.level, self._at = self.room, float("-inf")

    def wait(self, amount: float, now: float) -> float:
        """RETURNS (float): Seconds until an amount may be taken; an amount over a whole burst waits for a full bucket."""
        if self._at > float("-inf"):
            self.level = min(self.room, self.level + self.rate * (now - self._at))
        self._at = now
        short = min(amount, self.room) - self.level
        return max(0.0, short / self.rate) if short > 1e-9 else 0.0

    def take(self, amount: float) -> None:
        """Take an amount; what was taken too much is given back with a negative one."""
        self.level = min(self.room, self.level - amount)
