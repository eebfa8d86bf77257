"""From what a teacher wrote to one text, or to a reason why there is none.

A chat model wraps its answer: it thinks aloud, repeats the prompt's headers or its document, puts quotes around it, opens
with "Here is …", or goes on and invents the next document. Each such wrapping is taken off and recorded in the event; a
run-on answer gives one text, its first. Where no rule can tell the text from the rest, the answer fails with a reason.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from spacy_synthesizrr.candidates import FAILED, GENERATED, REJECTED, Candidate, Event
from spacy_synthesizrr.curation.refusals import REFUSED, declines
from spacy_synthesizrr.prompts import Answer, Failure
from spacy_synthesizrr.tasks.chatter import (
    is_list,
    still_thinks,
    without_bullet,
    without_fence,
    without_note,
    without_preamble,
    without_quotes,
    without_thought,
)
from spacy_synthesizrr.tasks.words import PromptWords

STEP = "synthesize"
KEPT_ANSWER = 500  # characters of an answer without a text that stay in its event, for people
KEPT_BEFORE = 4000  # characters of an answer that was mended; a longer one is reasoning, and stands whole in the response store
ECHO = "the model repeated the document of its prompt and wrote no answer after it"
LIST = "the model wrote a numbered list of texts instead of one"
THOUGHT = "the model's reasoning did not end"


@dataclass(frozen=True)
class Parsed:
    """One answer after parsing.

    text (str): The example; empty when there is none.
    status (str): GENERATED, FAILED or REJECTED.
    reason (str): A kind of `Failure`, or "refused".
    detail (Mapping): For the event: "repaired" (list of words), "before" (the answer), "dropped" (pieces), "detail" (why it failed),
        "answer".
    """

    text: str
    status: str = GENERATED
    reason: str = ""
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Unwrapped:
    """An answer without its wrappings.

    text (str): What is left.
    repaired (List[str]): What was taken off: "thought", "fence", "preamble", "header", "echo", "run_on", "note",
        "bullet", "unquoted".
    dropped (int): Further pieces of a run-on answer.
    problem (str): Why `text` is not the example; empty when it is.
    """

    text: str
    repaired: list[str]
    dropped: int = 0
    problem: str = ""


def parse_answer(answer: object, words: PromptWords, *, lang: str = "en") -> Parsed:
    """Read one answer.

    answer (object): Answer, Failure, or whatever another model returned.
    words (PromptWords): Headers and refusal marker.
    lang (str): Language of the texts, for typical refusals.
    RETURNS (Parsed): Never raises.
    """
    if isinstance(answer, Failure):
        return Parsed("", FAILED, answer.kind, {"detail": answer.detail} if answer.detail else {})
    if not isinstance(answer, str):
        return Parsed("", FAILED, "malformed", {"detail": f"the model returned {type(answer).__name__}, not a string"})
    if getattr(answer, "finish", "") == "length":
        return Parsed("", FAILED, "truncated", {"detail": "the model reached its token limit before it ended"})
    if getattr(answer, "finish", "") == "content_filter":
        return Parsed("", REJECTED, REFUSED, {"detail": "the server's content filter stopped the answer"})
    found = unwrap(str(answer), words)
    kept = {"answer": str(answer).strip()[:KEPT_ANSWER]}
    if declines(found.text, words.refusal_marker, lang=lang, typical=words.typical_refusals):
        return Parsed("", REJECTED, REFUSED, kept)
    if found.problem:
        return Parsed("", FAILED, "malformed", {"detail": found.problem, **kept})
    if not found.text:
        return Parsed("", FAILED, "empty")
    detail: dict[str, Any] = {"repaired": found.repaired, "before": str(answer).strip()[:KEPT_BEFORE]} if found.repaired else {}
    return Parsed(found.text, detail={**detail, "dropped": found.dropped} if found.dropped else detail)


def unwrap(text: str, words: PromptWords) -> Unwrapped:
    """Take everything off that is not the example.

    text (str): An answer.
    words (PromptWords): Headers of the prompt.
    RETURNS (Unwrapped): The example, or what is wrong with the answer.
    """
    steps: tuple[tuple[str, Callable[[str], str | None]], ...] = (
        ("thought", without_thought),
        ("fence", without_fence),
        ("preamble", lambda found: without_preamble(found, words.answer_header)),
        ("note", without_note),
        ("bullet", without_bullet),
    )
    repaired: dict[str, None] = {}
    dropped = 0
    before = None
    while text != before:  # a quoted answer may hold a header inside, and the other way round
        before = text = text.strip()
        for what, without in steps:
            if (bare := without(text)) is not None:
                repaired[what] = None
                text = bare.strip()
        if still_thinks(text):
            return Unwrapped(text, list(repaired), dropped, THOUGHT)
        piece = _choose(_pieces(text, words), shown=words.mode != "non-retricl")
        if piece is None:
            return Unwrapped(text, list(repaired), dropped, ECHO)
        text, how, more = piece
        dropped += more
        repaired.update(dict.fromkeys([*how, *(["run_on"] if more else [])]))
        if (bare := without_quotes(text)) is not None:
            repaired["unquoted"] = None
            text = bare
    return Unwrapped(text, list(repaired), dropped, LIST if is_list(text) else "")


def _pieces(text: str, words: PromptWords) -> list[tuple[str, str]]:
    """The pieces between the prompt's headers at the start of a line: the kind of header before each, and its text.

    Kinds are "answer", "document" (also the headers of carried fields) and, for what stands before any header, "".
    """
    answer, *documents = ([name.strip().rstrip(":：").strip()] for name in (words.answer_header, words.document_header))
    kinds = {"answer": answer, "document": [name for name in (*documents[0], *words.carried.values()) if name not in answer]}
    parts = [f"(?P<{kind}>{'|'.join(re.escape(name) for name in names if name)})" for kind, names in kinds.items() if any(names)]
    if not parts:
        return [("", text)]
    name = f"(?:{'|'.join(parts)})"
    # "Header:", "**Header:** text", "## Header" on a line of its own
    plain, marked = rf"[*_#> \t]*{name}[*_]*[ \t]*[:：][*_]*", rf"[ \t]*(?:#+[ \t]*|\*\*|__){name}(?:\*\*|__)?[ \t]*$"
    found = sorted(
        (match for pattern in (plain, marked) for match in re.finditer("^" + pattern, text, re.IGNORECASE | re.MULTILINE)),
        key=lambda match: match.start(),
    )
    starts = [("", 0), *((str(match.lastgroup), match.end()) for match in found)]
    ends = [*(match.start() for match in found), len(text)]
    return [(kind, text[start:end].strip()) for (kind, start), end in zip(starts, ends, strict=True)]


def _choose(pieces: list[tuple[str, str]], *, shown: bool) -> tuple[str, list[str], int] | None:
    """The piece that is the example, what stood before it, and how many pieces follow; None when there is only an echo.

    shown (bool): Whether the prompt shows documents. Then a run-on answer invents the next document before it answers
        again, so what is followed by an answer header at once is talk; without documents it is the answer.
    """
    found = [piece for piece in pieces if piece[1]]
    if not found:
        return "", ["header"] if len(pieces) > 1 else [], 0
    kind = found[0][0]
    if kind == "answer":
        return found[0][1], ["header"], len(found) - 1
    after = next((at for at, piece in enumerate(found) if piece[0] == "answer"), None)
    if kind == "document":
        return None if after is None else (found[after][1], ["echo"], len(found) - after - 1)
    if after == 1 and shown:
        return found[1][1], ["preamble"], len(found) - 2
    return found[0][1], [], len(found) - 1


def apply_answer(candidate: Candidate, answer: object, *, words: PromptWords, carried: Mapping[str, str], lang: str = "en") -> Candidate:
    """The candidate after its answer: one more event, with what the answer cost and what was repaired.

    candidate (Candidate): As planned.
    answer (object): What the model gave for it.
    carried (Mapping[str, str]): Fields that are not written by the teacher.
    lang (str): Language of the texts, for typical refusals.
    RETURNS (Candidate): Generated, failed or rejected; only a generated one has the written field.
    """
    parsed = parse_answer(answer, words, lang=lang)
    request = str(getattr(answer, "request", ""))
    detail = {**_provenance(answer), **parsed.detail}
    fields = {**carried, words.field: parsed.text} if parsed.status == GENERATED else dict(carried)
    return candidate.after(Event(STEP, parsed.status, parsed.reason, detail), fields=fields, request=request)


def _provenance(answer: object) -> dict[str, Any]:
    if not isinstance(answer, (Answer, Failure)):
        return {}
    names = ("model", "request", "prompt_tokens", "answer_tokens", "finish")
    return {name: value for name in names if (value := getattr(answer, name, None)) not in (None, "")}
