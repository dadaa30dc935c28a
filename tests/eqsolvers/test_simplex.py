"""Projections onto the simplex: no direction leads nearer, and a general optimiser finds the same."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.optimize import minimize

from eqsolvers.simplex import project, project_rows


@settings(deadline=None)
@given(point=arrays(np.float64, st.integers(1, 6), elements=st.floats(-5, 5)), share=st.just(0.0) | st.floats(0, 1))
def test_no_way_from_the_projection_leads_nearer(point: np.ndarray, share: float) -> None:
    least = share / len(point)
    found = project(point, least)
    assert found.sum() == pytest.approx(1, abs=1e-12)
    assert (found >= least - 1e-15).all()
    # Of a projection (point - nearest) . (other - nearest) <= 0 for all others; the corners suffice.
    for corner in least + (1 - len(point) * least) * np.eye(len(point)):
        assert (point - found) @ (corner - found) <= 1e-12


@pytest.mark.parametrize("least", [0.0, 0.1])
def test_a_general_optimiser_finds_the_same(least: float) -> None:
    point = np.array([0.9, -0.2, 0.6, 0.1])
    found = minimize(
        lambda y: ((y - point) ** 2).sum(),
        np.full(4, 0.25),
        bounds=[(least, 1)] * 4,
        constraints={"type": "eq", "fun": lambda y: y.sum() - 1},
        options={"ftol": 1e-14},
    )
    np.testing.assert_allclose(project(point, least), found.x, atol=1e-6)


@given(seed=st.integers(0, 1000), size=st.integers(1, 6), out=st.booleans())
def test_rows_are_projected_one_by_one_without_what_is_left_out(seed: int, size: int, out: bool) -> None:
    points = np.random.default_rng(seed).normal(size=(2, 3, size))
    first = int(out and size > 1)
    points[..., :first] = -np.inf
    found = project_rows(points)
    assert (found[..., :first] == 0).all()
    for place in np.ndindex(2, 3):
        np.testing.assert_allclose(found[place][first:], project(points[place][first:]), atol=1e-15)
