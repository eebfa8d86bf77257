"""Prompts in, answers out, in order, while many requests are in flight.

The caller's thread takes prompts from the caller's iterator, looks them up in the store, and hands answers on; requests
live on an event loop in a thread of their own. Prompts are taken only as far as the pool needs work, at most `window`
ahead of the oldest one without an answer. What is finished early waits in the store, not in memory: a slot keeps a hash.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent import futures
from typing import Any, Deque, Dict, List, Set

from spacy_synthesizrr.errors import SynthesizrrError, TeacherError
from spacy_synthesizrr.models.answers.commits import Commits
from spacy_synthesizrr.models.answers.responses import ResponseStore
from spacy_synthesizrr.models.chat.attempts import Attempts, Slot
from spacy_synthesizrr.models.chat.http import LoopThread
from spacy_synthesizrr.prompts import Answer, Failure

AHEAD = 2  # times the limit in flight: prompts that have no answer yet
SPARE = 8  # and so many more
TAKEN = 2  # prompts that are taken per answer that goes out, while the pool wants more
logger = logging.getLogger("spacy_synthesizrr")
WAIT = 1.0  # seconds between looks at whether the loop still lives


class Flight:
    """One call of the model: the prompts that were taken and whose answers have not been handed on."""

    def __init__(self, prompts: Iterator[Iterable[Any]]) -> None:
        self.prompts = prompts
        self.groups: Deque[List[Slot]] = deque()
        self.outstanding = 0  # prompts; a Doc without any counts as one, since it is held as well
        self.ended = False
        self.broken: BaseException | None = None  # what the caller's prompts raised: told when what was asked is handed on
        self.error: SynthesizrrError | None = None

    def head_done(self) -> bool:
        """RETURNS (bool): Whether the answers of the oldest Doc are there."""
        return bool(self.groups) and all(slot.done for slot in self.groups[0])


class Scheduler:
    """Keeps the pool of requests busy. One per model and process; several calls may be under way.

    attempts (Callable): Makes the Attempts, on the loop, from the two callbacks that they take.
    store (ResponseStore): Where answers are, and where new ones go.
    commits (Commits): The writer of that store.
    hash_of (Callable), body_of (Callable): A prompt's request hash and what is sent for it.
    window (int): Prompts that may be taken before the oldest one has its answer.
    """

    def __init__(
        self,
        attempts: Callable[[Callable[[Slot], None], Callable[[SynthesizrrError], None]], Attempts],
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

        async def make() -> Attempts:
            return attempts(self._finish, self._stop)

        self.attempts: Attempts = self._thread.call(make()).result()

    # ── the caller's thread ──────────────────────────────────────────────────────────────────────────────────────────

    def run(self, prompts: Iterable[Iterable[Any]]) -> Iterator[List[Any]]:
        """Answer the prompts of each Doc, lazily and in order.

        YIELDS (List[Answer | Failure]): One per prompt; each answer is on disk.
        RAISES (SynthesizrrError): When no request can succeed, or answers cannot be written.
        """
        flight = Flight(iter(prompts))
        with self._news:
            if not self._flights:
                self.attempts.begin()
            self._flights.add(flight)
        try:
            while self._fill(flight):
                self._wait(flight)
                if flight.head_done():
                    slots = flight.groups.popleft()
                    flight.outstanding -= max(1, len(slots))
                    for slot in slots:
                        slot.wanted -= 1
                    yield [self._result(slot) for slot in slots]
            if flight.broken is not None:
                raise flight.broken
        finally:
            self._abandon(flight)

    def _fill(self, flight: Flight) -> bool:
        """Take prompts while the pool wants work. Returns whether there is anything to wait for."""
        taken = 0
        while flight.error is None and not flight.ended and self._wants_more(flight) and not (flight.head_done() and taken >= TAKEN):
            taken += 1
            try:
                group = next(flight.prompts, None)
                if group is not None:
                    self._take(flight, list(group))
            except Exception as error:
                flight.broken, group = error, None
            flight.ended = group is None
        return bool(flight.groups) or flight.error is not None

    def _wants_more(self, flight: Flight) -> bool:
        if not flight.groups:
            return True
        load = AHEAD * self.attempts.admission.pace.allowed + SPARE
        return len(self._open) < load and flight.outstanding < self._window

    def _take(self, flight: Flight, group: List[Any]) -> None:
        slots: List[Slot] = []
        new: List[Slot] = []
        flight.groups.append(slots)
        try:
            for prompt in group:
                slots.append(self._slot(prompt if isinstance(prompt, str) else str(prompt), new))
        finally:  # what was opened is under way, whatever happens to the prompt after it
            flight.outstanding += max(1, len(slots))
            if new:
                self._thread.loop.call_soon_threadsafe(self._start, new)

    def _slot(self, prompt: str, new: List[Slot]) -> Slot:
        """The slot of a prompt: that of an equal request under way, one that is done, or a new one."""
        try:
            request = self._hash_of(prompt)
        except UnicodeEncodeError:
            failure = Failure("malformed", "the prompt holds half of a surrogate pair, which is no text and cannot be sent")
            return Slot(next(self._numbers), "", None, wanted=1, done=True, failure=failure)
        slot = self._share(request)
        if slot is None:
            structured = getattr(prompt, "schema", None) is not None
            label = getattr(prompt, "key", "")
            slot = Slot(next(self._numbers), request, None, label, structured=structured, looked=time.monotonic(), wanted=1)
            slot.done = self.store.get(request) is not None
            if not slot.done:
                slot.body = self._body_of(prompt)
                slot = self._open_slot(slot, new)
        return slot

    def _share(self, request: str) -> Slot | None:
        """The slot of an equal request that is under way. Asked for before the store: once it is under way no more, it is there."""
        with self._news:
            slot = self._open.get(request)
            if slot is not None:
                slot.wanted += 1
            return slot

    def _open_slot(self, slot: Slot, new: List[Slot]) -> Slot:
        """Open a slot, unless another thread was faster."""
        with self._news:
            other = self._open.get(slot.request)
            if other is not None:
                other.wanted += 1
                return other
            if len(self._flights) > 1 and self.store.get(slot.request) is not None:  # it was opened and answered in between
                slot.done = True
            else:
                self._open[slot.request] = slot
                new.append(slot)
            return slot

    def _wait(self, flight: Flight) -> None:
        """Until the oldest Doc has its answers, or the pool wants work."""
        with self._news:
            while flight.error is None and not flight.head_done():
                if not flight.ended and self._wants_more(flight):
                    return
                self._news.wait(WAIT)
                if self._thread.loop.is_closed():
                    raise TeacherError("The teacher was closed while it was asked. What was answered is kept; ask again.")
        if flight.error is not None:
            self._settle(flight.error)
            raise flight.error

    def _settle(self, error: SynthesizrrError) -> None:
        """Wait for what is in flight when nothing more can be asked: it may have been paid, and it can be kept."""
        if not isinstance(error, TeacherError):  # the store cannot be written
            return
        if waiting := self.attempts.admission.in_flight:
            logger.warning("Waiting for %d answers that are in flight; Ctrl-C leaves them", waiting)
        with self._news:
            while self.attempts.admission.in_flight and not self._thread.loop.is_closed():
                self._news.wait(WAIT)

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
        """End everything. Nothing more is sent; requests in flight get some time to be answered and written.

        grace (float): Seconds.
        """
        last = time.monotonic() + grace
        if not self._thread.loop.is_closed():
            with contextlib.suppress(futures.TimeoutError):  # a loop that is too busy for that
                self._thread.call(self._leave()).result(WAIT)
        while self.attempts.admission.in_flight and time.monotonic() < last and not self._thread.loop.is_closed():
            time.sleep(0.01)
        if not self._thread.loop.is_closed():
            with contextlib.suppress(futures.TimeoutError):  # a loop that is too busy for that
                self._thread.call(self.attempts.client.close()).result(WAIT)
        self._thread.stop()
        self.commits.close()

    # ── the loop's thread ────────────────────────────────────────────────────────────────────────────────────────────

    def _start(self, slots: List[Slot]) -> None:
        with self._news:
            late = bool(self._flights) and all(flight.error for flight in self._flights)
            for slot in slots:
                if late or not slot.wanted:  # an error came, or nobody waits for it any more
                    self._ended(slot)
                else:
                    self._tasks[slot] = task = self._thread.loop.create_task(self.attempts.ask(slot))
                    task.add_done_callback(lambda _, slot=slot: self._ended(slot))  # type: ignore[misc]

    def _finish(self, slot: Slot) -> None:
        with self._news:
            slot.done = True
            self._shut(slot)
            self.finished += 1
            self._news.notify_all()

    def _ended(self, slot: Slot) -> None:
        """A task is over, finished or cancelled, or came too late to be started."""
        self._tasks.pop(slot, None)
        with self._news:
            if not slot.done:  # dropped, or the error that stopped it
                slot.failure, slot.done = Failure("missing", "the request was stopped", request=slot.request), True
                self._shut(slot)
                self._news.notify_all()

    def _shut(self, slot: Slot) -> None:
        if self._open.get(slot.request) is slot:  # whoever asks the same from now on asks anew
            del self._open[slot.request]

    async def _leave(self) -> None:
        self.attempts.stopped = True
        self._stop(TeacherError("The teacher was closed while it was still asked. What was answered is kept."))

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
                self._shut(slot)
                task.cancel()
