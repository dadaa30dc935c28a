"""Maximisers over the simplex: optimality conditions, plain formulas, ties, extremes, and rows that do not mix."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from eqsolvers.normal_form.learning._simplex import power, project, softmax

MAXIMISERS = {
    "entropy": softmax,
    "euclidean": project,
    "log-barrier": lambda score: power(score, 1),
    "tsallis": lambda score: power(score, 2),
}
SCORES = hnp.arrays(
    np.float64, st.tuples(st.integers(1, 4), st.integers(1, 6)), elements=st.floats(-1e6, 1e6, allow_subnormal=False)
)


def entropy(x: np.ndarray) -> np.ndarray:
    return np.log(x)


def log_barrier(x: np.ndarray) -> np.ndarray:
    return -1 / x


def tsallis(x: np.ndarray) -> np.ndarray:
    return -1 / np.sqrt(x)


@settings(max_examples=60, deadline=None)
@given(score=SCORES)
@pytest.mark.parametrize("name", MAXIMISERS)
def test_results_are_on_the_simplex_in_the_order_of_the_scores(name: str, score: np.ndarray) -> None:
    before = score.copy()
    x = MAXIMISERS[name](score)
    np.testing.assert_array_equal(score, before)
    assert (x >= 0).all()
    np.testing.assert_allclose(x.sum(axis=1), 1.0, atol=1e-12)
    order = np.argsort(score, axis=1)
    assert (np.diff(np.take_along_axis(x, order, axis=1), axis=1) >= -1e-15).all()


@pytest.mark.parametrize(
    ("name", "gradient"), [("entropy", entropy), ("log-barrier", log_barrier), ("tsallis", tsallis)]
)
@pytest.mark.parametrize("scale", [1e-6, 1.0, 30.0])
def test_gradient_of_the_regulariser_is_the_score_up_to_a_shift(name: str, gradient: object, scale: float) -> None:
    score = scale * np.random.default_rng(1).normal(size=(5, 7))
    left = gradient(MAXIMISERS[name](score)) - score  # type: ignore[operator]
    assert np.ptp(left, axis=1).max() <= 1e-11 * max(1.0, np.abs(left).max())


def test_projection_is_the_nearest_point() -> None:
    """The variational inequality <point - x, y - x> <= 0 at every corner y."""
    point = np.random.default_rng(2).normal(size=(200, 5)) * np.logspace(-3, 3, 200)[:, None]
    x = project(point)
    away = point - x
    assert (away.max(axis=1) - (away * x).sum(axis=1) <= 1e-12 * np.maximum(1, np.abs(point).max(axis=1))).all()


@pytest.mark.parametrize(
    ("point", "nearest"),
    [
        ([0.2, 0.3, 0.5], [0.2, 0.3, 0.5]),
        ([2.0, 0.0], [1.0, 0.0]),
        ([0.9, 0.7, 0.0], [0.6, 0.4, 0.0]),
        ([5.0, 5.0, 5.0, 4.5], [1 / 3, 1 / 3, 1 / 3, 0.0]),
        ([7.0, 7.0, 6.9], [11 / 30, 11 / 30, 8 / 30]),
    ],
)
def test_projections_worked_by_hand(point: list[float], nearest: list[float]) -> None:
    np.testing.assert_allclose(project(np.array([point])), [nearest], atol=1e-15)


def test_power_by_hand() -> None:
    """Levels 2 and 3: (2 - 0)^-2 = 1/4 leaves 3/4 for the second, (3 - 0)^-1 = 1/3 leaves 2/3."""
    np.testing.assert_allclose(power(np.array([[0.0, 2 - 2 / np.sqrt(3)]]), 2), [[1 / 4, 3 / 4]], atol=1e-15)
    np.testing.assert_allclose(power(np.array([[0.0, 1.5]]), 1), [[1 / 3, 2 / 3]], atol=1e-15)


@pytest.mark.parametrize("name", MAXIMISERS)
def test_rows_do_not_depend_on_each_other(name: str) -> None:
    score = np.random.default_rng(3).normal(size=(9, 4)) * np.logspace(-4, 6, 9)[:, None]
    together = MAXIMISERS[name](score)
    for row in range(9):
        np.testing.assert_array_equal(MAXIMISERS[name](score[row : row + 1])[0], together[row])


@pytest.mark.parametrize("name", MAXIMISERS)
@pytest.mark.parametrize("shift", [-1e3, 1e3])
def test_shift_of_the_scores_changes_nothing(name: str, shift: float) -> None:
    score = np.random.default_rng(4).normal(size=(3, 5))
    np.testing.assert_allclose(MAXIMISERS[name](score + shift), MAXIMISERS[name](score), atol=1e-12)
