"""Temperature scaling that is part of the saved model: T goes into the weights of the last layer.

Dividing logits by T (Guo et al. 2017, §4.2) makes scores more or less sure and never changes which label is on top. Here W and
b of the last layer are divided instead, which is the same, and leaves a plain spaCy pipeline whose `doc.cats` are calibrated
without any code of ours. A model whose last layer is not known stays as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from spacy_synthesizrr.students.quality.calibration import Array, probabilities
from spacy_synthesizrr.students.quality.output_layer import divide, predict

if TYPE_CHECKING:
    from spacy.language import Language
    from spacy.tokens import Doc
    from thinc.api import Model

    from spacy_synthesizrr.students.config import StudentTask

CHECKED = 32  # texts that are read again after the weights were changed
CLOSE = 1e-3  # of scores: other batches, and other places of a text in one, round otherwise
MAGNIFIED = 0.05  # below this temperature rounding is magnified so much that more is allowed for it


def fold(nlp: Language, layer: Model[Any, Any], temperature: float, *, docs: Sequence[Doc], logits: Array, task: StudentTask) -> str:
    """Divide the outputs of a model's last layer by a temperature, for good.

    layer (Model): What `observe` found.
    docs (Sequence[Doc]), logits (Array): Some texts, and what came out of the layer for them.
    RETURNS (str): Empty; or why the model was left as it was: it did not give the scores that it should give then.
    """
    if temperature == 1.0:
        return ""
    undo = divide(layer, temperature)
    some = min(CHECKED, len(docs))
    expected = probabilities(logits[:some] / temperature, exclusive=task.exclusive)
    error = float(np.abs(predict(nlp, docs[:some], task) - expected).max(initial=0.0))
    if error <= CLOSE * max(1.0, MAGNIFIED / temperature):
        return ""
    undo()
    return f"After scaling, scores were off by up to {error:.3g}: the last layer's weights are used elsewhere too. They are as before."
