"""Dynamic routing: drivers choose road after road to their destinations, and what they drive on congests.

Cabannes, Lauriere, Perolat, Marinier, Girgin, Perrin, Pietquin, Bayen, Goubault and Elie (2022), "Solving N-player
dynamic routing games with congestion: a mean-field approach", AAMAS, in OpenSpiel's discretisation. Who enters a road
is told how long it takes to drive through by the volume that is on it then: floor(travel time / time step) - 1 further
steps, at least 0, of waiting. Whoever has no more to wait chooses a road that begins where this one ends, or leaves the
network there. A trip costs the time at which its driver leaves at the destination; leaving elsewhere, or not at all,
costs one step more than the horizon.

There is one population for each destination, whatever the origins: a destination in the state instead would multiply
the table of successors by the number of destinations. States: each road just entered, each origin before departure,
each road with w more steps to wait, and out of the network. Waits of horizon - 1 or more are one, since from neither
does anybody move again. Of drivers who cannot choose only the first action is legal. A reward per step takes the place
of OpenSpiel's single one at the end; totals are the same.

With more than one destination `nash_conv` sums the populations' gains, not weighted by their trips.

Sizes at the default settings: line 4 states, braess 167, both with one population; sioux_falls_dummy_demand 2
populations of 3,949 states, sioux_falls 24 of 6,181: there a policy takes 0.58 GB, and mirror descent 5.6 GB and 17 s
of one core an iteration.
"""

from __future__ import annotations

from math import prod
from typing import NamedTuple

import numpy as np

from eqenvs.arrays import Array, BoolArray, Constants, Float64Array, IntArray, namespace
from eqenvs.errors import GameTooLargeError
from eqenvs.games.mean_field._road_networks import NETWORKS, RoadNetwork
from eqenvs.models.mean_field import MeanFieldModel, Moment
from eqenvs.population_rules import mean_field_spec
from eqenvs.spec import Fact, Parameter

MAX_NUMBERS = 200_000_000  # of the table of successors, and of a policy
ROUNDING = 1e-9  # time steps: a travel time this little below a whole number of steps counts as that number
ENTERED, AT_ORIGIN, OUT = -1, -2, -3  # instead of the steps to wait, in the states' keys


class Waits(NamedTuple):
    """How long roads can take.

    Attributes:
        shortest: [L] int64, steps to wait on an empty road.
        longest: [L] int64, with every vehicle on it, at most horizon - 1.
    """

    shortest: IntArray
    longest: IntArray


class Layout(NamedTuple):
    """The states, in order: L roads entered, the origins, roads with steps to wait, out of the network.

    Attributes:
        road: [S] int64, -1 at an origin and outside.
        node: [S] int64, where the next choice is made; -1 outside.
        wait: [S] int64, or one of `ENTERED`, `AT_ORIGIN`, `OUT`.
    """

    road: IntArray
    node: IntArray
    wait: IntArray


def waits_of(network: RoadNetwork, horizon: int, time_step: float) -> Waits:
    """The range of each road's waiting times."""
    volumes = (0.0, sum(network.trips.values()))
    steps = [np.floor(network.travel_time(np.asarray(volume)) / time_step + ROUNDING) - 1 for volume in volumes]
    shortest, longest = (np.clip(step, 0, horizon - 1).astype(np.int64) for step in steps)
    return Waits(shortest, longest)


def layout_of(network: RoadNetwork, waits: Waits) -> Layout:
    """The states of a network."""
    roads = np.arange(len(network.tail))
    origins = np.array(sorted({origin for origin, _ in network.trips}))
    waiting = np.repeat(roads, waits.longest)
    steps = np.concatenate([np.arange(longest) for longest in waits.longest])
    none = np.full(len(origins), -1)
    return Layout(
        road=np.concatenate([roads, none, waiting, [-1]]),
        node=np.concatenate([network.head, origins, network.head[waiting], [-1]]),
        wait=np.concatenate([np.full(len(roads), ENTERED), none - 1, steps, [OUT]]),
    )


