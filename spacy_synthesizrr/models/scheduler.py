"""Prompts in, answers out, in order, while many requests are in flight.

The caller's thread takes prompts from the caller's iterator, looks them up in the store, and hands answers on; requests
live on an event loop in a thread of their own. Prompts are taken only as far as the pool needs work, at most `window`
ahead of the oldest one without an answer. What is finished early waits in the store, not in memory: a slot keeps a hash.
"""

from __future__ import annotations

import asyncio
import itertools
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Deque, Dict, List, Set

from spacy_synthesizrr.errors import SynthesizrrError, TeacherError
from spacy_synthesizrr.models.commits import Commits
from spacy_synthesizrr.models.http import LoopThread
from spacy_synthesizrr.models.requests import Requests, Slot
from spacy_synthesizrr.models.responses import ResponseStore
from spacy_synthesizrr.prompts import Answer, Failure

AHEAD = 2  # times the limit in flight: prompts that have no answer yet
SPARE = 8  # and so many more
TAKEN = 2  # prompts that are taken per answer that goes out, while the pool wants more
WAIT = 1.0  # seconds between looks at whether the loop still lives


class Flight:
    """One call of the model: the prompts that were taken and whose answers have not been handed on."""

    def __init__(self, prompts: Iterator[Iterable[Any]]) -> None:
        self.prompts = prompts
        self.groups: Deque[List[Slot]] = deque()
        self.outstanding = 0
        self.ended = False
        self.error: SynthesizrrError | None = None

    def head_done(self) -> bool:
        """RETURNS (bool): Whether the answers of the oldest Doc are there."""
        return bool(self.groups) and all(slot.done for slot in self.groups[0])


