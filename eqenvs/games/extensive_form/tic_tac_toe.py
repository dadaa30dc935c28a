"""Tic-tac-toe, and its kin with other boards and lines (m,n,k-games): stones on cells, a line of one's own wins.

On three by three there are 255,168 ways for a game to go (Schaefer 2002, "How many games of Tic-Tac-Toe are there?"),
and neither player can be kept from a draw.
"""

from __future__ import annotations

from eqenvs.games.extensive_form._lines import LinesRules, count_histories
from eqenvs.models.enumeration import DEFAULT_MAX_SIZE
from eqenvs.spec import Fact, Family, GameSpec, Parameter


class TicTacToe(LinesRules):
    """Tic-tac-toe.

    Observation: float32 [2 + 2 R C], one-hot player, the cells with own marks, and those with the opponent's, row by
    row.
    Actions: the empty cells, row by row.
    Reward: 1 to the first with a line, -1 to the other; 0 if the board fills up; zero-sum.

    Version history: 0, first version.
    """

    def __init__(self, num_rows: int = 3, num_cols: int = 3, line_length: int = 3) -> None:
        super().__init__("tic_tac_toe", num_rows, num_cols, line_length, falling=False)

    def describe_action(self, player: int, action: int) -> str:
        row, col = divmod(action, self.num_cols)
        return f"{'abcdefghijklmnopqrstuvwxyz'[col]}{row + 1}"


def num_histories(num_rows: int, num_cols: int, line_length: int, limit: float = DEFAULT_MAX_SIZE) -> int:
    """Histories; see `count_histories`."""
    return count_histories(TicTacToe(num_rows, num_cols, line_length), limit)


SPEC = GameSpec(
    id="tic_tac_toe",
    family=Family.EXTENSIVE_FORM,
    title="Tic-tac-toe",
    build=TicTacToe,
    constant_sum=True,
    size=lambda num_rows, num_cols, line_length: num_histories(num_rows, num_cols, line_length),
    source="folklore; Schaefer (2002), How many games of Tic-Tac-Toe are there?",
    parameters=(
        Parameter(name="num_rows", default=3, low=1, high=20, description="rows of the board"),
        Parameter(name="num_cols", default=3, low=1, high=20, description="columns of the board"),
        Parameter(name="line_length", default=3, low=2, high=20, description="marks in a row that win"),
    ),
    facts=(
        Fact(
            source="sizes: Schaefer (2002), and positions counted by hand; value: folklore",
            parameters={"num_rows": 3, "num_cols": 3, "line_length": 3},
            sizes={"histories": 549946, "terminals": 255168, "infosets": [180361, 114417]},
            values=(0.0, 0.0),
        ),
    ),
)
