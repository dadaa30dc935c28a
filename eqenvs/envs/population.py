"""The agents of a mean-field game stepped together by one compiled loop, without observations of their own.

`VectorEnv` gives every agent its observation, which costs more than the game: an agent's decision point is one number,
the row of its population's `information_states`, and so is what this environment gives. Batches move in step: all begin
and end together. Rewards and, where the game gives them as a function, probabilities are computed once a step and batch
entry for all agents; a step costs O(N K) besides.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from eqenvs.arrays import BoolArray, Float64Array, IntArray, make_backend
from eqenvs.envs.vector import checked_count
from eqenvs.errors import IllegalActionError, InputError, UnsupportedGame
from eqenvs.game import Game
from eqenvs.kernels import compiled
from eqenvs.models.mean_field import MeanFieldModel, Moment
from eqenvs.models.mean_field_checks import check_rows
from eqenvs.models.mean_field_kernels import features_of, given_kernel
from eqenvs.population_rules import PopulationRules

TOLERANCE = 1e-6  # how far a policy's row may be from summing to 1


class PopulationStep(NamedTuple):
    """What a batch of populations shows after a step.

    Attributes:
        states: [B, N] int64, the agents' states.
        moments: [B] int64, the moment of `MeanFieldModel.moments`; the agent's decision point is the row
            moment * S + state.
        mean_field: [B, P, S] float64, the empirical distributions, which agents act in next.
        rewards: [B, N] float64, of the actions before.
        terminated: whether the games ended by their horizon before a new one began; truncated: by `max_cycles`.
    """

    states: IntArray
    moments: IntArray
    mean_field: Float64Array
    rewards: Float64Array
    terminated: bool
    truncated: bool


@compiled
def _moved(
    kernel: Any, role: IntArray, mean_field: Float64Array, chosen: IntArray, uniform: Float64Array, states: IntArray
) -> None:
    """Move the agents of one population game, in place."""
    feature = features_of(kernel, mean_field)
    wide, outcomes = len(kernel.weight), kernel.successors.shape[2]
    for agent in range(len(states)):
        population, state, action = role[agent], states[agent], chosen[agent]
        own = population if len(kernel.base) > 1 else 0
        below, last = 0.0, 0
        for k in range(outcomes):
            probability = kernel.base[own, state, action, k]
            for j in range(wide):
                probability += feature[population, j] * kernel.slope[j, own, state, action, k]
            if probability > 0.0:
                last = k
                below += probability
                if uniform[agent] < below:
                    break
        states[agent] = kernel.successors[state, action, last]


@compiled
def _counted(role: IntArray, size: Float64Array, states: IntArray, mean_field: Float64Array) -> None:
    """The empirical distributions [B, P, S] of states [B, N]."""
    mean_field[:] = 0.0
    for game in range(len(states)):
        for agent in range(states.shape[1]):
            mean_field[game, role[agent], states[game, agent]] += 1.0
        for population in range(len(size)):
            mean_field[game, population] /= size[population]


@compiled
def _received(role: IntArray, states: IntArray, chosen: IntArray, reward: Float64Array) -> Float64Array:
    """Each agent's entry [B, N] of reward [B, P, S, A]."""
    found = np.empty(states.shape)
    for game in range(len(states)):
        for agent in range(states.shape[1]):
            found[game, agent] = reward[game, role[agent], states[game, agent], chosen[game, agent]]
    return found


@compiled
def _sampled(
    role: IntArray, states: IntArray, moments: IntArray, policy: Float64Array, uniform: Float64Array, chosen: IntArray
) -> int:
    """Draw actions [B, N] from policies [M, P, S, A]; returns the first agent whose row is no distribution, or -1."""
    for game in range(len(states)):
        for agent in range(states.shape[1]):
            row = policy[moments[game], role[agent], states[game, agent]]
            total, action, last = 0.0, -1, 0
            for k in range(len(row)):
                if row[k] > 0.0:
                    last = k
                total += row[k]
                if action < 0 and uniform[game, agent] < total:
                    action = k
            if not abs(total - 1.0) <= TOLERANCE or row.min() < 0.0:  # NaN too
                return int(game * states.shape[1] + agent)
            chosen[game, agent] = action if action >= 0 else last
    return -1


