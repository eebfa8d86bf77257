"""Likelihood, temperature, calibration error and Brier score, from arrays alone."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from spacy_synthesizrr.students.quality.calibration import (
    BINS,
    HIGHEST,
    LOWEST,
    TOO_HIGH,
    TOO_LOW,
    bins_of,
    brier,
    ece,
    fit_temperature,
    nll,
    probabilities,
    reliability,
)

numbers = st.floats(-15, 15, width=32)
logits = st.integers(1, 12).flatmap(lambda rows: arrays.arrays(np.float64, (rows, 3), elements=numbers))
exclusive = st.booleans()
seeds = st.integers(0, 2**32 - 1)


def gold_of(rows, *, exclusive, seed):
    rng = np.random.default_rng(seed)
    return np.eye(3)[rng.integers(3, size=rows)] if exclusive else rng.integers(0, 2, size=(rows, 3)).astype(float)


def drawn(rows, temperature, *, exclusive, seed=0):
    """Logits whose probabilities are true once they are divided by the temperature."""
    rng = np.random.default_rng(seed)
    found = rng.normal(size=(rows, 3)) * 2
    chances = probabilities(found, exclusive=exclusive)
    if exclusive:
        gold = np.eye(3)[[rng.choice(3, p=row) for row in chances]]
    else:
        gold = (rng.random((rows, 3)) < chances).astype(float)
    return found * temperature, gold


@given(logits)
def test_softmax_sums_to_one_and_forgets_a_shift(found):
    scores = probabilities(found, exclusive=True)
    assert scores.sum(axis=1) == pytest.approx(1.0)
    assert probabilities(found + 3.0, exclusive=True) == pytest.approx(scores)


@given(logits)
def test_logistic_of_the_opposite_is_the_rest(found):
    assert probabilities(found, exclusive=False) == pytest.approx(1 - probabilities(-found, exclusive=False))


@pytest.mark.parametrize("one", [True, False])
def test_huge_logits_do_not_overflow(one):
    with np.errstate(all="raise", under="ignore"):
        found = np.array([[1e4, -1e4, 0.0]])
        assert np.isfinite(probabilities(found, exclusive=one)).all()
        assert np.isfinite(nll(found, np.array([[0.0, 1.0, 0.0]]), exclusive=one))


@given(logits, exclusive, seeds)
def test_nll_is_the_mean_log_of_what_gold_was_given(found, one, seed):
    gold = gold_of(len(found), exclusive=one, seed=seed)
    scores = probabilities(found, exclusive=one)
    given_to_gold = np.log(np.maximum((scores * gold).sum(axis=1), 1e-300)) if one else np.log(np.where(gold > 0, scores, 1 - scores))
    assert nll(found, gold, exclusive=one) == pytest.approx(-float(np.mean(given_to_gold)), abs=1e-6)


@given(logits, exclusive, seeds)
def test_no_temperature_of_a_grid_fits_better(found, one, seed):
    gold = gold_of(len(found), exclusive=one, seed=seed)
    fit = fit_temperature(found, gold, exclusive=one)
    assert LOWEST <= fit.temperature <= HIGHEST
    if "Every dev row is right" in fit.note:
        return
    least = min(nll(found / t, gold, exclusive=one) for t in np.geomspace(LOWEST, HIGHEST, 41))
    assert nll(found / fit.temperature, gold, exclusive=one) <= least + 1e-6


@pytest.mark.parametrize("one", [True, False])
@pytest.mark.parametrize("temperature", [0.25, 1.0, 4.0])
def test_the_true_temperature_is_found(one, temperature):
    found, gold = drawn(4000, temperature, exclusive=one)
    fit = fit_temperature(found, gold, exclusive=one)
    assert fit.temperature == pytest.approx(temperature, rel=0.1)


@pytest.mark.parametrize("one", [True, False])
def test_scaling_brings_scores_closer_to_what_comes_true(one):
    found, gold = drawn(3000, 4.0, exclusive=one)
    new, new_gold = drawn(3000, 4.0, exclusive=one, seed=1)
    fit = fit_temperature(found, gold, exclusive=one)
    before, after = (probabilities(new / t, exclusive=one) for t in (1.0, fit.temperature))
    assert ece(after, new_gold, exclusive=one) < 0.03 < 0.1 < ece(before, new_gold, exclusive=one)
    assert brier(after, new_gold, exclusive=one) < brier(before, new_gold, exclusive=one)


@pytest.mark.parametrize("one", [True, False])
def test_rows_that_are_all_right_give_a_score_short_of_certain(one):
    gold = np.eye(3)[np.arange(60) % 3]
    fit = fit_temperature((2 * gold - 1) * 0.5, gold, exclusive=one)
    assert "as if one more had been wrong" in fit.note
    right = probabilities((2 * gold - 1) * 0.5 / fit.temperature, exclusive=one)[gold > 0]
    assert right == pytest.approx(61 / 62, abs=1e-3)


def test_scores_that_say_nothing_keep_the_temperature():
    assert fit_temperature(np.zeros((60, 3)), np.eye(3)[np.arange(60) % 3], exclusive=True).temperature == 1.0


def test_a_classifier_that_is_mostly_wrong_is_made_as_unsure_as_may_be():
    gold = np.eye(3)[np.arange(60) % 3]
    fit = fit_temperature(-5 * gold, gold, exclusive=True)
    assert fit.temperature == pytest.approx(HIGHEST, rel=1e-2)
    assert fit.note == TOO_HIGH


def test_a_student_that_is_far_too_unsure_gets_the_low_temperature_that_it_needs():
    found, gold = drawn(3000, 0.02, exclusive=True)
    fit = fit_temperature(found, gold, exclusive=True)
    assert (fit.temperature, fit.note) == (pytest.approx(0.02, rel=0.1), "")


def test_a_student_that_no_temperature_makes_sure_enough_is_blamed_and_not_dev():
    found, gold = drawn(3000, 0.001, exclusive=True)
    fit = fit_temperature(found, gold, exclusive=True)
    assert (fit.temperature, fit.note) == (pytest.approx(LOWEST, rel=1e-2), TOO_LOW)


@given(arrays.arrays(np.float64, st.integers(1, 30), elements=st.floats(0, 1)), seeds)
def test_bins_hold_every_prediction_once(scores, seed):
    right = np.random.default_rng(seed).random(len(scores)) < 0.5
    bins = bins_of(scores, right)
    assert sum(one.count for one in bins) == len(scores)
    assert sum(one.count * one.share for one in bins) == pytest.approx(right.sum())
    assert all(one.low <= one.score + 1e-12 and one.score <= one.high + 1e-12 for one in bins)


def test_a_score_on_an_edge_belongs_to_the_lower_bin():
    (one,) = bins_of(np.array([3 / BINS]), np.array([True]))
    assert one.high == pytest.approx(3 / BINS)


@given(logits, exclusive, seeds)
def test_calibration_error_is_a_share_and_at_least_the_gap_of_the_means(found, one, seed):
    gold = gold_of(len(found), exclusive=one, seed=seed)
    scores = probabilities(found, exclusive=one)
    error = ece(scores, gold, exclusive=one)
    assert 0.0 <= error <= 1.0
    if one:
        hit = gold[np.arange(len(gold)), scores.argmax(axis=1)]
        assert error >= abs(float(hit.mean()) - float(scores.max(axis=1).mean())) - 1e-9


def test_calibration_error_matches_a_case_worked_by_hand():
    scores = np.array([[0.9, 0.1], [0.9, 0.1], [0.6, 0.4]])
    gold = np.array([[1, 0], [0, 1], [1, 0]], dtype=float)
    assert ece(scores, gold, exclusive=True) == pytest.approx(2 / 3 * 0.4 + 1 / 3 * 0.4)
    assert brier(scores, gold, exclusive=True) == pytest.approx((2 * 0.01 + 2 * 0.81 + 2 * 0.16) / 3)


def test_calibration_error_of_several_labels_is_the_mean_over_labels():
    scores, gold = np.array([[0.8, 0.5], [0.8, 0.5]]), np.array([[1.0, 0.0], [1.0, 1.0]])
    assert ece(scores, gold, exclusive=False) == pytest.approx((0.2 + 0.0) / 2)


def test_calibration_error_of_no_rows_is_refused():
    with pytest.raises(ValueError, match="no rows"):
        ece(np.zeros((0, 3)), np.zeros((0, 3)), exclusive=True)


def test_a_diagram_of_several_labels_has_every_score():
    scores, gold = np.array([[0.8, 0.5], [0.8, 0.5]]), np.array([[1.0, 0.0], [1.0, 1.0]])
    assert [(one.count, one.share) for one in reliability(scores, gold, exclusive=False)] == [(2, 0.5), (2, 1.0)]
