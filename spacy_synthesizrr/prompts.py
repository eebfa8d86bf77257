"""What goes to a teacher and what comes back: three kinds of `str`.

spacy-llm hands prompts and responses around as strings. Subclasses keep that promise, so that every task and model of
spacy-llm works with ours: a model that knows nothing of us sees a plain prompt, a task that knows nothing of us sees a
plain answer, and a failure is an empty answer that harms nobody. Our own tasks look for `Failure` first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

FAILURES = ("rate_limited", "timeout", "server_error", "refused", "truncated", "malformed", "empty", "too_long", "budget", "missing")
RETRYABLE = ("rate_limited", "timeout", "server_error", "budget", "missing")  # a later request may be answered
NO_ANSWER = "the model gave fewer answers than it was asked for"


class _Text(str):
    """A `str` with attributes that survive pickling (spaCy's `n_process` pickles)."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (_rebuild, (type(self), str(self), dict(self.__dict__)))


def _rebuild(cls: type[_Text], text: str, attributes: dict[str, Any]) -> _Text:
    made = str.__new__(cls, text)
    made.__dict__.update(attributes)
    return made


class Prompt(_Text):
    """A rendered prompt.

    messages (Sequence[Mapping]): The same as chat messages, `{"role", "content"}`.
    draw (int): Tells the k-th draw of one prompt from the first; part of every cache key.
    id (str): The id of the candidate that asks.
    key (str): The candidate's label set as the task file names it, for accounts; shapes no answer.
    label (str): Verbalized label, for teachers that work by rule.
    passage (str): The passage in the prompt, empty when there is none.
    fields (Mapping[str, Any]): What else a rule-based teacher may need (length hint, refusal marker, mode).
    schema (Mapping[str, Any] | None): JSON schema that the answer should follow, where the server can hold the model to it.
        The prompt must ask for that JSON in words too, and the parser must bear its absence.
    """

    messages: Sequence[Mapping[str, str]]
    draw: int
    id: str
    key: str
    label: str
    passage: str
    fields: Mapping[str, Any]
    schema: Mapping[str, Any] | None

    def __new__(
        cls,
        text: str,
        *,
        messages: Sequence[Mapping[str, str]] = (),
        draw: int = 0,
        id: str = "",
        key: str = "",
        label: str = "",
        passage: str = "",
        fields: Mapping[str, Any] | None = None,
        schema: Mapping[str, Any] | None = None,
    ) -> Prompt:
        made = str.__new__(cls, text)
        made.messages = tuple(messages) or ({"role": "user", "content": text},)
        made.draw, made.id, made.key, made.label, made.passage = draw, id, key, label, passage
        made.fields, made.schema = dict(fields or {}), None if schema is None else dict(schema)
        return made


class Answer(_Text):
    """What a teacher wrote, with what it cost.

    model (str): Name of the model that answered.
    request (str): Hash of everything that the answer depends on.
    prompt_tokens (int), answer_tokens (int): As counted by the server; None where unknown.
    finish (str): "stop", "length" …; empty where unknown.
    """

    model: str
    request: str
    prompt_tokens: int | None
    answer_tokens: int | None
    finish: str

    def __new__(
        cls,
        text: str,
        *,
        model: str = "",
        request: str = "",
        prompt_tokens: int | None = None,
        answer_tokens: int | None = None,
        finish: str = "",
    ) -> Answer:
        made = str.__new__(cls, text)
        made.model, made.request, made.finish = model, request, finish
        made.prompt_tokens, made.answer_tokens = prompt_tokens, answer_tokens
        return made


class Failure(_Text):
    """No answer: an empty string that says why.

    kind (str): One of `FAILURES`.
    detail (str): What the server or the rule said, for people.
    request (str): Hash of the request that failed.
    """

    kind: str
    detail: str
    request: str

    def __new__(cls, kind: str, detail: str = "", *, request: str = "") -> Failure:
        if kind not in FAILURES:
            raise ValueError(f"Unknown kind of failure '{kind}'. Valid: {', '.join(FAILURES)}.")
        made = str.__new__(cls, "")
        made.kind, made.detail, made.request = kind, detail, request
        return made
