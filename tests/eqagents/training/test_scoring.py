"""Lower bounds from several learned best responses: against exact scores, on any executor, and what they say."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import eqenvs
from eqagents.distributed import Executor, InlineExecutor
from eqagents.oracles import Situation, find_oracle
from eqagents.training.config import ScoreConfig, parse_config
from eqagents.training.run import train
from eqagents.training.scoring import require_oracles, score_as
from eqenvs.errors import InputError
from eqenvs.policies import uniform
from eqsolvers.extensive_form.sequence_lp import solve
from eqsolvers.scoring import Score, ScoreKind, score

if TYPE_CHECKING:
    from pathlib import Path

SMALL = {"num_envs": 16, "steps": 6, "hidden": [8], "value_episodes": 8, "updates": 2}


def scoring(*oracles: dict[str, Any], **settings: Any) -> ScoreConfig:
    return ScoreConfig.model_validate({"method": "simulated", "oracles": list(oracles), **settings})


def bound(config: ScoreConfig, policy: Any, seed: int, executor: Executor | None = None) -> Score:
    return score_as(config, eqenvs.make("kuhn_poker"), policy, seed, executor or InlineExecutor(9))


@pytest.mark.slow
def test_bound_of_uniform_kuhn_is_near_the_exact_value_and_not_above_it_beyond_the_interval() -> None:
    """The exact NashConv is 11/12; the learned responses of these budgets miss less than 5 % of it."""
    policy = uniform(eqenvs.make("kuhn_poker"))
    budget = {"num_envs": 64, "steps": 16, "hidden": [32], "learning_rate": 2e-2, "value_episodes": 8}
    config = scoring({"id": "ppo", "updates": 30, **budget}, {"id": "ppo", "updates": 2, **budget}, episodes=20_000)
    found = bound(config, policy, 1)
    low, high = found.detail["nash_conv_interval"]
    width = found.detail["nash_conv_half_width"]
    assert found.kind is ScoreKind.LOWER_BOUND
    assert (low, high) == pytest.approx((found.nash_conv - width, found.nash_conv + width))
    assert 0.95 * 11 / 12 - width <= found.nash_conv <= 11 / 12 + width
    assert width < 0.06
    # The larger budget wins for both players: the maximum is over the budgets too.
    gains = {(each["player"], each["responder"]): each["selected_gain"] for each in found.detail["attempts"]}
    assert all(gains[player, 0] > gains[player, 1] for player in range(2))


def test_bound_of_an_equilibrium_is_noise() -> None:
    policy = solve(eqenvs.make("kuhn_poker").model()).policy  # type: ignore[arg-type]
    found = bound(scoring({"id": "policy_gradient", **SMALL}, episodes=4000, repeats=2), policy, 0)
    assert 0 <= found.nash_conv <= found.detail["nash_conv_half_width"] + 1e-12


def test_detail_says_what_was_tried_and_the_seeds_give_the_responses_again() -> None:
    game = eqenvs.make("kuhn_poker")
    config = scoring({"id": "ppo", **SMALL}, {"id": "policy_gradient", **SMALL}, episodes=200, repeats=3)
    detail = bound(config, uniform(game), 4).detail
    assert detail["responders"] == ["ppo", "policy_gradient"]
    assert [budget["updates"] for budget in detail["budgets"]] == [2, 2]
    assert (detail["repeats"], detail["seed"], detail["episodes"]) == (3, 4, 200)
    tried = [(each["player"], each["responder"], each["repeat"]) for each in detail["attempts"]]
    assert tried == [(p, r, k) for p in range(2) for r in range(2) for k in range(3)]
    keys = [tuple(each["spawn_key"]) for each in detail["attempts"]]
    assert len(set(keys)) == 12
    for player, chosen in enumerate(detail["chosen"]):
        own = [each for each in detail["attempts"] if each["player"] == player]
        best = max(own, key=lambda each: each["selected_gain"])
        expected = detail["responders"][best["responder"]] if best["selected_gain"] > 0 else "none"
        assert chosen == expected
    oracle = find_oracle("ppo")
    seeds = [np.random.SeedSequence(4, spawn_key=key) for key in keys[:2]]
    first, second = (oracle.respond(config.oracles[0], Situation(game, 0, uniform(game), each)) for each in seeds)
    assert any(not np.array_equal(a, second.record["weights"][k]) for k, a in first.record["weights"].items())
    json.dumps(detail)


@pytest.mark.ray
def test_bits_do_not_depend_on_who_learns(here_and_spread: tuple[Executor, Executor]) -> None:
    policy = uniform(eqenvs.make("kuhn_poker"))
    config = scoring({"id": "ppo", **SMALL}, {"id": "policy_gradient", **SMALL}, episodes=100, repeats=2)
    here, spread = (bound(config, policy, 3, executor).to_dict() for executor in here_and_spread)
    assert spread == here
    assert bound(config, policy, 5, here_and_spread[0]).to_dict() != here


def test_oracles_that_cannot_run_are_refused_before_training_on_one_line(tmp_path: Path) -> None:
    data = {
        "game": {"id": "phantom_tic_tac_toe"},
        "learner": {"id": "psro", "payoffs": {"method": "simulated"}, "tabulate": False},
        "iterations": 1,
    }
    for oracles, message in (
        ([{"id": "ppo"}, {"id": "exact"}], "score.oracles.1: oracle 'exact' needs a game that can be enumerated"),
        ([{"id": "ppo", "device": "cuda:99"}], "score.oracles.0: .*cuda:99"),
    ):
        with pytest.raises(InputError, match=message) as caught:
            train(parse_config({**data, "score": {"method": "simulated", "oracles": oracles}}), tmp_path / "run")
        assert "\n" not in str(caught.value)
    assert not (tmp_path / "run").exists()
    exact = eqenvs.make("kuhn_poker")
    require_oracles(ScoreConfig(oracles=({"id": "ppo", "device": "cuda:99"},)), exact, InlineExecutor(0))  # unused


def test_exact_scores_stay_exact() -> None:
    game = eqenvs.make("kuhn_poker")
    assert (
        score_as(ScoreConfig(), game, uniform(game), 0, InlineExecutor(0)).to_dict()
        == score(game, uniform(game)).to_dict()
    )
