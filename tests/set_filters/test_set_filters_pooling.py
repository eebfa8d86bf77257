"""Several judges, one probability."""

import numpy as np
import pytest

from spacy_synthesizrr.set_filters.judges import log_probabilities, vote_evidence
from spacy_synthesizrr.set_filters.pooling import (
    auroc,
    counted_share,
    deal,
    equal_weights,
    fit_weights,
    make_pool,
    posterior,
    right_interval,
    right_share,
    score_of,
    wilson,
    with_intent,
)


def one_hot(numbers, labels=3):
    return np.eye(labels)[np.asarray(numbers)]


def judged(rows, *, sharpness, seed=0, labels=3):
    """Rows of a judge that is calibrated when its evidence is multiplied by 1 / sharpness, and the labels that are right."""
    random = np.random.default_rng(seed)
    logits = random.normal(0, 1.5, (rows, labels))
    scores = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    gold = np.array([random.choice(labels, p=row) for row in scores])
    return sharpness * (logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))), one_hot(gold, labels)


@pytest.mark.parametrize("sharpness", [0.25, 1.0, 3.0])
def test_one_judge_gets_the_weight_that_makes_it_calibrated(sharpness):
    evidence, gold = judged(3000, sharpness=sharpness)
    assert fit_weights({"a": evidence}, gold, exclusive=True)["a"] == pytest.approx(1 / sharpness, rel=0.1)


def test_a_judge_that_guesses_gets_next_to_no_weight():
    good, gold = judged(2000, sharpness=1.0)
    noise, _ = judged(2000, sharpness=1.0, seed=1)
    weights = fit_weights({"good": good, "noise": noise}, gold, exclusive=True)
    assert weights["good"] == pytest.approx(1, abs=0.15) and weights["noise"] < 0.1


def test_two_equal_judges_count_no_more_than_one():
    evidence, gold = judged(1500, sharpness=1.0)
    assert sum(fit_weights({"a": evidence, "b": evidence}, gold, exclusive=True).values()) == pytest.approx(1, abs=0.15)


def test_judges_that_are_always_right_do_not_get_endless_weight():
    evidence = log_probabilities(one_hot([0, 1, 2] * 10) * 0.8 + 0.1 * (1 - one_hot([0, 1, 2] * 10)), exclusive=True)
    assert 1 < fit_weights({"a": evidence}, one_hot([0, 1, 2] * 10), exclusive=True)["a"] < 20


@pytest.mark.parametrize(
    ("gold", "why"),
    [
        (np.zeros((0, 3)), "there are no labelled rows"),
        (one_hot([0, 1, 2] * 3), "9 labelled rows are too few"),
        (one_hot([0, 1] * 12 + [2]), "some label has 1 labelled rows"),
    ],
)
def test_without_enough_labelled_rows_nothing_is_calibrated_and_the_pool_says_so(gold, why):
    pool = make_pool({"a": np.zeros_like(gold), "b": np.zeros_like(gold)}, gold, exclusive=True, seed=0)
    assert not pool.calibrated and why in pool.why and pool.measured == {}
    assert pool.weights == {"a": 0.5, "b": 0.5}


def test_what_a_fit_is_worth_is_measured_on_rows_that_it_did_not_see():
    evidence, gold = judged(400, sharpness=0.2)
    pool = make_pool({"a": evidence}, gold, exclusive=True, seed=0)
    assert pool.calibrated and pool.rows == 400
    assert pool.measured["fitted"]["ece"] < 0.1 < pool.measured["equal weights"]["ece"]
    assert pool.measured["fitted"]["accuracy"] == pool.measured["equal weights"]["accuracy"]  # one judge: the order of labels stays


def test_folds_have_rows_of_every_label():
    folds = deal(one_hot([0] * 10 + [1] * 20 + [2] * 5), 5, seed=0)
    assert all(np.bincount(folds[:10], minlength=5) == 2) and all(np.bincount(folds[30:], minlength=5) == 1)


@pytest.mark.parametrize("right", [0.6, 0.8, 0.95])
def test_the_share_of_right_labels_is_found_without_knowing_which(right):
    evidence, gold = judged(4000, sharpness=1.0)
    random = np.random.default_rng(3)
    shift = np.where(random.random(4000) < right, 0, random.integers(1, 3, 4000))
    given = one_hot((gold.argmax(axis=1) + shift) % 3)
    scores = posterior({"a": evidence}, {"a": 1.0}, exclusive=True)
    assert right_share(scores, given, exclusive=True) == pytest.approx(right, abs=0.04)


def test_judges_that_guess_leave_the_share_where_it_is_assumed_to_be():
    noise = np.random.default_rng(0).normal(0, 0.2, (60, 3))
    scores = posterior({"a": noise}, {"a": 1.0}, exclusive=True)
    for turn in range(3):
        assert right_share(scores, one_hot([turn] * 60), exclusive=True) > 0.5