def require_size(network: RoadNetwork, horizon: int, waits: Waits) -> None:
    """Refuse a game whose tables would be too large, before any is made.

    Raises:
        GameTooLargeError: if the table of successors or a policy has more than 200 million numbers.
    """
    origins, destinations = ({trip[end] for trip in network.trips} for end in (0, 1))
    states = len(network.tail) + len(origins) + int(waits.longest.sum()) + 1
    actions, outcomes = max(map(len, choices_of(network))), _outcomes(waits)
    for what, shape in (
        ("successors", (states, actions, outcomes)),
        ("probabilities in a policy", (horizon, len(destinations), states, actions)),
    ):
        if prod(shape) > MAX_NUMBERS:
            raise GameTooLargeError(
                f"dynamic_routing: {' x '.join(f'{size:,}' for size in shape)} {what} are more than {MAX_NUMBERS:,}; "
                f"use a horizon below {horizon:,} or a longer time_step"
            )


def _outcomes(waits: Waits) -> int:
    """K: where a driver without a wait gets to, and the waits of the road whose waits differ most."""
    return 1 + int(np.maximum(waits.longest - np.maximum(waits.shortest, 1) + 1, 0).max())


def choices_of(network: RoadNetwork) -> list[list[int]]:
    """At each node the roads that begin there, and -1 last where the network can be left."""
    nodes = 1 + int(max(network.head.max(), network.tail.max()))
    return [
        [*np.flatnonzero(network.tail == node).tolist(), *([-1] if node in network.exits else [])]
        for node in range(nodes)
    ]


def successors_of(network: RoadNetwork, waits: Waits, layout: Layout) -> tuple[IntArray, BoolArray]:
    """[S, A, K] and the legal actions [S, A].

    Successor 0 is what a driver without a wait gets to, and after a step of waiting; the others are those of a road
    just entered, in order of the wait.
    """
    choices = choices_of(network)
    states, out = len(layout.road), len(layout.road) - 1
    first = np.maximum(waits.shortest, 1)
    successors = np.full((states, max(map(len, choices)), _outcomes(waits)), out)
    legal = np.zeros(successors.shape[:2], dtype=bool)
    legal[:, 0] = True
    place = {(int(road), int(wait)): state for state, (road, _, wait) in enumerate(zip(*layout, strict=True))}
    for state, (road, node, wait) in enumerate(zip(*layout, strict=True)):
        if wait > 0:
            successors[state, :, 0] = state - 1
        elif wait != OUT:
            chosen = choices[node]
            successors[state, : len(chosen), 0] = [out if to < 0 else to for to in chosen]
            if wait != ENTERED or waits.shortest[road] == 0:
                legal[state, : len(chosen)] = True
        if wait == ENTERED:
            later = [place[int(road), steps - 1] for steps in range(first[road], waits.longest[road] + 1)]
            successors[state, :, 1 : 1 + len(later)] = later
    return successors, legal


def _leaving(network: RoadNetwork, layout: Layout, destinations: IntArray, actions: int) -> Float64Array:
    """Where leaving is what an action does, with success and without: [2, P, S, A], 0 or 1."""
    leaving = np.zeros((2, len(destinations), len(layout.road), actions))
    for node, chosen in enumerate(choices_of(network)):
        if -1 in chosen:
            at = np.flatnonzero((layout.node == node) & (layout.wait <= 0))
            success = destinations == node
            leaving[0, :, at, chosen.index(-1)] = success
            leaving[1, :, at, chosen.index(-1)] = ~success
    return leaving


