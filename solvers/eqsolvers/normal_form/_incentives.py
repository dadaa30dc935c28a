"""The linear constraints of correlated equilibria of a normal-form game, as one sparse matrix.

A distribution x over the profiles is a correlated equilibrium iff `incentives(model, "ce") @ x <= 0`, and a coarse
correlated equilibrium iff the same holds with "cce". A row is a player's gain from one deviation; the columns are the
profiles in the order of a flattened payoff tensor. Rows are gains weighted by the probability of the recommendation,
not conditioned on it, as in `eqsolvers.scoring.score`.

Aumann (1974), "Subjectivity and correlation in randomized strategies", J. Math. Econ. 1; Moulin and Vial (1978),
"Strategically zero-sum games", IJGT 7.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
from scipy import sparse

from eqenvs.arrays import Float64Array, IntArray
from eqenvs.errors import GameTooLargeError
from eqenvs.models.normal_form import NormalFormModel
from eqenvs.models.numbers import MAX_NUMBERS, written
from eqsolvers.normal_form._scales import payoff_ranges

CONCEPTS = ("ce", "cce")


def incentives(model: NormalFormModel, concept: str, *, complete: bool = False) -> Any:
    """The gains of all deviations, a CSR matrix [rows, profiles].

    Args:
        model: the game.
        concept: "ce": one row for each player, recommended action and other action; "cce": for each player and action.
        complete: keep the rows that no distribution violates, those of deviations that pay in no profile; without them
            the equilibria are the same, but not the distributions that keep all gains below a negative number.

    Raises:
        GameTooLargeError: if there would be more than `MAX_NUMBERS` entries; they are counted before any is made.
    """
    return _rows(model, concept, complete)[0]


def scaled_incentives(
    model: NormalFormModel, concept: str, *, complete: bool = False
) -> tuple[Any, Float64Array, IntArray]:
    """`incentives` with each row in units of its player's range, these units [rows], and whose deviations they are.

    So no player's constraints are lost in a solver's tolerance because another's payoffs are large. A deviation is
    (player, action) with "cce" and (player, action, recommended action) with "ce", [rows, 2 or 3].
    """
    matrix, deviations = _rows(model, concept, complete)
    units = payoff_ranges(model)[deviations[:, 0]]
    return sparse.csr_array(sparse.diags_array(1.0 / units) @ matrix) if len(units) else matrix, units, deviations


def require_size(model: NormalFormModel, concept: str) -> None:
    """Refuse a programme over the profiles that has too many entries, before any is made.

    Raises:
        GameTooLargeError: naming how many it has.
    """
    entries = prod(model.num_actions) * sum(actions - (concept == "ce") for actions in model.num_actions)
    if entries > MAX_NUMBERS:
        raise GameTooLargeError(
            f"the gains from deviating that define a {concept.upper()} have {written(entries)} entries, the limit is "
            f"{MAX_NUMBERS:,}"
        )


def _rows(model: NormalFormModel, concept: str, complete: bool) -> tuple[Any, IntArray]:
    """The matrix, and the deviation of each row, see `scaled_incentives`."""
    require_size(model, concept)
    size = prod(model.num_actions)
    profiles = np.arange(size).reshape(model.num_actions)
    values: list[Float64Array] = []
    columns: list[Any] = []
    deviations: list[tuple[int, ...]] = []
    for player, actions in enumerate(model.num_actions):
        own = np.moveaxis(model.payoffs[player], player, 0).reshape(actions, -1)
        where = np.moveaxis(profiles, player, 0).reshape(actions, -1)
        for action in range(actions):
            gains = own[action][None] - own  # [recommended, others' profile]
            if concept == "cce":
                values.append(gains.ravel())
                columns.append(where.ravel())
                deviations.append((player, action))
            else:
                told = [a for a in range(actions) if a != action]
                values += list(gains[told])
                columns += list(where[told])
                deviations += [(player, action, recommended) for recommended in told]
    kept = [row for row, gains in enumerate(values) if complete or (gains > 0).any()]
    found = np.array(deviations, dtype=np.int64).reshape(-1, 3 if concept == "ce" else 2)[kept]
    if not kept:
        return sparse.csr_array((0, size)), found
    data = np.concatenate([values[row] for row in kept])
    ends = np.cumsum([0, *(len(values[row]) for row in kept)])
    matrix = sparse.csr_array((data, np.concatenate([columns[row] for row in kept]), ends), shape=(len(kept), size))
    matrix.eliminate_zeros()
    return matrix, found
