"""Conditional TD learning: the value of actions, from looks at agents' own steps that are far enough apart to mix.

Yardim, Cayci, Geist and He (2023), arXiv 2212.14449, algorithm 1. Of the m-th look (s, a, r, s', a') a table learns

    Q(s, a)  <-  Q(s, a) - b_m (Q(s, a) - r - h(p(s)) - gamma Q(s', a')),    b_m = 2 / ((1 - gamma) k (t_0 + m - 1)),

where k is at most the probability of the least likely state and action, and t_0 = 16 ((1 + gamma) / ((1 - gamma) k))^2:
the step sizes of stochastic approximation with an operator that is (1 - gamma) k strongly monotone and (1 + gamma)
Lipschitz. A table that several agents or trajectories feed takes the mean of their updates, which leaves these step
sizes as they are. `visits` replaces the common clock by each state and action's own, a_n = (H + 1) / (H + n) at the
n-th visit with H = 1 / (1 - gamma); its samples are taken one after the other. With traces, a look changes what was
visited before by (gamma lambda)^age of the same error; looks must then be at consecutive steps.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from eqenvs.arrays import IntArray
from eqsolvers.kernels import compiled, uniform

FORGOTTEN = 1e-15  # a trace; smaller numbers still would take the processor's slow path


class Schedule(NamedTuple):
    """Step sizes.

    Attributes:
        visits: a clock for every state and action.
        offset: t_0.
        scale: 2 / ((1 - gamma) k).
        horizon: 1 / (1 - gamma).
    """

    visits: bool
    offset: float
    scale: float
    horizon: float


def schedule_of(discount: float, excitation: float, offset: float, visits: bool) -> Schedule:
    """The published schedule, with t_0 as published where `offset` is 0."""
    rate = (1.0 - discount) * excitation
    first = offset if offset > 0 else 16.0 * ((1.0 + discount) / rate) ** 2
    return Schedule(visits, first, 2.0 / rate, 1.0 / (1.0 - discount))


@compiled
def learn(
    schedule: Any, discount: float, decay: float, bonus: Any, owner: Any, share: Any, order: Any, steps: Any,
    reward: Any, quality: Any, visits: Any, trace: Any, done: int,
) -> None:  # fmt: skip
    """Take the looks in some order.

    Args:
        schedule: of step sizes.
        discount: gamma.
        decay: gamma lambda; 0 without traces.
        bonus: [G, S], h of each table's policy.
        owner: [L], the table of each agent that is watched.
        share: [G], 1 over how many samples of a look a table has.
        order: the looks, by number.
        steps: [R, B, L, 4].
        reward: [R, B, L].
        quality: [G, S, A], changed.
        visits: [G, S, A], changed.
        trace: [R, L, S, A], changed.
        done: looks taken so far.
    """
    runs, _, agents, _ = steps.shape
    error = np.empty((runs, agents))
    for place in range(len(order)):
        look = order[place]
        # A smaller offset than the theory's could have the first steps overshoot.
        common = min(1.0, schedule.scale / (schedule.offset + done + place))
        for run in range(runs):
            for k in range(agents):
                g = owner[k]
                s, a, s_t, a_t = steps[run, look, k]
                got = reward[run, look, k] + bonus[g, s] + discount * quality[g, s_t, a_t]
                error[run, k] = got - quality[g, s, a]
                visits[g, s, a] += 1
                if decay > 0.0:
                    trace[run, k] *= decay
                    trace[run, k, s, a] += 1.0
                elif schedule.visits:
                    size = (schedule.horizon + 1.0) / (schedule.horizon + visits[g, s, a])
                    quality[g, s, a] += size * error[run, k]
        if schedule.visits and decay == 0.0:
            continue
        for run in range(runs):
            for k in range(agents):
                g = owner[k]
                change = share[g] * error[run, k]
                if decay == 0.0:
                    quality[g, steps[run, look, k, 0], steps[run, look, k, 1]] += common * change
                    continue
                for s in range(trace.shape[2]):
                    for a in range(trace.shape[3]):
                        if trace[run, k, s, a] < FORGOTTEN:
                            trace[run, k, s, a] = 0.0
                        else:
                            own = (schedule.horizon + 1.0) / (schedule.horizon + visits[g, s, a])
                            size = own if schedule.visits else common
                            quality[g, s, a] += size * change * trace[run, k, s, a]


@compiled
def shuffle(order: IntArray, stream: Any) -> None:
    """Fisher and Yates."""
    for k in range(len(order) - 1, 0, -1):
        other = int(uniform(stream) * (k + 1))
        order[k], order[other] = order[other], order[k]
