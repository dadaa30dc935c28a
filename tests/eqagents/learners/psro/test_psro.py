"""PSRO: convergence with exact oracles, and the same bits on any executor and across a resume."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import eqenvs
from eqagents.configuration import validate
from eqagents.distributed import Executor, InlineExecutor, TaskError
from eqagents.learners import find_learner
from eqagents.learners.psro._population import joint_policy
from eqagents.learners.psro.psro import PSRO, PSROConfig, PSROState, build
from eqagents.oracles import OracleResult, Situation, exact
from eqagents.policies import tabular_record
from eqagents.policies.digests import digest
from eqagents.training.checkpoint import load_checkpoint, save_checkpoint
from eqenvs.errors import InputError, UnknownNameError, UnsupportedGame
from eqsolvers.meta import EmpiricalGame, MetaSolution, NoMetaSolutionError, nash
from eqsolvers.scoring import score
from eqsolvers.scoring.score import best_response

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

SEED = 11
SMALL_ORACLE = {"id": "policy_gradient", "updates": 2, "num_envs": 8, "steps": 8, "hidden": [8], "value_episodes": 16}
EXACT = {"oracle": {"id": "exact"}}
CASES = {
    "exact payoffs": {"oracle": SMALL_ORACLE},
    "simulated payoffs": {
        "oracle": SMALL_ORACLE | {"warm_start": True},
        "payoffs": {"method": "simulated", "episodes": 40},
        "tabulate": False,
    },
}


def config(**fields: Any) -> PSROConfig:
    return PSROConfig.model_validate({"id": "psro", **fields})


def leaves(tree: Any, path: str = "") -> dict[str, Any]:
    """What is at the ends of a tree; arrays as dtype, shape and bytes."""
    if isinstance(tree, dict):
        return {k: v for key, value in tree.items() for k, v in leaves(value, f"{path}/{key}").items()}
    if isinstance(tree, list | tuple):
        return {k: v for i, value in enumerate(tree) for k, v in leaves(value, f"{path}/{i}").items()}
    return {path: (tree.dtype.str, tree.shape, tree.tobytes()) if isinstance(tree, np.ndarray) else tree}


def iterate(learner: PSRO, state: PSROState, steps: int) -> PSROState:
    for _ in range(steps):
        state, _ = learner.step(state)
    return state


def run(executor: Executor, fields: dict[str, Any], steps: int) -> dict[str, Any]:
    learner = build(eqenvs.make("kuhn_poker"), config(**fields), executor)
    return leaves(learner.to_tree(iterate(learner, learner.init(np.random.SeedSequence(SEED)), steps)))


# --------------------------------------------------------------------------------------------------------- convergence


@pytest.mark.parametrize(("game_id", "parameters"), [
    ("kuhn_poker", {}),
    ("rock_paper_scissors", {}),
    ("rock_paper_scissors", {"rock_win": 3.0, "paper_win": 2.0}),
])  # fmt: skip
def test_double_oracle_reaches_equilibrium_within_ten_iterations(game_id: str, parameters: dict[str, float]) -> None:
    game = eqenvs.make(game_id, **parameters)
    learner = build(game, config(**EXACT), InlineExecutor(SEED))
    state, gaps = learner.init(np.random.SeedSequence(SEED)), []
    for _ in range(10):
        state, metrics = learner.step(state)
        gaps.append(score(game, learner.average_policy(state)).nash_conv)
    assert gaps[-1] < 1e-9
    assert metrics["oracle/value_0"] == pytest.approx(score(game, learner.average_policy(state)).values[0], abs=1e-9)
    assert metrics["samples/episodes"] == 0
    assert learner.iteration(state) == 10
    assert max(metrics["population/gain_0"], metrics["population/gain_1"]) < 1e-9
    for population in state.restricted.populations:
        marks = [digest(record) for record in population]
        assert len(set(marks)) == len(marks) <= 11
    assert state.restricted.payoffs.missing() == []


def test_markov_games_end_where_no_markov_policy_pays() -> None:
    """A population's mixture is drawn for the whole game: responses with memory may still pay."""
    game = eqenvs.make("random_markov_game", num_states=2, horizon=2, zero_sum=True)
    learner = build(game, config(**EXACT), InlineExecutor(SEED))
    state = learner.init(np.random.SeedSequence(SEED))
    for _ in range(12):
        state, metrics = learner.step(state)
    scored = score(game, learner.average_policy(state))
    assert metrics["oracle/value_0"] + metrics["oracle/value_1"] == pytest.approx(0, abs=1e-9)
    assert scored.markov_cce_gap == pytest.approx(0, abs=1e-9)
    assert metrics["oracle/value_0"] == pytest.approx(scored.values[0], abs=1e-9)
    assert state.restricted.payoffs.missing() == []


