"""`vocabulary_gap` for `evaluate`; the formula stands in `spacy_synthesizrr.metrics.gaps`."""

from typing import Any

import datasets
import evaluate

from spacy_synthesizrr.metrics.gaps import vocabulary_gap

ABOUT = "How differently texts (predictions) use words than reference texts do."
INPUTS = "predictions, references: texts."


class VocabularyGap(evaluate.Metric):  # type: ignore[misc, name-defined, unused-ignore]
    """How differently texts (predictions) use words than reference texts do."""

    def _info(self) -> Any:
        features = datasets.Features({"predictions": datasets.Value("string"), "references": datasets.Value("string")})
        return evaluate.MetricInfo(description=ABOUT, citation="", inputs_description=INPUTS, features=features)

    def _compute(self, predictions: list[Any], references: list[Any]) -> dict[str, Any]:
        """predictions, references: texts."""
        found = vocabulary_gap(references, predictions)
        return {name: found[name] for name in ("divergence", "known", "strange")}
