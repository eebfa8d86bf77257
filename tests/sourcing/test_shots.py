import random

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from spacy_synthesizrr.candidates import Seed
from spacy_synthesizrr.sourcing.seeds import SeedSet
from spacy_synthesizrr.sourcing.shots import Shots, lazily_shuffled


def seeds(*labels: str, origin: str = "gold") -> SeedSet:
    keys = tuple(sorted(set(labels)))
    made = tuple(Seed(f"s{i}", (label,), {"text": f"text {i}"}, origin) for i, label in enumerate(labels))
    return SeedSet(made, keys, np.array([keys.index(label) for label in labels], dtype=np.int32))


def test_shots_have_the_label_of_the_row():
    found = Shots(seeds("a", "b", "a", "b"), 5).draw(random.Random(0), 1)
    assert {shot.seed_id for shot in found} == {"s1", "s3"}


def test_the_seed_that_retrieved_the_passage_is_no_shot():
    shots = Shots(seeds("a", "a", "a"), 3)
    assert all("s1" not in {shot.seed_id for shot in shots.draw(random.Random(n), 0, but=1)} for n in range(20))


def test_equal_seeds_of_the_random_generator_give_equal_shots():
    shots = Shots(seeds(*"a" * 20), 4)
    assert shots.draw(random.Random("x"), 0) == shots.draw(random.Random("x"), 0)
    assert shots.draw(random.Random("x"), 0) != shots.draw(random.Random("y"), 0)


def test_pairs_come_from_seeds_that_have_a_passage():
    found = Shots(seeds("a", "a", "a"), 3, pairs={0: ["p0"], 2: ["p2"]}).draw(random.Random(0), 0)
    assert {(shot.seed_id, shot.passage_id) for shot in found} == {("s0", "p0"), ("s2", "p2")}


def test_one_passage_is_shown_once_though_two_seeds_found_it():
    shots = Shots(seeds("a", "a"), 2, pairs={0: ["p"], 1: ["p"]})
    assert len(shots.draw(random.Random(0), 0)) == 1


def test_the_passage_of_the_prompt_is_not_shown_in_a_pair():
    shots = Shots(seeds("a", "a"), 2, pairs={0: ["p", "q"], 1: ["p"]})
    assert [shot.passage_id for shot in shots.draw(random.Random(0), 0, passage_id="p")] == ["q"]


def test_label_description_is_no_shot():
    assert Shots(seeds("a", "a", origin="description"), 2).draw(random.Random(0), 0) == ()


@given(st.lists(st.integers(), max_size=30, unique=True), st.integers())
def test_lazy_shuffle_is_a_permutation(items, seed):
    assert sorted(lazily_shuffled(items, random.Random(seed))) == sorted(items)


@given(st.integers(1, 12), st.integers(0, 8), st.integers(0, 11), st.integers())
def test_no_seed_twice_in_one_prompt(members, wanted, own, seed):
    found = [shot.seed_id for shot in Shots(seeds(*"a" * members), wanted).draw(random.Random(seed), 0, but=own)]
    assert len(found) == len(set(found)) == min(wanted, members - (own < members))