def test_correlated_meta_strategies_and_learned_responses_take_markov_games_of_three_players() -> None:
    game = eqenvs.make("random_markov_game", num_players=3, num_states=2, discount=0.6)
    for oracle in (EXACT["oracle"], SMALL_ORACLE):
        learner = build(game, config(oracle=oracle, meta_solver="max_welfare_cce"), InlineExecutor(SEED))
        state = iterate(learner, learner.init(np.random.SeedSequence(SEED)), 3)
        assert state.restricted.payoffs.missing() == []
        scored = score(game, learner.average_policy(state))
        weights = learner.average_policy(state).weights  # type: ignore[union-attr]
        assert state.restricted.meta.device is not None
        expected = np.tensordot(state.restricted.payoffs.mean, state.restricted.meta.device, axes=3)
        np.testing.assert_allclose(scored.values, expected, atol=1e-9)
        assert len(weights) == np.count_nonzero(state.restricted.meta.device)


def test_uniform_meta_solver_is_fictitious_play_on_three_player_kuhn() -> None:
    game = eqenvs.make("kuhn_poker", num_players=3)
    learner = build(game, config(meta_solver="uniform", keep_repeats=True, **EXACT), InlineExecutor(SEED))
    state = learner.init(np.random.SeedSequence(SEED))
    before = score(game, learner.average_policy(state)).nash_conv
    state = iterate(learner, state, 6)
    after = score(game, learner.average_policy(state)).nash_conv
    assert after < before / 3
    assert [strategy.tolist() for strategy in state.restricted.meta.strategies] == [[1 / 7] * 7] * 3


@pytest.mark.slow
def test_learned_responses_lower_nash_conv() -> None:
    game = eqenvs.make("kuhn_poker")
    oracle = {
        "id": "policy_gradient",
        "updates": 60,
        "num_envs": 64,
        "steps": 16,
        "hidden": [16],
        "learning_rate": 0.02,
    }
    learner = build(game, config(oracle=oracle), InlineExecutor(SEED))
    state = iterate(learner, learner.init(np.random.SeedSequence(SEED)), 5)
    assert score(game, learner.average_policy(state)).nash_conv < 0.5  # uniform play has 0.9167
    assert state.episodes > 5 * 2 * 60 * 64 * 16 / 3  # no game of Kuhn poker is longer than three moves


def test_state_is_not_changed_by_a_step() -> None:
    learner = build(eqenvs.make("kuhn_poker"), config(**EXACT), InlineExecutor(SEED))
    state = iterate(learner, learner.init(np.random.SeedSequence(SEED)), 2)
    before = leaves(learner.to_tree(state))
    first, _ = learner.step(state)
    assert leaves(learner.to_tree(state)) == before
    second, _ = learner.step(state)
    assert leaves(learner.to_tree(first)) == leaves(learner.to_tree(second))


def test_artefact_is_the_empirical_game() -> None:
    learner = build(eqenvs.make("rock_paper_scissors"), config(**EXACT), InlineExecutor(SEED))
    state = iterate(learner, learner.init(np.random.SeedSequence(SEED)), 2)
    meta_game = learner.artefacts(state)["meta_game"]
    assert meta_game["payoffs"] == state.restricted.payoffs.mean.tolist()
    assert meta_game["labels"][0] == ["uniform 0", "tabular 1"]  # the second response is the first again
    assert [sum(weights) for weights in meta_game["meta_strategies"]] == pytest.approx([1, 1])


# ------------------------------------------------------------------------------------------------- the same to the bit


