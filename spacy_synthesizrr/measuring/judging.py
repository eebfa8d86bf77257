"""Label preservation of each arm, with what the judge reaches on gold and what shuffled labels would give beside it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from spacy_synthesizrr.candidates import label_key
from spacy_synthesizrr.errors import InputError
from spacy_synthesizrr.measuring.sets import missing
from spacy_synthesizrr.metrics.preservation import Judged, kin, shuffled, train_judges
from spacy_synthesizrr.students.quality.bootstrap import interval
from spacy_synthesizrr.students.scores import NO_LABEL, main_score

FEWEST = 2  # rows of each label that share nothing, so that each fold leaves one to learn from
PAIRS = 10  # of labels that are taken for one another, listed


def measure_preservation(
    arms: Mapping[str, Sequence[Judged]], gold: Mapping[str, Sequence[Judged]], labels: Sequence[str], *, exclusive: bool, seed: int
) -> dict[str, Any]:
    """Judge the rows of each arm.

    arms (Mapping): Rows of main and of the controls. gold (Mapping): By kind, the gold rows that judges are trained on.
    labels (Sequence[str]): Of the task. exclusive (bool): Whether a row has exactly one.
    RETURNS (dict): `trained_on` (rows by kind), `gold` (the judges' own score there, cross-validated) and `arms`: of each arm `n`, `seen`
        (rows left out: no judge is without their text, or without all that they carry), `value` with its interval, `shuffled` (the value
        for shuffled labels) and `pairs` (label asked for, label found, rows; the most frequent mistakes). Scores are accuracy, or micro F
        where rows may have several labels.
    """
    known = [row for rows in gold.values() for row in rows]
    if why := _cannot(known, labels):
        return missing(why)
    try:
        judges = train_judges(known, labels, exclusive=exclusive, seed=seed)
    except InputError as error:
        return missing(str(error))
    own = interval([row.labels for row in known], [judges.of_gold()], labels, seed=seed)
    found = {}
    for name, rows in arms.items():
        judged, given = judges.of(rows)
        about = _agreement([row.labels for row in judged], given, labels, seed=seed)
        found[name] = {"n": len(judged), "seen": len(rows) - len(judged), **about}
    return {"trained_on": {kind: len(rows) for kind, rows in gold.items() if rows}, "gold": own.to_dict(), "arms": found}


def _cannot(known: Sequence[Judged], labels: Sequence[str]) -> str:
    """RETURNS (str): Why no judge can be trained; empty when one can."""
    groups = {(label, group) for row, group in zip(known, kin(known), strict=True) for label in row.labels}
    counts = Counter(label for label, _ in groups)
    few = [label for label in labels if counts[label] < FEWEST]
    if not known or few:
        named = ", ".join(f"'{label}' ({counts[label]})" for label in few[:5])
        return f"A judge of labels needs {FEWEST} gold rows of each label or more that share no text; there are too few of {named}."
    return "" if len(labels) > 1 else "There is one label only, so nothing can be taken for another."


def _agreement(
    assigned: Sequence[tuple[str, ...]], given: Sequence[tuple[str, ...]], labels: Sequence[str], *, seed: int
) -> dict[str, Any]:
    if not assigned:
        return {"value": None, "interval": None, "shuffled": None, "pairs": []}
    chance = [main_score(order, given, labels) for order in shuffled(assigned, seed=seed)]
    pairs = Counter((label_key(own), label_key(one) or NO_LABEL) for own, one in zip(assigned, given, strict=True) if own != one)
    ordered = sorted(pairs.items(), key=lambda item: (-item[1], item[0]))[:PAIRS]
    about = interval(assigned, [given], labels, seed=seed)
    return {
        "value": about.value,
        "interval": about.to_dict(),
        "shuffled": sum(chance) / len(chance),
        "pairs": [{"asked": own, "found": one, "rows": count} for (own, one), count in ordered],
    }
