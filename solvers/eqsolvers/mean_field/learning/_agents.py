"""N agents who learn by policy mirror ascent: an iteration of play, learning, the policy step and communication.

See `policy_mirror_ascent`, whose process runs and judges them. Several seeds are side by side, each with agents of its
own on one trajectory or more.
"""

from __future__ import annotations

from math import prod
from typing import Any, NamedTuple

import numpy as np

from eqenvs.arrays import Float64Array, IntArray
from eqenvs.errors import GameTooLargeError
from eqenvs.models.mean_field import MeanFieldModel
from eqsolvers.kernels import random_stream
from eqsolvers.mean_field._mirror import Mirror
from eqsolvers.mean_field.learning._communication import adopted, averaged, fill, near
from eqsolvers.mean_field.learning._settings import ADOPT, METHOD, POLICIES, TABLES, Settings
from eqsolvers.mean_field.learning._simulator import Simulator
from eqsolvers.mean_field.learning._td import learn, schedule_of, shuffle

MAX_NUMBERS = 200_000_000
CHUNK = 2_000_000  # numbers of looks that are held at a time, where they are not kept


class Tables(NamedTuple):
    """All that changes; axis B is the seed, R the trajectory, G a table."""

    stream: Any  # [B, R, 4] uint64, of play
    own_stream: Any  # [B, 4] uint64, of replay and adoption
    state: IntArray  # [B, R, N]
    counts: IntArray  # [B, R, P, S], of agents by population and state
    quality: Float64Array  # [B, G, S, A]
    policy: Float64Array  # [B, G, S, A]
    largest: Float64Array  # [B], of the rewards met


