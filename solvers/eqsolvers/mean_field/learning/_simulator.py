"""N agents who play a mean-field game without a horizon, on one trajectory that never starts anew; compiled.

Rewards and transitions see the agents' empirical distribution, the agent itself counted, as in
`eqenvs.population_rules`. It is counted as agents move. Rewards do not decide what happens next, so a stretch of play
is simulated first and the game's reward operator is asked once for all looks at it. A step costs O(N (A + K J)); with
an operator for the transitions, that operator besides.

A *look* is a step that a learner is told of: state, action, next state and next action of some of the agents.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from eqenvs.arrays import Float64Array, IntArray
from eqenvs.models.mean_field import MeanFieldModel, Moment
from eqenvs.models.mean_field_kernels import given_kernel
from eqsolvers.kernels import compiled, uniform

MAX_REWARDS = 4_000_000  # of one call of the reward operator


class Looks(NamedTuple):
    """What was seen on one trajectory.

    Attributes:
        steps: [B, L, 4] int64: state, action, next state, next action of each agent that is watched.
        reward: [B, L] float64.
    """

    steps: IntArray
    reward: Float64Array


@compiled
def drawn(probability: Any, draw: float) -> int:
    """An index by its probability."""
    last = 0
    for k in range(len(probability)):
        if probability[k] > 0.0:
            if draw < probability[k]:
                return k
            draw -= probability[k]
            last = k
    return last  # rounding left a little


@compiled
def place(initial: Any, role: Any, stream: Any, state: Any) -> None:
    """Every agent's first state."""
    for agent in range(len(state)):
        state[agent] = drawn(initial[role[agent]], uniform(stream))


@compiled
def choose(policy: Any, table: Any, state: Any, stream: Any, chosen: Any) -> None:
    """Every agent's action, by its table of `policy` [G, S, A]."""
    for agent in range(len(state)):
        chosen[agent] = drawn(policy[table[agent], state[agent]], uniform(stream))


@compiled
def move(kernel: Any, role: Any, size: Any, count: Any, state: Any, chosen: Any, stream: Any, scratch: Any) -> None:
    """Every agent's next state, all at once, and the counts [P, S]; `scratch` is [3, P, J or K]."""
    wide, outcomes = len(kernel.weight), kernel.successors.shape[2]
    total, feature, row = scratch[0], scratch[1], scratch[2, 0, :outcomes]
    if wide:
        total[:] = 0.0
        feature[:] = 0.0
        for agent in range(len(state)):
            for j in range(wide):
                total[role[agent], j] += kernel.weight[j, state[agent]] / size[role[agent]]
        for population in range(len(size)):
            for other in range(len(size)):
                for j in range(wide):
                    feature[population, j] += kernel.coupling[population, other] * total[other, j]
    for agent in range(len(state)):
        population, origin, action = role[agent], state[agent], chosen[agent]
        own = population if len(kernel.base) > 1 else 0
        for k in range(outcomes):
            row[k] = kernel.base[own, origin, action, k]
            for j in range(wide):
                row[k] += feature[population, j] * kernel.slope[j, own, origin, action, k]
        target = kernel.successors[origin, action, drawn(row, uniform(stream))]
        state[agent] = target
        count[population, origin] -= 1
        count[population, target] += 1


@compiled
def play(
    kernel: Any, role: Any, size: Any, table: Any, watched: Any, policy: Any, mixing: int, state: Any, count: Any,
    chosen: Any, stream: Any, scratch: Any, steps: Any, counts: Any,
) -> None:  # fmt: skip
    """Play `mixing` steps for each look; the last of them is looked at: `steps` [B, L, 4], `counts` [B, P, S]."""
    for look in range(len(steps)):
        for step in range(mixing):
            if step == mixing - 1:
                counts[look] = count
                for k in range(len(watched)):
                    steps[look, k, 0], steps[look, k, 1] = state[watched[k]], chosen[watched[k]]
            move(kernel, role, size, count, state, chosen, stream, scratch)
            choose(policy, table, state, stream, chosen)
        for k in range(len(watched)):
            steps[look, k, 2], steps[look, k, 3] = state[watched[k]], chosen[watched[k]]


