"""One network for a population: each condition answers its own row, and rows are played as they say."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import eqenvs
from eqagents.distributed import InlineExecutor
from eqagents.learners.psro.psro import PSROConfig, build
from eqagents.oracles import Member, OracleResult, Populations, Situation, find_oracle
from eqagents.oracles._rows import AgainstRows, Conditioned, Told, Watched, widened
from eqagents.policies import MaskedMLP, tabular_record, to_network, to_policy
from eqagents.policies.digests import digest
from eqagents.rollout.games import Games
from eqagents.rollout.networks import ActorCritic, NetworkConfig
from eqagents.rollout.play import rollout
from eqenvs.arrays import Float64Array
from eqenvs.errors import CheckpointError, InputError, UnsupportedGame
from eqenvs.policies import MixturePolicy, ProductPolicy, TabularPolicy, uniform
from eqenvs.testing.conformance import random_tables
from eqsolvers.meta import MetaSolution
from eqsolvers.scoring import score

SMALL = {"updates": 25, "num_envs": 64, "steps": 2, "hidden": [16], "learning_rate": 2e-2, "value_episodes": 2}


def situation(
    game: eqenvs.Game, tables: list[Float64Array], weights: list[float], own: list[dict[str, Any]], seed: int = 0
) -> Situation:
    """The first player against tables mixed by weights."""
    theirs = [Member(tabular_record(table), table) for table in tables]
    mine = [Member({"kind": "uniform"}, None), *(Member(record, None) for record in own)]
    opponents = [TabularPolicy(game, [uniform(game).tables[0], table]) for table in tables]
    strategies = np.eye(len(mine))[-1], np.array(weights)
    return Situation(
        game,
        0,
        ProductPolicy([uniform(game), MixturePolicy(opponents, weights)]),
        np.random.SeedSequence(seed),
        mine[-1].record,
        Populations((mine, theirs), MetaSolution(strategies)),
    )


def respond(asked: Situation, **settings: Any) -> OracleResult:
    oracle = find_oracle("neupl")
    return oracle.respond(oracle.config.model_validate({"id": "neupl", **SMALL, **settings}), asked)


def test_every_condition_answers_its_row() -> None:
    """Rock, paper and scissors come one after the other; the last network still answers all three, told which."""
    game = eqenvs.make("rock_paper_scissors")
    pure = [row[None] for row in np.eye(3)]
    own: list[dict[str, Any]] = []
    for count in range(1, 4):
        asked = situation(game, pure[:count], np.eye(count)[-1].tolist(), own, seed=count)
        own.append(respond(asked, capacity=4).record)
    last = own[-1]
    np.testing.assert_array_equal(last["graph"], np.eye(3, 4))
    assert last["slots"] == [digest(tabular_record(table)) for table in pure]
    for row, answer in zip(last["graph"], (1, 2, 0), strict=True):
        member = to_policy({**last, "condition": row}, game, 0)(0, game.information_states[0])
        assert member[0, answer] > 0.9
    for record, answer in zip(own, (1, 2, 0), strict=True):  # members are as they were when they joined
        assert to_policy(record, game, 0)(0, game.information_states[0])[0, answer] > 0.9


def test_a_member_is_the_network_with_its_condition() -> None:
    """Folding the condition into a bias is seeing it beside the observation."""
    game = eqenvs.make("rock_paper_scissors")
    pure = [row[None] for row in np.eye(3)]
    record = respond(situation(game, pure, [0.2, 0.5, 0.3], []), updates=2, capacity=5).record
    states = game.information_states[0]
    seen = np.concatenate([states.observations, record["condition"][None].astype(np.float32)], axis=1)
    wide = MaskedMLP(seen.shape[1], record["hidden"], 3, activation=record["activation"])
    wide.load_state_dict({name: torch.tensor(array) for name, array in record["weights"].items()})
    network = to_network(record, game, 0)
    assert isinstance(network, MaskedMLP)
    with torch.no_grad():
        expected = wide(torch.tensor(seen))
        found = network(torch.tensor(states.observations))
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(record["condition"], [0.2, 0.5, 0.3, 0, 0])
    with pytest.raises(CheckpointError, match="condition alone has"):
        to_policy({**record, "condition": np.zeros(99)}, game, 0)


def test_rows_are_drawn_as_often_as_they_should_be_and_played_as_they_say() -> None:
    """Payoffs of the games of each row against the exact ones of its mixture; values and records know the row."""
    game = eqenvs.make("kuhn_poker")
    tables = [random_tables(game, seed) for seed in range(3)]
    graph = np.array([[1.0, 0.0, 0.0], [0.0, 0.3, 0.7]])
    rows = [ProductPolicy([uniform(game), MixturePolicy(tables, weights)]) for weights in graph]
    shares, batch = [0.25, 0.75], 4000
    width, conditions = game.rules.observation_size + 3, torch.tensor(graph, dtype=torch.float32)
    inside = ActorCritic(width, width, (game.rules.max_actions,), NetworkConfig(hidden=(8,)), seed=1)
    torch.nn.init.normal_(inside.actor.network.weights[-1], generator=torch.Generator().manual_seed(0))
    networks = Conditioned(inside, conditions, (game.rules.max_actions,) * 2)
    generator = torch.Generator().manual_seed(2)
    cast = AgainstRows(game, networks, 0, MixturePolicy(rows, shares), batch, generator, Told(conditions))
    games = Watched(Games(game, batch), networks)
    begun = networks.rows.clone()
    assert abs(float(begun.float().mean()) - 0.75) < 4.5 * np.sqrt(0.75 * 0.25 / batch)
    found, _ = rollout(games, cast, games.begin(4), 3)
    first = torch.cumsum(found.over.int(), dim=0) - found.over.int() == 0  # stages of the first game
    payoffs = (found.rewards[..., 0] * first).sum(dim=0).double().numpy()
    assert (found.ways[0, :, 0].long() == begun)[found.learns[0, :, 0]].all()
    flat = widened(found, conditions)
    values = inside.values(flat.observations[0, :, 0], torch.zeros(batch, dtype=torch.int64))
    mine = found.learns[0, :, 0]
    torch.testing.assert_close(values[mine].detach(), found.values[0, :, 0][mine], rtol=1e-5, atol=1e-6)
    for row, weights in enumerate(graph):
        shown = game.information_states[0]

        def play(player: int, states: Any, weights: Any = weights) -> Any:
            told = np.tile(weights.astype(np.float32), (len(states.keys), 1))
            seen = torch.tensor(np.concatenate([states.observations, told], axis=1))
            role = torch.zeros(len(seen), dtype=torch.int64)
            return inside.log_policy(seen, role, torch.tensor(states.masks)).exp().detach().double().numpy()

        assert play(0, shown).shape == shown.masks.shape
        exact = score(game, ProductPolicy([play, rows[row].players[1]])).values[0]
        ours = payoffs[(begun == row).numpy()]
        assert abs(ours.mean() - exact) <= 4.5 * ours.std() / np.sqrt(len(ours))


def test_a_run_comes_near_equilibrium_and_its_bits_follow_from_the_seed() -> None:
    game = eqenvs.make("kuhn_poker")
    oracle = {"id": "neupl", "updates": 6, "num_envs": 64, "steps": 16, "hidden": [32], "learning_rate": 2e-2,
              "value_episodes": 2}  # fmt: skip
    learner = build(game, PSROConfig.model_validate({"id": "psro", "oracle": oracle}), InlineExecutor(0))
    state = learner.init(np.random.SeedSequence(0))
    for _ in range(6):
        state, _ = learner.step(state)
    assert score(game, learner.average_policy(state)).exploitability < 0.1  # of uniform play: 11/24
    record = state.restricted.populations[0][-1]
    assert len(record["graph"]) == 6
    populations = Populations(
        tuple([Member(r, None) for r in own] for own in state.restricted.populations), state.restricted.meta
    )
    asked = [Situation(game, 1, uniform(game), np.random.SeedSequence(s), None, populations) for s in (1, 1, 2)]
    marks = [digest(respond(each, updates=1, steps=16, hidden=[32]).record) for each in asked]
    assert marks[0] == marks[1] != marks[2]


def test_rows_of_opponents_that_were_pruned_are_left_out() -> None:
    game = eqenvs.make("rock_paper_scissors")
    pure = [row[None] for row in np.eye(3)]
    settings = {"updates": 1, "capacity": 4}
    first = respond(situation(game, pure[:1], [1.0], []), **settings).record
    second = respond(situation(game, pure[:2], [0.5, 0.5], [first]), **settings).record
    third = respond(situation(game, pure[1:], [0.4, 0.6], [first, second]), **settings).record
    np.testing.assert_array_equal(second["graph"], [[1, 0, 0, 0], [0.5, 0.5, 0, 0]])
    np.testing.assert_array_equal(third["graph"], [[0, 0.4, 0.6, 0]])  # rock is gone, and its place is nobody else's
    assert third["slots"] == [digest(tabular_record(table)) for table in pure]


def test_what_does_not_fit_is_said_on_one_line() -> None:
    game, three = eqenvs.make("rock_paper_scissors"), eqenvs.make("kuhn_poker", num_players=3)
    pure = [row[None] for row in np.eye(3)]
    first = respond(situation(game, pure[:1], [1.0], []), updates=1, capacity=4).record
    more = situation(game, pure[:2], [0.5, 0.5], [first])
    alone = Situation(game, 0, uniform(game), np.random.SeedSequence(0))
    for asked, settings, error, message in (
        (more, {"capacity": 1}, InputError, "2 opponent policies are more than capacity 1"),
        (more, {"capacity": 5}, InputError, "made for capacity 4, not 5"),
        (more, {"capacity": 4, "hidden": [9]}, InputError, r"the last member's network is \(\(16,\), 'relu'\)"),
        (alone, {}, InputError, "as a member of populations"),
        (Situation(three, 0, uniform(three), np.random.SeedSequence(0)), {}, UnsupportedGame, "has 3 players"),
    ):
        with pytest.raises(error, match=message) as caught:
            respond(asked, **settings)
        assert "\n" not in str(caught.value)
