"""Files of answers, as they come from a provider: in any order, in parts, with errors, and not to be trusted.

Every good answer is kept once and its tokens are counted once, however often a file is read. A line that cannot be read is told
with its place and skipped; an answer to a request that nobody here wrote is told too, and the file is looked at again the next
time. Lines stream: what is kept in memory does not grow with the file.
"""

from __future__ import annotations

import itertools
import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Dict, Iterable, List, Set, Tuple

from spacy_synthesizrr.errors import InputError, TeacherError
from spacy_synthesizrr.lines import LongLine, decode, read_lines
from spacy_synthesizrr.models.answers import ledger
from spacy_synthesizrr.models.answers.budget import Budget, Spent
from spacy_synthesizrr.models.answers.ledger import Entry
from spacy_synthesizrr.models.batch.files import split_id
from spacy_synthesizrr.models.batch.index import ANSWERED, BAD_REQUEST, SUSPECT, WITHDRAWN, Index, Known, Sender
from spacy_synthesizrr.models.chat.replies import Reply, Result, read, shown
from spacy_synthesizrr.models.chat.verdicts import BRAKE, FIRST_BAD
from spacy_synthesizrr.prompts import Answer

LONGEST = 20 * 2**20  # bytes of a line
CHUNK = 200  # lines per commit
TOLD = 5  # bad lines of a file that are told one by one
NEAR = 400  # characters of a line that is no JSON in which its custom_id is looked for
_ID = re.compile(r'"custom_id"\s*:\s*"([0-9a-f]{32}(?:-[1-9]\d{0,5})?)"')
OUTCOMES = {"setup": WITHDRAWN, "suspect": SUSPECT, "unaccepted": BAD_REQUEST}  # of verdicts that may concern all requests
UNDONE = ("batch_expired", "batch_cancelled", "batch_canceled")  # error codes of requests that were never asked


@dataclass(frozen=True)
class Undone:
    """The provider did not get to a request, so nothing was paid."""

    detail: str


class Garbled(Reply):
    """A line that is no JSON, with the custom_id of a request in it."""


@dataclass
class Taken:
    """What one file of answers brought.

    answers (int): New ones. failed (Counter): Errors by kind. undone (int): Requests that the provider did not get to, or refused
    for a reason that concerns all. known (int): Lines that say nothing new. unknown (int): Answers to requests that were not
    written here. bad (int): Lines of which nobody can tell whose they are. garbage (int): Lines that are no JSON, of requests that
    are known. told (List[str]): Places of some of these three. files (Set[int]): Requests files that were answered. stop (str):
    Why no request can succeed. suspicion (str): Why perhaps none can.
    """

    path: Path
    answers: int = 0
    failed: Counter[str] = field(default_factory=Counter)
    undone: int = 0
    known: int = 0
    unknown: int = 0
    bad: int = 0
    garbage: int = 0
    told: List[str] = field(default_factory=list)
    files: Set[int] = field(default_factory=set)
    stop: str = ""
    suspicion: str = ""

    def lines(self) -> List[str]:
        """RETURNS (List[str]): For people: one line of counts, and one per bad line."""
        kinds = ", ".join(f"{kind} {count}" for kind, count in sorted(self.failed.items()))
        parts = [f"{self.answers:,} answers taken in"]
        parts += [f"{self.failed.total():,} errors ({kinds})"] if self.failed else []
        parts += [f"{self.undone:,} not executed"] if self.undone else []
        parts += [f"{self.known:,} known before"] if self.known else []
        parts += [f"{self.unknown:,} of requests that were not written here"] if self.unknown else []
        parts += [f"{self.bad:,} lines skipped"] if self.bad else []
        more = self.bad + self.garbage + self.unknown - len(self.told)
        return [f"{self.path}: {', '.join(parts)}", *self.told, *([f"… and {more:,} more such lines"] if more else [])]

    def skip(self, number: int, why: str) -> None:
        """Count a line that cannot be read."""
        self.bad += 1
        self._tell(number, f"{why}; skipped")

    def stranger(self, number: int, name: object) -> None:
        """Count an answer to a request that was not written here."""
        self.unknown += 1
        self._tell(number, f"no request with the custom_id {shown(str(name))[:60]!r} was written here")

    def garbled(self, number: int) -> None:
        """Tell of a line that can only be counted as an error."""
        self.garbage += 1
        self._tell(number, "this line is no JSON; it counts as a malformed answer")

    def _tell(self, number: int, text: str) -> None:
        if len(self.told) < TOLD:
            self.told.append(f"{self.path}:{number}: {text}")


