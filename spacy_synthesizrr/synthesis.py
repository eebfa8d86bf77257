"""Synthesis: planned candidates become texts until N are accepted per label, or a shortfall is explained.

It works in waves. A wave asks, per label, for exactly as many candidates as are still missing, in plan order; what the
filters turn away is asked for again in the next wave from the plan's reserve. So no answer is bought that is not needed,
and the same answers always give the same accepted rows, however the teacher orders its work. A wave in which nobody
answered ends it: while a server is out, the reserve would only be spent on failures.

A teacher may also answer in a later run. A candidate that waits for its answer counts as accepted until then, so that the
waves ask for all that is surely needed; some more are asked for, since some of those that wait will be turned away. Nothing is
written then. When every answer is there, the waves run as if the teacher had answered at once.
"""

from __future__ import annotations

import math
from array import array
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING

from spacy_synthesizrr.candidates import ACCEPTED, FAILED, GENERATED, REJECTED, Candidate, Event
from spacy_synthesizrr.curation.verdicts import RowFilter
from spacy_synthesizrr.errors import TeacherError, WaitsForAnswers
from spacy_synthesizrr.jsonl import atomic, dumps, parse_row
from spacy_synthesizrr.lookup import Lookup
from spacy_synthesizrr.prompts import RETRYABLE

if TYPE_CHECKING:
    from spacy.language import Language
    from spacy.tokens import Doc

STEP = "synthesize"
FILES = ("generated.jsonl", "synthesized.jsonl", "turned_away.jsonl")
LATER = ("missing", "budget")  # failures of a teacher that answers later: not answered yet, not asked yet
OUTAGE = 20  # requests of one wave that all failed though they may be answered later: the teacher is out
Watch = Callable[[Candidate], None]


@dataclass
class Outcome:
    """What became of the requests, counted while they come in.

    per_label (int): Rows wanted of each label.
    accepted (Dict[str, int]): Rows accepted per label.
    failed (Dict[str, Counter]): Failures per label and kind.
    waiting (Counter): Requests per label that a later run will see answered.
    asked (int): Requests.
    said (str): What the first failure said.
    """

    per_label: int
    accepted: dict[str, int]
    failed: dict[str, Counter[str]] = field(default_factory=dict)
    waiting: Counter[str] = field(default_factory=Counter)
    asked: int = 0
    said: str = ""

    def add(self, candidate: Candidate) -> None:
        """Count a finished candidate."""
        self.asked += 1
        self.accepted[candidate.key] += candidate.status == ACCEPTED
        if candidate.status == FAILED:
            self.failed.setdefault(candidate.key, Counter())[candidate.reason] += 1
            self.said = self.said or str(candidate.events[-1].detail.get("detail", ""))

    def missing(self, key: str) -> int:
        """RETURNS (int): Rows of a label that are still to be asked for."""
        return self.per_label - self.accepted[key] - self.waiting[key]

    @property
    def failures(self) -> Counter[str]:
        """RETURNS (Counter): Failures per kind."""
        return sum(self.failed.values(), Counter())

    @property
    def unanswered(self) -> Counter[str]:
        """RETURNS (Counter): Failures per kind that another try may mend, of the labels that are short."""
        short = (kinds for key, kinds in self.failed.items() if self.accepted[key] < self.per_label)
        return Counter({kind: count for kind, count in sum(short, Counter[str]()).items() if kind in RETRYABLE})


