"""`novelty` for `evaluate`; the formula stands in `spacy_synthesizrr.metrics.novelty`."""

from collections.abc import Iterable
from typing import Any

import datasets
import evaluate

from spacy_synthesizrr.metrics.novelty import novelty

ABOUT = "Share of the n-grams of a set of texts that stand in no text of a corpus."
INPUTS = "data: texts. corpus (Iterable[str]): What the texts may have been taken from."


class Novelty(evaluate.Measurement):  # type: ignore[misc, name-defined, unused-ignore]
    """Share of the n-grams of a set of texts that stand in no text of a corpus."""

    def _info(self) -> Any:
        features = datasets.Features({"data": datasets.Value("string")})
        return evaluate.MeasurementInfo(description=ABOUT, citation="", inputs_description=INPUTS, features=features)

    def _compute(self, data: list[Any], corpus: Iterable[str] = ()) -> dict[str, Any]:
        """data: texts. corpus (Iterable[str]): What the texts may have been taken from."""
        return {f"novel_{n}": share for n, share in novelty(data, corpus).items()}
