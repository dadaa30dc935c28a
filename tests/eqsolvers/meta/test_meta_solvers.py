"""Meta-solvers on empirical games of unequal populations."""

from __future__ import annotations

import numpy as np
import pytest

from eqenvs.errors import InputError, UnknownNameError
from eqenvs.models import NormalFormModel
from eqenvs.policies import TabularPolicy
from eqsolvers.meta import find_meta_solver, meta_solver_ids
from eqsolvers.scoring import score


def test_uniform_counts_every_policy_the_same() -> None:
    solution = find_meta_solver("uniform")(np.zeros((3, 2, 4, 1)))
    assert [strategy.tolist() for strategy in solution.strategies] == [[0.5, 0.5], [0.25] * 4, [1.0]]
    assert solution.device is None


def test_nash_solves_a_2x3_empirical_game_and_leaves_it_alone() -> None:
    matrix = np.array([[3.0, -1, 4], [-2, 2, 5]])  # by hand: rows (1/2, 1/2), columns (3/8, 5/8, 0)
    payoffs = np.stack([matrix, -matrix])
    payoffs.setflags(write=False)
    solution = find_meta_solver("nash")(payoffs)
    np.testing.assert_allclose(solution.strategies[0], [1 / 2, 1 / 2], atol=1e-9)
    np.testing.assert_allclose(solution.strategies[1], [3 / 8, 5 / 8, 0], atol=1e-9)


def test_nash_takes_general_games_of_three_players() -> None:
    payoffs = np.random.default_rng(0).normal(size=(3, 2, 3, 4))
    solution = find_meta_solver("nash")(payoffs)
    model = NormalFormModel(payoffs)
    assert solution.residual == 0
    assert score(model, TabularPolicy(model, [x[None] for x in solution.strategies])).nash_conv < 1e-8


@pytest.mark.parametrize("name", meta_solver_ids())
@pytest.mark.parametrize("payoffs", [np.full((2, 2, 2), np.nan), np.zeros((3, 2, 2))], ids=["nan", "shape"])
def test_what_is_no_game_is_refused_by_every_meta_solver(name: str, payoffs: np.ndarray) -> None:
    with pytest.raises(InputError, match="payoffs must"):
        find_meta_solver(name)(payoffs)


def test_unknown_meta_solver_names_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="unknown meta-solver 'nsh'; did you mean 'nash'"):
        find_meta_solver("nsh")
    assert {"nash", "uniform"} <= set(meta_solver_ids())
