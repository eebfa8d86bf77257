"""How well a finished student's scores hold on rows that it has not seen: before and after its temperature."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from spacy_synthesizrr.students.quality.calibration import BINS, Array, Bin, brier, ece, nll, probabilities, reliability
from spacy_synthesizrr.students.quality.finishing import temperature_of
from spacy_synthesizrr.students.quality.output_layer import observe

if TYPE_CHECKING:
    from spacy.language import Language
    from spacy.tokens import Doc

    from spacy_synthesizrr.students.config import StudentTask

Pair = dict[str, float]  # "before" and "after" the temperature


@dataclass(frozen=True)
class Calibration:
    """What a temperature was worth on some rows.

    temperature (float): That in the student's weights; 1 leaves scores as training left them.
    rows (int): Rows with a text.
    ece (Pair), brier (Pair): See `calibration`; before and after are equal when the temperature is 1.
    nll (Pair | None): None where the last layer is not known.
    reliability (Sequence[Bin]): Of the scores that the student gives now. Otherwise than exclusive: of all labels together.
    """

    temperature: float
    rows: int
    ece: Pair
    brier: Pair
    nll: Pair | None
    reliability: Sequence[Bin]

    def to_dict(self) -> dict[str, Any]:
        """RETURNS (dict): Plain JSON."""
        about = {"temperature": self.temperature, "rows": self.rows, "bins": BINS}
        found = {"ece": self.ece, "brier": self.brier, "nll": self.nll}
        return {**about, **found, "reliability": [one.to_dict() for one in self.reliability]}


def measure(nlp: Language, docs: Sequence[Doc], gold: Array, task: StudentTask) -> Calibration:
    """Compare a student's scores with gold, and those that it gave before its temperature.

    docs (Sequence[Doc]): Tokenized, none empty, at least one.
    gold (Array): Rows × labels.
    """
    temperature, seen = temperature_of(nlp), observe(nlp, docs, task)
    raw = seen.scores if seen.logits is None else probabilities(seen.logits * temperature, exclusive=task.exclusive)
    both = {"before": raw, "after": seen.scores}
    logits = {} if seen.logits is None else {"before": seen.logits * temperature, "after": seen.logits}
    one = task.exclusive
    return Calibration(
        temperature,
        len(docs),
        {name: ece(scores, gold, exclusive=one) for name, scores in both.items()},
        {name: brier(scores, gold, exclusive=one) for name, scores in both.items()},
        {name: nll(found, gold, exclusive=one) for name, found in logits.items()} or None,
        reliability(seen.scores, gold, exclusive=one),
    )
