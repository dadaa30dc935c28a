"""What games of lines in the open share: two players put stones on a board in turn, and a line of one's own wins.

A board is two sets of stones, each the bits of an int64. Columns follow each other with a bit between them that is
never set, so that a shift moves all stones in one direction and none around an edge. A move goes into a lane, a column
into which stones fall or a single cell: adding a lane's lowest bit to the stones in it carries to its first free cell.

On numpy the loops over games are compiled; on other libraries the same moves are a few dozen operations on arrays.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from eqenvs.arrays import Array, Constants, Float32Array, Float64Array, IntArray, namespace, one_hot
from eqenvs.errors import InputError
from eqenvs.kernels import compiled
from eqenvs.models.enumeration import DEFAULT_MAX_SIZE
from eqenvs.rendering import Board, Picture
from eqenvs.rendering.picture import GROUND, player_colour
from eqenvs.rules import TERMINAL, Rules

MAX_BITS = 63  # of an int64 that stays positive


class LinesState(NamedTuple):
    """A batch of games; `own` and `other` change places with every move."""

    own: Array  # [B] int64, stones of the player who moves next, or would if the game went on
    other: Array  # [B] int64, stones of the player who moved last
    moves: Array  # [B] int64, number of moves made
    turn: Array  # [B] int64, who moves next, or TERMINAL
    history: Array  # [B, W] int64, the moves in order, as digits 1 + lane of numbers to the base of the lanes plus 1


class Geometry(NamedTuple):
    """A board: where its cells and lanes are among the bits.

    Attributes:
        cells: [C] bit of each cell, row by row.
        lowest: [A] lowest bit of each lane, as a number.
        lanes: [A] all bits of each lane.
        top: [A] highest bit of each lane, as a number.
        shifts: [4] how far apart neighbours are: up, across and along both diagonals.
    """

    cells: IntArray
    lowest: IntArray
    lanes: IntArray
    top: IntArray
    shifts: IntArray


def geometry(num_rows: int, num_cols: int, falling: bool) -> Geometry:
    """The board on which stones fall into columns, or are put on cells."""
    row, col = np.divmod(np.arange(num_rows * num_cols), num_cols)
    cells = col * (num_rows + 1) + row
    single = 1 << cells
    column = (np.arange(num_cols) * (num_rows + 1)).astype(np.int64)
    full = ((1 << num_rows) - 1) << column
    return Geometry(
        cells=cells,
        lowest=1 << column if falling else single,
        lanes=full if falling else single,
        top=1 << (column + num_rows - 1) if falling else single,
        shifts=np.array([1, num_rows + 1, num_rows, num_rows + 2]),
    )


def has_line(stones: Any, shifts: Any, length: int) -> Any:
    """A number that is not 0 where the stones hold a line; of ints or arrays of them alike."""
    found = stones & 0
    for direction in range(4):
        shift, run, so_far = shifts[direction], stones, 1
        while so_far < length:
            more = min(so_far, length - so_far)  # runs of so_far overlap or touch: together they are longer
            run = run & (run >> (shift * more))
            so_far += more
        found = found | run
    return found


_has_line = compiled(has_line)


@compiled
def _move(
    own: IntArray,
    other: IntArray,
    moves: IntArray,
    turn: IntArray,
    history: IntArray,
    actions: IntArray,
    lowest: IntArray,
    lanes: IntArray,
    shifts: IntArray,
    length: int,
    num_cells: int,
    digits: int,
    after: IntArray,
    recorded: IntArray,
    rewards: Float64Array,
) -> None:
    """`LinesRules.apply` into `after` [4, B], `recorded` and `rewards`; rows that are over stay as they are."""
    for game in range(len(own)):
        for word in range(history.shape[1]):
            recorded[game, word] = history[game, word]
        rewards[game, 0] = rewards[game, 1] = 0.0
        made, mover = moves[game], turn[game]
        if mover < 0:
            after[0, game], after[1, game], after[2, game], after[3, game] = own[game], other[game], made, mover
            continue
        lane = actions[game]
        stones = own[game]
        stones |= ((stones | other[game]) + lowest[lane]) & lanes[lane]
        word = made // digits
        recorded[game, word] = recorded[game, word] * (len(lanes) + 1) + lane + 1
        made += 1
        following = 1 - mover
        if _has_line(stones, shifts, length) != 0:
            rewards[game, mover], rewards[game, following] = 1.0, -1.0
            following = TERMINAL
        elif made == num_cells:
            following = TERMINAL
        after[0, game], after[1, game], after[2, game], after[3, game] = other[game], stones, made, following


@compiled
def _free(own: IntArray, other: IntArray, top: IntArray, free: NDArray[np.bool_]) -> None:
    """`LinesRules.legal_actions` into `free`."""
    for game in range(len(own)):
        taken = own[game] | other[game]
        for lane in range(len(top)):
            free[game, lane] = taken & top[lane] == 0


@compiled
def _see(
    own: IntArray, other: IntArray, moves: IntArray, player: IntArray, cells: IntArray, seen: Float32Array
) -> None:
    """`LinesRules.observation` into `seen`."""
    count = len(cells)
    for game in range(len(own)):
        who = player[game]
        mine, theirs = own[game], other[game]
        if moves[game] & 1 != who:
            mine, theirs = theirs, mine
        seen[game, 0] = who == 0
        seen[game, 1] = who == 1
        for cell in range(count):
            seen[game, 2 + cell] = (mine >> cells[cell]) & 1
        for cell in range(count):
            seen[game, 2 + count + cell] = (theirs >> cells[cell]) & 1


def _copy(array: Array) -> Array:
    return array.copy() if type(array) is np.ndarray else namespace(array).asarray(array, copy=True)


class LinesRules(Rules[LinesState]):
    """Stones in the open; a game adds how large its board is and whether stones fall."""

    num_players = 2
    num_chance_outcomes = 0
    open_information = True

    def __init__(self, game_id: str, num_rows: int, num_cols: int, line_length: int, *, falling: bool) -> None:
        if num_cols * (num_rows + 1) > MAX_BITS:
            raise InputError(
                f"{game_id}: num_cols * (num_rows + 1) must be at most {MAX_BITS}, got {num_cols} * ({num_rows} + 1)"
            )
        if line_length > max(num_rows, num_cols):
            raise InputError(
                f"{game_id}: line_length must be at most the longer side, {max(num_rows, num_cols)}, got {line_length}"
            )
        self.num_rows, self.num_cols, self.line_length = num_rows, num_cols, line_length
        self.falling = falling
        self.num_cells = num_rows * num_cols
        self.board = board = geometry(num_rows, num_cols, falling)
        self._shifts = tuple(int(shift) for shift in board.shifts)
        self._tables = Constants(lowest=board.lowest, lanes=board.lanes, top=board.top, cells=board.cells)
        width = len(board.lanes)
        self.num_actions = (width, width)
        self.digits = max(k for k in range(1, MAX_BITS) if (width + 1) ** k <= 2**MAX_BITS)
        self.num_words = -(-self.num_cells // self.digits)
        self.observation_size = 2 + 2 * self.num_cells

    def initial_state(self, batch: int, xp: Any, device: Any = None) -> LinesState:
        def nothing(*shape: int) -> Array:
            return xp.zeros((batch, *shape), dtype=xp.int64, device=device)

        return LinesState(nothing(), nothing(), nothing(), nothing(), nothing(self.num_words))

    def turn(self, state: LinesState) -> Array:
        return _copy(state.turn)

    def legal_actions(self, state: LinesState, player: Array) -> Array:
        if type(state.own) is not np.ndarray:
            return ((state.own | state.other)[:, None] & self._tables.on("top", state.own)) == 0
        free = np.empty((len(state.own), self.num_actions[0]), dtype=np.bool_)
        _free(state.own, state.other, self.board.top, free)
        return free

    def apply(self, state: LinesState, actions: Array) -> tuple[LinesState, Array]:
        if type(actions) is not np.ndarray:
            return self.apply_by_arrays(state, actions)
        after = np.empty((4, len(actions)), dtype=np.int64)
        recorded = np.empty_like(state.history)
        rewards = np.empty((len(actions), 2))
        board = self.board
        _move(
            *state,
            actions,
            board.lowest,
            board.lanes,
            board.shifts,
            self.line_length,
            self.num_cells,
            self.digits,
            after,
            recorded,
            rewards,
        )
        return LinesState(after[0], after[1], after[2], after[3], recorded), rewards

    def apply_by_arrays(self, state: LinesState, actions: Array) -> tuple[LinesState, Array]:
        """What `apply` does, as operations on whole arrays."""
        xp = namespace(actions)
        lowest, lanes = (self._tables.on(name, actions)[actions] for name in ("lowest", "lanes"))
        stones = state.own | (((state.own | state.other) + lowest) & lanes)
        moves = state.moves + 1
        won = has_line(stones, self._shifts, self.line_length) != 0
        now = one_hot(state.moves // self.digits, self.num_words)
        longer = state.history * (len(self.board.lanes) + 1) + actions[:, None] + 1
        over = state.turn < 0
        after = LinesState(
            own=xp.where(over, state.own, state.other),
            other=xp.where(over, state.other, stones),
            moves=xp.where(over, state.moves, moves),
            turn=xp.where(over | won | (moves == self.num_cells), TERMINAL, 1 - state.turn),
            history=xp.where(now & ~over[:, None], longer, state.history),
        )
        to_first = xp.astype(xp.where(won & ~over, 1 - 2 * state.turn, 0), xp.float64)
        return after, xp.stack([to_first, -to_first], axis=1)

    def observation(self, state: LinesState, player: Array) -> Array:
        if type(player) is not np.ndarray:
            return self.observation_by_arrays(state, player)
        seen = np.empty((len(player), self.observation_size), dtype=np.float32)
        _see(state.own, state.other, state.moves, player, self.board.cells, seen)
        return seen

    def observation_by_arrays(self, state: LinesState, player: Array) -> Array:
        """What `observation` does, as operations on whole arrays."""
        xp = namespace(player)
        moving = state.moves % 2 == player
        stones = xp.stack([xp.where(moving, state.own, state.other), xp.where(moving, state.other, state.own)], axis=1)
        planes = (stones[:, :, None] >> self._tables.on("cells", player)) & 1
        parts = [xp.astype(one_hot(player, 2), xp.int64), xp.reshape(planes, (player.shape[0], 2 * self.num_cells))]
        return xp.astype(xp.concat(parts, axis=1), xp.float32)

    def information_state(self, state: LinesState, player: Array) -> Array:
        return _copy(state.history)

    def public_observation(self, state: LinesState) -> Array:
        return _copy(state.history)

    def describe_information_state(self, player: int, key: Array) -> str:
        text: list[str] = []
        for word in np.asarray(key):
            number = int(word)
            moves: list[str] = []
            while number:
                number, digit = divmod(number, len(self.board.lanes) + 1)
                moves.append(self.describe_action(player, digit - 1))
            text += reversed(moves)
        return " ".join(text) or "-"

    def picture(self, state: LinesState) -> Picture:
        mover = int(state.moves[0]) % 2
        stones = {mover: int(state.own[0]), 1 - mover: int(state.other[0])}
        rows = range(self.num_rows)[:: -1 if self.falling else 1]  # where stones fall the first row is the lowest
        shape = (self.num_rows, self.num_cols)
        glyphs, discs = np.full(shape, "", dtype="U1"), {}
        for (row, col), bit in np.ndenumerate(self.board.cells.reshape(shape)[list(rows)]):
            for player in (0, 1):
                if stones[player] >> int(bit) & 1:
                    glyphs[row, col], discs[row, col] = "XO"[player], player_colour(player)
        board = Board(
            glyphs=glyphs,
            ground=np.full((*shape, 3), GROUND, dtype=np.uint8),
            discs=discs,
            rows=tuple(str(row + 1) for row in rows),
            columns=tuple("abcdefghijklmnopqrstuvwxyz"[: self.num_cols]),
        )
        return Picture(boards=(board,))


def count_histories(rules: LinesRules, limit: float = DEFAULT_MAX_SIZE) -> int:
    """Histories, counted move by move up to the move with which they exceed `limit`; each position is met once."""
    board = rules.board
    full = np.bitwise_or.reduce(board.lanes)
    own = other = np.zeros(1, dtype=np.int64)
    ways, total = np.ones(1, dtype=np.int64), 1
    while len(ways):
        taken = own | other
        free = (taken[:, None] & board.top) == 0
        total += int(ways @ free.sum(axis=1))
        if total > limit:
            break
        position, lane = np.nonzero(free)
        ways = ways[position]
        stones = own[position] | ((taken[position] + board.lowest[lane]) & board.lanes[lane])
        waiting = other[position]
        going = (has_line(stones, board.shifts, rules.line_length) == 0) & (stones | waiting != full)
        own, other, ways = _merged(waiting[going], stones[going], ways[going])
    return total


def _merged(own: IntArray, other: IntArray, ways: IntArray) -> tuple[IntArray, IntArray, IntArray]:
    """Each position once, with the ways to it added up."""
    order = np.lexsort((own, other))
    own, other = own[order], other[order]
    new = np.ones(len(own), dtype=bool)
    new[1:] = (own[1:] != own[:-1]) | (other[1:] != other[:-1])
    first = np.flatnonzero(new)
    return own[first], other[first], np.add.reduceat(ways[order], first) if len(first) else ways
