"""Investment in product quality: firms pay to raise it, and it is worth the less the better the others' is.

Cui and Koeppl (2022), "Learning graphon mean field games and approximate Nash equilibria", ICLR, after Weintraub,
Benkard and Van Roy (2010), "Computational methods for oblivious equilibrium", Operations Research 58, and Subramanian
and Mahajan (2019), "Reinforcement learning in stationary mean-field games", AAMAS: at quality x of 0 .. Q - 1 a firm
gets payoff x / (1 + mean quality), and investing costs it `cost` and raises x by one with probability (Q - 1 - x) / Q.

With `depreciation`, quality that did not rise falls by one with that probability, as it does in the stationary models:
without it a population without a horizon ends up wherever it stops investing.
"""

from __future__ import annotations

import numpy as np

from eqenvs.arrays import Array, Constants, namespace
from eqenvs.games.mean_field import _time
from eqenvs.models.mean_field import MeanFieldModel, Moment
from eqenvs.population_rules import mean_field_spec
from eqenvs.spec import Fact, Parameter

WAIT, INVEST = range(2)


def build(
    num_qualities: int, payoff: float, cost: float, depreciation: float, horizon: int | None, discount: float | None
) -> MeanFieldModel:
    """The model; moves do not depend on the mean field."""
    quality = np.arange(num_qualities)
    around = np.stack([quality, quality + 1, quality - 1], axis=1).clip(0, num_qualities - 1)
    successors = np.repeat(around[:, None], 2, axis=1)
    rise = np.zeros((num_qualities, 2))
    rise[:, INVEST] = (num_qualities - 1 - quality) / num_qualities
    fall = (1 - rise) * depreciation
    probability = np.stack([1 - rise - fall, rise, fall], axis=-1)
    constants = Constants(quality=quality.astype(np.float64), cost=np.array([0.0, cost]))

    def reward(mean_field: Array, moment: Moment) -> Array:
        own = constants.on("quality", mean_field)
        mean = namespace(mean_field).sum(own * mean_field, axis=-1)[..., None, None]
        return payoff * own[:, None] / (1 + mean) - constants.on("cost", mean_field)

    steps, factor = _time.resolved(horizon, discount)
    return MeanFieldModel(
        probability, reward, np.eye(1, num_qualities)[0], successors=successors, horizon=steps, discount=factor
    )


def _amount(name: str, default: float, description: str, high: float = 1e6) -> Parameter:
    return Parameter(name=name, default=default, kind=float, low=0.0, high=high, description=description)


SPEC = mean_field_spec(
    id="investment",
    title="Product quality investment",
    build=build,
    source="Cui and Koeppl (2022), ICLR; Weintraub et al. (2010), Operations Research 58",
    parameters=(
        Parameter(name="num_qualities", default=10, low=1, high=100_000, description="levels of quality"),
        _amount("payoff", 0.3, "of a step, per level of quality, where all others have none"),
        _amount("cost", 2.0, "of investing"),
        _amount("depreciation", 0.0, "probability a step that quality falls where it did not rise", 1.0),
        _time.horizon_parameter(50),
        _time.discount_parameter(),
    ),
    facts=(Fact(source="plain recomputation, one state at a time", uniform_nash_conv=38.355249016, tolerance=1e-8),),
)
