"""A chat server for measurements: it answers after a time drawn from a law, misbehaves as often as asked, and counts.

    python benchmarks/fake_server.py '{"median": 0.3, "sigma": 0.5}'

prints its port, then serves until it is ended. How one attempt at one prompt is answered, and after how long, depends on the
prompt, the attempt and the seed alone, so all clients meet the same delays and the same faults. HTTP is read by hand, because
a server on the same two cores must cost much less than the clients that it measures. `GET /counts` tells what was counted;
a request counts as paid when it arrives and is going to be answered with status 200, because a provider writes the answer
to its end also for a client that is gone.
"""

from __future__ import annotations

import asyncio
import json
import math
import re
import resource
import sys
import time
from collections import Counter
from dataclasses import asdict, dataclass, fields
from hashlib import blake2b
from statistics import NormalDist
from typing import Any

PROMPT = re.compile(r"Prompt \d+")  # what a request asks for; one without it is none of ours, such as a client's own trial
WORDS = "amber basin cedar delta ember fjord grove heath inlet jetty knoll ledge marsh north ocean plain quarry ridge shore tower".split()
BUSY = 0.005  # seconds until a 429
REASONS = {200: "OK", 404: "Not Found", 411: "Length Required", 429: "Too Many Requests", 500: "Internal Server Error"}


@dataclass(frozen=True)
class Law:
    """How the server behaves.

    median (float), sigma (float): Seconds of a log-normal delay; sigma 0 is always the median.
    busy (float), broken (float), dropped (float), cut (float): Shares of requests that end with status 429, status 500, an
        aborted connection, and a body that ends in the middle of its JSON.
    storm_at (int), storm (float): From this request on, for so many seconds, every request ends with status 429.
    tell_at (int): A line is printed when so many requests were paid.
    """

    median: float = 0.0
    sigma: float = 0.0
    busy: float = 0.0
    broken: float = 0.0
    dropped: float = 0.0
    cut: float = 0.0
    storm_at: int = 0
    storm: float = 0.0
    tell_at: int = 0
    seed: int = 0

    def draw(self, prompt: str, attempt: int) -> tuple[str, float]:
        """RETURNS (Tuple[str, float]): How an attempt (from 1) is answered, and after how many seconds."""
        numbers = blake2b(f"{self.seed} {attempt} {prompt}".encode(), digest_size=16).digest()
        first, second = (int.from_bytes(part, "big") / 2**64 for part in (numbers[:8], numbers[8:]))
        delay = self.median * math.exp(self.sigma * _NORMAL.inv_cdf(min(max(first, 1e-9), 1 - 1e-9))) if self.sigma else self.median
        for name in ("busy", "broken", "dropped", "cut"):
            if second < getattr(self, name):
                return name, BUSY if name == "busy" else delay
            second -= getattr(self, name)
        return "ok", delay


_NORMAL = NormalDist()


def answer_to(prompt: str) -> str:
    """The one right answer: some 60 words that no other prompt gets.

    prompt (str): Such as "Prompt 17", wherever it stands in the last message.
    """
    numbers = blake2b(prompt.encode(), digest_size=60).digest()
    return f"Reply {numbers[:8].hex()} says " + " ".join(WORDS[number % len(WORDS)] for number in numbers)


class Counts:
    """What the server has seen of our prompts. Times are on the monotonic clock, which all processes of a machine share."""

    def __init__(self, tell_at: int = 0) -> None:
        self.requests = self.other = self.in_flight = self.peak = 0
        self.kinds: Counter[str] = Counter()
        self.attempts: Counter[str] = Counter()
        self.paid: Counter[str] = Counter()
        self.given: Counter[str] = Counter()
        self.first_request = self.last_answer = self.storm_until = 0.0
        self._tell_at, self.told_in_flight = tell_at, 0

    def began(self, prompt: str) -> int:
        """Count one request. RETURNS (int): Which attempt at its prompt it is."""
        self.first_request = self.first_request or time.monotonic()
        self.requests += 1
        self.attempts[prompt] += 1
        self.in_flight += 1
        self.peak = max(self.peak, self.in_flight)
        return self.attempts[prompt]

    def pay(self, prompt: str) -> None:
        """Count what a provider would bill."""
        self.paid[prompt] += 1
        if self._tell_at and self.paid.total() >= self._tell_at:
            self._tell_at, self.told_in_flight = 0, self.in_flight
            print("reached", flush=True)

    def told(self) -> dict[str, Any]:
        """RETURNS (Dict): The sums."""
        used = resource.getrusage(resource.RUSAGE_SELF)
        return {
            "requests": self.requests,
            "other": self.other,
            "peak": self.peak,
            "told_in_flight": self.told_in_flight,
            "kinds": dict(self.kinds),
            "prompts": len(self.attempts),
            "paid": self.paid.total(),
            "paid_again": self.paid.total() - len(self.paid),
            "given": len(self.given),
            "given_again": self.given.total() - len(self.given),
            "first_request": self.first_request,
            "last_answer": self.last_answer,
            "cpu": used.ru_utime + used.ru_stime,
        }


