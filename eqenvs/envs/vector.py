"""Thousands of games stepped together, on numpy or torch, with no Python loop over games."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from eqenvs.arrays import (
    Array,
    Backend,
    BoolArray,
    IntArray,
    everywhere,
    make_backend,
    map_state,
    namespace,
    put_rows,
    scatter,
)
from eqenvs.errors import IllegalActionError, InputError
from eqenvs.kernels import compiled
from eqenvs.models.information_states import masks_where_acting
from eqenvs.rules import TERMINAL, Rules
from eqenvs.simulation import advance, start


@compiled
def first_illegal(actions: IntArray, point: IntArray, masks: BoolArray) -> int:
    """The first entry of `actions` [B, M] that its mask, `masks[point[b], m]`, forbids, in C order, or -1."""
    games, movers = actions.shape
    for game in range(games):
        for mover in range(movers):
            action = actions[game, mover]
            if action < 0 or action >= masks.shape[2] or not masks[point[game], mover, action]:
                return int(game * movers + mover)
    return -1


@compiled
def count_stage(
    turn: IntArray, cycles: IntArray, most: int, terminated: BoolArray, truncated: BoolArray, ended: IntArray
) -> int:
    """Another stage of each game: `cycles` counts it, or is 0 in the games that end, which are told; how many do.

    Args:
        turn: [B] who is to move.
        cycles: [B] stages made, changed.
        most: stages after which games are truncated; 0 for no bound.
        terminated: [B] written.
        truncated: [B] written.
        ended: [B], its first entries become the numbers of the games that ended.
    """
    count = 0
    for game in range(len(turn)):
        stages = cycles[game] + 1
        over = turn[game] == TERMINAL
        cut = not over and 0 < most <= stages
        terminated[game], truncated[game] = over, cut
        cycles[game] = 0 if over or cut else stages
        ended[count] = game
        count += over or cut
    return count


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


class VectorSnapshot(NamedTuple):
    """The games in progress of a `VectorEnv`, without its randomness; arrays of the backend, B games.

    Attributes:
        state: of the rules.
        turn: [B] int64, who is to move.
        cycles: [B] int64, decision stages made.
        opening: [B, N] float64, what opening chance moves paid and the next step gives.
        final: of the rules, how the last step ended before any reset.
    """

    state: Any
    turn: Array
    cycles: Array
    opening: Array
    final: Any


def checked_count(name: str, value: Any) -> int:
    """A number of games or of stages.

    Raises:
        InputError: naming it, unless it is an integer of at least 1.
    """
    if not isinstance(value, int | np.integer) or isinstance(value, bool) or value < 1:
        raise InputError(f"{name} must be an integer of at least 1, got {value!r}")
    return int(value)


def require_rows(rows: int, num_envs: int) -> None:
    """Raise InputError unless a snapshot is of as many games as the environment has."""
    if rows != num_envs:
        raise InputError(f"restore() needs a snapshot of {num_envs} games, got one of {rows}")


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
        self._chance = bool(rules.num_chance_outcomes or rules.chance_draws)  # else openings pay nothing
        self._numpy = backend.xp is make_backend().xp
        self._first: Any = None  # how every game begins, a batch of one, where chance has no say in it
        self._rows = np.arange(self.num_envs)
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
        return self._look(rewards, *self._no_ends())

    def reseed(self, seed: int | None) -> None:
        """Start the random stream anew, games going on; None for one that no seed gives."""
        self._stream = self._backend.stream(seed)

    def snapshot(self) -> VectorSnapshot:
        """A copy of the games in progress, for `restore`; the random stream is not part of it.

        Raises:
            InputError: if `reset` was not called.
        """
        if self._state is None:
            raise InputError("snapshot() needs games in progress; call reset() first")
        return self._copy(VectorSnapshot(self._state, self._turn, self._cycles, self._opening, self._final))

    def restore(self, snapshot: VectorSnapshot) -> VectorStep:
        """Go on from a snapshot, whose arrays are copied; the random stream stays where it is.

        Returns:
            What the games show; rewards are zero and nothing has ended.

        Raises:
            InputError: if the snapshot is of another number of games.
        """
        require_rows(snapshot.turn.shape[0], self.num_envs)
        self._state, self._turn, self._cycles, self._opening, self._final = self._copy(snapshot)
        return self._look(self._backend.xp.zeros_like(self._opening), *self._no_ends())

    def _copy(self, snapshot: VectorSnapshot) -> VectorSnapshot:
        xp, device, _ = self._backend

        def copied(field: Array) -> Array:
            return xp.asarray(field, device=device, copy=True)

        return VectorSnapshot(
            state=map_state(copied, snapshot.state),
            turn=copied(snapshot.turn),
            cycles=copied(snapshot.cycles),
            opening=copied(snapshot.opening),
            final=map_state(copied, snapshot.final),
        )

    def _no_ends(self) -> tuple[Array, Array]:
        xp, device, _ = self._backend
        no = xp.zeros((self.num_envs,), dtype=xp.bool, device=device)
        return no, xp.zeros_like(no)

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
        if not (self._numpy and type(actions) is np.ndarray):
            actions = xp.asarray(actions, device=device)
        actions = self._checked(actions)
        if rules.simultaneous:
            by_chance = (self.num_envs, rules.num_columns - rules.num_players)
            actions = xp.concat([actions, xp.zeros(by_chance, dtype=xp.int64, device=device)], axis=1)
        state, turn, rewards = advance(rules, self._state, actions, self._stream)
        if self._chance:
            rewards, self._opening = rewards + self._opening, xp.zeros_like(rewards)
        terminated, truncated, ended = self._stage_over(turn)
        self._final = state
        if ended.shape[0]:
            fresh, fresh_turn, opening = self._begun(ended.shape[0])
            state = fresh if self._chance and ended.shape[0] == self.num_envs else put_rows(state, ended, fresh)
            turn = scatter(turn, ended, fresh_turn)
            if self._chance:
                self._opening = scatter(self._opening, ended, opening)
        self._state, self._turn = state, turn
        return self._look(rewards, terminated, truncated)

    def _stage_over(self, turn: Array) -> tuple[Array, Array, Array]:
        """Count the stage; which games terminated and were truncated by it, [B] bool, and the numbers of both."""
        xp = self._backend.xp
        if self._numpy:
            terminated, truncated = np.empty(self.num_envs, dtype=np.bool_), np.empty(self.num_envs, dtype=np.bool_)
            ended = np.empty(self.num_envs, dtype=np.int64)
            count = count_stage(turn, self._cycles, self.max_cycles or 0, terminated, truncated, ended)
            return terminated, truncated, ended[:count]
        self._cycles = self._cycles + 1
        terminated = turn == TERMINAL
        truncated = xp.zeros_like(terminated)
        if self.max_cycles is not None:
            truncated = (self._cycles >= self.max_cycles) & ~terminated
        ended = xp.nonzero(terminated | truncated)[0]
        self._cycles = xp.where(terminated | truncated, 0, self._cycles)
        return terminated, truncated, ended

    def _begun(self, count: int) -> tuple[Any, Array, Array]:
        """New games as `start` gives them; a single one to stand for all where they begin alike."""
        if self._chance:
            return start(self.rules, count, self._backend, self._stream)
        if self._first is None:
            self._first = start(self.rules, 1, self._backend, self._stream)
        found: tuple[Any, Array, Array] = self._first
        return found

    def observations(self, player: int) -> Array:
        """What `player` sees now, whoever is to move: [B, D] float32.

        Raises:
            InputError: if there is no such player, or `reset` was not called.
        """
        require_player("observations", player, self.rules.num_players, started=self._state is not None)
        return self.rules.observation(self._state, everywhere(self._cycles, player))

    def final_observations(self, player: int) -> Array:
        """What `player` saw at the end of the last step, before any reset: [B, D] float32.

        At rows that terminated or were truncated these are the final observations of the ended games.

        Raises:
            InputError: if there is no such player, or `reset` was not called.
        """
        require_player("final_observations", player, self.rules.num_players, started=self._state is not None)
        return self.rules.observation(self._final, everywhere(self._cycles, player))

    def final_keys(self, player: int) -> Array:
        """The information-state keys of `player` that go with `final_observations`, [B, W] int64."""
        require_player("final_keys", player, self.rules.num_players, started=self._state is not None)
        return self.rules.information_state(self._final, everywhere(self._cycles, player))

    def final_masks(self, player: int) -> Array:
        """The legal actions of `player` that go with `final_observations`, [B, A] bool; anything after a game's end.

        A player who does not move there has only action 0.
        """
        require_player("final_masks", player, self.rules.num_players, started=self._state is not None)
        masks = self.rules.legal_actions(self._final, everywhere(self._cycles, player))
        if self.rules.simultaneous:
            return masks_where_acting(masks, self.rules.acting(self._final)[:, player])
        return masks_where_acting(masks, self.rules.turn(self._final) == player)

    def _checked(self, actions: Array) -> Array:
        """A copy of the actions as int64: rules may keep it, the caller may change its own."""
        shape = (self.num_envs, self.rules.num_players) if self.rules.simultaneous else (self.num_envs,)
        if tuple(actions.shape) != shape:
            raise IllegalActionError(f"actions must have shape {shape}, got {tuple(actions.shape)}")
        xp = self._backend.xp
        if not (actions.dtype.kind in "iu" if self._numpy else xp.isdtype(actions.dtype, "integral")):
            raise IllegalActionError(f"actions must be integers, got {actions.dtype}")
        games, width = self.num_envs, self.rules.max_actions
        if self._numpy:
            chosen = actions.astype(np.int64, order="C")
            entry = first_illegal(chosen.reshape(games, -1), self._rows, self._masks.reshape(games, -1, width))
        else:
            chosen = xp.astype(actions, xp.int64)
            inside = (actions >= 0) & (actions < width)
            index = xp.clip(actions, 0, width - 1)[..., None]
            legal = inside & xp.take_along_axis(self._masks, index, axis=-1)[..., 0]
            entry = -1 if bool(xp.all(legal)) else int(xp.nonzero(~xp.reshape(legal, (-1,)))[0][0])
        if entry >= 0:
            mask = xp.nonzero(xp.reshape(self._masks, (-1, width))[entry])[0]
            game = entry * games // math.prod(shape)
            if len(mask) == 0:
                raise IllegalActionError(f"game {game}: the rules give whoever is to move no legal action")
            raise IllegalActionError(
                f"game {game}: action {int(xp.reshape(actions, (-1,))[entry])} is illegal here; legal actions: "
                f"{[int(a) for a in mask]}"
            )
        return chosen

    def _look(self, rewards: Array, terminated: Array, truncated: Array) -> VectorStep:
        rules, state, turn = self.rules, self._state, self._turn
        xp = namespace(turn)
        if not rules.simultaneous:
            masks = rules.legal_actions(state, turn)
            observations, keys = rules.observation(state, turn), rules.information_state(state, turn)
        else:
            keys, observations, masks = rules.seen_by_all(state)
            masks = masks_where_acting(masks, rules.acting(state))
        # The caller may write to what it gets.
        self._masks = masks.copy() if self._numpy else xp.asarray(masks, copy=True)
        return VectorStep(turn, observations, masks, keys, rewards, terminated, truncated)
