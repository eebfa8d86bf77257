"""What a plan has and lacks, in numbers, a table and sentences: said before anything is generated."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from spacy_synthesizrr.candidates import Candidate
from spacy_synthesizrr.errors import PlanError
from spacy_synthesizrr.sourcing.fewgen import FewGenPlan
from spacy_synthesizrr.sourcing.plan import Plan
from spacy_synthesizrr.sourcing.selection import REASONS
from spacy_synthesizrr.taskfile import TaskSpec

WORDS: Mapping[str, str] = {
    "leak": "leak",
    "below_window": "below window",
    "above_window": "above window",
    "too_short": "too short",
    "pair": "kept for pairs",
    "margin": "margin",
    "passage_quota": "passage used",
    "document_quota": "document used",
}
CURES: Mapping[str, str] = {
    "leak": "Those passages are dev or test texts: use another corpus or other gold rows.",
    "below_window": "Lower the edge `low` of [plan.window] in the strategy's config, or add passages about this label.",
    "above_window": "Raise the edge `high` of [plan.window] in the strategy's config, or add passages.",
    "too_short": "Lower `min_tokens` of [plan.context], or cut the corpus into longer passages.",
    "pair": "Narrow `pair_ranks` in [plan], or add passages.",
    "margin": "Raise `keep` of [plan.margin] (or set `on = false`), raise `ranks` and `hits`, or add passages about this label.",
    "passage_quota": "Raise `hits` and `ranks` in [plan], add seeds or passages, or raise `per_passage` of [plan.quotas].",
    "document_quota": "Raise `per_document` of [plan.quotas], or add documents.",
}
NO_HITS = (
    "Raise `hits` and `ranks` in [plan], add seeds, or index a larger corpus; where [plan.retrieval] has `where` or `min_similarity`, "
    "ask for less there."
)


@dataclass(frozen=True)
class LabelCount:
    """One label set of a plan.

    wanted (int), planned (int), reserve (int): Rows asked for; planned within that number; planned beyond it.
    seeds (int), hits (int): What it was planned from.
    turned_away (Mapping[str, int]): Hits by reason; "rank" and "surplus" are no lack and stand here too.
    """

    wanted: int
    planned: int
    reserve: int
    seeds: int
    hits: int = 0
    turned_away: Mapping[str, int] = field(default_factory=dict)

    @property
    def missing(self) -> int:
        """RETURNS (int): Rows that cannot be planned."""
        return self.wanted - self.planned

    @property
    def reasons(self) -> dict[str, int]:
        """RETURNS (dict): Reasons for a lack that turned a hit away, the most frequent first."""
        found = {reason: n for reason, n in self.turned_away.items() if n and reason in WORDS}
        return dict(sorted(found.items(), key=lambda item: -item[1]))

    def to_dict(self) -> dict[str, Any]:
        """RETURNS (dict): JSON."""
        return {
            "wanted": self.wanted,
            "planned": self.planned,
            "reserve": self.reserve,
            "missing": self.missing,
            "seeds": self.seeds,
            "hits": self.hits,
            "turned_away": dict(self.turned_away),
        }


def count_labels(plan: Plan | FewGenPlan) -> dict[str, LabelCount]:
    """RETURNS (dict): A count by label set."""
    keys, members = plan.seed_set.keys, plan.seed_set.members
    if isinstance(plan, FewGenPlan):
        rows = zip(keys, plan.totals, members, strict=True)
        wanted = plan.per_label
        return {key: LabelCount(wanted, min(n, wanted), max(0, n - wanted), len(own)) for key, n, own in rows}
    group, away = plan.group, plan.selection.turned_away(plan.group, len(keys))
    firm = np.bincount(group[plan.selection.order[~plan.selection.reserve]], minlength=len(keys))
    spare = np.bincount(group[plan.selection.order[plan.selection.reserve]], minlength=len(keys))
    return {
        key: LabelCount(
            plan.per_label,
            int(firm[i]),
            int(spare[i]),
            len(members[i]),
            int(away[i].sum()),
            dict(zip(REASONS[1:], away[i, 1:].tolist(), strict=True)),
        )
        for i, key in enumerate(keys)
    }


def refuse_empty_labels(plan: Plan, counts: Mapping[str, LabelCount], task: TaskSpec) -> None:
    """Refuse a plan that has no row for a label of the task.

    RAISES (PlanError): Names the label, its hits, their similarities, the window, and what to do.
    """
    for label in task.labels:
        keys = [
            key for key, own in zip(plan.seed_set.keys, plan.seed_set.members, strict=True) if label in plan.seed_set.seeds[own[0]].labels
        ]
        if not any(counts[key].planned for key in keys):
            raise PlanError(
                _nothing_for(
                    label, plan, [counts[key] for key in keys], np.isin(plan.group, [plan.seed_set.keys.index(key) for key in keys])
                )
            )


def _nothing_for(label: str, plan: Plan, counts: Iterable[LabelCount], mine: np.ndarray) -> str:
    total: Counter[str] = Counter()
    for count in counts:
        total.update(count.reasons)
    low, high = plan.settings.input_ranks
    observed = plan.hits.similarity[mine & plan.hits.between((low, high))]
    seen = (
        f"their similarities lie between {observed.min():.2f} and {observed.max():.2f}, median {np.median(observed):.2f}"
        if len(observed)
        else "there is none"
    )
    inside = int(plan.window.holds(observed).sum())
    why = ", ".join(f"{n} {WORDS[reason]}" for reason, n in total.most_common())
    cure = CURES[total.most_common(1)[0][0]] if total else NO_HITS
    return (
        f"No passage for label '{label}': {inside} of {len(observed)} hits of the ranks {low}-{high} lie in the similarity window "
        f"{plan.window}; {seen}" + (f"; turned away: {why}. " if why else ". ") + cure
    )


def shortfalls(counts: Mapping[str, LabelCount]) -> Iterator[str]:
    """YIELDS (str): A sentence for every label set that gets fewer rows than wanted, with reasons and cure."""
    for key, count in counts.items():
        if count.missing > 0:
            why = ", ".join(f"{n} {WORDS[reason]}" for reason, n in count.reasons.items())
            cure = CURES[next(iter(count.reasons))] if count.reasons else NO_HITS
            away = f" Of {count.hits} hits were turned away: {why}." if why else f" There are only {count.hits} hits."
            yield f"Label '{key}': {count.planned} of {count.wanted} rows planned, {count.missing} missing.{away} {cure}"


def table(counts: Mapping[str, LabelCount]) -> list[str]:
    """RETURNS (List[str]): Lines for the terminal: label sets, rows, and the reasons that occur."""
    from wasabi.tables import table as aligned

    reasons = [reason for reason in WORDS if any(count.turned_away.get(reason) for count in counts.values())]
    head = ["label", "seeds", "hits", "wanted", "planned", "reserve", "missing", *(WORDS[reason] for reason in reasons)]
    rows = [
        [key, n.seeds, n.hits, n.wanted, n.planned, n.reserve, n.missing, *(n.turned_away.get(reason, 0) for reason in reasons)]
        for key, n in counts.items()
    ]
    aligns: list[Literal["l", "r", "c"]] = ["l"]
    aligns += ["r"] * (len(head) - 1)
    text = aligned(rows, header=head, aligns=aligns, spacing=2, max_col=max(map(len, [*counts, *head])))
    return [line.rstrip() for line in text.strip("\n").splitlines()]


class ShotCounter:
    """Watches candidates go by and counts how many shots they have."""

    def __init__(self, wanted: int) -> None:
        self.wanted = wanted
        self.seen: dict[str, Counter[int]] = {}

    def watch(self, candidates: Iterable[Candidate]) -> Iterator[Candidate]:
        """Pass candidates on."""
        for candidate in candidates:
            self.seen.setdefault(candidate.key, Counter())[len(candidate.shots)] += 1
            yield candidate

    def to_dict(self) -> dict[str, Any]:
        """RETURNS (dict): Shots wanted, and the fewest and most by label set."""
        return {"wanted": self.wanted, "labels": {key: {"least": min(seen), "most": max(seen)} for key, seen in sorted(self.seen.items())}}

    def remark(self) -> str:
        """RETURNS (str): What to tell the user when prompts have fewer shots than asked for; empty when none has."""
        few = {key: min(seen) for key, seen in sorted(self.seen.items()) if min(seen) < self.wanted}
        if not few:
            return ""
        shown = ", ".join(f"{key} {least}" for key, least in few.items())
        return f"Fewer shots than the {self.wanted} asked for (shots need other seeds of the same label); the fewest in a prompt: {shown}."
