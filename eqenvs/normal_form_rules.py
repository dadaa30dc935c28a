"""Rules of a normal-form game, played once or repeated, from its payoff tensor."""

from __future__ import annotations

from typing import Any, ClassVar, NamedTuple

import numpy as np

from eqenvs.arrays import Array, device_of, namespace, one_hot
from eqenvs.models.normal_form import NormalFormModel
from eqenvs.rules import SIMULTANEOUS, TERMINAL, Rules


class RepeatedState(NamedTuple):
    """A batch of repeated games."""

    history: Array  # [B, rounds * N] int64, the joint actions so far, -1 where not played yet
    round: Array  # [B] int64, rounds played


class NormalFormRules(Rules[RepeatedState]):
    """A payoff tensor as a simultaneous-move game of `num_rounds` rounds, every joint action observed after its round.

    Observation: float32 [N + memory * sum(A_i)], one-hot player, then the last `memory` joint actions, newest first,
    each player's one-hot (all zero before the first round).
    Reward: the round's payoff, each round.
    """

    simultaneous: ClassVar[bool] = True

    def __init__(self, model: NormalFormModel, num_rounds: int = 1, memory: int | None = None) -> None:
        self.model = model
        self.num_rounds = num_rounds
        self.memory = min(num_rounds - 1, 1) if memory is None else memory
        self.num_players = model.num_players
        self.num_actions = model.num_actions
        self.num_chance_outcomes = 0
        self.observation_size = self.num_players + self.memory * sum(self.num_actions)
        self._strides = np.cumprod([1, *self.num_actions[:0:-1]])[::-1].copy()
        self._tensors: dict[tuple[str, str], tuple[Array, Array]] = {}

    def _on(self, xp: Any, device: Any) -> tuple[Array, Array]:
        """Payoffs [profiles, N] and strides [N] in the batch's library and device; made once for each."""
        where = (xp.__name__, str(device))
        if where not in self._tensors:
            flat = self.model.payoffs.reshape(self.num_players, -1).T.copy()
            self._tensors[where] = xp.asarray(flat, device=device), xp.asarray(self._strides, device=device)
        return self._tensors[where]

    def initial_state(self, batch: int, xp: Any, device: Any = None) -> RepeatedState:
        return RepeatedState(
            history=xp.full((batch, self.num_rounds * self.num_players), -1, dtype=xp.int64, device=device),
            round=xp.zeros((batch,), dtype=xp.int64, device=device),
        )

    def turn(self, state: RepeatedState) -> Array:
        xp = namespace(state.round)
        return xp.where(state.round == self.num_rounds, TERMINAL, SIMULTANEOUS)

    def legal_actions(self, state: RepeatedState, player: Array) -> Array:
        xp = namespace(player)
        width = xp.asarray(self.num_actions, device=device_of(player))[player]
        return xp.arange(self.max_actions, device=device_of(player))[None, :] < width[:, None]

    def apply(self, state: RepeatedState, actions: Array) -> tuple[RepeatedState, Array]:
        xp = namespace(actions)
        payoffs, strides = self._on(xp, device_of(actions))
        joint = actions[:, : self.num_players]
        reward = payoffs[xp.sum(joint * strides[None, :], axis=1)]
        batch, slots = state.history.shape
        now = one_hot(state.round, self.num_rounds)
        spread = xp.reshape(
            xp.broadcast_to(now[:, :, None], (batch, self.num_rounds, self.num_players)), (batch, slots)
        )
        history = xp.where(spread, xp.tile(joint, (1, self.num_rounds)), state.history)
        over = state.round == self.num_rounds
        after = RepeatedState(history, xp.where(over, state.round, state.round + 1))
        return after, xp.where(over[:, None], 0.0, reward)

    def observation(self, state: RepeatedState, player: Array) -> Array:
        xp = namespace(player)
        parts = [one_hot(player, self.num_players)]
        for back in range(1, self.memory + 1):
            for other in range(self.num_players):
                slot = (state.round - back) * self.num_players + other
                known = one_hot(slot, state.history.shape[1])
                action = xp.sum(xp.where(known, state.history, 0), axis=1)
                parts.append(one_hot(action, self.num_actions[other]) & xp.any(known, axis=1)[:, None])
        return xp.astype(xp.concat(parts, axis=1), xp.float32)

    def information_state(self, state: RepeatedState, player: Array) -> Array:
        return state.history if self.num_rounds > 1 else namespace(player).zeros_like(player)[:, None]

    def public_observation(self, state: RepeatedState) -> Array:
        return state.history

    def describe_information_state(self, player: int, key: Array) -> str:
        played = [int(entry) for entry in np.asarray(key) if entry >= 0] if self.num_rounds > 1 else []
        rounds = [played[i : i + self.num_players] for i in range(0, len(played), self.num_players)]
        return "/".join(",".join(map(str, joint)) for joint in rounds) or "start"
