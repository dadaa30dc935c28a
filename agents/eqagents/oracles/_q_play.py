"""Q-learning against fixed opponents from a batch of games, for games of any kind that have rules.

Decision points are numbered as they are met, by information-state key. A decision is learned from when its player
decides again in the same game, or when the game ends; one that a truncation cuts off from what follows is left out.

Cost: a step of all games, one pass of the opponents and O(num_envs) look-ups a stage.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from eqagents.oracles import Situation
from eqagents.oracles._opponents import Against
from eqagents.oracles._q_tree import move
from eqagents.rollout.games import Shown
from eqagents.rollout.task import games_of
from eqenvs.arrays import BoolArray, Float64Array, IntArray
from eqenvs.game import Game
from eqsolvers.kernels import compiled


class Table:
    """Action values of the decision points met so far.

    Args:
        actions: A.
    """

    def __init__(self, actions: int) -> None:
        self._rows: dict[bytes, int] = {}
        self._values, self._visits = np.empty((0, actions)), np.empty((0, actions), dtype=np.int64)
        self._keys: list[IntArray] = []

    def rows(self, keys: IntArray) -> IntArray:
        """The rows of keys [n, W] int64; new ones are added."""
        found = np.empty(len(keys), dtype=np.int64)
        for place, key in enumerate(keys):
            name = key.tobytes()
            row = self._rows.get(name)
            if row is None:
                row = self._rows[name] = len(self._rows)
                self._keys.append(key.copy())
            found[place] = row
        if len(self._rows) > len(self._values):
            more = max(1024, len(self._rows) - len(self._values), len(self._values))
            self._values = np.pad(self._values, ((0, more), (0, 0)), constant_values=-np.inf)
            self._visits = np.pad(self._visits, ((0, more), (0, 0)))
        return found

    @property
    def keys(self) -> IntArray:
        """[I, W], in the order of the rows."""
        return np.stack(self._keys) if self._keys else np.empty((0, 0), dtype=np.int64)

    @property
    def values(self) -> Float64Array:
        """[I, A] float64; -inf where never learned."""
        return self._values[: len(self._rows)]

    def learn(self, rows: IntArray, actions: IntArray, targets: Float64Array, decay: float, least: float) -> None:
        """A step of each decision's value towards its target, one after the other."""
        _moves(self._values.reshape(-1), self._visits.reshape(-1), rows * self._values.shape[1] + actions, targets,
               decay, least)  # fmt: skip


@compiled
def _moves(values: Any, visits: Any, cells: Any, targets: Any, decay: float, least: float) -> None:
    for place in range(len(cells)):
        move(values, visits, cells[place], targets[place], decay, least)


class _Anyone:
    """Stands for the player among the networks that a cast expects; what it plays is overwritten."""

    def __init__(self, game: Game) -> None:
        self.num_actions = tuple(game.rules.num_actions)

    def values(self, states: Tensor, roles: Tensor) -> Tensor:
        return states.new_zeros(len(states))

    def log_policy(self, observations: Tensor, roles: Tensor, masks: Tensor) -> Tensor:
        return torch.where(masks, -masks.sum(dim=1, keepdim=True).float().log(), float("-inf"))


def learned(
    situation: Situation, episodes: int, num_envs: int, epsilon: tuple[float, float], decay: float, least: float
) -> tuple[Table, int]:
    """Action values of the response, and how many games were begun.

    Args:
        situation: the game and the opponents.
        episodes: games to end.
        num_envs: games side by side.
        epsilon: chance of a move drawn uniformly at the start and at the end, linear between.
        decay: see `_q_tree.learn`.
        least: see `_q_tree.learn`.
    """
    game, player = situation.game, situation.player
    words = [int(word) for word in situation.seed.generate_state(3, np.uint64) >> np.uint64(1)]
    games = games_of(game, num_envs, "cpu", "auto")
    cast = Against(game, _Anyone(game), player, situation.opponents, num_envs, torch.Generator().manual_seed(words[0]))
    rng, shown = np.random.default_rng(words[1]), games.begin(words[2])
    table, discount = Table(game.rules.num_actions[player]), games.discount
    last_row, last_action = np.full(num_envs, -1), np.zeros(num_envs, dtype=np.int64)
    paid, factor = np.zeros(num_envs), np.ones(num_envs)
    ended = 0
    while ended < episodes:
        column, deciding, keys, masks = _own(shown, player, table.values.shape[1])
        rows = table.rows(keys)
        waiting = last_row[deciding] >= 0
        then = deciding[waiting]
        ahead = table.values[rows[waiting]].max(axis=1, initial=-np.inf)
        ahead = np.where(np.isfinite(ahead), ahead, 0.0)  # nothing is known of what follows
        table.learn(last_row[then], last_action[then], paid[then] + factor[then] * ahead, decay, least)
        chance = epsilon[0] + ended / episodes * (epsilon[1] - epsilon[0])
        actions = _drawn(table.values[rows], masks, chance, rng)
        last_row[deciding], last_action[deciding] = rows, actions
        paid[deciding], factor[deciding] = 0.0, 1.0
        moves = cast.act(shown).actions
        moves[torch.from_numpy(deciding), column] = torch.from_numpy(actions)
        stage = games.step(moves)
        over, cut = stage.over.numpy(), stage.cut.numpy()
        paid += factor * stage.rewards[:, player].double().numpy()
        factor *= discount
        done = over & (last_row >= 0)
        table.learn(last_row[done], last_action[done], paid[done], decay, least)
        gone = over | cut
        last_row[gone], paid[gone], factor[gone] = -1, 0.0, 1.0
        if gone.any():
            ended += int(gone.sum())
            cast.redraw(torch.from_numpy(gone))
        shown = stage.shown
    return table, ended + num_envs


def _own(shown: Shown, player: int, actions: int) -> tuple[int, IntArray, IntArray, BoolArray]:
    """The column of a player, the games in which it decides [n], and there its keys [n, W] and masks [n, A]."""
    column = player if shown.players.shape[1] > 1 else 0
    deciding = torch.nonzero((shown.players[:, column] == player) & shown.decides[:, column])[:, 0]
    keys, masks = shown.keys[deciding, column].numpy(), shown.masks[deciding, column, :actions].numpy()
    return column, deciding.numpy(), keys, masks


def _drawn(values: Float64Array, masks: BoolArray, epsilon: float, rng: np.random.Generator) -> IntArray:
    """Epsilon-greedy moves [n]; untried actions are never greedy, unless all are."""
    best = np.where(masks, values, -np.inf)
    best[~np.isfinite(best).any(axis=1)] = 0.0
    greedy = np.where(masks, best, -np.inf).argmax(axis=1)
    random = np.where(masks, rng.random(masks.shape), -1.0).argmax(axis=1)
    chosen: IntArray = np.where(rng.random(len(masks)) < epsilon, random, greedy)
    return chosen
