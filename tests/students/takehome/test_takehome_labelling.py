"""What the teacher costs beside the student."""

from __future__ import annotations

import pytest

from spacy_synthesizrr.models.answers.budget import Price, Spent, Total
from spacy_synthesizrr.students.takehome.labelling import labelling, measured

LABELS = {"sport": "Matches and races.", "business": "Companies and banks."}


def test_what_was_spent_is_told_per_thousand_requests():
    found = measured(Total(200, 40_000, 10_000, cost=0.5))
    assert found == {"requests": 200, "prompt_tokens": 200_000, "answer_tokens": 50_000, "cost": 2.5}


def test_money_is_not_told_when_some_requests_had_no_price():
    assert measured(Total(200, 40_000, 10_000, cost=0.5, unpriced=Spent(1, 200, 50)))["cost"] is None


def test_nothing_asked_is_nothing_measured():
    assert measured(Total()) is None


def test_labelling_is_an_estimate_that_grows_with_the_documents():
    short, long = (labelling(LABELS, [text], Price(1.0, 2.0)) for text in ("One two.", "One two. " * 50))
    assert short["estimate"] is True
    assert long["prompt_tokens"] > short["prompt_tokens"] + 90_000
    assert long["answer_tokens"] == short["answer_tokens"]
    assert long["cost"] == pytest.approx((long["prompt_tokens"] * 1.0 + long["answer_tokens"] * 2.0) / 1e6)


def test_labelling_at_an_unknown_price_has_no_cost():
    assert labelling(LABELS, ["One."], Price())["cost"] is None
