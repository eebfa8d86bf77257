"""AsyncOpenAI with a semaphore; the variant "httpx" is its default transport, otherwise aiohttp's."""

import asyncio

from exchange import Job, job
from openai import AsyncOpenAI, DefaultAioHttpClient, OpenAIError

RETRIES = 8


async def ask(client: AsyncOpenAI, at: Job, number: int, prompt: str) -> None:
    """Ask once; the client retries by itself."""
    try:
        told = await client.chat.completions.create(model="fake", messages=[{"role": "user", "content": prompt}])
        at.answer(number, told.choices[0].message.content)
    except (OpenAIError, ValueError):  # a body that is no JSON comes as the latter
        at.answer(number, None)


async def main() -> None:
    """Ask for all prompts."""
    at = job()
    room = asyncio.Semaphore(at.in_flight)

    async def one(number: int, prompt: str) -> None:
        async with room:
            await ask(client, at, number, prompt)

    transport = None if at.variant == "httpx" else DefaultAioHttpClient()
    async with AsyncOpenAI(base_url=at.url, api_key="none", max_retries=RETRIES, http_client=transport) as client:
        await asyncio.gather(*(one(number, prompt) for number, prompt in enumerate(at.prompts())))


asyncio.run(main())
