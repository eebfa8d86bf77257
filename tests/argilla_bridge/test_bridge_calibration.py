from collections import Counter

import numpy as np
import pytest

from argilla_bridge.measures.accuracies import SUGGESTED, accuracies, kinds, said, skills
from argilla_bridge.measures.calibration import Bin, accepted, bin_of, bins, calibration_error, pull


def test_a_row_counts_once_however_many_answer_it():
    found = accepted(Counter({(2, 2): 5, (1, 2): 4, (0, 1): 1}))
    assert (found["value"], found["n"]) == (0.7, 10)


def test_the_pull_is_the_difference_and_the_share_of_copies():
    found = pull(Counter({(1, 1): 86, (0, 1): 14}), Counter({(1, 1): 80, (0, 1): 20}))
    assert (found["shown"]["value"], found["blind"]["value"]) == (0.86, 0.8)
    assert (found["difference"]["value"], found["copied"]["value"]) == (0.06, 0.3)


def test_without_blind_rows_there_is_no_pull():
    found = pull(Counter({(1, 1): 86}), Counter())
    assert found["copied"]["value"] is None and found["shown"]["n"] == 86


def test_people_who_accept_every_blind_row_leave_nothing_to_copy():
    assert pull(Counter({(1, 1): 9, (0, 1): 1}), Counter({(1, 1): 10}))["copied"]["value"] is None


def test_the_planted_pull_lies_in_the_interval():
    """Each of two people copies in 30 % of the rows that show a suggestion; otherwise both accept by the same hidden truth."""
    inside = Counter()
    truth = 0.8 * 0.9 + 0.2 * 0.03  # of blind acceptance
    for seed in range(80):
        rng = np.random.default_rng(seed)
        arms = []
        for shown, rows in ((True, 800), (False, 300)):
            right = rng.random(rows) < 0.8
            votes = [(rng.random(rows) < np.where(right, 0.9, 0.03)) | (shown & (rng.random(rows) < 0.3)) for _ in range(2)]
            arms.append(Counter((int(a) + int(b), 2) for a, b in zip(*votes, strict=True)))
        found = pull(*arms)
        inside["copied"] += found["copied"]["low"] <= 0.3 <= found["copied"]["high"]
        inside["difference"] += found["difference"]["low"] <= 0.3 * (1 - truth) <= found["difference"]["high"]
        inside["blind"] += found["blind"]["low"] <= truth <= found["blind"]["high"]
    # of 80 intervals of 95 %, fewer than 69 hold with a probability below 1 in 1,000; a clustered pair must not make them too narrow
    assert min(inside.values()) >= 69, inside


def test_the_pull_of_few_blind_rows_holds_as_often_as_it_says():
    """90 rows that show the suggestion, 10 that do not; where all of those were accepted anything is possible, and nothing is said."""
    rng, held, drawn = np.random.default_rng(0), Counter(), 1500
    blind, copies = 0.8, 0.3
    accepted_shown = copies + (1 - copies) * blind
    for yes, without in zip(rng.binomial(90, accepted_shown, drawn), rng.binomial(10, blind, drawn), strict=True):
        found = pull(Counter({(1, 1): yes, (0, 1): 90 - yes}), Counter({(1, 1): without, (0, 1): 10 - without}))
        held["difference"] += found["difference"]["low"] <= accepted_shown - blind <= found["difference"]["high"]
        copied = found["copied"]
        held["copied"] += copied["low"] is None or copied["low"] <= copies <= copied["high"]
    assert all(0.93 <= count / drawn <= 0.98 for count in held.values()), held


def test_arms_that_all_accept_leave_doubt_about_the_pull():
    found = pull(Counter({(1, 1): 30}), Counter({(1, 1): 3}))
    assert (found["difference"]["value"], found["copied"]["value"]) == (0.0, None)
    assert found["difference"]["low"] < -0.1 and found["difference"]["high"] > 0.5


def test_one_blind_row_says_little():
    found = pull(Counter({(1, 1): 30}), Counter({(0, 1): 1}))["difference"]
    assert found["value"] == 1.0 and found["low"] < 0.25


@pytest.mark.parametrize(("score", "number"), [(0.0, 0), (0.0999, 0), (0.1, 1), (0.95, 9), (1.0, 9)])
def test_bins_of_a_score(score, number):
    assert bin_of(score) == number


def test_bins_and_the_calibration_error():
    found = {9: Bin(), 4: Bin()}
    for _ in range(10):
        found[9].add(0.9, 1, 1, shown=True)
    for place in range(10):
        found[4].add(0.4, int(place < 2), 1, shown=place % 2 == 0)
    rows = bins(found)
    assert [(row["low"], row["high"], row["rows"], row["score"]) for row in rows] == [(0.4, 0.5, 10, 0.4), (0.9, 1.0, 10, 0.9)]
    assert [row["shown"]["value"] for row in rows] == [0.2, 1.0]
    assert calibration_error(rows, "shown") == pytest.approx((5 * 0.2 + 10 * 0.1) / 15, abs=0.0001)
    assert calibration_error([], "blind") is None


