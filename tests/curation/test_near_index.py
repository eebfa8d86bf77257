"""The nearest of earlier texts by word shingles: exact, whatever the order of adding and merging."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spacy_synthesizrr.curation.near_index import MOST_PLACE, Near, NearIndex, prefix_length, shingle_keys

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


def test_shingles_with_many_characters_come_first():
    first = shingle_keys("of it extraordinary", 1)[0]
    assert first == shingle_keys("extraordinary", 1)[0]


@pytest.mark.parametrize(("size", "threshold", "length"), [(10, 0.7, 4), (10, 1.0, 1), (1, 0.5, 1), (0, 0.7, 0), (5, 0.1, 5)])
def test_prefix_is_as_short_as_it_may_be(size, threshold, length):
    assert prefix_length(size, threshold) == length


@pytest.mark.parametrize("ngram", [1, 2, 3])
@given(texts=TEXTS, threshold=st.sampled_from([0.3, 0.5, 2 / 3, 0.7, 0.8, 1.0]), buffer=st.sampled_from([1, 7, 1 << 14]))
def test_finds_what_comparing_all_with_all_finds(ngram, texts, threshold, buffer):
    index = NearIndex(threshold, buffer=buffer)
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


def test_long_texts_whose_places_do_not_fit_are_found():
    words = [f"long{number}" for number in range(3 * MOST_PLACE)]
    index = NearIndex(0.3)
    index.add(shingle_keys(" ".join(words), 1))
    others = [*words[MOST_PLACE:], *(f"x{number}" for number in range(MOST_PLACE))]
    assert index.nearest(shingle_keys(" ".join(others), 1)).similarity == 0.5


def test_memory_is_a_few_bytes_for_each_shingle():
    index, rng = NearIndex(0.7), np.random.default_rng(0)
    for _ in range(3000):
        index.add(shingle_keys(" ".join(map(str, rng.integers(0, 10**6, 40))), 3))
    assert index.nbytes / 3000 < 38 * 8 + prefix_length(38, 0.7) * 16 + 8
