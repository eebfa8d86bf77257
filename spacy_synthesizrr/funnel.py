"""The funnel: how many candidates each stage took in, let through and turned away, per label, and why.

It is fed one candidate at a time, first with the plan's rows and then with what became of them, and keeps numbers only. A row
whose labels were changed is planned and answered under those that it was asked for, and accepted or rejected under those that it has.
Either a label has the rows that were asked for, or a sentence says where the missing ones went.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from spacy_synthesizrr.candidates import ACCEPTED, FAILED, PLANNED, REJECTED, ROW_VERSION, Candidate
from spacy_synthesizrr.prompts import RETRYABLE

SYNTHESIZE = "synthesize"
BUDGET = "budget"
WIDEST = 60  # letters in a column
READ = "Read what was turned away in rejected.jsonl, reword the task file's instruction or choose another teacher"
LENGTH = "Change min_words and max_words in the task file, or ask for that length in its length_hint"
LENGTH_OF_SEEDS = "Ask for the seeds' length in the task file's length_hint, or raise `factor` in configs/curate.cfg"
COPY = "Choose a teacher that rewrites more, or loosen the filter in configs/curate.cfg"
REPEAT = "Add passages or seeds, or let the teacher sample more freely"
GOLD = "The passages say what dev or test rows say: add passages, or take those rows out of dev or test"
PROMPT = "Reword the task file's instruction, choose another teacher, or loosen the filter in configs/curate.cfg"
LANGUAGE = "Name the language in the task file's instruction, or take passages in other languages out of the corpus"
FILTER = "Loosen the set filter in configs/curate.cfg"
LABEL = "Read what the teacher wrote instead (synthesizrr rows), reword the labels' descriptions in the task file"
TAKES = "per_label by what it takes"  # rows that curate takes are asked for again by nobody
CHANGED = "Read what the teacher wrote under that label, reword the labels' descriptions in the task file, or choose another teacher"
CURES: Mapping[str, str] = {
    "near_copy": COPY,
    "copied_span": COPY,
    "duplicate": REPEAT,
    "seed_copy": REPEAT,
    "near_duplicate": REPEAT,
    "near_seed": REPEAT,
    "near_earlier": REPEAT,
    "shot_copy": REPEAT,
    "shot_span": REPEAT,
    "prompt_copy": PROMPT,
    "boilerplate": PROMPT,
    "about_text": PROMPT,
    "run_on": PROMPT,
    "label_word": PROMPT,
    "other_language": LANGUAGE,
    "shorter_than_seeds": LENGTH_OF_SEEDS,
    "longer_than_seeds": LENGTH_OF_SEEDS,
    "too_short": LENGTH,
    "too_long": LENGTH,
    "gold_copy": GOLD,
    "gold_ngram": GOLD,
    "label_mismatch": LABEL,
    "low_confidence": FILTER,
    "low_correctness": FILTER,
    "by_variability": FILTER,
    "distribution": FILTER,
    "same_meaning": REPEAT,
}
RELABELLED_FROM = "relabelled_from"  # key in the detail of an event: the labels that a row had before
COLUMNS = ("asked", "planned", "reserve", "sent", "answered", "failed")
CHANGED_COLUMNS = ("to other labels", "from others")


@dataclass
class LabelFunnel:
    """The counts of one label (or set of labels).

    asked (int): Rows that the person wants.
    planned (int), reserve (int): Rows of the plan, and rows that it holds back.
    answered (int): Rows for which the teacher wrote a text.
    failed (Counter): Rows without an answer, per kind of failure.
    rejected (Dict[str, Counter]): Answers turned away, per step and reason.
    relabelled_out (int), relabelled_in (int): Answers whose labels were changed: asked for here and counted under another, or the
        other way round.
    accepted (int): What is left.
    passed_over (Counter): Passages found for the label's seeds that the plan passed over, per reason.
    """

    asked: int = 0
    planned: int = 0
    reserve: int = 0
    answered: int = 0
    failed: Counter[str] = field(default_factory=Counter)
    rejected: dict[str, Counter[str]] = field(default_factory=dict)
    relabelled_out: int = 0
    relabelled_in: int = 0
    accepted: int = 0
    passed_over: Counter[str] = field(default_factory=Counter)

    @property
    def sent(self) -> int:
        """RETURNS (int): Rows for which the teacher was asked."""
        return self.answered + self.failed.total()

    @property
    def unsent(self) -> int:
        """RETURNS (int): Rows of the plan for which the teacher was not asked."""
        return max(0, self.planned + self.reserve - self.sent)

    @property
    def turned_away(self) -> int:
        """RETURNS (int): Answers that were rejected, by any step."""
        return sum(reasons.total() for reasons in self.rejected.values())

    @property
    def short(self) -> int:
        """RETURNS (int): Rows that are missing."""
        return max(0, self.asked - self.accepted)

    def add(self, candidate: Candidate) -> None:
        """Count a candidate by its status: a planned row into the plan, any other as what became of it."""
        self.add_asked(candidate)
        self.add_end(candidate)

    def add_asked(self, candidate: Candidate) -> None:
        """Count what a candidate is for the labels that it was asked for: planned, failed or answered."""
        if candidate.status == PLANNED:
            self.planned += not candidate.reserve
            self.reserve += candidate.reserve
        elif candidate.status == FAILED:
            self.failed[candidate.reason or "unknown"] += 1
        else:
            self.answered += 1

    def add_end(self, candidate: Candidate) -> None:
        """Count what a candidate is for the labels that it has: accepted, rejected with a reason, or neither."""
        self.accepted += candidate.status == ACCEPTED
        if candidate.status == REJECTED:
            last = candidate.events[-1]
            self.rejected.setdefault(last.step, Counter())[last.reason or "unknown"] += 1

    def include(self, other: LabelFunnel) -> None:
        """Add the counts of another."""
        for name in ("asked", "planned", "reserve", "answered", "relabelled_out", "relabelled_in", "accepted"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.failed.update(other.failed)
        self.passed_over.update(other.passed_over)
        for step, reasons in other.rejected.items():
            self.rejected.setdefault(step, Counter()).update(reasons)

    def to_dict(self) -> dict[str, Any]:
        """RETURNS (dict): Plain JSON, with the numbers that follow from the others."""
        rejected = {step: dict(sorted(reasons.items())) for step, reasons in sorted(self.rejected.items())}
        return {
            "asked": self.asked, "planned": self.planned, "reserve": self.reserve, "sent": self.sent, "answered": self.answered,
            "failed": dict(sorted(self.failed.items())), "relabelled_out": self.relabelled_out, "relabelled_in": self.relabelled_in,
            "rejected": rejected, "accepted": self.accepted, "short": self.short,
            "passed_over": dict(sorted(self.passed_over.items())),
        }  # fmt: skip


def asked_key(candidate: Candidate) -> str:
    """RETURNS (str): The labels for which a row was written: those before they were changed for the first time."""
    before = (event.detail[RELABELLED_FROM] for event in candidate.events if RELABELLED_FROM in event.detail)
    return str(next(before, candidate.key))


class Funnel:
    """Counts per label key.

    asked (Mapping[str, int]): Rows wanted per label key. A key that only shows up among the rows is one that nobody
        asked for: it is counted, and short by nothing.
    """

    def __init__(self, asked: Mapping[str, int]) -> None:
        self.labels: dict[str, LabelFunnel] = {key: LabelFunnel(asked=count) for key, count in asked.items()}

    def ask(self, key: str, count: int, passed_over: Mapping[str, int] | None = None) -> None:
        """Ask for so many rows of a label key.

        passed_over (Mapping[str, int]): Passages that the plan passed over, per reason.
        """
        label = self.labels.setdefault(key, LabelFunnel())
        label.asked, label.passed_over = count, Counter({reason: n for reason, n in (passed_over or {}).items() if n})

    def add(self, candidate: Candidate) -> None:
        """Count one candidate; see `LabelFunnel.add`."""
        asked, own = (self.labels.setdefault(key, LabelFunnel()) for key in (asked_key(candidate), candidate.key))
        asked.add_asked(candidate)
        own.add_end(candidate)
        if asked is not own:
            asked.relabelled_out += 1
            own.relabelled_in += 1

    @property
    def total(self) -> LabelFunnel:
        """RETURNS (LabelFunnel): All labels together; `short` counts what is missing overall, label by label."""
        total = LabelFunnel()
        for counts in self.labels.values():
            total.include(counts)
        return total

    @property
    def short(self) -> int:
        """RETURNS (int): Rows that are missing, summed over the labels: a surplus of one does not hide a gap of another."""
        return sum(counts.short for counts in self.labels.values())

    def to_dict(self) -> dict[str, Any]:
        """RETURNS (dict): A JSON document: counts per label, their total, and a sentence for each label that is short."""
        labels = {key: counts.to_dict() for key, counts in self.labels.items()}
        total = {**self.total.to_dict(), "short": self.short}
        return {"v": ROW_VERSION, "labels": labels, "total": total, "shortfalls": self.shortfalls()}

    def shortfalls(self) -> list[str]:
        """RETURNS (List[str]): One sentence for each label that is short: how much, where the rows went, what to do."""
        return [_shortfall(key, counts) for key, counts in self.labels.items() if counts.short]

    def table(self) -> str:
        """RETURNS (str): One line per label and one for the total, a column per stage and reason, then the shortfalls."""
        from wasabi.tables import table

        total = self.total
        reasons = [(step, reason) for step, found in sorted(total.rejected.items(), reverse=True) for reason in sorted(found)]
        changed = CHANGED_COLUMNS if total.relabelled_out else ()
        head = ["label", *COLUMNS, *changed, *(_column(*pair) for pair in reasons), "accepted", "short by"]
        lines = [_line(key, counts, changed, reasons, counts.short) for key, counts in self.labels.items()]
        lines.append(_line("total", total, changed, reasons, self.short))
        aligns: list[Literal["l", "r", "c"]] = ["l"]
        aligns += ["r"] * (len(head) - 1)
        aligned = table(lines, header=head, aligns=aligns, spacing=2, max_col=WIDEST).strip("\n")
        return "\n".join([*(line.rstrip() for line in aligned.splitlines()), *self.shortfalls()])


def _column(step: str, reason: str) -> str:
    return reason if step == SYNTHESIZE else f"{step}:{reason}"


def _line(key: str, counts: LabelFunnel, changed: Sequence[str], reasons: Iterable[tuple[str, str]], short: int) -> list[str]:
    moved = (counts.relabelled_out, counts.relabelled_in) if changed else ()
    stages = (counts.asked, counts.planned, counts.reserve, counts.sent, counts.answered, counts.failed.total(), *moved)
    away = (counts.rejected.get(step, Counter())[reason] for step, reason in reasons)
    return [key, *(str(number) for number in (*stages, *away, counts.accepted, short))]


def _shortfall(key: str, counts: LabelFunnel) -> str:
    away = {_column(step, reason): count for step, reasons in counts.rejected.items() for reason, count in reasons.items()}
    parts = [
        _plan(counts),
        f"{counts.failed.total()} failed ({_reasons(counts.failed)})" if counts.failed else "",
        f"{counts.relabelled_out} given other labels" if counts.relabelled_out else "",
        f"{counts.relabelled_in} taken from other labels" if counts.relabelled_in else "",
        f"{counts.turned_away} rejected ({_reasons(away)})" if away else "",
        f"{counts.unsent} not sent to the teacher" if counts.unsent else "",
    ]
    found = f"'{key}': asked {counts.asked}, got {counts.accepted}, short by {counts.short}: {', '.join(part for part in parts if part)}."
    return f"{found} {_cure(counts)}"


def _plan(counts: LabelFunnel) -> str:
    rows = counts.planned + counts.reserve
    if rows >= counts.asked:
        return f"{rows} planned"
    why = f" (passages passed over: {_reasons(counts.passed_over)})" if counts.passed_over else ""
    return f"only {rows} planned{why}"


def _reasons(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{reason} {count}" for reason, count in sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def _cure(counts: LabelFunnel) -> str:
    """What would bring most of the missing rows."""
    again = Counter({kind: count for kind, count in counts.failed.items() if kind in RETRYABLE})
    if again:
        first = "Raise the teacher's budget and run again" if again[BUDGET] else "Run again"
        return f"{first}: the {again.total()} failed requests ({_reasons(again)}) are asked again, and every answer that came is kept."
    if counts.unsent:
        return _cure_unsent(counts)
    if counts.planned + counts.reserve < counts.asked:
        return "Widen the strategy's [plan.window], raise its hits and ranks, or add passages or seeds."
    if counts.failed.total() > counts.turned_away:
        return "Read in rejected.jsonl what the teacher answered (synthesizrr trace ID), and change the teacher's config."
    if counts.relabelled_out > counts.turned_away:
        return f"{CHANGED}; or raise {TAKES}."
    reasons = {(step, reason): count for step, found in counts.rejected.items() for reason, count in found.items()}
    step, most = max(sorted(reasons), key=lambda pair: reasons[pair], default=(SYNTHESIZE, ""))
    more = "overgenerate in the strategy's [plan], which sends more rows to the teacher" if step == SYNTHESIZE else TAKES
    return f"{CURES.get(most, READ)}; or raise {more}."


def _cure_unsent(counts: LabelFunnel) -> str:
    if counts.relabelled_out or any(step != SYNTHESIZE for step in counts.rejected):
        return f"Synthesis stopped when it had enough, and curate took rows away: raise {TAKES}."
    return "Run the step 'synthesize' again: it stopped before it had enough."