class Agents:
    """The agents of every seed.

    Args:
        model: without a horizon, with no more populations than agents.
        seeds: side by side.
        mirror: the policy step.
        settings: see there.

    Attributes:
        tables: all that changes.
        role: [N] int64, the population of each agent.

    Raises:
        GameTooLargeError: if the tables would be too large.
    """

    def __init__(self, model: MeanFieldModel, seeds: tuple[int, ...], mirror: Mirror, settings: Settings) -> None:
        self._model, self._mirror, self._settings = model, mirror, settings
        populations, states, actions = model.num_populations, model.num_states, model.num_actions
        agents, runs = settings.num_agents, settings.trajectories
        self.role = np.arange(agents) * populations // agents
        self._owner = self.role if settings.centralised else np.arange(agents)
        self._simulator = Simulator(model, agents, self._owner)
        every = settings.pooled or not settings.centralised
        self._watched = np.arange(agents) if every else np.searchsorted(self.role, np.arange(populations))
        learners = self._owner[self._watched]
        tables = populations if settings.centralised else agents
        self._share = 1.0 / (runs * np.bincount(learners, minlength=tables))
        largest = {
            "tables": (len(seeds), tables, states, actions),
            "traces": (runs * (settings.traces > 0), len(self._watched), states, actions),
            "kept looks": (runs * (settings.replay > 0), settings.samples, len(self._watched), 5),
        }  # a size of 0: not needed
        for what, shape in largest.items():
            _refuse_large(what, shape)
        self._schedule = schedule_of(
            model.discount,
            settings.excitation or float(1.0 / (model.legal.sum())),
            settings.offset,
            settings.visits,
        )
        self._reach = near(model, settings.radius) if settings.communication_rounds else None
        self.tables = self._begin(seeds, tables)

    def _begin(self, seeds: tuple[int, ...], tables: int) -> Tables:
        model, runs = self._model, self._settings.trajectories
        children = [np.random.SeedSequence(seed).generate_state(runs + 1, np.uint64) for seed in seeds]
        streams = np.array([[random_stream(int(child)) for child in own] for own in children])
        started = [[self._simulator.begin(streams[b, r]) for r in range(runs)] for b in range(len(seeds))]
        uniform = model.legal / model.legal.sum(axis=1, keepdims=True)
        uniform = np.broadcast_to(uniform, (len(seeds), tables, *model.legal.shape))
        return Tables(
            stream=streams[:, :runs].copy(),
            own_stream=streams[:, runs].copy(),
            state=np.array([[pair[0] for pair in own] for own in started]),
            counts=np.array([[pair[1] for pair in own] for own in started]),
            quality=np.full(uniform.shape, self._highest()),
            policy=uniform.copy(),
            largest=np.full(len(seeds), -np.inf),
        )

    def _highest(self) -> float:
        """Q_max."""
        most = self._settings.reward_bound + self._mirror.most(self._model.num_actions)
        return most / (1.0 - self._model.discount)

    @property
    def steps(self) -> int:
        """Steps of one trajectory in an iteration."""
        settings = self._settings
        spoken = settings.communication_rounds * (settings.exchange == ADOPT)
        return settings.samples * settings.mixing + spoken + (settings.trial if spoken else 0)

    def iterate(self, b: int) -> None:
        """An iteration of a seed."""
        self._improve(b, self._evaluate(b))

    def _evaluate(self, b: int) -> IntArray:
        """Learn the tables of a seed; how often each state and action was learnt from, [G, S, A]."""
        settings, quality = self._settings, self.tables.quality[b]
        if not settings.warm_start:
            quality[:] = self._highest()
        decay = self._model.discount * settings.traces
        traced = quality.shape[1:] if decay > 0 else (1, 1)
        trace = np.zeros((settings.trajectories, len(self._watched), *traced))
        visits = np.zeros(quality.shape, dtype=np.int64)
        policy = self.tables.policy[b]
        parts = (
            self._schedule,
            self._model.discount,
            decay,
            self._mirror.bonus(policy),
            self._owner[self._watched],
            self._share,
        )
        if settings.replay:
            kept = self._watch(b, policy, self._watched, settings.samples, settings.mixing, self._chosen(b, policy))
            order = np.arange(settings.samples)
            for turn in range(settings.replay):
                shuffle(order, self.tables.own_stream[b])
                learn(*parts, order, *kept, quality, visits, trace, turn * settings.samples)
            return visits
        numbers = settings.trajectories * (5 * len(self._watched) + self._model.initial.size)
        done, chosen = 0, self._chosen(b, policy)
        while done < settings.samples:
            looks = min(max(1, CHUNK // numbers), settings.samples - done)
            seen = self._watch(b, policy, self._watched, looks, settings.mixing, chosen)
            learn(*parts, np.arange(looks), *seen, quality, visits, trace, done)
            done += looks
        return visits

    def _chosen(self, b: int, policy: Float64Array) -> list[IntArray]:
        """The first actions by a policy on every trajectory of a seed."""
        tables = self.tables
        return [
            self._simulator.choices(policy, state, stream)
            for state, stream in zip(tables.state[b], tables.stream[b], strict=True)
        ]

    def _watch(
        self, b: int, policy: Float64Array, watched: IntArray, looks: int, mixing: int, chosen: list[IntArray]
    ) -> tuple[IntArray, Float64Array]:
        """Play on every trajectory of a seed: steps [R, B, L, 4] and rewards [R, B, L] of the looks."""
        tables = self.tables
        seen = [
            self._simulator.watch(policy, watched, looks, mixing, *rest)
            for rest in zip(tables.state[b], chosen, tables.counts[b], tables.stream[b], strict=True)
        ]
        reward = np.stack([each.reward for each in seen])
        tables.largest[b] = reward.max(initial=tables.largest[b])
        return np.stack([each.steps for each in seen]), reward

    def _improve(self, b: int, visits: IntArray) -> None:
        """The policy step of a seed, and what independent agents tell each other."""
        tables, settings = self.tables, self._settings
        rounds, exchange = settings.communication_rounds, settings.exchange
        quality = tables.quality[b]
        if rounds and exchange == TABLES:
            # An agent knows nothing of what it never did: its first guess must not weigh on those who did it.
            weight = self._mixed(b, visits.astype(np.float64))
            total = self._mixed(b, visits * quality)
            quality = np.divide(total, weight, out=quality.copy(), where=weight > 0)
        tables.policy[b] = self._mirror.step(tables.policy[b], quality, self._model.legal)
        if rounds and exchange == POLICIES:
            tables.policy[b] = self._mixed(b, tables.policy[b])
        elif rounds and exchange == ADOPT:
            self._adopt(b)

    def _mixed(self, b: int, kept: Float64Array) -> Float64Array:
        """A table of each agent after rounds of averaging; nobody moves meanwhile."""
        assert self._reach is not None
        for _ in range(self._settings.communication_rounds):
            kept = averaged(kept, self._reach, self.role, self.tables.state[b, 0])
        return kept

    def _adopt(self, b: int) -> None:
        """A trial of the new policies, then rounds in which agents adopt each other's."""
        assert self._reach is not None
        tables, settings = self.tables, self._settings
        agents, role = np.arange(settings.num_agents), self.role
        worth = np.zeros(settings.num_agents)
        if settings.trial:
            policy = tables.policy[b]
            steps, reward = self._watch(b, policy, agents, settings.trial, 1, self._chosen(b, policy))
            bonus = self._mirror.bonus(policy)[agents, steps[..., 0]]
            weight = self._model.discount ** np.arange(settings.trial)
            worth = np.einsum("rbl,b->l", reward + bonus, weight) / settings.trajectories
        draw = np.empty(settings.num_agents)
        for _ in range(settings.communication_rounds):
            fill(tables.own_stream[b], draw)
            found = adopted(worth, settings.temperature, self._reach, role, tables.state[b, 0], draw)
            worth, tables.policy[b] = worth[found], tables.policy[b][found]
            self._watch(b, tables.policy[b], agents[:0], 1, 1, self._chosen(b, tables.policy[b]))


def _refuse_large(what: str, shape: tuple[int, ...]) -> None:
    if prod(shape) > MAX_NUMBERS:
        sizes = " x ".join(f"{size:,}" for size in shape)
        raise GameTooLargeError(f"{METHOD}: {what} of {sizes} numbers are above the limit of {MAX_NUMBERS:,}")
