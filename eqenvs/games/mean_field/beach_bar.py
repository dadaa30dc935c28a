"""Beach bar: a ring of places, better the nearer to the bar and the emptier; the bar may close half way through.

Perrin, Perolat, Lauriere, Geist, Elie and Pietquin (2020), "Fictitious play for mean field games: continuous time
analysis and applications", NeurIPS, section 4.2, and with common noise. A player moves by -1, 0 or 1 and noise by as
much, staying with probability `still`. At x it gets, where d is the distance to the bar round the ring,

    -d(x, bar) 1[the bar is open] - |a| / size - log mu(x).

The bar is open at first. With probability `closing` it closes, for good, before the decision at time horizon // 2;
everybody sees that, and then minds the crowd alone. The default is without common noise, in the size of Isobe, Abe and
Ariu (2025), "Last iterate convergence in monotone mean field games", NeurIPS: 100 places and 50 decisions.

`ends` puts walls between the last place and the first, as MFGLib does, whose distances yet go round.
"""

from __future__ import annotations

import numpy as np

from eqenvs.arrays import Array, Constants, namespace
from eqenvs.errors import InputError
from eqenvs.games.mean_field import _crowds
from eqenvs.models.mean_field import CommonNoise, MeanFieldModel, Moment
from eqenvs.population_rules import mean_field_spec
from eqenvs.spec import Fact, Parameter

OPEN, CLOSED = range(2)
MOVES = np.array([-1, 0, 1])


def build(size: int, horizon: int, bar: int | None, still: float, closing: float, ends: bool) -> MeanFieldModel:
    """The model."""
    at = size // 2 if bar is None else bar
    if at >= size:
        raise InputError(f"beach_bar: parameter 'bar' must be from 0 to size - 1 = {size - 1}, got {bar}")
    place = np.arange(size)
    apart = np.abs(place - at)
    constants = Constants(distance=np.minimum(apart, size - apart)[:, None] * 1.0, cost=np.abs(MOVES) / size)

    def reward(mean_field: Array, moment: Moment) -> Array:
        xp = namespace(mean_field)
        is_open = xp.astype(moment.noise == OPEN, xp.float64)[..., None, None, None]
        place_and_crowd = is_open * constants.on("distance", mean_field) + _crowds.log_density(mean_field)[..., None]
        return -place_and_crowd - constants.on("cost", mean_field)

    target = place[:, None, None] + MOVES[:, None] + MOVES
    successors = np.clip(target, 0, size - 1) if ends else target % size
    chance = np.array([(1 - still) / 2, still, (1 - still) / 2])
    return MeanFieldModel(
        np.broadcast_to(chance, successors.shape),
        reward,
        np.full(size, 1 / size),
        successors=successors,
        horizon=horizon,
        noise=_closing(horizon, closing) if closing > 0 else None,
    )


def _closing(horizon: int, probability: float) -> CommonNoise:
    """The bar's chain, which branches once."""
    if horizon < 2:
        raise InputError("beach_bar: parameter 'closing' needs a horizon of at least 2: the bar closes at horizon // 2")
    kernel = np.broadcast_to(np.eye(2), (horizon - 1, 2, 2)).copy()
    kernel[horizon // 2 - 1, OPEN] = [1 - probability, probability]
    return CommonNoise(initial=[1.0, 0.0], kernel=kernel)


SPEC = mean_field_spec(
    id="beach_bar",
    title="Beach bar",
    build=build,
    source="Perrin et al. (2020), NeurIPS",
    parameters=(
        Parameter(name="size", default=100, low=2, high=100_000, description="places"),
        _crowds.horizon_of(50),
        Parameter(name="bar", default=None, low=0, high=99_999, description="where the bar is; none: in the middle"),
        Parameter(
            name="still", default=0.5, kind=float, low=0.0, high=1.0, description="probability that noise does not move"
        ),
        Parameter(
            name="closing", default=0.0, kind=float, low=0.0, high=1.0, description="probability that the bar closes"
        ),
        Parameter(name="ends", default=False, kind=bool, description="whether the ring is cut by walls"),
    ),
    facts=(
        Fact(
            source="MFGLib 0.3.0 in double precision",
            parameters={"size": 4, "horizon": 3, "bar": 2, "ends": True},
            uniform_nash_conv=1.22126225529653,
        ),
        Fact(
            source="MFGLib 0.3.0 in double precision",
            parameters={"size": 7, "horizon": 7, "bar": 1, "still": 0.3, "ends": True},
            uniform_nash_conv=4.545456863975952,
        ),
    ),
)
