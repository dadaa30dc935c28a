"""Rules of Markov games: simultaneous moves, a state that everybody sees, discounted or with a last step.

A game's file subclasses `MarkovRules`; a game given as a `MarkovModel` gets `ModelRules`. A *step* is a joint action
and what chance makes of it. Policies are Markov: an information-state key is the state's own key, with the step in
front where the horizon is finite; there is no perfect recall.
"""

from __future__ import annotations

from abc import abstractmethod
from math import ceil, log
from typing import Any, ClassVar, NamedTuple

import numpy as np

from eqenvs.arrays import Array, StateT, device_of, everywhere, namespace
from eqenvs.models.markov import MarkovModel
from eqenvs.rules import CHANCE, SIMULTANEOUS, TERMINAL, Rules

ENVIRONMENT_CUT = 1e-3  # share of the discounted weight that an environment without an end leaves out by default


def negligible_after(discount: float) -> int:
    """Steps of a game without an end after which less than 1/1000 of the discounted weight is left, at least 1."""
    return max(1, ceil(log(ENVIRONMENT_CUT) / log(discount))) if discount > 0 else 1


class MarkovRules(Rules[StateT]):
    """Rules whose future depends on the state alone.

    A state is a NamedTuple with a field `step`, [B] int64: the joint actions taken. `initial_state` starts it at 0 and
    `apply` adds 1 for a joint action (not for a move of chance); nothing else may depend on it. `apply` gives the
    rewards undiscounted. Where a player has nothing to decide, action 0 must be its only legal one.

    Attributes:
        horizon: steps after which the game is over, or None.
        discount: factor in [0, 1) a step; up to 1 with a horizon.
    """

    simultaneous: ClassVar[bool] = True
    open_information: ClassVar[bool] = True
    size_unit: ClassVar[str] = "pairs of a state and a joint action"
    horizon: int | None
    view_size: int  # width of `view`

    @abstractmethod
    def state_key(self, state: StateT) -> Array:
        """What tells states apart, [B, W] int64, W at least 1; without the step."""

    @abstractmethod
    def view(self, state: StateT, player: Array) -> Array:
        """What `player` ([B] int) sees of the state, [B, D] float32, `view_size` wide; without the step."""

    @abstractmethod
    def ended(self, state: StateT) -> Array:
        """Whether the game is over by something other than its horizon, [B] bool."""

    def undecided(self, state: StateT) -> Array:
        """Whether chance is to move, [B] bool."""
        return namespace(state[0]).zeros((state[0].shape[0],), dtype=bool, device=device_of(state[0]))

    @property
    def observation_size(self) -> int:  # type: ignore[override]
        """Width of an observation: the view, and the clock given a horizon."""
        return self.view_size + (self.horizon is not None)

    @property
    def default_max_cycles(self) -> int | None:  # type: ignore[override]
        """Steps after which an environment cuts a discounted game off: less than 1/1000 of the weight is left."""
        return None if self.horizon is not None else negligible_after(self.discount)

    def as_model(self, name: str, max_size: int) -> tuple[MarkovModel, int]:
        """The exact model, and how many pairs of a state and a joint action it has; see `Rules`."""
        from eqenvs.models.state_search import enumerate_states

        model = enumerate_states(self, name=name, max_size=max_size)
        return model, model.num_rows

    def phase(self, state: StateT) -> Array:
        """Whose turn it is if the clock is left out, [B] int64: TERMINAL, CHANCE or SIMULTANEOUS."""
        xp = namespace(state[0])
        players, chance, over = (everywhere(state[0], code) for code in (SIMULTANEOUS, CHANCE, TERMINAL))
        return xp.where(self.ended(state), over, xp.where(self.undecided(state), chance, players))

    def turn(self, state: StateT) -> Array:
        phase = self.phase(state)
        if self.horizon is None:
            return phase
        step = state.step  # type: ignore[attr-defined]
        late = (phase == SIMULTANEOUS) & (step >= self.horizon)
        return namespace(phase).where(late, everywhere(phase, TERMINAL), phase)

    def information_state(self, state: StateT, player: Array) -> Array:
        key = self.state_key(state)
        if self.horizon is None:
            return key
        step = state.step  # type: ignore[attr-defined]
        return namespace(key).concat([step[:, None], key], axis=1)

    def observation(self, state: StateT, player: Array) -> Array:
        view = self.view(state, player)
        if self.horizon is None:
            return view
        xp = namespace(view)
        clock = xp.astype(state.step, xp.float32) / self.horizon  # type: ignore[attr-defined]
        return xp.concat([clock[:, None], view], axis=1)

    def public_observation(self, state: StateT) -> Array:
        """Everything: the state is seen by every player."""
        return self.information_state(state, everywhere(state[0], 0))


class ModelState(NamedTuple):
    """A batch of games that are given as a model."""

    state: Array  # [B] int64 in [0, S]; S once the game is over, and before chance has drawn the first
    row: Array  # [B] int64, the row whose successor chance is to draw; -1 none, R before the first state
    step: Array  # [B] int64


