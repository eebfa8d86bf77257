import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spacy_synthesizrr.stores.asking import Search
from spacy_synthesizrr.stores.diversity import choose
from spacy_synthesizrr.stores.fusion import fuse
from spacy_synthesizrr.stores.ranking import Ranking, find, within_quota


def ranking(pairs):
    return Ranking(np.array([key for key, _ in pairs], dtype=np.int64), np.array([score for _, score in pairs], dtype=np.float64))


def pairs(found):
    return list(zip(found.keys.tolist(), found.scores.tolist(), strict=True))


def test_fusion_scales_each_ranking_and_adds_by_weight():
    vector, keyword = ranking([(7, 0.9), (3, 0.7), (5, 0.5)]), ranking([(5, 30.0), (9, 20.0), (7, 10.0)])
    assert pairs(fuse(vector, keyword, 0.25)) == [(5, 0.75), (9, 0.375), (7, 0.25), (3, 0.125)]


def test_fusion_puts_equal_scores_in_the_order_of_the_keys():
    assert pairs(fuse(ranking([(8, 0.9), (2, 0.1)]), ranking([(4, 5.0), (1, 2.0)]), 0.5)) == [(4, 0.5), (8, 0.5), (1, 0.0), (2, 0.0)]


def test_fusion_takes_equal_scores_of_one_ranking_for_its_best():
    assert pairs(fuse(ranking([(1, 0.4)]), ranking([(1, 3.0), (2, 3.0)]), 0.5)) == [(1, 1.0), (2, 0.5)]


def test_fusion_with_an_empty_ranking_is_the_other_one():
    nothing = ranking([])
    assert pairs(fuse(ranking([(3, 0.5), (1, 0.1)]), nothing, 0.6)) == [(3, 0.6), (1, 0.0)]
    assert pairs(fuse(nothing, nothing, 0.6)) == []


def test_fusion_leaves_out_what_only_a_ranking_without_weight_has():
    vector, keyword = ranking([(1, 0.9), (2, 0.1)]), ranking([(3, 7.0), (1, 2.0)])
    assert pairs(fuse(vector, keyword, 1.0)) == [(1, 1.0), (2, 0.0)]
    assert pairs(fuse(vector, keyword, 0.0)) == [(3, 1.0), (1, 0.0)]


scores = st.lists(st.tuples(st.integers(0, 30), st.floats(-1, 50)), max_size=20, unique_by=lambda pair: pair[0])


@given(vector=scores, keyword=scores, alpha=st.floats(0, 1))
def test_fused_scores_lie_between_0_and_1_and_fall(vector, keyword, alpha):
    found = fuse(ranking(vector), ranking(keyword), alpha)
    assert np.all((found.scores >= 0) & (found.scores <= 1))
    assert np.all(np.diff(found.scores) <= 0)
    assert set(found.keys.tolist()) <= {key for key, _ in [*vector, *keyword]}


def test_the_first_choice_is_the_most_relevant_and_the_next_one_differs():
    vectors = np.array([[1, 0], [1, 0], [0.6, 0.8], [0, 1]], dtype=np.float32)
    assert choose(np.array([1.0, 1.0, 0.6, 0.0]), vectors, 4, balance=0.7).tolist() == [0, 1, 2, 3]
    assert choose(np.array([1.0, 1.0, 0.6, 0.2]), vectors, 4, balance=0.4).tolist() == [0, 3, 1, 2]
    assert choose(np.array([1.0, 1.0, 0.6, 0.2]), vectors, 2, balance=0.0).tolist() == [0, 3]


def test_opposite_vectors_are_worth_more_than_none():
    vectors = np.array([[1, 0], [0, 1], [-1, 0]], dtype=np.float32)
    assert choose(np.array([1.0, 0.9, 0.9]), vectors, 3, balance=0.5).tolist() == [0, 2, 1]


def test_more_choices_than_candidates_gives_all():
    assert choose(np.array([0.5]), np.ones((1, 2), dtype=np.float32), 9, balance=0.5).tolist() == [0]


def test_a_quota_keeps_the_first_of_each_name():
    assert within_quota("abaacb", 2).tolist() == [True, True, True, False, True, True]
    assert within_quota("", 1).tolist() == []


def asked(how, k, documents, *, most=None):
    """Hits of one query whose ranking is 0, 1, 2 … with falling scores, and the depths that were asked for."""
    depths = []

    def rank(which, depth):
        depths.append(depth)
        rows = np.arange(min(depth, len(documents)))
        return [Ranking(rows, 1 - rows / len(documents)) for _ in which]

    (found,) = find(
        1, k, how, most=most or len(documents), rank=rank, documents=lambda found: [[documents[key] for key in r.keys] for r in found],
        vectors=lambda keys: np.eye(len(documents), dtype=np.float32)[keys],
    )  # fmt: skip
    return found.keys.tolist(), depths


def test_a_quota_asks_deeper_until_there_are_enough_hits():
    documents = ["long"] * 250 + list("abcdef")
    assert asked(Search(per_document=1), 3, documents) == ([0, 250, 251], [100, 200, 400])


def test_a_given_number_of_candidates_is_kept():
    assert asked(Search(per_document=1, fetch=50), 3, ["long"] * 250 + list("abcdef")) == ([0], [50])


def test_nothing_deeper_than_the_corpus_is_asked_for():
    assert asked(Search(per_document=1), 3, ["long"] * 250) == ([0], [100, 200, 400])
    assert asked(Search(per_document=1), 3, ["long"] * 100) == ([0], [100])


def test_below_the_threshold_nothing_deeper_is_asked_for():
    assert asked(Search(per_document=1, min_similarity=0.9), 3, ["long"] * 1000) == ([0], [100, 200])


def test_below_the_threshold_a_hybrid_search_goes_on_because_its_scores_change_with_the_depth():
    assert asked(Search("hybrid", per_document=1, min_similarity=0.9), 3, ["long"] * 300) == ([0], [100, 200, 400])


def test_the_quota_holds_before_diversity():
    assert asked(Search(per_document=1, diversity=0.0), 2, list("aab"), most=3)[0] == [0, 2]


@pytest.mark.parametrize("how", [Search(), Search("keyword"), Search(min_similarity=0.1)])
def test_a_plain_search_asks_once_for_k(how):
    assert asked(how, 4, list("aaaabbbb")) == ([0, 1, 2, 3], [4])
