"""`spread` for `evaluate`; the formula stands in `spacy_synthesizrr.metrics.similarity`."""

from typing import Any

import datasets
import evaluate

from spacy_synthesizrr.embedders.base import unit_rows
from spacy_synthesizrr.metrics.similarity import neighbours, spread

ABOUT = "Mean cosine distance, and that of nearest neighbours, of the vectors of a set of texts: larger is more varied."
INPUTS = "data: vectors."


class Spread(evaluate.Measurement):  # type: ignore[misc, name-defined, unused-ignore]
    """Mean cosine distance, and that of nearest neighbours, of the vectors of a set of texts: larger is more varied."""

    def _info(self) -> Any:
        features = datasets.Features({"data": datasets.Sequence(datasets.Value("float32"))})
        return evaluate.MeasurementInfo(description=ABOUT, citation="", inputs_description=INPUTS, features=features)

    def _compute(self, data: list[Any]) -> dict[str, Any]:
        """data: vectors."""
        vectors = unit_rows(data)
        return {"spread": spread(vectors), "nearest": neighbours(vectors)["mean"]}