def routing_model(network: RoadNetwork, horizon: int, time_step: float) -> MeanFieldModel:
    """The model of a network, over `horizon` steps of length `time_step`.

    Raises:
        GameTooLargeError: if its tables would be too large; see `require_size`.
    """
    waits = waits_of(network, horizon, time_step)
    require_size(network, horizon, waits)
    layout = layout_of(network, waits)
    successors, legal = successors_of(network, waits, layout)
    states, actions, outcomes = successors.shape
    roads = len(network.tail)
    destinations = np.array(sorted({destination for _, destination in network.trips}))
    initial = np.zeros((len(destinations), states))
    start = {int(node): roads + i for i, node in enumerate(layout.node[layout.wait == AT_ORIGIN])}
    for (origin, destination), count in network.trips.items():
        initial[np.searchsorted(destinations, destination), start[origin]] = count
    vehicles = initial.sum(axis=1)
    moves = np.zeros((states - roads, actions, outcomes))
    moves[:, :, 0] = 1.0
    leaving = _leaving(network, layout, destinations, actions)
    constants = Constants(
        vehicles=vehicles,
        on_road=np.eye(roads + 1)[layout.road][:, :roads],
        free_flow=network.free_flow / time_step,
        congestion=network.congestion / network.capacity**network.power,
        first=np.maximum(waits.shortest, 1),
        slot=np.arange(outcomes),
        moves=moves,
        free=((layout.wait[roads:] == 0) | (layout.wait[roads:] == AT_ORIGIN)).astype(np.float64),
        arrives=leaving[0],
        strays=leaving[1],
        travels=(layout.wait != OUT).astype(np.float64)[:, None],
    )

    def waiting(mean_field: Array) -> Array:
        """Steps to wait of who enters each road now, [..., L] float64."""
        xp = namespace(mean_field)
        on = {name: constants.on(name, mean_field) for name in ("vehicles", "on_road", "free_flow", "congestion")}
        volume = xp.matmul(xp.matmul(on["vehicles"], mean_field), on["on_road"])
        steps = on["free_flow"] * (1.0 + on["congestion"] * volume**network.power)
        return xp.clip(xp.floor(steps + ROUNDING) - 1.0, 0.0, horizon - 1.0)

    def transition(mean_field: Array, moment: Moment) -> Array:
        xp, lead = namespace(mean_field), mean_field.shape[:-2]
        wait = waiting(mean_field)
        slot = xp.where(wait > 0, wait - constants.on("first", wait) + 1, 0.0)
        hit = xp.astype(constants.on("slot", wait) == slot[..., None], xp.float64)
        entered = xp.broadcast_to(hit[..., None, :], (*lead, roads, actions, outcomes))
        moves = xp.broadcast_to(constants.on("moves", wait), (*lead, states - roads, actions, outcomes))
        return xp.concat([entered, moves], axis=-3)[..., None, :, :, :]

    def reward(mean_field: Array, moment: Moment) -> Array:
        xp, lead = namespace(mean_field), mean_field.shape[:-2]
        time = xp.astype(moment.time, xp.float64)[..., None, None, None]
        enters = xp.astype(waiting(mean_field) == 0, xp.float64)
        free = xp.broadcast_to(constants.on("free", mean_field), (*lead, states - roads))
        acts = xp.concat([enters, free], axis=-1)[..., None, :, None]
        arrives, strays = (acts * constants.on(name, mean_field) for name in ("arrives", "strays"))
        step = time_step * (1.0 + xp.astype(time == horizon - 1, xp.float64))
        fee = (horizon + 1 - time) * time_step
        return step * (arrives - constants.on("travels", mean_field)) + (step - fee) * strays

    return MeanFieldModel(
        transition,
        reward,
        initial / vehicles[:, None],
        successors=successors,
        horizon=horizon,
        legal=legal,
        keys=np.stack([np.where(layout.road < 0, layout.node, layout.road), layout.wait], axis=1),
        views=_views(layout, waits),
    )


def _views(layout: Layout, waits: Waits) -> Float64Array:
    """[S, D]: indicators of the next node and of the road, the wait as a share of the longest, whether just entered."""
    nodes, roads = int(layout.node.max()) + 1, len(waits.longest)
    wait = np.maximum(layout.wait, 0) / max(1, int(waits.longest.max()))
    return np.concatenate(
        [
            np.eye(nodes + 1)[layout.node][:, :nodes],
            np.eye(roads + 1)[layout.road][:, :roads],
            np.stack([wait, layout.wait == ENTERED], axis=1),
        ],
        axis=1,
    )


def build(network: str, horizon: int | None, time_step: float | None) -> MeanFieldModel:
    """The model; `None` takes the network's own setting."""
    roads = NETWORKS[network]()
    return routing_model(roads, horizon or roads.horizon, time_step or roads.time_step)


SPEC = mean_field_spec(
    id="dynamic_routing",
    title="Dynamic routing",
    build=build,
    source="Cabannes et al. (2022), AAMAS",
    num_agents=24,
    facts=(
        Fact(source="by hand; OpenSpiel's python_mfg_dynamic_routing", values=(-3.75,), uniform_nash_conv=0.5),
        Fact(source="by hand", parameters={"network": "line"}, values=(-2.0,), uniform_nash_conv=0.0),
    ),
    parameters=(
        Parameter(name="network", default="braess", kind=str, choices=tuple(NETWORKS), description="the roads"),
        Parameter(
            name="horizon",
            default=None,
            low=2,
            high=10_000,
            description="time steps; none: the network's own, 5 (line), 100 (braess) or 81 (sioux falls)",
        ),
        Parameter(
            name="time_step",
            default=None,
            kind=float,
            low=1e-4,
            high=1e4,
            description="length of a step; none: the network's own, 1 (line), 0.05 (braess) or 0.5 (sioux falls)",
        ),
    ),
)
