"""Sleeping experts: little regret in every group of rounds at once."""

import numpy as np
import pytest

from eqsolvers.normal_form.learning import hedge, sleeping_experts


def group_tables(learner, payoffs, in_session):
    """What each action collected beyond the play in each group's rounds, [G, B, A], for payoffs [T, B, A]."""
    _, batch, actions = payoffs.shape
    state = learner.init(batch, actions)
    found = np.zeros((in_session.shape[1], batch, actions))
    for payoff, session in zip(payoffs, in_session, strict=True):
        played = learner.strategy(state)
        found += session[:, None, None] * (payoff - (played * payoff).sum(axis=1, keepdims=True))
        state = learner.update(state, payoff)
    return found


@pytest.mark.parametrize("period", [1, 2, 5])
def test_regret_in_every_group_is_below_the_bound(period):
    rng, rounds, actions = np.random.default_rng(period), 600, 4
    good = rng.integers(0, actions, (period, 3))  # a good action for each residue, game by game
    payoffs = 0.5 * rng.random((rounds, 3, actions))
    for t in range(rounds):
        payoffs[t, np.arange(3), good[t % period]] += 0.5
    in_session = sleeping_experts.residues(period)(np.arange(rounds))
    found = group_tables(sleeping_experts.learner(period=period), payoffs, in_session).max(axis=2)
    for group, size in enumerate(in_session.sum(axis=0)):
        assert (found[group] <= sleeping_experts.group_bound(size, rounds, actions, period + 1)).all()


def test_an_ordinary_learner_regrets_some_group_in_proportion_to_time():
    """Action 0 pays in even rounds and action 1 in odd ones: a tie over all rounds."""
    payoffs = np.zeros((800, 1, 2))
    payoffs[::2, :, 0] = payoffs[1::2, :, 1] = 1
    in_session = sleeping_experts.residues(2)(np.arange(800))
    ordinary = group_tables(hedge.learner(), payoffs, in_session)[1:].max(axis=2)
    grouped = group_tables(sleeping_experts.learner(period=2), payoffs, in_session)[1:].max(axis=2)
    assert ordinary.min() > 150  # of the 400 rounds of each group
    assert grouped.max() < 20


def test_groups_may_overlap_and_sleep_for_long():
    """Those of rounds from 100 on and of rounds 50 to 149, beside all; nobody in session is uniform play."""

    def groups(rounds):
        return np.stack([rounds < 200, rounds >= 100, (rounds >= 50) & (rounds < 150)], axis=1)

    learner = sleeping_experts.sleeping_experts(lambda t: groups(t) & (t != 7)[:, None], lambda t, a: 1.0)
    rng, state, found = np.random.default_rng(0), learner.init(2, 3), np.zeros((3, 2, 3))
    for t in range(200):
        played = learner.strategy(state)
        if t == 7:
            np.testing.assert_array_equal(played, np.full((2, 3), 1 / 3))
        payoff = np.tile(0.3 * rng.random(3) + 0.7 * (np.arange(3) == (t >= 100)), (2, 1))
        regret = payoff - (played * payoff).sum(axis=1, keepdims=True)
        found += (groups(np.array([t]))[0] & (t != 7))[:, None, None] * regret
        state = learner.update(state, payoff)
    for group, size in enumerate((199, 100, 100)):
        assert (found[group].max(axis=1) <= sleeping_experts.group_bound(size, 200, 3, 3)).all()
