"""The fault server in a process of its own: what it saw outlives every client that is killed, and clients have a core for themselves.

Faults come at random, by a seed, in shares of 100. What was counted is asked for over HTTP, on the address that is served.
"""

from __future__ import annotations

import asyncio
import json
import random
import string
import subprocess
import sys
import urllib.request
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from aiohttp import web
from faulty import BROKEN, BUSY, DROP, OK, TRUNCATED, Fault, FaultServer, prompt_of

MIX = {"busy": 5, "broken": 3, "drop": 2, "truncated": 2}  # of 100, as in the comparison of clients
BY_NAME = {"busy": BUSY, "broken": BROKEN, "drop": DROP, "truncated": TRUNCATED}
PATIENCE = 120.0  # seconds that a question about the future may take


class CountingServer(FaultServer):
    """A fault server that can be asked what it counted.

    seed (int): Of the faults.
    mix (Mapping[str, int]): Of 100 requests, so many get each fault; the others are answered.
    words (int): Answers are so many words that depend on the prompt alone; 0 tells the prompt back.
    """

    def __init__(self, *, seed: int = 0, mix: Mapping[str, int] | None = None, words: int = 0, **settings: Any) -> None:
        super().__init__(self._draw, keep=False, **settings)
        self._rng, self._refused, self._words = random.Random(seed), 0, words
        self.mix(mix or {})

    def mix(self, shares: Mapping[str, int]) -> None:
        """Other faults from now on."""
        self._faults = [BY_NAME[name] for name, share in shares.items() for _ in range(share)]
        self._faults += [OK] * (100 - len(self._faults))

    def _draw(self, number: int, body: Mapping) -> Fault:
        fault = self._rng.choice(self._faults)
        self._refused += fault.kind == "status"
        return fault

    def counts(self) -> dict[str, int]:
        """Requests, those that were refused (429, 500), answers that were paid, prompts that were answered, most answers to one prompt,
        requests in flight now and at most.
        """
        paid, most = sum(self.paid.values()), max(self.paid.values(), default=0)
        counts = {"asked": self.count, "refused": self._refused, "paid": paid, "distinct": len(self.paid), "most": most}
        return {**counts, "in_flight": self.in_flight, "peak": self.peak}

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.path == "/counts":
            return web.json_response(self.counts())
        if request.path == "/mix":
            self.mix(await request.json())
            return web.json_response(self.counts())
        if request.path == "/wait":
            return web.json_response(await self._wait(**{name: int(value) for name, value in request.query.items()}))
        return await super()._handle(request)

    def completion(self, body: Mapping, fault: Fault) -> dict:
        """What an honest server would say."""
        if self._words:
            rng = random.Random(prompt_of(body))
            text = " ".join("".join(rng.choices(string.ascii_lowercase, k=7)) for _ in range(self._words))
            fault = replace(fault, answer=text)
        return super().completion(body, fault)

    async def _wait(self, *, asked: int = 0, distinct: int = 0, quiet: int = 0) -> dict[str, int]:
        """Until so many were asked and answered, and, with `quiet`, nothing is in flight."""
        last = self._loop.time() + PATIENCE
        while self._loop.time() < last and not self._stopped.is_set():
            if self.count >= asked and len(self.paid) >= distinct and not (quiet and self.in_flight):
                break
            await asyncio.sleep(0.002)
        return self.counts()


class ServerApart:
    """Starts such a server in another process and asks it. Settings are those of CountingServer."""

    def __init__(self, **settings: Any) -> None:
        self._settings = settings

    def __enter__(self) -> ServerApart:
        command = [sys.executable, __file__, json.dumps(self._settings)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parent)
        assert self._process.stdout is not None
        self.url = self._process.stdout.readline().strip()
        assert self.url, "the server did not start"
        return self

    def __exit__(self, *error: object) -> None:
        self._process.communicate("", timeout=30)  # it lives as long as its standard input is open

    def counts(self) -> dict[str, int]:
        """See `CountingServer.counts`."""
        return self._ask("/counts")

    def mix(self, **shares: int) -> dict[str, int]:
        """Other faults from now on."""
        return self._ask("/mix", json.dumps(shares).encode())

    def wait(self, **until: int) -> dict[str, int]:
        """Until so many requests were asked, so many prompts (distinct) were answered, or (quiet=1) nothing is in flight."""
        return self._ask("/wait?" + "&".join(f"{name}={value}" for name, value in until.items()))

    def _ask(self, path: str, body: bytes | None = None) -> dict[str, int]:
        with urllib.request.urlopen(self.url.removesuffix("/v1") + path, body, timeout=2 * PATIENCE) as reply:
            return json.load(reply)


if __name__ == "__main__":
    with CountingServer(**json.loads(sys.argv[1])) as server:
        sys.stdout.write(server.url + "\n")
        sys.stdout.flush()
        sys.stdin.read()
