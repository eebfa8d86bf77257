"""A chat server that misbehaves as real ones do, on a free loopback port, in a thread of this process."""

from __future__ import annotations

import asyncio
import json
import random
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from aiohttp import web

VOCABULARY = (
    "the a and with after before while over captain whistle harbour kettle market storm ferry oven ticket garden council orchestra "
    "river bridge lemon keeper pepper valley engine window border lantern scored boiled voted closed opened painted crossed lifted won"
).split()
HUNG = 60.0  # seconds that a request without an answer is kept open, unless the server stops


def text_of(number: int) -> str:
    """RETURNS (str): A text of 16 words that is like no other number's: filters turn away what is nearly the same."""
    words = random.Random(number).choices(VOCABULARY, k=16)
    return " ".join(words).capitalize() + "."


@dataclass(frozen=True)
class Fault:
    """How one request is answered.

    kind (str): "ok", "status", "hang", "drop", "truncated", "html", "text", "duplicate", "empty", "trickle", "raw".
    status (int): For "status".
    headers (Mapping): Sent besides.
    body (object): JSON for "status" and "raw".
    answer (str | None): For "ok"; by default the prompt, told back.
    finish (str): Its finish_reason.
    seconds (float | None): How long it takes; by default as long as the server's answers.
    """

    kind: str = "ok"
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: object = None
    answer: str | None = None
    finish: str = "stop"
    tokens: tuple[int, int] = (10, 5)
    seconds: float | None = None


OK = Fault()
BUSY = Fault("status", 429, body={"error": {"message": "slow down"}})
BUSY_FOR_A_MOMENT = Fault("status", 429, {"Retry-After": "0.05"}, {"error": {"message": "slow down"}})
BROKEN = Fault("status", 500, body={"error": {"message": "internal error"}})
HANG, DROP, TRUNCATED, HTML = Fault("hang"), Fault("drop"), Fault("truncated"), Fault("html")
TEXT, DUPLICATE, EMPTY, TRICKLE = Fault("text"), Fault("duplicate"), Fault("empty"), Fault("trickle")
Plan = Callable[[int, Mapping], Fault]


def prompt_of(body: Mapping) -> str:
    """The text of the last message."""
    return body["messages"][-1]["content"]


def always(fault: Fault) -> Plan:
    """A plan that never changes."""
    return lambda number, body: fault


def one_after_the_other(*faults: Fault) -> Plan:
    """The faults in order of the requests; the last one stays."""
    return lambda number, body: faults[min(number, len(faults) - 1)]


