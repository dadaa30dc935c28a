"""Variants of PSRO that are settings of one loop: shared populations, pruning, adaptive samples, other meta-solvers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import eqenvs
from eqagents.distributed import Executor, InlineExecutor
from eqagents.learners.psro._payoffs import NORMAL_95, PayoffConfig, PayoffTable
from eqagents.learners.psro._symmetry import shared_rows, spread, symmetric_solution
from eqagents.learners.psro.psro import PSRO, PSROConfig, PSROState, build
from eqenvs.errors import InputError, UnsupportedGame
from eqsolvers.meta import MetaSolution, NoMetaSolutionError, correlated, nash
from eqsolvers.scoring import score
from eqsolvers.scoring.scorers import scorer

SEED = 11
EXACT = {"oracle": {"id": "exact"}}


def config(**fields: Any) -> PSROConfig:
    return PSROConfig.model_validate({"id": "psro", **EXACT, **fields})


def after(game: eqenvs.Game, steps: int, executor: Executor | None = None, **fields: Any) -> tuple[PSRO, PSROState]:
    learner = build(game, config(**fields), executor or InlineExecutor(SEED))
    state = learner.init(np.random.SeedSequence(SEED))
    for _ in range(steps):
        state, _ = learner.step(state)
    return learner, state


# --------------------------------------------------------------------------------------------------- shared populations


@pytest.mark.parametrize(
    ("game_id", "parameters", "meta_solver"),
    [
        ("colonel_blotto", {}, "nash"),
        ("rock_paper_scissors", {}, "max_gini_cce"),
        ("all_pay_auction", {}, "max_welfare_cce"),
        ("first_price_auction", {}, "max_welfare_cce"),
        ("dispersion_game", {"num_players": 3}, "max_welfare_cce"),
    ],
)
def test_shared_population_solves_symmetric_games(game_id: str, parameters: dict[str, Any], meta_solver: str) -> None:
    game = eqenvs.make(game_id, **parameters)
    learner, state = after(game, 15, symmetric=True, meta_solver=meta_solver, least_gain=1e-9)
    inner = state.restricted
    assert all(population is inner.populations[0] for population in inner.populations)
    scored = score(game, learner.average_policy(state))
    gap = scored.nash_conv if meta_solver == "nash" else scored.cce_gap
    assert gap == pytest.approx(0, abs=1e-7)
    # The cells that were told by symmetry are what their profiles pay.
    members = learner.populations(state).members
    for cell in np.ndindex(*inner.payoffs.count.shape):
        values = scorer(game.model()).values([members[player][k].table for player, k in enumerate(cell)])
        np.testing.assert_allclose(inner.payoffs.mean[(slice(None), *cell)], values, atol=1e-12)
    assert inner.payoffs.missing() == []


def test_shared_population_keeps_rectified_targets_and_hears_the_averaged_device() -> None:
    game = eqenvs.make("colonel_blotto")
    _, together = after(game, 5, symmetric=True, meta_solver="rectified")
    meta = together.restricted.meta
    used = np.flatnonzero(meta.strategies[0] > 1e-9)
    matrix = together.restricted.payoffs.mean[0]
    assert len(used) > 1
    for policy, target in zip(used, meta.against(0), strict=True):
        assert (matrix[policy][target.strategies[1] > 1e-9] >= -1e-9).all()  # those that it does not lose to
    assert len({tuple(target.strategies[1].round(6)) for target in meta.against(0)}) > 1
    uneven = correlated(np.array([[0.0, 0.6], [0.4, 0.0]]), told=True)
    alike = symmetric_solution(uneven, constant_sum=False)
    assert [len(alike.against(player)) for player in (0, 1)] == [2, 2]
    assert alike.against(0)[0].strategies[1].tolist() == [0.0, 1.0]


def test_shared_cells_of_equal_policies_pay_everybody_the_same() -> None:
    payoffs = {"method": "simulated", "episodes": 50}
    _, state = after(eqenvs.make("chicken"), 2, symmetric=True, meta_solver="uniform", payoffs=payoffs, least_gain=None)
    mean = state.restricted.payoffs.mean
    for k in range(mean.shape[1]):
        assert mean[0, k, k] == mean[1, k, k]
    np.testing.assert_array_equal(mean[1], mean[0].T)


def test_fallback_of_a_shared_population_is_taken_where_there_is_no_symmetric_solution(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    apart = lambda game, settings: MetaSolution(  # noqa: E731
        (np.eye(game.model.num_actions[0])[0], np.eye(game.model.num_actions[1])[-1])
    )
    monkeypatch.setattr(nash, "META_SOLVER", replace(nash.META_SOLVER, solve=apart))
    learner = build(
        eqenvs.make("chicken"),
        config(symmetric=True, meta_solver={"id": "nash", "fallback": "uniform"}),
        InlineExecutor(SEED),
    )
    state, metrics = learner.step(learner.init(np.random.SeedSequence(SEED)))
    assert metrics["meta/fell_back"] == 1
    assert len(set(map(tuple, state.restricted.meta.strategies))) == 1


def test_shared_population_of_simulated_cells_plays_each_profile_once() -> None:
    game = eqenvs.make("rock_paper_scissors")
    payoffs = {"method": "simulated", "episodes": 50}
    _, state = after(game, 2, symmetric=True, payoffs=payoffs, least_gain=None)
    size = len(state.restricted.populations[0])
    assert state.episodes == 50 * size * (size + 1) // 2
    assert (state.restricted.payoffs.count == 50).all()


@pytest.mark.parametrize(
    ("game_id", "what"),
    [
        ("kuhn_poker", "players 0 and 1 decide at different information states"),
        ("matching_pennies", "payoffs change by"),
        ("battle_of_the_sexes", "payoffs change by"),
    ],
)
def test_games_that_are_not_symmetric_are_refused(game_id: str, what: str) -> None:
    with pytest.raises(InputError, match=rf"{game_id}.* is not symmetric: .*{what}.*use symmetric: false"):
        build(eqenvs.make(game_id), config(symmetric=True), InlineExecutor(SEED))


def test_symmetric_needs_tables() -> None:
    game = eqenvs.make("rock_paper_scissors")
    with pytest.raises(InputError, match="symmetric: true shares tables, so it needs tabulate: true"):
        build(game, config(symmetric=True, tabulate=False, payoffs={"method": "simulated"}), InlineExecutor(SEED))
    assert [rows.tolist() for rows in shared_rows(game)] == [[0], [0]]


def test_payoffs_are_spread_over_who_plays_what() -> None:
    cells, payoffs = spread((0, 1, 1), np.array([5.0, 7.0, 7.0]))
    assert dict(zip(cells, payoffs.tolist(), strict=True)) == {
        (0, 1, 1): [5.0, 7.0, 7.0],
        (1, 0, 1): [7.0, 5.0, 7.0],
        (1, 1, 0): [7.0, 7.0, 5.0],
    }
    assert spread((2, 2), np.ones(2))[0] == [(2, 2)]


def test_solutions_in_which_players_differ_are_no_solutions_of_a_shared_population() -> None:
    apart = MetaSolution((np.array([1.0, 0.0]), np.array([0.0, 1.0])))
    with pytest.raises(NoMetaSolutionError, match="differ by 1"):
        symmetric_solution(apart, constant_sum=False)
    assert symmetric_solution(apart, constant_sum=True).strategies[1].tolist() == [1.0, 0.0]
    device = symmetric_solution(MetaSolution((), np.array([[0.0, 0.6], [0.4, 0.0]])), constant_sum=False).device
    assert device is not None
    assert device.tolist() == [[0.0, 0.5], [0.5, 0.0]]


# -------------------------------------------------------------------------------------------------------------- pruning


def test_idle_policies_are_taken_out_and_the_game_is_solved_all_the_same() -> None:
    game = eqenvs.make("kuhn_poker")
    learner = build(game, config(prune_after=4), InlineExecutor(SEED))
    state, pruned = learner.init(np.random.SeedSequence(SEED)), 0.0
    for _ in range(20):
        state, metrics = learner.step(state)
        pruned += metrics["population/pruned_0"] + metrics["population/pruned_1"]
        inner = state.restricted
        assert inner.payoffs.mean.shape == (2, *(len(population) for population in inner.populations))
        assert all((idle < 4).all() for idle in inner.idle)
        np.testing.assert_allclose([own.sum() for own in inner.meta.strategies], 1, atol=1e-12)
    assert pruned > 0
    assert score(game, learner.average_policy(state)).nash_conv == pytest.approx(0, abs=1e-9)
    assert len(inner.populations[0]) < 6  # of nine without pruning


@pytest.mark.parametrize("solver", ["online", "anytime"])
def test_what_rests_on_all_policies_is_not_pruned(solver: str) -> None:
    with pytest.raises(InputError, match=f"prune_after: meta-solver '{solver}' learns"):
        build(eqenvs.make("kuhn_poker"), config(prune_after=3, meta_solver=solver), InlineExecutor(SEED))


# ---------------------------------------------------------------------------------------- samples where they are needed


def test_wide_intervals_get_more_chunks_and_narrow_ones_none() -> None:
    settings = PayoffConfig(method="simulated", episodes=100, half_width=0.1, most_episodes=1000)
    table = PayoffTable.empty(2).grown([1, 3])
    cells = table.missing()
    variance = np.array([0.0, 0.5, 25.0])
    sums, squares = np.zeros((3, 2)), np.repeat(variance[:, None] * 100, 2, axis=1)
    table = table.played(cells, 100, sums, squares)
    np.testing.assert_allclose(table.half_widths()[0], NORMAL_95 * np.sqrt(variance / 100))
    needed = int(np.ceil(0.5 * (NORMAL_95 / 0.1) ** 2))  # 193 episodes, so one more chunk
    assert 100 < needed <= 200
    assert table.wanting(settings, cells) == [((0, 1), 1), ((0, 2), 1)]  # no more at once than it has had
    table = table.played([(0, 1), (0, 2)], 100, sums[1:], squares[1:])
    assert table.wanting(settings, cells) == [((0, 2), 2)]
    for _ in range(8):
        table = table.played([(0, 2)], 100, sums[2:], squares[2:])
    assert table.wanting(settings, cells) == []  # `most_episodes` are spent


def test_merged_chunks_are_one_sample() -> None:
    rng = np.random.default_rng(0)
    payoffs = rng.normal(2.0, 3.0, size=(5, 40, 2))
    table = PayoffTable.empty(2).grown([1, 1])
    for chunk in payoffs:
        table = table.played([(0, 0)], 40, chunk.sum(axis=0)[None], (chunk**2).sum(axis=0)[None])
    every = payoffs.reshape(-1, 2)
    np.testing.assert_allclose(table.mean[:, 0, 0], every.mean(axis=0))
    np.testing.assert_allclose(table.variance[:, 0, 0], every.var(axis=0))
    assert table.count.tolist() == [[200]]


def test_every_cell_ends_within_its_interval_and_intervals_hold_the_exact_payoffs() -> None:
    game = eqenvs.make("kuhn_poker")
    payoffs = {"method": "simulated", "episodes": 200, "half_width": 0.08}
    _, state = after(game, 4, payoffs=payoffs)
    _, exact = after(game, 4)
    table = state.restricted.payoffs
    assert (table.half_widths() <= 0.08).all()
    assert len(set(table.count.reshape(-1).tolist())) > 1
    assert state.episodes == table.count.sum()
    same = tuple(slice(0, 2) for _ in range(2))  # the first responses do not depend on samples
    error = np.abs(table.mean[(0, *same)] - exact.restricted.payoffs.mean[(0, *same)])
    assert (error <= 2 * table.half_widths()[same]).all()


# -------------------------------------------------------------------------------------------------------- other solvers


def test_anytime_exploitability_never_rises() -> None:
    game = eqenvs.make("kuhn_poker")
    learner = build(game, config(meta_solver={"id": "anytime", "settings": {"rounds": 100}}), InlineExecutor(SEED))
    state, found = learner.init(np.random.SeedSequence(SEED)), []
    for _ in range(8):
        state, _ = learner.step(state)
        found.append(score(game, learner.average_policy(state)).nash_conv)
    assert (np.diff(found) <= 1e-12).all()
    assert found[-1] < 0.05
    plain, start = build(game, config(), InlineExecutor(SEED)), []
    state = plain.init(np.random.SeedSequence(SEED))
    for _ in range(8):
        state, _ = plain.step(state)
        start.append(score(game, plain.average_policy(state)).nash_conv)
    assert (np.diff(start) > 1e-6).any()  # which double oracle's does


def test_anytime_is_for_games_whose_best_responses_are_known() -> None:
    for game in (eqenvs.make("kuhn_poker", num_players=3), eqenvs.make("grid_soccer"), eqenvs.make("chicken")):
        with pytest.raises(UnsupportedGame, match="two-player constant-sum games"):
            build(game, config(meta_solver="anytime"), InlineExecutor(SEED))


def test_online_double_oracle_comes_near_on_kuhn() -> None:
    game = eqenvs.make("kuhn_poker")
    learner, state = after(game, 400, meta_solver="online")
    assert score(game, learner.average_policy(state)).nash_conv < 0.15
    assert len(state.restricted.populations[0]) < 20
