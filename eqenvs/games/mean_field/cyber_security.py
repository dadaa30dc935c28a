"""Cyber security: owners of computers choose whether to defend them against a malware that spreads between computers.

Kolokoltsov and Bensoussan (2016), "Mean-field-game model for botnet defense in cyber-security", Applied Mathematics and
Optimization 74, with the numbers of Fabian, Cui and Koeppl (2023), "Learning sparse graphon mean field games", AISTATS,
as rates. A computer is defended or unprotected, and infected or susceptible: states DI, DS, UI,
US. At rate `response` its owner's wish to change the level of defence comes true; the infected recover at rate
`recovery_defended` or `recovery_unprotected`; the susceptible are infected by hackers, who try with intensity `attack`
and succeed at rate `intrusion_defended` or `intrusion_unprotected`, and by the infected:

    DS -> DI at attack * intrusion_defended + spread_dd mu(DI) + spread_ud mu(UI)
    US -> UI at attack * intrusion_unprotected + spread_du mu(DI) + spread_uu mu(UI).

Being defended costs `defence_cost` and being infected `infection_cost` per unit of time. Time goes in steps of length
`step` (Euler): an event of rate q has the probability q * step. Actions: leave the level of defence, or change it.
"""

from __future__ import annotations

import numpy as np

from eqenvs.arrays import Array, Constants
from eqenvs.errors import InputError
from eqenvs.games.mean_field import _time
from eqenvs.models.mean_field import Affine, MeanFieldModel, Moment
from eqenvs.population_rules import mean_field_spec
from eqenvs.spec import Fact, Parameter

DI, DS, UI, US = range(4)
KEEP, CHANGE = range(2)


def build(
    step: float,
    response: float,
    attack: float,
    intrusion_defended: float,
    intrusion_unprotected: float,
    spread_dd: float,
    spread_du: float,
    spread_ud: float,
    spread_uu: float,
    recovery_defended: float,
    recovery_unprotected: float,
    defence_cost: float,
    infection_cost: float,
    horizon: int | None,
    discount: float | None,
) -> MeanFieldModel:
    """The model; successors of a state are itself, its other health and its other level of defence.

    Raises:
        InputError: if a step is so long that the events' probabilities would exceed 1.
    """
    event = np.zeros((4, 2, 2))  # rates without infected: change of health, change of defence
    event[[DI, DS, UI, US], :, 0] = np.array(
        [recovery_defended, attack * intrusion_defended, recovery_unprotected, attack * intrusion_unprotected]
    )[:, None]
    event[:, CHANGE, 1] = response
    spread = np.zeros((2, 4, 2, 2))  # what the shares of DI and of UI add
    spread[0, [DS, US], :, 0] = np.array([spread_dd, spread_du])[:, None]
    spread[1, [DS, US], :, 0] = np.array([spread_ud, spread_uu])[:, None]
    fastest = float((event + spread.max(axis=0)).sum(axis=-1).max())
    if step * fastest > 1:
        raise InputError(
            f"cyber_security: parameter 'step' must be at most {1 / fastest!r}, the inverse of the fastest rate, got "
            f"{step}"
        )
    successors = np.array([[DI, DS, UI], [DS, DI, US], [UI, US, DI], [US, UI, DS]])[:, None].repeat(2, axis=1)
    transition = Affine(
        base=np.concatenate([1 - step * event.sum(axis=-1, keepdims=True), step * event], axis=-1),
        slope=np.concatenate([-step * spread.sum(axis=-1, keepdims=True), step * spread], axis=-1),
        weight=np.eye(4)[[DI, UI]],
    )
    paid = step * (defence_cost * np.array([1, 1, 0, 0]) + infection_cost * np.array([1, 0, 1, 0]))
    constants = Constants(cost=paid[:, None])

    def reward(mean_field: Array, moment: Moment) -> Array:
        return -constants.on("cost", mean_field)

    steps, factor = _time.resolved(horizon, discount)
    return MeanFieldModel(transition, reward, np.full(4, 0.25), successors=successors, horizon=steps, discount=factor)


def _rate(name: str, default: float, description: str) -> Parameter:
    return Parameter(name=name, default=default, kind=float, low=0.0, high=1e6, description=description)


SPEC = mean_field_spec(
    id="cyber_security",
    title="Cyber security (botnet defence)",
    build=build,
    source="Kolokoltsov and Bensoussan (2016), Applied Mathematics and Optimization 74",
    parameters=(
        Parameter(name="step", default=0.5, kind=float, low=1e-9, high=1e6, description="time between two decisions"),
        _rate("response", 0.3, "rate at which a wish to change the level of defence comes true"),
        _rate("attack", 0.1, "intensity of the hackers' attacks"),
        _rate("intrusion_defended", 0.05, "rate of infection per attack, of the defended"),
        _rate("intrusion_unprotected", 0.1, "rate of infection per attack, of the unprotected"),
        _rate("spread_dd", 0.1, "rate of infection of the defended by the defended"),
        _rate("spread_du", 0.7, "rate of infection of the unprotected by the defended"),
        _rate("spread_ud", 0.2, "rate of infection of the defended by the unprotected"),
        _rate("spread_uu", 0.8, "rate of infection of the unprotected by the unprotected"),
        _rate("recovery_defended", 0.3, "rate of recovery of the defended"),
        _rate("recovery_unprotected", 0.2, "rate of recovery of the unprotected"),
        _rate("defence_cost", 0.7, "of being defended, per unit of time"),
        _rate("infection_cost", 2.0, "of being infected, per unit of time"),
        _time.horizon_parameter(100),
        _time.discount_parameter(),
    ),
    facts=(Fact(source="plain recomputation, one state at a time", uniform_nash_conv=4.740110861, tolerance=1e-8),),
)
