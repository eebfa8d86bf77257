"""What a suggestion is worth, and what it does to those who see it.

Acceptance: an answer accepts a suggestion when it chooses exactly its labels. Where several people answer a row, the row counts
once, with the share of them that accept (see `intervals.wilson`).

Pull: the blind rows are drawn at random, so people would treat both kinds of rows alike if the suggestion did nothing to them. The
model behind the share of copies: with probability c a person copies the suggestion that is shown, otherwise answers as without it.
Then acceptance is c + (1 − c) b on shown rows where it is b on blind ones, and c = (shown − b) / (1 − b). It is a share of
all answers: a person who copies only what is right anyway adds nothing to it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from argilla_bridge.measures.intervals import Ends, difference, estimate, ratio, score_interval, wilson

BINS = 10  # of the score, of equal width
ARMS = {"shown": True, "blind": False}
Arm = Counter[tuple[int, int]]  # (answers that accept, answers) → rows


@dataclass
class Bin:
    """Rows whose score lies in one bin, where the suggestion was shown (True) and where not."""

    scores: dict[bool, float] = field(default_factory=lambda: {True: 0.0, False: 0.0})
    arms: dict[bool, Arm] = field(default_factory=lambda: {True: Counter(), False: Counter()})

    def add(self, score: float, accepting: int, answers: int, *, shown: bool) -> None:
        """A row that somebody answered."""
        self.scores[shown] += score
        self.arms[shown][accepting, answers] += 1


def accepted(arm: Mapping[tuple[int, int], int]) -> dict[str, Any]:
    """RETURNS (dict): Estimate of the share that accepts, over rows."""
    return wilson(_accepting(arm), sum(arm.values()))


def _accepting(arm: Mapping[tuple[int, int], int]) -> float:
    """Rows that accept, each with the share of its answers that do."""
    return sum(yes / asked * rows for (yes, asked), rows in arm.items())


def bins(found: Mapping[int, Bin]) -> list[dict[str, Any]]:
    """RETURNS (List[dict]): Per bin of the score that has rows: low, high, mean score, acceptance where the suggestion was shown, and
    where not; "scores" are the mean scores of these two.
    """
    rows = []
    for number, one in sorted(found.items()):
        counts = {name: sum(one.arms[shown].values()) for name, shown in ARMS.items()}
        total = sum(counts.values())
        about = {"low": number / BINS, "high": (number + 1) / BINS, "rows": total, "score": round(sum(one.scores.values()) / total, 4)}
        scores = {name: round(one.scores[shown] / counts[name], 4) if counts[name] else None for name, shown in ARMS.items()}
        rows.append({**about, "scores": scores, **{name: accepted(one.arms[shown]) for name, shown in ARMS.items()}})
    return rows


def bin_of(score: float) -> int:
    """RETURNS (int): The bin of a score in [0, 1]; 1 belongs to the last."""
    return min(BINS - 1, max(0, int(score * BINS)))


def calibration_error(rows: Iterable[Mapping[str, Any]], arm: str) -> float | None:
    """The expected calibration error (Naeini, Cooper and Hauskrecht, AAAI 2015) of the score as a forecast of acceptance.

    rows (Iterable[Mapping]): See `bins`.
    arm (str): "shown" or "blind".
    RETURNS (float | None): Mean distance of score and acceptance over rows; None without rows.
    """
    kept = [(row[arm]["n"], abs(row[arm]["value"] - row["scores"][arm])) for row in rows if row[arm]["n"]]
    total = sum(n for n, _ in kept)
    return round(sum(n * gap for n, gap in kept) / total, 4) if total else None


def pull(shown: Arm, blind: Arm) -> dict[str, Any]:
    """The pull of the suggestion; see the head of this module. As c = 1 − (1 − shown) / (1 − b), its interval is that of a ratio.

    RETURNS (dict): Estimates "shown" and "blind" of acceptance, "difference" and "copied".
    """
    about = {"shown": accepted(shown), "blind": accepted(blind)}
    rows = min(sum(shown.values()), sum(blind.values()))
    if not rows:
        nothing = estimate(None, None, None, 0)
        return {**about, "difference": nothing, "copied": nothing}
    seen, unseen = (score_interval(_accepting(arm), sum(arm.values())) for arm in (shown, blind))
    return {**about, "difference": estimate(*difference(seen, unseen), rows), "copied": _copied(seen, unseen, rows)}


def _copied(shown: Ends, blind: Ends, rows: int) -> dict[str, Any]:
    """No share below 0, to which few rows may lead; the difference keeps its sign. Where every blind row is accepted there is nothing
    that a copy would change.
    """
    if blind[0] >= 1:
        return estimate(None, None, None, rows)
    value, low, high = ratio(_refused(shown), _refused(blind))
    return estimate(max(0.0, 1 - value), max(0.0, 1 - high), max(0.0, 1 - low), rows)


def _refused(accepting: Ends) -> Ends:
    value, low, high = accepting
    return 1 - value, 1 - high, 1 - low
