"""Minimax by linear programming on hand-worked, degenerate and badly scaled matrices."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import eqenvs
from eqenvs.errors import UnsupportedGame
from eqenvs.models import NormalFormModel
from eqsolvers.normal_form.lp import solve, solve_matrix
from eqsolvers.result import Status
from eqsolvers.scoring import score

# Worked by hand: x makes the column player indifferent between the two columns it uses.
# Matrix, row strategy, column strategy, value to the row player.
UNIQUE = [
    pytest.param([[3, -1, 4], [-2, 2, 5]], [1 / 2, 1 / 2], [3 / 8, 5 / 8, 0], 1 / 2, id="2x3"),
    pytest.param([[3, -2], [-1, 2], [-4, -5]], [3 / 8, 5 / 8, 0], [1 / 2, 1 / 2], 1 / 2, id="3x2-dominated-row"),
    pytest.param([[2, 1, 3], [0, -1, 5]], [1, 0], [0, 1, 0], 1.0, id="saddle-point"),
    pytest.param([[7.0]], [1], [1], 7.0, id="1x1"),
    pytest.param([[1, -2, 3]], [1], [0, 1, 0], -2.0, id="one-row"),
]


def zero_sum(matrix: object) -> NormalFormModel:
    array = np.array(matrix, dtype=np.float64)
    return NormalFormModel([array, -array])


@pytest.mark.parametrize(("matrix", "row", "column", "value"), UNIQUE)
def test_unique_equilibria_are_found(matrix: object, row: object, column: object, value: float) -> None:
    model = zero_sum(matrix)
    result = solve(model)
    assert result.status is Status.CONVERGED
    assert result.method == "lp"
    np.testing.assert_allclose(result.policy.tables[0], [row], atol=1e-9)
    np.testing.assert_allclose(result.policy.tables[1], [column], atol=1e-9)
    assert score(model, result.policy).values == pytest.approx([value, -value], abs=1e-9)


@pytest.mark.parametrize(
    ("matrix", "value"),
    [
        ([[0, 0, 0], [0, 0, 0]], 0.0),
        ([[5, 5], [5, 5], [5, 5]], 5.0),
        ([[1, 1, 0], [1, 1, 2]], 1.0),  # equal columns, an unused third
        ([[0, -1, 1], [1, 0, -1], [-1, 1, 0], [-1, 1, 0]], 0.0),  # a row twice
        ([[1, 0], [0, 1], [0.5, 0.5]], 0.5),  # a row that equals a mixture of the others
    ],
)
def test_degenerate_games_have_an_equilibrium_found(matrix: object, value: float) -> None:
    result = solve(zero_sum(matrix))
    assert result.status is Status.CONVERGED
    assert result.residual <= 1e-9
    assert score(zero_sum(matrix), result.policy).values[0] == pytest.approx(value, abs=1e-9)


@pytest.mark.parametrize("scale", [1e6, 1.0, 1e-6])
@pytest.mark.parametrize(("matrix", "row", "column", "value"), UNIQUE[:2])
def test_payoff_unit_does_not_change_the_strategies(
    matrix: object, row: object, column: object, value: float, scale: float
) -> None:
    result = solve(zero_sum(scale * np.array(matrix)), tolerance=1e-9 * scale)
    assert result.status is Status.CONVERGED
    np.testing.assert_allclose(result.policy.tables[0], [row], atol=1e-9)
    np.testing.assert_allclose(result.policy.tables[1], [column], atol=1e-9)


def test_large_offset_does_not_change_the_strategies() -> None:
    matrix = np.array([[3.0, -1, 4], [-2, 2, 5]])
    row, column, value = solve_matrix(matrix + 1e6)
    np.testing.assert_allclose(row, [1 / 2, 1 / 2], atol=1e-9)
    np.testing.assert_allclose(column, [3 / 8, 5 / 8, 0], atol=1e-9)
    assert value == pytest.approx(1e6 + 0.5, abs=1e-8)


def test_constant_sum_need_not_be_zero() -> None:
    matrix = np.array([[3.0, -1, 4], [-2, 2, 5]])
    model = NormalFormModel([matrix, 10 - matrix])
    assert score(model, solve(model).policy).values == pytest.approx([0.5, 9.5])


@settings(max_examples=40, deadline=None)
@given(matrix=hnp.arrays(np.float64, (3, 4), elements=st.integers(-6, 6).map(float)))
def test_any_small_matrix_is_solved_and_left_alone(matrix: np.ndarray) -> None:
    before = matrix.copy()
    row, column, value = solve_matrix(matrix)
    assert (matrix @ column).max() - value <= 1e-9
    assert value - (row @ matrix).min() <= 1e-9
    assert value == pytest.approx(-solve_matrix(-matrix.T)[2], abs=1e-9)
    np.testing.assert_array_equal(matrix, before)


@pytest.mark.parametrize(
    "model",
    [
        NormalFormModel([[[6, 2], [7, 0]], [[6, 7], [2, 0]]]),
        NormalFormModel(np.zeros((3, 2, 2, 2))),
    ],
)
def test_games_beyond_two_player_constant_sum_are_refused(model: NormalFormModel) -> None:
    with pytest.raises(UnsupportedGame, match="two-player constant-sum"):
        solve(model)


def test_tight_tolerance_is_a_status_and_no_error() -> None:
    game = eqenvs.make("rock_paper_scissors", rock_win=0.3, paper_win=0.7)
    assert solve(game.model(), tolerance=-1.0).status is not Status.CONVERGED  # type: ignore[arg-type]
