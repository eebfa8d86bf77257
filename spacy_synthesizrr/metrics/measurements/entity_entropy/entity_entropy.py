"""`entity_entropy` for `evaluate`; the formula stands in `spacy_synthesizrr.metrics.entity_entropy`."""

from typing import Any

import datasets
import evaluate

from spacy_synthesizrr.metrics.entity_entropy import entity_entropy, load_recognizer

ABOUT = "Entropy in bits of the entities of each type in a set of texts: larger is more varied."
INPUTS = "data: texts. pipeline (str): Package or folder of a spaCy pipeline that finds entities."


class EntityEntropy(evaluate.Measurement):  # type: ignore[misc, name-defined, unused-ignore]
    """Entropy in bits of the entities of each type in a set of texts: larger is more varied."""

    def _info(self) -> Any:
        features = datasets.Features({"data": datasets.Value("string")})
        return evaluate.MeasurementInfo(description=ABOUT, citation="", inputs_description=INPUTS, features=features)

    def _compute(self, data: list[Any], pipeline: str = "en_core_web_sm") -> dict[str, Any]:
        """data: texts. pipeline (str): Package or folder of a spaCy pipeline that finds entities."""
        return dict(entity_entropy(load_recognizer(pipeline).mentions(data)))
