"""Are the labels right? Judges that never saw a row say what its label should be, and one calibrated number says how sure they are.

Judges: "student" (cross-validated on the rows themselves, see `judges`), "gold" (nearest labelled rows), "teacher" (the run's own,
blind, see `blind`). They are pooled to one probability per label (`pooling`), whose weights are fitted on labelled rows: seeds, and
gold train rows where the config allows them, which no judge saw with their labels. Dev and test are never read. A row's own seed is
kept out of everything that judges the row: it has the same label by construction and would confirm it. What a student has learned
from the rows it cannot tell from what is right: errors that a teacher makes again and again look right to it, and only the other judges
see them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from spacy_synthesizrr.candidates import label_key
from spacy_synthesizrr.curation.verdicts import SwitchedOff, Verdict
from spacy_synthesizrr.errors import ConfigError, choices
from spacy_synthesizrr.extensions import MAX_PLANNED
from spacy_synthesizrr.set_filters.blind import Judge
from spacy_synthesizrr.set_filters.evidence import GOLD, JUDGES, STUDENT, TEACHER, Heard, Panel
from spacy_synthesizrr.set_filters.gold_rows import LABELLED, SEEDS, GoldRows, one_hot, read_gold_rows
from spacy_synthesizrr.set_filters.pooling import (
    ASSUMED_RIGHT,
    DIGITS,
    Pool,
    counted_share,
    measure,
    posterior,
    right_interval,
    right_share,
    score_of,
    with_intent,
)
from spacy_synthesizrr.set_filters.running import SAID, UNFINISHED, Rows, SetBinder, SetFilter, SetInputs
from spacy_synthesizrr.students.arms import MAIN
from spacy_synthesizrr.students.quality.calibration import Array

NAME = "synthesizrr.VerifyLabels.v1"
REVIEW, REJECT, RELABEL = "review", "reject", "relabel"
ACTIONS = (REVIEW, REJECT, RELABEL)
KEPT, MARKED, REJECTED, RELABELLED = "kept", "marked", "rejected", "relabelled"
MISMATCH = "label_mismatch"
ONE_LABEL = "the task has one label, which no other can be taken for"
THRESHOLD, DRAWS, TEACHER_ROWS = 0.5, 3, 100
BINS = 20  # of the histogram of scores


@dataclass(frozen=True)
class Settings:
    """What the config says; see `make_verify_labels`."""

    judges: tuple[str, ...]
    action: str
    threshold: float
    sure: float
    labelled: tuple[str, ...]
    folds: int
    draws: int
    teacher_rows: int


def make_verify_labels(
    judges: list[str] | None = None,
    action: str = REVIEW,
    threshold: float = THRESHOLD,
    sure: float = 0.7,
    labelled: list[str] | None = None,
    folds: int = 5,
    draws: int = DRAWS,
    teacher_rows: int = TEACHER_ROWS,
) -> SetBinder:
    """Judge the labels of finished rows, and mark, reject or relabel those that are likely wrong.

    judges (List[str]): "student", "gold" and "teacher", in any mix; the first two by default.
    action (str): What becomes of a row whose label is right with a probability below `threshold`: "review" marks it, as every other row is
        marked with its score; "reject" takes it away; "relabel" gives it the judges' label where they are sure of one. Rows of controls
        are never relabelled: they stand for what their arm made, not for what the judges know.
    threshold (float): From 0 to 1.
    sure (float): Least probability of a new label.
    labelled (List[str]): Rows that scores are calibrated on and that neighbours are looked for in: "seeds" by default; "train" adds the
        task's gold train rows, and then the student's own arm has seen gold and is no longer comparable with controls that have not.
    folds (int): Students that are trained, each without one part of the rows.
    draws (int): Questions to the teacher per row.
    teacher_rows (int): Labelled rows that the teacher judges too, so that its votes can be calibrated.
    RETURNS (SetBinder): See set_filters/running.py.
    RAISES (ConfigError): For a name, share or number that is none.
    """
    chosen, rows = tuple((STUDENT, GOLD) if judges is None else judges), tuple((SEEDS,) if labelled is None else labelled)
    found = Settings(chosen, action, threshold, sure, rows, folds, draws, teacher_rows)
    _check(found)
    return SetBinder(lambda inputs: _bind(found, inputs), ("teacher",) if TEACHER in found.judges else ())


def _check(settings: Settings) -> None:
    valid = (("judges", settings.judges, JUDGES), ("labelled", settings.labelled, LABELLED), ("action", (settings.action,), ACTIONS))
    for what, given, known in valid:
        for name in given:
            if name not in known:
                raise ConfigError(f"VerifyLabels: {what} has '{name}'. {choices(name, known)}")
    if not settings.judges or len(set(settings.judges)) < len(settings.judges):
        raise ConfigError(f"VerifyLabels: judges must name at least one, and none twice (was: {list(settings.judges)}).")
    for what, share in (("threshold", settings.threshold), ("sure", settings.sure)):
        if not 0 <= share <= 1:
            raise ConfigError(f"VerifyLabels: {what} must lie from 0 to 1 (was: {share}).")
    for what, number, least in (("folds", settings.folds, 2), ("draws", settings.draws, 1), ("teacher_rows", settings.teacher_rows, 0)):
        if number < least:
            raise ConfigError(f"VerifyLabels: {what} must be at least {least} (was: {number}).")
    if settings.draws > MAX_PLANNED:
        raise ConfigError(f"VerifyLabels: draws must be at most {MAX_PLANNED} (was: {settings.draws}): they are asked for together.")


def _bind(settings: Settings, inputs: SetInputs) -> SetFilter | SwitchedOff:
    if len(inputs.task.labels) < 2:
        return SwitchedOff(ONE_LABEL)
    teacher = Judge(inputs.ctx, settings.draws, inputs.arm)
    if settings.judges == (TEACHER,) and (why := teacher.why_not):
        return SwitchedOff(why)
    return VerifyLabels(settings, inputs, teacher)


@dataclass(frozen=True)
class Decision:
    """What becomes of a row.

    what (str): KEPT, MARKED, REJECTED or RELABELLED.
    own (Tuple[str, ...]): Its labels. best (Tuple[str, ...]): Those that the judges think best.
    score (float): How likely its own are right. sure (float): How likely the best are, together.
    """

    what: str
    own: tuple[str, ...]
    best: tuple[str, ...]
    score: float
    sure: float

    @property
    def labels(self) -> tuple[str, ...]:
        """RETURNS (Tuple[str, ...]): The row's labels from now on."""
        return self.best if self.what == RELABELLED else self.own

    def verdict(self, parts: Mapping[str, float], *, unjudged: bool) -> Verdict:
        """RETURNS (Verdict): With the score of the labels that the row has now, and what each judge alone says of them."""
        score = round(self.sure if self.what == RELABELLED else self.score, DIGITS)
        detail: dict[str, Any] = {"label_score": score, "judges": {name: round(value, DIGITS) for name, value in parts.items()}}
        if unjudged:
            detail["unjudged"] = True
        if self.best != self.own:
            detail["judged"] = label_key(self.best)
        if self.what == REJECTED:
            return Verdict(False, MISMATCH, score, detail)
        if self.what == RELABELLED:
            before = {"relabelled_from": label_key(self.own), "score_before": round(self.score, DIGITS)}
            return Verdict(True, detail={**detail, **before}, labels=self.best)
        return Verdict(True, detail=detail)


