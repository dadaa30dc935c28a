"""Meta-solvers on empirical games of unequal populations."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from eqenvs.errors import InputError, UnknownNameError, UnsupportedGame
from eqenvs.models import NormalFormModel
from eqenvs.policies import TabularPolicy
from eqsolvers.meta import NoMetaSolutionError, find_meta_solver, meta_solver_ids
from eqsolvers.meta._solved import matrix_equilibrium
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


class Matrix:
    """A matrix game of which the populations are the first rows and columns: an `Outside`."""

    def __init__(self, matrix: np.ndarray, rows: int, columns: int) -> None:
        self.matrix, self.rows, self.columns = matrix, rows, columns

    @property
    def empirical(self) -> np.ndarray:
        part = self.matrix[: self.rows, : self.columns]
        return np.stack([part, -part])

    def against_best_responses(self, strategies: Sequence[np.ndarray]) -> tuple[np.ndarray, ...]:
        best_column = (strategies[0] @ self.matrix[: self.rows]).argmin()
        best_row = (self.matrix[:, : self.columns] @ strategies[1]).argmax()
        return self.matrix[: self.rows, best_column], -self.matrix[best_row, : self.columns]


@pytest.mark.parametrize("seed", range(4))
def test_anytime_mixture_guarantees_what_the_population_can_against_the_whole_game(seed: int) -> None:
    matrix = np.random.default_rng(seed).normal(size=(12, 9))
    outside = Matrix(matrix, 5, 4)
    found = find_meta_solver("anytime")(outside.empirical, {"rounds": 2000}, outside=outside)
    row, _ = matrix_equilibrium(matrix[:5])  # the population's rows against all columns
    _, column = matrix_equilibrium(matrix[:, :4])
    best = [(row @ matrix[:5]).min(), -(matrix[:, :4] @ column).max()]
    guarantee = [(found.strategies[0] @ matrix[:5]).min(), -(matrix[:, :4] @ found.strategies[1]).max()]
    lost = np.subtract(best, guarantee)
    assert (lost > -1e-9).all()
    assert lost.sum() <= found.residual + 1e-9 < 0.05
    outside.rows, outside.columns = 7, 6
    few = {"rounds": 1}
    grown = find_meta_solver("anytime")(outside.empirical, few, outside=outside, memory=found.memory)
    after = [(grown.strategies[0] @ matrix[:7]).min(), -(matrix[:, :6] @ grown.strategies[1]).max()]
    assert (np.array(after) >= np.array(guarantee) - 1e-12).all()


def test_anytime_needs_the_whole_game() -> None:
    with pytest.raises(UnsupportedGame, match="'anytime' needs best responses in the whole game"):
        find_meta_solver("anytime")(np.stack([RPS, -RPS]))


def test_online_learners_go_on_and_begin_anew_where_their_population_grew() -> None:
    """By hand with Hedge: the first round is uniform; the target is the mean of what was met in the window."""
    matrix = np.array([[3.0, -1.0, 4.0], [-2.0, 2.0, 5.0]])
    solve, small, whole = find_meta_solver("online"), np.stack([matrix, -matrix])[:, :, :2], np.stack([matrix, -matrix])
    first = solve(small)
    assert [own.tolist() for own in first.strategies] == [[0.5, 0.5]] * 2
    second = solve(small, memory=first.memory)
    eta = 2 * np.sqrt(np.log(2) / 2)  # of the second round
    rows = np.exp(eta * (matrix[:, :2] @ [0.5, 0.5]) / 5)
    np.testing.assert_allclose(second.strategies[0], (0.5 + rows / rows.sum()) / 2, atol=1e-12)
    third = solve(whole, memory=second.memory)
    (mine,), (theirs,) = third.against(0), third.against(1)
    # The column player's window began anew with its third column: one round, of the row player's third.
    columns_window = np.asarray(third.memory["players"][1]["seen"][0])
    assert columns_window.sum() == pytest.approx(1)
    np.testing.assert_allclose(theirs.strategies[0], columns_window, atol=1e-12)
    assert np.asarray(third.memory["players"][0]["seen"][1]).sum() == pytest.approx(3)
    np.testing.assert_allclose(mine.strategies[1], (2 * np.append(second.strategies[1], 0) + 1 / 3) / 3, atol=1e-12)


@pytest.mark.parametrize("learner", ["hedge", "rm+"])
def test_online_play_averages_to_equilibrium(learner: str) -> None:
    matrix = np.array([[3.0, -1.0, 4.0], [-2.0, 2.0, 5.0]])
    memory: dict[str, object] = {}
    for _ in range(20):
        found = find_meta_solver("online")(
            np.stack([matrix, -matrix]), {"learner": learner, "rounds": 500}, memory=memory
        )
        memory = dict(found.memory)
    np.testing.assert_allclose(found.strategies[0], [1 / 2, 1 / 2], atol=0.02)
    np.testing.assert_allclose(found.strategies[1], [3 / 8, 5 / 8, 0], atol=0.02)


RPS = np.array([[0.0, -1, 1], [1, 0, -1], [-1, 1, 0]])


def test_rectified_responses_meet_those_that_a_policy_does_not_lose_to() -> None:
    solution = find_meta_solver("rectified")(np.stack([RPS, -RPS]))
    for player in (0, 1):
        for policy, target in enumerate(solution.against(player)):
            faced = target.strategies[1 - player]
            np.testing.assert_allclose(faced, np.where(RPS[policy] >= 0, 0.5, 0.0), atol=1e-9)


def test_rectified_leaves_policies_out_of_use_alone() -> None:
    """By hand: rows mix (1/2, 1/2), columns (3/8, 5/8, 0), value 1/2; row 0 beats column 0, row 1 column 1."""
    matrix = np.array([[3.0, -1, 4], [-2, 2, 5]])
    solution = find_meta_solver("rectified")(np.stack([matrix, -matrix]))
    assert [target.strategies[1].round(9).tolist() for target in solution.against(0)] == [[1, 0, 0], [0, 1, 0]]
    assert [target.strategies[0].round(9).tolist() for target in solution.against(1)] == [[0, 1], [1, 0]]


def test_projected_replicator_dynamics_leave_a_least_probability_and_average_to_equilibrium() -> None:
    matrix = np.array([[3.0, -1, 4], [-2, 2, 5]])
    payoffs = np.stack([matrix, -matrix])
    near = find_meta_solver("prd")(payoffs)
    np.testing.assert_allclose(near.strategies[1], [3 / 8, 5 / 8, 0], atol=0.01)  # the average's error falls as 1/time
    dominated = find_meta_solver("prd")(np.array([[[1.0], [0]], [[0.0], [0]]]), {"exploration": 0.3, "steps": 4000})
    np.testing.assert_allclose(dominated.strategies[0], [0.9, 0.1], atol=0.02)  # 0.3 / (2 + 1) is the least


def test_bargaining_takes_the_profile_with_the_largest_product_of_gains() -> None:
    chicken = np.array([[[6.0, 2], [7, 0]], [[6, 7], [2, 0]]])  # 6 x 6 beats (7 + 2)^2 / 4
    np.testing.assert_allclose(find_meta_solver("nash_bargaining")(chicken).device, [[1, 0], [0, 0]], atol=1e-6)


def test_bargaining_splits_as_by_hand() -> None:
    """All of it to one or the other, 10 or 4 in their units: log(10 p) + log(4 (1 - p)) is largest at 1/2."""
    split = np.array([[[10.0, 0]], [[0.0, 4]]])
    device = find_meta_solver("nash_bargaining")(split).device
    np.testing.assert_allclose(device, [[0.5, 0.5]], atol=1e-6)


def test_bargaining_says_who_gains_nothing() -> None:
    with pytest.raises(NoMetaSolutionError, match="player 1 gains nothing over disagreement 0 in any profile"):
        find_meta_solver("nash_bargaining")(np.array([[[1.0, 2]], [[0.0, 0]]]))
    with pytest.raises(NoMetaSolutionError):
        find_meta_solver("nash_bargaining")(np.stack([RPS, -RPS]), {"disagreement": "security"})


def test_hybrid_is_the_mean_of_its_components_when_hot_and_equilibrium_when_cold() -> None:
    matrix = np.array([[3.0, -1, 4], [-2, 2, 5]])
    payoffs = np.stack([matrix, -matrix])
    nash, even = (find_meta_solver(name)(payoffs).strategies for name in ("nash", "uniform"))
    given = {"components": "uniform, nash", "start": 1e6, "end": 1e-4, "over": 10}
    hot, cold = (find_meta_solver("hybrid")(payoffs, given, iteration=k).strategies for k in (0, 10))
    for player in (0, 1):
        np.testing.assert_allclose(hot[player], (nash[player] + even[player]) / 2, atol=1e-5)
        np.testing.assert_allclose(cold[player], nash[player], atol=1e-12)
    with pytest.raises(UnknownNameError, match="did you mean 'nash'"):
        find_meta_solver("hybrid")(payoffs, {"components": "nahs"})
