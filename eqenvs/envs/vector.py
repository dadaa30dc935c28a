"""Thousands of games stepped together, on numpy or torch, with no Python loop over games."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from eqenvs.arrays import Array, Backend, everywhere, namespace, put_rows, scatter
from eqenvs.errors import IllegalActionError, InputError
from eqenvs.models.information_states import masks_where_acting
from eqenvs.rules import TERMINAL, Rules
from eqenvs.simulation import advance, start


class VectorStep(NamedTuple):
    """What a step of `VectorEnv` returns; arrays of the backend, B games.

    In a turn-based game the decision fields belong to the player to move: `observations` [B, D], `masks` [B, A] and
    `keys` [B, W]. In a simultaneous game they have a player axis: [B, N, D], [B, N, A], [B, N, W], and a player who
    does not move has only action 0, which is ignored.

    Attributes:
        players: [B] int64, who is to move (SIMULTANEOUS where several are).
        observations: float32.
        masks: bool, legal actions, A the widest action set.
        keys: int64, information-state keys.
        rewards: [B, N] float64, received in this step, before any reset; what the opening chance moves of a game paid
            is given with its first step (by `reset`, for the first games).
        terminated: [B] bool, the game ended by its rules in this step; the row shows the next game already.
        truncated: [B] bool, the game was cut off by `max_cycles` in this step; likewise.
    """

    players: Array
    observations: Array
    masks: Array
    keys: Array
    rewards: Array
    terminated: Array
    truncated: Array


def checked_count(name: str, value: Any) -> int:
    """A number of games or of stages.

    Raises:
        InputError: naming it, unless it is an integer of at least 1.
    """
    if not isinstance(value, int | np.integer) or isinstance(value, bool) or value < 1:
        raise InputError(f"{name} must be an integer of at least 1, got {value!r}")
    return int(value)


def require_player(method: str, player: Any, num_players: int, *, started: bool) -> None:
    """Raise InputError unless games are in progress and there is such a player."""
    if not started:
        raise InputError(f"{method}() needs games in progress; call reset() first")
    if not isinstance(player, int | np.integer) or isinstance(player, bool) or not 0 <= player < num_players:
        raise InputError(f"{method}: player must be an integer from 0 to {num_players - 1}, got {player!r}")


class VectorEnv:
    """A batch of games with same-step automatic reset.

    Attributes:
        num_envs: B.
        rules: the game.
    """

    def __init__(self, rules: Rules[Any], num_envs: int, backend: Backend, *, max_cycles: int | None = None) -> None:
        self.rules = rules
        self.num_envs = checked_count("num_envs", num_envs)
        self.max_cycles = rules.default_max_cycles if max_cycles is None else checked_count("max_cycles", max_cycles)
        self._backend = backend
        self._stream = backend.stream(None)
        self._state: Any = None
        self._final: Any = None

    def reset(self, seed: int | None = None) -> VectorStep:
        """Start all games; rewards are those of the opening chance moves, usually zero."""
        xp, device, make_stream = self._backend
        if seed is not None:
            self._stream = make_stream(seed)
        self._state, self._turn, rewards = start(self.rules, self.num_envs, self._backend, self._stream)
        self._opening = xp.zeros_like(rewards)
        self._final = self._state
        self._cycles = xp.zeros((self.num_envs,), dtype=xp.int64, device=device)
        no = xp.zeros((self.num_envs,), dtype=xp.bool, device=device)
        return self._look(rewards, no, no)

    def step(self, actions: Array) -> VectorStep:
        """Move in every game.

        Args:
            actions: [B] int, the movers' actions, or [B, N] in a simultaneous game.

        Raises:
            IllegalActionError: if `reset` was not called, the shape is wrong, or an action is illegal.
        """
        if self._state is None:
            raise IllegalActionError("step() needs games in progress; call reset() first")
        xp, device, _ = self._backend
        rules = self.rules
        actions = xp.asarray(actions, device=device)
        self._check(actions)
        actions = xp.astype(actions, xp.int64)
        if rules.simultaneous:
            by_chance = (self.num_envs, rules.num_columns - rules.num_players)
            actions = xp.concat([actions, xp.zeros(by_chance, dtype=xp.int64, device=device)], axis=1)
        state, turn, rewards = advance(rules, self._state, actions, self._stream)
        rewards, self._opening = rewards + self._opening, xp.zeros_like(rewards)
        self._cycles = self._cycles + 1
        terminated = turn == TERMINAL
        truncated = xp.zeros_like(terminated)
        if self.max_cycles is not None:
            truncated = (self._cycles >= self.max_cycles) & ~terminated
        self._final = state
        ended = xp.nonzero(terminated | truncated)[0]
        if ended.shape[0]:
            fresh, fresh_turn, opening = start(rules, ended.shape[0], self._backend, self._stream)
            state = fresh if ended.shape[0] == self.num_envs else put_rows(state, ended, fresh)
            turn = scatter(turn, ended, fresh_turn)
            self._opening = scatter(self._opening, ended, opening)
            self._cycles = scatter(self._cycles, ended, xp.zeros_like(ended))
        self._state, self._turn = state, turn
        return self._look(rewards, terminated, truncated)

    def final_observations(self, player: int) -> Array:
        """What `player` saw at the end of the last step, before any reset: [B, D] float32.

        At rows that terminated or were truncated these are the final observations of the ended games.

        Raises:
            InputError: if there is no such player, or `reset` was not called.
        """
        require_player("final_observations", player, self.rules.num_players, started=self._state is not None)
        return self.rules.observation(self._final, everywhere(self._cycles, player))

    def _check(self, actions: Array) -> None:
        shape = (self.num_envs, self.rules.num_players) if self.rules.simultaneous else (self.num_envs,)
        if tuple(actions.shape) != shape:
            raise IllegalActionError(f"actions must have shape {shape}, got {tuple(actions.shape)}")
        xp = namespace(actions)
        if not xp.isdtype(actions.dtype, "integral"):
            raise IllegalActionError(f"actions must be integers, got {actions.dtype}")
        width = self.rules.max_actions
        inside = (actions >= 0) & (actions < width)
        index = xp.clip(actions, 0, width - 1)[..., None]
        legal = inside & xp.take_along_axis(self._masks, index, axis=-1)[..., 0]
        if not bool(xp.all(legal)):
            row = int(xp.nonzero(~xp.reshape(legal, (-1,)))[0][0])
            mask = xp.nonzero(xp.reshape(self._masks, (-1, width))[row])[0]
            game = row // (legal.shape[1] if legal.ndim > 1 else 1)
            raise IllegalActionError(
                f"game {game}: action {int(xp.reshape(actions, (-1,))[row])} is illegal here; "
                f"legal actions: {[int(a) for a in mask]}"
            )

    def _look(self, rewards: Array, terminated: Array, truncated: Array) -> VectorStep:
        rules, state, turn = self.rules, self._state, self._turn
        xp = namespace(turn)
        if not rules.simultaneous:
            masks = rules.legal_actions(state, turn)
            observations, keys = rules.observation(state, turn), rules.information_state(state, turn)
        else:
            keys, observations, masks = rules.seen_by_all(state)
            masks = masks_where_acting(masks, rules.acting(state))
        self._masks = xp.asarray(masks, copy=True)  # the caller may write to what it gets
        return VectorStep(turn, observations, masks, keys, rewards, terminated, truncated)
