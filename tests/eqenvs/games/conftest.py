"""What the tests of several games count with."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from itertools import combinations

import pytest


def counted_information_states(
    num_cells: int, wins: Callable[[frozenset[int], int], bool]
) -> tuple[list[int], list[int]]:
    """Information states and sequences of a classic phantom game, by counting orders of tries, without any tree.

    A player to move has put some stones and found some of the opponent's, who has as many stones (one more, seen from
    player 1). An order of tries is possible if at each decision the rest of the opponent's stones fit on unknown cells
    without winning, and the board is not full.
    """
    cells = range(num_cells)

    def count(player: int) -> tuple[int, int]:
        @cache
        def possible(own: frozenset[int], found: frozenset[int]) -> bool:
            theirs = len(own) + player
            if wins(own, player) or len(found) > theirs or len(own) + theirs >= num_cells:
                return False
            rest = combinations(set(cells) - own - found, theirs - len(found))
            return any(not wins(found.union(more), 1 - player) for more in rest)

        @cache
        def orders(own: frozenset[int], found: frozenset[int]) -> int:
            if not possible(own, found):
                return 0
            if not own and not found:
                return 1
            return sum(orders(own - {c}, found) for c in own) + sum(orders(own, found - {c}) for c in found)

        subsets = [frozenset(s) for size in range(len(cells) + 1) for s in combinations(cells, size)]
        pairs = [(own, found) for own in subsets for found in subsets if not own & found]
        infosets = sum(orders(*pair) for pair in pairs)
        return infosets, 1 + sum(orders(own, found) * (len(cells) - len(own) - len(found)) for own, found in pairs)

    both = [count(player) for player in range(2)]
    return [infosets for infosets, _ in both], [sequences for _, sequences in both]


@pytest.fixture
def phantom_sizes() -> Callable[[int, Callable[[frozenset[int], int], bool]], tuple[list[int], list[int]]]:
    """`counted_information_states`; a fixture because tests do not import each other."""
    return counted_information_states
