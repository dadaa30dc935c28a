"""Agents of a mean-field game, and *representatives* who walk beside them and weigh nothing, as the rules of one game.

Representatives meet the agents' empirical distribution and are no part of it: they explore, or respond, without
disturbing what is learnt. They are further players: of P populations the agents have the roles 0 to P - 1, the
representatives P to 2 P - 1.

A decision is known by the number of its *point*, moment * S + state, which is the information-state key of agents and
representatives alike; there are no other observations. Nothing is truncated: whoever plays says for how long.

A step costs O(B (N + R) (A + K)) and what the game's operators take for B mean fields.
"""

from __future__ import annotations

from typing import Any, ClassVar, NamedTuple

import array_api_compat
import numpy as np

from eqenvs.arrays import (
    Array,
    Constants,
    IntArray,
    device_of,
    namespace,
    sample_categorical,
    take_along,
)
from eqenvs.errors import InputError
from eqenvs.models.information_states import InformationStates, KeyIndex
from eqenvs.models.mean_field import MeanFieldModel, Moment
from eqenvs.population_rules import PopulationRules, PopulationState
from eqenvs.rules import CHANCE, CHANCE_BITS, SIMULTANEOUS, Rules


class AccompaniedState(NamedTuple):
    """A batch of populations, and representatives beside them; the first parts are those of `PopulationState`."""

    agents: Array
    chosen: Array
    drawing: Array
    step: Array
    noise: Array
    history: Array
    beside: Array  # [B, R] int64, the representatives' states
    meant: Array  # [B, R] int64, their actions while chance is to move


class MomentIndex:
    """The number of the moment that a population stands at, in the model's order."""

    def __init__(self, model: MeanFieldModel) -> None:
        moments = model.moments
        self._known = None
        if model.noise is not None:
            self._known = KeyIndex(np.concatenate([moments.time[:, None], moments.history], axis=1))
        self._last, self._width = len(moments.time) - 1, moments.history.shape[1]

    def of(self, rules: PopulationRules, state: PopulationState) -> Array:
        """[B] int64; of a game that is over, the last moment there was."""
        xp, time = namespace(state.step), rules.moment(state).time
        if self._known is None:
            return xp.clip(time, 0, self._last)
        key = xp.concat([xp.clip(time, 0, self._width - 1)[:, None], state.history], axis=1)
        return xp.asarray(self._known.rows(_numpy(key)), device=device_of(state.step))


