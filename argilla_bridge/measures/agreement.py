"""How far people agree: with each other, with the suggestions, and with the truth that nobody knows; how fast they are.

Votes of adjudication are left out, whose giver saw what others said, and those for labels that the task does not have, which decide
nothing either. Everything is counted while the rows stream by; what is kept are
counts of patterns and eight bytes per answer. Whoever agrees on a row that shows a suggestion may only agree on the suggestion, so the
blind rows have an agreement of their own.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

from argilla_bridge.backends import ADJUDICATION
from argilla_bridge.measures import accuracies, calibration, kappas
from argilla_bridge.measures.calibration import Arm, Bin
from argilla_bridge.measures.intervals import wilson
from argilla_bridge.measures.judged import Judged
from argilla_bridge.measures.pace import Pace
from argilla_bridge.rounds.deciding import AWAY, Answer, answer_of, newest, winners
from argilla_bridge.rows import STATUSES, Vote
from spacy_synthesizrr.candidates import ROW_VERSION, label_key

TURNED_AWAY, NO_LABEL = "(turned away)", "(no label)"
MOST_PAIRS = 100  # pairs of people with kappas of their own, those with the most rows
MOST_CELLS = 200  # of what became of the suggestions, the most frequent


@dataclass
class Person:
    """What one person said."""

    statuses: Counter[str] = field(default_factory=Counter)
    like_others: int = 0
    with_others: int = 0
    arms: dict[bool, Arm] = field(default_factory=lambda: {True: Counter(), False: Counter()})


@dataclass
class Tally:
    """All counts; see `agreement`."""

    labels: frozenset[str]
    exclusive: bool
    rows: int = 0
    answered: int = 0
    sets: bool = False  # whether somebody chose several labels at once
    patterns: Counter[kappas.Pattern] = field(default_factory=Counter)
    blind: Counter[kappas.Pattern] = field(default_factory=Counter)
    pairs: dict[tuple[str, str], Counter[tuple[Answer, Answer]]] = field(default_factory=dict)
    people: dict[str, Person] = field(default_factory=dict)
    said: Counter[accuracies.Said] = field(default_factory=Counter)
    kinds: Counter[Answer] = field(default_factory=Counter)  # of the answers in `said`
    arms: dict[bool, Arm] = field(default_factory=lambda: {True: Counter(), False: Counter()})
    by_label: dict[str, Arm] = field(default_factory=dict)
    bins: dict[int, Bin] = field(default_factory=dict)
    became: Counter[tuple[str, str]] = field(default_factory=Counter)
    pace: Pace = field(default_factory=Pace)

    def add(self, row: Judged) -> None:
        """Count one row."""
        self.rows += 1
        votes = [vote for vote in row.votes if vote.dataset != ADJUDICATION]
        for vote in votes:
            self._person(vote.user).statuses[vote.status] += 1
            if vote.counts:
                self.pace.add(vote.user, vote.updated_at)
        given = {vote.user: answer_of(vote) for vote in newest(vote for vote in votes if self._known(vote))}
        if given:
            self.answered += 1
            self._people(given, shown=row.shown)
            if row.labels:
                self._suggestion(row, given)

    def _known(self, vote: Vote) -> bool:
        """Whether it decides something, as in `pulling.decides`; one that turns the row away does, whatever else it says."""
        return vote.rejects or (self.labels.issuperset(vote.labels) and bool(vote.labels or not self.exclusive))

    def _person(self, name: str) -> Person:
        return self.people.setdefault(name, Person())

    def _people(self, given: Mapping[str, Answer], *, shown: bool) -> None:
        self.sets |= any(answer != AWAY and len(answer) > 1 for answer in given.values())
        pattern = tuple(sorted(Counter(given.values()).items(), key=lambda item: sorted(item[0])))
        self.patterns[pattern] += 1
        if not shown:
            self.blind[pattern] += 1
        for pair in combinations(sorted(given), 2):
            self.pairs.setdefault(pair, Counter())[given[pair[0]], given[pair[1]]] += 1
        for user, answer in given.items():
            others = winners([other for name, other in given.items() if name != user]) if len(given) > 1 else []
            if len(others) == 1:
                self._person(user).with_others += 1
                self._person(user).like_others += answer == others[0]

    def _suggestion(self, row: Judged, given: Mapping[str, Answer]) -> None:
        suggested = frozenset(row.labels)
        self.sets |= len(suggested) > 1
        accepting = [user for user, answer in given.items() if answer == suggested]
        self.arms[row.shown][len(accepting), len(given)] += 1
        for user in given:
            self._person(user).arms[row.shown][int(user in accepting), 1] += 1
        name = label_key(sorted(suggested))
        self.by_label.setdefault(name, Counter())[len(accepting), len(given)] += 1
        for answer in given.values():
            self.became[name, _named(answer)] += 1
        if row.score is not None:
            self.bins.setdefault(calibration.bin_of(row.score), Bin()).add(row.score, len(accepting), len(given), shown=row.shown)
        if not row.shown and AWAY not in given.values():
            self.said[accuracies.said({**given, accuracies.SUGGESTED: suggested})] += 1
            self.kinds.update([suggested, *given.values()])


def _named(answer: Answer) -> str:
    return TURNED_AWAY if answer == AWAY else label_key(sorted(answer)) or NO_LABEL


def agreement(rows: Iterable[Judged], *, labels: Sequence[str], exclusive: bool = False, seed: int = 0) -> dict[str, Any]:
    """Measure agreement.

    rows (Iterable[Judged]): All rows that were put before people, read once.
    labels (Sequence[str]): Of the task.
    exclusive (bool): Whether a row of the task has exactly one; an answer without any then says nothing.
    seed (int): Of the bootstrap.
    RETURNS (dict): Plain JSON. Estimates are {value, low, high, n} with 95 % intervals, n the rows behind them.
    """
    tally = Tally(frozenset(labels), exclusive)
    for row in rows:
        tally.add(row)
    statuses: Counter[str] = sum((person.statuses for person in tally.people.values()), Counter())
    right = _accuracies(tally, seed)
    return {
        "v": ROW_VERSION,
        "rows": {"asked": tally.rows, "answered": tally.answered},
        "answers": {status: statuses[status] for status in STATUSES},
        "people": _people(tally, right),
        "agreement": {"all": kappas.measures(tally.patterns, seed=seed), "blind": kappas.measures(tally.blind, seed=seed)},
        "pairs": _pairs(tally, seed),
        "labels": _labels(tally, labels, seed),
        "suggestions": _suggestions(tally, right),
        "seconds": tally.pace.all(),
    }


def _people(tally: Tally, right: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Per person, by name; the suggestion's accuracy stands with the suggestions."""
    found = []
    for name, person in sorted(tally.people.items()):
        about: dict[str, Any] = {"name": name, "answers": {status: person.statuses[status] for status in STATUSES}}
        about["like_others"] = wilson(person.like_others, person.with_others)
        about["accuracy"] = right.get(name)
        about["pull"] = calibration.pull(person.arms[True], person.arms[False])
        found.append({**about, "seconds": tally.pace.of(name)})
    return found


