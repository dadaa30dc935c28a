"""Graphs over the players, for games in which payoffs depend on neighbours only."""

from __future__ import annotations

from itertools import combinations

from eqenvs.games.normal_form._random import Draws
from eqenvs.games.normal_form._tensors import number
from eqenvs.spec import Parameter

PARAMETERS = (
    Parameter(
        name="graph",
        default="ring",
        kind=str,
        choices=("complete", "ring", "star", "path", "random"),
        description="who depends on whom; random: a random tree and each further edge with probability density",
    ),
    number("density", 0.25, "probability of an edge outside the tree, where the graph is random", low=0, high=1),
)


def edges(graph: str, num_players: int, density: float, draws: Draws) -> list[tuple[int, int]]:
    """Pairs (i, j) with i < j, in ascending order; the graph is connected.

    >>> edges("ring", 4, 0.0, Draws(0))
    [(0, 1), (0, 3), (1, 2), (2, 3)]
    """
    pairs = list(combinations(range(num_players), 2))
    if graph == "complete":
        return pairs
    if graph == "star":
        return [(i, j) for i, j in pairs if i == 0]
    if graph == "path":
        return [(i, j) for i, j in pairs if j == i + 1]
    if graph == "ring":
        return [(i, j) for i, j in pairs if j == i + 1 or (i, j) == (0, num_players - 1)]
    # The random recursive tree: each player is tied to one of those before it.
    tree = {(int(draws.below(player)), player) for player in range(1, num_players)}
    further = draws.uniform(len(pairs)) < density
    return [pair for pair, kept in zip(pairs, further, strict=True) if kept or pair in tree]
