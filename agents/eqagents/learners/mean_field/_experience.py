"""Steps that a learner is told of: play of N agents, on numpy or torch, and of representatives who follow it unseen.

Rewards and moves see the agents' empirical distribution. *Representatives* walk beside the agents and weigh nothing:
they meet the agents' distribution and are no part of it, so they may explore without disturbing what is learnt. Steps
are kept as numbers of *points*, a look (one population at one decision) times a state; what is seen at a point follows
from the model, so that a step takes four numbers however wide an observation is.

A step costs O(B (N + R) (A + K)) and what the policies and the game's operators take for B mean fields.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeAlias

import array_api_compat
import numpy as np
from pydantic import Field

from eqagents.configuration import Settings
from eqenvs.arrays import (
    Array,
    Backend,
    Float64Array,
    IntArray,
    RandomStream,
    device_of,
    make_backend,
    namespace,
    sample_categorical,
    take_along,
)
from eqenvs.errors import InputError
from eqenvs.game import Game
from eqenvs.models.information_states import KeyIndex
from eqenvs.models.mean_field import MeanFieldModel
from eqenvs.population_rules import PopulationRules, PopulationState
from eqenvs.rules import TERMINAL
from eqenvs.simulation import advance, start

STEPS, SETTLE = 50, 100  # of games without a horizon, where nothing else is asked for

# From the moments [B] and the empirical distributions [B, P, S] to everybody's action probabilities, [B, P, S, A].
Act: TypeAlias = Callable[[Array, Array], Array]


class SamplingConfig(Settings):
    """Play to learn from in one iteration."""

    tasks: int = Field(default=1, ge=1, description="simulations that are shared out to workers")
    episodes: int = Field(default=4, ge=1, description="populations side by side in each of them")
    steps: int | None = Field(
        default=None, ge=1, description="decisions of an episode to learn from; default the horizon, 50 without one"
    )
    settle: int | None = Field(
        default=None, ge=0, description="decisions before those, without a horizon, for the population to rest; 100"
    )
    representatives: int = Field(
        default=0, ge=0, description="players of no weight who explore and are learnt from; 0: learn from the agents"
    )
    exploration: float = Field(
        default=0.2, ge=0, le=1, description="probability of a random action of a representative"
    )
    device: str = Field(default="cpu", description="where the agents play: cpu, or a torch device")
    library: str | None = Field(default=None, description="numpy or torch; default numpy on the cpu")


class Experience(NamedTuple):
    """Steps of the players of one population.

    Attributes:
        point: [n] int64, look * S + state.
        action: [n] int64.
        reward: [n] float64.
        after: [n] int64, the point a step later; -1 where the game was over. A truncated game is not over.
    """

    point: IntArray
    action: IntArray
    reward: Float64Array
    after: IntArray


class Looks(NamedTuple):
    """Populations at their decisions.

    Attributes:
        moment: [L] int64, in the model's order.
        mean_field: [L, P, S] float64, empirical.
    """

    moment: IntArray
    mean_field: Float64Array


class Play(NamedTuple):
    """What was seen, by population.

    Attributes:
        looks: what points refer to.
        experience: [P], one batch of steps each.
    """

    looks: Looks
    experience: tuple[Experience, ...]


def rules_of(game: Game, where: str) -> PopulationRules:
    """The rules of N agents.

    Raises:
        InputError: if the game is no mean-field game.
    """
    if not isinstance(game.rules, PopulationRules):
        raise InputError(f"{where}: learns mean-field games from N agents, {game.spec.id} is {game.family.value}")
    return game.rules


def merged(plays: Sequence[Play]) -> Play:
    """Several plays as one."""
    states = plays[0].looks.mean_field.shape[2]
    first = np.cumsum([0, *(len(play.looks.moment) * states for play in plays)])
    experience = []
    for parts in zip(*(play.experience for play in plays), strict=True):
        moved = [
            part._replace(point=part.point + shift, after=np.where(part.after < 0, -1, part.after + shift))
            for part, shift in zip(parts, first[:-1], strict=True)
        ]
        experience.append(Experience(*(np.concatenate(column) for column in zip(*moved, strict=True))))
    looks = Looks(*(np.concatenate(column) for column in zip(*(play.looks for play in plays), strict=True)))
    return Play(looks, tuple(experience))


def by_moment(play: Play, population: int) -> Experience:
    """A population's steps with points numbered moment * S + state, as the model's information states are."""
    states, found = play.looks.mean_field.shape[2], play.experience[population]

    def renumbered(point: IntArray) -> IntArray:
        numbered: IntArray = play.looks.moment[point // states] * states + point % states
        return numbered

    after = np.where(found.after < 0, -1, renumbered(np.maximum(found.after, 0)))
    return found._replace(point=renumbered(found.point), after=after)


def play_of(
    rules: PopulationRules,
    sampling: SamplingConfig,
    rng: np.random.Generator,
    act: Act,
    *,
    explore: Act | None = None,
    first: Float64Array | None = None,
) -> Play:
    """Let N agents play, some populations of them side by side.

    Args:
        rules: of the agents.
        sampling: how many populations, for how long, with how many representatives.
        rng: of all randomness.
        act: the agents' policy.
        explore: the representatives', before `exploration`; default the agents' own.
        first: [B, P, S], where the agents of each population begin; default the game's initial distributions.
    """
    model, backend = rules.model, make_backend(sampling.device, sampling.library)
    stream = backend.stream(int(rng.integers(2**63)))
    settle, steps = span(model, sampling)
    if 0 < sampling.representatives < model.num_populations:
        raise InputError(f"representatives must be 0 or at least {model.num_populations}, one for each population")
    state, turn, _ = start(rules, sampling.episodes, backend, stream)
    roles = _roles(rules, rules.num_players, backend)
    if first is not None:
        state = state._replace(agents=_placed(first, roles, backend, stream))
    beside = _Beside(rules, sampling, backend, stream, first) if sampling.representatives else None
    index, recorded = MomentIndex(model), _Recorder(sampling.episodes, model.num_states)
    nobody = backend.xp.zeros(
        (sampling.episodes, rules.num_columns - rules.num_players), dtype=backend.xp.int64, device=backend.device
    )
    for step in range(settle + steps):
        mean_field, moment = rules.mean_field(state), index.of(rules, state)
        probability = act(moment, mean_field)
        chosen = _drawn(probability, roles, state.agents, stream)
        told: tuple[Array, ...] = (state.agents, chosen)
        if beside is not None:
            seen = probability if explore is None else explore(moment, mean_field)
            told = beside.move(state, mean_field, seen)
        before = state
        state, turn, reward = advance(rules, before, backend.xp.concat([chosen, nobody], axis=1), stream)
        over = turn == TERMINAL
        if step >= settle:
            told = (*told, reward, state.agents) if beside is None else told
            recorded.add(moment, mean_field, told, over)
        if bool(backend.xp.all(over)):
            break
    recorded.close(index.of(rules, state), rules.mean_field(state))
    return recorded.play(_numpy(roles if beside is None else beside.roles), model.num_populations)


def span(model: MeanFieldModel, sampling: SamplingConfig) -> tuple[int, int]:
    """Decisions before those that are learnt from, and how many these are.

    Raises:
        InputError: if a game with a horizon is asked to settle.
    """
    if model.horizon is not None:
        if sampling.settle:
            raise InputError(f"sampling.settle: the game ends after {model.horizon} decisions; use 0")
        return 0, model.horizon if sampling.steps is None else min(sampling.steps, model.horizon)
    return SETTLE if sampling.settle is None else sampling.settle, sampling.steps or STEPS


class MomentIndex:
    """The number of the moment that a population stands at."""

    def __init__(self, model: MeanFieldModel) -> None:
        moments = model.moments
        self._known = None
        if model.noise is not None:
            self._known = KeyIndex(np.concatenate([moments.time[:, None], moments.history], axis=1))
        self._last = len(moments.time) - 1

    def of(self, rules: PopulationRules, state: PopulationState) -> Array:
        """[B] int64; of a game that is over, the last moment there was."""
        xp, time = namespace(state.step), rules.moment(state).time
        if self._known is None:
            return xp.clip(time, 0, self._last)
        last = len(rules.model.moments.history[0]) - 1
        key = xp.concat([xp.clip(time, 0, last)[:, None], state.history], axis=1)
        return xp.asarray(self._known.rows(_numpy(key)), device=device_of(state.step))


class TableAct:
    """A joint policy [M, P, S, A] as the agents' behaviour."""

    def __init__(self, policy: Float64Array) -> None:
        self._policy, self._copy = policy, policy

    def __call__(self, moment: Array, mean_field: Array) -> Array:
        """See `Act`."""
        if type(moment) is not type(self._copy):
            self._copy = namespace(moment).asarray(self._policy.copy(), device=device_of(moment))
        return self._copy[moment]