@pytest.mark.ray
@pytest.mark.parametrize("case", CASES)
@pytest.mark.slow
def test_results_are_the_same_inline_and_on_two_workers(case: str, here_and_spread: tuple[Executor, Executor]) -> None:
    here, spread = (run(executor, CASES[case], 3) for executor in here_and_spread)
    assert any("weights" in path for path in here)
    assert {"/restricted/mean", "/restricted/meta/strategies/0", "/restricted/meta/strategies/1"} <= here.keys()
    assert spread == here


@pytest.mark.parametrize("case", CASES)
def test_seed_matters_and_alone_decides(case: str) -> None:
    first = run(InlineExecutor(SEED), CASES[case], 2)
    assert run(InlineExecutor(SEED), CASES[case], 2) == first
    assert run(InlineExecutor(SEED + 1), CASES[case], 2) != first


@pytest.mark.parametrize("case", CASES)
def test_resumed_run_is_the_uninterrupted_one(case: str, tmp_path: Path) -> None:
    game = eqenvs.make("kuhn_poker")
    with InlineExecutor(SEED) as executor:
        learner = build(game, config(**CASES[case]), executor)
        state = iterate(learner, learner.init(np.random.SeedSequence(SEED)), 2)
        save_checkpoint(tmp_path, 2, learner.to_tree(state))
        expected = learner.to_tree(iterate(learner, state, 2))
    with InlineExecutor(SEED) as executor:
        again = build(eqenvs.make("kuhn_poker"), config(**CASES[case]), executor)
        resumed = iterate(again, again.from_tree(load_checkpoint(tmp_path)[1]), 2)
        assert leaves(again.to_tree(resumed)) == leaves(expected)


def test_cells_that_are_known_are_not_played_again() -> None:
    learner = build(eqenvs.make("kuhn_poker"), config(**CASES["simulated payoffs"]), InlineExecutor(SEED))
    state = iterate(learner, learner.init(np.random.SeedSequence(SEED)), 1)
    after, _ = learner.step(state)
    np.testing.assert_array_equal(after.restricted.payoffs.mean[:, :2, :2], state.restricted.payoffs.mean)
    games = after.episodes - state.episodes - 5 * 40 - 2 * 16  # less five new cells, and two responses' last games
    assert 2 * 2 * 8 * 8 / 3 <= games <= 2 * 2 * 8 * 8  # a game of Kuhn poker has two or three of the stages


@pytest.mark.parametrize("meta_solver", ["nash", "uniform", "max_welfare_cce", "max_gini_ce"])
def test_gains_are_the_gap_of_the_meta_solution(meta_solver: str) -> None:
    """With exact responses and cells: NashConv of independent mixtures, CCE or CE gap of devices, of the score."""
    game = eqenvs.make("kuhn_poker", num_players=3) if "ce" in meta_solver else eqenvs.make("kuhn_poker")
    learner = build(game, config(meta_solver=meta_solver, **EXACT), InlineExecutor(SEED))
    state = iterate(learner, learner.init(np.random.SeedSequence(SEED)), 3)
    scored = score(game, learner.average_policy(state))
    targets = [state.restricted.meta.against(player) for player in range(game.num_players)]
    _, metrics = learner.step(state)
    if meta_solver == "max_gini_ce":
        recommended = [int((own > 0).sum()) for own in state.restricted.meta.strategies]
        assert [len(each) for each in targets] == recommended
        assert max(recommended) > 1
        chances = [own[own > 0] for own in state.restricted.meta.strategies]
        told = 0.0
        for player, (each, chance) in enumerate(zip(targets, chances, strict=True)):
            for target, share in zip(each, chance, strict=True):
                mixed = joint_policy(game, learner.populations(state).members, target)
                told += share * (best_response(game, player, mixed)[0] - score(game, mixed).values[player])
        assert told == pytest.approx(scored.ce_gap, abs=1e-9)
        return
    gap = scored.cce_gap if meta_solver == "max_welfare_cce" else scored.nash_conv
    gains = [metrics[f"population/gain_{player}"] for player in range(game.num_players)]
    assert sum(gains) == pytest.approx(gap, abs=1e-9)


