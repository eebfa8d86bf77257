"""From what a teacher wrote to one text, or to a reason why there is none.

A chat model wraps its answer: it repeats the header, puts quotes around it, opens with "Here is …", or goes on and
invents the next document. Each such wrapping is taken off and recorded; a run-on answer gives one text, its first.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from spacy_synthesizrr.candidates import FAILED, GENERATED, REJECTED, Candidate, Event
from spacy_synthesizrr.prompts import Answer, Failure
from spacy_synthesizrr.tasks.words import PromptWords

STEP = "synthesize"
KEPT_REFUSAL = 500  # characters of a refused answer that stay in its event, for people
QUOTES = {'"': '"', "'": "'", "“": "”", "„": "“", "«": "»", "»": "«", "‘": "’", "`": "`"}
_PREAMBLE = re.compile(r"^(?:sure|certainly|of course|okay|here is|here's|here’s|here are)\b[^\n]{0,150}:\s*\n+", re.IGNORECASE)
# Reviews do begin with "I cannot believe" and "I'm sorry I bought this": only what a model says of its own work counts.
_UNABLE = (
    r"i (?:cannot|can ?not|can['’]t|could not|couldn['’]t|won['’]t|will not|am unable to|am not able to)"
    r"|i['’]m (?:unable|not able) to"
)
_WORK = (
    r"answer|assist|complete|comply|continue|create|do (?:this|that|so|it)|fulfil\w*|generate|give|help|make|produce|provide|rewrite"
    r"|summari[sz]e|write"
)
_REFUSAL = re.compile(
    r"^(?:as an ai\b|as a (?:large )?language model\b"
    r"|(?:i['’]?m|i am) (?:very |so )?sorry[,.;:!]?\s*(?:$|but (?:i|as|there)\b|as an ai|" + _UNABLE + r")"
    r"|(?:i apologi[sz]e|sorry|unfortunately)[,;]? (?:but )?(?:as an ai|" + _UNABLE + r"|i do not have|i don['’]t have)"
    r"|(?:" + _UNABLE + r")\s*(?:[.!,;]|$|(?:\w+ )?(?:" + _WORK + r")\b))",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Parsed:
    """One answer after parsing.

    text (str): The example; empty when there is none.
    status (str): GENERATED, FAILED or REJECTED.
    reason (str): A kind of `Failure`, or "refused".
    detail (Mapping): For the event: "repaired" (list of words), "dropped" (pieces), "answer" (of a refusal).
    """

    text: str
    status: str = GENERATED
    reason: str = ""
    detail: Mapping[str, Any] = field(default_factory=dict)


def parse_answer(answer: object, words: PromptWords) -> Parsed:
    """Read one answer.

    answer (object): Answer, Failure, or whatever another model returned.
    words (PromptWords): Headers and refusal marker.
    RETURNS (Parsed): Never raises.
    """
    if isinstance(answer, Failure):
        return Parsed("", FAILED, answer.kind, {"detail": answer.detail} if answer.detail else {})
    if not isinstance(answer, str):
        return Parsed("", FAILED, "malformed", {"detail": f"the model returned {type(answer).__name__}, not a string"})
    if getattr(answer, "finish", "") == "length":
        return Parsed("", FAILED, "truncated", {"detail": "the model reached its token limit before it ended"})
    if getattr(answer, "finish", "") == "content_filter":
        return Parsed("", REJECTED, "refused", {"detail": "the server's content filter stopped the answer"})
    if is_refusal(answer, words.refusal_marker):
        return Parsed("", REJECTED, "refused", {"answer": str(answer).strip()[:KEPT_REFUSAL]})
    text, repaired, dropped = unwrap(str(answer), words)
    if not text:
        return Parsed("", FAILED, "empty")
    detail: dict[str, Any] = {"repaired": repaired} if repaired else {}
    return Parsed(text, detail={**detail, "dropped": dropped} if dropped else detail)


def is_refusal(text: str, marker: str = "") -> bool:
    """Whether a teacher declined: it wrote the task's marker (in any case), or opened as chat models do.

    text (str): The answer.
    marker (str): The task's refusal marker; matched as whole words.
    """
    if marker and re.search(rf"(?<!\w){re.escape(marker.strip())}(?!\w)", text, re.IGNORECASE):
        return True
    return _REFUSAL.match(text.strip().lstrip("\"'“‘*")) is not None


def unwrap(text: str, words: PromptWords) -> tuple[str, list[str], int]:
    """Take everything off that is not the example.

    RETURNS (Tuple[str, List[str], int]): The example, what was repaired ("preamble", "header", "run_on", "unquoted"),
        and how many further pieces were dropped.
    """
    repaired: list[str] = []
    dropped = 0
    before = None
    while text != before:  # a quoted answer may hold a header inside, and the other way round
        before = text = text.strip()
        if preamble := _PREAMBLE.match(text):
            text = _record(repaired, "preamble", text[preamble.end() :])
        first, header, more = _first_piece(text, words)
        if header:
            _record(repaired, "header", "")
        if more:
            _record(repaired, "run_on", "")
            dropped += more
        text = first.strip()
        if (bare := _unquote(text)) is not None:
            text = _record(repaired, "unquoted", bare)
    return text, repaired, dropped


def _record(repaired: list[str], what: str, text: str) -> str:
    if what not in repaired:
        repaired.append(what)
    return text


def _first_piece(text: str, words: PromptWords) -> tuple[str, bool, int]:
    """The first piece between headers at the start of a line, whether a header stood before it, and how many follow.

    The document header counts too: a run-on answer invents the next document before it answers again.
    """
    names = [header.strip().rstrip(":").strip() for header in (words.answer_header, words.document_header)]
    patterns = [rf"{re.escape(name)}[*_]*[ \t]*:[*_]*" for name in names if name]
    if not patterns:
        return text, False, 0
    pieces = re.split(rf"(?:\A|\n)[ \t]*[*_#>]*[ \t]*(?:{'|'.join(patterns)})[ \t]*", text, flags=re.IGNORECASE)
    found = [piece for piece in pieces if piece.strip()]
    return (found[0] if found else ""), len(pieces) > 1 and not pieces[0].strip(), max(len(found) - 1, 0)


def _unquote(text: str) -> str | None:
    """The text inside one pair of wrapping quotes; None when there is none (`"a" and "b"` is not wrapped)."""
    if len(text) < 2 or QUOTES.get(text[0]) != text[-1]:
        return None
    inner = text[1:-1]
    # An apostrophe inside single quotes says nothing; any other closing mark inside means two quotations.
    return None if text[-1] in inner and text[-1] not in "'’" else inner.strip()


def apply_answer(candidate: Candidate, answer: object, *, words: PromptWords, carried: Mapping[str, str]) -> Candidate:
    """The candidate after its answer: one more event, with what the answer cost and what was repaired.

    candidate (Candidate): As planned.
    answer (object): What the model gave for it.
    carried (Mapping[str, str]): Fields that are not written by the teacher.
    RETURNS (Candidate): Generated, failed or rejected; only a generated one has the written field.
    """
    parsed = parse_answer(answer, words)
    request = str(getattr(answer, "request", ""))
    detail = {**_provenance(answer), **parsed.detail}
    fields = {**carried, words.field: parsed.text} if parsed.status == GENERATED else dict(carried)
    return candidate.after(Event(STEP, parsed.status, parsed.reason, detail), fields=fields, request=request)


def _provenance(answer: object) -> dict[str, Any]:
    if not isinstance(answer, (Answer, Failure)):
        return {}
    names = ("model", "request", "prompt_tokens", "answer_tokens", "finish")
    return {name: value for name in names if (value := getattr(answer, name, None)) not in (None, "")}
