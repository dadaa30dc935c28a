"""The oracles that learn with networks: what they reach, their bits, warm starts, and whom they play against."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import eqenvs
from eqagents.learners.deep._schedule import constant
from eqagents.oracles import OracleResult, Situation, find_oracle
from eqagents.oracles._opponents import Against
from eqagents.oracles.pma import PMAOracleConfig
from eqagents.policies import to_policy
from eqagents.rollout import Games, rollout
from eqagents.rollout.networks import NetworkConfig
from eqagents.rollout.task import networks_of
from eqenvs.errors import InputError, UnsupportedGame
from eqenvs.policies import MarkovCorrelatedPolicy, MixturePolicy, ProductPolicy, TabularPolicy, components, uniform
from eqenvs.testing.conformance import random_tables
from eqsolvers.scoring import score
from eqsolvers.scoring.simulated import replace_player

NAMES = ("dqn", "pma", "policy_gradient", "ppo")
SMALL = {"updates": 3, "num_envs": 8, "steps": 6, "hidden": [8], "value_episodes": 16}


def run(name: str, seed: int, *, player: int = 0, warm_start: Any = None, **settings: Any) -> OracleResult:
    game, oracle = eqenvs.make("kuhn_poker"), find_oracle(name)
    config = oracle.config.model_validate({"id": name, **SMALL, **settings})
    return oracle.respond(config, Situation(game, player, uniform(game), np.random.SeedSequence(seed), warm_start))


def same_bits(a: OracleResult, b: OracleResult) -> bool:
    first, second = a.record["weights"], b.record["weights"]
    return first.keys() == second.keys() and all(first[n].tobytes() == second[n].tobytes() for n in first)


# Against uniform play the exact best responses earn 1/2 and 5/12 (11/12 in all, FACTS.md; uniform is worth +-1/8).
@pytest.mark.parametrize(("player", "best", "at_least"), [(0, 1 / 2, 0.49), (1, 5 / 12, 0.405)])
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.slow
def test_response_to_uniform_kuhn_is_nearly_the_best(name: str, player: int, best: float, at_least: float) -> None:
    game = eqenvs.make("kuhn_poker")
    updates = {"dqn": 20, "pma": 30, "policy_gradient": 120, "ppo": 30}[name]
    settings = {"updates": updates, "num_envs": 64, "steps": 16, "hidden": [32], "learning_rate": 2e-2}
    found = run(name, 0, player=player, **settings, value_episodes=1000)
    entries = [uniform(game), uniform(game)]
    entries[player] = to_policy(found.record, game, player)
    value = score(game, ProductPolicy(entries)).values[player]
    assert at_least <= value <= best + 1e-6
    assert (
        updates * 64 * 16 / 3 <= found.episodes - 1000 <= updates * 64 * 16
    )  # games of Kuhn poker have two or three moves
    assert found.metrics["value"] == pytest.approx(value, abs=6 * found.metrics["value_stderr"])


@pytest.mark.parametrize("name", NAMES)
def test_same_seed_gives_the_same_record_to_the_bit(name: str) -> None:
    before = torch.get_rng_state()
    np.random.seed(1)  # noqa: NPY002 - global seeds must not matter
    torch.manual_seed(1)
    first = run(name, 5)
    np.random.seed(2)  # noqa: NPY002
    torch.manual_seed(2)
    again = run(name, 5)
    assert same_bits(first, again)
    assert first.metrics == again.metrics
    assert not same_bits(first, run(name, 6))
    torch.set_rng_state(before)


@pytest.mark.parametrize("name", NAMES)
def test_warm_start_is_used_where_asked_and_not_written_to(name: str) -> None:
    start = run(name, 1).record
    copy = {key: array.copy() for key, array in start["weights"].items()}
    cold = run(name, 5)
    assert not same_bits(cold, _warm(name, start, asked=True))
    assert same_bits(cold, _warm(name, start, asked=False))
    assert same_bits(cold, _warm(name, {"kind": "uniform"}, asked=True))
    for key, array in copy.items():
        np.testing.assert_array_equal(start["weights"][key], array)


def _warm(name: str, start: Any, *, asked: bool, **settings: Any) -> OracleResult:
    game, oracle = eqenvs.make("kuhn_poker"), find_oracle(name)
    config = oracle.config.model_validate({"id": name, **SMALL, "warm_start": asked, **settings})
    return oracle.respond(config, Situation(game, 0, uniform(game), np.random.SeedSequence(5), start))


@pytest.mark.parametrize("name", NAMES)
def test_a_warm_start_that_learns_nothing_is_the_record_itself(name: str) -> None:
    """Sheriff: the player has fewer actions than the game's widest, so only a part of the head is taken up."""
    game, oracle = eqenvs.make("sheriff"), find_oracle(name)
    config = oracle.config.model_validate({"id": name, **SMALL, "updates": 1, "warm_start": True})
    for player in range(2):
        start = oracle.respond(config, Situation(game, player, uniform(game), np.random.SeedSequence(0))).record
        still = config.model_copy(update={"learning_rate": 1e-30})
        found = oracle.respond(still, Situation(game, player, uniform(game), np.random.SeedSequence(1), start)).record
        for key, array in start["weights"].items():
            np.testing.assert_array_equal(found["weights"][key], array)


