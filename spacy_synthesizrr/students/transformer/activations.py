"""Last layers whose gradient is that of the cross entropy.

spaCy's text categorizers hand back `score - truth`. That is the gradient of the cross entropy with respect to what stands *before*
the softmax (or the logistic function), so it goes through these layers as it is. thinc's own `softmax_activation` and `Logistic`
multiply it by their derivative, which makes it that of the squared error: a sure mistake would then hardly be learned from.
"""

from __future__ import annotations

from collections.abc import Callable

from thinc.api import Model
from thinc.types import Floats2d

Layer = Model[Floats2d, Floats2d]


def softmax_of_logits() -> Layer:
    """RETURNS (Model[Floats2d, Floats2d]): Logits of shape (docs, labels) → scores that sum to 1 in each row."""
    return Model("softmax_of_logits", _softmax)


def logistic_of_logits() -> Layer:
    """RETURNS (Model[Floats2d, Floats2d]): Logits of shape (docs, labels) → scores between 0 and 1, each for itself."""
    return Model("logistic_of_logits", _logistic)


def _softmax(model: Layer, logits: Floats2d, is_train: bool) -> tuple[Floats2d, Callable[[Floats2d], Floats2d]]:
    return model.ops.softmax(logits, inplace=False), _as_it_is


def _logistic(model: Layer, logits: Floats2d, is_train: bool) -> tuple[Floats2d, Callable[[Floats2d], Floats2d]]:
    return model.ops.sigmoid(logits, inplace=False), _as_it_is


def _as_it_is(gradient: Floats2d) -> Floats2d:
    return gradient
