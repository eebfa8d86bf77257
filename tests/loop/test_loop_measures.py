import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spacy_synthesizrr.loop.measures import Pair, closeness, covered, share_changed, words_changed
from spacy_synthesizrr.measuring.features import Features
from spacy_synthesizrr.metrics.similarity import coverage

TEXTS = st.lists(st.sampled_from("one two three four".split()), max_size=6).map(" ".join)
SPORT = [f"the keeper number{number} saved a penalty in the cup final" for number in range(6)]
COOKING = [f"the soup number{number} needs butter and garlic from the oven" for number in range(6)]


def embed(texts):
    return Features(None, texts, seed=0)


def pairs(parents, additions, key="sport"):
    return [Pair(key, parent, addition) for parent, addition in zip(parents, additions, strict=True)]


@given(TEXTS, TEXTS)
def test_words_changed_is_a_distance(one, other):
    changed = words_changed(one, other)
    assert changed == words_changed(other, one)
    assert (changed == 0) == (one.split() == other.split())
    assert abs(len(one.split()) - len(other.split())) <= changed <= max(len(one.split()), len(other.split()))


@given(TEXTS, TEXTS, TEXTS)
def test_no_detour_is_shorter(one, other, third):
    assert words_changed(one, third) <= words_changed(one, other) + words_changed(other, third)


def test_words_are_counted_and_not_letters():
    assert words_changed("The cup final was long", "the cup was very long.") == 2


def test_the_share_is_of_the_longer_text():
    assert share_changed("one two", "one two three four") == 0.5
    assert share_changed("", "") == 0.0


def test_additions_are_compared_with_their_own_parent_and_with_others_of_their_label():
    added = [text.replace("saved", "held") for text in SPORT]
    found = closeness(pairs(SPORT, added), embed([*SPORT, *added, *COOKING]), seed=0)
    assert found["n"] == found["parents"] == 6
    assert found["own"]["edits"]["mean"] == 1 and found["random"]["edits"]["mean"] == 2
    assert found["random"]["n"] == 6 * 5
    assert found["words"] == {"parent": 10, "addition": 10}


def test_a_random_parent_has_the_same_label():
    mixed = [*pairs(SPORT, SPORT, "sport"), *pairs(COOKING, COOKING, "cooking")]
    found = closeness(mixed, embed([*SPORT, *COOKING]), seed=0)
    assert found["random"]["edits"]["mean"] == 1  # a row of the other label differs in every word but one


def test_where_a_label_has_one_parent_there_is_no_random_pair():
    found = closeness(pairs(SPORT[:1] * 3, SPORT[1:4]), embed(SPORT * 2), seed=0)
    assert found["random"] is None and found["nearer"] is None and found["parents"] == 1


def test_how_much_nearer_is_an_interval_over_parents():
    added = [*SPORT, *SPORT]
    found = closeness(pairs(SPORT * 2, added), embed([*SPORT, *COOKING]), seed=0)
    assert found["n"] == 12 and found["nearer"]["parents"] == 6
    assert found["nearer"]["low"] <= found["nearer"]["value"] <= found["nearer"]["high"]


def test_additions_that_have_nothing_of_their_parent_are_not_nearer():
    rng = np.random.default_rng(3)
    parents, added = ([" ".join(rng.choice("ant bee cat dog eel fox gnu hen".split(), 8)) for _ in range(60)] for _ in range(2))
    nearer = closeness(pairs(parents, added), embed([*parents, *added]), seed=0)["nearer"]
    assert nearer["low"] < 0 < nearer["high"]


def test_without_additions_there_is_nothing_to_compare():
    assert closeness([], embed(SPORT * 2), seed=0) is None


def test_coverage_is_that_of_the_metric():
    vectors = embed([*SPORT, *COOKING])
    found = covered(SPORT, [*SPORT[:2], *COOKING], vectors, size=4, seed=0)
    assert found["all"]["value"] == coverage(vectors(SPORT), vectors([*SPORT[:2], *COOKING]))["value"]
    assert found["all"]["n"] == 8 and found["equal"]["n"] == 4 and found["gold"] == 6
    assert found["all"]["low"] <= found["all"]["value"] <= found["all"]["high"]


def test_more_rows_cover_more_at_whole_size_only():
    vectors, gold = embed([*SPORT, *COOKING]), [*SPORT, *COOKING]
    few, many = (covered(gold, rows, vectors, size=3, seed=0) for rows in (SPORT, gold))
    assert few["all"]["value"] < many["all"]["value"] == 1.0
    assert few["equal"]["n"] == many["equal"]["n"] == 3


@pytest.mark.parametrize("gold, rows, size", [(SPORT[:1], SPORT, 3), (SPORT, [], 0), (SPORT, SPORT, 0)])
def test_too_few_texts_cover_nothing(gold, rows, size):
    assert covered(gold, rows, embed(SPORT * 2), size=size, seed=0) is None
