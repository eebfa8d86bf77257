"""What a run shows, in plain sentences: the student against each control, and what the reader must know besides.

The rule is simple and says so: the student beats a control when its mean over training seeds is higher by more than the
noise, which is the largest of both standard deviations over training seeds and the standard error of the difference of two
shares of n test rows, √(p(1 − p)/n + q(1 − q)/n). That is no test of significance; with three training seeds nothing would
be. And nobody beats anything with a single training seed, or on rows that chose the models: without test rows dev scores
are all there is, but each model was kept because it did well on dev.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import fmean
from typing import Any

from spacy_synthesizrr.students.arms import FEWGEN, GOLD, MAIN, RANDOM, RETRIEVE_ONLY, SEED_ONLY
from spacy_synthesizrr.students.scores import said, spread

ABOUT = {
    MAIN: "the accepted rows",
    SEED_ONLY: "the seeds alone",
    GOLD: "gold train rows",
    RETRIEVE_ONLY: "the passages of the accepted rows, as retrieved",
    RANDOM: "the same plan with passages drawn at random, without a window",
    FEWGEN: "texts that the teacher wrote without a passage",
}
BASELINES = (SEED_ONLY, RANDOM)  # what the method must beat to be worth its work
MINUS = "\N{MINUS SIGN}"


@dataclass(frozen=True)
class Standing:
    """How the student of one arm did.

    name (str): "main" or the control's name.
    rows (int), steps (int): Train rows and training steps; None when not known.
    dev (Sequence[float]), test (Sequence[float]): One score per training seed, between 0 and 1.
    why (str): Why there are no scores.
    interval (Mapping | None): low and high of the mean test score over other test rows, see `students.quality.bootstrap`.
    ece (Mapping | None): Mean and sd of the calibration error on test.
    """

    name: str
    rows: int | None = None
    steps: int | None = None
    dev: Sequence[float] = ()
    test: Sequence[float] = ()
    why: str = ""
    interval: Mapping[str, Any] | None = None
    ece: Mapping[str, float | None] | None = None

    @property
    def split(self) -> str:
        """RETURNS (str): The split that counts: test, or dev where there is no test; empty when there are no scores."""
        return "test" if self.test else "dev" if self.dev else ""

    def scores(self, split: str) -> Sequence[float]:
        """split (str): "dev" or "test"."""
        return self.test if split == "test" else self.dev

    def to_dict(self) -> dict[str, Any]:
        """RETURNS (dict): Plain JSON with means and standard deviations."""
        scores = {split: list(self.scores(split)) for split in ("dev", "test")}
        splits = {split: {"scores": found, **(spread(found) or {"mean": None, "sd": None})} for split, found in scores.items()}
        about = ABOUT.get(self.name, "")
        return {"name": self.name, "about": about, "rows": self.rows, "steps": self.steps, "why": self.why, **splits, **self._measured()}

    def _measured(self) -> dict[str, Any]:
        return {"interval": self.interval and dict(self.interval), "ece": self.ece and dict(self.ece)}


@dataclass(frozen=True)
class Finding:
    """One sentence; tone is "good", "bad" or "plain"."""

    tone: str
    text: str


def noise(ours: Sequence[float], theirs: Sequence[float], rows: int) -> float:
    """What a difference must exceed to count; see the head of this module.

    rows (int): Rows that the scores were taken on; 0 when not known.
    """
    shares = (fmean(ours), fmean(theirs))
    error = sqrt(sum(share * (1 - share) for share in shares) / rows) if rows else 0.0
    return max(error, *((spread(scores) or {}).get("sd") or 0.0 for scores in (ours, theirs)))


def compare(main: Standing, other: Standing, *, metric: str, rows: Mapping[str, int], dev_in_test: int = 0) -> Finding | None:
    """Say whether the student beats one control.

    rows (Mapping[str, int]): Number of dev and of test rows.
    dev_in_test (int): Dev rows that stand in test too.
    RETURNS (Finding | None): None when there is nothing to compare.
    """
    split = main.split
    ours, theirs = main.scores(split), other.scores(split)
    if not ours or not theirs:
        return None
    gain = fmean(ours) - fmean(theirs)
    figures = f"{split} {metric} {said(spread(ours))} % against {said(spread(theirs))} % ({_points(gain)})"
    name = f"{other.name} ({ABOUT[other.name]})" if other.name in ABOUT else other.name
    if gain <= 0:
        return Finding("bad", f"The student does not beat {name}: {figures}.")
    if gain <= noise(ours, theirs, rows.get(split, 0)):
        return Finding("plain", f"The student is ahead of {name}, but by no more than the noise: {figures}.")
    doubt = _doubt(split, min(len(ours), len(theirs)), dev_in_test)
    if doubt:
        return Finding("plain", f"The student is ahead of {name}, but {doubt}: {figures}.")
    return Finding("good", f"The student beats {name}: {figures}.")


def _doubt(split: str, seeds: int, dev_in_test: int) -> str:
    """RETURNS (str): Why even a clear lead proves nothing; empty when it may."""
    if split == "dev":
        return "on dev alone, and dev chose the models"
    if dev_in_test:
        return "dev rows stand in test too, so test helped to choose the models"
    return "with a single training seed" if seeds < 2 else ""


def _points(gain: float) -> str:
    """A difference in percentage points with its sign; one that rounds to nothing has none."""
    shown = f"{100 * abs(gain):.1f}"
    sign = "" if shown == "0.0" else "+" if gain > 0 else MINUS
    return f"{sign}{shown} points"


def comparisons(standings: Sequence[Standing], *, metric: str, rows: Mapping[str, int], dev_in_test: int = 0) -> Iterator[Finding]:
    """Compare with every control that was run: the baselines first; gold last, which nobody is expected to beat.

    rows (Mapping[str, int]), dev_in_test (int): As in `compare`.
    """
    main = next((one for one in standings if one.name == MAIN), None)
    if main is None or not main.split:
        return
    others = [one for one in standings if one.name != MAIN]
    for other in sorted(others, key=lambda one: (one.name not in BASELINES, one.name == GOLD)):
        found = compare(main, other, metric=metric, rows=rows, dev_in_test=dev_in_test)
        if found and other.name == GOLD and found.tone == "bad":
            found = Finding("plain", found.text)
        if found:
            yield found


def remarks(
    asked: Mapping[str, Any], funnel: Mapping[str, Any] | None, *, rows: Mapping[str, int] | None = None, dev_in_test: int = 0
) -> Iterator[Finding]:
    """What the reader must know to read the numbers: the kind of teacher, missing rows, dev rows in test.

    rows (Mapping[str, int]), dev_in_test (int): As in `compare`.
    """
    if dev_in_test:
        yield Finding(
            "bad",
            f"{dev_in_test:,} of {(rows or {}).get('dev', 0):,} dev rows stand in test too: models were chosen by rows that they are "
            "tested on, so the test scores are too high. Take those rows out of one of the two files.",
        )
    if asked.get("copies"):
        yield Finding(
            "plain",
            f"The teacher '{asked['teacher']}' is not an LLM: it only copies sentences out of the passage. So this run shows "
            "the way and what retrieval is worth, not what a teacher that writes would add.",
        )
    if funnel and funnel["total"]["short"]:
        total = funnel["total"]
        yield Finding("bad", f"{total['short']:,} of {total['asked']:,} rows that were asked for are missing; the funnel says why.")
