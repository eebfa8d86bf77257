"""The nearest of earlier texts by word shingles: exact, however small the table is at first and however often it grows."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spacy_synthesizrr.curation.near_index import LOAD, Near, NearIndex, OwnerTable, shingle_keys

KEYS = [1561813221561142064, 14919087329110773957]  # of "oslo wins" and "wins again"
TEXTS = st.lists(st.lists(st.sampled_from("ab cd efg hij klmno".split()), min_size=0, max_size=12).map(" ".join), max_size=40)


def jaccard(one, other):
    return len(one & other) / len(one | other) if one | other else 0.0


def shingles(text, n):
    tokens = text.split()
    size = min(n, len(tokens))
    return {tuple(tokens[at : at + size]) for at in range(len(tokens) - size + 1)} if size else set()


def test_repeated_shingles_count_once_and_keys_ascend():
    keys = shingle_keys("a b a b a b", 2)
    assert len(keys) == 2 and keys[0] < keys[1]


def test_case_and_punctuation_do_not_count():
    assert shingle_keys("Oslo wins, again!", 2).tolist() == shingle_keys("oslo WINS again", 2).tolist()


def test_text_shorter_than_a_shingle_is_one_shingle_of_its_own():
    assert len(shingle_keys("Oslo wins", 3)) == 1
    assert shingle_keys("", 3).size == 0


def test_salts_keep_texts_apart():
    assert not np.isin(shingle_keys("one two three four", 2, salt=1), shingle_keys("one two three four", 2)).any()


def test_keys_are_those_of_every_machine():
    assert shingle_keys("Oslo wins again", 2).tolist() == KEYS


@pytest.mark.parametrize("ngram", [1, 2, 3])
@given(texts=TEXTS, threshold=st.sampled_from([0.3, 0.5, 2 / 3, 0.7, 0.8, 1.0]), slots=st.sampled_from([1, 8, 1 << 12]))
def test_finds_what_comparing_all_with_all_finds(ngram, texts, threshold, slots):
    index = NearIndex(threshold, slots=slots)
    before = []
    for text in texts:
        keys, mine = shingle_keys(text, ngram), shingles(text, ngram)
        similarities = [jaccard(mine, other) for other in before]
        best = max(similarities, default=0.0)
        found = index.nearest(keys)
        if mine and best >= threshold:
            assert found == Near(similarities.index(best), pytest.approx(best))
        else:
            assert found is None
        assert index.add(keys) == len(before)
        before.append(mine)
    assert len(index) == len(texts)


@pytest.mark.parametrize("threshold", [0.5, 0.7, 0.8, 1.0])
def test_similarity_of_just_the_threshold_is_found(threshold):
    index = NearIndex(threshold)
    index.add(shingle_keys(" ".join(f"w{number}" for number in range(100)), 1))
    few = round(100 * threshold)
    assert index.nearest(shingle_keys(" ".join(f"w{number}" for number in range(few)), 1)) == Near(0, pytest.approx(threshold))
    if few > 1:
        assert index.nearest(shingle_keys(" ".join(f"w{number}" for number in range(few - 1)), 1)) is None


def test_long_texts_are_found():
    words = [f"long{number}" for number in range(200_000)]
    index = NearIndex(0.3)
    index.add(shingle_keys(" ".join(words), 1))
    others = [*words[:100_000], *(f"x{number}" for number in range(100_000))]
    assert index.nearest(shingle_keys(" ".join(others), 1)) == Near(0, pytest.approx(1 / 3))


def test_rows_whose_shingles_all_have_owners_are_found():
    index, rng = NearIndex(0.5, slots=1), np.random.default_rng(0)
    texts = [" ".join(f"w{number}" for number in rng.choice(60, 20, replace=False)) for _ in range(300)]
    for row, text in enumerate(texts):
        assert index.add(shingle_keys(text, 1)) == row
    for text in texts:
        assert index.nearest(shingle_keys(text, 1)) == Near(texts.index(text), 1.0)


@given(st.lists(st.sets(st.integers(0, 2**64 - 1) | st.integers(0, 30), min_size=1, max_size=10), min_size=1, max_size=30))
def test_key_names_every_row_that_claimed_it(sets):
    """With all keys claimed, each row comes out at least as often as it shares keys."""
    table, rows = OwnerTable(1), [np.array(sorted(some), dtype=np.uint64) for some in sets]

    def block(first):
        return (rows[first], np.array([len(rows[first])]), first + 1) if first < added else None

    for added, keys in enumerate(rows):
        table.claim(keys, added, len(keys), block)
    for keys in rows:
        owners = table.owners(keys).tolist()
        assert owners == sorted(owners)
        assert all(owners.count(row + 1) >= len(np.intersect1d(keys, other)) for row, other in enumerate(rows))


def test_memory_is_a_few_bytes_for_each_shingle():
    index, rng, rows = NearIndex(0.7), np.random.default_rng(0), 3000
    for _ in range(rows):
        index.add(shingle_keys(" ".join(map(str, rng.integers(0, 10**6, 40))), 3))
    indexed = 38 - 27 + 4  # ⌈0.7 · 38⌉ = 27
    assert index.nbytes / rows <= 38 * 8 + 8 + 1 + indexed * 2 * 4 / LOAD