def test_each_arm_is_held_against_its_own_scores():
    found = {9: Bin()}
    for place in range(20):
        found[9].add(1.0, 1, 1, shown=True)
        found[9].add(0.9, int(place % 10 > 0), 1, shown=False)
    (row,) = rows = bins(found)
    assert (row["score"], row["scores"], row["rows"]) == (0.95, {"shown": 1.0, "blind": 0.9}, 40)
    assert (calibration_error(rows, "shown"), calibration_error(rows, "blind")) == (0.0, 0.0)


# accuracies without truth


def answered(rng, rows, right, kinds=4):
    truth = rng.integers(kinds, size=rows)
    wrong = lambda: (truth + rng.integers(1, kinds, size=rows)) % kinds  # noqa: E731
    return {name: np.where(rng.random(rows) < p, truth, wrong()) for name, p in right.items()}


def patterns(given):
    return Counter(said({name: int(values[row]) for name, values in given.items()}) for row in range(len(next(iter(given.values())))))


def test_rows_that_are_alike_in_who_agrees_are_one_pattern():
    assert said({"ann": "sport", "bob": "science", "": "sport"}) == said({"ann": "cooking", "bob": "sport", "": "cooking"})


def test_three_sources_tell_how_often_each_is_right():
    right = {"ann": 0.95, "bob": 0.8, SUGGESTED: 0.7}
    found = accuracies(patterns(answered(np.random.default_rng(0), 20_000, right)), 4, seed=0)
    assert {name: one["value"] for name, one in found.items()} == pytest.approx(right, abs=0.015)


def test_four_sources_are_fitted_together():
    right = {"ann": 0.95, "bob": 0.8, "cleo": 0.6, SUGGESTED: 0.7}
    found = accuracies(patterns(answered(np.random.default_rng(0), 20_000, right)), 4, seed=0)
    assert {name: one["value"] for name, one in found.items()} == pytest.approx(right, abs=0.015)


def test_people_who_never_meet_are_told_apart_by_the_others():
    given = answered(np.random.default_rng(0), 30_000, {"ann": 0.95, "bob": 0.8, "cleo": 0.6, SUGGESTED: 0.7})
    found = Counter()
    for row in range(30_000):
        absent = ("ann", "bob", "cleo")[row % 3]
        found[said({name: int(values[row]) for name, values in given.items() if name != absent})] += 1
    made = accuracies(found, 4, seed=0)
    assert {name: one["value"] for name, one in made.items()} == pytest.approx({"ann": 0.95, "bob": 0.8, "cleo": 0.6, "": 0.7}, abs=0.02)
    assert made["ann"]["n"] == 20_000 and made[""]["n"] == 30_000


def test_planted_accuracies_lie_in_the_intervals():
    right, inside = {"ann": 0.95, "bob": 0.8, SUGGESTED: 0.8}, Counter()
    for seed in range(60):
        found = accuracies(patterns(answered(np.random.default_rng(seed), 400, right)), 4, seed=0)
        inside.update(name for name, p in right.items() if found[name]["low"] <= p <= found[name]["high"])
    assert min(inside[name] for name in right) >= 51, inside


def test_uneven_errors_of_the_suggestion_do_no_harm():
    """As long as those of people are even: the suggestion always errs towards the same label."""
    rng = np.random.default_rng(0)
    given = answered(rng, 30_000, {"ann": 0.95, "bob": 0.8, SUGGESTED: 1.0})
    given[SUGGESTED] = np.where(rng.random(30_000) < 0.25, 0, given[SUGGESTED])
    found = accuracies(patterns(given), 4, seed=0)
    assert found["ann"]["value"] == pytest.approx(0.95, abs=0.015)
    assert found[SUGGESTED]["value"] == pytest.approx(1 - 0.25 * 0.75, abs=0.015)


def test_two_sources_tell_nothing():
    assert accuracies(patterns(answered(np.random.default_rng(0), 100, {"ann": 0.9, "bob": 0.8})), 4, seed=0)["ann"]["value"] is None


def test_who_guesses_has_no_accuracy():
    found = accuracies(patterns(answered(np.random.default_rng(1), 2000, {"ann": 0.25, "bob": 0.25, SUGGESTED: 0.25})), 4, seed=0)
    assert all(one["low"] is None or one["high"] - one["low"] > 0.1 for one in found.values())


def meeting(right, groups, rows, *, seed=0):
    """Sources that answer in groups, of which each row has the next: who is in no group together never meets."""
    given, found = answered(np.random.default_rng(seed), rows, right), Counter()
    for row in range(rows):
        found[said({name: int(given[name][row]) for name in groups[row % len(groups)]})] += 1
    return found


ALONE = [("ann", SUGGESTED), ("bob", SUGGESTED), ("cleo", SUGGESTED)]


