"""Potential games: known ones, known not to be, and a test by cycles of deviations that shares no code."""

from __future__ import annotations

import numpy as np
import pytest

import eqenvs
from eqenvs.arrays import joint_play
from eqenvs.models import MarkovModel
from eqenvs.testing.conformance import random_tables
from eqsolvers.scoring.chains import chains
from eqsolvers.scoring.potential import markov_potential, potential_difference


def model_of(**parameters):
    return eqenvs.make("random_markov_game", **parameters).model()


def from_rewards(reward, kernel, **parameters):
    states = reward.shape[1]
    return MarkovModel(kernel, reward, np.full(states, 1 / states), **({"discount": 0.8} | parameters))


def stage_potential_game(rng, *, moved_by=None, horizon=None):
    """Two players; rewards are a stage's potential and what the other player alone decides."""
    potential, dummies = rng.normal(size=(4, 2, 3)), [rng.normal(size=(4, 1, 3)), rng.normal(size=(4, 2, 1))]
    reward = np.stack([potential + dummy for dummy in dummies])
    kernel = np.broadcast_to(rng.dirichlet(np.ones(4), size=4)[:, None, None, :], (4, 2, 3, 4))
    if moved_by is not None:
        kernel = rng.dirichlet(np.ones(4), size=(4, 2, 3))
    return from_rewards(reward, kernel, horizon=horizon)


def congestion(rng):
    """Three players choose among three facilities of random delays, in one state: Rosenthal (1973)."""
    delay = rng.normal(size=(3, 4))
    reward = np.empty((3, 1, 3, 3, 3))
    for joint in np.ndindex(3, 3, 3):
        for player, facility in enumerate(joint):
            reward[(player, 0, *joint)] = delay[facility, joint.count(facility)]
    return from_rewards(reward, np.ones((1, 3, 3, 3, 1)))


RNG = np.random.default_rng(0)
POTENTIAL = {
    "common interest": model_of(common=True, num_players=3, action_counts="2x3x2"),
    "common interest, horizon": model_of(common=True, action_counts="2x3", horizon=3, discount=1.0),
    "congestion": congestion(RNG),
    "stage potentials": stage_potential_game(RNG),
    "stage potentials, horizon": stage_potential_game(RNG, horizon=3),
    "one player": model_of(num_players=1),
}
OTHERS = {
    "zero-sum": model_of(zero_sum=True, action_counts="2x3"),
    "zero-sum, horizon": model_of(zero_sum=True, horizon=2),
    "three players": model_of(num_players=3),
    "stage potentials, moved by players": stage_potential_game(RNG, moved_by=(0, 1)),
    "stage potentials, moved by players, horizon": stage_potential_game(RNG, moved_by=(0, 1), horizon=2),
    "stateful congestion": eqenvs.make("stateful_congestion", num_players=2).model(),
}


def worst_cycle(model, rng, tries=10):
    """Two players' gains around cycles of four policies, per pair: 0 in a potential game."""
    form, worst = chains(model), 0.0
    for _ in range(tries):
        tables = [random_tables(model, int(rng.integers(2**31))).tables for _ in range(2)]
        for i in range(model.num_players):
            for j in range(i):
                values = {}
                for a, b in np.ndindex(2, 2):
                    play = list(tables[0])
                    play[i], play[j] = tables[a][i], tables[b][j]
                    values[a, b] = form.values(joint_play(tuple(play)))[: model.num_states]
                cycle = (
                    (values[1, 0] - values[0, 0])[:, i]
                    + (values[1, 1] - values[1, 0])[:, j]
                    + (values[0, 1] - values[1, 1])[:, i]
                    + (values[0, 0] - values[0, 1])[:, j]
                )
                worst = max(worst, float(np.abs(cycle).max()))
    return worst


@pytest.mark.parametrize("name", POTENTIAL)
def test_potential_games_are_found(name):
    found = markov_potential(POTENTIAL[name])
    assert found.potential
    assert found.asymmetry <= found.rounding
    assert worst_cycle(POTENTIAL[name], np.random.default_rng(1)) <= 1e-10


@pytest.mark.parametrize("name", OTHERS)
@pytest.mark.parametrize("seed", range(3))
def test_other_games_are_refuted_whatever_the_seed(name, seed):
    found = markov_potential(OTHERS[name], draws=1, seed=seed)
    assert not found.potential
    assert found.asymmetry > 1000 * found.rounding
    assert worst_cycle(OTHERS[name], np.random.default_rng(1)) > 1e-3


def test_a_zero_sum_game_whose_payoffs_add_apart_is_one():
    """r(a, b) = f(a) - g(b), without influence on the state: each player decides for itself."""
    rng = np.random.default_rng(5)
    matrix = rng.normal(size=(3, 2, 1)) - rng.normal(size=(3, 1, 3))
    kernel = np.broadcast_to(rng.dirichlet(np.ones(3), size=3)[:, None, None, :], (3, 2, 3, 3))
    assert markov_potential(from_rewards(np.stack([matrix, -matrix]), kernel)).potential


def test_a_potential_from_the_first_states_only():
    """State 1, which play never reaches from state 0, is no potential game."""
    rng = np.random.default_rng(2)
    common = rng.normal(size=(2, 2))
    reward = np.stack([np.stack([common, rng.normal(size=(2, 2))]), np.stack([common, rng.normal(size=(2, 2))])])
    kernel = np.zeros((2, 2, 2, 2))
    kernel[0, :, :, 0] = kernel[1, :, :, 1] = 1
    model = MarkovModel(kernel, reward, [1.0, 0.0], discount=0.8)
    assert markov_potential(model, initial_only=True).potential
    assert not markov_potential(model).potential


@pytest.mark.parametrize("seed", range(3))
def test_the_size_of_the_smallest_departure_that_is_seen(seed):
    rng = np.random.default_rng(seed)
    model = POTENTIAL["stage potentials"]
    bent = MarkovModel(
        model.successors, model.reward + 1e-6 * rng.normal(size=model.reward.shape), model.initial, discount=0.8
    )
    assert not markov_potential(bent, seed=seed).potential


@pytest.mark.parametrize("name", [name for name in POTENTIAL if name != "one player"])
def test_differences_of_the_potential_are_the_players_gains(name):
    model = POTENTIAL[name]
    a, b, c = (random_tables(model, seed) for seed in range(3))
    form = chains(model)
    for player in range(model.num_players):
        tables = list(a.tables)
        tables[player] = b.tables[player]
        changed = eqenvs.policies.TabularPolicy(model, tables)
        gain = form.at_start(form.values(joint_play(changed.tables)) - form.values(joint_play(a.tables)))[player]
        assert potential_difference(model, a, changed) == pytest.approx(gain, abs=1e-10)
    around = sum(potential_difference(model, *pair) for pair in ((a, b), (b, c), (c, a)))
    assert around == pytest.approx(0.0, abs=1e-9)


def test_no_draws_prove_nothing():
    with pytest.raises(eqenvs.InputError, match="draws must be at least 1, got 0"):
        markov_potential(eqenvs.make("random_markov_game", zero_sum=True).model(), draws=0)
