"""Exact duplicates of seeds and of earlier rows."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spacy_synthesizrr.candidates import Candidate, Seed
from spacy_synthesizrr.curation import duplicates
from spacy_synthesizrr.curation.duplicates import ExactDuplicate, SeenDigests, make_exact_duplicate
from spacy_synthesizrr.curation.verdicts import ACCEPT, FilterInputs, Verdict
from spacy_synthesizrr.taskfile import read_task
from spacy_synthesizrr.words import comparable

ROW = Candidate.plan(task="t", strategy="s", seed=Seed.make(["sport"], {"text": "a"}), passage_id="p")
PAIR = Path(__file__).parents[1] / "fixtures" / "pair"
DIGESTS = st.integers(0, 2**64 - 1)


def ask(judge, text, **fields):
    """Judge a row and let it be remembered when it is accepted."""
    candidate = replace(ROW, fields={**fields, "text": text})
    verdict = judge(candidate, text, "")
    if verdict.accepted:
        judge.remember(candidate, text)
    return verdict


@pytest.mark.parametrize("same", ["Oslo wins", " oslo   WINS! ", "“Oslo wins.”", "Oslo\nwins…", "Ｏslo wins"])
def test_normalised_equals_are_duplicates(same):
    judge = ExactDuplicate(["text"])
    assert ask(judge, "Oslo wins.") == ACCEPT
    assert ask(judge, same) == Verdict(False, "duplicate")


@pytest.mark.parametrize("other", ["Oslo wins again", "Oslo won", "Oslo, wins", "Oslo wins+"])
def test_other_texts_are_no_duplicates(other):
    judge = ExactDuplicate(["text"])
    ask(judge, "Oslo wins")
    assert ask(judge, other) == ACCEPT


def test_copy_of_a_seed_is_told_from_a_duplicate():
    judge = ExactDuplicate(["text"], ["Oslo wins."])
    assert ask(judge, "OSLO WINS") == Verdict(False, "seed_copy")


def test_asking_twice_without_remembering_gives_the_same():
    judge = ExactDuplicate(["text"])
    candidate = replace(ROW, fields={"text": "Oslo wins"})
    assert judge(candidate, "Oslo wins", "") == judge(candidate, "Oslo wins", "") == ACCEPT


def test_one_hypothesis_may_stand_with_two_premises():
    judge = ExactDuplicate(["premise", "text"])
    assert ask(judge, "It rains.", premise="Clouds.") == ACCEPT
    assert ask(judge, "It rains.", premise="Sun.") == ACCEPT
    assert ask(judge, "It rains.", premise="clouds") == Verdict(False, "duplicate")


def test_text_that_moves_between_fields_is_another_row():
    judge = ExactDuplicate(["premise", "text"])
    ask(judge, "b c", premise="a")
    assert ask(judge, "c", premise="a b") == ACCEPT


def test_factory_takes_all_fields_and_the_seeds_of_the_run():
    judge = make_exact_duplicate()(FilterInputs(read_task(PAIR), ("Nobody lives here.",)))
    assert judge.names == ("premise", "hypothesis")
    assert ask(judge, "Nobody lives here").reason == "seed_copy"


def test_seeds_can_be_left_out():
    judge = make_exact_duplicate(seeds=False)(FilterInputs(read_task(PAIR), ("Nobody lives here.",)))
    assert ask(judge, "Nobody lives here") == ACCEPT


def test_lone_surrogates_do_no_harm():
    assert ask(ExactDuplicate(["text"]), "a \ud800 b") == ACCEPT


@given(st.lists(st.sampled_from(["a", "b", "A!", "b c", " B  c", "", "?"]), max_size=30))
def test_replay_gives_the_same_verdicts(texts):
    first, second = ExactDuplicate(["text"]), ExactDuplicate(["text"])
    assert [ask(first, text) for text in texts] == [ask(second, text) for text in texts]


@given(st.lists(st.sampled_from(["a", "b", "A!", "b c", " B  c"]), max_size=30))
def test_accepted_texts_are_all_different(texts):
    judge = ExactDuplicate(["text"])
    kept = [comparable(text) for text in texts if ask(judge, text).accepted]
    assert len(kept) == len(set(kept)) == len({comparable(text) for text in texts})


@given(st.lists(DIGESTS, max_size=40), st.lists(DIGESTS, max_size=10))
def test_seen_digests_is_a_set(added, others):
    seen = SeenDigests(buffer=4)
    for value in added:
        seen.add(value)
    for value in [*added, *others, 0, 2**64 - 1]:
        assert (value in seen) == (value in set(added))


def test_a_hundred_thousand_digests_take_eight_bytes_each():
    seen = SeenDigests()
    for value in range(100_000):
        seen.add(value * 7919)
    assert seen._sorted.nbytes + 8 * len(seen._recent) == 800_000
    assert len(seen._recent) < duplicates.BUFFER
