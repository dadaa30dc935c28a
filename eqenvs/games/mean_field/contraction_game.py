"""Stay or switch: a game whose fixed-point map is a contraction, with its modulus as a parameter.

After the two-state contraction game of Bench-MFG (Magnino et al.): being at x costs alpha mu(x), switching costs C.
There moves are deterministic, so a crowd that stays rests anywhere and the map from a mean field to the population's is
the identity. Here a player gets where it wants with probability o (`own`); otherwise, with probability w, it is where
somebody drawn from the crowd is, and with r, at a place drawn from `rest`:

    p(. | x, a, mu) = o 1[a(x)] + w mu + r nu,   o + w + r = 1,   w = kappa (1 - o).

Derivation. Two places differ in value, of anybody who stays, by the sum of (gamma o)^t alpha (mu_t(0) - mu_t(1)): what
follows from the crowd or from nu is the same from both. So if

    C > gamma o alpha / (1 - gamma o)                                                                     (dominance)

no single switch pays against any flow, and always staying is the one best response. The law m of a player who stays in
a crowd mu then solves m = o m + w mu + r nu, so the stationary fixed-point map is

    Phi(mu) = kappa mu + (1 - kappa) nu,                                    ||Phi mu - Phi mu'|| = kappa ||mu - mu'||:

a contraction of modulus kappa exactly, in every norm, with the equilibrium nu. With a horizon, |m_t - m'_t| is at most
w (1 + o + ... + o^(t-1)) D = kappa (1 - o^t) D for flows that differ by D at most: modulus below kappa in the maximum
over time. One step of a crowd that stays has the modulus o + w = o + kappa (1 - o).

With kappa = 1 nobody returns to `rest`: the crowd stays where it is, and no modulus below 1 holds.
"""

from __future__ import annotations

import numpy as np

from eqenvs.arrays import Array, Constants
from eqenvs.games.mean_field import _time
from eqenvs.models.mean_field import Affine, MeanFieldModel, Moment
from eqenvs.population_rules import mean_field_spec
from eqenvs.spec import Fact, Parameter

STAY, SWITCH = range(2)


def build(
    modulus: float,
    own: float,
    switching_cost: float,
    congestion: float,
    rest: float,
    first: float,
    horizon: int | None,
    discount: float | None,
) -> MeanFieldModel:
    """The model; see the module for the letters: `rest` is nu(0), `first` the mass that starts in place 0."""
    steps, factor = _time.resolved(horizon, discount)
    crowd = modulus * (1 - own)
    place = np.arange(2)
    base = np.empty((2, 2, 2))
    base[:] = (1 - own - crowd) * np.array([rest, 1 - rest])
    for action in (STAY, SWITCH):
        base[place, action, place ^ action] += own
    slope = crowd * np.broadcast_to(np.eye(2)[:, None, None, :], (2, 2, 2, 2))
    constants = Constants(cost=np.array([0.0, switching_cost]))

    def reward(mean_field: Array, moment: Moment) -> Array:
        return -congestion * mean_field[..., None] - constants.on("cost", mean_field)

    transition = Affine(base=base, slope=slope, weight=np.eye(2))
    return MeanFieldModel(transition, reward, [first, 1 - first], horizon=steps, discount=factor)


def _share(name: str, default: float, description: str, high: float = 1.0) -> Parameter:
    return Parameter(name=name, default=default, kind=float, low=0.0, high=high, description=description)


SPEC = mean_field_spec(
    id="contraction_game",
    title="Contraction game",
    build=build,
    source="Bench-MFG (Magnino et al.), with dynamics whose modulus is chosen",
    parameters=(
        _share("modulus", 0.5, "kappa, of the stationary fixed-point map where staying dominates"),
        _share("own", 0.4, "probability of getting where one wants", 0.999),
        _share("switching_cost", 1.0, "C; staying dominates above gamma own congestion / (1 - gamma own)", 1e6),
        _share("congestion", 1.0, "alpha, cost of sharing a place with everybody", 1e6),
        _share("rest", 0.75, "share of place 0 among those who are moved at random"),
        _share("first", 1.0, "share of the population that starts in place 0"),
        _time.horizon_parameter(None),
        _time.discount_parameter(0.9),
    ),
    facts=(
        Fact(
            source="by hand: everybody stays, at rest: -alpha |nu|^2 / (1 - gamma); dense linear algebra",
            values=(-6.25,),
            uniform_nash_conv=4.870854592,
            tolerance=1e-8,
        ),
    ),
)