def take_in(index: Index, paths: Iterable[Path], *, again: bool = False) -> Iterator[Taken]:
    """Read files of answers into the response store.

    index (Index): Knows the store and what was asked.
    paths (Iterable[Path]): The files; those that hold nothing new are not opened.
    again (bool): Open them all the same, which changes nothing and tells so.
    YIELDS (Taken): What each file brought that was read.
    RAISES (InputError): When a file cannot be read at all.
    """
    for path in paths:
        name, stamp = index.name_of(path), _stamp(path)
        if not again and index.read_before(name, stamp):
            continue
        taken = Taken(path)
        lines = read_lines(path, limit=LONGEST)
        while chunk := list(itertools.islice(lines, CHUNK)):
            _take_chunk(index, chunk, taken)
        if not taken.unknown:  # what is unknown now may be known later
            index.note_read(name, stamp)
        yield taken


def check(index: Index, taken: Iterable[Taken]) -> None:
    """Stop where no request can succeed: it would be written, paid for and refused again.

    RAISES (TeacherError): With the cure. The requests concerned are free to be written again.
    """
    found = list(taken)
    for stop in (one.stop for one in found if one.stop):
        raise TeacherError(stop)
    files = sorted(set().union(*(one.files for one in found)))
    suspects, refused = (sum(one.failed[outcome] for one in found) for outcome in (SUSPECT, BAD_REQUEST))
    answered = index.answered(files)
    if suspects and (not answered or suspects >= BRAKE):
        index.withdraw(SUSPECT, files)
        raise TeacherError(next(one.suspicion for one in found if one.suspicion))
    if refused >= FIRST_BAD and not answered:
        index.withdraw(BAD_REQUEST, files)
        raise TeacherError(
            f"No request was accepted, {refused} were refused as they stand; see {found[0].path}. "
            "Check the model and [teacher.parameters] against what this provider takes, and run again."
        )


def _stamp(path: Path) -> str:
    try:
        status = path.stat()
    except OSError as error:
        raise InputError(f"This file cannot be opened ({error.strerror}).", path=path, cure="Correct its path or its rights.") from error
    return f"{status.st_size} {status.st_mtime_ns} {status.st_ino}"


def _take_chunk(index: Index, chunk: List[Tuple[int, bytes | LongLine]], taken: Taken) -> None:
    """All of some lines, or none of them."""
    entries: Dict[Sender, List[Entry]] = {}
    with index.store.transaction() as connection:
        for number, line in chunk:
            parsed = _parse(line)
            if isinstance(parsed, str):
                taken.skip(number, parsed)
            if parsed is None or isinstance(parsed, str):
                continue
            name, reply = parsed
            at = split_id(name)
            known = index.known(connection, *at) if at else None
            if at is None or known is None:
                taken.stranger(number, name)
                continue
            result = _result(reply, request=at[0], sender=known.sender)
            if not index.settle(connection, *at, *_told(result)):
                taken.known += 1
                continue
            _count(taken, result, known, number)
            if isinstance(reply, Garbled):
                taken.garbled(number)
            if (entry := _entry(result, known)) is not None:
                entries.setdefault(known.sender, []).append(entry)
        for sender, found in entries.items():
            ledger.write(connection, found, identity=sender.identity, purpose=sender.purpose)