def test_responses_that_gain_too_little_are_left_out_and_counted() -> None:
    game = eqenvs.make("kuhn_poker")
    learner = build(game, config(least_gain=100.0, **EXACT), InlineExecutor(SEED))
    state, metrics = learner.step(learner.init(np.random.SeedSequence(SEED)))
    assert [len(population) for population in state.restricted.populations] == [1, 1]
    assert state.restricted.payoffs.mean.shape == (2, 1, 1)
    assert metrics["population/left_out_0"] == metrics["population/left_out_1"] == 1
    learner = build(game, config(least_gain=0.0, **EXACT), InlineExecutor(SEED))
    state, metrics = learner.step(learner.init(np.random.SeedSequence(SEED)))
    assert [len(population) for population in state.restricted.populations] == [2, 2]


@pytest.mark.slow
def test_a_response_to_every_recommendation_leads_three_player_kuhn_to_a_correlated_equilibrium() -> None:
    game = eqenvs.make("kuhn_poker", num_players=3)
    learner = build(game, config(meta_solver="max_gini_ce", least_gain=1e-9, **EXACT), InlineExecutor(SEED))
    state = learner.init(np.random.SeedSequence(SEED))
    assert score(game, learner.average_policy(state)).nash_conv == pytest.approx(2.0625)
    scored = score(game, learner.average_policy(iterate(learner, state, 8)))
    assert scored.ce_gap is not None
    assert scored.ce_gap < 0.01


def test_joint_psro_takes_general_sum_games_of_three_players() -> None:
    game = eqenvs.make("random_tree", num_players=3, zero_sum=False)
    learner = build(game, config(meta_solver="max_gini_cce", least_gain=1e-9, **EXACT), InlineExecutor(SEED))
    state = learner.init(np.random.SeedSequence(SEED))
    assert score(game, learner.average_policy(state)).nash_conv > 1
    assert score(game, learner.average_policy(iterate(learner, state, 14))).cce_gap < 0.01


# --------------------------------------------------------------------------------------------------------------- errors


def failing(
    player: int | None, *, worst: bool = False, error: Exception | None = None
) -> Callable[[Any, Situation], OracleResult]:
    """An oracle that fails for a player (None: for all), or whose response is the worst one."""

    def respond(settings: Any, situation: Situation) -> OracleResult:
        if worst:
            model, tables = situation.game.model(), situation.opponents.tables
            plans = [each.realisation_plan(table) for each, table in zip(model.treeplexes, tables, strict=True)]
            gradient = model.gradient(situation.player, plans)
            _, table = model.treeplexes[situation.player].best_response(-gradient)
            return OracleResult(tabular_record(table), {}, 0)
        if player in (None, situation.player):
            raise error or FloatingPointError("the loss is nan\nand more")
        return exact.respond(settings, situation)

    return respond


def test_response_that_fails_is_left_out_counted_and_reported(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(exact, "ORACLE", replace(exact.ORACLE, respond=failing(1)))
    learner = build(eqenvs.make("kuhn_poker"), config(**EXACT), InlineExecutor(SEED))
    state, metrics = learner.step(learner.init(np.random.SeedSequence(SEED)))
    assert [len(population) for population in state.restricted.populations] == [2, 1]
    assert (metrics["oracle/failed_0"], metrics["oracle/failed_1"]) == (0, 1)
    assert "oracle 'exact' failed for player 1, whose response is left out: FloatingPointError: the loss" in caplog.text
    assert "population/gain_1" not in metrics
    monkeypatch.setattr(exact, "ORACLE", replace(exact.ORACLE, respond=failing(None)))
    with pytest.raises(TaskError, match=r"Traceback[\s\S]*FloatingPointError: the loss is nan"):  # a defect
        learner.step(state)
    monkeypatch.setattr(exact, "ORACLE", replace(exact.ORACLE, respond=failing(None, error=InputError("no budget"))))
    with pytest.raises(InputError, match=r"iteration 2: oracle 'exact' failed: no budget$"):
        learner.step(state)


def test_response_that_is_worse_is_kept_out_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exact, "ORACLE", replace(exact.ORACLE, respond=failing(None, worst=True)))
    learner = build(eqenvs.make("kuhn_poker"), config(**EXACT), InlineExecutor(SEED))
    state, metrics = learner.step(learner.init(np.random.SeedSequence(SEED)))
    assert [len(population) for population in state.restricted.populations] == [1, 1]
    for player in (0, 1):
        assert metrics[f"population/worse_{player}"] == metrics[f"population/left_out_{player}"] == 1
        assert metrics[f"population/gain_{player}"] < 0
    learner = build(eqenvs.make("kuhn_poker"), config(least_gain=None, **EXACT), InlineExecutor(SEED))
    state, metrics = learner.step(learner.init(np.random.SeedSequence(SEED)))
    assert [len(population) for population in state.restricted.populations] == [2, 2]
    assert metrics["population/worse_0"] == 1