@dataclass
class VerifyLabels:
    """See `make_verify_labels`."""

    settings: Settings
    inputs: SetInputs
    teacher: Judge
    _told: dict[str, Any] = field(default_factory=dict)

    def __call__(self, rows: Rows) -> Iterator[Verdict]:
        """See `SetFilter`."""
        task, settings, seed = self.inputs.task, self.settings, self.inputs.ctx.seed
        ids, own = [(row.id, row.seed_id) for row in rows], [row.labels for row in rows]
        assigned, known = one_hot(own, list(task.labels)), read_gold_rows(self.inputs, settings.labelled)
        panel = Panel(self.inputs, settings.judges, settings.folds, self.teacher, settings.teacher_rows)
        heard = panel.hear(rows, ids, assigned, known)
        if not heard.rows:
            self._told = {"rows": len(ids), "judges": {}, "off": heard.off, SAID: _nobody(heard.off)}
            return (Verdict(True) for _ in ids)
        pool = heard.pool(known, exclusive=task.exclusive, seed=seed)
        evidence, share = posterior(heard.rows, pool.weights, exclusive=task.exclusive), self._share(heard, pool, assigned)
        scores = with_intent(evidence, assigned, share["counted_share"], exclusive=task.exclusive)
        right = score_of(scores, assigned, exclusive=task.exclusive)
        action = REVIEW if pool.by_chance or (settings.action == RELABEL and self.inputs.arm != MAIN) else settings.action
        actions = [REVIEW if unjudged else action for unjudged in heard.unjudged.tolist()]
        decisions = [self._decide(actions[row], labels, scores[row], float(right[row])) for row, labels in enumerate(own)]
        self._told = self._telling(heard, known, pool, decisions) | share | {"acted": action}
        return self._verdicts(heard, decisions)

    def _share(self, heard: Heard, pool: Pool, assigned: Array) -> dict[str, Any]:
        """RETURNS (dict): The share of right labels, estimated and as it is counted, and an interval of it."""
        exclusive, heard_of = self.inputs.task.exclusive, ~heard.unjudged
        judged = posterior({name: said[heard_of] for name, said in heard.rows.items()}, pool.weights, exclusive=exclusive)
        found, about = ASSUMED_RIGHT, dict[str, Any]()
        if pool.calibrated:
            found = right_share(judged, assigned[heard_of], exclusive=exclusive)
            about["right_interval"] = list(right_interval(judged, assigned[heard_of], exclusive=exclusive))
        counted = counted_share(found, assigned.shape[1], exclusive=exclusive)
        return {**about, "right_share": round(found, DIGITS), "counted_share": round(counted, DIGITS), "right_rows": int(heard_of.sum())}

    def _verdicts(self, heard: Heard, decisions: Sequence[Decision]) -> Iterator[Verdict]:
        exclusive = self.inputs.task.exclusive
        labels, unjudged = one_hot([one.labels for one in decisions], list(self.inputs.task.labels)), heard.unjudged
        parts = {name: score_of(_alone(name, said, exclusive), labels, exclusive=exclusive) for name, said in heard.rows.items()}
        for row, decision in enumerate(decisions):
            yield decision.verdict({name: float(values[row]) for name, values in parts.items()}, unjudged=bool(unjudged[row]))

    def told(self) -> dict[str, Any]:
        """See `Tells`."""
        return self._told

    @cached_property
    def _sets(self) -> tuple[tuple[str, ...], ...] | None:
        """The label sets that a row may have; None where the task names none."""
        return self.inputs.task.given_sets()

    def _decide(self, action: str, own: tuple[str, ...], scores: Array, score: float) -> Decision:
        """scores (Array): The probability of each label for one row."""
        labels, settings, exclusive = list(self.inputs.task.labels), self.settings, self.inputs.task.exclusive
        chosen = [int(np.argmax(scores))] if exclusive else np.flatnonzero(scores >= 0.5).tolist()
        best = tuple(labels[place] for place in chosen)
        sure = float(score_of(scores[None], one_hot([best], labels), exclusive=exclusive)[0])
        if score >= settings.threshold:
            return Decision(KEPT, own, best, score, sure)
        if action == REJECT:
            return Decision(REJECTED, own, best, score, sure)
        known = self._sets is None or best in self._sets
        new = action == RELABEL and best not in ((), own) and known and sure >= settings.sure
        return Decision(RELABELLED if new else MARKED, own, best, score, sure)

    def _telling(self, heard: Heard, known: GoldRows, pool: Pool, decisions: Sequence[Decision]) -> dict[str, Any]:
        exclusive, scores = self.inputs.task.exclusive, [decision.score for decision in decisions]
        judges = {
            name: measure(_alone(name, said, exclusive), known.gold[heard.places[name]], exclusive=exclusive) if len(said) else {}
            for name, said in heard.gold.items()
        }
        pairs = Counter((label_key(one.own), label_key(one.best)) for one in decisions if one.own != one.best)
        return {
            "rows": len(decisions),
            "judges": judges,
            "off": heard.off,
            "folds": {"count": heard.folds.count, "by": heard.folds.by} if heard.folds else {},
            "labelled": {"rows": len(known.ids), "seeds": known.seeds, "train": len(known.ids) - known.seeds},
            "pool": pool.to_dict(),
            "action": self.settings.action,
            "threshold": self.settings.threshold,
            "actions": dict(sorted(Counter(one.what for one in decisions).items())),
            "mean_score": round(float(np.mean(scores)), DIGITS),
            "scores": np.histogram(scores, bins=BINS, range=(0, 1))[0].tolist(),
            "mismatches": [[own, best, count] for (own, best), count in sorted(pairs.items(), key=lambda item: (-item[1], item[0]))],
            "failed_votes": heard.failed,
            "unjudged": int(heard.unjudged.sum()),
            UNFINISHED: heard.lost,
            SAID: _said(self.settings, pool, decisions, heard),
        }


