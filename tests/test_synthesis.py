"""What became of the requests, and when a teacher is out."""

from collections import Counter

import pytest

from spacy_synthesizrr.candidates import ACCEPTED, FAILED, GENERATED, REJECTED, Candidate, Event, Seed
from spacy_synthesizrr.curation.verdicts import repair
from spacy_synthesizrr.synthesis import Outcome, judge, kinds_of


def done(label, status, reason=""):
    planned = Candidate.plan(task="t", strategy="s", seed=Seed.make([label], {"text": "a"}), passage_id="p")
    return planned.after(Event("synthesize", status, reason))


@pytest.fixture
def outcome():
    found = Outcome(1, {"a": 0, "b": 0})
    for row in (done("a", ACCEPTED), done("a", FAILED, "timeout"), done("b", FAILED, "truncated"), done("b", REJECTED, "near_copy")):
        found.add(row)
    return found


def test_requests_and_failures_are_counted(outcome):
    assert (outcome.asked, outcome.accepted, outcome.failures) == (4, {"a": 1, "b": 0}, Counter(timeout=1, truncated=1))


def test_only_failures_that_may_pass_of_labels_that_are_short_are_unanswered(outcome):
    assert outcome.unanswered == Counter()
    outcome.add(done("b", FAILED, "missing"))
    assert outcome.unanswered == Counter(missing=1)


def test_kinds_are_told_with_the_most_frequent_first():
    assert kinds_of({"missing": 1, "budget": 1, "timeout": 3}) == "timeout 3, budget 1, missing 1"


def test_row_that_was_mended_says_the_mended_text_from_then_on():
    row = done("a", GENERATED).after(Event("synthesize", GENERATED), fields={"premise": "p", "text": "Sure: rain"})
    mended = judge(row, "", lambda *row: repair("sure", "rain"), field="text")
    assert (mended.status, mended.fields) == (ACCEPTED, {"premise": "p", "text": "rain"})
    assert mended.events[-1].detail == {"repaired": "sure"}
