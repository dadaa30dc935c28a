"""A mean-field game with finitely many agents: the rules of its environments.

Each of N agents belongs to a population and has a state of its own; rewards and transitions see the agents' empirical
distribution, the agent itself counted, where the mean-field game has the mean field. An agent sees its own state and
the clock, which is what a mean-field policy is a function of: information-state keys and observations are those of
`MeanFieldModel.information_states`, so a policy moves between the two without a change. With `sees_distribution` the
observation has the empirical distribution of every population besides.

A step costs O(N K) and what the game's operators take for one mean field.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, NamedTuple

import numpy as np

from eqenvs.arrays import Array, Constants, device_of, namespace, one_hot, sample_categorical, take_along
from eqenvs.errors import InputError
from eqenvs.markov_rules import negligible_after
from eqenvs.models.information_states import InformationStates
from eqenvs.models.mean_field import MeanFieldModel, Moment
from eqenvs.rendering import Picture
from eqenvs.rendering.crowds import Places, crowd_boards, places_of
from eqenvs.rules import CHANCE, CHANCE_BITS, SIMULTANEOUS, TERMINAL, Rules
from eqenvs.spec import Fact, Family, GameSpec, Parameter

MAX_AGENTS = 1_000_000


class PopulationState(NamedTuple):
    """A batch of populations."""

    agents: Array  # [B, N] int64, the agents' states
    chosen: Array  # [B, N] int64, their actions while chance is to move
    drawing: Array  # [B] bool, whether chance is to move
    step: Array  # [B] int64, decisions made; -1 before the agents' first states are drawn
    noise: Array  # [B] int64, the state of the common noise
    history: Array  # [B, W] int64, what it has been, -1 where it is still to come; W = 0 without noise


def _from_zero(step: Array) -> Array:
    """The time of a step; agents whose first states are still to be drawn are at time 0."""
    return namespace(step).where(step < 0, 0, step)


class PopulationRules(Rules[PopulationState]):
    """The rules of N agents, which all environments of a mean-field game play.

    Agents: `player_0` to `player_{N-1}`; populations are blocks of them in order, as equal as can be (`roles`).
    Observation: float32 [D]: share of the horizon gone, indicator of the common noise, view of the own state, empirical
    distributions of all populations; of which the first is left out without a horizon, the second without noise, the
    last unless it is asked for. Beside it the action mask, int8 [A].
    Action: Discrete(A), the same A for all, the legal ones by the own state; all act at once, in every step.
    Reward: of the own state and action, undiscounted, at the empirical distribution of the step in which one acts.
    Termination: of all agents together, after the horizon's last decision; none without a horizon.
    Truncation: of all together at `max_cycles`; by default of games without a horizon where less than 1/1000 of the
    discounted weight is left, and never of games with one.
    State: PettingZoo's `state` is the agents' observations in a row, float32 [N * D].
    """

    simultaneous: ClassVar[bool] = True

    def __init__(
        self,
        model: MeanFieldModel,
        num_agents: int,
        *,
        sees_distribution: bool = False,
        axes: tuple[int, ...] | None = None,
    ) -> None:
        """Lay the model out.

        Args:
            model: of a continuum.
            num_agents: N.
            sees_distribution: whether agents observe the empirical distributions.
            axes: of pictures; see `mean_field_spec`.

        Raises:
            InputError: if there are fewer agents than populations, or more than a million.
        """
        populations = model.num_populations
        if not max(2, populations) <= num_agents <= MAX_AGENTS:
            raise InputError(
                f"num_agents must be from {max(2, populations)} (2, and one for each population) to {MAX_AGENTS:,}, "
                f"got {num_agents}"
            )
        self.model, self.sees_distribution, self._axes = model, sees_distribution, axes
        self.num_players = num_agents
        self.num_actions = (model.num_actions,) * num_agents
        self.num_chance_outcomes = 0
        self.chance_draws = num_agents + (model.noise is not None)
        self.discount = model.discount
        self.default_max_cycles = None if model.horizon is not None else negligible_after(model.discount)
        role = np.arange(num_agents) * populations // num_agents
        self._roles = tuple(role.tolist())
        self._sizes = np.bincount(role, minlength=populations).tolist()
        views = model.views
        self.observation_bounds = (float(views.min(initial=0.0)), float(views.max(initial=1.0)))
        self.observation_size = model.information_states[0].observations.shape[1] + (
            model.initial.size if sees_distribution else 0
        )
        noise = {}
        if model.noise is not None:
            noise = {"noise_initial": model.noise.initial, "noise_kernel": model.noise.kernel}
        self._constants = Constants(
            role=role,
            size=np.array(self._sizes, dtype=np.float64)[:, None],
            cumulative=np.cumsum(model.initial, axis=1),
            last=model.num_states - 1 - (model.initial[:, ::-1] > 0).argmax(axis=1),
            keys=model.keys,
            legal=model.legal,
            **noise,
        )
        self._views: dict[tuple[str, str], Array] = {}

    @property
    def roles(self) -> tuple[int, ...]:
        """The population of each agent."""
        return self._roles

    def initial_state(self, batch: int, xp: Any, device: Any = None) -> PopulationState:
        def zeros(*shape: int) -> Array:
            return xp.zeros((batch, *shape), dtype=xp.int64, device=device)

        return PopulationState(
            agents=zeros(self.num_players),
            chosen=zeros(self.num_players),
            drawing=xp.ones((batch,), dtype=xp.bool, device=device),
            step=zeros() - 1,
            noise=zeros(),
            history=zeros(self.model.moments.history.shape[1]) - 1,
        )

    def turn(self, state: PopulationState) -> Array:
        xp = namespace(state.step)
        turn = xp.where(state.drawing, CHANCE, SIMULTANEOUS + xp.zeros_like(state.step))
        if self.model.horizon is None:
            return turn
        return xp.where(state.step >= self.model.horizon, TERMINAL, turn)

    def mean_field(self, state: PopulationState) -> Array:
        """The empirical distributions, [B, P, S] float64, rows sum to 1."""
        xp, (batch, _) = namespace(state.agents), state.agents.shape
        populations, states = self.model.initial.shape
        cell = self._constants.on("role", state.agents) * states + state.agents
        first = xp.arange(batch, dtype=xp.int64, device=device_of(cell))[:, None] * (populations * states)
        counts = xp.bincount(xp.reshape(first + cell, (-1,)), minlength=batch * populations * states)
        counts = xp.astype(xp.reshape(counts, (batch, populations, states)), xp.float64)
        return counts / self._constants.on("size", counts)

    def moment(self, state: PopulationState) -> Moment:
        """The time and the noise as the model's operators take them."""
        xp = namespace(state.step)
        time = xp.zeros_like(state.step) if self.model.horizon is None else _from_zero(state.step)
        return Moment(time, state.noise)

    def legal_actions(self, state: PopulationState, player: Array) -> Array:
        return self._constants.on("legal", player)[take_along(state.agents, player)]

    def apply(self, state: PopulationState, actions: Array) -> tuple[PopulationState, Array]:
        xp = namespace(actions)
        turn = self.turn(state)
        playing, drawing = turn == SIMULTANEOUS, turn == CHANCE
        rewards = xp.zeros(state.agents.shape, dtype=xp.float64, device=device_of(actions))
        after = state
        if bool(xp.any(drawing)):
            after = self._drawn(after, actions[:, self.num_players :], drawing)
        if bool(xp.any(playing)):
            chosen = actions[:, : self.num_players]
            received = self._received(state, xp.where(playing[:, None], chosen, 0))
            rewards = xp.where(playing[:, None], received, rewards)
            step = state.step + 1
            over = step >= self.model.horizon if self.model.horizon is not None else xp.zeros_like(playing)
            after = after._replace(
                chosen=xp.where((playing & ~over)[:, None], chosen, after.chosen),
                drawing=xp.where(playing, ~over, after.drawing),
                # The clock goes on once the agents have moved; a game that is over needs no moves.
                step=xp.where(playing & over, step, after.step),
            )
        return after, rewards

    def _received(self, state: PopulationState, chosen: Array) -> Array:
        """Each agent's reward, [B, N]."""
        xp, (batch, _) = namespace(chosen), chosen.shape
        reward = self.model.rewards(self.mean_field(state), self.moment(state))
        role = self._constants.on("role", chosen)
        cell = (role * self.model.num_states + state.agents) * self.model.num_actions + chosen
        return xp.take_along_axis(xp.reshape(reward, (batch, -1)), cell, axis=1)

    def _drawn(self, state: PopulationState, bits: Array, drawing: Array) -> PopulationState:
        """Chance's move in the rows where it is to move."""
        xp = namespace(bits)
        uniform = xp.astype(bits, xp.float64) * 2.0**-CHANCE_BITS
        first = drawing & (state.step < 0)
        agents = state.agents
        if bool(xp.any(drawing & ~first)):
            agents = xp.where((drawing & ~first)[:, None], self._moved(state, uniform), agents)
        if bool(xp.any(first)):
            agents = xp.where(first[:, None], self._first_states(uniform), agents)
        noise, history = state.noise, state.history
        step = state.step + 1
        if self.model.noise is not None:
            noise = xp.where(drawing, self._next_noise(state, first, uniform[:, -1]), noise)
            column = xp.arange(history.shape[1], dtype=xp.int64, device=device_of(history))
            history = xp.where(drawing[:, None] & (column[None, :] == step[:, None]), noise[:, None], history)
        return state._replace(
            agents=agents,
            chosen=xp.where(drawing[:, None], 0, state.chosen),
            drawing=state.drawing & ~drawing,
            step=xp.where(drawing, step, state.step),
            noise=noise,
            history=history,
        )

    def _moved(self, state: PopulationState, uniform: Array) -> Array:
        """Where each agent goes, [B, N]."""
        xp = namespace(uniform)
        role = self._constants.on("role", state.agents)
        probability = self.model.agent_probabilities(
            self.mean_field(state), self.moment(state), role, state.agents, state.chosen
        )
        flat = xp.reshape(probability, (-1, probability.shape[-1]))
        drawn = sample_categorical(flat, xp.reshape(uniform[:, : self.num_players], (-1,)))
        successors = self.model.constants("successors", state.agents)[state.agents, state.chosen]
        listed = xp.reshape(successors, (-1, successors.shape[-1]))
        return xp.reshape(take_along(listed, drawn), state.agents.shape)

    def _first_states(self, uniform: Array) -> Array:
        """[B, N], drawn from the initial distributions by inversion."""
        xp = namespace(uniform)
        cumulative, last = self._constants.on("cumulative", uniform), self._constants.on("last", uniform)
        parts, start = [], 0
        for population in range(self.model.num_populations):
            count = self._sizes[population]
            draws = uniform[:, start : start + count]
            flat = xp.asarray(xp.reshape(draws, (-1,)), copy=True)  # torch warns of what is not contiguous
            found = xp.searchsorted(cumulative[population], flat, side="right")
            parts.append(xp.reshape(xp.minimum(xp.astype(found, xp.int64), last[population]), draws.shape))
            start += count
        return xp.concat(parts, axis=1)

    def _next_noise(self, state: PopulationState, first: Array, uniform: Array) -> Array:
        """The next state of the common noise, [B]."""
        xp = namespace(uniform)
        initial = self._constants.on("noise_initial", uniform)
        rows = xp.broadcast_to(initial, (uniform.shape[0], initial.shape[0]))
        kernel = self._constants.on("noise_kernel", uniform)
        if kernel.shape[0]:
            rows = xp.where(first[:, None], rows, kernel[xp.clip(state.step, 0, kernel.shape[0] - 1), state.noise])
        return sample_categorical(rows, uniform)

    def seen_by_all(self, state: PopulationState) -> InformationStates:
        count = self.num_players
        common_keys, common = self._in_common(state)
        xp = namespace(state.agents)
        shape = (state.agents.shape[0], count)
        keys = [xp.broadcast_to(part[:, None, :], (*shape, part.shape[1])) for part in common_keys]
        seen = [xp.broadcast_to(part[:, None, :], (*shape, part.shape[1])) for part in common]
        views = self._views_on(state.agents)[state.agents]
        parts = [*seen[:-1], views, seen[-1]] if self.sees_distribution else [*seen, views]
        return InformationStates(
            xp.concat([*keys, self._constants.on("keys", state.agents)[state.agents]], axis=2),
            xp.concat(parts, axis=2),
            self._constants.on("legal", state.agents)[state.agents],
        )

    def information_state(self, state: PopulationState, player: Array) -> Array:
        own = self._constants.on("keys", player)[take_along(state.agents, player)]
        return namespace(player).concat([*self._in_common(state)[0], own], axis=1)

    def observation(self, state: PopulationState, player: Array) -> Array:
        seen = self._in_common(state)[1]
        view = self._views_on(player)[take_along(state.agents, player)]
        parts = [*seen[:-1], view, seen[-1]] if self.sees_distribution else [*seen, view]
        return namespace(player).concat(parts, axis=1)

    def _in_common(self, state: PopulationState) -> tuple[list[Array], list[Array]]:
        """What every agent's key begins with, and what every agent sees, the distributions last."""
        xp, model = namespace(state.step), self.model
        keys, seen = [], []
        if model.horizon is not None:
            step = _from_zero(state.step)
            keys.append(step[:, None])
            seen.append(xp.astype(step / model.horizon, xp.float32)[:, None])
        if model.noise is not None:
            keys.append(state.history)
            seen.append(xp.astype(one_hot(state.noise, len(np.asarray(model.noise.initial))), xp.float32))
        if self.sees_distribution:
            seen.append(xp.astype(xp.reshape(self.mean_field(state), (state.step.shape[0], -1)), xp.float32))
        return keys, seen

    @cached_property
    def _places(self) -> Places:
        return places_of(self.model.keys, self._axes)

    def picture(self, state: PopulationState) -> Picture:
        counts = np.zeros(self.model.initial.shape, dtype=np.int64)
        step = int(state.step[0])
        if step >= 0:  # until then the agents' states are still to be drawn
            np.add.at(counts, (self._roles, state.agents[0]), 1)
        line = f"time {max(step, 0)}"
        if self.model.horizon is not None:
            line += f" of {self.model.horizon}"
        if self.model.noise is not None:
            line += f", common noise {int(state.noise[0])}"
        return Picture(boards=crowd_boards(counts, self._places), lines=(line,))

    def _views_on(self, like: Array) -> Array:
        xp, device = namespace(like), device_of(like)
        where = (xp.__name__, str(device))
        if where not in self._views:
            self._views[where] = xp.asarray(self.model.views.copy(), device=device)
        return self._views[where]


