"""The last touch on a trained student: calibrated scores and, in a multi-label task, one threshold per label. Both from dev.

Dev has chosen the model before, so it looks a little better on dev than it is, and a temperature fitted there may be a little
too sure. That is why the test set, which is never used here, says what calibration was worth (see `evaluation.json`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from spacy_synthesizrr.students.quality.calibration import Array, ece, fit_temperature, nll, probabilities
from spacy_synthesizrr.students.quality.output_layer import Seen, classifier, observe
from spacy_synthesizrr.students.quality.temperature import fold
from spacy_synthesizrr.students.quality.thresholds import USUAL, Thresholds, tune

if TYPE_CHECKING:
    from spacy.language import Language
    from spacy.tokens import Doc

    from spacy_synthesizrr.students.config import StudentTask

LEAST_ROWS = 50  # dev rows from which on numbers are fitted to them
DIGITS = 9  # after the point: meta.json keeps no more than ten, and what is said must be what is used
META, FINISH = "synthesizrr", "finish"  # keys in the pipeline's meta
Row = tuple[str, Mapping[str, float]]


@dataclass(frozen=True)
class Finish:
    """What was done to a student after training.

    temperature (float): T that its logits were divided by; 1 when they were left alone.
    rows (int): Dev rows with a text.
    why (str): Why T is 1, or what to know about it; empty when there is nothing to say.
    dev (Mapping[str, float]): nll and ece on dev before and after; too good, since dev chose model and T. Empty when T was not fitted.
    thresholds (Mapping[str, float]): Per label; empty in an exclusive task.
    notes (Tuple[str, ...]): What to know about the thresholds.
    """

    temperature: float = 1.0
    rows: int = 0
    why: str = ""
    dev: Mapping[str, float] = field(default_factory=dict)
    thresholds: Mapping[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """RETURNS (dict): Plain JSON."""
        return {"v": 1, **asdict(self), "notes": list(self.notes)}


def finish(nlp: Language, dev: Sequence[Row], task: StudentTask) -> Finish:
    """Calibrate a trained student and choose its thresholds, in place; nlp.meta["synthesizrr"]["finish"] tells of it.

    nlp (Language): Its classifier is changed, once: its weights hold the temperature afterwards.
    dev (Sequence[Tuple[str, Mapping[str, float]]]): Texts with cats (1.0 or 0.0 per label); fewer than `LEAST_ROWS` fit nothing.
    RETURNS (Finish): What was done.
    RAISES (ValueError): When this pipeline was finished before.
    """
    if FINISH in nlp.meta.get(META, {}):
        raise ValueError("This student is finished: its weights hold a temperature already. Finish it as training left it.")
    docs, gold = _read(nlp, dev, task)
    if len(docs) < LEAST_ROWS:
        why = f"{len(docs)} dev rows are too few to fit anything to them (at least {LEAST_ROWS})."
        found = Finish(rows=len(docs), why=why, **_usual(task, why))
    else:
        found = _fit(nlp, docs, gold, task)
    nlp.meta[META] = {**nlp.meta.get(META, {}), FINISH: found.to_dict()}
    return found


def thresholds_of(nlp: Language, task: StudentTask) -> dict[str, float]:
    """RETURNS (Dict[str, float]): The score from which on each label is given: that of `finish`, else the component's own."""
    chosen: Mapping[str, float] = nlp.meta.get(META, {}).get(FINISH, {}).get("thresholds", {})
    return {label: float(chosen.get(label, classifier(nlp, task).cfg["threshold"])) for label in task.labels}


def temperature_of(nlp: Language) -> float:
    """RETURNS (float): The temperature in a student's weights; 1 where nobody finished it."""
    return float(nlp.meta.get(META, {}).get(FINISH, {}).get("temperature", 1.0))


def _read(nlp: Language, dev: Sequence[Row], task: StudentTask) -> tuple[list[Doc], Array]:
    """Tokenized texts that are not empty, and their labels, rows × labels."""
    rows = [(nlp.make_doc(text), cats) for text, cats in dev]
    rows = [(doc, cats) for doc, cats in rows if len(doc)]
    gold = np.array([[cats.get(label, 0.0) > 0.5 for label in task.labels] for _, cats in rows], dtype=np.float64)
    return [doc for doc, _ in rows], gold.reshape(len(rows), len(task.labels))


def _usual(task: StudentTask, why: str) -> dict[str, Any]:
    if task.exclusive:
        return {}
    return {"thresholds": dict.fromkeys(task.labels, USUAL), "notes": (f"All labels keep the threshold {USUAL}: {why}",)}


def _fit(nlp: Language, docs: Sequence[Doc], gold: Array, task: StudentTask) -> Finish:
    seen = observe(nlp, docs, task)
    temperature, why = _scale(nlp, docs, seen, gold, task)
    after = seen.scores if seen.logits is None else probabilities(seen.logits / temperature, exclusive=task.exclusive)
    measured = {} if seen.logits is None else _measured(seen.logits, gold, temperature, exclusive=task.exclusive)
    # as spaCy will give them, in single precision: scores that are equal there must be equal here
    chosen = Thresholds({}) if task.exclusive else tune(after.astype(np.float32).astype(np.float64), gold, task.labels)
    thresholds = {label: round(value, DIGITS) for label, value in chosen.values.items()}
    return Finish(temperature, len(docs), why, measured, thresholds, chosen.notes)


def _scale(nlp: Language, docs: Sequence[Doc], seen: Seen, gold: Array, task: StudentTask) -> tuple[float, str]:
    """RETURNS (Tuple[float, str]): The temperature that is in the weights now, and what to know about it."""
    if seen.logits is None or seen.layer is None:
        return 1.0, f"Not calibrated. {seen.why}"
    fit = fit_temperature(seen.logits, gold, exclusive=task.exclusive)
    temperature = round(fit.temperature, DIGITS)
    failed = fold(nlp, seen.layer, temperature, docs=docs, logits=seen.logits, task=task)
    return (1.0, f"Not calibrated. {failed}") if failed else (temperature, fit.note)


def _measured(logits: Array, gold: Array, temperature: float, *, exclusive: bool) -> dict[str, float]:
    found = {}
    for name, scaled in (("before", logits), ("after", logits / temperature)):
        found[f"nll_{name}"] = round(nll(scaled, gold, exclusive=exclusive), DIGITS)
        found[f"ece_{name}"] = round(ece(probabilities(scaled, exclusive=exclusive), gold, exclusive=exclusive), DIGITS)
    return found
