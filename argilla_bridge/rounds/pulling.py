"""Reading the votes given so far, and deciding each row by them.

What `curate` accepted is read anew each time, so a pull can be repeated as often as one likes, also while people work, and the
same votes give the same files; rows whose text people corrected come last, when all others are known. Votes of earlier pulls stay
and count, whatever became of the place where they were given, see `ballots`. The files appear when all are written.
"""

from __future__ import annotations

import contextlib
import json
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from argilla_bridge.backends import DATASETS
from argilla_bridge.rounds.ballots import Ballots
from argilla_bridge.rounds.deciding import TIE, WAITING, decide
from argilla_bridge.rounds.ledger import Ledger, texts_digest
from argilla_bridge.rows import DISCARDED, DRAFT, SUBMITTED, Decision, Suggestion, Vote
from argilla_bridge.settings import ReviewSettings
from argilla_bridge.showing.marking import reads_the_same
from spacy_synthesizrr.candidates import ACCEPTED, REJECTED, ROW_VERSION, Candidate, Event
from spacy_synthesizrr.errors import RunFolderError
from spacy_synthesizrr.jsonl import atomic, dumps, read_jsonl
from spacy_synthesizrr.students.reviewed import LABEL_SOURCE, REVIEW, UNREVIEWED, label_score, label_source
from spacy_synthesizrr.taskfile import TaskSpec

if TYPE_CHECKING:
    from argilla_bridge.backends import Backend
    from argilla_bridge.rounds.checking import Check
    from argilla_bridge.schema import ReviewSchema

VOTES, REVIEWED, TURNED_AWAY, ASKED = "votes.jsonl", "reviewed.jsonl", "turned_away.jsonl", "asked.jsonl"
FILES = (VOTES, REVIEWED, TURNED_AWAY, ASKED)
EDIT = "edit"  # step of the event that says who corrected the text
WAS = "was"  # in the detail of the event of review: the labels before


@dataclass
class Pulled:
    """What came of the votes.

    submitted (int), drafts (int), discarded (int): Answers by status.
    missing (int): Of them, those that this pull did not find where they were given; they count all the same.
    strays (int): Answers to rows that are no more in the run.
    changed (int): Rows whose text is another one than was put before people; nobody has looked at it.
    foreign (int): Answers with a label that the task does not have; they decide nothing.
    unfinished (int): Answers that ask for a correction and give none, or lack a label; they decide nothing.
    human (int), suggestion (int), unreviewed (int): Rows that go on, by who chose their labels.
    relabelled (int), edited (int): Of them, those whose labels or text people changed.
    waiting (int): Of the unreviewed ones, those on which people disagree and more are to answer.
    rejected (int), ties (int): Rows that do not go on; an open tie may come back.
    reasons (dict[str, int]): Why, and how many rows.
    unfit (dict[str, int]): Of them, those whose corrected text the filters of curation turn away.
    """

    submitted: int = 0
    drafts: int = 0
    discarded: int = 0
    missing: int = 0
    strays: int = 0
    changed: int = 0
    foreign: int = 0
    unfinished: int = 0
    human: int = 0
    suggestion: int = 0
    unreviewed: int = 0
    relabelled: int = 0
    edited: int = 0
    waiting: int = 0
    rejected: int = 0
    ties: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    unfit: Counter[str] = field(default_factory=Counter)

    def to_dict(self) -> dict[str, Any]:
        """RETURNS (dict): Plain JSON."""
        return {**vars(self), "reasons": dict(sorted(self.reasons.items())), "unfit": dict(sorted(self.unfit.items()))}


