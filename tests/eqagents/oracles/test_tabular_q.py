"""Tabular Q-learning: it finds the exact best response, and nothing above it, in games of every kind."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import eqenvs
from eqagents.oracles import OracleResult, Situation, find_oracle
from eqagents.oracles._q_tree import learn, walk_of
from eqagents.policies import to_policy
from eqenvs.errors import CheckpointError
from eqenvs.policies import (
    JointPolicy,
    MarkovCorrelatedPolicy,
    MixturePolicy,
    ProductPolicy,
    components,
    uniform,
    uniform_play,
)
from eqenvs.simulation import simulate
from eqenvs.testing.conformance import random_tables
from eqsolvers.kernels import random_stream
from eqsolvers.kernels import uniform as number
from eqsolvers.scoring import score
from eqsolvers.scoring.score import best_response
from eqsolvers.scoring.simulated import replace_player


def run(game: eqenvs.Game, player: int, opponents: JointPolicy, seed: int = 0, **settings: Any) -> OracleResult:
    oracle = find_oracle("tabular_q")
    config = oracle.config.model_validate({"id": "tabular_q", "value_episodes": 2, **settings})
    return oracle.respond(config, Situation(game, player, opponents, np.random.SeedSequence(seed)))


def earned(game: eqenvs.Game, player: int, opponents: JointPolicy, found: OracleResult) -> float:
    policy = replace_player(opponents, player, to_policy(found.record, game, player), game.num_players)
    drawn, weights = components(policy, game.num_players)
    return float(sum(w * score(game, each).values[player] for each, w in zip(drawn, weights, strict=True)))


@pytest.mark.parametrize("player", range(2))
@pytest.mark.parametrize(
    ("game_id", "parameters", "episodes", "shortfall"),
    [
        ("kuhn_poker", {}, 50_000, 1e-12),
        ("leduc_poker", {}, 1_000_000, 0.04),
        ("goofspiel", {"num_cards": 3}, 50_000, 1e-12),  # simultaneous moves
        ("random_normal_form", {"action_counts": "2x3", "seed": 4}, 4_000, 0.05),
        ("random_markov_game", {"action_counts": "2x3", "num_states": 3, "horizon": 3}, 20_000, 0.01),
        ("random_markov_game", {"action_counts": "3x2", "num_states": 3, "discount": 0.8}, 3_000, 0.01),
    ],
)
def test_it_finds_the_exact_best_response_and_never_more(
    game_id: str, parameters: dict[str, Any], episodes: int, shortfall: float, player: int
) -> None:
    game = eqenvs.make(game_id, **parameters)
    for opponents in (uniform(game), random_tables(game, 3)):
        best = best_response(game, player, opponents)[0]
        found = run(game, player, opponents, episodes=episodes)
        value = earned(game, player, opponents, found)
        assert best - shortfall <= value <= best + 1e-9
        table = found.record["table"]
        assert ((table == 0) | (table == 1)).all()
        assert (table.sum(axis=1) == 1).all()
        assert not table[~game.information_states[player].masks].any()


def test_the_compiled_walk_is_the_plain_one() -> None:
    """The same moves from the same stream, on dictionaries."""
    game = eqenvs.make("kuhn_poker", num_players=3)
    model, player, device = game.model(), 1, MixturePolicy([random_tables(game, k) for k in range(3)], [0.2, 0.5, 0.3])
    treeplex = model.treeplexes[player]
    values, visits = np.full(treeplex.num_sequences, -np.inf), np.zeros(treeplex.num_sequences, dtype=np.int64)
    path = np.zeros((len(model.level_start), 3), dtype=np.int64)
    learn(walk_of(model, player, device), values, visits, 0.3, 0.8, 0.05, 500, random_stream(7), path)

    stream, worth = random_stream(7), dict[int, float]()
    count: dict[int, int] = {}
    children = {h: np.flatnonzero(model.parent == h).tolist() for h in range(len(model.parent))}
    ends = dict(zip(model.terminals.tolist(), model.payoffs[:, player].tolist(), strict=True))

    def draw(probabilities: list[float]) -> int:
        return int(min(np.searchsorted(np.cumsum(probabilities), number(stream), side="right"), len(probabilities) - 1))

    for _ in range(500):
        tables = device.components[draw(device.weights.tolist())].tables
        at, chosen = 0, []
        while at not in ends:
            below, who, infoset = children[at], model.player[at], model.infoset[at]
            if who < 0:
                at = below[draw([model.chance[h] for h in below])]
            elif who != player:
                at = below[draw([tables[who][infoset, model.action[h]] for h in below])]
            else:
                sequences = [int(treeplex.first_sequence[infoset]) + k for k in range(len(below))]
                if number(stream) < 0.3:
                    pick = int(number(stream) * len(below))
                else:
                    pick = max(range(len(below)), key=lambda k, q=sequences: (worth.get(q[k], -np.inf), -k))
                chosen.append((sequences[pick], sequences))
                at = below[pick]
        target = ends[at]
        for sequence, sequences in reversed(chosen):
            n = count.get(sequence, 0)
            rate = 1.0 if n == 0 else max(0.05, (1.0 + n) ** -0.8)
            before = worth.get(sequence, target)
            worth[sequence], count[sequence] = before + rate * (target - before), n + 1
            target = max(worth.get(each, -np.inf) for each in sequences)
    assert dict(enumerate(visits.tolist())) == {q: count.get(q, 0) for q in range(treeplex.num_sequences)}
    np.testing.assert_allclose(values, [worth.get(q, -np.inf) for q in range(treeplex.num_sequences)], rtol=1e-12)


def test_more_episodes_come_nearer() -> None:
    game = eqenvs.make("leduc_poker")
    opponents = uniform(game)
    best = best_response(game, 1, opponents)[0]
    gaps = [
        np.mean([best - earned(game, 1, opponents, run(game, 1, opponents, seed, episodes=n)) for seed in range(3)])
        for n in (5_000, 50_000, 500_000)
    ]
    assert gaps[0] > 2 * gaps[1] > 4 * gaps[2]


def test_the_response_is_to_what_a_device_draws() -> None:
    """In three-player games opponents who are drawn together are not the product of their marginals."""
    game = eqenvs.make("kuhn_poker", num_players=3)
    tables = [random_tables(game, seed) for seed in range(4)]
    private = ProductPolicy([tables[0], MixturePolicy(tables[1:3], [0.4, 0.6]), tables[3]])
    device = MixturePolicy([tables[0], private, tables[2]], [0.2, 0.5, 0.3])
    for player in range(3):
        best = best_response(game, player, device)[0]
        value = earned(game, player, device, run(game, player, device, episodes=300_000))
        assert best - 0.003 <= value <= best + 1e-9
    markov = eqenvs.make("random_markov_game", action_counts="2x3", num_states=2, horizon=2)
    points = len(markov.information_states[0].keys)
    rows = np.random.default_rng(0).dirichlet(np.ones(6), size=points).reshape(points, 2, 3)
    drawn_anew = MarkovCorrelatedPolicy(markov, rows)
    for player in range(2):
        best = best_response(markov, player, drawn_anew)[0]
        value = earned(markov, player, drawn_anew, run(markov, player, drawn_anew, episodes=10_000))
        assert best - 0.01 <= value <= best + 1e-9


def test_the_seed_decides_and_schedules_are_heard() -> None:
    game = eqenvs.make("leduc_poker")
    settings = {"episodes": 2_000}
    first = run(game, 0, uniform(game), 1, **settings)
    assert np.array_equal(first.record["table"], run(game, 0, uniform(game), 1, **settings).record["table"])
    assert not np.array_equal(first.record["table"], run(game, 0, uniform(game), 2, **settings).record["table"])
    for changed in ({"first_epsilon": 0.2}, {"decay": 0.6}, {"least_rate": 0.3}, {"epsilon": 0.9}):
        other = run(game, 0, uniform(game), 1, **settings, **changed)
        assert not np.array_equal(first.record["table"], other.record["table"])
    assert first.episodes == 2_002


def test_games_without_a_model_are_learned_by_key() -> None:
    game = eqenvs.make("phantom_tic_tac_toe")
    found = run(game, 0, uniform_play, episodes=5_000)
    assert found.record["kind"] == "keyed"
    policy = to_policy(found.record, game, 0)
    value = simulate(game.rules, ProductPolicy([policy, uniform_play]), 2_000, 1)[:, 0].mean()
    fresh = simulate(game.rules, ProductPolicy([uniform_play, uniform_play]), 2_000, 1)[:, 0].mean()
    assert value > fresh + 0.4
    states = eqenvs.make("kuhn_poker").information_states[0]
    assert np.allclose(policy(0, states), states.uniform())


def test_a_keyed_record_that_lacks_actions_is_refused_on_one_line() -> None:
    record = {"kind": "keyed", "keys": np.zeros((2, 3), dtype=np.int64), "actions": np.zeros(1, dtype=np.int64)}
    with pytest.raises(CheckpointError, match="an action for each key") as caught:
        to_policy(record, eqenvs.make("kuhn_poker"), 0)
    assert "\n" not in str(caught.value)
