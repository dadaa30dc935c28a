"""Magnetic mirror descent in behavioural form; the last iterate counts.

Sokota, D'Orazio, Kolter, Loizou, Lanctot, Mitliagkas, Brown and Kroer (2023), "A unified approach to reinforcement
learning, quantal response equilibria, and two-player zero-sum games", ICLR; the update is in `_mirror`. Variants:

- `annealed`: uniform magnet, step eta / sqrt(t) and temperature alpha / sqrt(t) at iteration t. The paper's schedules
  are eta = alpha = 1 for Kuhn poker and eta = 1, alpha = 5 for Leduc poker.
- `fixed`: uniform magnet, eta and alpha constant: tends to the agent quantal response equilibrium of that temperature
  (see `aqre`), so NashConv stays above zero.
- `moving`: eta and alpha constant, the magnet follows the policy, rho' ~ rho ** (1 - magnet) pi' ** magnet. With
  alpha 1, eta .1 and magnet .05 Kuhn poker is solved to rounding within 10 000 iterations.

Defaults of eta, alpha and magnet are those of the variant. Any number of players. Proofs cover the sequence form and
normal-form games with fixed temperature; convergence of the behavioural form with action values, and to equilibrium in
two-player zero-sum games with the other variants, is what the paper and the tests here observe. Nothing is claimed for
other games. Both eta (per unit of payoff) and alpha (in units of payoff) depend on the scale of the payoffs.
"""

from __future__ import annotations

import numpy as np

from eqenvs.arrays import Float64Array
from eqenvs.models.extensive_form import ExtensiveFormModel
from eqenvs.spec import Family, Parameter
from eqsolvers.extensive_form import _mirror
from eqsolvers.extensive_form._mirror import MagneticMirrorDescent, Schedule
from eqsolvers.iterative import iterative_solver

DEFAULTS = {"annealed": (1.0, 1.0, 0.0), "fixed": (0.1, 0.1, 0.0), "moving": (0.1, 1.0, 0.05)}  # eta, alpha, magnet


def schedule(
    variant: str = "annealed", eta: float | None = None, alpha: float | None = None, magnet: float | None = None
) -> Schedule:
    """Step sizes, temperatures and rates of the magnet; None takes the variant's default."""
    chosen = [
        default if given is None else given
        for given, default in zip((eta, alpha, magnet), DEFAULTS[variant], strict=True)
    ]
    power = 0.5 if variant == "annealed" else 0.0

    def rows(t: Float64Array) -> Float64Array:
        slow = t**-power
        return np.stack([chosen[0] * slow, chosen[1] * slow, np.full_like(t, chosen[2])], axis=1)

    return rows


def start(
    model: ExtensiveFormModel,
    *,
    seed: int,
    variant: str,
    eta: float | None,
    alpha: float | None,
    magnet: float | None,
) -> MagneticMirrorDescent:
    """See `iterative_solver`."""
    del seed  # nothing is random
    return MagneticMirrorDescent(model, schedule(variant, eta, alpha, magnet))


SOLVER = iterative_solver(
    "mmd",
    start,
    source="Sokota et al. (2023), ICLR",
    family=Family.EXTENSIVE_FORM,
    parameters=(
        Parameter(
            name="variant",
            default="annealed",
            kind=str,
            choices=tuple(DEFAULTS),
            description="annealed temperature and step, both fixed, or fixed with a moving magnet",
        ),
        Parameter(
            name="eta",
            default=None,
            kind=float,
            low=1e-9,
            high=1e9,
            description="step size per unit of payoff, over sqrt(t) if annealed; default by variant 1, .1, .1",
        ),
        Parameter(
            name="alpha",
            default=None,
            kind=float,
            low=0.0,
            high=1e9,
            description="temperature in units of payoff, over sqrt(t) if annealed; default by variant 1, .1, 1",
        ),
        Parameter(
            name="magnet",
            default=None,
            kind=float,
            low=0.0,
            high=1.0,
            description="share of the policy in the magnet's geometric average; default .05 if moving, else 0",
        ),
    ),
    compile=lambda model: _mirror.warm_up(model.num_players),
)