def pull(
    backend: Backend,
    ledger: Ledger,
    accepted: Path,
    out: Path,
    *,
    task: TaskSpec,
    settings: ReviewSettings,
    check: Check | None = None,
    report: Callable[[str], None] = lambda line: None,
) -> Pulled:
    """Read all votes and write votes.jsonl, reviewed.jsonl, turned_away.jsonl and asked.jsonl.

    backend (Backend): Where the votes are read.
    accepted (Path): accepted.jsonl of the run.
    out (Path): Its folder `review`.
    check (Check | None): Judges the texts that people corrected; None takes them as they are.
    report (Callable): Gets a line for whatever a person should know.
    RETURNS (Pulled): Counts.
    RAISES (RunFolderError): When the ledger knows of no row: votes could not be told whose rows they are about.
    """
    if ledger.blank and next(read_jsonl(accepted, Candidate.from_dict), None) is not None:
        raise RunFolderError(
            "As far as the ledger of this run knows, no row was ever put before people. Push first, also when the ledger was lost: "
            "what is there already stays as it is: argilla-bridge push"
        )
    ballots = Ballots(ledger, settings)
    for dataset in DATASETS:
        ballots.keep(backend.votes(dataset))
        ballots.take_back(dataset, backend.held(dataset))
    pulling = _Pulling(ledger, task, settings, ballots)
    with contextlib.ExitStack() as stack:
        files = {name: stack.enter_context(atomic(out / name, "w+")) for name in FILES}
        edited = stack.enter_context(tempfile.TemporaryFile("w+", encoding="utf-8", newline="\n"))
        for candidate in read_jsonl(accepted, Candidate.from_dict):
            pulling.decide(candidate, files, edited)
        pulling.check(check, files, edited)
        for vote in ballots.votes():
            pulling.count(vote)
            files[VOTES].write(dumps(vote.to_dict()) + "\n")
        for about in ballots.asked():
            files[ASKED].write(dumps(about) + "\n")
    pulling.done.missing, pulling.done.strays = ballots.missing(), ballots.strays()
    for line in (*backend.news(), *_news(pulling.done)):
        report(line)
    return pulling.done


@dataclass
class _Pulling:
    """One pull: what it knows, and its counts."""

    ledger: Ledger
    task: TaskSpec
    settings: ReviewSettings
    ballots: Ballots
    done: Pulled = field(default_factory=Pulled)

    def count(self, vote: Vote) -> None:
        """Count an answer."""
        self.done.submitted += vote.status == SUBMITTED
        self.done.drafts += vote.status == DRAFT
        self.done.discarded += vote.status == DISCARDED
        self.done.foreign += foreign(vote, self.task)
        self.done.unfinished += vote.unfinished or unlabelled(vote, self.task)

    def decide(self, candidate: Candidate, files: Mapping[str, IO[Any]], edited: IO[str]) -> None:
        """Decide a row, and write it where it belongs; one whose text people corrected waits in `edited`."""
        row = self._row_of(candidate)
        votes = [vote for vote in self.ballots.of(row) if decides(vote, self.task)]
        decision = decide(votes, self._suggestion(candidate, row), self.settings)
        after = reviewed(candidate, decision, self.task)
        if _is_edited(after):
            edited.write(dumps(after.to_dict()) + "\n")
            return
        _count(after, decision.outcome, self.done)
        _sort(after, files)

    def check(self, check: Check | None, files: Mapping[str, IO[Any]], edited: IO[str]) -> None:
        """Judge the rows that wait, and write them where they belong."""
        if not edited.tell():
            return
        # the others are read whole before the first of the edited ones is written behind them
        for after in check(_read(files[REVIEWED]), _read(edited)) if check else _read(edited):
            _count(after, ACCEPTED, self.done)
            self.done.unfit[after.reason] += after.status == REJECTED
            _sort(after, files)
        self.done.unfit = +self.done.unfit

    def _suggestion(self, candidate: Candidate, row: str | None) -> Suggestion:
        """What was suggested: of candidates that share a row the first one's labels, which is what people saw."""
        labels, score = candidate.labels, label_score(candidate)
        if row is None:
            return Suggestion(labels, score)
        seen = self.ledger.shown(row)
        about = {"v": ROW_VERSION, "row": row, "candidate": candidate.id, "labels": list(labels), "score": score, "shown": seen}
        first = self.ballots.ask(row, about, pushed=seen is not None)
        return Suggestion(tuple(first["labels"]), first["score"])

    def _row_of(self, candidate: Candidate) -> str | None:
        """The row that asks about a candidate, unless its texts are others now: votes hold for what people saw."""
        found = self.ledger.row_of(candidate.id)
        if found is None:
            return None
        row, texts = found
        if texts == texts_digest(candidate.fields[spec.name] for spec in self.task.fields):
            return row
        self.done.changed += 1
        return None


