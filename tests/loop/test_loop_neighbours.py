"""Labelled rows are asked whether a passage has the label of an error, and those of other labels turn it away."""

from __future__ import annotations

import numpy as np
import pytest
from error_rows import PAIR, make_task, row
from given_store import GivenStore, at_angles, passage
from hypothesis import given
from hypothesis import strategies as st

from spacy_synthesizrr.loop.extrapolation import from_passages
from spacy_synthesizrr.loop.neighbours import Neighbours
from spacy_synthesizrr.loop.parents import Uses, row_parents
from spacy_synthesizrr.sourcing.settings import PlanSettings

TASK = make_task("a", "b", "c")
OPEN = {"window": {"low": 0.0, "high": 1.0}, "pair_window": {"low": 0.0, "high": 1.0}, "quotas": {"per_passage": 1, "per_document": 50}}
Known = list[tuple[str, float]]  # label and angle of a labelled row; its text is its place


def labelled(known: Known):
    return [row(line, *labels, text=str(line)) for line, (labels, _) in enumerate(known, 1)]


def store_of(known: Known, passages: list[float]) -> GivenStore:
    vectors = dict(zip(map(str, range(1, len(known) + 1)), at_angles([angle for _, angle in known]), strict=True))
    return GivenStore([passage(f"p{n:02}") for n in range(len(passages))], at_angles(passages), vectors)


def agreeing(known: Known, passages: list[float], *, most: int, parent: int = 0) -> list[bool]:
    """Whether a passage may be refined to the label of a row, for each passage."""
    rows = labelled(known)
    asked = Neighbours.of(rows, TASK, most)
    seeds = [one.seed for one in row_parents(rows)]
    names = np.array([f"p{n:02}".encode() for n in range(len(passages))])
    place = [seed.fields["text"] for seed in seeds].index(str(parent + 1))
    return asked.agree(names, np.full(len(passages), place), seeds, store_of(known, passages), generated="text").tolist()


def by_hand(known: Known, angle: float, *, most: int, parent: int) -> bool:
    """The rule, row by row."""
    label = known[parent][0]
    others = [(abs(own - angle), place, labels) for place, (labels, own) in enumerate(known) if place != parent]
    having = sum(set(label) <= set(labels) for *_, labels in others)
    if not having:
        return True
    near = sorted(others)[: min(most, 2 * having - 1)]
    return 2 * sum(set(label) <= set(labels) for *_, labels in near) > len(near)


@given(
    known=st.lists(
        st.tuples(st.sampled_from(["a", "b", "c", "ab"]), st.integers(0, 89)), min_size=1, max_size=12, unique_by=lambda one: one[1]
    ),
    passages=st.lists(st.integers(0, 88), min_size=1, max_size=6),
    most=st.integers(1, 9),
    data=st.data(),
)
def test_most_of_the_nearest_rows_apart_from_the_parent_decide(known, passages, most, data):
    parent = data.draw(st.integers(0, len(known) - 1))
    angles = [angle + 0.3 for angle in passages]  # no two rows are equally near
    wanted = [by_hand(known, angle, most=most, parent=parent) for angle in angles]
    assert agreeing([(labels, float(angle)) for labels, angle in known], angles, most=most, parent=parent) == wanted


def test_the_parent_has_no_vote():
    """Its own passages are near it, whatever they are about."""
    known = [("a", 10.0), ("b", 12.0), ("b", 14.0), ("a", 80.0), ("a", 82.0)]
    assert agreeing(known, [10.0, 81.0], most=3) == [False, True]


def test_a_label_with_few_rows_can_still_be_most_of_those_that_are_asked():
    known = [("a", 0.0), ("a", 20.0), *(("b", 30.0 + n) for n in range(9))]
    assert agreeing(known, [15.0, 28.0], most=9) == [True, False]


def test_a_label_without_another_row_is_not_judged():
    assert agreeing([("a", 0.0), ("b", 1.0), ("b", 2.0)], [1.5], most=9) == [True]


def test_equal_rows_have_one_vote():
    rows = [row(1, "a", text="1"), row(2, "a", text="1"), row(3, "b", text="2")]
    assert Neighbours.of(rows, TASK, 3).labels == (("a",), ("b",))


def test_pairs_are_not_judged():
    task = make_task("a", "b", fields=[{"name": "premise", "from": "passage"}, *PAIR[1:]])
    assert Neighbours.of([row(1, "a", premise="It rained.", claim="It was wet.")], task, 9) is None


@pytest.mark.parametrize("most", [None, 9])
def test_the_next_passage_takes_the_place_of_one_that_is_turned_away(most):
    known = [("a", 20.0), ("b", 22.0), ("b", 24.0), ("b", 26.0), ("a", 8.0), ("a", 4.0), ("a", 0.0)]
    rows, found = labelled(known), store_of(known, [23.0, 12.0, 3.0])
    about = {"task": TASK, "settings": PlanSettings.model_validate(OPEN), "per_error": 2, "uses": Uses(), "round_number": 1, "seed": 0}
    made = from_passages(row_parents(rows[:1]), found, neighbours=Neighbours.of(rows, TASK, most), **about)
    assert [one.passage_id for one in made.candidates] == (["p00", "p01"] if most is None else ["p01", "p02"])
    assert made.turned_away.get("neighbours", 0) == (0 if most is None else 1)
