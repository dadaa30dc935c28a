"""N agents of a mean-field game as one who may deviate sees them: the counts of the others' states.

The others of a population all play its policy, so they are exchangeable: how many of them are in each state is all that
matters of them. The mean field is the agents' empirical distribution, the deviator counted.

Axis letters beside those of `eqenvs.models.mean_field`: D distinct successors of a state, R rows of a batch. Costs are
those of the game's operators, called for every state that the deviator may be in: O(S) mean fields a row.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from eqenvs.arrays import Array, Float64Array, IntArray
from eqenvs.errors import GameTooLargeError, InputError
from eqenvs.models.mean_field import Affine, MeanFieldModel, Moment
from eqenvs.models.mean_field_checks import check_rows
from eqsolvers.mean_field._dynamics import Dynamics, Stability

MAX_AGENTS = 1_000_000_000
ENTRIES = 4_000_000  # float64 entries of the largest array at a time
MAX_ENTRIES = 50_000_000  # the same, where one row alone has more
MAX_STEPS = 200_000  # decisions of a game without a horizon
MAX_DECISIONS = 50_000_000  # of all episodes, some microseconds each where states are few
MAX_DRAWN = 10_000_000_000  # entries of all episodes, about a minute for each thousand million


class Targets(NamedTuple):
    """Where agents of each state can be next.

    Attributes:
        state: [S, D] int64, distinct successors; a row with fewer repeats its first, which then gets no mass.
        entry: [S, A, K] int64, the column of each successor.
    """

    state: IntArray
    entry: IntArray


def targets_of(model: MeanFieldModel) -> Targets:
    """The distinct successors of every state."""
    rows = model.successors.reshape(model.num_states, -1)
    found = [np.unique(row, return_inverse=True) for row in rows]
    wide = max(len(distinct) for distinct, _ in found)
    state = np.array([[*distinct, *[distinct[0]] * (wide - len(distinct))] for distinct, _ in found])
    entry = np.stack([inverse.reshape(model.successors.shape[1:]) for _, inverse in found])
    return Targets(state, entry)


@dataclass(frozen=True, eq=False)
class Population:
    """The game of N agents who all play one policy.

    Attributes:
        model: the limit.
        policy: [M, P, S, A].
        sizes: [P] int64, the agents of each population.
        start: [P, S], from which every agent's first state is drawn.
        steps: decisions; without a horizon those that are looked at.
        flow: [M, P, S], the mean field under the policy.
        stability: of the stable distribution, without a horizon.
    """

    model: MeanFieldModel
    policy: Float64Array
    sizes: IntArray
    start: Float64Array
    steps: int
    flow: Float64Array
    stability: Stability

    @property
    def num_moments(self) -> int:
        """M."""
        return len(self.policy)

    @cached_property
    def targets(self) -> Targets:
        """Where agents can go."""
        return targets_of(self.model)

    @cached_property
    def constant(self) -> bool:
        """Whether nobody's moves depend on the mean field."""
        transition = self.model.transition
        return isinstance(transition, Affine) and not np.any(np.asarray(transition.slope))

    def others(self, population: int) -> IntArray:
        """[P], how many agents there are of each population beside a deviator from one of them."""
        return np.asarray(self.sizes - np.eye(len(self.sizes), dtype=np.int64)[population])


