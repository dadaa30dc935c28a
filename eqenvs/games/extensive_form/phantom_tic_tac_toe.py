"""Phantom tic-tac-toe: tic-tac-toe without seeing the opponent's marks, only whether one's own tries succeed.

The "reveal nothing" variants of OpenSpiel (Lanctot et al. 2019): classic, where a failed try is repeated elsewhere, and
abrupt, where it loses the turn (Lisy, Lanctot and Bowling 2015, "Online Monte Carlo counterfactual regret minimization
for search in imperfect information games", AAMAS, for the family of phantom games).

The classic game has 3,683,314 + 2,307,355 information states and 19.93e9 histories, too many to enumerate here, and is
worth 2/3 to player 0 (Rudolph et al. 2025, "Reevaluating policy gradient methods for imperfect-information games",
arXiv 2502.08938).
"""

from __future__ import annotations

from itertools import combinations

from eqenvs.arrays import Array, Constants, namespace, one_hot
from eqenvs.games.extensive_form._phantom_board import PhantomBoard, count_histories
from eqenvs.models.enumeration import DEFAULT_MAX_SIZE
from eqenvs.spec import Fact, Family, GameSpec, Parameter

LINES = ((0, 1, 2), (3, 4, 5), (6, 7, 8), (0, 3, 6), (1, 4, 7), (2, 5, 8), (0, 4, 8), (2, 4, 6))


class PhantomTicTacToe(PhantomBoard):
    """Phantom tic-tac-toe.

    Observation: float32 [101], one-hot player; per cell whether an opponent's mark and whether an own mark is known to
    be there; and the order of the own tries, one-hot cell for each of 9.
    Actions: the cells 0 .. 8 row by row, without those known to be taken.
    Reward: 1 to the first with three in a row, -1 to the other; 0 if the board fills up; zero-sum.

    Version history: 0, first version.
    """

    def __init__(self, abrupt: bool = False) -> None:
        super().__init__(3, 3, abrupt)
        self._tables = Constants(lines=LINES)

    def _place(self, board: Array, cell: Array, player: Array) -> tuple[Array, Array]:
        xp = namespace(board)
        placed = xp.where(one_hot(cell, self.num_cells), player[:, None], board)
        own = placed == player[:, None]
        return placed, xp.any(xp.all(own[:, self._tables.on("lines", board)], axis=2), axis=1)


def num_histories(abrupt: bool, limit: float = DEFAULT_MAX_SIZE) -> int:
    """Histories; see `count_histories`."""
    cells = frozenset(range(9))

    def going_on(marks: tuple[int, ...]) -> bool:
        return not any(set(line) <= set(marks) for line in LINES)

    def unfinished(first: int, second: int) -> int:
        if first + second == len(cells):
            return 0
        boards = (cells.difference(own) for own in combinations(cells, first) if going_on(own))
        return sum(going_on(theirs) for rest in boards for theirs in combinations(rest, second))

    return count_histories(len(cells), abrupt, unfinished, limit)


SPEC = GameSpec(
    id="phantom_tic_tac_toe",
    family=Family.EXTENSIVE_FORM,
    title="Phantom tic-tac-toe",
    build=PhantomTicTacToe,
    constant_sum=True,
    size=lambda abrupt: num_histories(abrupt),
    source="Lisy, Lanctot and Bowling (2015), AAMAS; OpenSpiel (2019)",
    parameters=(
        Parameter(
            name="abrupt", default=False, kind=bool, description="whether a try at an occupied cell loses the turn"
        ),
    ),
    facts=(
        Fact(
            source="Rudolph et al. (2025), arXiv 2502.08938",
            parameters={"abrupt": False},
            sizes={"infosets": [3_683_314, 2_307_355]},
            values=(0.6667, -0.6667),
            tolerance=1e-4,
        ),
    ),
)