class FaultServer:
    """Counts what it is asked and what was paid.

    plan (Callable): From the number of the request, from 0, and its body to a Fault.
    seconds (float): How long an answer takes.
    capacity (int | None): Answers at a time; the others wait in the server, which says nothing of it.
    keep (bool): Whether to keep what was asked; off for runs of a hundred thousand requests.

    count (int): Requests until now. asked (List[dict]): Bodies, in order. paid (Counter): Prompts that were answered whole with status 200.
    in_flight, peak (int): Requests being answered, now and at most.
    """

    def __init__(self, plan: Plan | None = None, *, seconds: float = 0.0, capacity: int | None = None, keep: bool = True) -> None:
        self.plan, self.seconds, self.capacity, self.keep = plan or always(OK), seconds, capacity, keep
        self.count = 0
        self.asked: list[dict] = []
        self.headers: list[Mapping[str, str]] = []
        self.paths: list[str] = []
        self.paid: Counter[str] = Counter()
        self.in_flight = self.peak = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    @property
    def url(self) -> str:
        """The base_url for clients."""
        return f"http://127.0.0.1:{self.port}/v1"

    @property
    def prompts(self) -> list[str]:
        """The texts that were asked, in order."""
        return [prompt_of(body) for body in self.asked]

    def narrow(self, *, capacity: int) -> None:
        """Answer only so many at a time from now on."""
        self._room = asyncio.Semaphore(capacity)

    def forget(self) -> None:
        """Keep nothing of what was asked until now."""
        for kept in (self.asked, self.headers, self.paths, self.paid):
            kept.clear()

    def let_go(self) -> None:
        """End all requests that hang, and those to come."""
        self._loop.call_soon_threadsafe(self._stopped.set)

    def __enter__(self) -> FaultServer:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._open(), self._loop).result(10)
        return self

    def __exit__(self, *error: object) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _open(self) -> None:
        self._room = asyncio.Semaphore(self.capacity or 10**6)
        self._stopped = asyncio.Event()
        self._runner = web.ServerRunner(web.Server(self._handle, access_log=None), shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0, backlog=1024)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def _close(self) -> None:
        self._stopped.set()
        await self._runner.cleanup()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        self.in_flight += 1
        self.peak = max(self.peak, self.in_flight)
        try:
            body = json.loads(await request.read())
            fault = self.plan(self._note(request, body), body)
            async with self._room:
                if seconds := self.seconds if fault.seconds is None else fault.seconds:
                    await asyncio.sleep(seconds)
                return await self._answer(request, body, fault)
        finally:
            self.in_flight -= 1

    def _note(self, request: web.BaseRequest, body: dict) -> int:
        """Returns the number of a request."""
        number, self.count = self.count, self.count + 1
        if self.keep:
            self.asked.append(body)
            self.headers.append(request.headers)
            self.paths.append(request.raw_path)
        return number

    async def _answer(self, request: web.BaseRequest, body: Mapping, fault: Fault) -> web.StreamResponse:
        whole = self.completion(body, fault)
        if fault.kind == "ok":
            self.paid[prompt_of(body)] += 1
            return web.json_response(whole, headers=fault.headers)
        if fault.kind == "hang":
            await self._sleep(HUNG)
        if fault.kind in ("hang", "drop"):
            if request.transport is not None:
                request.transport.abort()
            return web.Response()
        if fault.kind == "truncated":
            return await self._cut(request, json.dumps(whole).encode())
        if fault.kind == "trickle":
            return await self._trickle(request, json.dumps(whole).encode())
        return self._plain(whole, fault)

    def _plain(self, whole: dict, fault: Fault) -> web.Response:
        if fault.kind == "html":
            return web.Response(text="<html><h1>502 Bad Gateway</h1></html>", content_type="text/html")
        if fault.kind == "text":
            return web.Response(text=json.dumps(whole), content_type="text/plain")
        if fault.kind == "duplicate":
            whole["choices"].append({**whole["choices"][0], "index": 1, "message": {"role": "assistant", "content": "a second choice"}})
            return web.json_response(whole)
        if fault.kind == "empty":
            whole["choices"][0]["message"]["content"] = ""
            return web.json_response(whole)
        return web.json_response(fault.body, status=fault.status, headers=fault.headers)

    @staticmethod
    def completion(body: Mapping, fault: Fault) -> dict:
        """What an honest server would say."""
        text = f"answer to {prompt_of(body)}" if fault.answer is None else fault.answer
        choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": fault.finish}
        usage = {"prompt_tokens": fault.tokens[0], "completion_tokens": fault.tokens[1], "total_tokens": sum(fault.tokens)}
        return {"id": "x", "object": "chat.completion", "model": body["model"], "choices": [choice], "usage": usage}

    async def _cut(self, request: web.BaseRequest, text: bytes) -> web.StreamResponse:
        response = web.Response(body=text[: len(text) // 2], content_type="application/json")
        return response

    async def _trickle(self, request: web.BaseRequest, text: bytes) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        for byte in text:
            if self._stopped.is_set():
                break
            try:
                await response.write(bytes([byte]))
            except ConnectionError:
                break
            await self._sleep(0.2)
        return response

    async def _sleep(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._stopped.wait(), seconds)
        except asyncio.TimeoutError:
            pass
