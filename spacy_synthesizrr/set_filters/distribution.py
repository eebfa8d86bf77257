"""Make the labels of the rows follow a distribution: by leaving rows out, or by weights that a training may use."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from spacy_synthesizrr.candidates import digest, label_key
from spacy_synthesizrr.curation.verdicts import SwitchedOff, Verdict
from spacy_synthesizrr.errors import ConfigError, choices
from spacy_synthesizrr.set_filters.running import SAID, Rows, SetBinder, SetFilter, SetInputs
from spacy_synthesizrr.students.reviewed import label_score
from spacy_synthesizrr.taskfile import TaskSpec

NAME = "synthesizrr.MatchDistribution.v1"
TRAIN, BALANCED = "train", "balanced"
HOW = ("drop", "weights")
SURPLUS = "distribution"
CLOSE = 1e-6
DIGITS = 6
CURE = "Give each a share; 0 leaves its rows out."


def make_match_distribution(to: str | dict[str, float] = BALANCED, how: str = "drop") -> SetBinder:
    """Bring the shares of labels to those that are wanted.

    to (str | Dict[str, float]): "balanced"; "train": the shares in the task's gold train rows; or the share of each label, which add up
        to 1. In a task where a row may have several labels, label sets are counted ("a + b"). Every label (set) that rows have is named;
        0 leaves its rows out.
    how (str): "drop" leaves the fewest rows out, those with the lowest `label_score` first where every row of the label has one, else by
        the run's seed; "weights" keeps all rows and gives each a weight, 1 on average.
    RETURNS (SetBinder): See set_filters/running.py.
    RAISES (ConfigError): For shares that are none, or another way.
    """
    if how not in HOW:
        raise ConfigError(f"MatchDistribution: how is '{how}'. {choices(how, HOW)}")
    if isinstance(to, str):
        if to not in (TRAIN, BALANCED):
            raise ConfigError(f"MatchDistribution: to is '{to}'. {choices(to, (TRAIN, BALANCED))} Or give the share of each label.")
    elif any(not 0 <= share <= 1 for share in to.values()) or abs(sum(to.values()) - 1) > CLOSE:
        raise ConfigError(f"MatchDistribution: the shares must lie from 0 to 1 and add up to 1 (was: {dict(to)}).")
    return SetBinder(lambda inputs: _bind(to, how, inputs))


def _bind(to: str | Mapping[str, float], how: str, inputs: SetInputs) -> SetFilter | SwitchedOff:
    if to == TRAIN and inputs.task.file("train") is None:
        return SwitchedOff("the task names no gold train rows whose distribution could be matched")
    return MatchDistribution(to if isinstance(to, str) else given_shares(to, inputs.task), how, inputs)


def given_shares(to: Mapping[str, float], task: TaskSpec) -> dict[str, float]:
    """The shares of a config by label key.

    RETURNS (Dict[str, float]): Labels of a set in the order of the task file, whatever the order in the config.
    RAISES (ConfigError): For a label that is none, one that has no share, and a set that stands there twice.
    """
    found: dict[str, float] = {}
    for name, share in to.items():
        key = label_key(_labels(name, task))
        if key in found:
            raise ConfigError(f"MatchDistribution: '{name}' is there twice: the order of the labels in a set makes no difference.")
        found[key] = share
    if task.exclusive and (missing := [label for label in task.labels if label not in found]):
        raise ConfigError(f"MatchDistribution: no share is given for {_listed(missing)}. {CURE}")
    return found


def _labels(name: str, task: TaskSpec) -> tuple[str, ...]:
    own = {name} if name in task.labels or task.exclusive else {part.strip() for part in name.split("+")}
    for part in own:
        if part not in task.labels:
            raise ConfigError(f"MatchDistribution: there is no label '{part}'. {choices(part, task.labels)}")
    return tuple(label for label in task.labels if label in own)


def _listed(keys: Sequence[str]) -> str:
    return ", ".join(f"'{key}'" for key in keys)


@dataclass
class MatchDistribution:
    """See `make_match_distribution`."""

    to: str | Mapping[str, float]
    how: str
    inputs: SetInputs
    _told: dict[str, Any] = field(default_factory=dict)

    def __call__(self, rows: Rows) -> Iterator[Verdict]:
        """See `SetFilter`."""
        found = [(row.id, label_key(row.labels), label_score(row), row.weight) for row in rows]
        counts = Counter(key for _, key, _, _ in found)
        given = self._given(counts)
        if why := "" if any(given.get(key) for key in counts) else "none of the labels that rows have has a share above 0: all rows stay":
            given = {key: float(count) for key, count in counts.items()}
        shares = {key: share / sum(given.get(key, 0.0) for key in counts) for key, share in _of(given, counts).items()}
        self._told = {
            "to": self.to if isinstance(self.to, str) else "given",
            "how": self.how,
            "shares": shares,
            "before": dict(sorted(counts.items())),
            "why": why,
            SAID: _said(why, [key for key, share in shares.items() if not share], counts),
        }
        if self.how == "weights":
            weights = weights_for(counts, shares)
            self._told["weights"] = weights
            return (Verdict(True, weight=round(weight * weights[key], DIGITS)) for _, key, _, weight in found)
        wanted = rows_for(counts, shares)
        self._told["after"] = wanted
        stays = self._chosen([(id, key, score) for id, key, score, _ in found], wanted)
        return (Verdict(True) if id in stays else Verdict(False, SURPLUS, shares[key]) for id, key, _, _ in found)

    def told(self) -> dict[str, Any]:
        """See `Tells`."""
        return self._told

    def _given(self, counts: Mapping[str, int]) -> Mapping[str, float]:
        """RETURNS (Mapping[str, float]): What each label should have in proportion to the others.

        RAISES (ConfigError): For a label set that rows have and the config gives no share of.
        """
        if self.to == TRAIN:
            return {key: float(count) for key, count in Counter(label_key(row.labels) for row in self.inputs.gold("train")).items()}
        if isinstance(self.to, str):
            return dict.fromkeys(counts, 1.0)
        if missing := sorted(set(counts) - set(self.to)):
            raise ConfigError(f"MatchDistribution: no share is given for {_listed(missing)}. {CURE}")
        return self.to

    def _chosen(self, rows: Sequence[tuple[str, str, float | None]], wanted: Mapping[str, int]) -> set[str]:
        groups: dict[str, list[tuple[str, float | None]]] = {}
        for id, key, score in rows:
            groups.setdefault(key, []).append((id, score))
        stays: set[str] = set()
        for key, own in groups.items():
            scored = all(score is not None for _, score in own)
            order = sorted(
                own, key=lambda row: (-(row[1] or 0.0) if scored else 0.0, digest("distribution", str(self.inputs.ctx.seed), row[0]))
            )
            stays |= {id for id, _ in order[: wanted[key]]}
        return stays


def _of(given: Mapping[str, float], counts: Mapping[str, int]) -> dict[str, float]:
    return {key: given.get(key, 0.0) for key in sorted(counts)}


def _said(why: str, nothing: Sequence[str], counts: Mapping[str, int]) -> str:
    """RETURNS (str): For the console: nothing was done, or whole labels are left out or weigh nothing; else empty."""
    if why:
        return f"Distribution of labels: {why}." if counts else ""
    rows = sum(counts[key] for key in nothing)
    return f"Distribution of labels: {_listed(nothing)} has a share of 0 ({rows:,} rows)." if nothing else ""


def rows_for(counts: Mapping[str, int], shares: Mapping[str, float]) -> dict[str, int]:
    """RETURNS (Dict[str, int]): The most rows of each label that have these shares; the scarcest label keeps all of its own."""
    total = min((counts[key] / share for key, share in shares.items() if share > 0), default=0.0)
    return {key: min(counts[key], max(1, round(total * share))) if share > 0 else 0 for key, share in shares.items()}


def weights_for(counts: Mapping[str, int], shares: Mapping[str, float]) -> dict[str, float]:
    """RETURNS (Dict[str, float]): The weight of a row of each label, so that weights add up to the shares; 1 on average over rows."""
    rows = sum(counts.values())
    return {key: round(share * rows / counts[key], DIGITS) for key, share in shares.items()}
