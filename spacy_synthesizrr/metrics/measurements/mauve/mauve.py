"""`mauve` for `evaluate`; the formula stands in `spacy_synthesizrr.metrics.mauve`."""

from typing import Any

import datasets
import evaluate
import numpy as np

from spacy_synthesizrr.metrics.mauve import floor, mauve

ABOUT = "MAUVE of the vectors of texts (predictions) against those of reference texts: larger is closer."
INPUTS = "predictions, references: vectors. clusters (int), scaling (float), seed (int): See `spacy_synthesizrr.metrics.mauve`."


class Mauve(evaluate.Metric):  # type: ignore[misc, name-defined, unused-ignore]
    """MAUVE of the vectors of texts (predictions) against those of reference texts: larger is closer."""

    def _info(self) -> Any:
        features = datasets.Features(
            {"predictions": datasets.Sequence(datasets.Value("float32")), "references": datasets.Sequence(datasets.Value("float32"))}
        )
        return evaluate.MetricInfo(description=ABOUT, citation="", inputs_description=INPUTS, features=features)

    def _compute(
        self, predictions: list[Any], references: list[Any], clusters: int = 30, scaling: float = 1.0, seed: int = 0
    ) -> dict[str, Any]:
        """predictions, references: vectors. clusters (int), scaling (float), seed (int): See `spacy_synthesizrr.metrics.mauve`."""
        sides = (np.asarray(side, dtype=np.float32) for side in (references, predictions))
        return {"mauve": mauve(*sides, clusters=clusters, scaling=scaling, seed=seed), "floor": floor(scaling)}
