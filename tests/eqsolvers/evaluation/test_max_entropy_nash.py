"""The maximum entropy equilibrium: closed forms, an independent programme, and what entropy's maximum implies."""

import importlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from scipy.optimize import linprog
from scipy.special import entr

from eqenvs.errors import InputError
from eqsolvers.evaluation import max_entropy_nash
from eqsolvers.normal_form._conic import ConicProgramError, most_even
from eqsolvers.result import Status

small = st.tuples(st.integers(1, 6), st.integers(1, 6)).flatmap(
    lambda shape: st.lists(
        st.lists(st.integers(-1, 1), min_size=shape[1], max_size=shape[1]), min_size=shape[0], max_size=shape[0]
    )
)


@pytest.mark.parametrize(
    ("matrix", "row", "column"),
    [
        ([[1.0, -1.0], [-1.0, 1.0]], [0.5, 0.5], [0.5, 0.5]),
        ([[0.0, 0.0, 0.0], [0.0, 0.0, 0.0]], [0.5, 0.5], [1 / 3, 1 / 3, 1 / 3]),
        ([[3.0, 0.0, 2.0], [0.0, 2.0, 1.0]], [0.4, 0.6], [0.4, 0.6, 0.0]),  # value 6/5; the last column pays 1.4
        ([[1.0, 1.0, 0.0], [0.0, 0.0, 1.0]], [0.5, 0.5], [0.25, 0.25, 0.5]),  # equal columns
        ([[2.0]], [1.0], [1.0]),
        # Rows 1 and 2 are worth 0 against everything the column player may play: column 1 must keep row 3 down.
        ([[0.0, 0.0, -1.0], [0.0, 0.0, 1.0], [1.0, -1.0, 0.0]], [0.5, 0.5, 0.0], [0.5, 0.5, 0.0]),
    ],
)
def test_closed_forms(matrix, row, column):
    found = max_entropy_nash(np.array(matrix))
    assert found.status is Status.CONVERGED
    assert found.row == pytest.approx(row, abs=1e-12)
    assert found.column == pytest.approx(column, abs=1e-12)


def test_a_bound_that_holds_with_equality_but_not_by_complementarity():
    # Row 3 gains p1 - p2 and may not gain: p1 <= p2. Weights 3 : 2 on the copies would be the more even, and are not
    # allowed, so p1 is 1/2, shared by three copies.
    base = np.array([[0.0, 0.0, -1.0], [0.0, 0.0, 1.0], [1.0, -1.0, 0.0]])
    copies = [0, 0, 0, 1, 1, 2]
    found = max_entropy_nash(base[np.ix_(copies, copies)])
    assert found.row == pytest.approx([1 / 6, 1 / 6, 1 / 6, 1 / 4, 1 / 4, 0.0], abs=1e-12)


@settings(max_examples=120, deadline=None)
@given(small)
def test_equilibria_are_exact_and_no_other_is_as_even(matrix):
    matrix = np.array(matrix, dtype=np.float64)
    found = max_entropy_nash(matrix)
    assert found.status is Status.CONVERGED
    assert (matrix @ found.column).max() - (found.row @ matrix).min() <= 1e-9
    for game, own in ((matrix - found.value, found.row), (found.value - matrix.T, found.column)):
        # Entropy is concave, so x has the most if and only if no equilibrium y has a larger -sum y log x; where x is 0
        # that says that all y are.
        slope = -np.log(np.maximum(own, 1e-100))
        other = linprog(-slope, A_ub=-game.T, b_ub=np.full(game.shape[1], 1e-12), A_eq=np.ones((1, len(own))), b_eq=[1])
        assert other.status == 0
        assert -other.fun <= entr(own).sum() + 1e-6


def test_an_interior_point_method_finds_the_same_up_to_its_accuracy():
    rng = np.random.default_rng(0)
    for _ in range(20):
        matrix = rng.integers(-1, 2, (6, 6)).astype(float)
        matrix = np.triu(matrix, 1) - np.triu(matrix, 1).T
        found = max_entropy_nash(matrix)
        even = most_even(sparse.csr_array(matrix), 1e-9, entropy=True)[0]
        assert found.row == pytest.approx(found.column, abs=1e-12)
        assert entr(found.row).sum() == pytest.approx(entr(even).sum(), abs=1e-5)


@settings(max_examples=50, deadline=None)
@given(small, st.floats(0.1, 10), st.floats(-5, 5), st.randoms(use_true_random=False))
def test_order_unit_and_shift_change_nothing(matrix, factor, shift, random):
    matrix = np.array(matrix, dtype=np.float64)
    rows, columns = list(range(matrix.shape[0])), list(range(matrix.shape[1]))
    random.shuffle(rows)
    random.shuffle(columns)
    found = max_entropy_nash(matrix)
    moved = max_entropy_nash(factor * matrix[np.ix_(rows, columns)] + shift)
    assert moved.row == pytest.approx(found.row[rows], abs=1e-7)
    assert moved.column == pytest.approx(found.column[columns], abs=1e-7)
    assert moved.value == pytest.approx(factor * found.value + shift, abs=1e-9)


@pytest.mark.parametrize("seed", range(4))
def test_large_generic_games_have_the_one_equilibrium_there_is(seed):
    matrix = np.random.default_rng(seed).normal(size=(60, 80))
    found = max_entropy_nash(matrix)
    assert found.status is Status.CONVERGED
    assert (found.row > 1e-9).sum() == (found.column > 1e-9).sum()
    assert found.residual < 1e-10


def test_where_newton_fails_the_interior_point_solution_stands_and_the_status_says_so(monkeypatch):
    module = importlib.import_module("eqsolvers.evaluation.max_entropy_nash")
    monkeypatch.setattr(module, "STEPS", 0)
    base = np.array([[0.0, 0.0, -1.0], [0.0, 0.0, 1.0], [1.0, -1.0, 0.0]])
    found = max_entropy_nash(base)
    assert found.status is Status.INACCURATE
    assert "interior-point" in found.message
    assert found.row == pytest.approx([0.5, 0.5, 0.0], abs=1e-4)
    assert found.residual < 1e-8


def test_where_no_programme_is_solved_an_equilibrium_stands(monkeypatch):
    module = importlib.import_module("eqsolvers.evaluation.max_entropy_nash")

    def fails(*arguments, **options):
        raise ConicProgramError("no")

    monkeypatch.setattr(module, "STEPS", 0)
    monkeypatch.setattr(module, "most_even", fails)
    found = max_entropy_nash(np.zeros((2, 3)))
    assert found.status is Status.INACCURATE
    assert "not the one of greatest entropy" in found.message
    assert found.residual == 0.0


def test_bad_input_is_named():
    with pytest.raises(InputError, match="rows and columns"):
        max_entropy_nash(np.zeros((0, 3)))
    with pytest.raises(InputError, match="finite"):
        max_entropy_nash(np.array([[np.inf]]))
