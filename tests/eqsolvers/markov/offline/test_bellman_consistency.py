"""Bellman-consistent intervals, the policy of one player, and equilibria of general-sum games."""

from dataclasses import replace

import numpy as np
import pytest

import eqenvs
from eqenvs.arrays import joint_play
from eqenvs.errors import InputError, UnsupportedGame
from eqenvs.models import MarkovModel
from eqenvs.policies import MarkovCorrelatedPolicy, TabularPolicy, uniform
from eqsolvers.markov.offline import (
    bellman_consistent_equilibrium,
    bellman_consistent_policy,
    collect,
    solve_offline,
    value_interval,
)
from eqsolvers.markov.offline._counts import Counts
from eqsolvers.markov.offline._intervals import least_value, most_by_deviating
from eqsolvers.markov.offline._version_space import radius
from eqsolvers.result import error_of
from eqsolvers.scoring.chains import chains
from eqsolvers.scoring.score import score


def game(seed=1, **parameters):
    chosen = {"num_states": 3, "num_actions": 2, "discount": 0.9, "horizon": 3} | parameters
    return eqenvs.make("random_markov_game", seed=seed, **chosen).model()


def random_joint(model, seed):
    rng = np.random.default_rng(seed)
    tables = [rng.dirichlet(np.ones(s.masks.shape[1]), size=len(s.keys)) for s in model.information_states]
    return TabularPolicy(model, tables), joint_play(tuple(tables))


def test_interval_is_the_closed_form_where_no_bound_of_a_row_matters():
    # An error e at a row counts d(row) at the start, d its frequency under play in the data; the most that
    # sum n e^2 <= b allows of sum d e is sqrt(b sum d^2 / n), step by step.
    model = game()
    _, joint = random_joint(model, 2)
    dataset = collect(model, uniform(model), episodes=200_000, seed=1)
    frame = replace(dataset.frame, lowest=dataset.frame.lowest - 1, highest=dataset.frame.highest + 1)
    counts = Counts(replace(dataset, frame=frame))
    flat, width = joint.reshape(9, 4), counts.high - counts.low
    for player in range(2):
        now, middle, slack = counts.first.copy(), 0.0, 0.0
        kernel = counts.kernel.toarray().reshape(9, 4, 9)
        for part in reversed(counts.steps()):
            rows = np.zeros((9, 4))
            rows[part] = now[part, None] * flat[part]
            middle += (rows * counts.reward[player]).sum()
            seen = counts.visits[part] > 0
            bound = radius(int(seen.sum()), width[player, part].max(), 3, 0.05)
            slack += np.sqrt(bound * (rows[part][seen] ** 2 / counts.visits[part][seen]).sum())
            now = 0.9 * np.einsum("ia,iat->t", rows, kernel)
        found = value_interval(counts, joint, player)
        assert found.lower == pytest.approx(middle - slack, abs=1e-5)
        assert found.upper == pytest.approx(middle + slack, abs=1e-5)


@pytest.mark.parametrize("parameters", [{}, {"discount": 0.6, "horizon": None}])
def test_intervals_hold_the_value_and_shrink(parameters):
    model = game(**parameters)
    policy, joint = random_joint(model, 5)
    wanted = score(model, policy).values
    best = chains(model).at_start(chains(model).reply(0, joint, told=False)[0])
    lengths = []
    for episodes in (200, 20_000):
        for seed in range(5):
            counts = Counts(collect(model, uniform(model), episodes=episodes, seed=seed, length=8))
            flat = joint.reshape(counts.points, -1)
            found = value_interval(counts, joint, 0)
            assert found.lower <= wanted[0] <= found.upper
            assert least_value(counts, flat, 0, 0.05) <= wanted[0]
            assert most_by_deviating(counts, flat, 0, 0.05, told=False) >= best
            assert counts.first @ (flat * found.pessimist).sum(axis=1) == pytest.approx(found.lower, abs=1e-6)
        lengths.append(found.upper - found.lower)
    assert lengths[1] == pytest.approx(lengths[0] / 10, rel=0.35)  # bounds of rows cut the first a little


