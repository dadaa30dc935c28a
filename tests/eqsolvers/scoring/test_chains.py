"""Chains beyond the size of a factorisation, and best responses in Markov games."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

import eqenvs
from eqenvs.arrays import joint_play
from eqenvs.errors import UnsupportedGame
from eqenvs.models import MarkovModel, Successors
from eqenvs.policies import MarkovCorrelatedPolicy, MixturePolicy, ProductPolicy, uniform
from eqenvs.testing.conformance import random_tables
from eqsolvers.scoring import chains as module
from eqsolvers.scoring import score
from eqsolvers.scoring.chains import Chains
from eqsolvers.scoring.score import best_response


def corridor(states, discount):
    """A line of states without end: what is paid in the last one arrives by the first after as many steps."""
    kernel = Successors(np.arange(states + 1), np.minimum(np.arange(states) + 1, states - 1), np.ones(states))
    reward = np.zeros((1, states, 1))
    reward[0, -1] = 1.0
    return MarkovModel(kernel, reward, np.eye(states)[0], discount=discount, views=[np.zeros((states, 1))])


@pytest.mark.parametrize("discount", [0.9, 0.99, 0.999])
@pytest.mark.parametrize("branching", [1, 3])
def test_large_systems_are_solved_to_rounding(discount, branching, monkeypatch):
    model = eqenvs.make(
        "random_markov_game", num_states=600, action_counts="2x3", discount=discount, branching=branching
    ).model()
    joint = joint_play(random_tables(model, 0).tables)
    iterated = Chains(model).values(joint)
    monkeypatch.setattr(module, "DENSE", 10_000)
    factorised = Chains(model).values(joint)
    np.testing.assert_allclose(iterated, factorised, rtol=0, atol=1e-12 / (1 - discount) * np.abs(factorised).max())


@pytest.mark.parametrize("discount", [0.5, 0.95, 0.999])
def test_a_long_corridor_in_closed_form(discount):
    """The values are discount^distance / (1 - discount): what iterative solvers are worst at."""
    states = 1500
    model = corridor(states, discount)
    found = Chains(model).values(np.ones((states, 1)))[:, 0]
    expected = discount ** np.arange(states - 1, -1, -1.0) / (1 - discount)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-11 / (1 - discount))


@pytest.mark.parametrize("discount", [0.99, 0.9999, 0.999999])
@pytest.mark.parametrize("staying", [0.0, 0.5])
def test_a_long_cycle_in_closed_form(discount, staying):
    """What is paid once a round of 3000 states; whoever stays does so for a geometric time."""
    states = 3000
    here = np.arange(states)
    successor = np.stack([here, (here + 1) % states], axis=1)
    probability = np.where(successor == here[:, None], staying, 1 - staying)
    if staying == 0:
        successor, probability = successor[:, 1:], probability[:, 1:]
    order = successor.argsort(axis=1)
    kernel = Successors(
        np.arange(states + 1) * successor.shape[1],
        np.take_along_axis(successor, order, axis=1).reshape(-1),
        np.take_along_axis(probability, order, axis=1).reshape(-1),
    )
    reward = np.zeros((1, states, 1))
    reward[0, -1] = 1.0
    model = MarkovModel(kernel, reward, np.eye(states)[0], discount=discount, views=[np.zeros((states, 1))])
    found = Chains(model).values(np.ones((states, 1)))[:, 0]
    move = discount * (1 - staying) / (1 - discount * staying)  # what a move is discounted by
    last = 1 / (1 - discount * staying) / -np.expm1(states * np.log(move))
    expected = move ** np.arange(states - 1, -1, -1.0) * last
    np.testing.assert_allclose(found, expected, rtol=0, atol=(1e-12 + 1e-15 / (1 - discount)) * last)


@pytest.mark.parametrize("states", [1000, 8000])
def test_a_stall_ends_in_a_factorisation(states, monkeypatch):
    """The cycle again, given to the iteration as it is."""
    discount = 0.9999
    step = sparse.csr_array((np.full(states, discount), (np.arange(states), (np.arange(states) + 1) % states)))
    paid = np.zeros(states)
    paid[-1] = 1.0
    calls, direct = [], module._factorised
    monkeypatch.setattr(module, "_factorised", lambda *args: calls.append(args) or direct(*args))
    found = module._iterated(step, paid, np.zeros(states), discount)
    expected = discount ** np.arange(states - 1, -1, -1.0) / (1 - discount**states)
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    assert len(calls) == 1


def test_scores_are_the_same_on_both_sides_of_the_limit(monkeypatch):
    model = eqenvs.make("random_markov_game", num_states=450, num_actions=3, discount=0.95).model()
    above = score(model, uniform(model))
    monkeypatch.setattr(module, "DENSE", 10_000)
    below = score(model, uniform(model))
    np.testing.assert_allclose(above.gains, below.gains, atol=1e-9)
    np.testing.assert_allclose(above.values, below.values, atol=1e-10)


@pytest.mark.parametrize("parameters", [{"action_counts": "2x3"}, {"num_players": 3, "horizon": 3}])
def test_best_responses_collect_what_the_score_says(parameters):
    game = eqenvs.make("random_markov_game", **parameters)
    policy = random_tables(game, 1)
    scored = score(game, policy)
    for player in range(game.num_players):
        value, table = best_response(game, player, policy)
        assert value == pytest.approx(scored.values[player] + scored.gains[player], abs=1e-10)
        assert set(np.unique(table)) == {0.0, 1.0}
        tables = list(policy.tables)
        tables[player] = table
        replied = score(game, eqenvs.policies.TabularPolicy(game, tables))
        assert replied.values[player] == pytest.approx(value, abs=1e-10)


def test_best_responses_to_devices():
    game = eqenvs.make("random_markov_game", action_counts="2x3")
    joint = np.random.default_rng(0).dirichlet(np.ones(6), size=5).reshape(5, 2, 3)
    device = MarkovCorrelatedPolicy(game, joint)
    total = sum(best_response(game, player, device)[0] for player in range(2))
    scored = score(game, device)
    assert total - scored.values.sum() == pytest.approx(scored.cce_gap, abs=1e-9)
    a, b = random_tables(game, 0), random_tables(game, 1)
    mixed = ProductPolicy([MixturePolicy([a, b], [0.5, 0.5]), a])
    assert best_response(game, 0, mixed)[0] == pytest.approx(best_response(game, 0, a)[0])  # its own does not matter
    with pytest.raises(UnsupportedGame, match="has a memory"):
        best_response(game, 1, mixed)
