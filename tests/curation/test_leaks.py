import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spacy_synthesizrr.candidates import Passage
from spacy_synthesizrr.curation import leaks
from spacy_synthesizrr.curation.leaks import Gold, GoldIndex, Leak, Row, cross_leaks, find_leaks
from spacy_synthesizrr.words import words

GOLD = ["The river rose two metres over night and took the bridge away.", "A dry summer is ahead, say farmers of the valley in June."]
CLEAN = "Nothing of this was ever written anywhere else, and nobody will miss it when it has gone."


def indexed(texts, n=8, **options):
    return GoldIndex(Gold(texts, [f"test:{number}" for number in range(len(texts))]), n, **options)


def find(texts, gold=GOLD, vectors=None, gold_vectors=None, *, similarity=None, ngram=8, **options):
    passages = [Passage(id=f"p{place}", text=text) for place, text in enumerate(texts)]
    rows = zip(passages, vectors if vectors is not None else [None] * len(passages), strict=True)
    return list(find_leaks(rows, indexed(gold, ngram, **options), similarity=similarity, vectors=gold_vectors))


def test_gold_text_in_corpus_is_a_leak_in_any_spelling():
    assert find([CLEAN, "the RIVER rose two metres over night, and took the bridge away"]) == [Leak("p1", "equal", 1.0, "test:0")]


def test_a_shared_run_of_words_is_a_leak():
    text = "People say: a dry summer is ahead, say farmers of the north."
    assert find([text, CLEAN], ngram=8) == [Leak("p0", "ngram", 2.0, "test:1")]


def test_a_run_one_word_shorter_is_none():
    assert find(["People say: a dry summer is ahead, say farmers everywhere."], ngram=8) == []


def test_the_gold_text_that_shares_most_is_named():
    text = "two metres over night and took the bridge away and then a dry summer is ahead say farmers of the valley"
    assert find([text], ngram=6)[0].gold == "test:1"


def test_a_run_over_the_border_of_two_passages_is_none():
    tokens = words(GOLD[0])
    assert find([" ".join(tokens[:7]), " ".join(tokens[7:])], ngram=8) == []


def test_a_short_gold_text_leaks_as_a_whole():
    assert find(["He said that heavy rain fell today, as always.", "Heavy rain fell."], ["Heavy rain fell today."]) == [
        Leak("p0", "ngram", 1.0, "test:0")
    ]


def test_a_very_short_gold_text_leaks_by_equality_only():
    assert find(["Heavy rain fell today.", "heavy rain"], ["Heavy rain!"]) == [Leak("p1", "equal", 1.0, "test:0")]
    assert len(find(["Heavy rain fell today."], ["Heavy rain!"], shortest_contained=2)) == 1


def test_a_gold_text_without_words_matches_only_itself():
    assert find(["?!", "rain", "…"], ["?!"]) == [Leak("p0", "equal", 1.0, "test:0")]


def test_without_gold_texts_there_are_no_leaks():
    assert find([CLEAN], []) == []
    assert find([CLEAN], [], [np.ones(2, "f4")], np.empty((0, 2), "f4"), similarity=0.5) == []


def test_hash_collisions_are_no_leaks(monkeypatch):
    monkeypatch.setattr(leaks, "word_hashes", lambda tokens: np.zeros(len(tokens), dtype=np.uint64))
    found = find([CLEAN, "So a dry summer is ahead, say farmers of the east."], ngram=8)
    assert [(leak.id, leak.score) for leak in found] == [("p1", 2.0)]


def test_a_similar_vector_is_a_leak_above_the_threshold_only():
    vectors = np.array([[1, 0], [0.8, 0.6], [0.6, 0.8], [0, 1]], dtype="f4")
    found = find([CLEAN] * 4, GOLD[:1], vectors, np.array([[1, 0]], dtype="f4"), similarity=0.6001)
    assert [(leak.id, leak.reason) for leak in found] == [("p0", "similarity"), ("p1", "similarity")]
    assert found[1].score == pytest.approx(0.8)


def test_words_count_before_vectors_and_passages_without_vector_are_compared_by_words():
    gold_vectors = np.array([[1, 0], [0, 1]], dtype="f4")
    found = find([GOLD[1], CLEAN, GOLD[0]], vectors=[np.array([1, 0], "f4"), None, None], gold_vectors=gold_vectors, similarity=0.5)
    assert [(leak.id, leak.reason, leak.gold) for leak in found] == [("p0", "equal", "test:1"), ("p2", "equal", "test:0")]


@pytest.mark.parametrize("gold_vectors", [None, np.ones((1, 2), dtype="f4")])
def test_a_threshold_without_a_vector_for_each_gold_text_is_refused(gold_vectors):
    with pytest.raises(ValueError, match="needs 2 gold vectors"):
        find([CLEAN], gold_vectors=gold_vectors, similarity=0.5)