class ModelRules(MarkovRules[ModelState]):
    """A Markov game given as its exact model.

    Observation: float32, the model's view of the state, in [0, 1] unless its entries are others; after the end the
    upper bound everywhere.
    Reward: the model's, expected over the successors.
    Chance: draws the first state, and then each row's successor.
    """

    def __init__(self, model: MarkovModel) -> None:
        self.model = model
        self.horizon, self.discount = model.horizon, model.discount
        self.num_players, self.num_actions = model.num_players, model.num_actions
        self.view_size = model.views[0].shape[1]
        lowest = min(float(view.min(initial=0.0)) for view in model.views)
        highest = max(float(view.max(initial=1.0)) for view in model.views)
        self.observation_bounds = (lowest, highest)
        first = model.first.state
        self._certain = int(first[0]) if len(first) == 1 else None
        widths = np.diff(model.successors.start)
        self.num_chance_outcomes = int(max(widths.max(), len(first)))
        self._tables: dict[tuple[str, str], dict[str, Array]] = {}

    def _on(self, like: Array) -> dict[str, Array]:
        """The model's arrays in the batch's library and device, made once for each.

        Row R of `start` is the draw of the first state; state S, the end, has rows of its own in what is seen.
        """
        xp, device = namespace(like), device_of(like)
        where = (xp.__name__, str(device))
        if where not in self._tables:
            model = self.model
            after, first = model.successors, model.first
            legal = np.zeros((model.num_players, model.num_states + 1, self.max_actions), dtype=bool)
            views = np.full((model.num_players, model.num_states + 1, self.view_size), self.observation_bounds[1], "f4")
            for player, (mask, view) in enumerate(zip(model.legal, model.views, strict=True)):
                legal[player, :-1, : mask.shape[1]], views[player, :-1] = mask, view
            padding = np.full((1, model.keys.shape[1]), model.keys.min() - 1)
            arrays = {
                "start": np.append(after.start, after.start[-1] + len(first.state)),
                "state": np.concatenate([after.state, first.state]),
                "probability": np.concatenate([after.probability, first.probability]),
                "reward": model.row_rewards.copy(),
                "strides": model.strides.copy(),
                "legal": legal,
                "views": views,
                "keys": np.concatenate([model.keys, padding]),
            }
            self._tables[where] = {name: xp.asarray(array, device=device) for name, array in arrays.items()}
        return self._tables[where]

    def initial_state(self, batch: int, xp: Any, device: Any = None) -> ModelState:
        certain = self._certain is not None
        state = xp.full((batch,), self._certain if certain else self.model.num_states, dtype=xp.int64, device=device)
        row = xp.full((batch,), -1 if certain else self.model.num_rows, dtype=xp.int64, device=device)
        return ModelState(state, row, xp.zeros((batch,), dtype=xp.int64, device=device))

    def ended(self, state: ModelState) -> Array:
        return (state.state == self.model.num_states) & (state.row < 0)

    def undecided(self, state: ModelState) -> Array:
        return state.row >= 0

    def legal_actions(self, state: ModelState, player: Array) -> Array:
        return self._on(player)["legal"][player, state.state]

    def chance_probabilities(self, state: ModelState) -> Array:
        xp, tables = namespace(state.row), self._on(state.row)
        row = xp.clip(state.row, 0)
        outcome = xp.arange(self.num_chance_outcomes, dtype=xp.int64, device=device_of(state.row))
        entry = tables["start"][row][:, None] + outcome[None, :]
        listed = entry < tables["start"][row + 1][:, None]
        return xp.where(listed, tables["probability"][xp.where(listed, entry, 0)], 0.0)

    def apply(self, state: ModelState, actions: Array) -> tuple[ModelState, Array]:
        xp = namespace(actions)
        tables = self._on(actions)
        drawing = state.row >= 0
        playing = ~drawing & (state.state < self.model.num_states)
        joint = xp.where(playing[:, None], actions[:, : self.num_players], 0)
        row = state.state * self.model.num_profiles + xp.sum(joint * tables["strides"][None, :], axis=1)
        row = xp.where(playing, row, 0)
        outcome = xp.where(drawing, actions[:, self.num_players], 0)
        entry = tables["start"][xp.where(drawing, state.row, 0)] + outcome
        drawn = tables["state"][xp.clip(entry, 0, tables["state"].shape[0] - 1)]
        after = ModelState(
            state=xp.where(drawing, drawn, state.state),
            row=xp.where(playing, row, -1),
            step=state.step + xp.astype(playing, xp.int64),
        )
        return after, xp.where(playing[:, None], tables["reward"][row], 0.0)

    def state_key(self, state: ModelState) -> Array:
        return self._on(state.state)["keys"][state.state]

    def view(self, state: ModelState, player: Array) -> Array:
        return self._on(player)["views"][player, state.state]
