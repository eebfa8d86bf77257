"""What a student is trained towards, beyond plain labels: smoothed labels, and rows that weigh more or less.

spaCy's text classifiers take labels of 1.0 and 0.0 only, and no weights. Both change nothing but the gradient, which is computed in
`get_loss`: while it is trained, the component gets another one. Nothing of it is in the saved student.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy

from spacy_synthesizrr.errors import ConfigError, choices
from spacy_synthesizrr.students.export import ROW_SCORE, ROW_SOURCE, ROW_WEIGHT
from spacy_synthesizrr.students.reviewed import HUMAN, SUGGESTION, UNREVIEWED
from spacy_synthesizrr.students.rows import GOLD

if TYPE_CHECKING:
    from spacy.language import Language
    from spacy.tokens import Doc
    from spacy.training import Example

SOURCES = (GOLD, HUMAN, SUGGESTION, UNREVIEWED)
NAMES = ("textcat", "textcat_multilabel")


@dataclass(frozen=True)
class Targets:
    """How rows become targets.

    smoothing (float): Share of a row's target that is spread over all labels; in a multi-label task between yes and no of each.
    weights (Mapping[str, float]): By who chose the row's labels; 1 where nothing is said.
    by_score (bool): Whether a row weighs as much as curation is sure of its labels, in [0, 1]; a row without that number weighs 1.
    by_weight (bool): Whether a row's own weight counts, which `synthesizrr.MatchDistribution.v1` gives.
    """

    smoothing: float = 0.0
    weights: Mapping[str, float] = field(default_factory=dict)
    by_score: bool = False
    by_weight: bool = False

    def target(self, docs: Sequence[Doc], labels: Sequence[str], *, exclusive: bool) -> Any:
        """RETURNS (Floats2d): Of shape (rows, labels). Label smoothing as in Szegedy et al. 2016, section 7."""
        hard = numpy.array([[doc.cats.get(label, 0.0) for label in labels] for doc in docs], dtype="f")
        spread = 1 / len(labels) if exclusive else 0.5
        return (1 - self.smoothing) * hard + self.smoothing * spread

    def weight(self, doc: Doc) -> float:
        """RETURNS (float): How much the row counts; 1 is the usual."""
        weight = self.weights.get(str(doc.user_data.get(ROW_SOURCE, "")), 1.0)
        weight *= float(doc.user_data.get(ROW_SCORE, 1.0)) if self.by_score else 1.0
        return weight * float(doc.user_data.get(ROW_WEIGHT, 1.0)) if self.by_weight else weight


def make_soft_targets(
    label_smoothing: float = 0.0, weights: Mapping[str, float] | None = None, by_score: bool = False, by_weight: bool = False
) -> Callable[[Language], Language]:
    """A callback for `[initialize.after_init]` of a student's config.

    label_smoothing (float): From 0 (none) to below 1; 0.1 is usual.
    weights (Dict[str, float]): Weight of rows by who chose their labels: gold, human, suggestion, unreviewed.
    by_score (bool): Multiply by the row's label score, where it has one.
    by_weight (bool): Multiply by the row's own weight, where it has one: see `synthesizrr.MatchDistribution.v1`.
    RAISES (ConfigError): For a share or weight out of range, or weights of rows that there are not.
    """
    weights = dict(weights or {})
    if not 0 <= label_smoothing < 1:
        raise ConfigError(f"[initialize.after_init] label_smoothing is {label_smoothing}. Valid: from 0 (none) to below 1; 0.1 is usual.")
    for name, value in weights.items():
        if name not in SOURCES:
            raise ConfigError(f"[initialize.after_init] weights: no row has its labels from '{name}'. {choices(name, SOURCES)}")
        if not 0 <= value < float("inf"):
            raise ConfigError(
                f"[initialize.after_init] weights: '{name}' is {value}. A weight is a number from 0 (left out) up; 1 is the usual."
            )
    targets = Targets(label_smoothing, weights, by_score, by_weight)

    def soften(nlp: Language) -> Language:
        for name in NAMES:
            if nlp.has_pipe(name):
                component: Any = nlp.get_pipe(name)
                component.get_loss = _loss(component, targets, exclusive=name == "textcat")
        return nlp

    return soften


def _loss(component: Any, targets: Targets, *, exclusive: bool) -> Callable[[Iterable[Example], Any], tuple[float, Any]]:
    """The same loss and gradient as spaCy's, towards softer targets and row by row more or less of it."""

    def get_loss(examples: Iterable[Example], scores: Any) -> tuple[float, Any]:
        docs = [example.reference for example in examples]
        ops = component.model.ops
        target = ops.asarray2f(targets.target(docs, component.labels, exclusive=exclusive))
        gradient = (scores - target) * ops.asarray2f([[targets.weight(doc)] for doc in docs])
        return float((gradient**2).mean()), gradient

    return get_loss