def test_vectors_without_a_threshold_are_not_compared():
    vectors = np.array([[1, 0]], dtype="f4")
    assert find([CLEAN], GOLD[:1], vectors, vectors) == []


def test_leaks_come_while_passages_are_still_read(monkeypatch):
    monkeypatch.setattr(leaks, "TEXTS_PER_BLOCK", 2)
    endless = ((Passage(id=str(number), text=GOLD[0]), None) for number in itertools.count())
    found = find_leaks(endless, indexed(GOLD))
    assert [leak.id for leak in itertools.islice(found, 5)] == ["0", "1", "2", "3", "4"]


TOKENS = st.lists(st.sampled_from("abc"), max_size=14).map(" ".join)


@settings(max_examples=200)
@given(TOKENS, st.lists(TOKENS, max_size=4), st.integers(2, 5), st.integers(1, 5))
def test_shared_is_what_counting_by_hand_gives(text, gold, n, shortest):
    tokens = text.split()
    runs = set()
    for other in (item.split() for item in gold):
        size = min(len(other), n)
        if size >= min(shortest, n):
            runs |= {tuple(other[place : place + size]) for place in range(len(other) - size + 1)}
    by_hand = sum(tuple(tokens[place : place + size]) in runs for size in range(1, n + 1) for place in range(len(tokens) - size + 1))
    [match] = indexed(gold, n, shortest_contained=shortest).match([text], equality=False)
    assert (match.score if match else 0) == by_hand


@pytest.mark.parametrize(
    ("one", "other"), [("so good 👍", "so good 👎"), ("C++ rocks", "C# rocks"), ("fine :)", "fine :("), ("Heavy, rain", "heavy rain")]
)
def test_short_texts_are_equal_only_when_their_signs_are(one, other):
    assert find([one], [other]) == []
    assert [leak.reason for leak in find([f"  {one.upper()} "], [one])] == ["equal"]


def test_long_texts_that_differ_in_a_symbol_share_words_and_are_not_equal():
    assert [leak.reason for leak in find(["I like this a lot 👍"], ["I like this a lot 👎"])] == ["ngram"]
    assert [leak.reason for leak in find(["I like this, a lot"], ["I like this a lot!"])] == ["equal"]


@pytest.mark.parametrize("sign", ["\u00ad", "\u200b", "\u2060"])
def test_signs_that_nobody_sees_hide_no_leak(sign):
    assert [leak.reason for leak in find([sign.join(GOLD[0])])] == ["equal"]


def one_field(name, *texts):
    return [Row(f"{name}:{number}", (text,)) for number, text in enumerate(texts)]


def test_cross_leaks_name_both_texts():
    seeds, dev = one_field("seeds", CLEAN, GOLD[0]), one_field("dev", GOLD[1], "Once more: " + GOLD[0])
    assert cross_leaks(seeds, dev, one_field("test", CLEAN.upper(), GOLD[1])) == [
        Leak("seeds:1", "ngram", 5.0, "dev:1", "seed"),
        Leak("seeds:0", "equal", 1.0, "test:0", "seed"),
        Leak("dev:0", "equal", 1.0, "test:1", "dev"),
    ]


def test_rows_of_several_fields_are_equal_when_all_fields_are():
    seeds = [Row("s0", (GOLD[0], "It rained.")), Row("s1", ("Nothing new.", "It rained."))]
    [same, other, _] = cross_leaks(seeds, [Row("dev:1", (GOLD[0].upper(), "it rained"))], [Row("test:1", (GOLD[0], "It did not rain."))])
    assert (same.id, same.reason, same.gold) == ("s0", "equal", "dev:1")
    assert (other.id, other.reason, other.gold) == ("s0", "ngram", "test:1")


def test_cross_leaks_look_at_every_field():
    seeds = [Row("s", ("Something else.", f"They said: {GOLD[0]}"))]
    assert [(leak.reason, leak.score) for leak in cross_leaks(seeds, [], [Row("test:1", ("Another.", GOLD[0]))])] == [("ngram", 5.0)]


def test_cross_leaks_count_on_over_blocks(monkeypatch):
    monkeypatch.setattr(leaks, "TEXTS_PER_BLOCK", 1)
    assert [leak.id for leak in cross_leaks(one_field("s", CLEAN, CLEAN, GOLD[0]), one_field("dev", GOLD[0]), [])] == ["s:2"]


def test_leak_is_a_json_row():
    row = {"v": 1, "id": "p", "reason": "similarity", "score": 0.9123, "gold": "test:1", "what": "passage"}
    assert Leak("p", "similarity", 0.91234, "test:1").to_dict() == row
