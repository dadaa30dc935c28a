"""Correlated equilibria by linear programming: hand-worked games, and a programme written out with loops."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.optimize import linprog

from eqenvs.errors import InputError
from eqenvs.models import NormalFormModel
from eqsolvers.highs import LinearProgramError
from eqsolvers.normal_form import correlated_lp
from eqsolvers.normal_form._incentives import incentives
from eqsolvers.normal_form.correlated_lp import SOLVER, optimal_device, solve
from eqsolvers.result import Status
from eqsolvers.scoring import score

CHICKEN = [[[6, 2], [7, 0]], [[6, 7], [2, 0]]]
DILEMMA = [[[3, 0], [5, 1]], [[3, 5], [0, 1]]]
PENNIES = [[[1, -1], [-1, 1]], [[-1, 1], [1, -1]]]

# Game, concept, objective, the device. Chicken: with q = p(CC), r = p(CD) = p(DC), s = p(DD) the constraints are
# 2 r >= q and r >= 2 s, and welfare 12 q + 18 r is largest at s = 0, q = 2 r. Aumann (1974) for the kind of game.
UNIQUE = [
    pytest.param(CHICKEN, "ce", "welfare", [[1 / 2, 1 / 4], [1 / 4, 0]], id="chicken-ce"),
    pytest.param(CHICKEN, "cce", "welfare", [[1 / 2, 1 / 4], [1 / 4, 0]], id="chicken-cce"),
    pytest.param(DILEMMA, "ce", "welfare", [[0, 0], [0, 1]], id="dominance-ce"),
    pytest.param(DILEMMA, "cce", "welfare", [[0, 0], [0, 1]], id="dominance-cce"),
    pytest.param(PENNIES, "ce", "feasibility", [[1 / 4, 1 / 4], [1 / 4, 1 / 4]], id="pennies-ce"),
    pytest.param(PENNIES, "cce", "min_welfare", [[1 / 4, 1 / 4], [1 / 4, 1 / 4]], id="pennies-cce"),
    pytest.param([[[4.0, 1, 3]], [[0.0, 2, 5]]], "ce", "welfare", [[0, 0, 1]], id="one-row"),
    pytest.param([[1.0, 3, 2]], "ce", "welfare", [0, 1, 0], id="one-player"),
]


@pytest.mark.parametrize(("payoffs", "concept", "objective", "device"), UNIQUE)
def test_unique_optima_are_found(payoffs: object, concept: str, objective: str, device: object) -> None:
    result = solve(NormalFormModel(payoffs), concept=concept, settings={"objective": objective})
    assert result.status is Status.CONVERGED
    np.testing.assert_allclose(result.policy.distribution, device, atol=1e-9)


def by_loops(model: NormalFormModel, concept: str, weights: np.ndarray) -> float:
    """The largest expected weight, from the definitions and with the simplex method's other variant."""
    joint = list(product(*map(range, model.num_actions)))
    rows = []
    for player, actions in enumerate(model.num_actions):
        for told, other in product(range(actions), repeat=2) if concept == "ce" else product([None], range(actions)):
            row = np.zeros(len(joint))
            for i, a in enumerate(joint):
                if told is None or a[player] == told:
                    changed = (*a[:player], other, *a[player + 1 :])
                    row[i] = model.payoffs[(player, *changed)] - model.payoffs[(player, *a)]
            rows.append(row)
    found = linprog(-weights.ravel(), rows, np.zeros(len(rows)), np.ones((1, len(joint))), [1.0], method="highs-ds")
    return -float(found.fun)


@pytest.mark.parametrize("shape", [(2, 3), (4, 2), (2, 3, 4), (1, 3, 2), (2, 2, 2, 3)])
@pytest.mark.parametrize("concept", ["ce", "cce"])
def test_optimum_is_that_of_the_definition(shape: tuple[int, ...], concept: str) -> None:
    rng = np.random.default_rng(sum(shape))
    for payoffs in (rng.normal(size=(len(shape), *shape)), rng.integers(-1, 2, size=(len(shape), *shape))):
        model = NormalFormModel(payoffs)
        weights = rng.normal(size=shape)
        device, _ = optimal_device(model, concept, weights)
        assert (device * weights).sum() == pytest.approx(by_loops(model, concept, weights), abs=1e-8)