def test_meta_solver_without_a_solution_stops_the_run_or_falls_back(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def none(game: EmpiricalGame, settings: Mapping[str, Any]) -> MetaSolution:
        raise NoMetaSolutionError("nothing here")

    monkeypatch.setattr(nash, "META_SOLVER", replace(nash.META_SOLVER, solve=none))
    game = eqenvs.make("kuhn_poker")
    with pytest.raises(InputError, match="meta-solver 'nash' found no solution: nothing here; set learner"):
        build(game, config(**EXACT), InlineExecutor(SEED)).init(np.random.SeedSequence(SEED))
    settings = config(meta_solver={"id": "nash", "fallback": "uniform"}, **EXACT)
    learner = build(game, settings, InlineExecutor(SEED))
    state, metrics = learner.step(learner.init(np.random.SeedSequence(SEED)))
    assert metrics["meta/fell_back"] == 1
    assert [strategy.tolist() for strategy in state.restricted.meta.strategies] == [[0.5, 0.5]] * 2
    assert "iteration 1: meta-solver 'nash' found no solution: nothing here; using 'uniform'" in caplog.text


@pytest.mark.parametrize("fallback", ["nash", "anytime", "online"])
def test_fallback_is_another_meta_solver_that_can_do_alone(fallback: str) -> None:
    with pytest.raises(InputError, match="fallback must be another one"):
        validate(PSROConfig, {"id": "psro", "meta_solver": {"id": "nash", "fallback": fallback}})


def test_mean_field_games_have_a_learner_of_their_own() -> None:
    with pytest.raises(UnsupportedGame, match="use learner 'mean_field_psro'"):
        build(eqenvs.make("left_right"), config(**EXACT), InlineExecutor(SEED))


def test_game_that_cannot_be_enumerated_needs_other_settings() -> None:
    game = eqenvs.repeated(eqenvs.make("rock_paper_scissors"), 8)  # too many histories to be exact
    for fields in (EXACT, {"oracle": SMALL_ORACLE}, {**CASES["simulated payoffs"], "tabulate": True}):
        with pytest.raises(InputError, match=r"can be enumerated.*tabulate: false"):
            build(game, config(**fields), InlineExecutor(SEED))
    learner = build(game, config(**CASES["simulated payoffs"]), InlineExecutor(SEED))
    assert learner.iteration(iterate(learner, learner.init(np.random.SeedSequence(SEED)), 1)) == 1


def test_learners_are_found_by_name() -> None:
    assert find_learner("psro").config is PSROConfig
    with pytest.raises(UnknownNameError, match="unknown learner 'pslo'; did you mean 'psro'"):
        find_learner("pslo")


def test_one_learner_serves_states_of_several_runs() -> None:
    """What was published for one state is not taken for another's policy of the same number."""
    game = eqenvs.make("kuhn_poker")
    learner = build(game, config(**EXACT), InlineExecutor(SEED))
    start = learner.init(np.random.SeedSequence(SEED))
    once = iterate(learner, start, 1)
    first, second = once.restricted.populations
    other = replace(once, restricted=replace(once.restricted, populations=(first[::-1], second)))
    swapped = learner.average_policy(other).players[0].components
    fresh = build(game, config(**EXACT), InlineExecutor(SEED)).average_policy(other).players[0].components
    for mine, theirs in zip(swapped, fresh, strict=True):
        np.testing.assert_array_equal(mine.tables[0], theirs.tables[0])
