"""Scores of rounds and their differences, with intervals: what other rows of the same kind would say, and what other trainings would.

Two sides of a difference are scored on the same drawn rows (paired bootstrap, see `students.quality.bootstrap`). Beside it stands a t
interval over training seeds, which both sides share. Neither knows that a teacher asked again would write other rows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from spacy_synthesizrr.ablations.results import over_draws
from spacy_synthesizrr.candidates import label_key
from spacy_synthesizrr.loop.finished import Answers, Round
from spacy_synthesizrr.loop.predictions import Prediction
from spacy_synthesizrr.students.quality.bootstrap import Paired, difference, interval, mean_interval
from spacy_synthesizrr.students.scores import NO_LABEL, main_score, mean_per_label, per_label, spread


def scored(said: Answers, labels: Sequence[str], *, seed: int) -> dict[str, Any] | None:
    """Score the students of a round on labelled rows.

    seed (int): Of the draws.
    RETURNS (dict | None): `rows`; `mean` and `sd` over training seeds, `seeds` (each one's score); `low` and `high` of the mean, with
        other rows of the same kind; `labels`: p, r, f and rows of each, means over training seeds. None without rows.
    """
    if not said.gold:
        return None
    scores = _scores(said, labels)
    if said.scores:
        bounds = mean_interval(said.scores, seed=seed)
        return {"rows": len(said.gold), **(spread(scores) or {}), "seeds": scores, "low": bounds.low, "high": bounds.high, "labels": {}}
    bounds = interval(said.gold, said.answers, labels, seed=seed)
    by_label = mean_per_label([per_label(said.gold, student, labels) for student in said.answers])
    return {"rows": len(said.gold), **(spread(scores) or {}), "seeds": scores, "low": bounds.low, "high": bounds.high, "labels": by_label}


def gap(mine: Answers | None, other: Answers | None, labels: Sequence[str], *, seed: int) -> dict[str, Any] | None:
    """How far one round is ahead of another on the same rows.

    RETURNS (dict | None): value, low, high, level, resamples: with other rows; `seeds`: of each training seed; `over_seeds`: low and
        high with other training seeds, None where there is one. None where a side has no answers, or they answered other rows.
    """
    if mine is None or other is None or not mine.gold or list(mine.gold) != list(other.gold) or list(mine.lines) != list(other.lines):
        return None
    spans = mean_interval(mine.scores, other.scores, seed=seed) if mine.scores and other.scores else None
    found = (spans or difference([Paired(mine.gold, mine.answers, other.answers)], labels, seed=seed)).to_dict()
    paired = len(mine.answers) == len(other.answers)
    own, others = _scores(mine, labels), _scores(other, labels)
    by_seed = [one - two for one, two in zip(own, others, strict=True)] if paired else []
    return {**found, "seeds": by_seed, "over_seeds": over_draws(by_seed, level=found["level"])}


def _scores(said: Answers, labels: Sequence[str]) -> list[float]:
    """RETURNS (List[float]): Of each student: accuracy, micro F, or in question answering the mean F1."""
    if said.scores:
        return [sum(student) / len(student) for student in said.scores]
    return [main_score(said.gold, student, labels) for student in said.answers]


def moved(part: str, mine: Round, before: Round | None) -> dict[str, int | None]:
    """Rows of a part that were right and wrong, beside the round before.

    RETURNS (dict): `rows`, `wrong`, and against the round before `fixed` (wrong then, right now) and `broken` (right then, wrong now);
        both None where there is none before.
    """
    now = {one.line: _wrong(one) for one in mine.joined(part)}
    found: dict[str, int | None] = {"rows": len(now), "wrong": sum(now.values()), "fixed": None, "broken": None}
    if before is not None:
        then = {one.line: _wrong(one) for one in before.joined(part)}
        both = now.keys() & then.keys()
        found["fixed"] = sum(then[line] and not now[line] for line in both)
        found["broken"] = sum(now[line] and not then[line] for line in both)
    return found


def _wrong(one: Prediction) -> bool:
    return set(one.predicted) != set(one.labels)


def confusions(predictions: Iterable[Prediction]) -> list[dict[str, Any]]:
    """RETURNS (List[dict]): gold, predicted and count of every kind of error, the most frequent first."""
    counts = Counter((label_key(one.labels) or NO_LABEL, label_key(one.predicted) or NO_LABEL) for one in predictions if _wrong(one))
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return [{"gold": gold, "predicted": said, "count": count} for (gold, said), count in ordered]
