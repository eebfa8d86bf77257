"""MAUVE."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spacy_synthesizrr.metrics.mauve import area, floor, mauve

SHARES = st.lists(st.integers(0, 9), min_size=2, max_size=6).filter(any).map(lambda counts: np.array(counts) / sum(counts))


def cloud(center, number, *, seed):
    chance = np.random.default_rng(seed)
    return (np.eye(12)[center] + 0.1 * chance.normal(size=(number, 12))).astype(np.float32)


def test_equal_distributions_have_the_value_1():
    assert area(np.array([0.3, 0.7]), np.array([0.3, 0.7])) == pytest.approx(1.0)


@pytest.mark.parametrize("scaling", [1.0, 2.0, 5.0])
def test_disjoint_distributions_have_the_value_of_the_floor(scaling):
    p, q = np.array([0.5, 0.5, 0.0]), np.array([0.0, 0.0, 1.0])
    assert area(p, q, scaling=scaling) == pytest.approx(floor(scaling), abs=0.01)
    assert floor(scaling) == pytest.approx(1 / math.comb(int(2 * scaling), int(scaling)))


def test_value_is_the_area_under_the_curve_of_the_formula():
    p, q = np.array([0.8, 0.2]), np.array([0.4, 0.6])

    def divergence(a, b):
        return sum(x * math.log(x / y) for x, y in zip(a, b, strict=True))

    points = [(0.0, 1.0), (1.0, 0.0)]
    for share in np.linspace(1e-6, 1 - 1e-6, 2001):
        mixed = share * p + (1 - share) * q
        points.append((math.exp(-5 * divergence(q, mixed)), math.exp(-5 * divergence(p, mixed))))
    points.sort()
    expected = sum((b[0] - a[0]) * (a[1] + b[1]) / 2 for a, b in zip(points, points[1:], strict=False))
    assert area(p, q, scaling=5) == pytest.approx(expected, abs=0.005)


@given(SHARES, SHARES, st.sampled_from([1.0, 5.0]))
def test_value_is_the_same_both_ways_and_stays_in_its_range(p, q, scaling):
    size = max(len(p), len(q))
    p, q = (np.pad(one, (0, size - len(one))) for one in (p, q))
    value = area(p, q, scaling=scaling)
    assert value == pytest.approx(area(q, p, scaling=scaling), abs=1e-9)
    assert floor(scaling) - 0.01 <= value <= 1


def test_texts_of_the_same_kind_are_closer_than_those_of_another_kind():
    here, again, there = cloud(0, 60, seed=1), cloud(0, 60, seed=2), cloud(5, 60, seed=3)
    same, other = (mauve(here, rows, clusters=6, scaling=5) for rows in (again, there))
    assert same > 0.8 and other == pytest.approx(floor(5), abs=0.01)
    assert same == mauve(here, again, clusters=6, scaling=5)


def test_vectors_that_are_all_alike_fall_into_one_cluster():
    assert mauve(np.ones((3, 4), np.float32), np.ones((3, 4), np.float32)) == pytest.approx(1.0)


def test_no_texts_are_refused():
    with pytest.raises(ValueError, match="was: 0 and 2"):
        mauve(np.zeros((0, 3), np.float32), np.ones((2, 3), np.float32))