class PopulationEnv:
    """B populations of N agents each, with automatic reset; arrays in place of PettingZoo's dicts, which cost more.

    Observation: `PopulationStep`, each agent's state as a number and the empirical distributions.
    Action: int [B, N], in the agents' order of `roles`. `sample` draws them from a joint policy.
    Reward: float64 [B, N], as in `PopulationRules`, whose agents these are.
    Termination, truncation: of the whole batch together, at the horizon or `max_cycles`; the step that ends games gives
    their last rewards, and the first states of new ones.

    Version History: v0, first version.

    Attributes:
        num_envs: B.
        num_agents: N.
        roles: [N] int64, the population of each agent.
        max_cycles: steps after which games are truncated, or None.
    """

    def __init__(self, game: Game, num_envs: int, *, max_cycles: int | None = None) -> None:
        """Lay the game out.

        Raises:
            InputError: if a number is out of range.
            UnsupportedGame: if the game is no mean-field game.
        """
        model, rules = game.model(), game.rules
        if not isinstance(model, MeanFieldModel) or not isinstance(rules, PopulationRules):
            raise UnsupportedGame(f"{game.spec.id}: population environments are for mean-field games")
        cut = None if max_cycles is None else checked_count("max_cycles", max_cycles)
        self.model = model
        self.num_envs, self.num_agents = checked_count("num_envs", num_envs), rules.num_players
        self.max_cycles = rules.default_max_cycles if cut is None else cut
        self.roles = np.array(rules.roles, dtype=np.int64)
        self._size = np.bincount(self.roles).astype(np.float64)
        self._cumulative = np.cumsum(model.initial, axis=1)
        self._stream = make_backend().stream(None)
        self._states: IntArray | None = None

    def reset(self, seed: int | None = None) -> PopulationStep:
        """Draw the agents' first states."""
        if seed is not None:
            self._stream = make_backend().stream(seed)
        draws = self._uniform()
        states = np.empty(draws.shape, dtype=np.int64)
        for population, cumulative in enumerate(self._cumulative):
            mine = self.roles == population
            last = int(np.flatnonzero(self.model.initial[population])[-1])
            states[:, mine] = np.minimum(np.searchsorted(cumulative, draws[:, mine], side="right"), last)
        self._states, self._cycles = states, 0
        self._moments = self._next_moments(np.full(self.num_envs, -1, dtype=np.int64))
        self._mean_field = np.empty((self.num_envs, *self.model.initial.shape))
        _counted(self.roles, self._size, states, self._mean_field)
        return self._look(np.zeros(states.shape), terminated=False, truncated=False)

    def sample(self, policy: Float64Array) -> IntArray:
        """Actions [B, N] that agents take who follow a joint policy [M, P, S, A].

        Raises:
            IllegalActionError: if `reset` was not called.
            InputError: if the policy has another shape, or a row that an agent needs is no distribution.
        """
        states = self._running()
        shape = self.model.policy_shape
        policy = np.asarray(policy, dtype=np.float64)
        if policy.shape != shape:
            raise InputError(f"sample: the policy must have shape [M, P, S, A] = {shape}, got {policy.shape}")
        chosen = np.empty(states.shape, dtype=np.int64)
        bad = _sampled(self.roles, states, self._moments, policy, self._uniform(), chosen)
        if bad >= 0:
            game, agent = divmod(bad, self.num_agents)
            place = (int(self._moments[game]), int(self.roles[agent]), int(states[game, agent]))
            raise InputError(f"sample: row {place} of the policy is no distribution: {policy[place].tolist()}")
        return chosen

    def step(self, actions: Any) -> PopulationStep:
        """Let every agent act.

        Args:
            actions: [B, N] int.

        Raises:
            IllegalActionError: if `reset` was not called, the shape is wrong or an action is illegal.
        """
        states, model = self._running(), self.model
        chosen = np.ascontiguousarray(actions)
        if chosen.shape != states.shape or chosen.dtype.kind not in "iu":
            raise IllegalActionError(f"actions must be integers of shape {states.shape}, got {chosen.shape}")
        chosen = chosen.astype(np.int64, copy=False)
        self._check(chosen, states)
        moment = self._moment()
        rewards = _received(self.roles, states, chosen, np.ascontiguousarray(model.rewards(self._mean_field, moment)))
        self._cycles += 1
        terminated = model.horizon is not None and self._cycles >= model.horizon
        truncated = not terminated and self.max_cycles is not None and self._cycles >= self.max_cycles
        if terminated or truncated:
            return self.reset()._replace(rewards=rewards, terminated=terminated, truncated=truncated)
        draws = self._uniform()
        listed = None
        if model.kernel is None:
            listed = np.asarray(model.probabilities(self._mean_field, moment))
            check_rows(listed, "transition")
        for game in range(self.num_envs):
            kernel = model.kernel if listed is None else given_kernel(model, listed[game])
            _moved(kernel, self.roles, self._mean_field[game], chosen[game], draws[game], states[game])
        _counted(self.roles, self._size, states, self._mean_field)
        self._moments = self._next_moments(self._moments)
        return self._look(rewards, terminated=False, truncated=False)

    def _running(self) -> IntArray:
        if self._states is None:
            raise IllegalActionError("populations must be in progress; call reset() first")
        return self._states

    def _uniform(self) -> Float64Array:
        drawn: Float64Array = self._stream.uniform(self.num_envs * self.num_agents)
        return drawn.reshape(self.num_envs, self.num_agents)

    def _moment(self) -> Moment:
        return Moment(self.model.moments.time[self._moments], self.model.moments.noise[self._moments])

    def _next_moments(self, moments: IntArray) -> IntArray:
        """A child of each of the moments [B], by its chance; -1 stands for the beginning."""
        model = self.model
        if model.horizon is None:
            return np.zeros(self.num_envs, dtype=np.int64)
        if model.noise is None:
            return moments + 1
        parent, chance = model.moments.parent, model.moments.probability
        after = np.empty_like(moments)
        for game, draw in enumerate(self._stream.uniform(self.num_envs)):
            children = np.flatnonzero(parent == moments[game])
            chosen = np.searchsorted(np.cumsum(chance[children]), draw, side="right")
            after[game] = children[min(int(chosen), len(children) - 1)]
        return after

    def _check(self, chosen: IntArray, states: IntArray) -> None:
        actions = self.model.num_actions
        inside = (chosen >= 0) & (chosen < actions)
        legal: BoolArray = inside
        if not self.model.all_legal:
            legal = inside & self.model.legal[states, np.clip(chosen, 0, actions - 1)]
        if not legal.all():
            game, agent = (int(i) for i in np.argwhere(~legal)[0])
            allowed = np.flatnonzero(self.model.legal[states[game, agent]]).tolist()
            raise IllegalActionError(
                f"game {game}, agent {agent}: action {int(chosen[game, agent])} is illegal here; legal actions: "
                f"{allowed}"
            )

    def _look(self, rewards: Float64Array, *, terminated: bool, truncated: bool) -> PopulationStep:
        return PopulationStep(
            self._running().copy(), self._moments.copy(), self._mean_field.copy(), rewards, terminated, truncated
        )