def _alone(name: str, said: Array, exclusive: bool) -> Array:
    """RETURNS (Array): What one judge says by itself, as probabilities."""
    return posterior({name: said}, {name: 1.0}, exclusive=exclusive)


def _nobody(off: Mapping[str, str]) -> str:
    """RETURNS (str): For the console, where no judge said anything."""
    return f"Labels were not checked: {'; '.join(f'{name}: {why}' for name, why in off.items())}."


def _said(settings: Settings, pool: Pool, decisions: Sequence[Decision], heard: Heard) -> str:
    """RETURNS (str): For the console: doubtful rows, what became of them, and what scores are worth."""
    doubtful = Counter(one.what for one in decisions if one.what != KEPT)
    what = ", ".join(f"{count:,} {name}" for name, count in sorted(doubtful.items()))
    how = f"scores are calibrated on {pool.rows:,} labelled rows" if pool.calibrated else f"scores are uncalibrated: {pool.why}"
    only = f" Rows are only marked, whatever `action` says ({settings.action})." if pool.by_chance and settings.action != REVIEW else ""
    off = "".join(f" The judge '{name}' says nothing: {why}." for name, why in heard.off.items())
    if TEACHER in heard.rows and not heard.rows[TEACHER].any():
        off += f" The judge '{TEACHER}' says nothing: none of its answers was a label."
    lost = " Some questions to the teacher were not answered: run `curate` again, and only those are asked." if heard.lost else ""
    rows = f"{sum(doubtful.values()):,} of {len(decisions):,} rows are doubtful (below {settings.threshold:g}{f': {what}' if what else ''})"
    return f"Labels: {rows}; {how}.{only}{off}{lost}"
