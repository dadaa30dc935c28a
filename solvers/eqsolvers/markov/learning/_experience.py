"""Tabular learning from a batch of environments: states are numbered as they are met, and no model is asked.

A method's file holds its update once, as compiled functions of one player or of one state. The loop over a model's
tables in the same file calls them, and so does `OnlineProcess` here, which plays in anything that steps like
`eqenvs.envs.vector.VectorEnv`. Tables grow by doubling. In a step of B games

1. every row's actions are chosen from the same tables,
2. all games move,
3. the method learns from the B transitions, one after another in the order of the rows.

With B = 1 that is the textbook's loop; with more, what rows learn in a step none of them has played by yet. A game that
ends starts anew at once. An end by the rules or by a horizon is worth nothing more; one that was cut off is worth what
the state is that it was cut off at; nothing yet, if that state was not met before and the environment does not tell its
legal actions.

Learners that see one table of joint actions need players who all see the same state; where players see different
things, each has a numbering of its own, and only learners that every player runs by itself play there.

Cost of a step: the environment's, a dictionary look-up for each row, and the method's own for each row.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np

from eqenvs.arrays import BoolArray, IntArray, read_only
from eqenvs.envs.vector import VectorStep
from eqenvs.errors import InputError, UnsupportedGame
from eqenvs.models.markov import MarkovModel, joint_legal
from eqenvs.policies import MarkovCorrelatedPolicy, TabularPolicy
from eqsolvers.kernels import random_stream
from eqsolvers.markov.learning._met import MetPolicy, Numbering
from eqsolvers.markov.learning._online import FIRST_CAPACITY, Moves, OnlineLearner, Told
from eqsolvers.markov.learning._process import ONE_STEP, joint_shape, refuse_large
from eqsolvers.markov.learning._sampler import END, table_of


class Source(Protocol):
    """A batch of games, stepped together and reset by themselves; see `VectorEnv`."""

    num_envs: int

    def reset(self, seed: int | None = None) -> VectorStep:
        """Start all games."""

    def step(self, actions: Any) -> VectorStep:
        """Move in every game; `actions` [B, N]."""

    def final_keys(self, player: int) -> Any:
        """[B, W], where the last step ended before any reset."""

    def final_masks(self, player: int) -> Any:
        """[B, A], there."""

    def reseed(self, seed: int | None) -> None:
        """Start the random stream anew, games going on."""

    def snapshot(self) -> Any:
        """The games in progress, as nested tuples of arrays."""

    def restore(self, snapshot: Any) -> VectorStep:
        """Go on from there; what the games show."""


class OnlineProcess:
    """A method at work in a batch of environments.

    Two processes in the same state do the same from there on, to the bit: the environment's randomness is seeded anew
    in every step, by the seed and the number of the step. A step of all games is an iteration.

    Args:
        env: what is played in.
        told: of it.
        method: for messages.
        learner: the method's part.
        seed: of everything.
    """

    unit = "steps"  # of `touched`

    def __init__(self, env: Source, told: Told, method: str, learner: OnlineLearner, seed: int) -> None:
        self._env, self.told, self.method, self._learner, self._seed = env, told, method, learner, int(seed)
        self._stream = random_stream(self._seed)
        self.iteration = 0
        count = 1 if told.shared else told.num_players
        self._numberings = [Numbering() for _ in range(count)]
        self._lay_out(FIRST_CAPACITY)
        first = env.reset(self._seed_at(-1))
        if np.any(np.asarray(first.rewards)):
            raise UnsupportedGame(f"{method}: the game pays before the first action, which no state could be told of")
        self._clock = np.zeros(env.num_envs, dtype=np.int64)
        self._points = self._numbered(first.keys, first.masks, self._clock)

    def _seed_at(self, step: int) -> int:
        return int(np.random.SeedSequence([self._seed, step + 1]).generate_state(1)[0])

    @property
    def touched(self) -> int:
        """Steps played, of all games."""
        return self.iteration * self._env.num_envs

    @property
    def met(self) -> int:
        """States met, of the player who met most."""
        return max(len(numbering) for numbering in self._numberings)

    def run(self, iterations: int) -> None:
        """Play some more steps of all games."""
        for _ in range(iterations):
            self._step()
            self.iteration += 1

    def _step(self) -> None:
        actions, chosen = self._learner.act(self._table, self._tables, self._points, self._stream)
        self._env.reseed(self._seed_at(self.iteration))
        shown = self._env.step(actions)
        over, cut = np.asarray(shown.terminated), np.flatnonzero(np.asarray(shown.truncated))
        begins = over | np.asarray(shown.truncated)
        clock = np.where(begins, 0, self._clock + 1)
        points = self._numbered(shown.keys, shown.masks, clock)
        following = np.where(over[:, None], END, points)
        if len(cut):
            players = range(self.told.num_players)
            keys = np.stack([np.asarray(self._env.final_keys(player))[cut] for player in players], axis=1)
            masks = np.stack([np.asarray(self._env.final_masks(player))[cut] for player in players], axis=1)
            following[cut] = self._cut_off(keys, masks, self._clock[cut] + 1)
        rewards = np.asarray(shown.rewards, dtype=np.float64)
        moves = Moves(self._clock, self._points, actions, rewards, following, begins, points)
        self._learner.learn(self._table, self._tables, moves, chosen)
        self._clock, self._points = clock, points

    def _cut_off(self, keys: Any, masks: BoolArray, steps: IntArray) -> IntArray:
        """The points [M, N] that games were cut off at; END for one that was not met and has no legal actions told."""
        points = np.stack([self._numbering_of(p).find(keys[:, p]) for p in range(self.told.num_players)], axis=1)
        told = np.all(np.any(masks, axis=2), axis=1)
        if told.any():
            points[told] = self._numbered(keys[told], masks[told], steps[told])
        return points

    def _numbering_of(self, player: int) -> Numbering:
        return self._numberings[0 if self.told.shared else player]

    def _numbered(self, keys: Any, masks: Any, steps: IntArray) -> IntArray:
        """The points [M, N] of keys [M, N, W], with what has to be known of new ones."""
        keys, masks = np.asarray(keys), np.asarray(masks, dtype=bool)
        points = np.empty(keys.shape[:2], dtype=np.int64)
        if self.told.shared and (keys != keys[:, :1]).any():
            raise UnsupportedGame(
                f"{self.method}: the players see different states; say so (shared=False) to independent learners"
            )
        for index, numbering in enumerate(self._numberings):
            rows, new = numbering.rows(keys[:, index])
            points[:, index:] = rows[:, None]
            if len(new):
                players = range(self.told.num_players) if self.told.shared else (index,)
                self._meet(players, rows[new], masks[new], steps[new])
        for player in range(self.told.num_players):
            if (self._masks[player, points[:, player]] != masks[:, player, : self._masks.shape[2]]).any():
                raise InputError(
                    f"{self.method}: legal actions differ between two visits to a state; keys must tell them apart"
                )
        return points

    def _meet(self, players: Any, rows: IntArray, masks: BoolArray, steps: IntArray) -> None:
        if self.met > self._table.states:
            self._grow()
        for player in players:
            legal = masks[:, player, : self._masks.shape[2]]
            self._masks[player, rows] = legal
            self._table.actions[player, rows] = np.argsort(~legal, axis=1, kind="stable")
            self._table.counts[player, rows] = legal.sum(axis=1)
        for player in players:
            self._learner.meet(self._table, self._tables, player, rows, steps)

    def _lay_out(self, capacity: int) -> None:
        told = self.told
        widest = max(told.num_actions)
        refuse_large(self.method, told.num_players, capacity, widest)
        strides = np.append(np.cumprod(told.num_actions[:0:-1], dtype=object)[::-1], 1)
        if told.num_profiles >= 2**62:
            strides = np.zeros(told.num_players)  # nobody counts these joint actions
        self._masks = np.zeros((told.num_players, capacity, widest), dtype=bool)
        self._table = table_of(ONE_STEP)._replace(
            actions=np.zeros((told.num_players, capacity, widest), dtype=np.int64),
            counts=np.zeros((told.num_players, capacity), dtype=np.int64),
            strides=read_only(strides.astype(np.int64)),
            states=capacity,
            profiles=min(told.num_profiles, 2**62),
            horizon=told.horizon or 0,
            length=told.horizon or 0,
            discount=float(told.discount),
        )
        self._tables = self._learner.blank(capacity)

    def _grow(self) -> None:
        """Double the room until all points have a row."""
        before, masks, tables = self._table, self._masks, self._tables
        capacity = before.states
        while capacity < self.met:
            capacity *= 2
        self._lay_out(capacity)
        _copy_rows(masks, self._masks)
        _copy_rows(before.actions, self._table.actions)
        _copy_rows(before.counts, self._table.counts)
        for old, new in zip(tables, self._tables, strict=True):
            _copy_rows(old, new)

    def measures(self) -> dict[str, float]:
        """The method's own figures."""
        return self._learner.measures(self._tables)

    def behaviour(self) -> MetPolicy:
        """The policy at the states met, each player's own part of it where it is correlated; uniform elsewhere."""
        played = self._learner.strategies(self._table, self._tables)
        keys, tables = [], []
        for player, own in enumerate(self.told.num_actions):
            numbering = self._numbering_of(player)
            keys.append(numbering.keys)
            tables.append(played[player, : len(numbering), :own].copy())
        return MetPolicy(tuple(keys), tuple(tables))

    def policy_on(self, model: MarkovModel) -> TabularPolicy | MarkovCorrelatedPolicy:
        """The policy as one of a model of the same game; uniform at states that were never met."""
        joint = self._learner.joint(self._table, self._tables)
        if joint is None:
            policy = self.behaviour()
            return TabularPolicy(model, [policy(p, states) for p, states in enumerate(model.information_states)])
        rows = self._numberings[0].find(model.information_states[0].keys)
        legal = joint_legal([states.masks for states in model.information_states]).reshape(len(rows), -1)
        spread = np.asarray(legal / legal.sum(axis=1, keepdims=True), dtype=np.float64)
        spread[rows >= 0] = joint[rows[rows >= 0]]
        return MarkovCorrelatedPolicy(model, spread.reshape(joint_shape(model)))

    def unmet(self, model: MarkovModel) -> int:
        """Decision points of a model that were not met, of the player who missed most."""
        numberings = [self._numbering_of(player) for player in range(self.told.num_players)]
        return max(
            int((numbering.find(states.keys) < 0).sum())
            for numbering, states in zip(numberings, model.information_states, strict=True)
        )

    def state(self) -> dict[str, Any]:
        """All that changes, as nested dicts, lists, numbers and arrays; copies, for a checkpoint."""
        return {
            "iteration": self.iteration,
            "seed": self._seed,
            "stream": self._stream.copy(),
            "keys": [numbering.keys for numbering in self._numberings],
            "masks": self._masks.copy(),
            "clock": self._clock.copy(),
            "points": self._points.copy(),
            "tables": {name: array.copy() for name, array in self._tables._asdict().items()},
            "memory": self._learner.memory(),
            "games": _leaves(self._env.snapshot()),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go back to what `state()` gave.

        Raises:
            InputError: if the state is of another game or other settings.
        """
        masks = np.asarray(state["masks"])
        players, _, widest = self._masks.shape
        if masks.shape[::2] != (players, widest) or len(state["keys"]) != len(self._numberings):
            raise InputError(
                f"restore: the state is of another game, its masks of shape {masks.shape}, not ({players}, S, {widest})"
            )
        if len(state["clock"]) != self._env.num_envs:
            raise InputError(f"restore: the state is of {len(state['clock'])} games, not {self._env.num_envs}")
        self._lay_out(masks.shape[1])
        for name, array in self._tables._asdict().items():
            if name not in state["tables"] or state["tables"][name].shape != array.shape:
                raise InputError(f"restore: the state is of other settings: its tables differ in {name!r}")
            array[:] = state["tables"][name]
        self._masks[:] = masks
        met = np.any(masks, axis=2, keepdims=True)
        self._table.actions[:] = np.where(met, np.argsort(~masks, axis=2, kind="stable"), 0)
        self._table.counts[:] = masks.sum(axis=2)
        self._numberings = [Numbering(np.asarray(keys)) for keys in state["keys"]]
        self.iteration, self._seed = int(state["iteration"]), int(state["seed"])
        self._stream[:] = state["stream"]
        self._clock, self._points = np.array(state["clock"]), np.array(state["points"])
        self._learner.recall(state["memory"])
        self._env.restore(_filled(self._env.snapshot(), iter(state["games"])))


def _copy_rows(old: Any, new: Any) -> None:
    """Write an array into the front of one that is longer in one axis or none."""
    new[tuple(slice(0, size) for size in old.shape)] = old


def _leaves(part: Any) -> list[Any]:
    """The arrays of nested tuples, in order."""
    return [leaf for each in part for leaf in _leaves(each)] if isinstance(part, tuple) else [np.array(part)]


def _filled(like: Any, leaves: Any) -> Any:
    """Nested tuples like these, of the next arrays."""
    if not isinstance(like, tuple):
        return next(leaves)
    parts = [_filled(each, leaves) for each in like]
    return type(like)(*parts) if hasattr(like, "_fields") else tuple(parts)
