"""Thousands of games stepped together through tables of the exact model, by one compiled loop over the games.

The model of a turn-based extensive-form game or of a Markov game is laid out as a graph of decision points: what
follows a decision is drawn from a list of successors, chance moves worked in. A step is a look-up and a draw, whatever
the rules compute; `VectorEnv` runs the rules themselves, needs no model, and runs on a GPU. The two differ in two
things: rewards of an extensive-form game come at its end, all at once, and those of a Markov game are the expectations
over what chance decides within the step.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from eqenvs.arrays import BoolArray, Float32Array, Float64Array, IntArray, cumulative_by_row, make_backend, map_state
from eqenvs.envs.rollouts import Choices, Laws, Rollout, advance, choices, looked_up, play
from eqenvs.envs.vector import VectorStep, checked_count, first_illegal, require_player, require_rows
from eqenvs.errors import IllegalActionError, InputError, UnsupportedGame
from eqenvs.game import Game
from eqenvs.kernels import compiled
from eqenvs.models import ExtensiveFormModel, MarkovModel
from eqenvs.policies import JointPolicy, TabularPolicy, tabulate, uniform
from eqenvs.rules import CHANCE, SIMULTANEOUS

_OVER = -1  # successor of a decision that ends the game


class _Lists(NamedTuple):
    """What follows each row."""

    start: IntArray  # [rows + 1]
    node: IntArray  # [E] a decision point, or _OVER
    cumulative: Float64Array  # [E] within the row, 1 at its end
    reward: Float64Array  # [E, N]; [rows, N] where `_Graph.pays_by_row`


class _Graph(NamedTuple):
    """A game as a graph of decision points.

    Attributes:
        rows: what follows an action, or a joint action, at a decision point.
        first: a single row, how a game begins.
        strides: [N] from a joint action to its row; [1] where one player moves at a time.
        player: [nodes] who decides; SIMULTANEOUS in a Markov game.
        point: [nodes] row of the tables below.
        observations: [points, D]; with an axis for the players before the last in a Markov game, as the next two.
        masks: [points, A].
        keys: [points, W].
        num_rows: rows of a decision point.
        states: of a Markov game with a horizon; a decision point is then a step and a state, and rows are of states. 0
            elsewhere.
        pays_by_row: whether what an action pays does not depend on its successor, as in a Markov game.
    """

    rows: _Lists
    first: _Lists
    strides: IntArray
    player: IntArray
    point: IntArray
    observations: Float32Array
    masks: BoolArray
    keys: IntArray
    num_rows: int
    states: int
    pays_by_row: bool


def _lists(row: IntArray, node: IntArray, probability: Float64Array, reward: Float64Array, rows: int) -> _Lists:
    """Successors that are sorted by row."""
    start = np.searchsorted(row, np.arange(rows + 1))
    return _Lists(start, node, cumulative_by_row(start, probability), np.ascontiguousarray(reward))


def _of_tree(model: ExtensiveFormModel) -> _Graph:
    first_child = np.searchsorted(model.parent, np.arange(len(model.parent) + 1))
    deciding = np.flatnonzero(model.player >= 0)
    number = np.full(len(model.parent), _OVER)
    number[deciding] = np.arange(len(deciding))
    width = max(states.masks.shape[1] for states in model.information_states)
    edges = 1 + np.flatnonzero(model.player[model.parent[1:]] >= 0)
    payoffs = np.zeros((len(model.parent), model.num_players))
    payoffs[model.terminals] = model.payoffs

    def settled(row: IntArray, node: IntArray, rows: int) -> _Lists:
        probability = np.ones(len(row))
        while (waiting := model.player[node] == CHANCE).any():
            counts = np.where(waiting, first_child[node + 1] - first_child[node], 1)
            origin = np.repeat(np.arange(len(node)), counts)
            place = np.arange(len(origin)) - np.repeat(np.cumsum(counts) - counts, counts)
            after = np.where(waiting[origin], first_child[node[origin]] + place, node[origin])
            probability = probability[origin] * np.where(waiting[origin], model.chance[after], 1.0)
            row, node = row[origin], after
        return _lists(row, number[node], probability, payoffs[node], rows)

    order = np.argsort(number[model.parent[edges]] * width + model.action[edges])
    edges = edges[order]
    row = number[model.parent[edges]] * width + model.action[edges]
    states = model.information_states
    offset = np.concatenate([[0], np.cumsum([len(own.keys) for own in states])])
    masks = [np.pad(own.masks, ((0, 0), (0, width - own.masks.shape[1]))) for own in states]
    return _Graph(
        rows=settled(row, edges, len(deciding) * width),
        first=settled(np.zeros(1, dtype=np.int64), np.zeros(1, dtype=np.int64), 1),
        strides=np.ones(1, dtype=np.int64),
        player=model.player[deciding],
        point=offset[model.player[deciding]] + model.infoset[deciding],
        observations=np.concatenate([own.observations for own in states]),
        masks=np.concatenate(masks),
        keys=np.concatenate([own.keys for own in states]),
        num_rows=width,
        states=0,
        pays_by_row=False,
    )


def _of_markov(model: MarkovModel) -> _Graph:
    after = model.successors.state
    node = np.where(after == model.num_states, _OVER, after)
    begun = model.first
    nothing = np.zeros((len(begun.state), model.num_players))
    states = model.information_states
    width = max(model.num_actions)
    masks = [np.pad(own.masks, ((0, 0), (0, width - own.masks.shape[1]))) for own in states]
    return _Graph(
        rows=_Lists(model.successors.start, node, model.cumulative, model.row_rewards),
        first=_Lists(np.array([0, len(begun.state)]), begun.state, begun.cumulative, nothing),
        strides=model.strides,
        player=np.full(model.num_points, SIMULTANEOUS),
        point=np.arange(model.num_points),
        observations=np.stack([own.observations for own in states], axis=1),
        masks=np.stack(masks, axis=1),
        keys=np.repeat(states[0].keys[:, None], model.num_players, axis=1),
        num_rows=model.num_profiles,
        states=model.num_states if model.horizon is not None else 0,
        pays_by_row=True,
    )


def _graph(game: Game) -> _Graph:
    model = game.model()
    if isinstance(model, MarkovModel):
        return _of_markov(model)
    if isinstance(model, ExtensiveFormModel) and not game.rules.simultaneous:
        return _of_tree(model)
    raise UnsupportedGame(
        f"{game.spec.id}: table environments are for Markov games and turn-based extensive-form games"
    )


@compiled
def _show(
    node: IntArray,
    player: IntArray,
    point: IntArray,
    observations: Float32Array,
    masks: BoolArray,
    keys: IntArray,
    players_out: IntArray,
    observations_out: Float32Array,
    masks_out: BoolArray,
    keys_out: IntArray,
) -> None:
    """Copy what the games show; tables and copies have a row for each point and game."""
    for game in range(len(node)):
        at = point[node[game]]
        players_out[game] = player[node[game]]
        for i in range(observations.shape[1]):
            observations_out[game, i] = observations[at, i]
        for i in range(masks.shape[1]):
            masks_out[game, i] = masks[at, i]
        for i in range(keys.shape[1]):
            keys_out[game, i] = keys[at, i]


class TableSnapshot(NamedTuple):
    """The games in progress of a `TableEnv`, without its randomness; B games.

    Attributes:
        node: [B] int64, decision points.
        cycles: [B] int64, decision stages made.
        opening: [B, N] float64, what opening chance moves paid and the next step gives.
        final: [B] int64, decision points after the last step before any reset, -1 where a game was over.
    """

    node: IntArray
    cycles: IntArray
    opening: Float64Array
    final: IntArray


class TableEnv:
    """A batch of games with same-step automatic reset; `reset` and `step` are those of `VectorEnv`, on numpy.

    Attributes:
        num_envs: B.
        max_cycles: decision stages after which a game is truncated, or None.
    """

    def __init__(self, game: Game, num_envs: int, *, max_cycles: int | None = None) -> None:
        """Lay the model out.

        Raises:
            GameTooLargeError: if the game cannot be enumerated.
            InputError: if a number is out of range.
            UnsupportedGame: if players move at once in an extensive-form game, or the game is of another family.
        """
        cut = None if max_cycles is None else checked_count("max_cycles", max_cycles)
        self.num_envs = num_envs = checked_count("num_envs", num_envs)
        self.max_cycles = game.rules.default_max_cycles if cut is None else cut
        self._graph = _graph(game)
        model = game.model()
        self._horizon = (model.horizon or 0) if isinstance(model, MarkovModel) else 0
        self._together = isinstance(model, MarkovModel)
        masks = self._graph.masks
        self._masks = masks if self._together else masks[:, None]
        self._players = game.num_players
        self._model = model
        states = model.information_states
        self._owner = np.repeat(np.arange(len(states)), [len(own.keys) for own in states])  # of a tree's points
        self._row = np.concatenate([np.arange(len(own.keys)) for own in states])
        self._planned: tuple[JointPolicy | None, Choices] | None = None  # of the last rollout
        self._start_streams(None)
        self._node: IntArray | None = None
        self._final = np.zeros(num_envs, dtype=np.int64)

    def reset(self, seed: int | None = None) -> VectorStep:
        """Start all games; rewards are those of the opening chance moves, usually zero."""
        if seed is not None:
            self._start_streams(seed)
        first = self._graph.first
        entry = np.searchsorted(first.cumulative, self._stream.uniform(self.num_envs), side="right")
        self._node = first.node[entry]
        self._final = self._node.copy()
        self._cycles = np.zeros(self.num_envs, dtype=np.int64)
        self._opening = np.zeros((self.num_envs, self._players))
        self._told = self._laws()
        no = np.zeros(self.num_envs, dtype=bool)
        return self._look(first.reward[entry], no, no.copy())

    def reseed(self, seed: int | None) -> None:
        """Start the random streams anew, games going on; None for those that no seed gives."""
        self._start_streams(seed)

    def _start_streams(self, seed: int | None) -> None:
        """Chance's, and that of a rollout's actions."""
        self._stream = make_backend().stream(seed)
        self._chooser = np.random.default_rng(None if seed is None else (seed, 1))

    def snapshot(self) -> TableSnapshot:
        """A copy of the games in progress, for `restore`; the random stream is not part of it.

        Raises:
            InputError: if `reset` was not called.
        """
        if self._node is None:
            raise InputError("snapshot() needs games in progress; call reset() first")
        return map_state(np.copy, TableSnapshot(self._node, self._cycles, self._opening, self._final))

    def restore(self, snapshot: TableSnapshot) -> VectorStep:
        """Go on from a snapshot; see `VectorEnv.restore`."""
        require_rows(len(snapshot.node), self.num_envs)
        self._node, self._cycles, self._opening, self._final = map_state(np.copy, snapshot)
        self._told = self._laws()
        no = np.zeros(self.num_envs, dtype=bool)
        return self._look(np.zeros_like(self._opening), no, no.copy())

    def step(self, actions: Any) -> VectorStep:
        """Move in every game; see `VectorEnv.step`."""
        if self._node is None:
            raise IllegalActionError("step() needs games in progress; call reset() first")
        graph = self._graph
        actions = np.asarray(actions)
        shape = (self.num_envs, self._players) if self._together else (self.num_envs,)
        if actions.shape != shape:
            raise IllegalActionError(f"actions must have shape {shape}, got {actions.shape}")
        if actions.dtype.kind not in "iu":
            raise IllegalActionError(f"actions must be integers, got {actions.dtype}")
        chosen = np.ascontiguousarray(actions.reshape(self.num_envs, -1), dtype=np.int64)
        bad = first_illegal(chosen, graph.point[self._node], self._masks)
        if bad >= 0:
            number, mover = divmod(bad, chosen.shape[1])
            legal = np.flatnonzero(self._masks[graph.point[self._node[number]], mover]).tolist()
            raise IllegalActionError(
                f"game {number}: action {int(chosen[number, mover])} is illegal here; legal actions: {legal}"
            )
        rewards = np.empty((self.num_envs, self._players))
        terminated, truncated = np.empty(self.num_envs, dtype=bool), np.empty(self.num_envs, dtype=bool)
        advance(
            self._node,
            self._cycles,
            chosen,
            self._stream.uniform(2 * self.num_envs).reshape(self.num_envs, 2),
            *self._told,
            rewards,
            terminated,
            truncated,
        )
        return self._look(rewards, terminated, truncated)

    def rollout(self, steps: int, policy: JointPolicy | None = None, *, observations: bool = False) -> Rollout:
        """Play on by a policy for many steps in one compiled call.

        The games are those that as many calls of `step` would play with the same actions: chance is drawn from the same
        stream, actions from another, which `reset` and `reseed` start anew as well. Among all games that end within T
        steps short ones are too frequent: for what a game pays take the first game of each of the B.

        Args:
            steps: T, at least 1, made in every game; a game that ends is followed by another.
            policy: a joint policy that has behaviour tables; uniform play by default.
            observations: whether to give what movers saw.

        Raises:
            IllegalActionError: if `reset` was not called.
            InputError: if `steps` is below 1.
            PolicyError: if the policy has no tables, or is another game's; see `eqenvs.policies.tabulate`.
        """
        if self._node is None:
            raise IllegalActionError("rollout() needs games in progress; call reset() first")
        steps, graph, games = checked_count("steps", steps), self._graph, self.num_envs
        movers = self._players if self._together else 1
        plan = self._plan(policy)
        points = np.empty((steps, games), dtype=np.int64)
        actions = np.empty((steps, games, movers), dtype=np.int64)
        rewards = np.empty((steps, games, self._players))
        terminated, truncated = np.empty((steps, games), dtype=bool), np.empty((steps, games), dtype=bool)
        play(
            self._node,
            self._cycles,
            graph.point,
            plan.start,
            plan.action,
            plan.cumulative,
            self._chooser.random((steps, games, movers)),
            self._stream.uniform(2 * steps * games).reshape(steps, games, 2),
            *self._told,
            points,
            actions,
            rewards,
            terminated,
            truncated,
        )
        seen = None
        if observations:
            seen = np.empty((*points.shape, *graph.observations.shape[1:]), dtype=np.float32)
            looked_up(graph.observations.reshape(len(graph.masks), -1), points.ravel(), seen.reshape(points.size, -1))
        if self._together:
            return Rollout(np.full(points.shape, SIMULTANEOUS), points, actions, rewards, terminated, truncated, seen)
        movers_of, rows = self._owner[points], self._row[points]
        return Rollout(movers_of, rows, actions[..., 0], rewards, terminated, truncated, seen)

    def _plan(self, policy: JointPolicy | None) -> Choices:
        """A policy as lists of what is played at each point, by each mover.

        That of the last rollout is kept if it cannot change: networks and functions are asked anew.
        """
        if self._planned is None or self._planned[0] is not policy or not isinstance(policy, TabularPolicy | None):
            width, model = self._masks.shape[-1], self._model
            tables = tabulate(model, uniform(model) if policy is None else policy).tables
            padded = [np.pad(table, ((0, 0), (0, width - table.shape[1]))) for table in tables]
            rows = np.stack(padded, axis=1).reshape(-1, width) if self._together else np.concatenate(padded)
            self._planned = policy, choices(rows)
        return self._planned[1]

    def look(self) -> VectorStep:
        """What the games show now, as `step` would, with rewards of zero and no ends.

        Raises:
            InputError: if `reset` was not called.
        """
        if self._node is None:
            raise InputError("look() needs games in progress; call reset() first")
        no = np.zeros(self.num_envs, dtype=bool)
        return self._look(np.zeros((self.num_envs, self._players)), no, no.copy())

    def _laws(self) -> Laws:
        """With the arrays of the games in progress, which kernels write to."""
        graph = self._graph
        return Laws(
            strides=graph.strides,
            start=graph.rows.start,
            after=graph.rows.node,
            cumulative=graph.rows.cumulative,
            reward=graph.rows.reward,
            first_node=graph.first.node,
            first_cumulative=graph.first.cumulative,
            first_reward=graph.first.reward,
            opening=self._opening,
            num_rows=graph.num_rows,
            states=graph.states,
            pays_by_row=graph.pays_by_row,
            horizon=self._horizon,
            max_cycles=self.max_cycles or 0,
            final=self._final,
        )

    def final_observations(self, player: int) -> Float32Array:
        """What `player` saw at the end of the last step, before any reset: [B, D] float32; zeros where a game is over.

        Raises:
            InputError: if there is no such player, or `reset` was not called.
            UnsupportedGame: in an extensive-form game, whose model says only what the player to move sees.
        """
        point = self._final_points("final_observations", player)
        seen = self._graph.observations[point, player]
        return np.where((self._final >= 0)[:, None], seen, np.float32(0))

    def final_masks(self, player: int) -> BoolArray:
        """The legal actions of `player` that go with `final_observations`; see `VectorEnv.final_masks`.

        Raises:
            InputError: as `final_observations`.
            UnsupportedGame: as `final_observations`.
        """
        found: BoolArray = self._graph.masks[self._final_points("final_masks", player), player]
        return found

    def _final_points(self, method: str, player: int) -> IntArray:
        """Decision points after the last step, [B]; any where a game is over."""
        require_player(method, player, self._players, started=self._node is not None)
        if not self._together:
            raise UnsupportedGame("final observations of an extensive-form game: use vector_env, which asks the rules")
        return np.maximum(self._final, 0)

    def _look(self, rewards: Float64Array, terminated: BoolArray, truncated: BoolArray) -> VectorStep:
        graph, games = self._graph, self.num_envs
        assert self._node is not None
        players = np.empty(games, dtype=np.int64)
        observations = np.empty((games, *graph.observations.shape[1:]), dtype=np.float32)
        masks = np.empty((games, *graph.masks.shape[1:]), dtype=np.bool_)
        keys = np.empty((games, *graph.keys.shape[1:]), dtype=np.int64)
        points = len(graph.masks)
        _show(
            self._node,
            graph.player,
            graph.point,
            graph.observations.reshape(points, -1),
            graph.masks.reshape(points, -1),
            graph.keys.reshape(points, -1),
            players,
            observations.reshape(games, -1),
            masks.reshape(games, -1),
            keys.reshape(games, -1),
        )
        return VectorStep(players, observations, masks, keys, rewards, terminated, truncated)
