"""Connect four: stones fall into columns, four in a row win.

With perfect play the first player wins on the board of 6 rows and 7 columns (Allis 1988, "A knowledge-based approach of
Connect-Four", Vrije Universiteit Amsterdam).
"""

from __future__ import annotations

from eqenvs.games.extensive_form._lines import LinesRules, count_histories
from eqenvs.models.enumeration import DEFAULT_MAX_SIZE
from eqenvs.spec import Fact, Family, GameSpec, Parameter


class ConnectFour(LinesRules):
    """Connect four.

    Observation: float32 [2 + 2 R C], one-hot player, the cells with own stones, and those with the opponent's, row by
    row from the lowest.
    Actions: the columns that are not full.
    Reward: 1 to the first with a line of four, -1 to the other; 0 if the board fills up; zero-sum.

    Version history: 0, first version.
    """

    def __init__(self, num_rows: int = 6, num_cols: int = 7, line_length: int = 4) -> None:
        super().__init__("connect_four", num_rows, num_cols, line_length, falling=True)

    def describe_action(self, player: int, action: int) -> str:
        return "abcdefghijklmnopqrstuvwxyz"[action]


def num_histories(num_rows: int, num_cols: int, line_length: int, limit: float = DEFAULT_MAX_SIZE) -> int:
    """Histories; see `count_histories`."""
    return count_histories(ConnectFour(num_rows, num_cols, line_length), limit)


SPEC = GameSpec(
    id="connect_four",
    family=Family.EXTENSIVE_FORM,
    title="Connect four",
    build=ConnectFour,
    constant_sum=True,
    size=lambda num_rows, num_cols, line_length: num_histories(num_rows, num_cols, line_length),
    source="Allis (1988), A knowledge-based approach of Connect-Four",
    parameters=(
        Parameter(name="num_rows", default=6, low=1, high=20, description="rows of the board"),
        Parameter(name="num_cols", default=7, low=1, high=20, description="columns of the board"),
        Parameter(name="line_length", default=4, low=2, high=20, description="stones in a row that win"),
    ),
    facts=(
        Fact(
            source="Allis (1988): the first player wins",
            parameters={"num_rows": 6, "num_cols": 7, "line_length": 4},
            values=(1.0, -1.0),
        ),
    ),
)
