"""Dark hex: Hex without seeing the opponent's stones, only whether one's own tries succeed.

The "reveal nothing" variants of OpenSpiel (Lanctot et al. 2019): classic (a failed try is repeated elsewhere) and
abrupt (it loses the turn). Player 0 connects the top row with the bottom row, player 1 the left column with the right
one. Cell (r, c) touches (r, c - 1), (r, c + 1), (r - 1, c), (r - 1, c + 1), (r + 1, c - 1) and (r + 1, c).

The classic 3x3 board has 3,720,850 + 2,352,067 information states and 19.12e9 histories, too many to enumerate, and is
worth 1 to player 0 (Rudolph et al. 2025, "Reevaluating policy gradient methods for imperfect-information games", arXiv
2502.08938). OpenSpiel's own classic game has more information states than that, because it tells the players how many
tries have been made in all, the opponent's failed ones included; here, as in those figures, that stays hidden.
"""

from __future__ import annotations

from collections.abc import Collection
from itertools import combinations
from math import comb

from eqenvs.arrays import Array, Constants, namespace, one_hot
from eqenvs.games.extensive_form._phantom_board import PhantomBoard, count_histories
from eqenvs.models.enumeration import DEFAULT_MAX_SIZE
from eqenvs.spec import Fact, Family, GameSpec, Parameter

NEIGHBOURS = ((0, -1), (0, 1), (-1, 0), (-1, 1), (1, -1), (1, 0))


class DarkHex(PhantomBoard):
    """Dark hex on R rows and C columns.

    Observation: float32 [2 + 2 RC + (RC)^2], one-hot player; per cell whether an opponent's stone and whether an own
    stone is known to be there; and the order of the own tries, one-hot cell for each of RC.
    Actions: the cells 0 .. RC - 1 row by row, without those known to be taken.
    Reward: 1 to the player whose stones connect its sides, -1 to the other; zero-sum. Somebody always connects.

    Version history: 0, first version.
    """

    hexagonal = True
    title = "X joins top and bottom, O left and right"

    def __init__(
        self, board_size: int = 2, abrupt: bool = False, num_rows: int | None = None, num_cols: int | None = None
    ) -> None:
        super().__init__(num_rows or board_size, num_cols or board_size, abrupt)
        rows, cols = self.num_rows, self.num_cols
        cells = [(r, c) for r in range(rows) for c in range(cols)]
        touching = [[(r + dr, c + dc) for dr, dc in NEIGHBOURS] for r, c in cells]
        self._tables = Constants(
            # A neighbour off the board is the extra cell after the last one.
            neighbours=[
                [r * cols + c if 0 <= r < rows and 0 <= c < cols else self.num_cells for r, c in around]
                for around in touching
            ],
            start=[[r == 0 for r, _ in cells], [c == 0 for _, c in cells]],
            goal=[[r == rows - 1 for r, _ in cells], [c == cols - 1 for _, c in cells]],
        )

    def _place(self, board: Array, cell: Array, player: Array) -> tuple[Array, Array]:
        """A stone's group is named after the last stone that was put to it, so that joining groups takes no search."""
        xp = namespace(board)
        batch = board.shape[0]
        bordered = xp.concat([board, xp.full_like(board[:, :1], -1)], axis=1)
        around = xp.take_along_axis(bordered, self._tables.on("neighbours", board)[cell], axis=1)
        # The number of a group tells its owner, but empty cells have to be told from player 1's.
        own = (around >= 0) & (around % 2 == player[:, None])
        joined = xp.any((board[:, :, None] == around[:, None, :]) & own[:, None, :], axis=2)
        group = joined | one_hot(cell, self.num_cells)
        placed = xp.where(group, xp.reshape(2 * cell + player, (batch, 1)), board)
        start, goal = (self._tables.on(side, board)[player] > 0 for side in ("start", "goal"))
        return placed, xp.any(group & start, axis=1) & xp.any(group & goal, axis=1)