def decides(vote: Vote, task: TaskSpec | ReviewSchema) -> bool:
    """RETURNS (bool): Whether a vote counts and is an answer that a task can take."""
    return vote.counts and not foreign(vote, task) and not unlabelled(vote, task)


def foreign(vote: Vote, task: TaskSpec | ReviewSchema) -> bool:
    """RETURNS (bool): Whether a vote chose a label that the task does not have; one that turns the row away does whatever it chose."""
    return not vote.rejects and any(label not in task.labels for label in vote.labels)


def unlabelled(vote: Vote, task: TaskSpec | ReviewSchema) -> bool:
    """RETURNS (bool): Whether a submitted vote takes the row and chose no label, though each row of the task has one."""
    return task.exclusive and vote.status == SUBMITTED and not vote.rejects and not vote.labels


def _read(file: IO[str]) -> Iterator[Candidate]:
    """YIELDS (Candidate): What was written so far; the next is written behind it."""
    file.seek(0)
    for line in iter(file.readline, ""):
        yield Candidate.from_dict(json.loads(line))
    file.seek(0, 2)


def _sort(after: Candidate, files: Mapping[str, IO[Any]]) -> None:
    files[REVIEWED if after.status == ACCEPTED else TURNED_AWAY].write(dumps(after.to_dict()) + "\n")


def _is_edited(after: Candidate) -> bool:
    """RETURNS (bool): Whether people corrected the text of a reviewed row."""
    return any(event.step == EDIT for event in after.events[-2:])


def _news(done: Pulled) -> Iterable[str]:
    if done.missing:
        yield f"{done.missing:,} answers were not found where they were given; they are kept and count all the same."
    if done.unfinished:
        yield f"{done.unfinished:,} answers decide nothing until they are finished: 'fix' without a corrected text, or no label."
    if done.foreign:
        yield f"{done.foreign:,} answers name a label that the task does not have and decide nothing. See: argilla-bridge relabel"
    if done.unfit:
        why = ", ".join(f"{count:,} {reason}" for reason, count in sorted(done.unfit.items()))
        yield f"{done.unfit.total():,} corrected texts do not pass the filters of curation ({why}). Correct them again, or reject them."
    if done.changed:
        yield f"{done.changed:,} rows have another text than the one that was put before people. Push again: argilla-bridge push"
    if done.strays:
        yield f"{done.strays:,} answers are about rows that are no more in this run; they stand in votes.jsonl and decide nothing."


def reviewed(candidate: Candidate, decision: Decision, task: TaskSpec) -> Candidate:
    """A candidate after review: with the labels and the text that people chose, and an event for each.

    RETURNS (Candidate): Accepted or rejected; one that nobody looked at stays accepted and says so.
    """
    detail: dict[str, Any] = {LABEL_SOURCE: decision.source, "annotators": decision.votes}
    if decision.agreement is not None:
        detail["agreement"] = round(decision.agreement, 4)
    if decision.reasons:
        detail["reasons"] = list(decision.reasons)
    if decision.source == UNREVIEWED:
        return candidate.after(Event(REVIEW, ACCEPTED, "", detail))
    if decision.outcome in (REJECTED, TIE):
        return candidate.after(Event(REVIEW, REJECTED, decision.reason, detail))
    name = task.generated.name
    before = candidate.fields.get(name, "")
    if decision.text.strip() and not reads_the_same(decision.text, before):
        edit = Event(EDIT, candidate.status, "", {"text_before": before, "annotators": decision.votes})
        candidate = candidate.after(edit, fields={**candidate.fields, name: decision.text})
    if set(decision.labels) == set(candidate.labels):
        return candidate.after(Event(REVIEW, ACCEPTED, "", detail))
    labels = tuple(label for label in task.labels if label in decision.labels)
    return candidate.after(Event(REVIEW, ACCEPTED, "", {**detail, WAS: list(candidate.labels)}), labels=labels)


def _count(after: Candidate, outcome: str, done: Pulled) -> None:
    done.waiting += outcome == WAITING
    if after.status == REJECTED:
        done.reasons[after.reason] += 1
    if outcome == TIE:
        done.ties += 1
    elif after.status == REJECTED:
        done.rejected += 1
    else:
        source = label_source(after)
        setattr(done, source, getattr(done, source) + 1)
        done.relabelled += WAS in after.events[-1].detail
        done.edited += _is_edited(after)
