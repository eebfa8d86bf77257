"""The life of one request on the event loop: admitted, sent, read, kept, and asked again where that may help."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from spacy_synthesizrr.errors import RunFolderError, SynthesizrrError, TeacherError
from spacy_synthesizrr.models.answers.budget import Spent
from spacy_synthesizrr.models.answers.commits import Commits, NotKept
from spacy_synthesizrr.models.answers.ledger import Entry
from spacy_synthesizrr.models.chat.admission import Admission, OverBudget, Permit
from spacy_synthesizrr.models.chat.endpoint import NAME, TOO_SHORT, scrub
from spacy_synthesizrr.models.chat.http import HttpClient
from spacy_synthesizrr.models.chat.pace import full_jitter
from spacy_synthesizrr.models.chat.replies import Lost, Reply, Result, Unreachable, read
from spacy_synthesizrr.models.chat.verdicts import Tries, Verdicts
from spacy_synthesizrr.models.chat.wire import NO_SCHEMA, without_schema
from spacy_synthesizrr.prompts import Answer, Failure

STALE = 0.5  # seconds after which another process may have been given the answer that a look into the store did not find
KNOCK, LONGEST_KNOCK = 0.5, 15.0  # seconds between attempts at a server that went away


@dataclass(eq=False)
class Slot:
    """One prompt on its way to its answer.

    number (int): Its place among all prompts of the model.
    request (str): Its hash.
    body (bytes | None): What is sent; gone when it is done.
    label (str): For the ledger.
    structured (bool): Whether the prompt itself asks for a JSON schema, and can do without.
    looked (float): When the store was asked for it, on the monotonic clock.
    wanted (int): How many calls of the model wait for it; without any, it is not asked again.
    sent (bool): Whether it is in flight: it may have been paid, so it is let finish.
    done (bool): Whether it has ended. An answer lies in the store then.
    failure (Failure | None): Why there is no answer.
    """

    number: int
    request: str
    body: bytes | None
    label: str = ""
    structured: bool = False
    looked: float = 0.0
    wanted: int = 0
    sent: bool = False
    done: bool = False
    failure: Failure | None = None


class Attempts:
    """Asks for one slot after the other. Lives on one event loop.

    model (str): The server's name for it.
    secrets (Mapping[str, str]): What must not be told, whatever a server repeats.
    finish (Callable): Called with every slot that has ended.
    stop (Callable): Called with the error that ends everything, once.
    """

    def __init__(
        self,
        client: HttpClient,
        admission: Admission,
        commits: Commits,
        verdicts: Verdicts,
        *,
        model: str,
        secrets: Mapping[str, str],
        rng: random.Random,
        finish: Callable[[Slot], None],
        stop: Callable[[SynthesizrrError], None],
    ) -> None:
        self.client, self.admission, self.commits, self.verdicts = client, admission, commits, verdicts
        self._model, self._secrets, self._rng = model, secrets, rng
        self._finish, self._stop = finish, stop
        self.attempts = 0
        self.stopped = False  # nothing is asked again from then on
        self._takes_schemas: bool | None = None  # not known yet

    def begin(self) -> None:
        """Forget what stopped an earlier call: whoever asks again may have mended it."""
        self.stopped = False
        self.verdicts.begin()

    async def ask(self, slot: Slot) -> None:
        """Bring one slot to its end. Never raises, but for cancellation."""
        try:
            slot.failure = await self._ask(slot)
        except OverBudget as cap:
            slot.failure = Failure("budget", cap.detail, request=slot.request)
        except NotKept as error:  # paid, and no text that can be stored: this prompt alone
            slot.failure = Failure("malformed", str(error), request=slot.request)
        except SynthesizrrError as error:
            return self._end(error)
        except Exception as error:  # nothing may get lost between two threads: the caller sees it
            return self._end(TeacherError(f"{NAME}: {type(error).__name__} while asking: {scrub(str(error), self._secrets)}"))
        slot.body = None
        self._finish(slot)

    def _end(self, error: SynthesizrrError) -> None:
        self.stopped = True
        self._stop(error)

    async def _ask(self, slot: Slot) -> Failure | None:
        tries = Tries()
        while True:
            result = await self._attempt(slot)
            if isinstance(result.outcome, Answer):
                return None
            if self._without_schema(slot, result):
                continue
            self.verdicts.judge(result)
            if self.stopped or not slot.wanted:
                return result.outcome
            if not self.verdicts.again(result, tries, time.monotonic()):
                self.verdicts.ended(result.outcome)
                return result.outcome
            await asyncio.sleep(full_jitter(max(0, tries.total - 1), self._rng, calm=self.admission.pace.calm))

    async def _attempt(self, slot: Slot) -> Result:
        """Send once. The permit is given back when the answer is on disk, whatever happens in between."""
        body = slot.body or b""
        permit = await self.admission.acquire(slot.number, len(body))
        slot.sent = True
        used = permit.reserved  # until more is known: a request that was cut short may have been paid
        try:
            if (known := self._known_by_now(slot)) is not None:
                used = Spent()
                return Result(known, "answered")
            self.attempts += 1
            result = self._read(await self.client.post(self._form(slot, body)), slot)
            used = _used(result, permit)
            self._signal(result, permit)
            if result.verdict == "answered":  # before it is kept: others must not be judged as if nothing had been answered
                self.verdicts.judge(result)
            await self._keep(slot, result, used, time.monotonic() - permit.sent)
            return result
        finally:
            slot.sent = False
            self.admission.release(permit, used)

    def _known_by_now(self, slot: Slot) -> Answer | None:
        """What another process was answered while this one waited: a second answer would be paid for nothing."""
        now = time.monotonic()
        if now - slot.looked < STALE:
            return None
        slot.looked = now
        return self.commits.store.get(slot.request)

    def _read(self, came: Reply | Lost | Unreachable, slot: Slot) -> Result:
        """Secrets are taken out before anything is cut, so that no half of one is told."""
        if isinstance(came, Reply):
            self.admission.held(came.headers)
            body = scrub(came.body.decode("utf-8", "surrogateescape"), self._secrets) if _tells(came.body, self._secrets) else None
            came = came if body is None else replace(came, body=body.encode("utf-8", "surrogateescape"))
        result = read(came, request=slot.request, model=self._model, limit=self.admission.budget.answer_limit)
        if isinstance(result.outcome, Answer):
            self.admission.budget.learn(len(slot.body or b""), result.outcome.prompt_tokens)
        return result

    def _signal(self, result: Result, permit: Permit) -> None:
        """Tell the pace how it went."""
        pace, now = self.admission.pace, time.monotonic()
        if result.verdict == "load":
            pace.troubled(sent=permit.sent, now=now, wait=result.wait, hold=result.refused)
        elif result.verdict == "answered":
            pace.succeeded(sent=permit.sent, now=now)
        elif result.verdict == "unreachable" and (away := self.verdicts.away(now)):
            pace.hold(now + min(LONGEST_KNOCK, max(KNOCK, away / 2)))

    async def _keep(self, slot: Slot, result: Result, used: Spent, seconds: float) -> None:
        """Wait until the answer, and what was spent, is written."""
        answer = result.outcome if isinstance(result.outcome, Answer) else None
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
        self._takes_schemas = True if answer is not None and slot.structured and self._takes_schemas is None else self._takes_schemas

    # ── schemas that a prompt brings, and that it can do without ─────────────────────────────────────────────────────

    def _form(self, slot: Slot, body: bytes) -> bytes:
        """The body to send; whether the server takes schemas is known only now, the slot may have waited long."""
        return without_schema(body) or body if slot.structured and self._takes_schemas is False else body

    def _without_schema(self, slot: Slot, result: Result) -> bool:
        """Whether a prompt is asked again, at no cost, because the server did not like its schema.

        Where it has answered by a schema before, it dislikes this one schema; otherwise it takes none at all.
        """
        disliked = result.verdict == "unaccepted" and NO_SCHEMA.search(_detail(result)) is not None
        if not (disliked and slot.structured):
            return False
        if self._takes_schemas is None:
            self._takes_schemas = False
        slot.body, slot.structured = without_schema(slot.body or b"{}") or slot.body, False
        return True


def _tells(body: bytes, secrets: Mapping[str, str]) -> bool:
    return any(word.encode() in body for value in secrets.values() for word in value.split() if len(word) > TOO_SHORT)


def _detail(result: Result) -> str:
    return result.outcome.detail if isinstance(result.outcome, Failure) else ""


def _used(result: Result, permit: Permit) -> Spent:
    """What an attempt cost: nothing when the server refused it, the reservation where nobody said."""
    if not result.paid:
        return Spent()
    reserved = (permit.reserved.prompt_tokens, permit.reserved.answer_tokens)
    return Spent(1, *(held if number is None else number for number, held in zip(result.tokens, reserved, strict=True)))


def _settle(written: asyncio.Future[None], error: BaseException | None) -> None:
    if written.done():  # cancelled
        return
    if error is None:
        written.set_result(None)
    elif isinstance(error, (SynthesizrrError, NotKept)):
        written.set_exception(error)
    else:
        cure = "Make room or repair the disk, and run again: no answer is handed on that is not kept."
        written.set_exception(RunFolderError(f"An answer cannot be written ({type(error).__name__}: {error}). {cure}"))
