"""Populations that begin elsewhere: what a policy that sees the distribution is trained over and tried on."""

from __future__ import annotations

import numpy as np
from pydantic import Field

from eqagents.configuration import Settings
from eqenvs.arrays import Float64Array
from eqenvs.models.mean_field import MeanFieldModel


class StartsConfig(Settings):
    """A distribution over initial populations: Dirichlet over states, and the game's own now and then."""

    concentration: float = Field(
        default=1.0, gt=0, description="of the Dirichlet distribution; 1: all alike, less: crowds in few states"
    )
    own: float = Field(default=0.25, ge=0, le=1, description="probability of the game's own initial distributions")
    everywhere: bool = Field(
        default=True, description="over all states; false: over those where the game's own has somebody"
    )


def draw_starts(model: MeanFieldModel, starts: StartsConfig, count: int, rng: np.random.Generator) -> Float64Array:
    """Initial populations [count, P, S]."""
    shape = (count, *model.initial.shape)
    mass = rng.standard_gamma(starts.concentration, size=shape) + np.finfo(np.float64).tiny
    if not starts.everywhere:
        mass = np.where(model.initial > 0, mass, 0.0)
    drawn: Float64Array = mass / mass.sum(axis=-1, keepdims=True)
    own = rng.random(count) < starts.own
    return np.where(own[:, None, None], model.initial, drawn)


def starting_from(model: MeanFieldModel, initial: Float64Array) -> MeanFieldModel:
    """The game with other initial distributions [P, S]."""
    return MeanFieldModel(
        model.transition,
        model.reward,
        initial,
        successors=model.successors,
        horizon=model.horizon,
        discount=model.discount,
        legal=model.legal,
        keys=model.keys,
        views=model.views,
        coupling=model.coupling,
        noise=model.noise,
    )
