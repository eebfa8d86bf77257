"""The life of one request on the event loop: admitted, sent, read, kept, and asked again where that may help."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from spacy_synthesizrr.errors import RunFolderError, SynthesizrrError, TeacherError
from spacy_synthesizrr.models.admission import Admission, OverBudget, Permit, retry_after
from spacy_synthesizrr.models.budget import Spent
from spacy_synthesizrr.models.commits import Commits
from spacy_synthesizrr.models.endpoint import NAME
from spacy_synthesizrr.models.http import HttpClient
from spacy_synthesizrr.models.ledger import Entry
from spacy_synthesizrr.models.pace import full_jitter
from spacy_synthesizrr.models.wire import NO_SCHEMA, BadRequest, Outcome, Reply, Terminal, Unreachable, read_reply, usage_of, without_schema
from spacy_synthesizrr.prompts import Answer, Failure

FIRST_BAD = 5  # requests, all of them refused as they stand and none answered: the set-up is wrong, not the prompts
LOAD = (429, 503, 529)
RETRIED = ("rate_limited", "timeout", "server_error", "malformed", "empty")
PATIENCE = {"empty": 1, "malformed": 3}  # retries, where fewer than usual: each attempt was paid
LOST_CONNECTIONS = 3  # retries of a server that was never reached


@dataclass(eq=False)
class Slot:
    """One prompt on its way to its answer.

    number (int): Its place among all prompts of the model.
    request (str): Its hash.
    body (bytes | None): What is sent; gone when it is done.
    label (str): For the ledger.
    wanted (int): How many calls of the model wait for it; without any, it is not asked again.
    sent (bool): Whether it is in flight: it may have been paid, so it is let finish.
    done (bool): Whether it has ended. An answer lies in the store then.
    failure (Failure | None): Why there is no answer.
    """

    number: int
    request: str
    body: bytes | None
    label: str = ""
    wanted: int = 0
    sent: bool = False
    done: bool = False
    failure: Failure | None = None


class Requests:
    """Asks for one slot after the other. Lives on one event loop.

    finish (Callable): Called with every slot that has ended.
    stop (Callable): Called with the error that ends everything, once.
    """

    def __init__(
        self,
        client: HttpClient,
        admission: Admission,
        commits: Commits,
        *,
        model: str,
        max_retries: int,
        rng: random.Random,
        hide: Callable[[str], str],
        finish: Callable[[Slot], None],
        stop: Callable[[SynthesizrrError], None],
    ) -> None:
        self.client, self.admission, self.commits = client, admission, commits
        self._model, self._max_retries, self._rng = model, max_retries, rng
        self._hide, self._finish, self._stop = hide, finish, stop
        self.answered = self.refused = self.attempts = 0
        self.reached_server = False
        self.takes_schemas = True

    async def ask(self, slot: Slot) -> None:
        """Bring one slot to its end. Never raises, but for cancellation."""
        try:
            slot.failure = await self._ask(slot)
        except OverBudget as cap:
            slot.failure = Failure("budget", f"the budget is used up: {cap}", request=slot.request)
        except SynthesizrrError as error:
            return self._stop(error)
        except Exception as error:  # nothing may get lost between two threads: the caller sees it
            return self._stop(TeacherError(f"{NAME}: {type(error).__name__} while asking: {self._hide(str(error))}"))
        slot.body = None
        self._finish(slot)

    async def _ask(self, slot: Slot) -> Failure | None:
        tries: Counter[str] = Counter()
        while True:
            outcome = await self._attempt(slot)
            if isinstance(outcome, Answer):
                return None
            if not isinstance(outcome, Failure):
                raise TeacherError(f"{NAME}: {self.client.url} answered: {outcome.detail}. {outcome.cure}")
            if outcome.kind not in RETRIED or not slot.wanted or not self._patient(outcome.kind, tries):
                return outcome
            await asyncio.sleep(full_jitter(tries.total() - 1, self._rng))

    def _patient(self, kind: str, tries: Counter[str]) -> bool:
        """Count one failure; returns whether to ask again."""
        tries[kind] += 1
        return tries.total() <= self._max_retries and tries[kind] <= PATIENCE.get(kind, self._max_retries)

    async def _attempt(self, slot: Slot) -> Answer | Failure | Terminal:
        """Send once. The permit is given back when the answer is on disk, whatever happens in between."""
        body = slot.body or b""
        permit = await self.admission.acquire(slot.number, len(body))
        body = body if self.takes_schemas else without_schema(body) or body  # known only now, it may have waited long
        slot.sent = True
        used = permit.reserved  # until more is known: a request that was cut short may have been paid
        try:
            self.attempts += 1
            reply = await self.client.post(body)
            outcome = self._read(reply, slot)
            used = self._used(reply, outcome, permit)
            self._signal(reply, outcome, permit)
            await self._keep(slot, outcome, used, time.monotonic() - permit.sent)
            return self._judge(outcome, slot, body)
        finally:
            slot.sent = False
            self.admission.release(permit, used)

    def _read(self, reply: Reply | Failure | Unreachable, slot: Slot) -> Outcome | Unreachable:
        if isinstance(reply, Unreachable):
            return reply
        self.reached_server = True
        if isinstance(reply, Failure):
            return Failure(reply.kind, self._hide(reply.detail), request=slot.request)
        limit = self.admission.budget.answer_limit
        outcome = read_reply(reply, request=slot.request, model=self._model, limit=limit)
        if isinstance(outcome, Answer):
            self.admission.budget.learn(len(slot.body or b""), outcome.prompt_tokens)
            return outcome
        if isinstance(outcome, Failure):
            return Failure(outcome.kind, self._hide(outcome.detail), request=slot.request)
        if isinstance(outcome, Terminal):
            return Terminal(self._hide(outcome.detail), outcome.cure)
        return BadRequest(self._hide(outcome.detail))

    def _used(self, reply: Reply | Failure | Unreachable, outcome: Outcome | Unreachable, permit: Permit) -> Spent:
        """What an attempt cost: nothing when the server refused it, the reservation where nobody said."""
        if isinstance(reply, Unreachable) or (isinstance(reply, Reply) and reply.status != 200):
            return Spent()
        if isinstance(outcome, Answer):
            counted = (outcome.prompt_tokens, outcome.answer_tokens)
        else:
            counted = usage_of(reply.body) if isinstance(reply, Reply) else (None, None)
        reserved = (permit.reserved.prompt_tokens, permit.reserved.answer_tokens)
        return Spent(1, *(held if number is None else number for number, held in zip(counted, reserved, strict=True)))

    def _signal(self, reply: Reply | Failure | Unreachable, outcome: Any, permit: Permit) -> None:
        """Tell the pace how it went."""
        pace, now = self.admission.pace, time.monotonic()
        if isinstance(reply, Reply):
            self.admission.held(reply.headers)
            if reply.status in LOAD:
                pace.troubled(sent=permit.sent, now=now, wait=retry_after(reply.headers))
            elif reply.status == 200:
                pace.succeeded(sent=permit.sent, now=now)
        elif isinstance(outcome, Failure) and outcome.kind == "timeout":
            pace.troubled(sent=permit.sent, now=now, hold=False)

    async def _keep(self, slot: Slot, outcome: Any, used: Spent, seconds: float) -> None:
        """Wait until the answer, and what was spent, is written."""
        answer = outcome if isinstance(outcome, Answer) else None
        if answer is None and not used.requests:
            return
        loop = asyncio.get_running_loop()
        written: asyncio.Future[None] = loop.create_future()

        def done(error: BaseException | None) -> None:
            with contextlib.suppress(RuntimeError):  # the loop was closed in a hurry; nobody waits there any more
                loop.call_soon_threadsafe(_settle, written, error)

        cost = self.admission.budget.price.cost(used.prompt_tokens, used.answer_tokens)
        self.commits.put(Entry(used, slot.label, answer, seconds, cost), done)
        await written

    def _judge(self, outcome: Outcome | Unreachable, slot: Slot, body: bytes) -> Answer | Failure | Terminal:
        """Whether a refusal is about one prompt or about all of them."""
        if isinstance(outcome, (Answer, Failure)):
            self.answered += isinstance(outcome, Answer)
            return outcome
        if isinstance(outcome, Terminal):
            return outcome
        if isinstance(outcome, Unreachable):
            self.refused += not self.reached_server
            if not self.reached_server and self.refused > LOST_CONNECTIONS:
                return Terminal(f"no connection ({outcome.detail})", "Start the server, or correct base_url.")
            return Failure("server_error", f"no connection: {self._hide(outcome.detail)}", request=slot.request)
        if NO_SCHEMA.search(outcome.detail) and without_schema(body) is not None:
            self.takes_schemas = False
            return Failure("server_error", "this server takes no JSON schema; the prompt is asked again without it", request=slot.request)
        self.refused += not self.answered
        if not self.answered and self.refused >= FIRST_BAD:
            return Terminal(
                outcome.detail, "No request was accepted: check the model and [teacher.parameters] against what this server takes."
            )
        return Failure("refused", f"the server does not take this request: {outcome.detail}", request=slot.request)


def _settle(written: asyncio.Future[None], error: BaseException | None) -> None:
    if written.done():  # cancelled
        return
    if error is None:
        written.set_result(None)
    else:
        cure = "Make room or repair the disk, and run again: no answer is handed on that is not kept."
        written.set_exception(RunFolderError(f"An answer cannot be written ({type(error).__name__}: {error}). {cure}"))
