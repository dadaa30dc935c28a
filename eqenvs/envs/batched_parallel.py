"""Copies of a PettingZoo Parallel environment stepped together, with automatic reset, as `VectorEnv` steps games.

For environments with Discrete actions whose players stay the same throughout an episode: those of others, and
`eqenvs.robust.RobustParallelEnv`. What is stepped is Python, one environment after another: the batch is for learners
that take one, not for speed.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray
from pettingzoo import ParallelEnv

from eqenvs.arrays import BoolArray, Float32Array, Float64Array, IntArray
from eqenvs.envs.vector import VectorStep, checked_count, require_player, require_rows
from eqenvs.errors import IllegalActionError, InputError, UnsupportedGame
from eqenvs.rules import SIMULTANEOUS

MASK = "action_mask"
MakeParallelEnv: TypeAlias = Callable[[], Any]


class Looks(NamedTuple):
    """What B games show their N players."""

    observations: Float32Array  # [B, N, D]
    masks: BoolArray  # [B, N, A]
    keys: IntArray  # [B, N, W]


def _copied(looks: Looks) -> Looks:
    return Looks(np.array(looks.observations), np.array(looks.masks), np.array(looks.keys))


class ParallelSnapshot(NamedTuple):
    """The games in progress of a `BatchedParallelEnv`, their own randomness included."""

    games: NDArray[np.uint8]  # the environments, pickled
    cycles: IntArray  # [B]
    shown: Looks
    final: Looks


def key_width(space: spaces.Space[Any]) -> int | None:
    """How many integers tell the elements of a space apart; None if it is not made of discrete ones."""
    if isinstance(space, spaces.Discrete):
        return 1
    if isinstance(space, spaces.MultiDiscrete | spaces.MultiBinary):
        return int(np.prod(space.shape))
    if isinstance(space, spaces.Dict | spaces.Tuple):
        parts = space.spaces.values() if isinstance(space, spaces.Dict) else space.spaces
        widths = [key_width(part) for part in parts]
        return None if None in widths else sum(width for width in widths if width is not None)
    return None


def key_of(space: spaces.Space[Any], value: Any) -> list[int]:
    """The integers of an element."""
    if isinstance(space, spaces.Dict):
        return [entry for name, part in space.spaces.items() for entry in key_of(part, value[name])]
    if isinstance(space, spaces.Tuple):
        return [entry for part, own in zip(space.spaces, value, strict=True) for entry in key_of(part, own)]
    return [int(entry) for entry in np.ravel(value)]


class BatchedParallelEnv:
    """A batch of environments with same-step automatic reset; what a step returns is that of `VectorEnv`.

    Observation: float32 [B, N, D], each player's flattened by Gymnasium (Discrete spaces one-hot) without its mask, and
    filled up with zeros to the widest; a share of the horizon that has passed in front of it, if there is one.
    Keys: int64 [B, N, W], the observation as integers if all of it is discrete (W is 0 otherwise), filled up with -1;
    the step in front of them given a horizon. What a player sees while its info has `acting` false is told apart by
    entries -2 - x.
    Masks: `action_mask` in the observation or in the info; all actions where there is none. A player whose mask is
    empty has action 0. At the end of a game environments often give empty masks: `final_masks` has them as they are.
    Action: [B, N], from 0, whatever the spaces start from.
    Reward: float64 [B, N].
    End: a game is over when all players are. It is `terminated` if all of them were terminated, else `truncated`; at
    the horizon it is terminated.

    Attributes:
        num_envs: B.
        agents: names of the players, in order.
        num_players: N.
        num_actions: of each player.
        max_actions: A.
        observation_size: D.
        keyed: whether there are keys.
        horizon: steps after which a game is over, or None.
    """

    def __init__(self, make_env: MakeParallelEnv, num_envs: int, *, horizon: int | None = None) -> None:
        """Make the environments.

        Args:
            make_env: makes one; called B times.
            num_envs: B.
            horizon: steps after which a game is over, which players are then shown; None: the environment decides.

        Raises:
            InputError: if `make_env` makes no Parallel environment.
            UnsupportedGame: if an action space is not Discrete.
        """
        self.num_envs = checked_count("num_envs", num_envs)
        self.horizon = None if horizon is None else checked_count("horizon", horizon)
        self._envs = [make_env() for _ in range(self.num_envs)] if callable(make_env) else [None]
        env = self._envs[0]
        if not isinstance(env, ParallelEnv):
            raise InputError(f"make_env must be a function that makes a pettingzoo.ParallelEnv, got {make_env!r}")
        self.agents = tuple(env.possible_agents)
        self.num_players = len(self.agents)
        self._actions = [env.action_space(agent) for agent in self.agents]
        for agent, space in zip(self.agents, self._actions, strict=True):
            if not isinstance(space, spaces.Discrete):
                raise UnsupportedGame(f"BatchedParallelEnv: actions must be Discrete, those of {agent} are {space}")
        self.num_actions = tuple(int(space.n) for space in self._actions)
        self.max_actions = max(self.num_actions)
        self._seen = [_without_mask(env.observation_space(agent)) for agent in self.agents]
        widths = [key_width(space) for space in self._seen]
        self.keyed = None not in widths
        self._key_width = max(width or 0 for width in widths) if self.keyed else 0
        self._clocked = int(self.horizon is not None)
        self.observation_size = self._clocked + max(spaces.flatdim(space) for space in self._seen)
        self._rng = np.random.default_rng()
        self._cycles = np.zeros(self.num_envs, dtype=np.int64)
        self._started = False

    def reset(self, seed: int | None = None) -> VectorStep:
        """Start all games."""
        if seed is not None:
            self.reseed(seed)
        self._cycles[:] = 0
        self._shown = self._blank()
        for row in range(self.num_envs):
            self._begin(row)
        self._final, self._started = self._shown, True
        no = np.zeros(self.num_envs, dtype=bool)
        return self._look(np.zeros((self.num_envs, self.num_players)), no, no.copy())

    def reseed(self, seed: int | None) -> None:
        """Seed the games that begin from here on; those in progress go on with the randomness that they have."""
        self._rng = np.random.default_rng(seed)

    def step(self, actions: Any) -> VectorStep:
        """Move in every game.

        Args:
            actions: [B, N] int.

        Raises:
            IllegalActionError: if `reset` was not called, the shape is wrong, or an action is illegal.
            UnsupportedGame: if a player is over before the others.
        """
        actions = self._checked(actions)
        rewards = np.zeros((self.num_envs, self.num_players))
        terminated, truncated = np.zeros(self.num_envs, dtype=bool), np.zeros(self.num_envs, dtype=bool)
        shown = self._blank()
        self._cycles = self._cycles + 1
        for row, env in enumerate(self._envs):
            own = zip(self.agents, self._actions, actions[row], strict=True)
            moved = env.step({agent: int(space.start + action) for agent, space, action in own})
            observations, paid, ended, cut, infos = moved
            rewards[row] = [paid[agent] for agent in self.agents]
            over = [bool(ended[agent] or cut[agent]) for agent in self.agents]
            if any(over) and not all(over):
                raise UnsupportedGame("BatchedParallelEnv: all players must be over at once; some of them go on here")
            terminated[row] = all(bool(ended[agent]) for agent in self.agents)
            truncated[row] = all(over) and not terminated[row]
            self._write(shown, row, observations, infos, over=all(over))
        if self.horizon is not None:
            terminated |= self._cycles >= self.horizon
            truncated &= ~terminated
        self._final, self._shown = shown, _copied(shown)
        for row in np.flatnonzero(terminated | truncated).tolist():
            self._cycles[row] = 0
            self._begin(row)
        return self._look(rewards, terminated, truncated)

    def final_observations(self, player: int) -> Float32Array:
        """What `player` saw at the end of the last step, before any reset: [B, D]."""
        require_player("final_observations", player, self.num_players, started=self._started)
        return self._final.observations[:, player].copy()

    def final_keys(self, player: int) -> IntArray:
        """The keys that go with `final_observations`, [B, W]."""
        require_player("final_keys", player, self.num_players, started=self._started)
        return self._final.keys[:, player].copy()

    def final_masks(self, player: int) -> BoolArray:
        """The legal actions that go with `final_observations`, [B, A]; none where the environment does not say."""
        require_player("final_masks", player, self.num_players, started=self._started)
        return self._final.masks[:, player].copy()

    def snapshot(self) -> ParallelSnapshot:
        """A copy of the games in progress, for `restore`: of environments that can be pickled.

        Raises:
            InputError: if `reset` was not called, or an environment cannot be pickled.
        """
        if not self._started:
            raise InputError("snapshot() needs games in progress; call reset() first")
        try:
            data = pickle.dumps(self._envs)
        except (pickle.PicklingError, AttributeError, TypeError) as error:
            raise InputError(f"snapshot() needs environments that can be pickled: {error}") from None
        pickled = np.frombuffer(data, dtype=np.uint8).copy()
        return ParallelSnapshot(pickled, self._cycles.copy(), _copied(self._shown), _copied(self._final))

    def restore(self, snapshot: ParallelSnapshot) -> VectorStep:
        """Go on from a snapshot; one is unpickled, so it must come from where nobody else writes.

        Returns:
            What the games show; rewards are zero and nothing has ended.

        Raises:
            InputError: if the snapshot is of another number of games.
        """
        require_rows(len(snapshot.cycles), self.num_envs)
        self._envs = pickle.loads(np.asarray(snapshot.games).tobytes())
        self._cycles = np.array(snapshot.cycles)
        self._shown, self._final = _copied(snapshot.shown), _copied(snapshot.final)
        self._started = True
        no = np.zeros(self.num_envs, dtype=bool)
        return self._look(np.zeros((self.num_envs, self.num_players)), no, no.copy())

    def close(self) -> None:
        """Close the environments."""
        for env in self._envs:
            env.close()

    def _blank(self) -> Looks:
        shape = self.num_envs, self.num_players
        return Looks(
            np.zeros((*shape, self.observation_size), dtype=np.float32),
            np.zeros((*shape, self.max_actions), dtype=bool),
            np.full((*shape, self._key_width + (self._clocked if self.keyed else 0)), -1, dtype=np.int64),
        )

    def _begin(self, row: int) -> None:
        """Start a game over and write what it shows."""
        observations, infos = self._envs[row].reset(seed=int(self._rng.integers(2**31)))
        shown = self._shown
        shown.observations[row] = 0.0
        shown.masks[row] = False
        shown.keys[row] = -1
        self._write(self._shown, row, observations, infos, over=False)

    def _write(
        self, looks: Looks, row: int, observations: dict[str, Any], infos: dict[str, Any], *, over: bool
    ) -> None:
        clock = int(self._cycles[row])
        for player, (agent, space, own) in enumerate(zip(self.agents, self._seen, self.num_actions, strict=True)):
            seen = observations[agent]
            mask = seen.get(MASK) if isinstance(seen, dict) else None
            mask = infos.get(agent, {}).get(MASK) if mask is None else mask
            legal = np.ones(own, dtype=bool) if mask is None else np.asarray(mask, dtype=bool)
            looks.masks[row, player, :own] = legal
            looks.masks[row, player, 0] |= not over and not legal.any()
            seen = _unwrapped(space, seen)
            flat = np.asarray(spaces.flatten(space, seen), dtype=np.float32)
            looks.observations[row, player, self._clocked : self._clocked + len(flat)] = flat
            if self.horizon is not None:
                looks.observations[row, player, 0] = clock / self.horizon
            if self.keyed:
                acting = over or infos.get(agent, {}).get("acting", True)
                entries = [clock] * self._clocked + [e if acting else -2 - e for e in key_of(space, seen)]
                looks.keys[row, player, : len(entries)] = entries

    def _checked(self, actions: Any) -> IntArray:
        if not self._started:
            raise IllegalActionError("step() needs games in progress; call reset() first")
        given, shape = np.asarray(actions), (self.num_envs, self.num_players)
        if given.shape != shape or not np.issubdtype(given.dtype, np.integer):
            raise IllegalActionError(f"actions must be integers of shape {shape}, got {given.dtype} of {given.shape}")
        inside = (given >= 0) & (given < self.max_actions)
        picked = np.where(inside, given, 0)[..., None]
        legal = inside & np.take_along_axis(self._shown.masks, picked, axis=2)[..., 0]
        if not legal.all():
            row, player = np.argwhere(~legal)[0]
            allowed = np.flatnonzero(self._shown.masks[row, player]).tolist()
            raise IllegalActionError(
                f"game {row}: action {given[row, player]} of {self.agents[player]} is illegal here; "
                f"legal actions: {allowed}"
            )
        return given.astype(np.int64)

    def _look(self, rewards: Float64Array, terminated: BoolArray, truncated: BoolArray) -> VectorStep:
        players = np.full(self.num_envs, SIMULTANEOUS, dtype=np.int64)
        shown = _copied(self._shown)  # the caller may write to what it gets
        return VectorStep(players, shown.observations, shown.masks, shown.keys, rewards, terminated, truncated)


def _without_mask(space: spaces.Space[Any]) -> spaces.Space[Any]:
    """The space without its mask; what is then a dict of one is that one."""
    if not isinstance(space, spaces.Dict) or MASK not in space.spaces:
        return space
    rest = {name: part for name, part in space.spaces.items() if name != MASK}
    return next(iter(rest.values())) if len(rest) == 1 else spaces.Dict(rest)


def _unwrapped(space: spaces.Space[Any], seen: Any) -> Any:
    """The part of an observation that is in the space."""
    if not isinstance(seen, dict):
        return seen
    if isinstance(space, spaces.Dict):
        return {name: seen[name] for name in space.spaces}
    return next(value for name, value in seen.items() if name != MASK)
