"""What a teacher spends, beside the bar."""

import pytest

from spacy_synthesizrr.candidates import ACCEPTED, FAILED, REJECTED, Candidate, Event, Seed
from spacy_synthesizrr.errors import BudgetReached
from spacy_synthesizrr.steps import meter as module
from spacy_synthesizrr.steps.meter import Meter


class Bar:
    """Keeps what it is told."""

    def __init__(self):
        self.accepted, self.line = 0, ""

    def update(self, count):
        self.accepted += count

    def set_postfix_str(self, line, refresh):
        self.line = line


class Teacher:
    """Asked once per row at a price; the run had spent 1.00 before."""

    closed = False

    def __init__(self, price=0.01, reached="max_requests = 9"):
        self.price, self.asked, self.reached = price, 0, reached

    def status(self):
        self.asked += 1
        new = {"requests": self.asked, "tokens": 15 * self.asked, "cost": None if self.price is None else self.price * self.asked}
        whole = {"requests": 100 + self.asked, "tokens": 0, "cost": None if self.price is None else 1 + new["cost"]}
        return {"in_flight": 3, "limit": 8, "reached": self.reached, **whole, "new": new}

    def close(self):
        self.closed = True


SEED = Seed.make(["sport"], {"text": "A seed."})


def row(status, reason=""):
    planned = Candidate.plan(task="t", strategy="s", seed=SEED, passage_id="p")
    return planned.after(Event("synthesize", status, reason, {}))


def test_the_projection_counts_what_is_missing_at_the_rate_so_far():
    meter = Meter(Teacher(), Bar(), wanted=10)
    for status in (ACCEPTED, REJECTED, ACCEPTED, REJECTED):
        meter.watch(row(status))
    assert meter.projected() == pytest.approx(1 + 0.04 + 8 * 2 * 0.01)


def test_there_is_no_projection_before_the_first_row_or_without_a_price():
    meter, unpriced = Meter(Teacher(), Bar(), wanted=10), Meter(Teacher(price=None), Bar(), wanted=10)
    meter.watch(row(REJECTED))
    unpriced.watch(row(ACCEPTED))
    assert meter.projected() is None and unpriced.projected() is None


def test_the_line_tells_flight_tokens_and_money():
    bar = Bar()
    Meter(Teacher(), bar, wanted=2).watch(row(ACCEPTED))
    assert bar.line == "3/8 in flight, 101 requests, 0 tokens, 1.0100 spent, about 1.0200 when this arm is done"


def test_the_line_says_that_other_arms_come_after_this_one():
    bar = Bar()
    Meter(Teacher(), bar, wanted=2, arm="main", then=("random", "fewgen")).watch(row(ACCEPTED))
    assert bar.line.endswith("about 1.0200 when main is done (then random, fewgen)")


@pytest.mark.parametrize(("hidden", "lines"), [(True, 2), (False, 0)])
def test_where_no_bar_is_shown_a_line_a_minute_is_said(monkeypatch, capsys, hidden, lines):
    times = {"now": 0}
    monkeypatch.setattr(module, "quiet", lambda: hidden)
    meter = Meter(Teacher(), Bar(), wanted=100, arm="main", now=lambda: times["now"])
    for times["now"] in range(0, 150, 10):
        meter.watch(row(ACCEPTED))
    said = capsys.readouterr().out.splitlines()
    assert len(said) == lines
    assert all(line.startswith("main: ") and " of 100 accepted; 3/8 in flight" in line for line in said)
    assert not lines or said[0].startswith("main: 7 of 100")


def test_a_prompt_that_is_too_large_for_the_budget_stops_nothing():
    teacher = Teacher(reached="")
    Meter(teacher, Bar(), wanted=2).watch(row(FAILED, "budget"))
    assert not teacher.closed


def test_an_unknown_price_is_said_and_not_taken_for_nothing():
    bar = Bar()
    meter = Meter(Teacher(price=None), bar, wanted=2)
    meter.watch(row(ACCEPTED))
    assert bar.line.endswith("price unknown") and meter.summary() == "1 requests, 15 tokens, price unknown"


def test_only_accepted_rows_move_the_bar():
    bar = Bar()
    meter = Meter(object(), bar, wanted=2)
    for status in (ACCEPTED, REJECTED, FAILED):
        meter.watch(row(status))
    assert bar.accepted == 1 and meter.summary() == ""


def test_a_cap_lets_what_is_in_flight_finish_and_stops():
    teacher = Teacher()
    with pytest.raises(BudgetReached, match="max_requests = 9"):
        Meter(teacher, Bar(), wanted=2).watch(row(FAILED, "budget"))
    assert teacher.closed


def test_a_cap_names_the_run_whose_spending_it_is():
    with pytest.raises(BudgetReached, match="synthesizrr responses ledger --run news$"):
        Meter(Teacher(), Bar(), wanted=2, run="news").watch(row(FAILED, "budget"))


def test_a_teacher_that_costs_nothing_says_so():
    status = {"in_flight": 1, "limit": 4, "requests": 2, "tokens": 30, "cost": 0.0}
    assert module.status_line(status, None).endswith("30 tokens, no money spent")
