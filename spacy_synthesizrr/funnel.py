"""The funnel: how many candidates each stage took in, let through and turned away, per label, and why.

It is fed one candidate at a time, first with the plan's rows and then with what became of them, and keeps numbers only.
Either a label has the rows that were asked for, or a sentence says where the missing ones went.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from spacy_synthesizrr.candidates import ACCEPTED, FAILED, PLANNED, REJECTED, ROW_VERSION, Candidate
from spacy_synthesizrr.prompts import RETRYABLE

SYNTHESIZE = "synthesize"
BUDGET = "budget"
WIDEST = 60  # letters in a column
READ = "Read what was turned away in rejected.jsonl, reword the task file's instruction or choose another teacher"
LENGTH = "Change min_words and max_words in the task file, or ask for that length in its length_hint"
COPY = "Choose a teacher that rewrites more, or loosen the filter in configs/curate.cfg"
REPEAT = "Add passages or seeds, or let the teacher sample more freely"
GOLD = "The passages say what dev or test rows say: add passages, or take those rows out of dev or test"
CURES: Mapping[str, str] = {
    "near_copy": COPY,
    "copied_span": COPY,
    "duplicate": REPEAT,
    "seed_copy": REPEAT,
    "too_short": LENGTH,
    "too_long": LENGTH,
    "gold_copy": GOLD,
    "gold_ngram": GOLD,
}
COLUMNS = ("asked", "planned", "reserve", "sent", "answered", "failed")


@dataclass
class LabelFunnel:
    """The counts of one label (or set of labels).

    asked (int): Rows that the person wants.
    planned (int), reserve (int): Rows of the plan, and rows that it holds back.
    answered (int): Rows for which the teacher wrote a text.
    failed (Counter): Rows without an answer, per kind of failure.
    rejected (Dict[str, Counter]): Answers turned away, per step and reason.
    accepted (int): What is left.
    passed_over (Counter): Passages found for the label's seeds that the plan passed over, per reason.
    """

    asked: int = 0
    planned: int = 0
    reserve: int = 0
    answered: int = 0
    failed: Counter[str] = field(default_factory=Counter)
    rejected: dict[str, Counter[str]] = field(default_factory=dict)
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
        if candidate.status == PLANNED:
            self.planned += not candidate.reserve
            self.reserve += candidate.reserve
        elif candidate.status == FAILED:
            self.failed[candidate.reason or "unknown"] += 1
        else:
            self.answered += 1
            self.accepted += candidate.status == ACCEPTED
            if candidate.status == REJECTED:
                last = candidate.events[-1]
                self.rejected.setdefault(last.step, Counter())[last.reason or "unknown"] += 1

    def include(self, other: LabelFunnel) -> None:
        """Add the counts of another."""
        for name in ("asked", "planned", "reserve", "answered", "accepted"):
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
            "failed": dict(sorted(self.failed.items())), "rejected": rejected, "accepted": self.accepted, "short": self.short,
            "passed_over": dict(sorted(self.passed_over.items())),
        }  # fmt: skip


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
        self.labels.setdefault(candidate.key, LabelFunnel()).add(candidate)

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
        head = ["label", *COLUMNS, *(_column(*pair) for pair in reasons), "accepted", "short by"]
        lines = [_line(key, counts, reasons, counts.short) for key, counts in self.labels.items()]
        lines.append(_line("total", total, reasons, self.short))
        aligns: list[Literal["l", "r", "c"]] = ["l"]
        aligns += ["r"] * (len(head) - 1)
        aligned = table(lines, header=head, aligns=aligns, spacing=2, max_col=WIDEST).strip("\n")
        return "\n".join([*(line.rstrip() for line in aligned.splitlines()), *self.shortfalls()])


def _column(step: str, reason: str) -> str:
    return reason if step == SYNTHESIZE else f"{step}:{reason}"


def _line(key: str, counts: LabelFunnel, reasons: Iterable[tuple[str, str]], short: int) -> list[str]:
    stages = (counts.asked, counts.planned, counts.reserve, counts.sent, counts.answered, counts.failed.total())
    away = (counts.rejected.get(step, Counter())[reason] for step, reason in reasons)
    return [key, *(str(number) for number in (*stages, *away, counts.accepted, short))]


def _shortfall(key: str, counts: LabelFunnel) -> str:
    away = {_column(step, reason): count for step, reasons in counts.rejected.items() for reason, count in reasons.items()}
    parts = [
        _plan(counts),
        f"{counts.failed.total()} failed ({_reasons(counts.failed)})" if counts.failed else "",
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
    reasons: Counter[str] = Counter()
    for found in counts.rejected.values():
        reasons.update(found)
    most = max(sorted(reasons), key=lambda reason: reasons[reason], default="")
    return f"{CURES.get(most, READ)}; or raise overgenerate in the strategy's [plan], which sends more rows to the teacher."


def _cure_unsent(counts: LabelFunnel) -> str:
    if any(step != SYNTHESIZE for step in counts.rejected):
        return "Synthesis stopped when it had enough, and curate took rows away: raise per_label by what it takes."
    return "Run the step 'synthesize' again: it stopped before it had enough."
