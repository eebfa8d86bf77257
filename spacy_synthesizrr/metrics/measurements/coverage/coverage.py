"""`coverage` for `evaluate`; the formula stands in `spacy_synthesizrr.metrics.similarity`."""

from typing import Any

import datasets
import evaluate

from spacy_synthesizrr.embedders.base import unit_rows
from spacy_synthesizrr.metrics.similarity import coverage

ABOUT = "Share of reference texts (vectors) with a prediction nearer than half of the references have another reference."
INPUTS = "predictions, references: vectors."


class Coverage(evaluate.Metric):  # type: ignore[misc, name-defined, unused-ignore]
    """Share of reference texts (vectors) with a prediction nearer than half of the references have another reference."""

    def _info(self) -> Any:
        features = datasets.Features(
            {"predictions": datasets.Sequence(datasets.Value("float32")), "references": datasets.Sequence(datasets.Value("float32"))}
        )
        return evaluate.MetricInfo(description=ABOUT, citation="", inputs_description=INPUTS, features=features)

    def _compute(self, predictions: list[Any], references: list[Any]) -> dict[str, Any]:
        """predictions, references: vectors."""
        found = coverage(unit_rows(references), unit_rows(predictions))
        return {"coverage": found["value"], "radius": found["radius"]}