class Plan:
    """A planned.jsonl that is read by label, in plan order, without keeping its rows.

    path (Path): The file; 8 bytes per row are kept.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.offsets: dict[str, array[int]] = {}
        self._next: dict[str, int] = {}
        offset = 0
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                candidate = parse_row(line, Candidate.from_dict, path=path, number=number)
                self.offsets.setdefault(candidate.key, array("q")).append(offset)
                offset += len(line)

    def left(self, key: str) -> int:
        """RETURNS (int): How many candidates of a label have not been taken."""
        return len(self.offsets.get(key, ())) - self._next.get(key, 0)

    def take(self, wanted: Mapping[str, int]) -> Iterator[Candidate]:
        """The next candidates of each label, all in plan order.

        wanted (Mapping[str, int]): How many per label; fewer come when the plan has fewer left.
        """
        chosen = array("q")
        for key, count in wanted.items():
            start = self._next.get(key, 0)
            chosen.extend(self.offsets.get(key, array("q"))[start : start + count])
            self._next[key] = start + min(count, self.left(key))
        with self.path.open("rb") as file:
            for offset in sorted(chosen):
                file.seek(offset)
                yield parse_row(file.readline(), Candidate.from_dict, path=self.path, number=0)


def synthesize(
    plan: Plan,
    folder: Path,
    *,
    nlp: Language,
    lookup: Lookup,
    accept: RowFilter,
    per_label: int,
    watch: Watch,
    extra: float | None = None,
) -> Outcome:
    """Run waves until every label of the plan has `per_label` accepted rows or has nothing left.

    plan (Plan): What may be asked for.
    folder (Path): Where generated.jsonl (all that came back), synthesized.jsonl (accepted by the row filters) and
        turned_away.jsonl (failed or rejected) are written, each whole or not at all.
    nlp (Language): A pipeline whose last component turns planned candidates into texts.
    accept (RowFilter): Judges each row in plan order.
    watch (Callable): Is told of every finished candidate, for progress and funnel.
    extra (float | None): Of a teacher that answers in a later run: how many more candidates to ask for, as a share of those that
        wait. None for a teacher that answers now.
    RETURNS (Outcome): What was accepted and what failed.
    RAISES (TeacherError): When every request failed; then nothing is written.
    RAISES (WaitsForAnswers): When a later run is needed; then nothing is written.
    """
    outcome = Outcome(per_label, dict.fromkeys(plan.offsets, 0))
    generated_path, kept_path, away_path = (folder / name for name in FILES)
    with atomic(generated_path) as generated, atomic(kept_path) as kept, atomic(away_path) as away:
        out = False
        while not out and (wanted := {key: count for key in outcome.accepted if (count := outcome.missing(key)) > 0 and plan.left(key)}):
            before, lost = outcome.asked, _retryable(outcome)
            for candidate, passage in answers(plan.take(wanted), nlp=nlp, lookup=lookup):
                if extra is not None and candidate.status == FAILED and candidate.reason in LATER:
                    outcome.waiting[candidate.key] += 1
                    continue
                _write(generated, candidate)
                judged = judge(candidate, passage, accept, field=lookup.task.generated.name)
                _write(kept if judged.status == ACCEPTED else away, judged)
                outcome.add(judged)
                watch(judged)
            out = outcome.asked - before == _retryable(outcome) - lost >= OUTAGE
        if outcome.waiting:
            ahead = {key: math.ceil(count * (extra or 0.0)) for key, count in outcome.waiting.items()}
            for _ in answers(plan.take(ahead), nlp=nlp, lookup=lookup):
                pass
            raise WaitsForAnswers(f"{outcome.waiting.total()} requests wait for their answers.")
        _refuse_outage(outcome)
    return outcome


def _retryable(outcome: Outcome) -> int:
    return sum(count for kind, count in outcome.failures.items() if kind in RETRYABLE)


def _refuse_outage(outcome: Outcome) -> None:
    failures = outcome.failures
    if not outcome.asked or failures.total() < outcome.asked:
        return
    cure = "Run the step again when the teacher can be reached" if failures.keys() <= set(RETRYABLE) else "Look at the teacher's config"
    raise TeacherError(
        f"All {outcome.asked} requests to the teacher failed ({kinds_of(failures)})"
        + (f": {outcome.said}. " if outcome.said else ". ")
        + f"Nothing was written. {cure}; `synthesizrr preview` shows the prompts."
    )


def kinds_of(failures: Mapping[str, int]) -> str:
    """RETURNS (str): Kinds of failure with their counts, the most frequent first, such as "timeout 3, missing 1"."""
    return ", ".join(f"{kind} {count}" for kind, count in sorted(failures.items(), key=lambda item: (-item[1], item[0])))


def answers(candidates: Iterator[Candidate], *, nlp: Language, lookup: Lookup) -> Iterator[tuple[Candidate, str]]:
    """Ask the teacher: candidates in, generated or failed candidates with their passages out, in the same order."""
    for doc in nlp.pipe(docs(candidates, nlp=nlp, lookup=lookup)):
        for planned, row in zip(doc._.synthesizrr_planned, doc._.synthesizrr, strict=True):
            yield Candidate.from_dict(row), planned["passage"]


def docs(candidates: Iterator[Candidate], *, nlp: Language, lookup: Lookup) -> Iterator[Doc]:
    """One Doc per candidate: its text is the seed's, its plan lies in `doc._.synthesizrr_planned`."""
    name = lookup.task.generated.name
    for candidate, planned in lookup.stream(candidates):
        doc = nlp.make_doc(lookup.seed(candidate.seed_id).fields.get(name, "")[: nlp.max_length])
        doc._.synthesizrr_planned = [planned]
        yield doc


def judge(candidate: Candidate, passage: str, accept: RowFilter, *, field: str) -> Candidate:
    """Let the row filters decide on a generated candidate; others pass through as they are."""
    if candidate.status != GENERATED:
        return candidate
    verdict = accept(candidate, candidate.fields[field], passage)
    detail = {**({} if verdict.score is None else {"score": verdict.score}), **verdict.detail}
    event = Event(STEP, ACCEPTED if verdict.accepted else REJECTED, verdict.reason, detail)
    return candidate.after(event) if verdict.text is None else candidate.after(event, fields={**candidate.fields, field: verdict.text})


def _write(file: IO[str], candidate: Candidate) -> None:
    file.write(dumps(candidate.to_dict()) + "\n")
