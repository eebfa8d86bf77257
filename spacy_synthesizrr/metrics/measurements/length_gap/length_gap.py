"""`length_gap` for `evaluate`; the formula stands in `spacy_synthesizrr.metrics.gaps`."""

from typing import Any

import datasets
import evaluate

from spacy_synthesizrr.metrics.gaps import length_gap

ABOUT = "How differently long texts (predictions) are than reference texts, in words."
INPUTS = "predictions, references: texts."


class LengthGap(evaluate.Metric):  # type: ignore[misc, name-defined, unused-ignore]
    """How differently long texts (predictions) are than reference texts, in words."""

    def _info(self) -> Any:
        features = datasets.Features({"predictions": datasets.Value("string"), "references": datasets.Value("string")})
        return evaluate.MetricInfo(description=ABOUT, citation="", inputs_description=INPUTS, features=features)

    def _compute(self, predictions: list[Any], references: list[Any]) -> dict[str, Any]:
        """predictions, references: texts."""
        return dict(length_gap(references, predictions))
