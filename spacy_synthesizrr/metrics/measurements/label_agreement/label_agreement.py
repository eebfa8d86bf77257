"""`label_agreement` for `evaluate`; the formula stands in `spacy_synthesizrr.metrics.preservation`."""

from typing import Any

import datasets
import evaluate

from spacy_synthesizrr.metrics.preservation import agreement

ABOUT = "Share of texts whose label a judge found (predictions) is the one asked for (references), and that for shuffled labels."
INPUTS = "predictions, references: labels. seed (int): Of the shuffling."


class LabelAgreement(evaluate.Metric):  # type: ignore[misc, name-defined, unused-ignore]
    """Share of texts whose label a judge found (predictions) is the one asked for (references), and that for shuffled labels."""

    def _info(self) -> Any:
        features = datasets.Features({"predictions": datasets.Value("string"), "references": datasets.Value("string")})
        return evaluate.MetricInfo(description=ABOUT, citation="", inputs_description=INPUTS, features=features)

    def _compute(self, predictions: list[Any], references: list[Any], seed: int = 0) -> dict[str, Any]:
        """predictions, references: labels. seed (int): Of the shuffling."""
        return agreement(references, predictions, seed=seed)
