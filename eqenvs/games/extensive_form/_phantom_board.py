"""What phantom games on a board share: two players claim cells of a common board without seeing each other's moves.

A player tries a cell. If it is empty, the player's stone is put there and the other moves. If the other player's stone
is there, the try fails: in the classic game the player learns so and tries another cell, in the abrupt game the turn is
lost as well. Nothing else is revealed, neither the opponent's stones nor how many tries failed.
"""

from __future__ import annotations

from abc import abstractmethod
from collections import Counter
from collections.abc import Callable
from functools import cache
from math import factorial
from typing import Any, ClassVar, NamedTuple

import numpy as np

from eqenvs.arrays import Array, BoolArray, namespace, one_hot, put_along, take_along
from eqenvs.models.enumeration import DEFAULT_MAX_SIZE
from eqenvs.rendering import Picture, player_colour, squares
from eqenvs.rules import TERMINAL, Rules

MOST_CELLS = 9  # on which `eqsolvers.scoring.phantom` scores policies exactly, without enumerating histories


class PhantomState(NamedTuple):
    """A batch of games on C cells; -1 stands for what has not happened yet."""

    board: Array  # [B, C] int64, -1 where empty, else 2 * (what the game keeps of the stone) + owner
    tried: Array  # [B, 2 C] int64, each player's tries in order, 2 * cell + success
    tries: Array  # [B, 2] int64, number of each player's tries
    player: Array  # [B] int64, who moves next
    winner: Array  # [B] int64, who has won


def count_histories(
    num_cells: int, abrupt: bool, unfinished: Callable[[int, int], int], limit: float = DEFAULT_MAX_SIZE
) -> int:
    """Histories, counted move by move up to the move with which they exceed `limit`.

    What cells the stones are on matters to the end of the game only. So there are as many histories with given numbers
    of stones as boards, times the orders in which each player can have put its stones there (whoever has not won with
    all of them has not won with some), times the ways in which failed tries can have come in between.

    Args:
        num_cells: of the board.
        abrupt: whether a failed try loses the turn.
        unfinished: the number of boards with so many stones of players 0 and 1 on which the game goes on.
        limit: where to stop counting.
    """
    boards = cache(unfinished)
    total = 1
    # Orders of tries, by numbers of stones, how many of the other's each player has found, and who moves.
    going = Counter({((0, 0), (0, 0), 0): 1})
    while going and total <= limit:
        after: Counter[tuple[tuple[int, int], tuple[int, int], int]] = Counter()
        for (stones, found, player), ways in going.items():
            reached = boards(*stones) * factorial(stones[0]) * factorial(stones[1])
            if reached == 0:
                continue
            total += ways * reached * (num_cells - stones[player] - found[player])
            hidden = stones[1 - player] - found[player]
            after[_one_more(stones, player), found, 1 - player] += ways
            if hidden:
                after[stones, _one_more(found, player), 1 - player if abrupt else player] += ways * hidden
        going = after
    return total


def _one_more(counts: tuple[int, int], player: int) -> tuple[int, int]:
    return counts[0] + (player == 0), counts[1] + (player == 1)


