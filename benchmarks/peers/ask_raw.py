"""aiohttp and nothing else: a semaphore, a plain retry, and the file of answers as a journal. The limit of what can be had."""

import asyncio
import json

import aiohttp
from exchange import Job, job

RETRIES = 8


async def ask(session: aiohttp.ClientSession, at: Job, number: int, prompt: str) -> None:
    """Ask until there is an answer."""
    body = json.dumps({"model": "fake", "messages": [{"role": "user", "content": prompt}]}).encode()
    for attempt in range(RETRIES + 1):
        try:
            async with session.post(f"{at.url}/chat/completions", data=body) as response:
                if response.status == 200:
                    told = json.loads(await response.read())
                    return at.answer(number, told["choices"][0]["message"]["content"])
        except (aiohttp.ClientError, ValueError):
            pass
        await asyncio.sleep(0.05 * 2**attempt)
    at.answer(number, None)


async def main() -> None:
    """Ask for all prompts that the journal does not have."""
    at = job()
    with open(at.answers_path, encoding="utf-8") as file:
        known = {json.loads(line)[0] for line in file if line.endswith("]\n")}
    room = asyncio.Semaphore(at.in_flight)

    async def one(number: int, prompt: str) -> None:
        async with room:
            await ask(session, at, number, prompt)

    headers = {"Content-Type": "application/json"}
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0), headers=headers) as session:
        await asyncio.gather(*(one(number, prompt) for number, prompt in enumerate(at.prompts()) if number not in known))


asyncio.run(main())
