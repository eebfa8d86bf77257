"""The chat completions protocol: a prompt becomes a request body, a reply becomes an Answer, a Failure, or the end.

Servers disagree in the details. What is read here was seen: answers cut at the token limit that say "stop", empty content
with status 200, two choices where one was asked for, an error object with status 200, pages of HTML.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Dict, List, Tuple

from spacy_synthesizrr.prompts import Answer, Failure, Prompt

LIMIT_KEYS = ("max_tokens", "max_completion_tokens")
SHOWN = 300  # characters of what a server said that stay in a Failure
_TOO_LONG = re.compile(
    r"context[_ ](?:length|window|size)|maximum context|too many tokens|(?:prompt|input) is too long|string too long"
    r"|exceed\w* (?:the )?(?:max|context|model)|longer than the (?:model|maximum)",
    re.IGNORECASE,
)
NO_SCHEMA = re.compile(r"response[_ ]?format|json[_ ]?schema|structured output|guided|grammar", re.IGNORECASE)
_FILTERED = re.compile(r"content[_ ]?(?:filter|policy|management)|moderation|safety", re.IGNORECASE)
_NO_CREDIT = re.compile(r"insufficient_quota|exceeded your current quota|billing|credit balance|payment", re.IGNORECASE)


@dataclass(frozen=True)
class Reply:
    """What came back for one request.

    status (int): HTTP status.
    body (bytes): As it came.
    headers (Mapping[str, str]): Names in lower case.
    seconds (float): From sending to the last byte.
    """

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 0.0


@dataclass(frozen=True)
class Unreachable:
    """No connection came about, so nothing was sent and nothing was paid."""

    detail: str


@dataclass(frozen=True)
class BadRequest:
    """The server refuses this request as it stands. When it refuses every request, the teacher is set up wrongly."""

    detail: str


@dataclass(frozen=True)
class Terminal:
    """No request can succeed: the reason and the cure."""

    detail: str
    cure: str


Outcome = Answer | Failure | BadRequest | Terminal


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
    body: Dict[str, Any] = {"model": model, "messages": messages_of(prompt, system), **(parameters or {})}
    if body.get("seed") is not None:
        body["seed"] = int(body["seed"]) + (prompt.draw if isinstance(prompt, Prompt) else 0)
    if isinstance(prompt, Prompt) and prompt.schema is not None and "response_format" not in body:
        form = {"name": "answer", "schema": dict(prompt.schema), "strict": True}
        body["response_format"] = {"type": "json_schema", "json_schema": form}
    return json.dumps({**body, **(extra or {})}, ensure_ascii=False, allow_nan=False).encode()


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


def read_reply(reply: Reply, *, request: str, model: str, limit: int | None = None) -> Outcome:
    """Read what came back.

    request (str): Hash of the request.
    model (str): The model that was asked; the server may name another version.
    limit (int | None): Most tokens that the answer could have.
    RETURNS (Answer | Failure | BadRequest | Terminal): Never raises.
    """
    parsed = _json(reply.body)
    if reply.status != 200:
        return _read_error(reply.status, parsed, reply.body, request)
    if not isinstance(parsed, dict):
        kind = reply.headers.get("content-type", "no content type")
        return Failure("malformed", f"status 200, but no JSON object ({kind}): {shown(reply.body)}", request=request)
    if parsed.get("error") and not parsed.get("choices"):
        code = _code(parsed["error"])
        return _read_error(code if code >= 400 else 500, parsed, reply.body, request)
    try:
        return _read_choice(parsed, request, model, limit)
    except (KeyError, IndexError, TypeError, AttributeError, ValueError):
        return Failure("malformed", f"status 200, but no chat completion: {shown(reply.body)}", request=request)


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _code(error: Any) -> int:
    """The HTTP status inside an error object, 0 when it names none."""
    code = str(error.get("code") or error.get("status") or "") if isinstance(error, dict) else ""
    return int(code) if code.isdecimal() and len(code) == 3 else 0


def _read_choice(parsed: Mapping[str, Any], request: str, model: str, limit: int | None) -> Answer | Failure:
    """The first choice counts; a second one was not asked for."""
    choice = parsed["choices"][0]
    message = choice["message"]
    finish = str(choice.get("finish_reason") or "")
    prompt_tokens, answer_tokens = usage(parsed)
    if finish == "content_filter":
        return Failure("refused", "the server's content filter stopped the answer", request=request)
    if message.get("refusal"):
        return Failure("refused", shown(str(message["refusal"])), request=request)
    text = _text(message.get("content"))
    if finish in ("length", "max_tokens"):
        return Failure("truncated", f"the answer reached its token limit ({answer_tokens or limit or 'unknown'})", request=request)
    if limit is not None and answer_tokens is not None and answer_tokens >= limit:
        return Failure("truncated", f"the answer has {answer_tokens} tokens of at most {limit}, whatever the server says", request=request)
    if not text.strip():
        return Failure("empty", f"the model wrote nothing (finish: {finish or 'unknown'})", request=request)
    if not text.isprintable() and "\x00" in text:
        return Failure("malformed", "the answer holds NUL characters", request=request)
    name = str(parsed.get("model") or model)
    return Answer(text, model=name, request=request, prompt_tokens=prompt_tokens, answer_tokens=answer_tokens, finish=finish)


def _text(content: Any) -> str:
    """Content is a string, or a list of parts."""
    if isinstance(content, list):
        return "".join(str(part.get("text") or "") for part in content if isinstance(part, dict))
    if content is not None and not isinstance(content, str):
        raise ValueError("content is neither text nor parts")
    return content or ""


def usage(parsed: Any) -> Tuple[int | None, int | None]:
    """RETURNS (Tuple[int | None, int | None]): Tokens of prompt and answer as the server counted them; None where it did not."""
    about = parsed.get("usage") if isinstance(parsed, dict) else None
    about = about if isinstance(about, dict) else {}
    found = (about.get("prompt_tokens"), about.get("completion_tokens"))
    return tuple(value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None for value in found)  # type: ignore[return-value]


def usage_of(body: bytes) -> Tuple[int | None, int | None]:
    """RETURNS (Tuple[int | None, int | None]): See `usage`, for a body that gave no answer."""
    return usage(_json(body))


def _read_error(status: int, parsed: Any, body: bytes, request: str) -> Outcome:
    said = _message(parsed) or shown(body)
    detail = f"status {status}: {said}" if said else f"status {status}"
    if status in (401, 402, 403, 404, 405) or 300 <= status < 400 or (status == 429 and _NO_CREDIT.search(said)):
        return _terminal(status, detail, said, request)
    if status == 429:
        return Failure("rate_limited", detail, request=request)
    if status in (408, 504):
        return Failure("timeout", detail, request=request)
    if status >= 500:
        return Failure("server_error", detail, request=request)
    if status == 413 or _TOO_LONG.search(said):
        return Failure("too_long", detail, request=request)
    if _FILTERED.search(said):
        return Failure("refused", detail, request=request)
    return BadRequest(detail)


def _terminal(status: int, detail: str, said: str, request: str) -> Outcome:
    if status == 403 and _FILTERED.search(said):
        return Failure("refused", detail, request=request)
    if status in (401, 403):
        return Terminal(detail, "Check that the variable that api_key_env names holds a valid key for this base_url and model.")
    if status in (402, 429):
        return Terminal(detail, "The account has no credit left. Answers until now are kept; add credit and run again.")
    if status in (404, 405):
        return Terminal(detail, "Check base_url (most servers want it to end in /v1) and the name of the model.")
    return Terminal(
        detail, "The server redirects, and redirects are not followed, because they would carry the key. Set base_url to the final address."
    )


def _message(parsed: Any) -> str:
    """What an error object says: servers put it under error.message, error, message, detail or a list of them."""
    if isinstance(parsed, list) and parsed:
        parsed = parsed[0]
    if not isinstance(parsed, dict):
        return ""
    error = parsed.get("error", parsed)
    if isinstance(error, dict):
        said = error.get("message") or error.get("detail") or error.get("msg") or ""
        code = error.get("code") or error.get("type") or ""
        return shown(f"{said if isinstance(said, str) else json.dumps(said)} {f'({code})' if code else ''}")
    return shown(str(error))


def shown(text: bytes | str) -> str:
    """RETURNS (str): The beginning of what a server said, on one line."""
    if isinstance(text, bytes):
        text = text[: 4 * SHOWN].decode("utf-8", "replace")
    return " ".join(text.split())[:SHOWN]