class _Beside:
    """The representatives."""

    def __init__(
        self, rules: PopulationRules, sampling: SamplingConfig, backend: Backend, stream: RandomStream,
        first: Float64Array | None,
    ) -> None:  # fmt: skip
        self._rules, self._model, self._stream = rules, rules.model, stream
        self._exploration = sampling.exploration
        self.roles = _roles(rules, sampling.representatives, backend)
        begin = np.broadcast_to(self._model.initial, (sampling.episodes, *self._model.initial.shape))
        self.state = _placed(begin if first is None else first, self.roles, backend, stream)

    def move(self, population: PopulationState, mean_field: Array, probability: Array) -> tuple[Array, ...]:
        """One decision: states, actions, rewards and next states, [B, R] each."""
        model, state, xp = self._model, self.state, namespace(self.state)
        legal = xp.astype(model.constants("legal", state), xp.float64)
        random = legal / xp.sum(legal, axis=1, keepdims=True)
        mixed = (1 - self._exploration) * probability + self._exploration * random
        chosen = _drawn(mixed, self.roles, state, self._stream)
        moment = self._rules.moment(population)
        reward = xp.reshape(model.rewards(mean_field, moment), (state.shape[0], -1))
        cell = (self.roles * model.num_states + state) * model.num_actions + chosen
        received = xp.take_along_axis(reward, cell, axis=1)
        listed = model.agent_probabilities(mean_field, moment, self.roles, state, chosen)
        flat = xp.reshape(listed, (-1, listed.shape[-1]))
        drawn = sample_categorical(flat, self._stream.uniform(flat.shape[0]))
        successors = xp.reshape(model.constants("successors", state)[state, chosen], flat.shape)
        self.state = xp.reshape(take_along(successors, drawn), state.shape)
        return state, chosen, received, self.state