@dataclass(frozen=True)
class MeanFieldGame:
    """What the file of a mean-field game builds: the limit, and how many agents its environments have.

    Attributes:
        model: the game of a continuum.
        num_agents: N.
        sees_distribution: whether agents observe the empirical distributions.
        axes: of pictures; see `mean_field_spec`.
    """

    model: MeanFieldModel
    num_agents: int
    sees_distribution: bool
    axes: tuple[int, ...] | None = None

    @property
    def num_players(self) -> int:
        """One representative player of each population."""
        return self.model.num_populations

    def as_rules(self) -> PopulationRules:
        """The game of N agents."""
        return PopulationRules(self.model, self.num_agents, sees_distribution=self.sees_distribution, axes=self.axes)

    def as_model(self, name: str, max_size: int) -> tuple[MeanFieldModel, int]:
        """The limit, of which nothing is enumerated."""
        return self.model, 0


def mean_field_spec(
    *,
    id: str,
    title: str,
    build: Callable[..., MeanFieldModel],
    source: str,
    parameters: tuple[Parameter, ...] = (),
    facts: tuple[Fact, ...] = (),
    num_agents: int = 20,
    axes: tuple[int, ...] | None = None,
    version: int = 0,
) -> GameSpec:
    """The spec of a mean-field game, with the parameters of its environments.

    Args:
        id: see `GameSpec`, as for the rest.
        title: see there.
        build: from the game's own parameters to the model.
        source: see there.
        parameters: the game's own.
        facts: see there.
        num_agents: default number of agents.
        axes: which numbers of a state's key are its row and column in pictures, or its floor, row and column; default
            all in their order.
        version: see `GameSpec`.
    """

    def make(*, num_agents: int, sees_distribution: bool, **own: Any) -> MeanFieldGame:
        return MeanFieldGame(build(**own), num_agents, sees_distribution, axes)

    return GameSpec(
        id=id,
        family=Family.MEAN_FIELD,
        title=title,
        build=make,
        constant_sum=False,
        source=source,
        parameters=(
            *parameters,
            Parameter(
                name="num_agents",
                default=num_agents,
                low=2,
                high=MAX_AGENTS,
                description="agents in the environments, at least one for each population; the exact model is the "
                "limit of many",
            ),
            Parameter(
                name="sees_distribution",
                default=False,
                kind=bool,
                description="whether agents observe the empirical distributions too",
            ),
        ),
        facts=facts,
        version=version,
    )
