"""`compression_ratio` for `evaluate`; the formula stands in `spacy_synthesizrr.metrics.compression`."""

from typing import Any

import datasets
import evaluate

from spacy_synthesizrr.metrics.compression import compression_ratio

ABOUT = "Compression ratio of a set of texts: larger is more repetitive."
INPUTS = "data: texts."


class CompressionRatio(evaluate.Measurement):  # type: ignore[misc, name-defined, unused-ignore]
    """Compression ratio of a set of texts: larger is more repetitive."""

    def _info(self) -> Any:
        features = datasets.Features({"data": datasets.Value("string")})
        return evaluate.MeasurementInfo(description=ABOUT, citation="", inputs_description=INPUTS, features=features)

    def _compute(self, data: list[Any]) -> dict[str, Any]:
        """data: texts."""
        return {"compression_ratio": compression_ratio(data)}
