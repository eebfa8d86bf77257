"""`self_bleu` for `evaluate`; the formula stands in `spacy_synthesizrr.metrics.self_bleu`."""

from typing import Any

import datasets
import evaluate

from spacy_synthesizrr.metrics.self_bleu import self_bleu
from spacy_synthesizrr.metrics.tokens import tokenizer, tokens

ABOUT = "Self-BLEU-1 to 5 of a set of texts: larger is more alike."
INPUTS = "data: texts. lang (str): Of spaCy's tokenizer."


class SelfBleu(evaluate.Measurement):  # type: ignore[misc, name-defined, unused-ignore]
    """Self-BLEU-1 to 5 of a set of texts: larger is more alike."""

    def _info(self) -> Any:
        features = datasets.Features({"data": datasets.Value("string")})
        return evaluate.MeasurementInfo(description=ABOUT, citation="", inputs_description=INPUTS, features=features)

    def _compute(self, data: list[Any], lang: str = "en") -> dict[str, Any]:
        """data: texts. lang (str): Of spaCy's tokenizer."""
        found = self_bleu(tokens(data, tokenizer(lang)))
        return {f"self_bleu_{n}": found and found[n - 1] for n in range(1, 6)}