class Simulator:
    """The N agents of a model; what changes on a trajectory is given to its methods.

    Args:
        model: without a horizon.
        num_agents: N, at least one for each population.
        table: [N], the row of the joint policy that each agent plays by.

    Attributes:
        role: [N] int64, the population of each agent.
        size: [P] float64, how many agents a population has.
    """

    def __init__(self, model: MeanFieldModel, num_agents: int, table: IntArray) -> None:
        populations = model.num_populations
        self.model, self.num_agents = model, num_agents
        self.role = np.arange(num_agents) * populations // num_agents
        self.size = np.bincount(self.role, minlength=populations).astype(np.float64)
        self._table = table
        features = 0 if model.kernel is None else len(model.kernel.weight)
        self._scratch = np.zeros((3, populations, max(1, features, model.successors.shape[2])))

    def begin(self, stream: Any) -> tuple[IntArray, IntArray]:
        """First states [N] and their counts [P, S]."""
        state, counts = np.empty(self.num_agents, dtype=np.int64), np.zeros(self.model.initial.shape, dtype=np.int64)
        place(self.model.initial, self.role, stream, state)
        np.add.at(counts, (self.role, state), 1)
        return state, counts

    def choices(self, policy: Float64Array, state: IntArray, stream: Any) -> IntArray:
        """Everybody's action [N] in the states [N], by a policy [G, S, A]."""
        chosen = np.empty_like(state)
        choose(policy, self._table, state, stream, chosen)
        return chosen

    def watch(
        self, policy: Float64Array, watched: IntArray, looks: int, mixing: int, state: IntArray, chosen: IntArray,
        count: IntArray, stream: Any,
    ) -> Looks:  # fmt: skip
        """Play on for `looks` times `mixing` steps, looking at the last of each `mixing`.

        A stretch of play can be watched in pieces: the actions after the last look are those played next.

        Args:
            policy: [G, S, A].
            watched: [L], agents.
            looks: B.
            mixing: steps between two looks, at least 1.
            state: [N], changed.
            chosen: [N], the actions that are played next; changed.
            count: [P, S], changed.
            stream: changed.
        """
        steps = np.empty((looks, len(watched), 4), dtype=np.int64)
        counts = np.empty((looks, *count.shape), dtype=np.int64)
        parts = (self.role, self.size, self._table, watched, policy)
        rest = (state, count, chosen, stream, self._scratch)
        if self.model.kernel is not None:
            play(self.model.kernel, *parts, mixing, *rest, steps, counts)
        else:
            now = self.model.at(slice(0, 1))
            for look in range(looks):
                for _ in range(mixing):
                    listed = np.asarray(self.model.probabilities(self._shares(count[None]), now))[0]
                    here = slice(look, look + 1)
                    play(given_kernel(self.model, listed), *parts, 1, *rest, steps[here], counts[here])
        return Looks(steps, self._rewards(counts, steps, watched))

    def _shares(self, counts: IntArray) -> Float64Array:
        return counts / self.size[:, None]

    def _rewards(self, counts: IntArray, steps: IntArray, watched: IntArray) -> Float64Array:
        """[B, L]."""
        reward = np.empty(steps.shape[:2])
        count = max(1, MAX_REWARDS // (counts[0].size * self.model.num_actions)) if len(counts) else 1
        for first in range(0, len(counts), count):
            part = slice(first, first + count)
            length = len(counts[part])
            none = np.zeros(length, dtype=np.int64)
            paid = self.model.rewards(self._shares(counts[part]), Moment(none, none))
            look = np.arange(length)[:, None]
            reward[part] = paid[look, self.role[watched], steps[part, :, 0], steps[part, :, 1]]
        return reward
