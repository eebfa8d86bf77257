"""litellm's acompletion with a semaphore; the variant "router" is its Router, which also asks again after a body that is cut."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from exchange import Job, job

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # its price list is not fetched

import litellm  # noqa: E402

RETRIES = 8
litellm.suppress_debug_info = True
litellm.telemetry = False


def make_ask(at: Job) -> Callable[..., Awaitable[Any]]:
    """RETURNS (Callable): What is awaited with model and messages; it retries by itself."""
    where = {"api_base": at.url, "api_key": "none"}
    if at.variant == "router":
        models = [{"model_name": "openai/fake", "litellm_params": {"model": "openai/fake", **where}}]
        return litellm.Router(model_list=models, num_retries=RETRIES, disable_cooldowns=True).acompletion
    return partial(litellm.acompletion, num_retries=RETRIES, **where)


async def ask(acompletion: Callable[..., Awaitable[Any]], at: Job, number: int, prompt: str) -> None:
    """Ask for one prompt."""
    try:
        told = await acompletion(model="openai/fake", messages=[{"role": "user", "content": prompt}])
        at.answer(number, told.choices[0].message.content)
    except Exception:  # whatever it lets through, one prompt has no answer  # noqa: BLE001
        at.answer(number, None)


async def main() -> None:
    """Ask for all prompts."""
    at = job()
    acompletion = make_ask(at)
    room = asyncio.Semaphore(at.in_flight)

    async def one(number: int, prompt: str) -> None:
        async with room:
            await ask(acompletion, at, number, prompt)

    await asyncio.gather(*(one(number, prompt) for number, prompt in enumerate(at.prompts())))


asyncio.run(main())