def test_deviations_that_are_told_are_worth_more():
    model = game()
    joint = np.zeros((9, 2, 2))
    joint[:, 0, 0] = joint[:, 1, 1] = 0.5
    counts = Counts(collect(model, uniform(model), episodes=400_000, seed=0))
    for player in range(2):
        for told in (False, True):
            exact = chains(model).at_start(chains(model).reply(player, joint, told=told)[0])
            found = most_by_deviating(counts, joint.reshape(9, 4), player, 0.05, told=told)
            assert exact < found < exact + 0.1


def test_one_players_policy_is_found_at_the_rate_of_the_data_and_bounds_hold():
    model = game(num_players=1, num_actions=3, discount=1.0)
    best = chains(model).at_start(chains(model).reply(0, uniform(model).tables[0], told=False)[0])
    gaps = []
    for episodes in (1000, 100_000):
        found = solve_offline(collect(model, uniform(model), episodes=episodes, seed=0))
        value = score(model, found.policy(model)).values[0]
        assert found.lower[0] <= value <= best <= found.upper[0]
        gaps.append(best - value)
    assert gaps[1] < 0.03 < gaps[0]


def test_pessimism_stays_where_the_data_are():
    # Action 1 pays more than action 0 on average, and was seldom seen; its successor's value hangs on luck.
    transition = np.zeros((3, 3, 3))
    transition[0, 0], transition[0, 1], transition[0, 2] = [0, 0.5, 0.5], [0, 1, 0], [0, 0, 1]
    transition[1:, :, 0] = 1
    reward = np.zeros((1, 3, 3))
    reward[0, 1] = 1.0
    model = MarkovModel(transition, reward, [1.0, 0.0, 0.0], horizon=2)
    table = np.full((6, 3), 1 / 3)
    table[0] = [0.998, 0.001, 0.001]
    behaviour = TabularPolicy(model, [table])
    dataset = collect(model, behaviour, episodes=4000, seed=0)
    assert 0 < (dataset.actions[dataset.step == 0] == 1).sum() < 10
    assert bellman_consistent_policy(dataset).tables[0][0, 0] > 0.9


@pytest.mark.parametrize("concept", ["nash", "ce", "cce"])
@pytest.mark.parametrize("parameters", [{}, {"discount": 0.6, "horizon": None}, {"num_players": 3}])
def test_equilibria_of_general_sum_games_are_found_within_their_bounds(concept, parameters):
    model = game(**parameters)
    bounds = []
    for episodes in (2000, 50_000):
        dataset = collect(model, uniform(model), episodes=episodes, seed=0, length=8)
        found = bellman_consistent_equilibrium(dataset, concept=concept)
        error = error_of(score(model, found.policy(model)), concept)
        assert error <= found.gap_bound
        assert found.gap_bound == min(found.detail["gap_bounds"])
        bounds.append(found.gap_bound)
    if concept != "nash" or "num_players" not in parameters:  # there marginals are all that is tried
        assert error < 0.05
    assert bounds[1] < 0.5 * bounds[0]


def test_the_best_of_given_candidates_is_chosen():
    model = game()
    dataset = collect(model, uniform(model), episodes=50_000, seed=0)
    known = bellman_consistent_equilibrium(dataset, concept="cce").policy(model)
    candidates = [random_joint(model, 3)[0], known, random_joint(model, 4)[0]]
    found = bellman_consistent_equilibrium(dataset, concept="cce", candidates=candidates)
    assert found.detail["chosen"] == 1
    correlated = MarkovCorrelatedPolicy(model, np.full((9, 2, 2), 0.25))
    with pytest.raises(InputError, match="a candidate is correlated"):
        bellman_consistent_equilibrium(dataset, candidates=[correlated])
    other = game(num_states=2)
    with pytest.raises(InputError, match="a candidate is joint play of shape"):
        bellman_consistent_equilibrium(dataset, candidates=[uniform(other)])
    with pytest.raises(InputError, match="concept must be one of nash, ce, cce"):
        bellman_consistent_equilibrium(dataset, concept="efce")


def test_games_of_several_players_are_not_for_the_method_of_one():
    model = game()
    with pytest.raises(UnsupportedGame, match="covers one player, the data have 2"):
        bellman_consistent_policy(collect(model, uniform(model), episodes=5, seed=0))
