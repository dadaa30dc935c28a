"""Nash equilibria as the zeros of a map of the whole of R^M: strategies are projections of points.

Let z [M] hold a vector per player and P(z) be the nearest profile, each player's part projected on its simplex. Then x
is an equilibrium iff x = P(x + v(x)), v the payoffs of all actions: the projection's condition is that no y has v(x) .
(y - x) > 0. So the zeros of

    F(z) = P(z) + v(P(z)) - z

are the points x + v(x) of the equilibria x, and F(z) = e means that no player of P(z) gains more than 2 max|e|: P(z) is
P(x + v(x) - e), and e . (y - x) <= 2 max|e| for two points of a simplex.

Gul, Pearce and Stacchetti (1993), "A bound on the proportion of pure strategy equilibria in generic games", Mathematics
of Operations Research 18; Govindan and Wilson (2003), "A global Newton method to compute Nash equilibria", Journal of
Economic Theory 110.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from eqenvs.arrays import Float64Array
from eqsolvers.normal_form._multilinear import Multilinear
from eqsolvers.simplex import project


def retract(slices: Sequence[slice], point: Float64Array) -> Float64Array:
    """P(z): the players' parts projected, [M]."""
    return np.concatenate([project(point[s]) for s in slices])


def displacement(game: Multilinear, point: Float64Array) -> Float64Array:
    """F(z), [M]."""
    profile = retract(game.slices, point)
    moved: Float64Array = profile + game.payoffs(profile) - point
    return moved
