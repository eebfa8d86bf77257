import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spacy_synthesizrr.embedders.base import unit_rows
from spacy_synthesizrr.stores.exact import nearest

NOBODY = np.zeros(0, dtype=np.int64)


def vectors_of(seed, rows, dimensions, *, distinct):
    """Random rows of which many are equal, and some are zero."""
    rng = np.random.default_rng(seed)
    pool = np.vstack((rng.normal(size=(distinct, dimensions)), np.zeros((1, dimensions))))
    return unit_rows(pool[rng.integers(0, len(pool), size=rows)])


def naive(vectors, query, k, banned):
    products = [round(sum(float(a) * float(b) for a, b in zip(row, query, strict=True)), 6) + 0.0 for row in vectors]
    order = sorted((row for row in range(len(vectors)) if row not in banned), key=lambda row: (-products[row], row))
    return order[:k], [products[row] for row in order[:k]]


@settings(deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 10_000),
    rows=st.integers(1, 60),
    dimensions=st.integers(1, 9),
    distinct=st.integers(1, 40),
    k=st.integers(1, 70),
    block=st.integers(1, 20),
    banned=st.sets(st.integers(0, 59), max_size=20),
)
def test_nearest_equals_naive_search(seed, rows, dimensions, distinct, k, block, banned):
    vectors = vectors_of(seed, rows, dimensions, distinct=distinct)
    queries = vectors_of(seed + 1, 3, dimensions, distinct=3)
    banned = {row for row in banned if row < rows}
    found = nearest(vectors, queries, k, banned=np.array(sorted(banned), dtype=np.int64), block=block)
    expected = [naive(vectors, query, k, banned) for query in queries]
    assert [(rows.tolist(), similarities.tolist()) for rows, similarities in found] == expected


@pytest.mark.parametrize("share", [0.2, 0.5, 0.95])
def test_where_many_rows_are_banned_the_others_are_all_found(share):
    vectors = vectors_of(4, 300, 5, distinct=150)
    banned = np.sort(np.random.default_rng(0).choice(300, int(share * 300), replace=False))
    for block in (1, 7, 64, 1000):
        ((rows, similarities),) = nearest(vectors, vectors[:1], 300, banned=banned, block=block)
        assert (rows.tolist(), similarities.tolist()) == naive(vectors, vectors[0], 300, set(banned.tolist()))


def test_equal_rows_come_in_the_order_of_their_numbers():
    vectors = unit_rows(np.tile([[0.3, 0.4, 0.5]], (10_000, 1)))
    (rows, similarities), *_ = nearest(vectors, vectors[:1], 7, banned=NOBODY)
    assert rows.tolist() == list(range(7))
    assert set(similarities.tolist()) == {1.0}


def test_a_zero_query_is_similar_to_nothing():
    vectors = vectors_of(0, 50, 4, distinct=30)
    ((rows, similarities),) = nearest(vectors, np.zeros((1, 4), dtype=np.float32), 5, banned=NOBODY)
    assert rows.tolist() == [0, 1, 2, 3, 4]
    assert similarities.tolist() == [0.0] * 5


def test_opposite_vectors_come_last():
    vectors = unit_rows([[-1.0, 0.0], [0.0, 1.0], [1.0, 0.0]])
    ((rows, similarities),) = nearest(vectors, vectors[2:], 3, banned=NOBODY)
    assert rows.tolist() == [2, 1, 0]
    assert similarities.tolist() == [1.0, 0.0, -1.0]


def test_an_answer_does_not_depend_on_the_other_queries():
    vectors = vectors_of(3, 9_000, 16, distinct=3_000)
    together = nearest(vectors, vectors[:300], 40, banned=NOBODY)
    for number in (0, 7, 299):
        ((rows, similarities),) = nearest(vectors, vectors[number : number + 1], 40, banned=NOBODY)
        assert rows.tolist() == together[number][0].tolist()
        assert similarities.tolist() == together[number][1].tolist()