def test_objectives_are_ordered_and_each_players_is_its_own() -> None:
    model = NormalFormModel(np.random.default_rng(4).normal(size=(3, 2, 3, 4)))

    def values(**chosen: object) -> np.ndarray:
        result = solve(model, concept="cce", settings=chosen)
        assert result.status is Status.CONVERGED
        return score(model, result.policy).values

    best, worst = values(), values(objective="min_welfare")
    middle = values(objective="feasibility")
    assert worst.sum() <= middle.sum() + 1e-9 <= best.sum() + 2e-9
    for player in range(3):
        favoured = values(objective="player", player=player)
        others = [best, worst, middle, values(objective="player", player=(player + 1) % 3)]
        assert all(favoured[player] >= other[player] - 1e-9 for other in others)


def test_a_player_that_is_not_there_is_named() -> None:
    with pytest.raises(InputError, match="player must be from 0 to 1, got 2"):
        solve(NormalFormModel(CHICKEN), settings={"objective": "player", "player": 2})
    with pytest.raises(InputError, match="'objective' must be one of welfare"):
        solve(NormalFormModel(CHICKEN), settings={"objective": "best"})


def test_what_the_solver_cannot_do_is_a_status_with_its_message(monkeypatch: pytest.MonkeyPatch) -> None:
    def stuck(*_: object, **__: object) -> None:
        raise LinearProgramError("HiGHS: out of time")

    monkeypatch.setattr(correlated_lp, "minimise", stuck)
    result = solve(NormalFormModel(CHICKEN))
    assert result.status is Status.FAILED
    assert result.message == "HiGHS: out of time"


@settings(max_examples=40, deadline=None)
@given(payoffs=hnp.arrays(np.float64, (2, 2, 3), elements=st.integers(-3, 3).map(float)))
def test_degenerate_games_are_solved_and_cce_is_the_wider_concept(payoffs: np.ndarray) -> None:
    before = payoffs.copy()
    model = NormalFormModel(payoffs)
    welfare = []
    for concept in SOLVER.concepts:
        result = solve(model, concept=concept)
        assert result.status is Status.CONVERGED
        welfare.append(score(model, result.policy).welfare)
    assert welfare[1] >= welfare[0] - 1e-8
    swapped = NormalFormModel(payoffs[::-1].swapaxes(1, 2))  # the players change places
    assert score(swapped, solve(swapped).policy).welfare == pytest.approx(welfare[0], abs=1e-8)
    np.testing.assert_array_equal(payoffs, before)


@pytest.mark.parametrize(("scale", "shift"), [(1e6, 0.0), (1e-6, 0.0), (1.0, 1e5)])
def test_payoff_unit_and_offset_do_not_change_the_device(scale: float, shift: float) -> None:
    result = solve(NormalFormModel(scale * np.array(CHICKEN, dtype=float) + shift), tolerance=1e-9 * scale)
    assert result.status is Status.CONVERGED
    np.testing.assert_allclose(result.policy.distribution, [[1 / 2, 1 / 4], [1 / 4, 0]], atol=1e-8)


def test_rows_left_out_are_those_that_never_pay() -> None:
    model = NormalFormModel(DILEMMA)
    assert incentives(model, "ce").toarray().tolist() == [[2, 1, 0, 0], [2, 0, 1, 0]]  # only to defect
    assert incentives(model, "ce", complete=True).shape == (4, 4)
    assert incentives(NormalFormModel(np.zeros((2, 2, 3))), "cce").shape == (0, 6)


def test_four_players_of_eight_actions_are_solved() -> None:
    model = NormalFormModel(np.random.default_rng(0).uniform(size=(4, 8, 8, 8, 8)))
    for concept in SOLVER.concepts:
        assert solve(model, concept=concept).status is Status.CONVERGED
