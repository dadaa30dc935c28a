"""Pessimistic Nash value iteration: rates with coverage, failure without."""

from dataclasses import replace
from math import log

import numpy as np
import pytest

import eqenvs
from eqenvs.errors import UnsupportedGame
from eqenvs.models import MarkovModel
from eqenvs.policies import MarkovCorrelatedPolicy, TabularPolicy, uniform
from eqsolvers.markov.offline import (
    Dataset,
    bellman_consistent_equilibrium,
    collect,
    pessimistic_nash,
    solve_offline,
    unilateral_concentrability,
)
from eqsolvers.scoring.score import score


def random_game(seed, **parameters):
    chosen = {"num_states": 3, "num_actions": 3, "discount": 1.0, "horizon": 3, "zero_sum": True} | parameters
    return eqenvs.make("random_markov_game", seed=seed, **chosen).model()


def matrix_game(payoffs):
    matrix = np.array(payoffs, dtype=float)
    return MarkovModel(np.ones((1, 2, 2, 1)), np.stack([matrix, -matrix])[:, None], [1.0], horizon=1)


def test_gap_and_its_bound_fall_like_one_over_root_n_with_full_coverage():
    sizes = [3000, 10_000, 30_000, 100_000]
    gaps, bounds = np.zeros((8, len(sizes))), np.zeros((8, len(sizes)))
    for seed in range(8):
        model = random_game(seed)
        for k, episodes in enumerate(sizes):
            dataset = collect(model, uniform(model), episodes=episodes, seed=seed)
            gaps[seed, k] = score(model, pessimistic_nash(dataset, error_scale=0.1).policy(model)).nash_conv
            certified = pessimistic_nash(dataset)
            bounds[seed, k] = certified.gap_bound
            assert score(model, certified.policy(model)).nash_conv <= certified.gap_bound
    fitted = [np.polyfit(np.log(sizes), np.log(found.mean(axis=0)), 1)[0] for found in (gaps, bounds)]
    assert fitted[0] == pytest.approx(-0.5, abs=0.15)
    assert fitted[1] == pytest.approx(-0.5, abs=0.05)
    assert gaps.mean(axis=0)[-1] < 0.006


@pytest.mark.parametrize("parameters", [{"discount": 0.7, "horizon": None}, {"action_counts": "2x4"}])
def test_other_games_are_solved_too(parameters):
    for seed in range(3):
        model = random_game(seed, **parameters)
        found = solve_offline(collect(model, uniform(model), episodes=20_000, seed=0, length=20))
        scored = score(model, found.policy(model))
        assert scored.nash_conv < min(found.gap_bound, 0.25)
        value = scored.values[0]
        assert found.lower[0] <= value <= found.upper[0]
        assert found.lower[1] <= -value <= found.upper[1]


def test_covering_the_equilibria_alone_is_not_enough_and_covering_deviations_is():
    # In the first game (0, 0) is the equilibrium, in the second (1, 1), both worth 0. Data of these two joint actions
    # are the same from either game, so that no method can tell them apart; with (0, 1) and (1, 0) they are not.
    games = [matrix_game([[0, 1], [-1, 0]]), matrix_game([[0, -1], [1, 0]])]
    targets = [[[[1.0, 0.0]]] * 2, [[[0.0, 1.0]]] * 2]
    blind, seeing = np.array([[[0.5, 0.0], [0.0, 0.5]]]), np.array([[[0.4, 0.2], [0.2, 0.2]]])
    for distribution, covered in ((blind, False), (seeing, True)):
        bounds, gaps = [], []
        for episodes in (100, 10_000):
            for game, target in zip(games, targets, strict=True):
                behaviour = MarkovCorrelatedPolicy(game, distribution)
                coefficient, _ = unilateral_concentrability(game, TabularPolicy(game, target), behaviour)
                assert np.isfinite(coefficient) == covered
                found = solve_offline(collect(game, behaviour, episodes=episodes, seed=3))
                gaps.append(score(game, found.policy(game)).nash_conv)
                bounds.append(found.gap_bound)
                assert gaps[-1] <= bounds[-1]
        if covered:
            assert gaps[2:] == [0.0, 0.0]
            assert max(bounds[2:]) < 0.2 * min(bounds[:2])
        else:
            assert sum(gaps[2:]) == pytest.approx(2.0, abs=1e-9)  # whatever is played, in the two games together
            assert min(bounds[2:]) > 1.0  # and the bound says so


def test_other_games_are_refused():
    general = eqenvs.make("random_markov_game", horizon=2, discount=1.0, num_states=2).model()
    with pytest.raises(UnsupportedGame, match="do not add up to 0"):
        pessimistic_nash(collect(general, uniform(general), episodes=10, seed=0))
    three = eqenvs.make("random_markov_game", num_players=3, horizon=2, discount=1.0, num_states=2).model()
    with pytest.raises(UnsupportedGame, match="the data have 3"):
        pessimistic_nash(collect(three, uniform(three), episodes=10, seed=0))


def two_starts(initial):
    """One step; in state 0 nothing is paid, state 1 is matching pennies."""
    pennies = np.array([[1.0, -1.0], [-1.0, 1.0]])
    paid = np.stack([np.zeros((2, 2)), pennies])
    return MarkovModel(np.ones((2, 2, 2, 1)) * [1.0, 0.0], np.stack([paid, -paid]), initial, horizon=1)


def of_frame(dataset, initial):
    arrays = (dataset.episode, dataset.step, dataset.state, dataset.actions, dataset.reward, dataset.after)
    return Dataset(replace(dataset.frame, initial=initial), *arrays)


def test_the_bound_holds_where_the_episodes_happened_to_begin_elsewhere():
    # All 400 episodes began in state 0; what is played in state 1, half of all starts, the data cannot say.
    seen = collect(two_starts([1.0, 0.0]), uniform(two_starts([1.0, 0.0])), episodes=400, seed=0)
    model = two_starts([0.5, 0.5])
    known = of_frame(seen, model.initial)
    for found in (pessimistic_nash(known), bellman_consistent_equilibrium(known, concept="cce")):
        gap = score(model, found.policy(model)).nash_conv if found.tables else 0.5
        assert gap <= found.gap_bound
        assert found.gap_bound >= 1.0  # half of the range of the values in state 1
        assert found.gap_bound > solve_offline(seen).gap_bound + 0.5


@pytest.mark.parametrize("states", [2, 3])
def test_first_states_that_are_sampled_cost_what_the_inequality_says(states):
    initial = np.full(states, 1 / states)
    model = random_game(0, num_states=states)
    model = MarkovModel(model.successors, model.reward, initial, horizon=3)
    dataset = collect(model, uniform(model), episodes=20_000, seed=0)
    blind, delta = of_frame(dataset, None), 0.05
    share = np.bincount(dataset.state[dataset.step == 0], minlength=states) / 20_000
    told = pessimistic_nash(of_frame(dataset, share), delta=delta / 2)
    found = pessimistic_nash(blind, delta=delta)
    off = np.sqrt(2 * log((2**states - 2) / (delta / 2)) / 20_000) / 2 * 3 * np.ptp(model.reward[0])
    np.testing.assert_allclose(found.upper - told.upper, [off, off], atol=1e-9)
    np.testing.assert_allclose(told.lower - found.lower, [off, off], atol=1e-9)
    assert found.gap_bound == pytest.approx(told.gap_bound + 2 * off, abs=1e-9)
    assert score(model, found.policy(model)).nash_conv <= found.gap_bound