def _connect(cells: Collection[int], player: int, num_rows: int, num_cols: int) -> bool:
    """Whether stones on these cells connect the player's two sides."""
    stones = {divmod(cell, num_cols) for cell in cells}
    group = [stone for stone in stones if stone[player] == 0]
    stones.difference_update(group)
    for r, c in group:  # grows while it is gone through
        near = stones.intersection((r + dr, c + dc) for dr, dc in NEIGHBOURS)
        group.extend(near)
        stones -= near
    return any(stone[player] == (num_rows, num_cols)[player] - 1 for stone in group)


def num_histories(num_rows: int, num_cols: int, abrupt: bool, limit: float = DEFAULT_MAX_SIZE) -> int:
    """Histories; see `count_histories`."""
    cells = frozenset(range(num_rows * num_cols))

    def unfinished(first: int, second: int) -> int:
        def apart(player: int, stones: int, among: Collection[int]) -> list[tuple[int, ...]]:
            return [s for s in combinations(among, stones) if not _connect(s, player, num_rows, num_cols)]

        # Too few stones to connect can lie anywhere.
        if first < num_rows:
            return len(apart(1, second, cells)) * comb(len(cells) - second, first)
        if second < num_cols:
            return len(apart(0, first, cells)) * comb(len(cells) - first, second)
        return sum(len(apart(1, second, cells.difference(own))) for own in apart(0, first, cells))

    return count_histories(len(cells), abrupt, unfinished, limit)


SPEC = GameSpec(
    id="dark_hex",
    family=Family.EXTENSIVE_FORM,
    title="Dark hex",
    build=DarkHex,
    constant_sum=True,
    size=lambda num_rows, num_cols, abrupt, **_: num_histories(num_rows, num_cols, abrupt),
    source="Lanctot et al. (2019), OpenSpiel; Hex: Hein (1942), Nash (1948)",
    parameters=(
        Parameter(name="board_size", default=2, low=2, high=11, description="rows and columns, unless given apart"),
        Parameter(
            name="abrupt", default=False, kind=bool, description="whether a try at an occupied cell loses the turn"
        ),
        Parameter(name="num_rows", default=None, low=2, high=11, description="rows; default board_size"),
        Parameter(name="num_cols", default=None, low=2, high=11, description="columns; default board_size"),
    ),
    facts=(
        Fact(
            source="terminals: OpenSpiel 2.0.2; information states: counted apart (see the tests); value: sequence LP",
            parameters={"board_size": 2},
            sizes={"histories": 441, "terminals": 216, "infosets": [17, 53], "sequences": [41, 93]},
            values=(1.0, -1.0),
            uniform_nash_conv=1.25,
        ),
        Fact(
            source="sizes: OpenSpiel 2.0.2; value: sequence-form LP",
            parameters={"board_size": 2, "abrupt": True},
            sizes={"histories": 471, "terminals": 234, "infosets": [59, 35], "sequences": [89, 81]},
            values=(0.5, -0.5),
            uniform_nash_conv=5 / 6,
        ),
        Fact(
            source="terminals: OpenSpiel 2.0.2; information states: counted apart (see the tests); value: sequence LP",
            parameters={"num_cols": 3},
            sizes={"histories": 104229, "terminals": 53920, "infosets": [697, 1811], "sequences": [1677, 3439]},
            values=(1.0, -1.0),
        ),
        Fact(
            source="Rudolph et al. (2025), arXiv 2502.08938; information states: counted apart (see the tests)",
            parameters={"board_size": 3},
            sizes={"infosets": [3_720_850, 2_352_067]},
            values=(1.0, -1.0),
        ),
        Fact(
            source="sizes: OpenSpiel 2.0.2",
            parameters={"num_cols": 3, "abrupt": True},
            sizes={"histories": 149953, "terminals": 75578, "infosets": [4033, 2725], "sequences": [6045, 6343]},
        ),
        Fact(
            source="sizes: OpenSpiel 2.0.2",
            parameters={"num_rows": 3, "abrupt": True},
            sizes={"histories": 245243, "terminals": 122032, "infosets": [5811, 3363], "sequences": [8629, 7707]},
        ),
    ),
)
