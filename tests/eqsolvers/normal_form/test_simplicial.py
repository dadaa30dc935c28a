"""Simplicial subdivision: its pivots, its bound, unique and degenerate equilibria, games where others fail."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import eqenvs
from eqenvs.arrays import Float64Array
from eqenvs.errors import InputError
from eqenvs.models import NormalFormModel
from eqsolvers.normal_form import logit, simplicial
from eqsolvers.normal_form._multilinear import Multilinear
from eqsolvers.normal_form._retraction import displacement, retract
from eqsolvers.normal_form.simplicial import SOLVER, _Simplex, solve, solve_level
from eqsolvers.result import Status
from eqsolvers.scoring import score


def random_game(seed: int, shape: tuple[int, ...]) -> NormalFormModel:
    return NormalFormModel(np.random.default_rng(seed).random((len(shape), *shape)))


def pursuit(weights: tuple[float, float, float]) -> NormalFormModel:
    """Jordan (1993), "Three problems in learning mixed-strategy Nash equilibria", with unequal stakes.

    Players 0 and 1 want to match the next one, 2 to differ from 0; success is worth w with action 0 of the other.
    """
    payoffs = np.zeros((3, 2, 2, 2))
    for profile in np.ndindex(2, 2, 2):
        for player in range(3):
            own, other = profile[player], profile[(player + 1) % 3]
            if (own == other) == (player < 2):
                payoffs[(player, *profile)] = weights[player] if other == 0 else 1.0
    return NormalFormModel(payoffs)


@settings(max_examples=60, deadline=None)
@given(order=st.permutations(range(4)), index=st.integers(0, 4))
def test_a_pivot_replaces_one_vertex_and_is_its_own_inverse(order: list[int], index: int) -> None:
    simplex = _Simplex(np.array([3, -1, 0, 0]), np.array(order), np.arange(5))
    before = [tuple(simplex.vertex(i)) for i in range(5)]
    place = simplex.replace(index)
    after = [tuple(simplex.vertex(i)) for i in range(5)]
    assert set(before) - set(after) == {before[index]}
    assert set(after) - set(before) == {after[place]}
    # The columns go with their vertices.
    for vertex, column in zip(after, simplex.columns, strict=True):
        assert vertex == after[place] or vertex == before[column]
    assert simplex.replace(place) == index
    assert [tuple(simplex.vertex(i)) for i in range(5)] == before


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_no_player_gains_more_than_twice_the_displacement(seed: int) -> None:
    generator = np.random.default_rng(seed)
    game = Multilinear(random_game(seed, (2, 3, 4)))
    point = generator.normal(size=game.size)
    gains = game.gains(retract(game.slices, point))
    assert gains.max() <= 2 * np.abs(displacement(game, point)).max() + 1e-12


UNIQUE = [
    pytest.param(
        NormalFormModel([[[3, -1, 4], [-2, 2, 5]], [[-3, 1, -4], [2, -2, -5]]]),
        [[1 / 2, 1 / 2], [3 / 8, 5 / 8, 0]],
        id="zero-sum-2x3",  # worked by hand in test_lp
    ),
    # A player is indifferent where the one it looks at plays action 0 with probability 1 / (1 + w).
    pytest.param(pursuit((3.0, 4.0, 1.5)), [[0.4, 0.6], [0.25, 0.75], [0.2, 0.8]], id="pursuit"),
    pytest.param(NormalFormModel([[1.0, 5.0, 2.0]]), [[0, 1, 0]], id="one-player"),
]


@pytest.mark.parametrize(("model", "wanted"), UNIQUE)
def test_unique_equilibria_are_found(model: NormalFormModel, wanted: list[list[float]]) -> None:
    result = solve(model)
    assert result.status is Status.CONVERGED
    for table, strategy in zip(result.policy.tables, wanted, strict=True):
        np.testing.assert_allclose(table[0], strategy, atol=1e-8)
    for table, other in zip(result.policy.tables, logit.solve(model).policy.tables, strict=True):
        np.testing.assert_allclose(table, other, atol=1e-6)


@pytest.mark.parametrize("shape", [(2, 3), (3, 3, 3), (2, 3, 4), (2, 2, 2, 2), (4, 4, 4)])
def test_equilibria_of_random_games_are_found_and_scored_exactly(shape: tuple[int, ...]) -> None:
    for seed in range(6):
        model = random_game(seed, shape)
        result = solve(model)
        assert result.status is Status.CONVERGED
        assert result.residual == score(model, result.policy).nash_conv <= 1e-9


def test_where_it_ends_near_the_logit_path_it_ends_in_the_same_equilibrium() -> None:
    same = 0
    for seed in range(20):
        model = random_game(100 + seed, (3, 3, 3))
        ours = np.concatenate([t[0] for t in solve(model, tolerance=1e-11).policy.tables])
        theirs = np.concatenate([t[0] for t in logit.solve(model, tolerance=1e-10).policy.tables])
        # Equilibria of random games are isolated, so that two near each other with one support are one.
        if ((ours > 1e-6) == (theirs > 1e-6)).all() and np.abs(ours - theirs).max() < 0.05:
            np.testing.assert_allclose(ours, theirs, atol=1e-6)
            same += 1
    assert same >= 8


@pytest.mark.parametrize("seed", range(30))
def test_degenerate_games_with_few_payoffs_are_solved(seed: int) -> None:
    shape = [(2, 2), (2, 3), (4, 4), (2, 2, 2), (2, 3, 2), (3, 3, 3)][seed % 6]
    generator = np.random.default_rng(seed)
    model = NormalFormModel(generator.integers(0, 2 + seed % 3, (len(shape), *shape)))
    assert solve(model).status is Status.CONVERGED


@pytest.mark.parametrize("scale", [1e-6, 1e6])
def test_unit_and_offset_of_payoffs_do_not_matter(scale: float) -> None:
    model = random_game(5, (2, 3, 2))
    plain = solve(model)
    scaled = solve(NormalFormModel(scale * (model.payoffs + 7)), tolerance=1e-9 * scale)
    assert scaled.status is Status.CONVERGED
    for table, other in zip(plain.policy.tables, scaled.policy.tables, strict=True):
        np.testing.assert_allclose(table, other, atol=1e-6)


def test_an_equilibrium_of_index_minus_one_is_kept_to() -> None:
    # Restarted with minus the identity, the first coarse zero of this game was left on a path of 341000 pivots.
    result = solve(NormalFormModel(np.random.default_rng(10).random((3, 5, 5, 5))), settings={"pivots": 20_000})
    assert result.status is Status.CONVERGED


def test_a_singular_slope_is_no_way_to_start() -> None:
    game = Multilinear(random_game(0, (2, 3)))
    assert solve_level(game, game.uniform(), np.zeros((5, 5)), 0.5, 1000) == (None, 0)
    found, pivots = solve_level(game, game.uniform(), -np.eye(5), 0.5, 1000)
    assert found is not None
    assert pivots > 0
    # The slope is that of F up to the mesh, and exactly -1 along a player's common shift.
    shift = np.repeat([1.0, 0.0], [2, 3])
    np.testing.assert_allclose(found.slope @ shift, -shift, atol=1e-9)


def test_the_error_falls_faster_than_the_mesh() -> None:
    # Near a regular equilibrium the interpolation's error is quadratic: few levels, each at most 16 times finer.
    result = solve(random_game(11, (3, 3, 3)), tolerance=1e-13)
    assert result.residual <= 1e-13
    assert result.detail["mesh"] >= 1e-11


def test_a_spent_budget_is_a_status() -> None:
    result = solve(random_game(1, (4, 4, 4)), settings={"pivots": 5})
    assert result.status is Status.ITERATION_LIMIT
    assert result.iterations == 5
    assert result.residual == score(random_game(1, (4, 4, 4)), result.policy).nash_conv


def test_bad_input_is_refused_in_one_line() -> None:
    model = random_game(0, (2, 2))
    with pytest.raises(InputError, match="tolerance must be at least 0"):
        SOLVER.solve(model, tolerance=-1.0)
    with pytest.raises(InputError, match="'mesh' must be a number from"):
        solve(model, settings={"mesh": 0.0})


def test_a_game_with_a_continuum_of_equilibria_is_solved() -> None:
    # Its bases are degenerate: pivots on rounding, at 1e-12 of the largest entry, once ended this at a gap of 1e-4
    # after 60,000 pivots.
    result = solve(eqenvs.make("colonel_blotto", troops=4).model(), settings={"pivots": 60_000})
    assert result.status is Status.CONVERGED


def test_the_bases_of_a_degenerate_path_stay_regular(monkeypatch: pytest.MonkeyPatch) -> None:
    # Before, the inverses of this path grew to 1e34 and their weights fell to -1e17, until no column could leave.
    largest, least = [], []
    leaving = simplicial._leaving

    def watched(inverse: Float64Array, direction: Float64Array) -> int | None:
        largest.append(float(np.abs(inverse).max()))
        least.append(float(inverse[:, 0].min()))
        return leaving(inverse, direction)

    monkeypatch.setattr(simplicial, "_leaving", watched)
    model = eqenvs.make("colonel_blotto", troops=5).model()
    result = solve(model, settings={"pivots": 6_000})
    assert result.status is Status.ITERATION_LIMIT
    assert result.residual == score(model, result.policy).nash_conv < 0.02
    assert max(largest) < 1e9
    assert min(least) > -1e-6


def test_a_facet_that_is_met_again_ends_a_level(monkeypatch: pytest.MonkeyPatch) -> None:
    # The vertex that came in goes out again: the path would go to and fro until the pivots are spent.
    columns: list[int] = []

    def back_and_forth(inverse: Float64Array, direction: Float64Array) -> int:
        columns.append(columns[-1] if columns else int(np.argmax(direction)))
        return columns[-1]

    monkeypatch.setattr(simplicial, "_leaving", back_and_forth)
    game = Multilinear(random_game(0, (2, 3)))
    found, made = solve_level(game, game.uniform(), -np.eye(5), 0.5, 10_000)
    assert found is None
    assert made < 100


def test_a_basis_that_no_column_can_leave_ends_a_level() -> None:
    assert simplicial._leaving(np.eye(3), np.array([-1.0, 0.0, -0.5])) is None