def test_warm_start_of_another_shape_is_refused_on_one_line() -> None:
    start = run("ppo", 1).record
    with pytest.raises(InputError, match=r"warm_start: the previous response is \(\(8,\), 'relu'\)") as caught:
        _warm("ppo", start, asked=True, hidden=[9])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.slow
def test_response_is_to_the_whole_mixture(name: str) -> None:
    """To rock or paper with equal chance the best reply is paper, worth 1/2; to paper alone it is scissors."""
    game, oracle = eqenvs.make("rock_paper_scissors"), find_oracle(name)
    pure = [TabularPolicy(game, [row, row]) for row in np.eye(3)]
    opponents = ProductPolicy([uniform(game), MixturePolicy(pure[:2], [0.5, 0.5])])
    settings = {"updates": 60, "num_envs": 64, "steps": 2, "hidden": [8], "learning_rate": 2e-2}
    config = oracle.config.model_validate({"id": name, **settings})
    found = oracle.respond(config, Situation(game, 0, opponents, np.random.SeedSequence(0)))
    table = to_policy(found.record, game, 0)(0, game.information_states[0])
    assert table[0, 1] > 0.95


def _opponents(kind: str, game: Any) -> Any:
    rng = np.random.default_rng(3)
    tables = [random_tables(game, seed) for seed in range(4)]
    if kind == "private":  # each player draws alone
        mixtures = [MixturePolicy([tables[k], tables[k + 1]], [0.3, 0.7]) for k in range(3)]
        return ProductPolicy(mixtures)
    if kind == "device":  # drawn for all together, and privately within
        inner = ProductPolicy([MixturePolicy([tables[0], tables[1]], [0.5, 0.5]), tables[2], tables[3]])
        return MixturePolicy([inner, tables[1], tables[3]], [0.2, 0.5, 0.3])
    shape = tuple(states.masks.shape[1] for states in game.information_states)
    points = len(game.information_states[0].keys)
    rows = rng.dirichlet(np.full(int(np.prod(shape)), 0.3), size=points)
    drawn_anew = MarkovCorrelatedPolicy(game, rows.reshape(points, *shape))
    return drawn_anew if kind == "stages" else MixturePolicy([drawn_anew, tables[2]], [0.6, 0.4])


@pytest.mark.parametrize("player", range(3))
@pytest.mark.parametrize("kind", ["private", "device", "stages", "stages or a table"])
def test_opponents_are_those_that_the_response_is_scored_against(kind: str, player: int) -> None:
    """The payoffs of many first games against the exact ones, with a network that has learned nothing."""
    game = eqenvs.make("random_markov_game", num_players=3, action_counts="2x3x2", num_states=2, horizon=3)
    opponents = _opponents(kind, game)
    networks = networks_of(game, NetworkConfig(hidden=(4,)), seed=2)
    torch.nn.init.normal_(networks.actor.network.weights[-1], generator=torch.Generator().manual_seed(0))
    batch = 6000
    cast = Against(game, networks, player, opponents, batch, torch.Generator().manual_seed(1))
    games = Games(game, batch)
    found, _ = rollout(games, cast, games.begin(4), 3)
    assert bool((found.over | found.cut)[-1].all())
    assert found.learns.sum() == found.learns[..., player].sum() > 0
    payoffs = sum(games.discount**t * stage.double().numpy() for t, stage in enumerate(found.rewards))
    response = to_policy(networks.records()[player], game, player)
    drawn, weights = components(replace_player(opponents, player, response, 3), 3)
    expected = sum(w * score(game, each).values for each, w in zip(drawn, weights, strict=True))
    assert (np.abs(payoffs.mean(axis=0) - expected) <= 4.5 * payoffs.std(axis=0) / np.sqrt(batch)).all()


def test_interchangeable_agents_are_refused() -> None:
    game = eqenvs.make("beach_bar")
    oracle = find_oracle("ppo")
    with pytest.raises(UnsupportedGame, match="oracle for mean-field games"):
        oracle.respond(oracle.config(id="ppo"), Situation(game, 0, uniform(game), np.random.SeedSequence(0)))


@pytest.mark.slow
def test_mirror_ascent_with_a_pull_that_stands_is_the_logit_response(monkeypatch: pytest.MonkeyPatch) -> None:
    """Against paper the payoffs are -1, 0 and 1, and the probabilities in proportion to exp(payoff / pull)."""
    monkeypatch.setattr(PMAOracleConfig, "falling", lambda self, start: constant(start))
    game, oracle = eqenvs.make("rock_paper_scissors"), find_oracle("pma")
    opponents = TabularPolicy(game, [[1 / 3] * 3, [0.0, 1.0, 0.0]])
    settings = {"num_envs": 256, "steps": 2, "hidden": [8], "learning_rate": 5e-3, "updates": 50}
    for pull in (1.0, 2.0):
        config = oracle.config.model_validate({"id": "pma", **settings, "pull": pull, "step": 1.0})
        found = oracle.respond(config, Situation(game, 0, opponents, np.random.SeedSequence(0)))
        table = to_policy(found.record, game, 0)(0, game.information_states[0])
        weights = np.exp(np.array([-1, 0, 1]) / pull)
        np.testing.assert_allclose(table[0], weights / weights.sum(), atol=0.02)