def _parse(line: bytes | LongLine) -> Tuple[str, Reply | Undone] | str | None:
    """The custom_id of a line and what it says; why it cannot be read; None for a blank line."""
    text, fault = decode(line, limit=LONGEST)
    if fault is not None:
        return f"this line cannot be read ({fault.reason}: {fault.detail})"
    if not text.strip():
        return None
    try:
        row = json.loads(text)
    except (ValueError, RecursionError):
        found = _ID.search(text, 0, NEAR) if text.endswith("\n") else None  # the last line may still be written
        return (found.group(1), Garbled(200, text.encode())) if found else "this line is no JSON, or is cut off"
    if not isinstance(row, dict) or not isinstance(row.get("custom_id"), str):
        return "this line is no JSON object with a custom_id"
    reply = _reply(row)
    return "this line has neither a response nor an error" if reply is None else (row["custom_id"], reply)


def _reply(row: Dict[str, Any]) -> Reply | Undone | None:
    """What a line says, as if a server had said it. Providers put an error beside the response, into it, or in its place."""
    response, error = row.get("response"), row.get("error")
    if isinstance(error, dict) and isinstance(error.get("error"), dict):
        error = error["error"]
    if isinstance(error, dict) and error.get("code") in UNDONE:
        return Undone(shown(f"{error.get('message') or error['code']}"))
    response = response if isinstance(response, dict) else {}
    body = response if "choices" in response else response.get("body")
    if not body and not error:
        return Reply(_status(response, 500), b"") if response else None
    if body:
        return Reply(_status(response, 200), body.encode() if isinstance(body, str) else json.dumps(body).encode())
    code = error.get("code") if isinstance(error, dict) else None
    status = _status(response, code if isinstance(code, int) and 400 <= code < 600 else 500)
    return Reply(max(status, 400), json.dumps({"error": error}).encode())


def _status(response: Dict[str, Any], default: int) -> int:
    status = response.get("status_code")
    return status if isinstance(status, int) and not isinstance(status, bool) and 100 <= status < 600 else default


def _result(reply: Reply | Undone, *, request: str, sender: Sender) -> Result | Undone:
    return reply if isinstance(reply, Undone) else read(reply, request=request, model=sender.model, limit=sender.limit)


def _told(result: Result | Undone) -> Tuple[str, str]:
    """How the tables tell it."""
    if isinstance(result, Undone):
        return WITHDRAWN, result.detail
    if isinstance(result.outcome, Answer):
        return ANSWERED, ""
    return OUTCOMES.get(result.verdict, result.outcome.kind), result.outcome.detail


def _count(taken: Taken, result: Result | Undone, known: Known, number: int) -> None:
    taken.files.add(known.file)
    kind, detail = _told(result)
    if kind == ANSWERED:
        taken.answers += 1
    elif kind != WITHDRAWN:
        taken.failed[kind] += 1
    else:
        taken.undone += 1
    why = "" if isinstance(result, Undone) else f"{taken.path}:{number}: {detail}. {result.cure}"
    if kind == WITHDRAWN:
        taken.stop = taken.stop or why
    elif kind == SUSPECT:
        taken.suspicion = taken.suspicion or why


def _entry(result: Result | Undone, known: Known) -> Entry | None:
    """What an attempt cost: nothing when it was refused; where nobody counted, a guess from what was sent and the longest answer."""
    if isinstance(result, Undone) or not result.paid:
        return None
    answer = result.outcome if isinstance(result.outcome, Answer) else None
    guess = Budget(answer_limit=known.sender.limit).reservation(known.size)
    counted = zip(result.tokens, (guess.prompt_tokens, guess.answer_tokens), strict=True)
    used = Spent(1, *(guessed if number is None else number for number, guessed in counted))
    return Entry(used, known.label, answer, cost=known.sender.price.cost(used.prompt_tokens, used.answer_tokens))
