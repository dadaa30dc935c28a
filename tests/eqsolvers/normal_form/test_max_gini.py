"""Maximum Gini equilibria against closed forms, a general solver and the bounds that define their epsilons."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import sparse
from scipy.optimize import minimize

from eqenvs.errors import InputError
from eqenvs.models import NormalFormModel
from eqsolvers.normal_form import _conic, _even
from eqsolvers.normal_form._conic import ConicProgramError, most_even
from eqsolvers.normal_form._incentives import incentives
from eqsolvers.normal_form.max_gini import solve
from eqsolvers.result import Status

CHICKEN = NormalFormModel([[[6, 2], [7, 0]], [[6, 7], [2, 0]]])
PENNIES = NormalFormModel([[[1, -1], [-1, 1]], [[-1, 1], [1, -1]]])
DILEMMA = NormalFormModel([[[3, 0], [5, 1]], [[3, 5], [0, 1]]])
SHAPLEY = NormalFormModel([np.roll(np.eye(3), 1, axis=1), np.roll(np.eye(3), 1, axis=1).T])


# Chicken: with p(CD) = p(DC) = 2 p(DD) = 2 c binding, (1 - 5 c)^2 + 9 c^2 is least at c = 5 / 34.
@pytest.mark.parametrize("concept", ["ce", "cce"])
@pytest.mark.parametrize(
    ("model", "device"),
    [
        pytest.param(CHICKEN, np.array([[9, 10], [10, 5]]) / 34, id="chicken"),
        pytest.param(PENNIES, np.full((2, 2), 0.25), id="pennies"),
        pytest.param(DILEMMA, [[0, 0], [0, 1]], id="one-equilibrium"),
        pytest.param(SHAPLEY, np.full((3, 3), 1 / 9), id="shapley"),
        pytest.param(NormalFormModel(np.zeros((3, 2, 3, 1))), np.full((2, 3, 1), 1 / 6), id="no-incentives"),
    ],
)
def test_closed_forms(model: NormalFormModel, device: object, concept: str) -> None:
    result = solve(model, concept=concept)
    assert result.status is Status.CONVERGED
    np.testing.assert_allclose(result.policy.distribution, device, atol=1e-6)


@pytest.mark.parametrize("concept", ["ce", "cce"])
@pytest.mark.parametrize("seed", range(3))
def test_no_general_solver_finds_a_flatter_equilibrium(seed: int, concept: str) -> None:
    rng = np.random.default_rng(seed)
    model = NormalFormModel(rng.normal(size=(3, 2, 3, 2)))
    matrix = incentives(model, concept).toarray()
    ours = solve(model, concept=concept)
    x = ours.policy.distribution.ravel()
    found = minimize(
        lambda y: y @ y,
        np.full(12, 1 / 12),
        jac=lambda y: 2 * y,
        bounds=[(0, 1)] * 12,
        constraints=[
            {"type": "eq", "fun": lambda y: y.sum() - 1, "jac": lambda y: np.ones(12)},
            {"type": "ineq", "fun": lambda y: -matrix @ y, "jac": lambda y: -matrix},
        ],
        method="SLSQP",
        options={"ftol": 1e-15, "maxiter": 500},
    )
    assert found.success
    assert x @ x <= found.fun + 1e-8
    np.testing.assert_allclose(x, found.x, atol=1e-5)
    assert ours.detail["gini"] == pytest.approx(1 - found.fun, abs=1e-8)


def test_epsilon_bounds_each_gain_and_flattens() -> None:
    model = NormalFormModel(np.random.default_rng(1).normal(size=(2, 2, 3)))
    matrix = incentives(model, "ce")
    last = -1.0
    for epsilon in (0.0, 0.05, 0.2):
        result = solve(model, settings={"epsilon": epsilon})
        assert (matrix @ result.policy.distribution.ravel()).max() <= epsilon + 1e-9
        assert result.detail["gini"] > last
        last = result.detail["gini"]


def test_all_of_the_uniform_gain_makes_uniform_play_the_answer_and_half_of_it_does_not() -> None:
    model = NormalFormModel(np.random.default_rng(2).normal(size=(2, 3, 2)))
    most = float((incentives(model, "cce") @ np.full(6, 1 / 6)).max())
    whole = solve(model, concept="cce", settings={"epsilon": 1.0, "relative": True})
    half = solve(model, concept="cce", settings={"epsilon": 0.5, "relative": True})
    assert whole.detail["epsilon"] == pytest.approx(most, abs=1e-12)
    assert half.detail["epsilon"] == pytest.approx(most / 2, abs=1e-12)
    np.testing.assert_allclose(whole.policy.distribution, 1 / 6, atol=1e-6)
    assert half.detail["gini"] < whole.detail["gini"] - 1e-4
    # What was asked for, an equilibrium up to epsilon; its gap says how far it is from one.
    assert half.status is Status.CONVERGED
    assert half.detail["excess"] <= 1e-9
    assert half.residual >= half.detail["epsilon"] - 1e-9


def test_least_epsilon_is_negative_where_players_can_be_told_what_pays_strictly() -> None:
    # By hand: (C, D) and (D, C) with 1/2 each; told D, leaving costs 7 - 6, half of the time.
    result = solve(CHICKEN, settings={"min_epsilon": True})
    np.testing.assert_allclose(result.policy.distribution, [[0, 0.5], [0.5, 0]], atol=1e-6)
    assert result.detail["epsilon"] == pytest.approx(-0.5, abs=1e-7)
    assert solve(PENNIES, settings={"min_epsilon": True}).detail["epsilon"] == pytest.approx(0, abs=1e-7)


def test_least_epsilon_of_a_degenerate_game_is_found_with_more_room_where_needed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tried = []

    def stuck_at_first(matrix: object, bound: float, *, entropy: bool) -> object:
        tried.append(float(np.max(bound)))
        if len(tried) < 2:
            raise ConicProgramError("Clarabel: InsufficientProgress")
        return most_even(matrix, bound, entropy=entropy)

    monkeypatch.setattr(_conic, "most_even", stuck_at_first)
    monkeypatch.setattr(_even, "STEPS", {False: 0})
    result = solve(CHICKEN, settings={"min_epsilon": True})
    assert result.status is Status.CONVERGED
    assert tried[0] < tried[1] < tried[0] + 1e-7
    assert result.detail["epsilon"] == pytest.approx(-0.5, abs=1e-6)


def test_two_rules_for_epsilon_are_one_too_many() -> None:
    with pytest.raises(InputError, match="min_epsilon chooses epsilon itself"):
        solve(CHICKEN, settings={"min_epsilon": True, "epsilon": 0.1})


@settings(max_examples=30, deadline=None)
@given(payoffs=hnp.arrays(np.float64, (2, 2, 3), elements=st.integers(-3, 3).map(float)))
def test_degenerate_games_converge_and_players_may_change_places(payoffs: np.ndarray) -> None:
    for concept in ("ce", "cce"):
        result = solve(NormalFormModel(payoffs), concept=concept)
        assert result.status is Status.CONVERGED
        swapped = solve(NormalFormModel(payoffs[::-1].swapaxes(1, 2)), concept=concept)
        assert swapped.detail["gini"] == pytest.approx(result.detail["gini"], abs=1e-9)
        np.testing.assert_allclose(swapped.policy.distribution.T, result.policy.distribution, atol=1e-5)


def test_what_the_solver_cannot_do_is_a_status_with_its_message(monkeypatch: pytest.MonkeyPatch) -> None:
    def stuck(*_: object, **__: object) -> None:
        raise ConicProgramError("Clarabel: NumericalError")

    monkeypatch.setattr(_conic, "most_even", stuck)
    monkeypatch.setattr(_even, "STEPS", {False: 0})
    result = solve(CHICKEN)
    assert result.status is Status.FAILED
    assert result.message == "Clarabel: NumericalError"


def test_infeasible_programmes_are_told_apart() -> None:
    with pytest.raises(ConicProgramError, match="Infeasible"):
        most_even(sparse.csr_array(np.ones((1, 3))), 0.5, entropy=False)  # probabilities sum to 1


@pytest.mark.parametrize("scale", [1e-6, 1e6])
def test_payoff_unit_does_not_change_the_device(scale: float) -> None:
    result = solve(NormalFormModel(scale * CHICKEN.payoffs + 3 * scale), tolerance=1e-9 * scale)
    assert result.status is Status.CONVERGED
    np.testing.assert_allclose(result.policy.distribution, np.array([[9, 10], [10, 5]]) / 34, atol=1e-7)