class PhantomBoard(Rules[PhantomState]):
    """Phantom play on a board; a game adds what its stones are and when they win.

    A try fails once at most, because a failure shows the stone: nobody tries a cell twice.
    """

    num_players = 2
    num_chance_outcomes = 0
    scorer: str | None = None  # see `MOST_CELLS`
    hexagonal: ClassVar[bool] = False  # cells, in pictures
    title: ClassVar[str] = ""  # of pictures

    def __init__(self, num_rows: int, num_cols: int, abrupt: bool) -> None:
        self.num_rows, self.num_cols, self.abrupt = num_rows, num_cols, abrupt
        self.num_cells = num_rows * num_cols
        self.num_actions = (self.num_cells, self.num_cells)
        self.observation_size = 2 + 2 * self.num_cells + self.num_cells**2
        if self.num_cells <= MOST_CELLS:
            self.scorer = "phantom"

    @abstractmethod
    def _place(self, board: Array, cell: Array, player: Array) -> tuple[Array, Array]:
        """The boards with a stone of `player` on the empty `cell`, [B, C], and whether that wins, [B] bool."""

    def initial_state(self, batch: int, xp: Any, device: Any = None) -> PhantomState:
        def full(*shape: int, value: int) -> Array:
            return xp.full((batch, *shape), value, dtype=xp.int64, device=device)

        return PhantomState(
            board=full(self.num_cells, value=-1),
            tried=full(2 * self.num_cells, value=-1),
            tries=full(2, value=0),
            player=full(value=0),
            winner=full(value=-1),
        )

    def winning_sets(self) -> BoolArray:
        """Whether stones of each player win, by the set of their cells, a number with a bit for each: [2, 2^C]."""
        sets = np.arange(1 << self.num_cells)
        wins = np.zeros((2, len(sets)), dtype=bool)
        for player in range(2):
            board = np.full((len(sets), self.num_cells), -1, dtype=np.int64)
            for cell in range(self.num_cells):
                put = np.flatnonzero(sets >> cell & 1)
                everywhere = np.ones_like(put)
                board[put], won = self._place(board[put], cell * everywhere, player * everywhere)
                wins[player, put] |= won
        return wins

    def turn(self, state: PhantomState) -> Array:
        xp = namespace(state.player)
        over = (state.winner >= 0) | xp.all(state.board >= 0, axis=1)
        return xp.where(over, TERMINAL, state.player)

    def _sequence(self, state: PhantomState, player: Array) -> Array:
        """The player's tries in order, [B, C] int64."""
        xp = namespace(player)
        return xp.where((player == 0)[:, None], state.tried[:, : self.num_cells], state.tried[:, self.num_cells :])

    def _view(self, state: PhantomState, player: Array) -> Array:
        """Whether the player knows of an opponent's stone (even columns) or an own one (odd) at each cell, [B, 2 C]."""
        return namespace(player).any(one_hot(self._sequence(state, player), 2 * self.num_cells), axis=1)

    def legal_actions(self, state: PhantomState, player: Array) -> Array:
        xp = namespace(player)
        return ~xp.any(xp.reshape(self._view(state, player), (player.shape[0], self.num_cells, 2)), axis=2)

    def apply(self, state: PhantomState, actions: Array) -> tuple[PhantomState, Array]:
        xp = namespace(actions)
        player = state.player
        success = take_along(state.board, actions) < 0
        placed, won = self._place(state.board, actions, player)
        won = won & success
        slot = player * self.num_cells + take_along(state.tries, player)
        keeps_turn = xp.zeros_like(success) if self.abrupt else ~success
        after = PhantomState(
            board=xp.where(success[:, None], placed, state.board),
            tried=put_along(state.tried, slot, 2 * actions + xp.astype(success, xp.int64), xp.ones_like(success)),
            tries=state.tries + xp.astype(one_hot(player, 2), xp.int64),
            player=xp.where(keeps_turn, player, 1 - player),
            winner=xp.where(won, player, state.winner),
        )
        to_first = xp.astype(xp.where(won, 1 - 2 * player, 0), xp.float64)
        return after, xp.stack([to_first, -to_first], axis=1)

    def observation(self, state: PhantomState, player: Array) -> Array:
        xp = namespace(player)
        # Whether a try succeeded is in the view; the order of the tries needs the cells only.
        order = one_hot(self._sequence(state, player) // 2, self.num_cells)
        parts = [
            one_hot(player, 2),
            self._view(state, player),
            xp.reshape(order, (player.shape[0], self.num_cells**2)),
        ]
        return xp.astype(xp.concat(parts, axis=1), xp.float32)

    def information_state(self, state: PhantomState, player: Array) -> Array:
        return self._sequence(state, player)

    def describe_information_state(self, player: int, key: Array) -> str:
        tries = [divmod(int(entry), 2) for entry in np.asarray(key) if entry >= 0]
        return " ".join(self.describe_action(player, cell) + ("" if success else "!") for cell, success in tries) or "-"

    def picture(self, state: PhantomState) -> Picture:
        owners = [int(stone) % 2 if stone >= 0 else -1 for stone in state.board[0]]
        board = squares(
            self.num_rows,
            self.num_cols,
            pieces=[(cell, "XO"[owner], player_colour(owner)) for cell, owner in enumerate(owners) if owner >= 0],
            title=self.title,
            rows=tuple(str(row + 1) for row in range(self.num_rows)),
            columns=tuple("abcdefghijklmnopqrstuvwxyz"[: self.num_cols]),
            hexagonal=self.hexagonal,
        )
        tries = (state.tried[0, : self.num_cells], state.tried[0, self.num_cells :])
        told = (f"player_{who} tried {self.describe_information_state(who, made)}" for who, made in enumerate(tries))
        return Picture(boards=(board,), lines=tuple(told))

    def describe_action(self, player: int, action: int) -> str:
        row, col = divmod(action, self.num_cols)
        return f"{'abcdefghijklmnopqrstuvwxyz'[col]}{row + 1}"
