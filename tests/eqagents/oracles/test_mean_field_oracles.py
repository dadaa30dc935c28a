"""Learned responses to a mean field: nearly as good as the exact one, and to the mean field that was given."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import eqenvs
from eqagents.configuration import validate
from eqagents.learners.mean_field._experience import Sampler, SamplingConfig, TableAct, rules_of
from eqagents.learners.mean_field._restricted import MixtureGame
from eqagents.oracles import Situation, find_oracle
from eqagents.policies import PolicyRecord, to_policy
from eqagents.rollout.trajectory import advantages, of_players
from eqenvs.errors import InputError
from eqenvs.models.mean_field import MeanFieldModel
from eqenvs.policies import player_table, uniform
from eqsolvers.scoring.score import best_response, score

SETTINGS: dict[str, dict[str, Any]] = {
    "mean_field_q": {"training": {"hidden": [32, 32], "updates": 200}},
    "mean_field_policy_gradient": {"training": {"hidden": [32], "updates": 120, "learning_rate": 0.02}},
}


def respond(oracle_id: str, game: eqenvs.Game, player: int, seed: int = 0, **training: Any) -> PolicyRecord:
    oracle = find_oracle(oracle_id)
    settings = {**SETTINGS[oracle_id]["training"], **training}
    config = validate(oracle.config, {"id": oracle_id, "training": settings})
    oracle.check(config)
    found = oracle.respond(config, Situation(game, player, uniform(game), np.random.SeedSequence(seed)))
    assert found.episodes > 0
    return found.record


@pytest.mark.parametrize("oracle_id", SETTINGS)
@pytest.mark.parametrize(
    ("game_id", "parameters", "player"), [("sis", {"horizon": 5}, 0), ("predator_prey", {"horizon": 3}, 1)]
)
@pytest.mark.slow
def test_responses_gain_nearly_what_can_be_gained(
    oracle_id: str, game_id: str, parameters: dict[str, Any], player: int
) -> None:
    game = eqenvs.make(game_id, num_agents=300, **parameters)
    table = player_table(game.model(), player, to_policy(respond(oracle_id, game, player), game, player))
    tables = [states.uniform()[None] for states in game.information_states]
    tables[player] = np.stack([tables[player][0], table])
    model = game.model()
    assert isinstance(model, MeanFieldModel)
    everybody = tuple(np.eye(len(each))[0] for each in tables)
    worth = MixtureGame(model, tables).payoffs(everybody)[player]
    gain = best_response(game, player, uniform(game))[0] - score(game, uniform(game)).values[player]
    assert worth[1] - worth[0] > 0.85 * gain
    assert worth[1] - worth[0] <= gain + 1e-9


@pytest.mark.parametrize("oracle_id", SETTINGS)
def test_the_seed_decides(oracle_id: str) -> None:
    game = eqenvs.make("left_right", num_agents=30)
    records = [respond(oracle_id, game, 0, seed, updates=10) for seed in (1, 1, 2)]
    heads = [record["weights"]["layers.2.bias"].tolist() for record in records]
    assert heads[0] == heads[1] != heads[2]


def test_a_warm_start_goes_on_from_the_last_response() -> None:
    game = eqenvs.make("sis", horizon=5, num_agents=100)
    oracle = find_oracle("mean_field_q")
    fields = {"id": "mean_field_q", "rounds": 1, "training": {"hidden": [8], "updates": 1, "learning_rate": 1e-9}}
    config, before = validate(oracle.config, fields), respond("mean_field_q", game, 0, updates=20)
    small = {**fields, "training": {"hidden": [32, 32], "updates": 1, "learning_rate": 1e-9}}
    config = validate(oracle.config, small)
    after = oracle.respond(config, Situation(game, 0, uniform(game), np.random.SeedSequence(0), before)).record
    for name, weight in before["weights"].items():
        np.testing.assert_allclose(after["weights"][name], weight, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("game_id", "parameters", "steps"), [("sis", {"horizon": 4}, 4), ("sis", {"horizon": 4}, 3), ("rumour", {}, 5)]
)
def test_returns_are_what_is_still_to_come(game_id: str, parameters: dict[str, Any], steps: int) -> None:
    """Of games that were cut off with what the critic says of where they were left."""
    game = eqenvs.make(game_id, num_agents=20, **parameters)
    rules = rules_of(game, "test")
    rng = np.random.default_rng(0)
    policy = TableAct(rules.model.as_array(uniform(game).tables))
    worth = torch.tensor(rng.random(len(game.information_states[0].keys)), dtype=torch.float32)
    sampler = Sampler(game, SamplingConfig(episodes=2, representatives=3, steps=steps), rng)
    played, left = sampler.rollout(policy, worth=worth)
    mine = torch.nonzero(sampler.games.roles == 1)[:, 0]
    found = of_players(played, mine)
    returns = torch.where(found.over[-1][:, None], 0.0, worth[left[:, mine]])
    estimates = advantages(found, 0.5, 1.0)
    for time in reversed(range(steps)):
        returns = found.rewards[time] + 0.5 * returns
        known = estimates.known[time]
        assert known.equal(found.learns[time]) or time == steps - 1
        torch.testing.assert_close(estimates.returns[time][known], returns[known], rtol=1e-5, atol=1e-5)
    assert bool(estimates.known.any())


def test_other_games_are_refused_in_one_line() -> None:
    with pytest.raises(InputError, match=r"mean_field_q: learns mean-field games from N agents, kuhn_poker is"):
        respond("mean_field_q", eqenvs.make("kuhn_poker"), 0)
