"""What came back for one request, read into one record: an answer or a failure, whom it concerns, and whether it was paid.

Servers disagree in the details. What is read here was seen: answers cut at the token limit that say "stop", empty content
with status 200, two choices where one was asked for, error objects with status 200, generations that broke off and say so in
a word of their own, ordinary rate limits that name a billing page, pages of HTML.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Dict, List, Tuple

from spacy_synthesizrr.models.chat.headers import retry_after
from spacy_synthesizrr.models.chat.refusals import Verdict, cure_of_no_connection, kind_of_error
from spacy_synthesizrr.prompts import Answer, Failure

MOST_TOKENS = 2**40  # a server that counts more miscounts, and SQLite bears 2^63
SHOWN = 300  # characters of what a server said that stay in a Failure
FINISHES = {
    "truncated": ("length", "max_tokens", "max_output_tokens", "model_length"),
    "refused": ("content_filter", "safety", "recitation", "prohibited_content", "blocklist", "refusal"),
    "server_error": ("error", "abort", "aborted", "cancelled", "canceled", "insufficient_system_resource"),
    "": (
        "stop",
        "end_turn",
        "stop_sequence",
        "eos",
        "eos_token",
        "complete",
        "completed",
        "done",
        "end",
        "eot",
        "eosfound",
        "tool_calls",
        "function_call",
        "none",
        "",
    ),
}
KIND_OF_FINISH = {finish: kind for kind, finishes in FINISHES.items() for finish in finishes}


@dataclass(frozen=True)
class Reply:
    """What came back for one request.

    status (int): HTTP status.
    body (bytes): As it came.
    headers (Mapping[str, str]): Names in lower case.
    """

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Lost:
    """A request without a reply: it may have been answered and paid.

    failure (Failure): "timeout", "server_error" or "malformed".
    """

    failure: Failure


@dataclass(frozen=True)
class Unreachable:
    """No connection came about, so nothing was sent and nothing was paid."""

    detail: str


@dataclass(frozen=True)
class Result:
    """What one attempt came to.

    outcome (Answer | Failure): For the prompt.
    verdict (Verdict): Whom it concerns.
    paid (bool): Whether the server may charge for it.
    tokens (Tuple[int | None, int | None]): Of prompt and answer, as the server counted them.
    wait (float | None): Seconds that the server asks to wait.
    refused (bool): Whether the server said no for load, rather than nothing.
    cure (str): For verdicts that concern all prompts.
    """

    outcome: Answer | Failure
    verdict: Verdict
    paid: bool = False
    tokens: Tuple[int | None, int | None] = (None, None)
    wait: float | None = None
    refused: bool = False
    cure: str = ""


def read(came: Reply | Lost | Unreachable, *, request: str, model: str, limit: int | None = None) -> Result:
    """Read what came back.

    request (str): Hash of the request.
    model (str): The model that was asked; the server may name another version.
    limit (int | None): Most tokens that the answer could have.
    RETURNS (Result): Never raises.
    """
    if isinstance(came, Unreachable):
        failure = Failure("server_error", f"no connection: {came.detail}", request=request)
        return Result(failure, "unreachable", cure=cure_of_no_connection(came.detail))
    if isinstance(came, Lost):
        failure = Failure(came.failure.kind, came.failure.detail, request=request)
        return Result(failure, "load" if failure.kind == "timeout" else "fault", paid=True)
    parsed = _json(came.body)
    if not 200 <= came.status < 300:
        return _read_error(came.status, parsed, came, request)
    if not isinstance(parsed, dict):
        kind = came.headers.get("content-type", "no content type")
        return _malformed(f"status {came.status}, but no JSON object ({kind}): {shown(came.body)}", request, (None, None))
    tokens = usage(parsed)
    try:
        error = parsed.get("error") or (parsed["choices"][0].get("error") if parsed.get("choices") else None)
        if error:
            return _read_error(_code(error) or 500, {"error": error}, came, request, tokens=tokens)
        return _read_choice(parsed, request, model, limit)
    except (KeyError, IndexError, TypeError, AttributeError, ValueError):
        return _malformed(f"status {came.status}, but no chat completion: {shown(came.body)}", request, tokens)


def _malformed(detail: str, request: str, tokens: Tuple[int | None, int | None]) -> Result:
    return Result(Failure("malformed", detail, request=request), "fault", paid=True, tokens=tokens)


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _read_choice(parsed: Mapping[str, Any], request: str, model: str, limit: int | None) -> Result:
    """The first choice counts; a second one was not asked for."""
    choice = parsed["choices"][0]
    message, tokens = choice["message"], usage(parsed)
    finish = _valid(str(choice.get("finish_reason") or ""))
    text = _text(message.get("content"))
    if (no := _no_answer(finish, message, text, tokens[1], limit)) is not None:
        failure = Failure(no[0], shown(no[1]), request=request)
        return Result(failure, "prompt" if no[0] in ("refused", "truncated") else "fault", paid=True, tokens=tokens)
    name = _valid(str(parsed.get("model") or model))
    answer = Answer(text, model=name, request=request, prompt_tokens=tokens[0], answer_tokens=tokens[1], finish=finish)
    return Result(answer, "answered", paid=True, tokens=tokens)


def _no_answer(finish: str, message: Mapping[str, Any], text: str, tokens: int | None, limit: int | None) -> Tuple[str, str] | None:
    """Kind and detail of what is no answer though it looks like one."""
    kind = KIND_OF_FINISH.get(finish.casefold())
    if kind == "truncated":
        return kind, f"the answer reached its token limit ({tokens or limit or 'unknown'})"
    if kind == "refused" or message.get("refusal"):
        return "refused", str(message.get("refusal") or f"the server's filter stopped the answer (finish: {finish})")
    if kind == "server_error":
        return kind, f"the generation broke off (finish: {finish})"
    if limit is not None and tokens is not None and tokens >= limit:
        return "truncated", f"the answer has {tokens} tokens of at most {limit}, whatever the server says"
    if not text.strip():
        return "empty", f"the model wrote nothing (finish: {finish or 'unknown'})"
    if kind is None:
        return "malformed", f"the server ended the answer with the unknown word {finish!r}: nobody can tell whether it is whole"
    if not text.isprintable() and ("\x00" in text or _valid(text) != text):
        return "malformed", "the answer holds NUL characters or halves of surrogate pairs"
    return None


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
    counted = (value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < MOST_TOKENS else None for value in found)
    return tuple(counted)  # type: ignore[return-value]


# ── refusals ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _read_error(status: int, parsed: Any, reply: Reply, request: str, *, tokens: Tuple[int | None, int | None] = (None, None)) -> Result:
    said = _message(parsed) or shown(reply.body)
    detail = f"status {status}: {said}" if said else f"status {status}"
    wait = retry_after(reply.headers)
    kind, verdict, cure = kind_of_error(status, said, _codes(parsed), waits=wait is not None)
    about: Dict[str, Any] = {"wait": wait, "refused": status in (429, 503, 529), "cure": cure}
    # an error inside a reply is paid where the server counted what it had written until then
    return Result(Failure(kind, detail, request=request), verdict, paid=tokens[1] is not None, tokens=tokens, **about)


def _code(error: Any) -> int:
    """The HTTP status inside an error object, 0 when it names none."""
    code = str(error.get("code") or error.get("status") or "") if isinstance(error, dict) else ""
    return int(code) if code.isdecimal() and len(code) == 3 and int(code) >= 400 else 0


def _error_of(parsed: Any) -> Any:
    if isinstance(parsed, list) and parsed:
        parsed = parsed[0]
    return parsed.get("error", parsed) if isinstance(parsed, dict) else None


def _codes(parsed: Any) -> List[str]:
    """Words by which an error object names its kind."""
    error = _error_of(parsed)
    found = [error.get(key) for key in ("code", "type", "status")] if isinstance(error, dict) else []
    return [str(value).casefold() for value in found if value]


def _message(parsed: Any) -> str:
    """What an error object says: servers put it under error.message, error, message, detail or a list of them."""
    error = _error_of(parsed)
    if isinstance(error, dict):
        said = error.get("message") or error.get("detail") or error.get("msg") or ""
        code = error.get("code") or error.get("type") or ""
        return shown(f"{said if isinstance(said, str) else json.dumps(said)} {f'({code})' if code else ''}")
    return "" if error is None else shown(str(error))


def shown(text: bytes | str) -> str:
    """RETURNS (str): The beginning of what a server said, on one line."""
    if isinstance(text, bytes):
        text = text[: 4 * SHOWN].decode("utf-8", "replace")
    return _valid(" ".join(text.split())[:SHOWN])


def _valid(text: str) -> str:
    """Text without what JSON can say and UTF-8 cannot: a file or a database that took it would refuse the whole row."""
    return text.encode("utf-8", "replace").decode()
