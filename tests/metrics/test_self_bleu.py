"""Self-BLEU."""

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spacy_synthesizrr.metrics import self_bleu as module
from spacy_synthesizrr.metrics.self_bleu import self_bleu, self_bleu_each
from spacy_synthesizrr.metrics.tokens import tokenizer, tokens

SETS = st.lists(st.lists(st.sampled_from("a b c d".split()), max_size=9), min_size=2, max_size=7)
SIX = """The striker scored late in the cup match .
The keeper saved two penalties before the break .
the striker scored late in the final !
The league leaders lost at home , again and again and again .
Home .
A comet passes Mars"""
# nltk 3.10.4: sentence_bleu(the others, text, [1 / n] * n, SmoothingFunction().method1) of these six, for n = 1 … 5
NLTK = """0.7777777777777778 0.3333333333333333 0.5515605641153721 0.15384615384615385 0.18393972058572117 0
0.6236095644623236 0.06454972243679029 0.527392772809048 0.03580574370197164 0.082260343798398 0
0.5503212081491045 0.039044833280954025 0.496955133016974 0.022672751986978285 0.06290649956800316 0
0.4854917717073234 0.03155984539112946 0.45622720708659226 0.018476860420522198 0.05501080739920602 0
0.4065851364889782 0.028808052028079817 0.3945259591707053 0.01668991175936061 0.05075741768260151 0"""


def grams(text, n):
    return Counter(tuple(text[place : place + n]) for place in range(len(text) - n + 1))


def bleu(text, others, longest):
    """The definition, spelt out."""
    nearest = min((len(other) for other in others), key=lambda length: (abs(length - len(text)), length))
    brevity = 1.0 if len(text) > nearest else math.exp(1 - nearest / len(text)) if text else 0.0
    precisions = []
    for n in range(1, longest + 1):
        limit = Counter()
        for other in others:
            limit |= grams(other, n)
        matches = sum(min(count, limit[gram]) for gram, count in grams(text, n).items())
        if n == 1 and not matches:
            return 0.0
        precisions.append((matches or 0.1) / max(1, len(text) - n + 1))
    return brevity * math.exp(math.fsum(math.log(one) for one in precisions) / longest)


def test_values_are_those_of_nltk():
    found = self_bleu_each([line.split() for line in SIX.splitlines()])
    assert found == pytest.approx(np.array([[float(value) for value in line.split()] for line in NLTK.splitlines()]), abs=1e-15)


@given(SETS, st.sampled_from([1, 3, 2**17]))
def test_each_text_has_its_bleu_against_all_others_whatever_the_blocks(texts, block):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "BLOCK", block)
        found = self_bleu_each(texts)
    for n in range(1, 6):
        expected = [bleu(text, texts[:place] + texts[place + 1 :], n) for place, text in enumerate(texts)]
        assert found[n - 1] == pytest.approx(expected, abs=1e-12)


@given(SETS)
def test_names_too_large_for_one_number_are_sorted_all_the_same(texts):
    names = np.array([len(text) << 58 for text in texts], dtype=np.int64)
    order, ordered = module._sorted(names)
    assert list(ordered) == sorted(names) and list(order) == sorted(range(len(names)), key=lambda place: (names[place], place))


def test_one_text_repeated_has_the_value_1():
    assert self_bleu([["a", "b", "c", "d", "e"]] * 4) == pytest.approx([1.0] * 5)


def test_texts_with_nothing_in_common_have_the_value_0():
    assert self_bleu([["a", "b"], ["c", "d"]]) == [0.0] * 5


def test_fewer_than_two_texts_have_no_value():
    assert self_bleu([]) is None
    assert self_bleu([["a"]]) is None


def test_n_below_one_is_refused():
    with pytest.raises(ValueError, match=r"n ≥ 1 \(was: 0\)"):
        self_bleu([["a"], ["b"]], 0)


@given(SETS, st.randoms(use_true_random=False))
def test_order_does_not_count(texts, chance):
    shuffled = list(texts)
    chance.shuffle(shuffled)
    assert self_bleu(shuffled) == pytest.approx(self_bleu(texts), abs=1e-12)


def test_tokens_are_those_of_spacy_with_their_case():
    assert tokens(["Don't panic,  Ann!", ""], tokenizer("en")) == [["Do", "n't", "panic", ",", " ", "Ann", "!"], []]