def _accuracies(tally: Tally, seed: int) -> dict[str, dict[str, Any]]:
    """The model knows answers that exclude each other."""
    return {} if tally.sets else accuracies.accuracies(tally.said, accuracies.kinds(tally.kinds), seed=seed)


def _pairs(tally: Tally, seed: int) -> list[dict[str, Any]]:
    most = sorted(tally.pairs, key=lambda pair: (-sum(tally.pairs[pair].values()), pair))[:MOST_PAIRS]
    return [{"people": list(pair), **kappas.cohen(tally.pairs[pair], seed=seed)} for pair in sorted(most)]


def _labels(tally: Tally, labels: Sequence[str], seed: int) -> list[dict[str, Any]]:
    """Per label of the task: the others against it, and how often people accept it when it is suggested alone."""
    found = []
    for label in labels:
        answers = sum(given * rows for pattern, rows in tally.patterns.items() for answer, given in pattern if label in answer)
        accepted = calibration.accepted(tally.by_label.get(label, Counter()))
        found.append({"label": label, "answers": answers, **kappas.of_label(tally.patterns, label, seed=seed), "accepted": accepted})
    return found


def _suggestions(tally: Tally, right: Mapping[str, Any]) -> dict[str, Any]:
    rows = calibration.bins(tally.bins)
    became = sorted(tally.became.items(), key=lambda item: (-item[1], item[0]))[:MOST_CELLS]
    return {
        "pull": calibration.pull(tally.arms[True], tally.arms[False]),
        "accuracy": right.get(accuracies.SUGGESTED),
        "bins": rows,
        "calibration_error": {arm: calibration.calibration_error(rows, arm) for arm in ("shown", "blind")},
        "became": [{"suggested": suggested, "answer": answer, "answers": count} for (suggested, answer), count in became],
    }