class AccompaniedRules(Rules[AccompaniedState]):
    """N agents by their own rules, then R representatives.

    Attributes:
        agents: their rules.
        model: the limit.
        representatives: R.
        walk: theirs.
    """

    simultaneous: ClassVar[bool] = True

    def __init__(self, agents: PopulationRules, representatives: int) -> None:
        """Number the players.

        Raises:
            InputError: if there are fewer representatives than populations, and not none.
        """
        populations = agents.model.num_populations
        if 0 < representatives < populations:
            raise InputError(f"representatives must be 0 or at least {populations}, one for each population")
        self.agents, self.model, self.representatives = agents, agents.model, representatives
        self.num_players = agents.num_players + representatives
        self.num_actions = (self.model.num_actions,) * self.num_players
        self.num_chance_outcomes = 0
        self.chance_draws = agents.chance_draws + representatives
        self.observation_size = 0
        self.discount = agents.discount
        role = np.arange(representatives) * populations // max(1, representatives)
        self._roles = (*agents.roles, *(role + populations).tolist())
        self._moments = MomentIndex(self.model)
        self.walk = Walk(self.model, role)

    @property
    def roles(self) -> tuple[int, ...]:
        """Populations of the agents, and, counted on, of the representatives."""
        return self._roles

    def initial_state(self, batch: int, xp: Any, device: Any = None) -> AccompaniedState:
        """See `Rules`."""
        none = xp.zeros((batch, self.representatives), dtype=xp.int64, device=device)
        return AccompaniedState(*self.agents.initial_state(batch, xp, device), none, none)

    def turn(self, state: AccompaniedState) -> Array:
        """See `Rules`."""
        return self.agents.turn(_population(state))

    def legal_actions(self, state: AccompaniedState, player: Array) -> Array:
        """See `Rules`."""
        return self.model.constants("legal", player)[take_along(_everybody(state), player)]

    def observation(self, state: AccompaniedState, player: Array) -> Array:
        """Nothing, [B, 0]: the key says it."""
        xp = namespace(player)
        return xp.zeros((player.shape[0], 0), dtype=xp.float32, device=device_of(player))

    def information_state(self, state: AccompaniedState, player: Array) -> Array:
        """The number of the point, [B, 1]."""
        return take_along(self._points(state), player)[:, None]

    def seen_by_all(self, state: AccompaniedState) -> InformationStates:
        """See `Rules`."""
        everybody = _everybody(state)
        xp = namespace(everybody)
        nothing = xp.zeros((*everybody.shape, 0), dtype=xp.float32, device=device_of(everybody))
        return InformationStates(
            self._points(state)[..., None], nothing, self.model.constants("legal", everybody)[everybody]
        )

    def _points(self, state: AccompaniedState) -> Array:
        moment = self._moments.of(self.agents, _population(state))
        return moment[:, None] * self.model.num_states + _everybody(state)

    def acting(self, state: AccompaniedState) -> Array:
        """See `Rules`."""
        playing = self.turn(state) == SIMULTANEOUS
        return namespace(playing).broadcast_to(playing[:, None], (playing.shape[0], self.num_players))

    def apply(self, state: AccompaniedState, actions: Array) -> tuple[AccompaniedState, Array]:
        """See `Rules`."""
        xp, population = namespace(actions), _population(state)
        agents, players = self.agents.num_players, self.num_players
        by_chance = actions[:, players : players + self.agents.chance_draws]
        after, rewards = self.agents.apply(population, xp.concat([actions[:, :agents], by_chance], axis=1))
        if self.representatives == 0:
            return AccompaniedState(*after, state.beside, state.meant), rewards
        turn = self.turn(state)
        playing, drawing = (turn == SIMULTANEOUS)[:, None], (turn == CHANCE)[:, None]
        beside, meant = state.beside, xp.where(playing, actions[:, agents:players], 0)
        received = xp.zeros(beside.shape, dtype=xp.float64, device=device_of(beside))
        mean_field, moment = self.agents.mean_field(population), self.agents.moment(population)
        if bool(xp.any(playing)):
            received = xp.where(playing, self.walk.received(mean_field, moment, beside, meant), received)
        if bool(xp.any(drawing)):
            uniform = xp.astype(actions[:, players + self.agents.chance_draws :], xp.float64) * 2.0**-CHANCE_BITS
            first = drawing & (state.step < 0)[:, None]
            if not bool(xp.all(first)):
                moved = self.walk.moved(mean_field, moment, beside, state.meant, uniform)
                beside = xp.where(drawing, moved, beside)
            if bool(xp.any(first)):
                beside = xp.where(first, self.walk.begun(uniform), beside)
        return AccompaniedState(*after, beside, meant), xp.concat([rewards, received], axis=1)


class Walk:
    """What representatives get, and where they go, in a mean field that is not theirs.

    Args:
        model: the game.
        population: [R] int64, of each.
    """

    def __init__(self, model: MeanFieldModel, population: IntArray) -> None:
        self._model = model
        self._constants = Constants(population=population, initial=model.initial)

    def begun(self, uniform: Array) -> Array:
        """First states [B, R], by draws [B, R] from [0, 1)."""
        rows = self._constants.on("initial", uniform)[self._constants.on("population", uniform)]
        return drawn(namespace(uniform).broadcast_to(rows, (*uniform.shape, rows.shape[1])), uniform)

    def received(self, mean_field: Array, moment: Moment, state: Array, chosen: Array) -> Array:
        """Rewards [B, R] in mean fields [B, P, S] at moments [B], for states and actions [B, R]."""
        xp, model = namespace(chosen), self._model
        reward = model.rewards(mean_field, moment)
        cell = (self._constants.on("population", chosen) * model.num_states + state) * model.num_actions + chosen
        return xp.take_along_axis(xp.reshape(reward, (chosen.shape[0], -1)), cell, axis=1)

    def moved(self, mean_field: Array, moment: Moment, state: Array, chosen: Array, uniform: Array) -> Array:
        """Next states [B, R]; see `begun` and `received`."""
        xp, model = namespace(uniform), self._model
        population = self._constants.on("population", state)
        listed = model.agent_probabilities(mean_field, moment, population, state, chosen)
        successors = model.constants("successors", state)[state, chosen]
        return xp.take_along_axis(successors, drawn(listed, uniform)[..., None], axis=2)[..., 0]


def drawn(weights: Array, uniform: Array) -> Array:
    """Indices [B, n] in proportion to weights [B, n, K]."""
    xp = namespace(weights)
    flat = xp.reshape(weights, (-1, weights.shape[-1]))
    return xp.reshape(sample_categorical(flat, xp.reshape(uniform, (-1,))), uniform.shape)


def _population(state: AccompaniedState) -> PopulationState:
    return PopulationState(*state[:6])


def _everybody(state: AccompaniedState) -> Array:
    return namespace(state.agents).concat([state.agents, state.beside], axis=1)


def _numpy(array: Array) -> IntArray:
    found: IntArray = np.asarray(array_api_compat.to_device(array, "cpu"))
    return found