def test_the_interval_of_the_share_holds_it_and_narrows_with_rows():
    evidence, gold = judged(4000, sharpness=1.0)
    scores = posterior({"a": evidence}, {"a": 1.0}, exclusive=True)
    wide, narrow = (right_interval(scores[:rows], gold[:rows], exclusive=True) for rows in (100, 4000))
    assert wide[0] <= right_share(scores[:100], gold[:100], exclusive=True) <= wide[1]
    assert narrow[1] - narrow[0] < wide[1] - wide[0]


def test_a_share_is_never_counted_so_low_that_a_label_speaks_against_itself():
    assert counted_share(0.1, 4, exclusive=True) == 0.5 and counted_share(0.1, 2, exclusive=True) == pytest.approx(0.6)
    assert counted_share(0.1, 8, exclusive=False) == pytest.approx(0.6) and counted_share(1.0, 4, exclusive=True) == 0.95


def test_judges_that_know_no_better_than_chance_are_found_out():
    evidence = np.random.default_rng(0).normal(0, 1, (40, 2))
    pool = make_pool({"a": evidence}, one_hot([0, 1] * 20, 2), exclusive=True, seed=0)
    assert pool.by_chance and not pool.calibrated and "no better than chance" in pool.why
    low, high = pool.measured["fitted"]["right_above_wrong_interval"]
    assert low <= 0.5 and low < high
    good, gold = judged(200, sharpness=1.0)
    assert not make_pool({"a": good}, gold, exclusive=True, seed=0).by_chance


@pytest.mark.parametrize("labels", [2, 4])
def test_a_weak_judge_does_not_throw_sound_rows_into_doubt(labels):
    """Rows of which 95 % have the right label, and a judge whose evidence moves by a tenth of its spread."""
    for seed in range(12):
        random = np.random.default_rng(seed)

        def heard(right, random=random):
            return random.normal(0, 1, (len(right), labels)) + 0.1 * one_hot(right, labels)

        known = np.repeat(np.arange(labels), 10)
        pool = make_pool({"a": heard(known)}, one_hot(known, labels), exclusive=True, seed=seed)
        given = random.integers(0, labels, 200)
        right = np.where(random.random(200) < 0.95, given, (given + 1) % labels)
        scores = posterior({"a": heard(right)}, pool.weights, exclusive=True)
        share = right_share(scores, one_hot(given, labels), exclusive=True) if pool.calibrated else 0.9
        counted = counted_share(share, labels, exclusive=True)
        own = score_of(with_intent(scores, one_hot(given, labels), counted, exclusive=True), one_hot(given, labels), exclusive=True)
        assert pool.by_chance or (own < 0.5).mean() < 0.35


def test_scores_with_the_share_are_probabilities_of_being_right():
    evidence, gold = judged(6000, sharpness=1.0)
    random = np.random.default_rng(3)
    given = one_hot((gold.argmax(axis=1) + np.where(random.random(6000) < 0.8, 0, random.integers(1, 3, 6000))) % 3)
    scores = with_intent(posterior({"a": evidence}, {"a": 1.0}, exclusive=True), given, 0.8, exclusive=True)
    own, right = score_of(scores, given, exclusive=True), (given * gold).sum(axis=1)
    for low in (0.0, 0.25, 0.5, 0.75):
        here = (own >= low) & (own < low + 0.25)
        assert own[here].mean() == pytest.approx(right[here].mean(), abs=0.06)


def test_intent_leaves_evidence_as_it_is_where_every_label_is_as_likely_to_be_given():
    scores = np.array([[0.7, 0.2, 0.1]])
    assert with_intent(scores, one_hot([1]), 1 / 3, exclusive=True) == pytest.approx(scores)


def test_several_labels_are_as_sure_as_the_least_sure_of_them():
    scores, labels = np.array([[0.9, 0.3, 0.2]]), np.array([[1.0, 0.0, 1.0]])
    assert score_of(scores, labels, exclusive=False) == pytest.approx([0.2])
    assert with_intent(scores, labels, 0.5, exclusive=False) == pytest.approx(scores)


def test_votes_are_evidence_and_no_votes_are_none():
    evidence = vote_evidence(np.array([[3.0, 0.0], [0.0, 0.0]]), np.array([3.0, 0.0]), exclusive=True)
    assert np.exp(evidence[0]) == pytest.approx([3.5 / 4, 0.5 / 4])
    assert evidence[1].tolist() == [0.0, 0.0]
    assert posterior({"a": evidence}, equal_weights(["a"]), exclusive=True)[1] == pytest.approx([0.5, 0.5])


def test_auroc_counts_ties_half():
    assert auroc(np.array([0.9, 0.5, 0.5, 0.1]), np.array([True, True, False, False])) == pytest.approx(0.875)
    assert auroc(np.array([0.9]), np.array([True])) is None


def test_wilson_interval_of_a_share():
    low, high = wilson(8, 10)
    assert (low, high) == (pytest.approx(0.4902, abs=1e-4), pytest.approx(0.9433, abs=1e-4))
    assert wilson(0, 0) == (0.0, 1.0)