class _Recorder:
    """Steps as they come."""

    def __init__(self, episodes: int, states: int) -> None:
        self._episodes, self._states = episodes, states
        self._looks: list[Looks] = []
        self._steps: list[tuple[IntArray, ...]] = []

    def add(self, moment: Array, mean_field: Array, told: tuple[Array, ...], over: Array) -> None:
        """One decision of all: states, actions, rewards and next states [B, n], and where the game is over [B]."""
        state, action, reward, after = map(_numpy, told)
        look = np.arange(self._episodes)[:, None] + len(self._looks) * self._episodes
        self.close(moment, mean_field)
        point, then = look * self._states + state, (look + self._episodes) * self._states + after
        self._steps.append((point, action, reward, np.where(_numpy(over)[:, None], -1, then)))

    def close(self, moment: Array, mean_field: Array) -> None:
        """One more look."""
        self._looks.append(Looks(_numpy(moment), _numpy(mean_field)))

    def play(self, roles: IntArray, populations: int) -> Play:
        """All of it."""
        columns = [np.stack(column) for column in zip(*self._steps, strict=True)]  # [T, B, n] each
        experience = tuple(
            Experience(*(column[..., roles == population].reshape(-1) for column in columns))
            for population in range(populations)
        )
        return Play(Looks(*(np.concatenate(column) for column in zip(*self._looks, strict=True))), experience)


def _roles(rules: PopulationRules, count: int, backend: Backend) -> Array:
    role = np.arange(count) * rules.model.num_populations // count
    return backend.xp.asarray(role, device=backend.device)


def _placed(first: Float64Array, roles: Array, backend: Backend, stream: RandomStream) -> Array:
    """Drawn states [B, n] from distributions [B, P, S]."""
    xp = backend.xp
    rows = xp.asarray(np.ascontiguousarray(first), device=backend.device)[:, roles]
    flat = xp.reshape(rows, (-1, rows.shape[-1]))
    return xp.reshape(sample_categorical(flat, stream.uniform(flat.shape[0])), rows.shape[:2])


def _drawn(probability: Array, roles: Array, state: Array, stream: RandomStream) -> Array:
    """Actions [B, n] of players in their states [B, n] by policies [B, P, S, A]."""
    xp = namespace(state)
    row = xp.arange(state.shape[0], dtype=xp.int64, device=device_of(state))[:, None]
    flat = xp.reshape(probability[row, roles[None, :], state], (-1, probability.shape[-1]))
    return xp.reshape(sample_categorical(flat, stream.uniform(flat.shape[0])), state.shape)


def _numpy(array: Array) -> Any:
    return array if type(array) is np.ndarray else np.asarray(array_api_compat.to_device(array, "cpu"))
