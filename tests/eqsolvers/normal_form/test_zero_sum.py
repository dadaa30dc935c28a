"""Simplex, interior point, double oracle and first-order methods on matrix games."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from eqenvs.errors import InputError, UnsupportedGame
from eqenvs.models import NormalFormModel
from eqsolvers.normal_form import double_oracle, first_order, interior_point, lp, simplex
from eqsolvers.normal_form._zero_sum import MatrixSolution, gap, with_fallback, zero_sum_solver
from eqsolvers.result import SolverSpec, Status
from eqsolvers.scoring import score

EXACT = (simplex.SOLVER, interior_point.SOLVER, double_oracle.SOLVER)
by_method = pytest.mark.parametrize("solver", EXACT, ids=lambda solver: solver.id)

# Worked by hand: x makes the column player indifferent between the columns it uses, and the reverse.
UNIQUE: list[Any] = [
    ([[3, -1, 4], [-2, 2, 5]], [1 / 2, 1 / 2], [3 / 8, 5 / 8, 0], 1 / 2),
    ([[3, -2], [-1, 2], [-4, -5]], [3 / 8, 5 / 8, 0], [1 / 2, 1 / 2], 1 / 2),
    ([[2, 1, 3], [0, -1, 5]], [1, 0], [0, 1, 0], 1.0),
    ([[7.0]], [1], [1], 7.0),
    ([[1, -2, 3]], [1], [0, 1, 0], -2.0),
]
DEGENERATE: list[Any] = [
    ([[0, 0, 0], [0, 0, 0]], 0.0),
    ([[5, 5], [5, 5], [5, 5]], 5.0),
    ([[1, 1, 0], [1, 1, 2]], 1.0),
    ([[0, -1, 1], [1, 0, -1], [-1, 1, 0], [-1, 1, 0]], 0.0),
    ([[1, 0], [0, 1], [0.5, 0.5]], 0.5),
]
matrices = st.sampled_from([(2, 3), (3, 2), (5, 4), (4, 7)]).flatmap(
    lambda shape: hnp.arrays(np.float64, shape, elements=st.integers(-4, 4).map(float))
)


def zero_sum(matrix: Any) -> NormalFormModel:
    array = np.array(matrix, dtype=np.float64)
    return NormalFormModel([array, -array])


@by_method
@pytest.mark.parametrize(("matrix", "row", "column", "value"), UNIQUE)
def test_unique_equilibria_are_found(matrix: Any, row: Any, column: Any, value: float, solver: SolverSpec) -> None:
    model = zero_sum(matrix)
    result = solver.solve(model)
    assert (result.status, result.method, result.message) == (Status.CONVERGED, solver.id, "")
    np.testing.assert_allclose(result.policy.tables[0][0], row, atol=1e-9)  # type: ignore[union-attr]
    np.testing.assert_allclose(result.policy.tables[1][0], column, atol=1e-9)  # type: ignore[union-attr]
    assert score(model, result.policy).values == pytest.approx([value, -value], abs=1e-9)


@by_method
@pytest.mark.parametrize(("matrix", "value"), DEGENERATE)
def test_degenerate_games_have_an_equilibrium_found(matrix: Any, value: float, solver: SolverSpec) -> None:
    model = zero_sum(matrix)
    result = solver.solve(model)
    assert result.status is Status.CONVERGED
    assert result.residual == score(model, result.policy).nash_conv
    assert score(model, result.policy).values[0] == pytest.approx(value, abs=1e-9)


@settings(max_examples=60, deadline=None)
@given(matrix=matrices, scale=st.sampled_from([1e-4, 1.0, 1e5]), shift=st.integers(-20, 20))
def test_any_small_game_has_the_value_of_the_linear_programme(matrix: np.ndarray, scale: float, shift: int) -> None:
    value = lp.solve_matrix(matrix)[2]
    moved = scale * (matrix + shift)
    before = moved.copy()
    for found in (
        simplex.solve_matrix(moved),
        interior_point.solve_matrix(moved),
        double_oracle.double_oracle(moved, tolerance=1e-10 * scale).solution,
    ):
        found = with_fallback(moved, found)
        assert gap(moved, found.row, found.column) <= 1e-9 * scale
        assert found.row @ moved @ found.column == pytest.approx(scale * (value + shift), abs=2e-9 * scale)
    np.testing.assert_array_equal(moved, before)


@by_method
@pytest.mark.parametrize(("shape", "seed"), [((60, 40), 0), ((40, 60), 1), ((90, 90), 2)])
def test_random_games_are_solved_to_rounding_without_a_fallback(
    shape: tuple[int, int], seed: int, solver: SolverSpec
) -> None:
    result = solver.solve(zero_sum(np.random.default_rng(seed).uniform(-1, 1, shape)), tolerance=1e-12)
    assert result.status is Status.CONVERGED
    assert result.message == ""


@by_method
def test_constant_sum_need_not_be_zero_and_other_games_are_refused(solver: SolverSpec) -> None:
    matrix = np.array([[3.0, -1, 4], [-2, 2, 5]])
    model = NormalFormModel([matrix, 10 - matrix])
    assert score(model, solver.solve(model).policy).values == pytest.approx([0.5, 9.5])
    for other in (NormalFormModel([[[6, 2], [7, 0]], [[6, 7], [2, 0]]]), NormalFormModel(np.zeros((3, 2, 2, 2)))):
        with pytest.raises(UnsupportedGame, match=f"{solver.id}: covers two-player constant-sum"):
            solver.solve(other)


def test_a_method_that_fails_hands_over_to_highs_and_says_so() -> None:
    def poor(matrix: np.ndarray) -> MatrixSolution:
        return MatrixSolution(np.array([1.0, 0.0]), np.array([1.0, 0.0, 0.0]), 3)

    result = zero_sum_solver("poor", poor)(zero_sum(UNIQUE[0][0]))
    assert result.status is Status.CONVERGED
    assert "HiGHS" in result.message
    assert "4.0e+00" in result.message  # max M y = 3, min x M = -1


def test_double_oracle_needs_only_the_actions_that_matter() -> None:
    rng = np.random.default_rng(0)
    matrix = np.pad(rng.uniform(-1, 1, (4, 4)), ((0, 56), (0, 76)))
    matrix[4:] -= 5.0  # dominated rows
    matrix[:, 4:] += 9.0  # and columns
    found = double_oracle.double_oracle(matrix, initial=(59, 79))
    assert gap(matrix, found.solution.row, found.solution.column) <= 1e-12
    assert len(found.rows) <= 5
    assert len(found.columns) <= 5


def test_double_oracle_stops_at_its_limit() -> None:
    model = zero_sum(np.random.default_rng(0).uniform(-1, 1, (20, 20)))
    result = double_oracle.SOLVER.solve(model, settings={"iterations": 2})
    assert result.iterations == 2
    assert result.status is Status.ITERATION_LIMIT
    with pytest.raises(InputError, match="below 20, got 20"):
        double_oracle.SOLVER.solve(model, settings={"initial": 20})


def test_a_restricted_game_grown_by_rows_and_columns_is_the_one_solved_at_once() -> None:
    matrix = np.random.default_rng(4).uniform(1, 2, (12, 9))
    grown = double_oracle.Submatrix(matrix, 3, 3)
    for action in (5, 0, 8, 7, 1):
        grown.add_column(action)
        grown.add_row(action)
        row, column = grown.strategies()
        part = matrix[np.ix_(grown.rows, grown.columns)]
        assert gap(part, row, column) <= 1e-12


def plain_first_order(matrix: np.ndarray, iterations: int) -> tuple[np.ndarray, np.ndarray]:
    """The averages of PRM+ with plain numpy."""
    m, n = matrix.shape
    x, y, rx, ry, sx, sy = np.ones(m) / m, np.ones(n) / n, np.zeros(m), np.zeros(n), np.zeros(m), np.zeros(n)
    for t in range(1, iterations + 1):
        for strategy, regrets, total, payoffs in ((x, rx, sx, lambda: matrix @ y), (y, ry, sy, lambda: -(x @ matrix))):
            u = payoffs()
            regret = u - u @ strategy
            regrets[:] = np.maximum(regrets + regret, 0)
            ahead = np.maximum(regrets + regret, 0)
            strategy[:] = ahead / ahead.sum() if ahead.sum() > 0 else 1 / len(ahead)
            total += t**2 * strategy
    return sx / sx.sum(), sy / sy.sum()


@pytest.mark.parametrize("shape", [(2, 3), (3, 2), (13, 9)])
def test_first_order_kernels_do_what_plain_numpy_does(shape: tuple[int, int]) -> None:
    matrix = np.random.default_rng(0).uniform(-1, 1, shape)
    process = first_order.start(zero_sum(matrix))
    process.run(30)
    for table, expected in zip(process.policy().tables, plain_first_order(matrix, 30), strict=True):
        np.testing.assert_allclose(table[0], expected, atol=1e-10)


def first_order_solver(single: bool) -> Callable[..., Any]:
    return lambda model, **options: first_order.SOLVER.solve(model, settings={"single": single}, **options)


@pytest.mark.parametrize("single", [False, True])
@pytest.mark.parametrize(
    "matrix", [case[0] for case in UNIQUE + DEGENERATE] + [np.random.default_rng(0).normal(size=(30, 20))]
)
def test_first_order_reaches_its_tolerance_by_the_exact_score(matrix: Any, single: bool) -> None:
    model = zero_sum(matrix)
    result = first_order_solver(single)(model, tolerance=1e-4, iterations=20_000)
    assert result.status is Status.CONVERGED
    assert result.residual == score(model, result.policy).nash_conv


@pytest.mark.parametrize("single", [False, True])
def test_first_order_goes_on_from_a_state_to_the_bit(single: bool) -> None:
    model = zero_sum(np.random.default_rng(0).uniform(-1, 1, (7, 5)))
    whole, first = (first_order.start(model, single=single) for _ in range(2))
    whole.run(20)
    first.run(9)
    second = first_order.start(model, single=single)
    second.restore(first.state())
    first.run(3)
    second.run(11)
    for a, b in zip(whole.policy().tables, second.policy().tables, strict=True):
        np.testing.assert_array_equal(a, b)


def test_first_order_refuses_other_games() -> None:
    with pytest.raises(UnsupportedGame, match="first-order: covers two-player constant-sum"):
        first_order.SOLVER.solve(NormalFormModel([[[6, 2], [7, 0]], [[6, 7], [2, 0]]]))
