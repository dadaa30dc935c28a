"""Extensive-form double oracle: its restricted games, its family of rules, and the same bits across a resume."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import eqenvs
from eqagents.configuration import validate
from eqagents.distributed import Executor, InlineExecutor
from eqagents.learners.psro.xdo import XDO, XDOConfig, XDOState, build
from eqagents.training.checkpoint import load_checkpoint, save_checkpoint
from eqagents.training.trees import packed
from eqenvs.errors import InputError, UnsupportedGame
from eqsolvers.scoring import score

if TYPE_CHECKING:
    from pathlib import Path

SEED = 3
PDO = {"until": {"rule": "iterations", "iterations": 50}}
RULES: dict[str, dict[str, Any]] = {
    "xdo": {"method": "cfr"},
    "pdo": PDO,
    "xodo": {"until": {"rule": "iterations", "iterations": 1}, "average_windows": True},
    "adado": {"until": {"rule": "adaptive"}},
}
LEARNED = {"id": "policy_gradient", "updates": 2, "num_envs": 8, "steps": 8, "hidden": [8], "value_episodes": 16}


def config(**fields: Any) -> XDOConfig:
    return XDOConfig.model_validate({"id": "xdo", **fields})


def iterate(learner: XDO, state: XDOState, steps: int) -> XDOState:
    for _ in range(steps):
        state, _ = learner.step(state)
    return state


def test_xdo_on_leduc_is_as_near_as_published() -> None:
    """Exploitability at restricted games 5, 8, 10, 15; the published data of McAleer et al. (2021) are in the table.

    Ties between best responses are broken differently there, so the figures agree in size only.
    """
    game = eqenvs.make("leduc_poker")
    learner = build(game, config(method="cfr"), InlineExecutor(SEED))
    state, found = learner.init(np.random.SeedSequence(SEED)), []
    for _ in range(16):
        state, _ = learner.step(state)
        found.append(score(game, learner.average_policy(state)).exploitability)
    for index, published in ((5, 0.418), (8, 0.0470), (10, 0.0189), (15, 9.6e-4)):
        assert published / 2 < found[index] < published * 2
    used = sum(int(allowed.sum()) for allowed in state.restricted.allowed)
    assert used < 2 * 1092  # of all actions


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize(("game_id", "parameters"), [("kuhn_poker", {}), ("liars_dice", {"num_faces": 3})])
def test_every_rule_comes_near_to_equilibrium(rule: str, game_id: str, parameters: dict[str, Any]) -> None:
    game = eqenvs.make(game_id, **parameters)
    learner = build(game, config(**RULES[rule]), InlineExecutor(SEED))
    state = iterate(learner, learner.init(np.random.SeedSequence(SEED)), 600 if rule == "xodo" else 14)
    assert score(game, learner.average_policy(state)).nash_conv < 0.05


def test_where_the_restricted_game_is_not_enlarged_its_error_is_the_score() -> None:
    game = eqenvs.make("kuhn_poker")
    learner = build(game, config(**PDO), InlineExecutor(SEED))
    state = iterate(learner, learner.init(np.random.SeedSequence(SEED)), 8)
    after, metrics = learner.step(state)
    assert metrics["restricted/added_0"] == metrics["restricted/added_1"] == 0
    assert after.restricted.window == state.restricted.window
    assert after.restricted.iterations == state.restricted.iterations + 50
    assert score(game, learner.average_policy(after)).nash_conv == pytest.approx(
        metrics["restricted/residual"], abs=1e-12
    )


def test_average_over_windows_weighs_them_by_iterations() -> None:
    game = eqenvs.make("kuhn_poker")
    model = game.model()
    learner = build(
        game, config(until={"rule": "iterations", "iterations": 3}, average_windows=True), InlineExecutor(0)
    )
    state, windows = learner.init(np.random.SeedSequence(SEED)), {}
    for _ in range(7):
        state, _ = learner.step(state)
        inner = state.restricted
        windows[inner.window] = inner.solution, inner.process["iteration"]  # type: ignore[index]
    assert len(windows) > 1
    weights = np.array([count for _, count in windows.values()], dtype=np.float64)
    assert weights.sum() == inner.iterations == 21
    for player in range(2):
        tables = np.stack([solution[player] for solution, _ in windows.values()])
        mixed = model.mix(player, tables, weights / weights.sum())
        np.testing.assert_allclose(learner.average_policy(state).tables[player], mixed, atol=1e-12)


def test_three_players_and_learned_responses() -> None:
    game = eqenvs.make("kuhn_poker", num_players=3)
    learner = build(game, config(oracle=LEARNED, **PDO), InlineExecutor(SEED))
    state, metrics = learner.step(learner.init(np.random.SeedSequence(SEED)))
    assert [int(allowed.sum()) for allowed in state.restricted.allowed] == [16] * 3  # one at each information set
    assert metrics["samples/episodes"] > 0
    exact = build(game, config(**PDO), InlineExecutor(SEED))
    end = iterate(exact, exact.init(np.random.SeedSequence(SEED)), 12)
    assert score(game, exact.average_policy(end)).nash_conv < 0.2  # uniform play has 2.0625


@pytest.mark.parametrize("rule", RULES)
def test_resumed_run_is_the_uninterrupted_one(rule: str, tmp_path: Path) -> None:
    settings = config(**RULES[rule])
    learner = build(eqenvs.make("kuhn_poker"), settings, InlineExecutor(SEED))
    state = iterate(learner, learner.init(np.random.SeedSequence(SEED)), 3)
    save_checkpoint(tmp_path, 3, learner.to_tree(state))
    expected = packed(learner.to_tree(iterate(learner, state, 5)))
    again = build(eqenvs.make("kuhn_poker"), settings, InlineExecutor(SEED))
    assert packed(again.to_tree(iterate(again, again.from_tree(load_checkpoint(tmp_path)[1]), 5))) == expected
    assert packed(learner.to_tree(iterate(learner, state, 5))) == expected  # going back, in the same process


@pytest.mark.ray
def test_results_are_the_same_inline_and_on_two_workers(here_and_spread: tuple[Executor, Executor]) -> None:
    found = []
    for executor in here_and_spread:
        learner = build(eqenvs.make("kuhn_poker"), config(oracle=LEARNED, **PDO), executor)
        found.append(packed(learner.to_tree(iterate(learner, learner.init(np.random.SeedSequence(SEED)), 3))))
    assert found[0] == found[1]


def test_random_methods_follow_the_seed() -> None:
    found = []
    for seed in (1, 1, 2):
        learner = build(eqenvs.make("kuhn_poker"), config(method="es-mccfr", **PDO), InlineExecutor(SEED))
        found.append(packed(learner.to_tree(iterate(learner, learner.init(np.random.SeedSequence(seed)), 3))))
    assert found[0] == found[1] != found[2]


def test_other_games_and_methods_are_refused() -> None:
    with pytest.raises(UnsupportedGame, match="markov; use learner 'psro'"):
        build(eqenvs.make("grid_soccer"), config(), InlineExecutor(SEED))
    large = eqenvs.repeated(eqenvs.make("rock_paper_scissors"), 8)
    with pytest.raises(InputError, match="cannot; use learner 'psro'"):
        build(large, config(), InlineExecutor(SEED))
    with pytest.raises(InputError, match="'self_play' responds as a member of populations"):
        build(eqenvs.make("kuhn_poker"), config(oracle={"id": "self_play"}), InlineExecutor(SEED))
    with pytest.raises(InputError, match="unknown iterative method 'cfr\\+\\+'"):
        validate(XDOConfig, {"id": "xdo", "method": "cfr++"})