@pytest.mark.parametrize("right", [(0.95, 0.9, 0.85, 0.6), (0.6, 0.6, 0.6, 0.95)])
def test_people_who_meet_the_suggestion_alone_have_no_accuracy(right):
    found = accuracies(meeting(dict(zip(("ann", "bob", "cleo", SUGGESTED), right, strict=True)), ALONE, 3000), 4, seed=0)
    assert {name: (one["value"], one["low"], one["n"]) for name, one in found.items()} == {
        "ann": (None, None, 1000), "bob": (None, None, 1000), "cleo": (None, None, 1000), SUGGESTED: (None, None, 3000),
    }  # fmt: skip


def test_nor_have_those_whom_the_suggestion_happens_to_follow():
    found = accuracies(meeting({"ann": 1.0, "bob": 0.9, "cleo": 0.9, SUGGESTED: 1.0}, ALONE, 600), 4, seed=0)
    assert all(one["value"] is None for one in found.values())


def test_what_the_least_squares_find_depends_on_no_start():
    """Three people around the suggestion: a product per pair, and a whole line of skills that fit; a fourth pair leaves one."""
    met = np.array([[900.0, 900.0, 900.0]])
    assert np.isnan(skills(met, met * [[0.6, 0.62, 0.65]], [(0, 1), (0, 2), (0, 3)], 4, 4)).all()
    found = skills(np.full((1, 4), 900.0), 900 * np.array([[0.6, 0.62, 0.65, 0.8]]), [(0, 1), (0, 2), (0, 3), (1, 2)], 4, 4)
    assert np.isfinite(found).all()


def test_no_accuracy_is_above_1():
    """Agreements that few rows may show: by the product formula alone the suggestion's skill would be 1.12."""
    found = Counter()
    for pair, alike in ((("ann", "bob"), 40), (("ann", SUGGESTED), 63), (("bob", SUGGESTED), 63)):
        found[said(dict.fromkeys(pair, 0))] += alike
        found[said(dict(zip(pair, (0, 1), strict=True)))] += 100 - alike
    made = accuracies(found, 4, seed=0)
    assert made[SUGGESTED]["high"] == 1.0 and 0.9 < made[SUGGESTED]["value"] <= 1.0
    assert made["ann"]["low"] < (1 + 3 * (0.2 / 1.0) ** 0.5) / 4 < made["ann"]["high"]


def test_a_handful_of_meetings_is_none():
    right = {"ann": 0.95, "bob": 0.9, "cleo": 0.85, SUGGESTED: 0.6}
    few = meeting(right, ALONE, 3000) + meeting(right, [("ann", "bob", SUGGESTED)], 19)
    assert all(one["value"] is None for one in accuracies(few, 4, seed=0).values())
    found = accuracies(few + meeting(right, [("ann", "bob", SUGGESTED)], 400, seed=1), 4, seed=0)
    assert {name: one["value"] for name, one in found.items()} == pytest.approx(right, abs=0.08)


def test_who_meets_somebody_of_a_round_of_three_has_an_accuracy():
    right = {"ann": 0.95, "bob": 0.8, "cleo": 0.7, SUGGESTED: 0.85}
    found = accuracies(meeting(right, [("ann", "bob", SUGGESTED), ("cleo", "bob")], 20_000), 4, seed=0)
    assert {name: one["value"] for name, one in found.items()} == pytest.approx(right, abs=0.03)


def test_a_round_of_four_fixes_nothing_and_one_of_five_does():
    right = dict(zip("abcde", (0.95, 0.9, 0.85, 0.8, 0.75), strict=True))
    four, five = list(zip("abcd", "bcda", strict=True)), list(zip("abcde", "bcdea", strict=True))
    assert all(one["value"] is None for one in accuracies(meeting(right, four, 4000), 4, seed=0).values())
    found = accuracies(meeting(right, five, 40_000), 4, seed=0)
    assert {name: one["value"] for name, one in found.items()} == pytest.approx(right, abs=0.04)


def test_planted_accuracies_of_four_lie_in_the_intervals():
    """Weak people and a strong suggestion; a tenth of the rows has two of the people."""
    right, inside = {"ann": 0.6, "bob": 0.6, "cleo": 0.6, SUGGESTED: 0.95}, Counter()
    for seed in range(10):
        pairs = [("ann", "bob", SUGGESTED), ("bob", "cleo", SUGGESTED), ("ann", "cleo", SUGGESTED)]
        found = accuracies(meeting(right, ALONE, 1800, seed=seed) + meeting(right, pairs, 200, seed=seed + 100), 4, seed=0)
        inside.update(found[name]["low"] is None or found[name]["low"] <= p <= found[name]["high"] for name, p in right.items())
    assert inside[True] >= 34, inside


def test_answers_that_are_hardly_ever_given_do_not_count_as_possible():
    assert kinds(Counter(sport=500, science=450, cooking=49, politics=1)) == 3
    assert kinds(Counter(sport=5, science=1)) == 2
    assert kinds(Counter()) == 0
