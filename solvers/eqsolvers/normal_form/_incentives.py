"""The linear constraints of correlated equilibria of a normal-form game, as one sparse matrix.

A distribution x over the profiles is a correlated equilibrium iff `incentives(model, "ce") @ x <= 0`, and a coarse
correlated equilibrium iff the same holds with "cce". A row is a player's gain from one deviation; the columns are the
profiles in the order of a flattened payoff tensor. Rows are gains weighted by the probability of the recommendation,
not conditioned on it, as in `eqsolvers.scoring.score`.

Aumann (1974), "Subjectivity and correlation in randomized strategies", J. Math. Econ. 1; Moulin and Vial (1978),
"Strategically zero-sum games", IJGT 7.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse

from eqenvs.arrays import Float64Array
from eqenvs.models.normal_form import NormalFormModel

CONCEPTS = ("ce", "cce")


def incentives(model: NormalFormModel, concept: str, *, complete: bool = False) -> Any:
    """The gains of all deviations, a CSR matrix [rows, profiles].

    Args:
        model: the game.
        concept: "ce": one row for each player, recommended action and other action; "cce": for each player and action.
        complete: keep the rows that no distribution violates, those of deviations that pay in no profile; without them
            the equilibria are the same, but not the distributions that keep all gains below a negative number.
    """
    size = int(np.prod(model.num_actions))
    profiles = np.arange(size).reshape(model.num_actions)
    values: list[Float64Array] = []
    columns: list[Any] = []
    for player, actions in enumerate(model.num_actions):
        own = np.moveaxis(model.payoffs[player], player, 0).reshape(actions, -1)
        where = np.moveaxis(profiles, player, 0).reshape(actions, -1)
        for action in range(actions):
            gains = own[action][None] - own  # [recommended, others' profile]
            if concept == "cce":
                values.append(gains.ravel())
                columns.append(where.ravel())
            else:
                told = [a for a in range(actions) if a != action]
                values += list(gains[told])
                columns += list(where[told])
    kept = [row for row, gains in enumerate(values) if complete or (gains > 0).any()]
    if not kept:
        return sparse.csr_array((0, size))
    data = np.concatenate([values[row] for row in kept])
    ends = np.cumsum([0, *(len(values[row]) for row in kept)])
    matrix = sparse.csr_array((data, np.concatenate([columns[row] for row in kept]), ends), shape=(len(kept), size))
    matrix.eliminate_zeros()
    return matrix


def unit_of(model: NormalFormModel) -> float:
    """The largest range of a player's payoffs, by which they are scaled for solvers with absolute tolerances."""
    ranges = np.ptp(model.payoffs.reshape(model.num_players, -1), axis=1)
    return float(ranges.max()) or 1.0
