import pytest
from hypothesis import given
from hypothesis import strategies as st

from argilla_bridge.relabel import next_name, relabelling
from argilla_bridge.rows import DISCARDED, SUBMITTED, Vote
from spacy_synthesizrr.errors import InputError

NAMES = st.lists(st.sampled_from("abcdef"), unique=True, min_size=1).map(tuple)


def vote(*labels, **more):
    return Vote("r", "ann", more.pop("status", SUBMITTED), labels, **more)


def test_a_new_label_leaves_the_answers_as_they_are():
    plan = relabelling(("rain", "sun", "unusable"), ("rain", "sun", "snow"))
    assert (plan.added, plan.removed, plan.renamed, plan.changes) == (("snow",), (), {}, True)
    assert plan.vote(vote("sun")) == vote("sun")
    assert plan.lines() == ["'snow' is new: nobody could choose it in the answers so far."]


def test_a_renamed_label_takes_its_answers_along():
    plan = relabelling(("rain", "sun"), ("wet", "sun"), {"rain": "wet"})
    assert (plan.added, plan.removed, plan.renamed) == ((), (), {"rain": "wet"})
    assert plan.vote(vote("rain", reason="why")) == vote("wet", reason="why")
    assert plan.lines() == ["'rain' becomes 'wet'."]


def test_answers_of_a_removed_label_cannot_be_moved():
    plan = relabelling(("rain", "sun"), ("sun", "snow"))
    assert plan.removed == ("rain",)
    assert plan.vote(vote("rain")) is None
    assert "'rain' is gone" in plan.lines()[0]


def test_a_label_that_looks_renamed_is_asked_about():
    (gone, new) = relabelling(("sports", "sun"), ("sport", "sun")).lines()
    assert "--rename 'sports=sport'" in gone
    assert "'sport' is new" in new


def test_of_several_labels_those_that_are_left_are_moved_in_the_new_order():
    plan = relabelling(("a", "b", "c"), ("c", "a"))
    assert plan.vote(vote("a", "b", "c")).labels == ("c", "a")
    assert plan.vote(vote("b")) is None
    assert plan.vote(vote()).labels == ()


def test_labels_can_be_joined_and_swapped():
    joined = relabelling(("a", "b", "c"), ("ab", "c"), {"a": "ab", "b": "ab"})
    assert joined.merged == {"ab": ("a", "b")}
    assert joined.labels(["a", "b"]) == ("ab",)
    assert "'a', 'b' are one label 'ab' now" in joined.lines()[2]
    swapped = relabelling(("a", "b"), ("a", "b"), {"a": "b", "b": "a"})
    assert swapped.changes
    assert [swapped.labels([label]) for label in "ab"] == [("b",), ("a",)]


def test_rows_that_were_turned_away_stay_so():
    plan = relabelling(("a", "b"), ("b", "c"))
    assert plan.vote(vote("a", verdict="reject")) == vote(verdict="reject")
    assert plan.vote(vote("a", status=DISCARDED)) == vote(status=DISCARDED)
    assert plan.vote(vote("a", verdict="keep")) is None


def test_another_order_is_no_reason_to_move():
    plan = relabelling(("a", "b", "unusable"), ("b", "a"))
    assert not plan.changes
    assert plan.lines() == []


@pytest.mark.parametrize(
    ("renames", "message"),
    [
        ({"rian": "wet"}, r"the dataset has no label 'rian'. Did you mean 'rain'\?"),
        ({"rain": "wett"}, r"the task file has no label 'wett'. Did you mean 'wet'\?"),
    ],
)
def test_a_rename_of_what_is_not_there_is_said(renames, message):
    with pytest.raises(InputError, match=message):
        relabelling(("rain", "sun"), ("wet", "sun"), renames)


@given(NAMES, NAMES, st.lists(st.sampled_from("abcdef"), unique=True))
def test_what_is_moved_are_labels_of_the_new_set_and_all_others_are_named(old, new, chosen):
    plan = relabelling(old, new)
    chosen = [label for label in chosen if label in old]
    moved = plan.labels(chosen)
    assert moved is None or set(moved) == set(chosen) & set(new)
    assert (moved is None) == (bool(chosen) and set(chosen) <= set(plan.removed))
    assert set(plan.removed) == set(old) - set(new)
    assert set(plan.added) == set(new) - set(old)


@given(NAMES, st.permutations("abcdef"))
def test_renaming_there_and_back_changes_no_answer(old, others):
    renames = dict(zip(old, others, strict=False))
    new = tuple(renames[label] for label in old)
    there, back = relabelling(old, new, renames), relabelling(new, old, {after: before for before, after in renames.items()})
    for label in old:
        assert back.labels(there.labels([label])) == (label,)


@pytest.mark.parametrize(
    ("name", "there", "then"),
    [("news", (), "news-v2"), ("news-v2", (), "news-v3"), ("news", ("news-v2", "news-v3"), "news-v4"), ("a-vx", (), "a-vx-v2")],
)
def test_the_next_dataset_has_the_next_number(name, there, then):
    assert next_name(name, there) == then
