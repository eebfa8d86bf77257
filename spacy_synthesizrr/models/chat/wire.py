"""The chat completions protocol on the way out: a prompt becomes the body of a request. `replies` reads what comes back."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Dict, List

from spacy_synthesizrr.prompts import Prompt

LIMIT_KEYS = ("max_tokens", "max_completion_tokens")
NO_SCHEMA = re.compile(r"response[_ ]?format|json[_ ]?schema|structured output|guided|grammar", re.IGNORECASE)


def request_body(
    prompt: str,
    *,
    model: str,
    system: str | None = None,
    parameters: Mapping[str, Any] | None = None,
    extra: Mapping[str, Any] | None = None,
) -> bytes:
    """Write the body of one request.

    prompt (str): A Prompt, or a plain string, which counts as one user message.
    system (str | None): Goes before the messages, unless they begin with a system message of their own.
    parameters (Mapping): Sampling parameters. A `seed` is counted up by the prompt's draw, so that draws differ.
    extra (Mapping): What one server understands and others do not; it wins.
    RETURNS (bytes): JSON. A prompt with a schema asks for it as `response_format`, unless the parameters set one.
    """
    body: Dict[str, Any] = {"model": model, "messages": messages_of(prompt, system), **(parameters or {}), **(extra or {})}
    if body.get("seed") is not None:
        body["seed"] = int(body["seed"]) + (prompt.draw if isinstance(prompt, Prompt) else 0)
    if isinstance(prompt, Prompt) and prompt.schema is not None and "response_format" not in body:
        form = {"name": "answer", "schema": dict(prompt.schema), "strict": True}
        body["response_format"] = {"type": "json_schema", "json_schema": form}
    return json.dumps(body, ensure_ascii=False, allow_nan=False).encode()


def without_schema(body: bytes) -> bytes | None:
    """RETURNS (bytes | None): A body that no longer asks for a JSON schema; None when it did not ask for one."""
    parsed = json.loads(body)
    if (parsed.get("response_format") or {}).get("type") != "json_schema":
        return None
    del parsed["response_format"]
    return json.dumps(parsed, ensure_ascii=False).encode()


def messages_of(prompt: str, system: str | None = None) -> List[Dict[str, str]]:
    """RETURNS (List[Dict]): The chat messages of a prompt."""
    messages = [dict(message) for message in prompt.messages] if isinstance(prompt, Prompt) else [{"role": "user", "content": str(prompt)}]
    if system and messages[0]["role"] != "system":
        return [{"role": "system", "content": system}, *messages]
    return messages
