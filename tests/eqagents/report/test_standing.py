"""Reach and gains at information states against scores and plain recursion."""

from __future__ import annotations

import numpy as np
import pytest

import eqenvs
from eqagents.report.standing import standings
from eqenvs.policies import TabularPolicy
from eqsolvers.scoring import best_response, score


def random_tables(game, seed):
    rng = np.random.default_rng(seed)
    tables = []
    for states in game.information_states:
        weights = rng.random(states.masks.shape) * states.masks
        tables.append(weights / weights.sum(axis=1, keepdims=True))
    return tables


TREES = [("kuhn_poker", {"num_players": 3}), ("leduc_poker", {}), ("tiny_hanabi", {}), ("sheriff", {})]


@pytest.mark.parametrize(("name", "parameters"), TREES)
def test_gains_over_a_players_first_decisions_add_up_to_its_gain(name, parameters):
    game = eqenvs.make(name, **parameters)
    tables = random_tables(game, 0)
    found = standings(game, tables)
    gains = score(game, TabularPolicy(game, tables)).gains
    for standing, treeplex, gain in zip(found, game.model().treeplexes, gains, strict=True):
        first = treeplex.parent_sequence == 0
        assert standing.gain[first].sum() == pytest.approx(gain, abs=1e-12)
        assert (standing.gain >= 0).all()


def test_gain_is_zero_after_a_best_response_and_not_before():
    game = eqenvs.make("leduc_poker")
    tables = random_tables(game, 1)
    assert standings(game, tables)[1].gain.max() > 0.01
    tables[1] = best_response(game, 1, TabularPolicy(game, tables))[1]
    assert standings(game, tables)[1].gain.max() == 0.0
    assert standings(game, tables)[0].gain.max() > 0.01


@pytest.mark.parametrize(("name", "parameters"), TREES[:2])
def test_reach_is_that_of_walking_the_tree(name, parameters):
    game = eqenvs.make(name, **parameters)
    model, tables = game.model(), random_tables(game, 2)
    reach = np.ones(len(model.parent))
    expected = [np.zeros(len(states.keys)) for states in game.information_states]
    for history in range(len(model.parent)):
        above = model.parent[history]
        if above >= 0:
            mover = model.player[above]
            chosen = 1.0 if mover < 0 else tables[mover][model.infoset[above], model.action[history]]
            reach[history] = reach[above] * chosen * model.chance[history]
        if model.player[history] >= 0:
            expected[model.player[history]][model.infoset[history]] += reach[history]
    for standing, own in zip(standings(game, tables), expected, strict=True):
        np.testing.assert_allclose(standing.reach, own, atol=1e-14)


@pytest.mark.parametrize(
    ("name", "parameters"),
    [("random_markov_game", {"num_players": 3, "num_states": 4, "num_actions": 2}), ("repeated_auction", {})],
)
def test_gains_in_a_markov_game_are_those_of_the_score_at_the_start(name, parameters):
    game = eqenvs.make(name, **parameters)
    tables, model = random_tables(game, 3), game.model()
    gains = score(game, TabularPolicy(game, tables)).gains
    for standing, gain in zip(standings(game, tables), gains, strict=True):
        assert model.initial @ standing.gain[: model.num_states] == pytest.approx(gain, abs=1e-10)
    assert gains.max() > 0.01


def test_occupancy_is_the_discounted_share_of_the_time():
    game = eqenvs.make("random_markov_game", num_players=2, num_states=5, num_actions=3, discount=0.9)
    tables, model = random_tables(game, 4), game.model()
    start, successor, probability = model.successors
    moves = np.zeros((5, 5))
    for row, joint in enumerate(np.ndindex(5, 3, 3)):
        weight = tables[0][joint[0], joint[1]] * tables[1][joint[0], joint[2]]
        for entry in range(start[row], start[row + 1]):
            moves[joint[0], successor[entry]] += weight * probability[entry]
    mass, expected = np.array(model.initial), np.zeros(5)
    for step in range(400):  # 0.9 ** 400 is 5e-19
        expected += 0.1 * 0.9**step * mass
        mass = mass @ moves
    np.testing.assert_allclose(standings(game, tables)[0].reach, expected, atol=1e-12)


def test_populations_reach_their_states_and_every_time_has_the_whole_mass():
    game = eqenvs.make("beach_bar", size=6, horizon=4, closing=0.3)
    tables, model = random_tables(game, 5), game.model()
    reach = standings(game, tables)[0].reach.reshape(len(model.moments.time), model.num_states)
    for time in range(model.horizon):
        assert reach[model.moments.time == time].sum() == pytest.approx(1.0, abs=1e-12)
    assert np.isnan(standings(game, tables)[0].gain).all()


def test_normal_form_has_the_players_own_gains():
    game = eqenvs.make("chicken")
    tables = [np.array([[0.25, 0.75]]), np.array([[0.6, 0.4]])]
    found = standings(game, tables)
    gains = score(game, TabularPolicy(game, tables)).gains
    assert [float(standing.gain[0]) for standing in found] == gains.tolist()
    assert [standing.reach.tolist() for standing in found] == [[1.0], [1.0]]