def population_of(
    model: MeanFieldModel, policy: Float64Array, num_agents: int, tolerance: float, where: str
) -> Population:
    """The game of N agents, with as many in each population as its environments have.

    Args:
        model: the limit.
        policy: [M, P, S, A].
        num_agents: N.
        tolerance: without a horizon, the discounted weight below which what follows is left out.
        where: the function that was called, for messages.

    Raises:
        InputError: if N is no whole number from 2 (and one for each population) to a thousand million, or the tolerance
            is not between 0 and 1.
        GameTooLargeError: if without a horizon too many decisions are left by the tolerance.
    """
    populations = model.num_populations
    least = max(2, populations)
    whole = isinstance(num_agents, int | np.integer) and not isinstance(num_agents, bool)
    if not whole or not least <= num_agents <= MAX_AGENTS:
        raise InputError(
            f"{where}: num_agents must be a whole number from {least} (2, and one for each population) to "
            f"{MAX_AGENTS:,}, got {num_agents!r}"
        )
    real = isinstance(tolerance, float | int | np.floating) and not isinstance(tolerance, bool)
    if not real or not 0 < tolerance < 1:
        raise InputError(f"{where}: tolerance must be a discounted weight between 0 and 1, got {tolerance!r}")
    count = int(num_agents)
    bounds = -(-np.arange(populations + 1) * count // populations)  # agent i is of population i P // N
    steps = _steps(model, tolerance, where) if model.horizon is None else model.horizon
    flow, stability = Dynamics(model).rest(policy)
    start = flow[0] if model.horizon is None else model.initial
    return Population(model, policy, np.diff(bounds), start, steps, flow, stability)


def _steps(model: MeanFieldModel, tolerance: float, where: str) -> int:
    """How many decisions carry all but that discounted weight."""
    steps = 1 if model.discount == 0 else max(1, int(np.ceil(np.log(tolerance) / np.log(model.discount))))
    if steps > MAX_STEPS:
        raise GameTooLargeError(
            f"{where}: the discount {model.discount:.9g} takes {steps:,} decisions until the discounted weight is "
            f"below {tolerance:g}, of at most {MAX_STEPS:,}; use a larger tolerance, or a smaller discount"
        )
    return steps


def row_entries(population: Population) -> int:
    """How many entries the largest array has for each row of a batch: what the operators give for every own state."""
    states, actions, outcomes = population.model.successors.shape
    return int(states * population.start.size * actions * (1 if population.constant else outcomes))


def require_playable(population: Population, episodes: int) -> None:
    """Refuse games of too many states and play that would take too long, before anything is allocated.

    Raises:
        GameTooLargeError: with the numbers.
    """
    entries = row_entries(population)
    if entries > MAX_ENTRIES:
        raise GameTooLargeError(
            f"{population.model.num_states:,} states: rewards and moves for every state of the deviator have "
            f"{entries:,} entries a step, of at most {MAX_ENTRIES:,}; use a smaller game"
        )
    decisions = population.steps * episodes
    if decisions > MAX_DECISIONS or decisions * entries > MAX_DRAWN:
        rule = "use fewer episodes" + (", or a larger tolerance" if population.model.horizon is None else "")
        raise GameTooLargeError(
            f"{population.steps:,} decisions in each of {episodes:,} episodes, with {entries:,} entries a decision: "
            f"{decisions:,} decisions and {decisions * entries:.3g} entries pass the limits {MAX_DECISIONS:,} and "
            f"{MAX_DRAWN:,}; {rule}"
        )


def own_fields(population: Population, counts: IntArray, deviator: int) -> Float64Array:
    """The mean field for every state of the deviator, [R, S, P, S], from the others' counts [R, P, S]."""
    states = population.model.num_states
    fields = np.repeat(counts[:, None].astype(np.float64), states, axis=1)
    fields[:, np.arange(states), deviator, np.arange(states)] += 1.0
    fields /= population.sizes[:, None]
    return fields


def moment_at(model: MeanFieldModel, moments: IntArray, extra: int) -> Moment:
    """Moments [R] as operators take them, with that many more axes."""
    time, noise = model.moments.time[moments], model.moments.noise[moments]
    shape = (-1, *(1,) * extra)
    return Moment(time.reshape(shape), noise.reshape(shape))


def own_rewards(population: Population, fields: Float64Array, moments: IntArray, deviator: int) -> Float64Array:
    """What each action pays the deviator in each state it may be in, [R, S, A]."""
    model = population.model
    shape = (*fields.shape[:2], 1)
    moment = Moment(*(np.broadcast_to(part, shape[:2]) for part in moment_at(model, moments, 1)))
    states = np.arange(model.num_states)
    return np.asarray(model.rewards(fields, moment))[:, states, deviator, states]


def probabilities(population: Population, fields: Float64Array, moments: IntArray) -> Float64Array:
    """Of all agents' successors, [R, S, P or 1, S, A, K] by the state of the deviator; [1, 1, ...] if constant."""
    model = population.model
    if population.constant:
        return np.asarray(model.probabilities(fields[0, 0], model.at(0)))[None, None]
    moment = Moment(*(np.broadcast_to(part, fields.shape[:2]) for part in moment_at(model, moments, 1)))
    found = np.asarray(model.probabilities(fields, moment))
    if not isinstance(model.transition, Affine):  # affine ones are checked once and for all
        check_rows(found, "transition")
    return np.broadcast_to(found, (*fields.shape[:2], *found.shape[-4:]))


def own_moves(population: Population, probability: Float64Array, deviator: int) -> Float64Array:
    """The deviator's part of `probabilities`, [R, S, A, K]; R may be 1."""
    states = np.arange(population.model.num_states)
    which = deviator if probability.shape[2] > 1 else 0
    if probability.shape[1] == 1:
        return probability[:, 0, which]
    return probability[:, states, which, states]


def others_moves(population: Population, probability: Float64Array, moments: IntArray) -> Float64Array:
    """Where each of the others goes under the policy, [R, S or 1, P, S, D], by the state of the deviator."""
    policy = population.policy[moments][:, None]  # [R, 1, P, S, A]
    entry, state = population.targets.entry, np.arange(population.model.num_states)
    rows, own = max(len(moments), len(probability)), probability.shape[1]
    moves = np.zeros((rows, own, *population.start.shape, population.targets.state.shape[1]))
    for action in range(policy.shape[-1]):
        for k in range(entry.shape[2]):
            moves[..., state, entry[:, action, k]] += policy[..., action] * probability[..., action, k]
    return moves


def landed(population: Population, movers: Array) -> Array:
    """Who is where after moves [..., S, D], [..., S]."""
    states = population.model.num_states
    flat = movers.reshape(-1, states * movers.shape[-1])
    place = population.targets.state.reshape(-1)
    index = (np.arange(len(flat))[:, None] * states + place).reshape(-1)
    total = np.bincount(index, weights=flat.reshape(-1), minlength=len(flat) * states)
    return total.reshape(*movers.shape[:-2], states)


def children_of(model: MeanFieldModel) -> tuple[IntArray, Float64Array]:
    """What can follow each moment and with what probability, [M + 1, C] each; the last row is the beginning."""
    parent, chance = model.moments.parent, model.moments.probability
    origin = np.where(parent < 0, len(parent), parent)
    wide = int(np.bincount(origin).max())
    child = np.zeros((len(parent) + 1, wide), dtype=np.int64)
    probability = np.zeros((len(parent) + 1, wide))
    column = np.zeros(len(parent) + 1, dtype=np.int64)
    for moment, before in enumerate(origin):
        child[before, column[before]] = moment
        probability[before, column[before]] = chance[moment]
        column[before] += 1
    return child, probability


def best_deviation(population: Population, reward: Float64Array, probability: Float64Array) -> Float64Array:
    """The best pure policy [M, S, A] for expected rewards [M, S, A] and moves [M, S, A, K] that are given."""
    model = population.model
    moments, successors = model.moments, model.successors
    count, states, actions = reward.shape
    illegal = np.where(model.legal, 0.0, -np.inf)
    choice = np.zeros((count, states), dtype=np.int64)
    future = np.zeros((count + 1, states))
    rounds = population.steps if model.horizon is None else 1
    for _ in range(rounds):
        for moment in reversed(range(count)):
            quality = reward[moment] + model.discount * (probability[moment] * future[moment][successors]).sum(axis=-1)
            quality = quality + illegal
            choice[moment] = quality.argmax(axis=1)
            if model.horizon is None:
                future[moment] = quality.max(axis=1)
            else:
                future[moments.parent[moment]] += moments.probability[moment] * quality.max(axis=1)
    return np.eye(actions)[choice]
