import numpy as np
import pytest
from given_store import at_angles, make_seed, make_task

from spacy_synthesizrr.sourcing.margins import Closeness, best_share, margins
from spacy_synthesizrr.sourcing.seeds import SeedSet, group_seeds
from spacy_synthesizrr.sourcing.settings import PlanSettings


def seed_set(*labels: tuple[str, ...]) -> SeedSet:
    from spacy_synthesizrr.candidates import Seed

    seeds = [Seed(f"{i:02}", names, {"text": str(i)}) for i, names in enumerate(labels)]
    keys = tuple(sorted({" + ".join(names) for names in labels}))
    return SeedSet(tuple(seeds), keys, np.array([keys.index(" + ".join(names)) for names in labels], dtype=np.int32))


def test_margin_is_own_mean_of_the_nearest_minus_the_best_other_mean():
    found = seed_set(("a",), ("a",), ("b",), ("b",))
    vectors = np.array([[1, 0], [0.6, 0.8], [0, 1], [-1, 0]], dtype=np.float32)
    closeness = Closeness.make(vectors, found, nearest=2).of(np.array([[1, 0]], dtype=np.float32))
    assert closeness[0].tolist() == pytest.approx([0.8, -0.5])
    assert margins(closeness, np.array([0, 0]), np.array([0, 1]), found).tolist() == pytest.approx([1.3, -1.3])


def test_only_the_nearest_seeds_count():
    found = seed_set(("a",), ("a",), ("b",), ("b",))
    closeness = Closeness.make(np.array(at_angles([0, 90, 60, 180]), dtype=np.float32), found, nearest=1)
    assert closeness.of(np.array([[1, 0]], dtype=np.float32))[0].tolist() == pytest.approx([1.0, 0.5], abs=1e-6)


def test_label_with_few_seeds_has_no_advantage():
    found = seed_set(("a",), ("b",), ("b",), ("b",))
    closeness = Closeness.make(np.array(at_angles([0, 0, 90, 90]), dtype=np.float32), found, nearest=3)
    assert closeness.of(np.array([[1, 0]], dtype=np.float32))[0].tolist() == pytest.approx([1.0, 1.0])


def test_margin_is_undefined_without_another_label():
    found = seed_set(("a",), ("a",))
    assert np.isnan(margins(np.array([[0.5]], dtype=np.float32), np.array([0]), np.array([0]), found)).all()


def test_label_sets_that_share_a_label_are_no_rivals():
    found = seed_set(("a",), ("a", "b"), ("b",))
    assert found.keys == ("a", "a + b", "b")
    assert found.rivals == ((2,), (), (0,))


def test_best_share_is_taken_per_label_and_rounded_up():
    margin = np.array([0.1, 0.9, 0.5, -0.2, -0.1], dtype=np.float32)
    group = np.array([0, 0, 0, 1, 1])
    stays = best_share(margin, np.array([0, 1, 2, 3, 4]), group, np.ones(5, bool), keep=0.5)
    assert stays.tolist() == [False, True, True, False, True]


def test_hits_of_one_passage_count_once_in_the_share():
    margin = np.array([0.9, 0.9, 0.9, 0.1], dtype=np.float32)
    stays = best_share(margin, np.array([0, 0, 0, 1]), np.zeros(4, int), np.ones(4, bool), keep=0.5)
    assert stays.tolist() == [True, True, True, False]


def test_hits_without_a_margin_stay():
    stays = best_share(np.array([np.nan, np.nan], dtype=np.float32), np.array([0, 1]), np.zeros(2, int), np.ones(2, bool), keep=0.1)
    assert stays.all()


def test_grouping_does_not_depend_on_the_order_of_the_seeds():
    seeds = [make_seed("a", "one"), make_seed("b", "two"), make_seed("a", "three")]
    task, settings = make_task("a", "b"), PlanSettings()
    forward = group_seeds(seeds, task=task, settings=settings, seed=0)
    backward = group_seeds(reversed(seeds), task=task, settings=settings, seed=0)
    assert forward.seeds == backward.seeds and forward.group.tolist() == backward.group.tolist()
