"""`distinct` for `evaluate`; the formula stands in `spacy_synthesizrr.metrics.distinct`."""

from typing import Any

import datasets
import evaluate

from spacy_synthesizrr.metrics.distinct import distinct

ABOUT = "Distinct-1 to 3 of a set of texts: larger is more varied."
INPUTS = "data: texts."


class Distinct(evaluate.Measurement):  # type: ignore[misc, name-defined, unused-ignore]
    """Distinct-1 to 3 of a set of texts: larger is more varied."""

    def _info(self) -> Any:
        features = datasets.Features({"data": datasets.Value("string")})
        return evaluate.MeasurementInfo(description=ABOUT, citation="", inputs_description=INPUTS, features=features)

    def _compute(self, data: list[Any]) -> dict[str, Any]:
        """data: texts."""
        return {f"distinct_{n}": distinct(data, n) for n in range(1, 4)}
