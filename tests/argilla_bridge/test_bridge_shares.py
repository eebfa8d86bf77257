import pytest
from hypothesis import given
from hypothesis import strategies as st

from argilla_bridge.rounds.shares import agreeing

AWAY = frozenset({""})


@pytest.mark.parametrize(("answers", "won", "share"), [
    (["ab", "bc", "ac"], "abc", 2 / 3),  # no answer won, and each label has two of three
    (["ab", "a"], "a", 3 / 4),  # both say a, one says b
    (["ab", "ab"], "ab", 1.0),
    (["ab", "cd"], "ab", 1 / 2),
    (["a", "a", "b"], "a", 2 / 3),  # one label each: who said just that
    (["a", "b", "c", "a"], "a", 1 / 2),
    (["ab", "ab", None], "ab", 2 / 3),  # who turns the row away agrees with no label
    (["ab", None, None], None, 2 / 3),
    ([""], "", 1.0),
])  # fmt: skip
def test_the_share_that_agrees(answers, won, share):
    said = [AWAY if one is None else frozenset(one) for one in (*answers, won)]
    assert agreeing(said[:-1], said[-1], away=AWAY) == pytest.approx(share)


SETS = st.frozensets(st.sampled_from("abcd"), max_size=3) | st.just(AWAY)


@given(st.lists(SETS, min_size=1, max_size=5), SETS)
def test_it_is_a_share_and_whole_only_where_all_agree(answers, won):
    found = agreeing(answers, won, away=AWAY)
    assert 0 <= found <= 1
    assert (found == 1) == all(answer == won for answer in answers)
