"""How an answer gets from old labels to new ones on the server."""

import pytest

from argilla_bridge.relabel import relabelling
from argilla_bridge.server.relabelling import moved_answer

PLAN = relabelling(("sport", "science"), ("games", "science"), {})


def moved(label, *, status="submitted", plan=PLAN, **more):
    values = {name: {"value": value} for name, value in {"label": label, **more}.items() if value is not None}
    found = moved_answer({"user_id": "ann", "status": status, "values": values}, plan)
    return found and (found.body["status"], {name: each["value"] for name, each in found.body["values"].items()}, found.waits)


@pytest.mark.parametrize(
    ("label", "more", "after"),
    [
        ("science", {}, ("submitted", {"label": "science"}, False)),
        ("sport", {"verdict": "keep"}, ("draft", {"verdict": "keep"}, True)),
        ("sport", {}, ("draft", {}, True)),
        ("sport", {"status": "draft"}, None),
        ("sport", {"status": "discarded"}, ("discarded", {}, False)),
        ("unusable", {}, ("submitted", {"label": "unusable"}, False)),
        (["sport", "science"], {"verdict": "keep"}, ("submitted", {"label": ["science"], "verdict": "keep"}, False)),
    ],
)
def test_an_answer_is_moved_or_waits(label, more, after):
    assert moved(label, **more) == after


def test_who_turned_a_row_away_under_a_label_that_is_gone_need_not_answer_again():
    assert moved("sport", verdict="reject", reason="dull") == (
        "submitted", {"label": "games", "verdict": "reject", "reason": "dull"}, False,
    )  # fmt: skip
    assert moved(["sport"], verdict="reject") == ("submitted", {"verdict": "reject"}, False)
