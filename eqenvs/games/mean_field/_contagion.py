"""What spreads by contact: states, moves and rewards of an illness or a rumour, for any population structure.

A player who can catch it does so with the probability rate * x where it meets a share x of those who spread it: the
mean field as its population meets it (`MeanFieldModel.coupling`), which may exceed 1 where contacts are many: then
probabilities are cut at 1. With `contacts`, population p meets d_p players apart, each of whom passes it
on alone: 1 - (1 - rate x)^d_p.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from eqenvs.arrays import Array, BoolArray, Constants, Float64Array, IntArray, namespace
from eqenvs.games.mean_field import _time
from eqenvs.models.mean_field import Affine, MeanFieldModel, Moment, Operator
from eqenvs.population_rules import mean_field_spec
from eqenvs.spec import Fact, GameSpec, Parameter

SUSCEPTIBLE, INFECTED, RECOVERED = range(3)
OUT, AWAY = range(2)
UNAWARE, SILENT, SPREADING = range(3)
TELL_NOT, TELL = range(2)


@dataclass(frozen=True, kw_only=True)
class Contagion:
    """One process.

    Attributes:
        successors: [S, A, K].
        base: [S, A, K], probabilities where nobody is met who spreads it.
        rate: [S, A], of going to the second successor instead of the first.
        spreads: [S], 1 where one spreads it.
        initial: [S].
        reward: from the mean field as it is met [..., P, S] to [..., P, S, A].
        legal: [S, A].
    """

    successors: IntArray
    base: Float64Array
    rate: Float64Array
    spreads: Float64Array
    initial: Float64Array
    reward: Callable[[Array], Array]
    legal: BoolArray


def sis(
    infection: float, recovery: float, illness_cost: float, distance_cost: float, first_infected: float
) -> Contagion:
    """The susceptible who go out are infected by the infected, who recover and are susceptible again."""
    return _illness(
        np.array([[SUSCEPTIBLE, INFECTED], [INFECTED, SUSCEPTIBLE]]),
        np.array([0.0, recovery]),
        np.array([1 - first_infected, first_infected]),
        infection,
        illness_cost,
        distance_cost,
    )


def sir(
    infection: float,
    recovery: float,
    waning: float,
    illness_cost: float,
    distance_cost: float,
    first_infected: float,
) -> Contagion:
    """As `sis`, but those who recovered are immune, and lose that with probability `waning` a step."""
    return _illness(
        np.array([[SUSCEPTIBLE, INFECTED], [INFECTED, RECOVERED], [RECOVERED, SUSCEPTIBLE]]),
        np.array([0.0, recovery, waning]),
        np.array([1 - first_infected, first_infected, 0.0]),
        infection,
        illness_cost,
        distance_cost,
    )


def _illness(
    chain: IntArray,
    leaving: Float64Array,
    initial: Float64Array,
    infection: float,
    illness_cost: float,
    distance_cost: float,
) -> Contagion:
    """Staying or going on along `chain` [S, 2], which one leaves with the probabilities [S] where nobody is ill."""
    states = len(chain)
    rate = np.zeros((states, 2))
    rate[SUSCEPTIBLE, OUT] = infection
    constants = Constants(
        cost=illness_cost * np.eye(states)[INFECTED][:, None] + distance_cost * np.array([0.0, 1.0]),
    )
    return Contagion(
        successors=np.repeat(chain[:, None], 2, axis=1),
        base=np.repeat(np.stack([1 - leaving, leaving], axis=1)[:, None], 2, axis=1),
        rate=rate,
        spreads=np.eye(states)[INFECTED],
        initial=initial,
        reward=lambda met: -constants.on("cost", met),
        legal=np.ones((states, 2), dtype=bool),
    )


def rumour(hearing: float, gain: float, loss: float, forgetting: float, first_aware: float) -> Contagion:
    """The unaware hear of it from those who spread it; who knows it decides anew every step whether to spread it."""
    successors = np.empty((3, 2, 2), dtype=np.int64)
    successors[UNAWARE] = [UNAWARE, SILENT]
    successors[SILENT] = successors[SPREADING] = [[SILENT, UNAWARE], [SPREADING, UNAWARE]]
    base = np.empty((3, 2, 2))
    base[:] = [1 - forgetting, forgetting]
    base[UNAWARE] = [1.0, 0.0]
    constants = Constants(spreading=np.eye(3)[SPREADING])

    def reward(met: Array) -> Array:
        told = gain * met[..., UNAWARE] - loss * (met[..., SILENT] + met[..., SPREADING])
        return (told[..., None] * constants.on("spreading", met))[..., None]

    return Contagion(
        successors=successors,
        base=base,
        rate=hearing * np.eye(3)[UNAWARE][:, None] * np.ones(2),
        spreads=np.eye(3)[SPREADING],
        initial=np.array([1 - first_aware, first_aware, 0.0]),
        reward=reward,
        legal=np.array([[True, False], [True, True], [True, True]]),
    )


def model_of(
    process: Contagion,
    horizon: int | None,
    discount: float | None,
    *,
    coupling: Float64Array | None = None,
    contacts: Float64Array | None = None,
) -> MeanFieldModel:
    """The model.

    Args:
        process: what spreads.
        horizon: decisions.
        discount: factor a step.
        coupling: [P, P], how much of each population's mean field each of them meets; None for one population.
        contacts: [P], of each population, who pass it on one by one; None for its share among those met.
    """
    populations = 1 if coupling is None else len(coupling)
    constants = Constants(coupling=np.eye(populations) if coupling is None else coupling)

    def met(mean_field: Array) -> Array:
        # As `MeanFieldModel.met`; the model asks for rewards while it is made.
        return mean_field if coupling is None else constants.on("coupling", mean_field) @ mean_field

    def reward(mean_field: Array, moment: Moment) -> Array:
        return process.reward(met(mean_field))

    towards = np.zeros_like(process.base)
    towards[..., 0], towards[..., 1] = -process.base[..., 0], process.base[..., 0]
    most = 1.0 if coupling is None else float(coupling.sum(axis=1).max())
    transition: Affine | Operator
    if contacts is None and process.rate.max() * most <= 1:
        slope = process.rate[..., None] * towards
        transition = Affine(base=process.base, slope=slope[None], weight=process.spreads[None])
    else:
        transition = _exposed(process, towards, met, np.ones(populations) if contacts is None else contacts)
    steps, factor = _time.resolved(horizon, discount)
    return MeanFieldModel(
        transition,
        reward,
        np.tile(process.initial, (populations, 1)),
        successors=process.successors,
        horizon=steps,
        discount=factor,
        legal=process.legal,
        coupling=coupling,
    )


def networked_spec(
    *,
    id: str,
    title: str,
    source: str,
    process: Callable[..., Contagion],
    parameters: tuple[Parameter, ...],
    network: tuple[Parameter, ...],
    structure: Callable[[str, Mapping[str, Any]], tuple[Float64Array, Float64Array | None]],
    uniform_nash_conv: float,
    num_agents: int,
) -> GameSpec:
    """The spec of a game in which populations of a network meet.

    Args:
        id: see `GameSpec`, as for the next two.
        title: see there.
        source: see there.
        process: from its parameters to what spreads.
        parameters: of `process`.
        network: the parameters of who meets whom.
        structure: from the id and the network's parameters by name to the coupling and the contacts of `model_of`.
        uniform_nash_conv: of the default game, recomputed plainly.
        num_agents: default number of agents.
    """
    names = {parameter.name for parameter in network}

    def build(*, horizon: int | None, discount: float | None, **given: Any) -> MeanFieldModel:
        spreading = process(**{name: value for name, value in given.items() if name not in names})
        coupling, contacts = structure(id, {name: given[name] for name in names})
        return model_of(spreading, horizon, discount, coupling=coupling, contacts=contacts)

    return mean_field_spec(
        id=id,
        title=title,
        build=build,
        source=source,
        parameters=(*parameters, *network, _time.horizon_parameter(50), _time.discount_parameter()),
        facts=(
            Fact(
                source="plain recomputation, one state at a time", uniform_nash_conv=uniform_nash_conv, tolerance=1e-8
            ),
        ),
        num_agents=num_agents,
    )


def _exposed(
    process: Contagion, towards: Float64Array, met: Callable[[Array], Array], contacts: Float64Array
) -> Operator:
    """Probabilities that are not affine in the mean field; `met` is the mean field as it is met."""
    constants = Constants(
        base=process.base,
        towards=towards,
        rate=process.rate,
        spreads=process.spreads,
        contacts=np.asarray(contacts, dtype=np.float64)[:, None, None],
    )

    def probabilities(mean_field: Array, moment: Moment) -> Array:
        xp = namespace(mean_field)
        share = xp.sum(met(mean_field) * constants.on("spreads", mean_field), axis=-1)[..., None, None]
        each = xp.clip(constants.on("rate", mean_field) * share, 0.0, 1.0)
        caught = 1 - (1 - each) ** constants.on("contacts", mean_field)
        return constants.on("base", mean_field) + caught[..., None] * constants.on("towards", mean_field)

    return probabilities


def share(name: str, default: float, description: str) -> Parameter:
    """A parameter from 0 to 1."""
    return Parameter(name=name, default=default, kind=float, low=0.0, high=1.0, description=description)


def amount(name: str, default: float, description: str) -> Parameter:
    """A parameter that is a number of at least 0."""
    return Parameter(name=name, default=default, kind=float, low=0.0, high=1e6, description=description)


def sis_parameters(infection: float = 0.8) -> tuple[Parameter, ...]:
    """Those of `sis`."""
    return _illness_parameters(infection, 0.5)


def sir_parameters(infection: float = 0.8) -> tuple[Parameter, ...]:
    """Those of `sir`."""
    return _illness_parameters(infection, 0.1, share("waning", 0.0, "probability a step that immunity is lost"))


def _illness_parameters(infection: float, first_infected: float, *immunity: Parameter) -> tuple[Parameter, ...]:
    return (
        share("infection", infection, "probability of infection a step, per share (or contact) of infected met"),
        share("recovery", 0.2, "probability of recovery a step"),
        *immunity,
        amount("illness_cost", 2.0, "of a step infected"),
        amount("distance_cost", 0.5, "of a step away"),
        share("first_infected", first_infected, "of the population at the start"),
    )


def rumour_parameters(hearing: float = 0.3) -> tuple[Parameter, ...]:
    """Those of `rumour`."""
    return (
        share("hearing", hearing, "probability of hearing it a step, per share (or contact) of spreaders who are met"),
        amount("gain", 0.5, "of a step of spreading it where all are unaware"),
        amount("loss", 0.8, "of a step of spreading it where all know it"),
        share("forgetting", 0.0, "probability a step that who knows it forgets it"),
        share("first_aware", 0.1, "of the population at the start"),
    )
