import pytest
from report_numbers import NUMBERS

from spacy_synthesizrr.report.money import money, part, per_row, tiles

SPENT = {"requests": 6, "prompt_tokens": 900, "answer_tokens": 300, "cost": 0.012, "unpriced": 0}
STAGES = [{"stage": "synthesize main", **SPENT}]
HOME = {"speed": {"docs_per_second": 5000.0}, "teacher": {"labelling": {"prompt_tokens": 90, "answer_tokens": 10, "cost": 0.5}}}


def numbers(spent=SPENT, home=None):
    return {**NUMBERS, "money": {"spent": spent, "stages": STAGES, "home": home}}


def test_what_was_spent_is_told_for_the_run_and_for_a_row():
    found = part(numbers())
    assert found.sentences[0] == "6 requests, 1,200 tokens, money: 0.0120."
    assert "6.00 requests and 1,200 tokens for each accepted row" in found.sentences[1] and "12.00 for 1,000" in found.sentences[1]
    assert found.tables[0].rows == (("synthesize main", 6, 900, 300, "0.0120"),)
    assert found.commands == ("synthesizrr responses ledger --run tiny",)


def test_requests_without_a_price_are_never_free():
    found = part(numbers({**SPENT, "unpriced": 2}))
    assert "0.0120 and more" in found.sentences[0] and "The price of 2 requests was not known" in found.sentences[-1]
    assert per_row(numbers({**SPENT, "unpriced": 2})) is None


def test_a_run_that_paid_nothing_says_so():
    found = part({**NUMBERS, "money": None})
    assert found.sentences[0].startswith("Nothing was paid") and found.tables == ()


def test_a_run_of_a_grid_counts_what_it_asked_and_has_no_price_for_a_row():
    shared = {**NUMBERS, "money": {"spent": SPENT, "stages": STAGES, "shared": True}}
    found = part(shared)
    assert "paid by the one that asks first" in found.sentences[0] and found.sentences[1].startswith("6 requests")
    assert len(found.sentences) == 2 and per_row(shared) is None


def test_labelling_afterwards_is_compared():
    (table,) = part(numbers(None, HOME)).tables
    assert table.rows == (("this student", 0, "0", "0.2 s here"), ("the teacher, estimated", 100, "0.5000", "–"))


@pytest.mark.parametrize(("cost", "unpriced", "said"), [
    (0.0, 0, "0"), (0.00123, 0, "0.0012"), (12.345, 0, "12.35"), (None, 0, "not known"), (0.0, 3, "not known"), (1.0, 3, "1.00 and more"),
])  # fmt: skip
def test_amounts_are_readable(cost, unpriced, said):
    assert money(cost, unpriced) == said


@pytest.mark.parametrize(("spent", "tile"), [
    (None, []), (SPENT, [("0.0120", "money for 6 requests")]), ({**SPENT, "unpriced": 6, "cost": 0.0}, [("1,200", "tokens in 6 requests")]),
])  # fmt: skip
def test_the_head_of_the_page_tells_what_was_spent(spent, tile):
    assert list(tiles(numbers(spent))) == tile
