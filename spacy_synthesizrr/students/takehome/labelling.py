"""What the teacher costs beside the student: measured where the ledger knows it, and estimated for labelling by the teacher itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

from spacy_synthesizrr.models.answers.budget import Price, Total
from spacy_synthesizrr.sourcing.context import estimate_tokens

EACH = 1000  # requests or documents that numbers are given for
BY_RULE = "The teacher works by rule and costs nothing; it cannot label documents."
HERE = "The teacher runs on a machine of yours: it takes time and no money per token."
LOST = "The price of the teacher cannot be found."
UNKNOWN = "The price of the teacher is not known; put it into its config under [teacher.price]."


def measured(spent: Total) -> dict[str, Any] | None:
    """What requests of this run took, by the ledger, per `EACH`.

    spent (Total): Of the run, on all its models.
    RETURNS (dict | None): requests, prompt_tokens and answer_tokens per 1,000 and cost per 1,000 (None where not every request had a
        known price); None when the ledger has no request.
    """
    if not spent.requests:
        return None
    share = EACH / spent.requests
    cost = None if spent.unpriced.requests else spent.cost * share
    return {
        "requests": spent.requests,
        "prompt_tokens": spent.prompt_tokens * share,
        "answer_tokens": spent.answer_tokens * share,
        "cost": cost,
    }


def labelling(labels: Mapping[str, str], texts: Sequence[str], price: Price) -> dict[str, Any]:
    """Estimate what it takes to let the teacher label `EACH` documents: one request per document that lists the labels.

    labels (Mapping[str, str]): Each with its definition.
    texts (Sequence[str]): Documents, for their mean length.
    price (Price): Of the teacher; may be unknown.
    RETURNS (dict): prompt_tokens, answer_tokens and cost (None where the price is unknown), all for 1,000 documents.
    """
    listed = "\n".join(f"{label}: {definition}" for label, definition in labels.items())
    instruction = f"Which of these labels does the document have? Answer with the label alone.\n{listed}\nDocument:\n"
    asked = EACH * (estimate_tokens(instruction) + fmean(estimate_tokens(text) for text in texts))
    told = EACH * max(estimate_tokens(label) for label in labels)
    return {"estimate": True, "documents": EACH, "prompt_tokens": round(asked), "answer_tokens": told, "cost": price.cost(asked, told)}
