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
from numpy.typing import NDArray

from eqenvs.arrays import BoolArray, Float32Array, Float64Array, IntArray, cumulative_by_row, make_backend, map_state
from eqenvs.envs.vector import VectorStep, checked_count, first_illegal, require_player, require_rows
from eqenvs.errors import IllegalActionError, InputError, UnsupportedGame
from eqenvs.game import Game
from eqenvs.kernels import compiled, drawn_entry
from eqenvs.models import ExtensiveFormModel, MarkovModel
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
def _advance(
    node: IntArray,
    cycles: IntArray,
    actions: IntArray,
    uniform: Float64Array,
    strides: IntArray,
    start: IntArray,
    after: IntArray,
    cumulative: Float64Array,
    reward: Float64Array,
    first_node: IntArray,
    first_cumulative: Float64Array,
    first_reward: Float64Array,
    opening: Float64Array,
    num_rows: int,
    states: int,
    pays_by_row: bool,
    horizon: int,
    max_cycles: int,
    final: IntArray,
    rewards: Float64Array,
    terminated: NDArray[np.bool_],
    truncated: NDArray[np.bool_],
) -> None:
    """Move in every game, in place, by legal actions."""
    games, movers = actions.shape
    for game in range(games):
        at = node[game]
        row = (at % states if states else at) * num_rows
        for mover in range(movers):
            row += actions[game, mover] * strides[mover]
        entry = drawn_entry(cumulative, start[row], start[row + 1], uniform[game, 0])
        for player in range(rewards.shape[1]):
            rewards[game, player] = reward[row if pays_by_row else entry, player] + opening[game, player]
            opening[game, player] = 0.0
        target = after[entry]
        if states and target >= 0:
            step = at // states + 1
            target = target + step * states if step < horizon else _OVER
        cycles[game] += 1
        terminated[game] = target < 0
        truncated[game] = target >= 0 and max_cycles > 0 and cycles[game] >= max_cycles
        final[game] = target
        if terminated[game] or truncated[game]:
            entry = drawn_entry(first_cumulative, 0, len(first_node), uniform[game, 1])
            target = first_node[entry]
            for player in range(rewards.shape[1]):
                opening[game, player] = first_reward[entry, player]
            cycles[game] = 0
        node[game] = target


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
        self._stream = make_backend().stream(None)
        self._node: IntArray | None = None
        self._final = np.zeros(num_envs, dtype=np.int64)

    def reset(self, seed: int | None = None) -> VectorStep:
        """Start all games; rewards are those of the opening chance moves, usually zero."""
        if seed is not None:
            self._stream = make_backend().stream(seed)
        first = self._graph.first
        entry = np.searchsorted(first.cumulative, self._stream.uniform(self.num_envs), side="right")
        self._node = first.node[entry]
        self._final = self._node.copy()
        self._cycles = np.zeros(self.num_envs, dtype=np.int64)
        self._opening = np.zeros((self.num_envs, self._players))
        no = np.zeros(self.num_envs, dtype=bool)
        return self._look(first.reward[entry], no, no.copy())

    def reseed(self, seed: int | None) -> None:
        """Start the random stream anew, games going on; None for one that no seed gives."""
        self._stream = make_backend().stream(seed)

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
        _advance(
            self._node,
            self._cycles,
            chosen,
            self._stream.uniform(2 * self.num_envs).reshape(self.num_envs, 2),
            graph.strides,
            graph.rows.start,
            graph.rows.node,
            graph.rows.cumulative,
            graph.rows.reward,
            graph.first.node,
            graph.first.cumulative,
            graph.first.reward,
            self._opening,
            graph.num_rows,
            graph.states,
            graph.pays_by_row,
            self._horizon,
            self.max_cycles or 0,
            self._final,
            rewards,
            terminated,
            truncated,
        )
        return self._look(rewards, terminated, truncated)

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
