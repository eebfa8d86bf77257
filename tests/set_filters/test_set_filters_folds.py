"""No row is judged by a student that saw it, its seed or a row of the same seed."""

from spacy_synthesizrr.set_filters.folds import make_folds

KEYS = {f"{key}{number}": key for key in "ab" for number in range(6)}
ROWS = [(f"row{number}", seed) for number, seed in enumerate(list(KEYS) * 3)]
SEEDS = [(seed, key) for seed, key in KEYS.items()]


def test_a_seed_and_all_rows_of_it_share_a_fold():
    folds = make_folds(ROWS, SEEDS, keys=KEYS, count=3, seed=0)
    own = dict(zip(KEYS, folds.labelled, strict=True))
    assert folds.by == "seed"
    assert [own[seed] for _, seed in ROWS] == list(folds.rows)


def test_every_label_is_spread_over_the_folds():
    folds = make_folds(ROWS, SEEDS, keys=KEYS, count=3, seed=0)
    for key in "ab":
        own = [fold for (_, seed), fold in zip(ROWS, folds.rows, strict=True) if KEYS[seed] == key]
        assert sorted(own.count(fold) for fold in range(3)) == [6, 6, 6]


def test_which_fold_follows_from_ids_and_not_from_their_order():
    turned = make_folds(ROWS[::-1], SEEDS[::-1], keys=KEYS, count=3, seed=0)
    assert turned.rows[::-1] == make_folds(ROWS, SEEDS, keys=KEYS, count=3, seed=0).rows


def test_a_label_with_one_seed_lies_in_one_fold_and_the_others_are_dealt_by_seed_all_the_same():
    keys = {"a0": "a", "a1": "a", "b0": "b"}
    rows = [(f"row{number}", seed) for number, seed in enumerate(["a0", "a1", "b0", "b0", "b0", "b0"])]
    folds = make_folds(rows, [("b0", "b"), ("a0", "a")], keys=keys, count=2, seed=0)
    assert folds.by == "seed" and folds.rows[0] != folds.rows[1]
    assert {*folds.rows[2:], folds.labelled[0]} == {folds.rows[2]} and folds.labelled[1] == folds.rows[0]


def test_label_sets_with_one_seed_each_are_dealt_by_seed_as_their_labels_stand_in_other_sets_too():
    keys = {"s0": "a", "s1": "a + b", "s2": "b"}
    rows = [(f"row{number}", f"s{number % 3}") for number in range(12)]
    folds = make_folds(rows, [], keys=keys, count=3, seed=0, exclusive=False)
    assert folds.by == "seed" and sorted(folds.rows[:3]) == [0, 1, 2] and folds.rows[:3] * 4 == folds.rows


def test_with_one_seed_for_every_label_rows_are_dealt_alone():
    rows = [(f"row{number}", seed) for number, seed in enumerate(["a0", "a0", "b0", "b0"])]
    folds = make_folds(rows, [], keys={"a0": "a", "b0": "b"}, count=2, seed=0)
    assert folds.by == "row" and sorted(folds.rows[2:]) == [0, 1]


def test_rows_of_descriptions_have_no_text_in_common_and_are_dealt_alone():
    keys = {"a0": "a", "a1": "a", "b0": "b"}
    rows = [(f"row{number}", seed) for number, seed in enumerate(["a0", "a1", "b0", "b0", "b0", "b0"])]
    folds = make_folds(rows, [], keys=keys, count=2, seed=0, described={"b0"})
    assert folds.by == "seed" and sorted(folds.rows[2:]) == [0, 0, 1, 1]


def test_gold_rows_that_are_no_seeds_get_folds_too():
    folds = make_folds(ROWS, [*SEEDS, ("train:1", "a"), ("train:2", "a"), ("train:3", "b")], keys=KEYS, count=3, seed=0)
    assert len(folds.labelled) == len(SEEDS) + 3 and set(folds.labelled) == {0, 1, 2}