class Connection(asyncio.Protocol):
    """One connection that is kept alive. Requests come one after the other on it."""

    def __init__(self, law: Law, counts: Counts) -> None:
        self.law, self.counts, self.buffer = law, counts, b""
        self.transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client is there."""
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        """Some bytes of a request, or the whole of it."""
        self.buffer += data
        while (end := self.buffer.find(b"\r\n\r\n")) >= 0:
            head = self.buffer[:end].lower()
            at = head.find(b"content-length:")
            if at < 0 and head.startswith(b"post"):
                return self._send(411, {"error": {"message": "a request needs a content-length"}})
            size = int(head[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0
            if len(self.buffer) < end + 4 + size:
                if b"expect: 100-continue" in head:
                    self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
                return
            body, self.buffer = self.buffer[end + 4 : end + 4 + size], self.buffer[end + 4 + size :]
            self._request(head, body)

    def _request(self, head: bytes, body: bytes) -> None:
        if head.startswith(b"post") and b"/chat/completions" in head.split(b"\r\n", 1)[0]:
            self._chat(json.loads(body))
        elif head.startswith(b"get /counts"):
            self._send(200, self.counts.told())
        elif head.startswith(b"get /v1/models"):
            self._send(200, {"object": "list", "data": [{"id": "fake", "object": "model"}]})
        else:
            self._send(404, {"error": {"message": "there is nothing here"}})

    def _chat(self, asked: dict[str, Any]) -> None:
        counts, content = self.counts, asked["messages"][-1]["content"] if asked.get("messages") else ""
        found = PROMPT.search(content if isinstance(content, str) else json.dumps(content))
        if found is None:
            counts.other += 1
            return self._send(200, completion(""))
        prompt = found.group()
        kind, delay = self.law.draw(prompt, counts.began(prompt))
        if self.law.storm and counts.requests >= self.law.storm_at:
            now = time.monotonic()
            counts.storm_until = counts.storm_until or now + self.law.storm
            kind, delay = ("busy", BUSY) if now < counts.storm_until else (kind, delay)
        counts.kinds[kind] += 1
        if kind in ("ok", "cut"):
            counts.pay(prompt)
        asyncio.get_running_loop().call_later(delay, self._answer, prompt, kind)

    def _answer(self, prompt: str, kind: str) -> None:
        counts = self.counts
        counts.in_flight -= 1
        if kind == "dropped":
            self.transport.abort()
        elif kind == "busy":
            self._send(429, {"error": {"message": "Rate limit reached, slow down", "type": "requests", "code": "rate_limit_exceeded"}})
        elif kind == "broken":
            self._send(500, {"error": {"message": "The server had an error", "type": "server_error"}})
        elif kind == "cut":
            whole = json.dumps(completion(prompt)).encode()
            self._send(200, whole[: len(whole) // 2])
        elif not self.transport.is_closing():
            counts.given[prompt] += 1
            self._send(200, completion(prompt))
        counts.last_answer = time.monotonic()

    def _send(self, status: int, body: Any) -> None:
        text = body if isinstance(body, bytes) else json.dumps(body).encode()
        head = f"HTTP/1.1 {status} {REASONS[status]}\r\nContent-Type: application/json\r\nContent-Length: {len(text)}\r\n\r\n"
        self.transport.write(head.encode() + text)


def completion(prompt: str) -> dict[str, Any]:
    """RETURNS (Dict): A whole answer, as servers of this protocol give it."""
    choice = {"index": 0, "message": {"role": "assistant", "content": answer_to(prompt)}, "logprobs": None, "finish_reason": "stop"}
    usage = {"prompt_tokens": 100, "completion_tokens": 80, "total_tokens": 180}
    return {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "fake", "choices": [choice], "usage": usage}


async def serve(law: Law) -> None:
    """Print the port and answer for ever."""
    counts = Counts(law.tell_at)
    server = await asyncio.get_running_loop().create_server(lambda: Connection(law, counts), "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def read_law(text: str) -> Law:
    """RETURNS (Law): From JSON; keys that are not there keep their defaults."""
    given, known = json.loads(text), {field.name for field in fields(Law)}
    if unknown := set(given) - known:
        raise SystemExit(f"unknown settings {sorted(unknown)}; valid: {sorted(known)}")
    return Law(**{**asdict(Law()), **given})


if __name__ == "__main__":
    asyncio.run(serve(read_law(sys.argv[1])))