class Scheduler:
    """Keeps the pool of requests busy. One per model and process; several calls may be under way.

    requests (Callable): Makes the Requests, on the loop, from the two callbacks that they take.
    store (ResponseStore): Where answers are, and where new ones go.
    commits (Commits): The writer of that store.
    hash_of (Callable), body_of (Callable): A prompt's request hash and what is sent for it.
    window (int): Prompts that may be taken before the oldest one has its answer.
    """

    def __init__(
        self,
        requests: Callable[[Callable[[Slot], None], Callable[[SynthesizrrError], None]], Requests],
        *,
        store: ResponseStore,
        commits: Commits,
        hash_of: Callable[[str], str],
        body_of: Callable[[str], bytes],
        window: int,
    ) -> None:
        self.store, self.commits = store, commits
        self._hash_of, self._body_of, self._window = hash_of, body_of, window
        self._thread = LoopThread()
        self._news = threading.Condition()
        self._open: Dict[str, Slot] = {}
        self._tasks: Dict[Slot, asyncio.Task[None]] = {}
        self._flights: Set[Flight] = set()
        self._numbers = itertools.count()
        self.finished = 0

        async def make() -> Requests:
            return requests(self._finish, self._stop)

        self.requests: Requests = self._thread.call(make()).result()

    # ── the caller's thread ──────────────────────────────────────────────────────────────────────────────────────────

    def run(self, prompts: Iterable[Iterable[Any]]) -> Iterator[List[Any]]:
        """Answer the prompts of each Doc, lazily and in order.

        YIELDS (List[Answer | Failure]): One per prompt; each answer is on disk.
        RAISES (SynthesizrrError): When no request can succeed, or answers cannot be written.
        """
        flight = Flight(iter(prompts))
        with self._news:
            self._flights.add(flight)
        try:
            while self._fill(flight):
                self._wait(flight)
                if flight.head_done():
                    slots = flight.groups.popleft()
                    flight.outstanding -= len(slots)
                    for slot in slots:
                        slot.wanted -= 1
                    yield [self._result(slot) for slot in slots]
        finally:
            self._abandon(flight)

    def _fill(self, flight: Flight) -> bool:
        """Take prompts while the pool wants work. Returns whether there is anything to wait for."""
        taken = 0
        while flight.error is None and not flight.ended and self._wants_more(flight) and not (flight.head_done() and taken >= TAKEN):
            group = next(flight.prompts, None)
            if group is None:
                flight.ended = True
            else:
                self._take(flight, list(group))
                taken += 1
        return bool(flight.groups) or flight.error is not None

    def _wants_more(self, flight: Flight) -> bool:
        if not flight.groups:
            return True
        load = AHEAD * self.requests.admission.pace.allowed + SPARE
        return len(self._open) < load and flight.outstanding < self._window

    def _take(self, flight: Flight, group: List[Any]) -> None:
        slots, new = [], []
        for prompt in group:
            prompt = prompt if isinstance(prompt, str) else str(prompt)
            request = self._hash_of(prompt)
            known = self.store.get(request) is not None
            with self._news:
                slot = self._open.get(request)
                if slot is None:  # an equal request that is under way is shared
                    slot = Slot(next(self._numbers), request, None, getattr(prompt, "key", ""), done=known)
                    if not known:
                        slot.body = self._body_of(prompt)
                        self._open[request] = slot
                        new.append(slot)
                slot.wanted += 1
            slots.append(slot)
        flight.groups.append(slots)
        flight.outstanding += len(slots)
        if new:
            self._thread.loop.call_soon_threadsafe(self._start, new)

    def _wait(self, flight: Flight) -> None:
        """Until the oldest Doc has its answers, or the pool wants work."""
        with self._news:
            while flight.error is None and not flight.head_done():
                if not flight.ended and self._wants_more(flight):
                    return
                self._news.wait(WAIT)
        if flight.error is not None:
            raise flight.error

    def _result(self, slot: Slot) -> Answer | Failure:
        if slot.failure is not None:
            return slot.failure
        answer = self.store.get(slot.request)
        return answer if answer is not None else Failure("missing", "the answer was removed from the store", request=slot.request)

    def _abandon(self, flight: Flight) -> None:
        """Forget what nobody waits for any more. What was sent may have been paid: it comes to its end, in the background."""
        with self._news:
            self._flights.discard(flight)
            for slot in itertools.chain.from_iterable(flight.groups):
                slot.wanted -= 1
        if flight.groups and not self._thread.loop.is_closed():
            self._thread.loop.call_soon_threadsafe(self._drop)
        flight.groups.clear()

    def close(self, *, grace: float) -> None:
        """End everything. Requests in flight get some time to be answered and written.

        grace (float): Seconds.
        """
        last = time.monotonic() + grace
        while self.requests.admission.in_flight and time.monotonic() < last and not self._thread.loop.is_closed():
            time.sleep(0.01)
        if not self._thread.loop.is_closed():
            error = TeacherError("The teacher was closed while it was still asked. What was answered is kept.")
            self._thread.loop.call_soon_threadsafe(self._stop, error)
            self._thread.call(self.requests.client.close()).result(WAIT)
        self._thread.stop()
        self.commits.close()

    # ── the loop's thread ────────────────────────────────────────────────────────────────────────────────────────────

    def _start(self, slots: List[Slot]) -> None:
        with self._news:
            late = bool(self._flights) and all(flight.error for flight in self._flights)
        for slot in () if late else slots:
            task = self._thread.loop.create_task(self.requests.ask(slot))
            self._tasks[slot] = task
            task.add_done_callback(lambda _, slot=slot: self._ended(slot))  # type: ignore[misc]

    def _finish(self, slot: Slot) -> None:
        with self._news:
            slot.done = True
            self._open.pop(slot.request, None)
            self.finished += 1
            self._news.notify_all()

    def _ended(self, slot: Slot) -> None:
        """A task is over, finished or cancelled."""
        self._tasks.pop(slot, None)
        with self._news:
            if not slot.done:  # dropped, or the error that stopped it
                slot.failure, slot.done = Failure("missing", "the request was stopped", request=slot.request), True
                if self._open.get(slot.request) is slot:
                    del self._open[slot.request]
                self._news.notify_all()

    def _stop(self, error: SynthesizrrError) -> None:
        with self._news:
            for flight in self._flights:
                flight.error = flight.error or error
            self._drop_unsent(lambda slot: True)
            self._news.notify_all()

    def _drop(self) -> None:
        with self._news:
            self._drop_unsent(lambda slot: not slot.wanted)

    def _drop_unsent(self, chosen: Callable[[Slot], bool]) -> None:
        for slot, task in self._tasks.items():
            if not slot.sent and chosen(slot):
                self._open.pop(slot.request, None)  # whoever asks the same from now on asks anew
                task.cancel()
