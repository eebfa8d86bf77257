"""The funnel: asked N equals got N, or a sentence says where the others went."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spacy_synthesizrr.candidates import ACCEPTED, FAILED, GENERATED, REJECTED, Candidate, Event, Seed
from spacy_synthesizrr.funnel import Funnel, LabelFunnel

ENDS = [(ACCEPTED, ""), (REJECTED, "near_copy"), (REJECTED, "refused"), (FAILED, "timeout"), (FAILED, "empty")]


def planned(label="sport", number=0, **more):
    return Candidate.plan(task="t", strategy="s", seed=Seed.make([label], {"text": "seed"}), passage_id=f"p{number}", **more)


def done(status, reason="", *, label="sport", step="synthesize"):
    return planned(label).after(Event(step, status, reason))


def filled(asked, ends, *, reserve=0, label="sport"):
    """A funnel of one label whose plan is as long as the list of ends and a reserve that was not needed."""
    funnel = Funnel({label: asked})
    for number in range(len(ends) + reserve):
        funnel.add(planned(label, number, reserve=number >= asked))
    for end in ends:
        funnel.add(done(*end, label=label))
    return funnel


def test_asked_n_equals_got_n_or_shortfall_table():
    met, short = filled(2, [(ACCEPTED,), (REJECTED, "refused"), (ACCEPTED,)]), filled(2, [(ACCEPTED,), (REJECTED, "refused")])
    assert met.short == 0 and met.shortfalls() == []
    assert short.shortfalls() == [
        "'sport': asked 2, got 1, short by 1: 2 planned, 1 rejected (refused 1). "
        "Read what was turned away in rejected.jsonl, reword the task file's instruction or choose another teacher; "
        "or raise overgenerate in the strategy's [plan], which sends more rows to the teacher."
    ]


def test_zero_survivors_is_reported():
    funnel = filled(2, [(REJECTED, "near_copy"), (REJECTED, "near_copy"), (FAILED, "timeout")])
    assert funnel.total.accepted == 0
    assert "'sport': asked 2, got 0, short by 2" in funnel.table()
    assert "3 planned, 1 failed (timeout 1), 2 rejected (near_copy 2)." in funnel.table()


def test_label_without_a_planned_row_is_reported():
    assert Funnel({"sport": 3}).shortfalls()[0].startswith("'sport': asked 3, got 0, short by 3: only 0 planned.")


@pytest.mark.parametrize("kind", ["rate_limited", "timeout", "server_error", "missing"])
def test_requests_that_may_be_answered_later_are_asked_again(kind):
    sentence = filled(2, [(FAILED, kind), (FAILED, "empty"), (REJECTED, "refused"), (REJECTED, "refused")]).shortfalls()[0]
    assert sentence.endswith(f"Run again: the 1 failed requests ({kind} 1) are asked again, and every answer that came is kept.")


def test_spent_budget_must_be_raised_before_it_is_run_again():
    sentence = filled(2, [(FAILED, "budget"), (FAILED, "timeout")]).shortfalls()[0]
    assert "Raise the teacher's budget and run again: the 2 failed requests (budget 1, timeout 1)" in sentence


def test_failures_that_would_come_again_send_to_the_rows():
    sentence = filled(2, [(FAILED, "empty"), (FAILED, "truncated")]).shortfalls()[0]
    assert sentence.endswith("Read in rejected.jsonl what the teacher answered (synthesizrr trace ID), and change the teacher's config.")


@pytest.mark.parametrize(("reason", "cure"), [
    ("near_copy", "configs/curate.cfg"), ("too_short", "min_words and max_words"), ("duplicate", "Add passages or seeds"),
    ("gold_copy", "dev or test"), ("something_new", "Read what was turned away in rejected.jsonl"),
])  # fmt: skip
def test_most_frequent_reason_decides_what_helps(reason, cure):
    assert cure in filled(3, [(REJECTED, reason), (REJECTED, reason), (REJECTED, "refused")]).shortfalls()[0]


def test_short_plan_is_not_cured_by_overgenerate():
    sentence = filled(3, [(REJECTED, "refused")]).shortfalls()[0]
    assert "overgenerate" not in sentence
    assert sentence.endswith("Widen the strategy's [plan.window], raise its hits and ranks, or add passages or seeds.")


def test_rows_not_sent_without_curate_are_sent_by_running_again():
    assert filled(2, [(ACCEPTED,)], reserve=3).shortfalls()[0].endswith("Run the step 'synthesize' again: it stopped before it had enough.")


def test_rows_that_curate_takes_while_the_plan_has_more_are_explained():
    funnel = filled(1, [], reserve=2)
    funnel.add(done(REJECTED, "mislabelled", step="curate"))
    assert "1 rejected (curate:mislabelled 1)" in funnel.shortfalls()[0]
    assert "raise per_label" in funnel.shortfalls()[0]


def test_stages_are_counted_per_label_and_reason():
    funnel = filled(2, ENDS, reserve=2)
    assert funnel.to_dict()["labels"]["sport"] == {
        "asked": 2, "planned": 2, "reserve": 5, "sent": 5, "answered": 3, "failed": {"empty": 1, "timeout": 1},
        "relabelled_out": 0, "relabelled_in": 0, "rejected": {"synthesize": {"near_copy": 1, "refused": 1}}, "accepted": 1, "short": 1,
        "passed_over": {},
    }  # fmt: skip


def test_generated_row_without_a_verdict_counts_as_answered_only():
    funnel = Funnel({"sport": 1})
    funnel.add(done(GENERATED))
    assert (funnel.total.answered, funnel.total.accepted) == (1, 0)


def test_surplus_of_one_label_does_not_hide_the_gap_of_another():
    funnel = Funnel({"sport": 1, "science": 1})
    for _ in range(2):
        funnel.add(done(ACCEPTED, label="sport"))
    assert (funnel.total.accepted, funnel.short, funnel.to_dict()["total"]["short"]) == (2, 1, 1)


def test_label_that_nobody_asked_for_is_counted_and_not_short():
    funnel = Funnel({})
    funnel.add(done(ACCEPTED))
    assert funnel.to_dict()["labels"]["sport"]["accepted"] == 1 and funnel.short == 0


def test_ask_sets_what_is_wanted():
    funnel = Funnel({})
    funnel.ask("sport", 3)
    assert funnel.short == 3


def test_passages_that_the_plan_passed_over_explain_a_short_plan():
    funnel = Funnel({})
    funnel.ask("sport", 3, {"leak": 1, "margin": 9, "pair": 0})
    funnel.add(planned())
    funnel.add(done(ACCEPTED))
    assert "short by 2: only 1 planned (passages passed over: margin 9, leak 1)." in funnel.shortfalls()[0]
    assert funnel.to_dict()["labels"]["sport"]["passed_over"] == {"leak": 1, "margin": 9}


def relabelled(count, *, then=()):
    """Two labels of three rows each, all answered; so many rows of sport were found to be about science."""
    funnel = Funnel({"sport": 3, "science": 3})
    rows = [planned(label, number) for label in ("sport", "science") for number in range(3)]
    for number, row in enumerate(rows):
        funnel.add(row)
        done = row.after(Event("synthesize", ACCEPTED))
        if number < count:
            done = done.after(Event("curate", ACCEPTED, "", {"relabelled_from": "sport"}), labels=("science",))
            for event in then:
                done = done.after(event)
        funnel.add(done)
    return funnel


def test_relabelled_rows_were_asked_for_under_one_label_and_end_under_another():
    funnel = relabelled(2)
    counts = funnel.labels
    assert (counts["sport"].sent, counts["sport"].unsent, counts["sport"].accepted, counts["sport"].relabelled_out) == (3, 0, 1, 2)
    assert (counts["science"].sent, counts["science"].accepted, counts["science"].relabelled_in) == (3, 5, 2)
    (sentence,) = funnel.shortfalls()
    assert sentence.startswith("'sport': asked 3, got 1, short by 2: 3 planned, 2 given other labels. Read what the teacher wrote under")
    assert funnel.table().splitlines()[1].split() == "sport 3 3 0 3 3 0 2 0 1 2".split()


def test_relabelled_row_that_is_taken_away_later_is_missed_under_the_label_that_it_had():
    funnel = relabelled(2, then=[Event("curate", REJECTED, "distribution")])
    assert funnel.labels["science"].rejected == {"curate": {"distribution": 2}} and funnel.labels["sport"].rejected == {}
    total = funnel.total
    assert (total.answered, total.accepted + total.turned_away, total.relabelled_out, total.relabelled_in) == (6, 6, 2, 2)


def test_row_that_was_relabelled_back_has_not_moved():
    funnel = relabelled(1)
    row = planned().after(Event("curate", ACCEPTED, "", {"relabelled_from": "sport"}), labels=("science",))
    funnel.add(row.after(Event("curate", ACCEPTED, "", {"relabelled_from": "science"}), labels=("sport",)))
    assert funnel.total.relabelled_out == 1


@pytest.mark.parametrize("reason", ["low_confidence", "by_variability", "low_correctness", "distribution"])
def test_rows_that_a_set_filter_takes_do_not_call_for_another_teacher(reason):
    funnel = filled(2, [(ACCEPTED,)])
    funnel.add(planned(number=1))
    funnel.add(done(REJECTED, reason, step="curate"))
    assert funnel.shortfalls()[0].endswith("Loosen the set filter in configs/curate.cfg; or raise per_label by what it takes.")


def test_table_has_a_column_per_stage_and_reason_and_one_line_per_label():
    funnel = filled(2, [(ACCEPTED,), (ACCEPTED,), (REJECTED, "refused")])
    funnel.add(done(REJECTED, "far", step="curate"))
    lines = funnel.table().splitlines()
    assert lines[0].split() == "label asked planned reserve sent answered failed refused curate:far accepted short by".split()
    assert [line.split() for line in lines[1:]] == [[name, *"2 2 1 4 4 0 1 1 2 0".split()] for name in ("sport", "total")]


def test_table_of_no_labels_is_a_head_and_a_total():
    assert [line.split()[0] for line in Funnel({}).table().splitlines()] == ["label", "total"]


@pytest.mark.parametrize("end", [(FAILED, ""), (REJECTED, "")])
def test_row_without_a_reason_is_counted_as_unknown(end):
    assert "unknown 1" in filled(1, [end]).shortfalls()[0]


@given(st.lists(st.sampled_from(ENDS), max_size=20), st.integers(0, 10), st.integers(0, 5))
def test_every_row_is_accounted_for(ends, asked, reserve):
    total = filled(asked, ends, reserve=reserve).total
    assert total.accepted + total.turned_away + total.failed.total() == total.sent == len(ends)
    assert total.sent + total.unsent == total.planned + total.reserve == len(ends) + reserve
    assert total.accepted + total.short >= asked


@given(st.permutations(ENDS))
def test_order_of_rows_does_not_count(ends):
    assert filled(3, ends).to_dict() == filled(3, ENDS).to_dict()


def test_including_adds_up():
    one, two = filled(1, [(FAILED, "empty")]).labels["sport"], filled(2, ENDS).labels["sport"]
    total = LabelFunnel()
    total.include(one)
    total.include(two)
    assert (total.asked, total.sent, total.failed["empty"], total.rejected["synthesize"].total()) == (3, 6, 2, 2)
