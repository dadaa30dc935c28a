"""Maximum entropy equilibria against closed forms, their exponential form and a general solver."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.optimize import minimize, nnls
from scipy.special import xlogy

from eqenvs.models import NormalFormModel
from eqsolvers.normal_form._incentives import incentives
from eqsolvers.normal_form.max_entropy import solve
from eqsolvers.normal_form.max_gini import solve as max_gini
from eqsolvers.result import Status

CHICKEN = NormalFormModel([[[6, 2], [7, 0]], [[6, 7], [2, 0]]])
PENNIES = NormalFormModel([[[1, -1], [-1, 1]], [[-1, 1], [1, -1]]])
DILEMMA = NormalFormModel([[[3, 0], [5, 1]], [[3, 5], [0, 1]]])


# Chicken: with p(CD) = p(DC) = 2 c, p(DD) = c and p(CC) = 1 - 5 c the derivative of the entropy vanishes where
# p(CC) = 2^(4/5) c.
@pytest.mark.parametrize("concept", ["ce", "cce"])
@pytest.mark.parametrize(
    ("model", "device"),
    [
        pytest.param(CHICKEN, np.array([[2**0.8, 2], [2, 1]]) / (5 + 2**0.8), id="chicken"),
        pytest.param(PENNIES, np.full((2, 2), 0.25), id="pennies"),
        pytest.param(DILEMMA, [[0, 0], [0, 1]], id="boundary"),
        pytest.param(NormalFormModel(np.zeros((3, 2, 3, 1))), np.full((2, 3, 1), 1 / 6), id="no-incentives"),
    ],
)
def test_closed_forms(model: NormalFormModel, device: object, concept: str) -> None:
    result = solve(model, concept=concept)
    assert result.status is Status.CONVERGED
    np.testing.assert_allclose(result.policy.distribution, device, atol=1e-6)
    assert result.detail["entropy"] == pytest.approx(-np.sum(xlogy(device, device)), abs=1e-6)


@pytest.mark.parametrize("concept", ["ce", "cce"])
@pytest.mark.parametrize("seed", [1, 4, 6])
def test_interior_answers_are_exponential_in_the_binding_gains(seed: int, concept: str) -> None:
    """The conditions of Karush, Kuhn and Tucker: log x = constant - sum of multipliers times gains."""
    rng = np.random.default_rng(seed)
    model = NormalFormModel(0.3 * rng.normal(size=(3, 2, 3, 2)) + rng.normal(size=(2, 3, 2)))
    x = solve(model, concept=concept).policy.distribution.ravel()
    matrix = incentives(model, concept).toarray()
    used = x > 1e-4  # where a profile is not played at all its own multiplier is free
    binding = matrix[matrix @ x > -1e-8]
    system = np.vstack([-binding, np.ones(len(x)), -np.ones(len(x))]).T
    _, misfit = nnls(system[used], np.log(x[used]))
    assert misfit < 1e-4


# Games whose equilibria have an interior: where they are a single profile SLSQP ends outside them.
@pytest.mark.parametrize(("seed", "concept"), [(1, "cce"), (4, "cce"), (8, "ce"), (8, "cce"), (14, "cce")])
def test_a_general_solver_finds_the_same_entropy(seed: int, concept: str) -> None:
    model = NormalFormModel(np.random.default_rng(seed).normal(size=(2, 2, 3)))
    matrix = incentives(model, concept).toarray()
    ours = solve(model, concept=concept)
    assert ours.status is Status.CONVERGED
    found = minimize(
        lambda y: float(np.sum(xlogy(y, y))),
        max_gini(model, concept=concept).policy.distribution.ravel() + 1e-9,
        jac=lambda y: np.log(y) + 1,
        bounds=[(1e-12, 1)] * 6,
        constraints=[
            {"type": "eq", "fun": lambda y: y.sum() - 1, "jac": lambda y: np.ones(6)},
            {"type": "ineq", "fun": lambda y: -matrix @ y, "jac": lambda y: -matrix},
        ],
        method="SLSQP",
        options={"ftol": 1e-11, "maxiter": 500},
    )
    assert found.success
    assert ours.detail["entropy"] == pytest.approx(-found.fun, abs=1e-6)


@settings(max_examples=25, deadline=None)
@given(payoffs=hnp.arrays(np.float64, (2, 2, 3), elements=st.integers(-3, 3).map(float)))
@pytest.mark.slow
def test_degenerate_games_are_solved_with_at_least_the_entropy_of_other_equilibria(payoffs: np.ndarray) -> None:
    model = NormalFormModel(payoffs)
    for concept in ("ce", "cce"):
        result = solve(model, concept=concept)
        assert result.status is not Status.FAILED
        assert result.residual <= 1e-5  # of the payoffs' range 6: Clarabel's reduced accuracy where it meets no better
        flattest = max_gini(model, concept=concept).policy.distribution
        assert result.detail["entropy"] >= -np.sum(xlogy(flattest, flattest)) - 1e-5
