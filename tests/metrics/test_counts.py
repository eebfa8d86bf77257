"""Label counts."""

from hypothesis import given
from hypothesis import strategies as st

from spacy_synthesizrr.metrics.counts import label_counts

SETS = st.lists(st.sampled_from([("a",), ("b",), ("a", "b")]), max_size=20)


def test_labels_and_label_sets_are_counted():
    found = label_counts([("sport",), ("sport", "science"), ("science",)])
    assert found == {"n": 3, "labels": {"science": 2, "sport": 2}, "sets": {"science": 1, "sport": 1, "sport + science": 1}}


def test_no_rows_count_nothing():
    assert label_counts([]) == {"n": 0, "labels": {}, "sets": {}}


@given(SETS, st.randoms(use_true_random=False))
def test_order_of_rows_does_not_count(rows, chance):
    shuffled = list(rows)
    chance.shuffle(shuffled)
    assert label_counts(shuffled) == label_counts(rows)


@given(SETS)
def test_sets_add_up_to_the_rows(rows):
    found = label_counts(rows)
    assert sum(found["sets"].values()) == found["n"] == len(rows)
