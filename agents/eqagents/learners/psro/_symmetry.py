"""Games whose players are alike: one population for all of them, after it was checked that they are.

The check is exact up to rounding. The expected payoffs of a game are polynomials in the players' behaviour, so if they
differ from those with two players exchanged anywhere, they differ at random behaviour with probability one.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from eqagents.learners.psro._payoffs import Cell
from eqenvs.arrays import Float64Array, IntArray
from eqenvs.errors import InputError, PolicyError
from eqenvs.game import Game
from eqenvs.models.information_states import InformationStates, KeyIndex
from eqsolvers.meta import MetaSolution, NoMetaSolutionError, correlated
from eqsolvers.scoring.scorers import scorer

TOLERANCE = 1e-9  # of payoffs, relative to the largest that is compared
DRAWS = 3


def shared_rows(game: Game) -> list[IntArray]:
    """Per player, the information set of player 0 that each of its own is, [I] int64.

    Raises:
        InputError: if the game is not symmetric: its players decide at different information states, or exchanging two
            of them changes what the same behaviour earns.
    """
    first, *others = game.information_states
    rows = [np.arange(len(first.keys))]
    for player, states in enumerate(others, 1):
        found = _aligned(first, states)
        if found is None:
            raise InputError(
                f"psro: symmetric: {game!r} is not symmetric: players 0 and {player} decide at different information "
                "states; use symmetric: false"
            )
        rows.append(found)
    judge, rng = scorer(game.model()), np.random.default_rng(0)
    for _ in range(DRAWS):
        tables = [_random_table(first, rng) for _ in rows]
        values = judge.values([table[own] for table, own in zip(tables, rows, strict=True)])
        for player in range(1, game.num_players):
            order = list(range(game.num_players))
            order[0], order[player] = player, 0
            exchanged = judge.values([tables[k][own] for k, own in zip(order, rows, strict=True)])[order]
            gap = float(np.abs(exchanged - values).max())
            if gap > TOLERANCE * max(1.0, float(np.abs(values).max())):
                raise InputError(
                    f"psro: symmetric: {game!r} is not symmetric: payoffs change by {gap:.3g} where players 0 and "
                    f"{player} exchange their policies; use symmetric: false"
                )
    return rows


def _aligned(first: InformationStates, states: InformationStates) -> IntArray | None:
    """The row of `first` with the key of each of some information states; None where they are not the same."""
    if states.keys.shape != first.keys.shape:
        return None
    try:
        rows = KeyIndex(first.keys).rows(states.keys)
    except PolicyError:
        return None
    return rows if np.array_equal(first.masks[rows], states.masks) else None


def _random_table(states: InformationStates, rng: np.random.Generator) -> Float64Array:
    table = np.where(states.masks, rng.random(states.masks.shape), 0.0)
    found: Float64Array = table / table.sum(axis=1, keepdims=True)
    return found


def distinct(cells: Sequence[Cell]) -> list[Cell]:
    """One profile of each set that are the same but for who plays what."""
    return [cell for cell in cells if all(a <= b for a, b in itertools.pairwise(cell))]


def spread(cell: Cell, payoffs: Float64Array) -> tuple[list[Cell], Float64Array]:
    """All profiles that differ from one in who plays what alone, and their payoffs [M, N] from its own [N].

    Players of the same policy get the same: the mean of what they got, which is how it was played.
    """
    found: dict[Cell, list[Float64Array]] = {}
    for order in itertools.permutations(range(len(cell))):
        found.setdefault(tuple(cell[k] for k in order), []).append(payoffs[list(order)])
    return list(found), np.stack([np.mean(each, axis=0) for each in found.values()])


def symmetric_solution(meta: MetaSolution, *, constant_sum: bool) -> MetaSolution:
    """A meta-solution in which all players are alike.

    A device is averaged over who plays what: (coarse) correlated equilibria of a symmetric game are a convex set that
    this leaves; what players hear is of the average then. Of two players whose payoffs sum to a constant, one's maximin
    strategy is the other's too. Targets of independent mixtures are player 0's, who responds for all.

    Args:
        meta: of a symmetric empirical game.
        constant_sum: whether that is a two-player constant-sum game.

    Raises:
        NoMetaSolutionError: if players mix independently and differently in any other game.
    """
    if meta.device is not None:
        orders = list(itertools.permutations(range(meta.device.ndim)))
        device = np.mean([np.transpose(meta.device, order) for order in orders], axis=0)
        found = correlated(device, told=bool(meta.targets))
        return replace(found, residual=meta.residual, message=meta.message, memory=meta.memory)
    own = meta.strategies[0]
    differ = max(float(np.abs(other - own).max()) for other in meta.strategies)
    if differ > 1e-6 and not constant_sum:
        raise NoMetaSolutionError(f"the players' strategies differ by {differ:.3g} in a symmetric game")
    return replace(meta, strategies=(own,) * len(meta.strategies))
