"""Labelled rows are asked whether a passage has the label of an error, and those of other labels turn it away."""

from __future__ import annotations

import numpy as np
import pytest
from error_rows import PAIR, make_task, row
from given_store import GivenStore, at_angles, passage
from hypothesis import given
from hypothesis import strategies as st

from spacy_synthesizrr.candidates import Hit
from spacy_synthesizrr.embedders.none import NoEmbedder
from spacy_synthesizrr.loop.extrapolation import from_passages
from spacy_synthesizrr.loop.neighbours import Neighbours
from spacy_synthesizrr.loop.parents import Uses, row_parents
from spacy_synthesizrr.sourcing.settings import PlanSettings
from spacy_synthesizrr.stores.base import BY_VECTOR

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
    others = sorted((abs(own - angle), place, labels) for place, (labels, own) in enumerate(known) if place != parent)
    return all(_most_have(label, [labels for *_, labels in others], most) for label in known[parent][0])


def _most_have(label: str, others: list[str], most: int) -> bool:
    having = sum(label in labels for labels in others)
    asked = min(most, having if having % 2 else having - 1)
    return not having or 2 * sum(label in labels for labels in others[:asked]) > asked


@given(
    known=st.lists(
        st.tuples(st.sampled_from(["a", "b", "c", "ab"]), st.integers(0, 89)), min_size=1, max_size=12, unique_by=lambda one: one[1]
    ),
    passages=st.lists(st.integers(0, 88), min_size=1, max_size=6),
    most=st.sampled_from([1, 3, 5, 9]),
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
    assert Neighbours.of(rows, TASK, 3).rows == (("1", ("a",)), ("2", ("b",)))


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


@pytest.mark.parametrize("order", ["aabbb", "bbbaa"])
def test_a_passage_without_a_vector_is_not_judged_by_the_order_of_the_rows(order):
    rows = [row(line, label, text=str(line)) for line, label in enumerate(order, 1)]
    vectors = dict(zip("12345", at_angles([0.0, 10.0, 20.0, 30.0, 40.0]), strict=True))
    found = GivenStore([passage("p")], np.zeros((1, 2), dtype=np.float32), vectors)
    seeds = [one.seed for one in row_parents(rows)]
    assert Neighbours.of(rows, TASK, 1).agree(np.array([b"p"] * 5), np.arange(5), seeds, found, generated="text").all()


def test_a_row_without_a_vector_has_no_vote():
    rows = [row(1, "a", text="1"), row(2, "a", text="2"), row(3, "b", text="3"), row(4, "b", text="4"), row(5, "b", text="5")]
    vectors = dict(zip("12345", [*at_angles([0.0, 170.0]), *np.zeros((3, 2), dtype=np.float32)], strict=True))
    found = GivenStore([passage("p")], at_angles([60.0]), vectors)
    seeds = [one.seed for one in row_parents(rows)]
    place = [seed.fields["text"] for seed in seeds].index("1")
    assert Neighbours.of(rows, TASK, 1).agree(np.array([b"p"]), np.array([place]), seeds, found, generated="text").all()


class ByWords(GivenStore):
    """An index that is searched by words alone: whoever asks for a vector gets an error."""

    def search(self, queries, k, *, how=BY_VECTOR, filter=None):
        return [[Hit(one.id, 1.0, rank) for rank, one in enumerate(self.passages[:k], 1)] for _ in queries]


def test_an_index_without_vectors_leaves_nobody_to_ask():
    rows = labelled([("a", 0.0), ("b", 1.0), ("b", 2.0)])
    found = ByWords([passage("p00")], np.zeros((1, 2), dtype=np.float32), {"1": [1.0, 0.0]})
    found.embedder = NoEmbedder()
    settings = {**OPEN, "search": "keyword", "margin": {"on": False}, "leaks": {"similarity": None}, "window": {"kind": "quantile"}}
    about = {"task": TASK, "per_error": 1, "uses": Uses(), "round_number": 1, "seed": 0, "neighbours": Neighbours.of(rows, TASK, 9)}
    made = from_passages(row_parents(rows[:1]), found, settings=PlanSettings.model_validate(settings), **about)
    assert [one.passage_id for one in made.candidates] == ["p00"]


def test_what_was_found_for_a_passage_is_not_looked_for_again(monkeypatch):
    known = [("a", 0.0), ("a", 2.0), ("b", 50.0)]
    rows, found = labelled(known), store_of(known, [1.0])
    asked, seeds = Neighbours.of(rows, TASK, 3), [one.seed for one in row_parents(rows)]
    first = asked.agree(np.array([b"p00"]), np.array([0]), seeds, found, generated="text")
    monkeypatch.setattr(found, "vectors", lambda ids: pytest.fail("asked again"))
    assert asked.agree(np.array([b"p00"]), np.array([0]), seeds, found, generated="text").tolist() == first.tolist()
