import pytest

from spacy_synthesizrr.loop.told import gain, meaning, shortness

LEDGER = {"metric": "accuracy"}


def found(value, low, high, over=None):
    return {"value": value, "low": low, "high": high, "over_seeds": over and {"low": over[0], "high": over[1]}}


def one(test, **changes):
    return {"against": "goldgen", "rounds": [2, 2], "test": test, "selection": None, "short": {}, "why": "", **changes}


def test_an_interval_that_holds_zero_is_unclear():
    assert gain(one(found(0.012, -0.004, 0.028, (0.01, 0.02))), LEDGER).startswith(
        "Against goldgen (round 2 of both): +1.2 points [\N{MINUS SIGN}0.4, +2.8] on test. Unclear:"
    )


def test_a_clear_difference_with_one_training_seed_may_turn_round():
    assert "with one training seed, others may turn it round" in meaning(found(0.1, 0.05, 0.15), "goldgen")


def test_a_difference_that_other_trainings_may_turn_round_says_so():
    assert "other trainings may turn it round" in meaning(found(0.1, 0.05, 0.15, (-0.02, 0.2)), "random")


def test_a_difference_that_is_clear_in_both_ways():
    said = meaning(found(0.1, 0.05, 0.15, (0.02, 0.2)), "random")
    rather = "Writing after errors rather than after labelled rows drawn at random"
    assert said == f"{rather} helped on these test rows, and over training seeds [+2.0, +20.0]."


def test_a_loop_that_lies_behind_is_no_help():
    assert "did worse" in meaning(found(-0.1, -0.15, -0.05, (-0.2, -0.02)), "more-seed")


def test_rounds_that_differ_are_named():
    assert gain(one(found(0.1, 0.05, 0.15), rounds=[2, 0]), LEDGER).startswith("Against goldgen (loop: round 2; goldgen: the start): ")


def test_unequal_arms_are_no_comparison_of_equals():
    assert "goldgen has 1 row fewer and 3 calls more than the loop" in gain(
        one(found(0, -0.1, 0.1), short={"rows": 1, "calls": -3}), LEDGER
    )


def test_without_a_test_set_the_selection_part_proves_nothing():
    said = gain(one(None, selection=found(0.1, 0.05, 0.15), why="no test scores of both"), LEDGER)
    assert "nothing can be said" in said and "proves nothing" in said


@pytest.mark.parametrize("short, said", [({}, ""), ({"rows": 0}, ""), ({"rows": 2}, "2 rows fewer"), ({"calls": -1}, "1 call more")])
def test_shortness(short, said):
    assert shortness(short) == said
