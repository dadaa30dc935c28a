"""Adversaries, and what a learner's actions would have collected against them."""

import numpy as np
import pytest

ROWS = 7


def adversaries(t, played, rng):
    """Round t's payoffs, row by row: ways to make a learner regret, two of which see what it is about to play."""
    rows, actions = played.shape
    assert rows == ROWS
    everything = np.arange(actions)
    likeliest, least = played.argmax(axis=1), played.argmin(axis=1)
    return np.array(
        [
            everything == 0,  # one good action
            everything == t % actions,  # in turn
            rng.random(actions),  # noise
            rng.random(actions) < 0.5 + 0.1 * (everything == 1),  # noise that hides a better action
            everything != likeliest[4],  # what is likeliest gets nothing
            everything == least[5],  # only what is least likely gets anything
            everything == (t.bit_length() % actions),  # each action for as long as all rounds before it
        ],
        dtype=np.float64,
    )


def collected(learner, rounds, actions, seed=0):
    """What action b would have collected where a was played, [B, A, A], after each number of rounds asked for."""
    rng, state, found = np.random.default_rng(seed), learner.init(ROWS, actions), {}
    table = np.zeros((ROWS, actions, actions))
    for t in range(max(rounds)):
        played = learner.strategy(state)
        payoff = adversaries(t, played, rng)
        table += played[:, :, None] * payoff[:, None, :]
        state = learner.update(state, payoff)
        if t + 1 in rounds:
            found[t + 1] = table.copy()
    return found


@pytest.fixture
def adversary():
    """From (round counted from 0, what is about to be played [7, A], generator) to payoffs [7, A]."""
    return adversaries


@pytest.fixture
def collect():
    """From (learner, numbers of rounds, A) to tables by the number of rounds."""
    return collected


@pytest.fixture
def regret():
    """From (learner, table) to the external or swap regret, whichever the learner is about, [B]."""

    def worth(learner, table):
        best = table.max(axis=2).sum(axis=1) if learner.regret == "swap" else table.sum(axis=1).max(axis=1)
        return best - np.trace(table, axis1=1, axis2=2)

    return worth
