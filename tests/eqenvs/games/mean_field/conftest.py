"""What the tests of mean-field games compare models with."""

from __future__ import annotations

import numpy as np
import pytest


def _plain_gains(initial, actions, move, reward, horizon, discount=1.0):
    """Values of the uniform policy in its own flow, and of the best responses to it, one number after the other.

    Args:
        initial: a distribution over states for each population.
        actions: the actions of each state.
        move: from (population, state, action, mean fields) to a list of (next state, probability).
        reward: from (population, state, action, mean fields) to a number.
        horizon: decisions.
        discount: factor a step.
    """
    flow = [[list(row) for row in initial]]
    for _ in range(horizon - 1):
        now, after = flow[-1], [[0.0] * len(row) for row in initial]
        for p, row in enumerate(now):
            for s, mass in enumerate(row):
                for a in actions[s]:
                    for to, chance in move(p, s, a, now):
                        after[p][to] += mass * chance / len(actions[s])
        flow.append(after)
    values, best = [], []
    for p, start in enumerate(initial):
        mean, top = [0.0] * len(start), [0.0] * len(start)
        for now in reversed(flow):
            each, most = [], []
            for s in range(len(start)):
                paid = [reward(p, s, a, now) for a in actions[s]]
                later = [move(p, s, a, now) for a in actions[s]]
                each.append(
                    sum(
                        r + discount * sum(c * mean[to] for to, c in go) for r, go in zip(paid, later, strict=True)
                    ) / len(paid)
                )  # fmt: skip
                most.append(
                    max(r + discount * sum(c * top[to] for to, c in go) for r, go in zip(paid, later, strict=True))
                )
            mean, top = each, most
        values.append(float(np.dot(mean, start)))
        best.append(float(np.dot(top, start)))
    return np.array(values), np.array(best)


@pytest.fixture
def plain_gains():
    return _plain_gains
