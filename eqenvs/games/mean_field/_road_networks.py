"""Road networks of the routing game: plain tables, and what they are put together into.

Travel times follow the formula of the US Bureau of Public Roads: free_flow (1 + congestion (volume / capacity)^power).

Line: two roads in a row, one minute each whatever the traffic. Braess (1968), "Ueber ein Paradoxon aus der
Verkehrsplanung", Unternehmensforschung 12, in the units of Cabannes et al. (2022): everybody who drives on A-B or C-D
adds to its time, the other roads do not congest. Sioux Falls: LeBlanc, Morlok and Pierskalla (1975), "An efficient
approach to solving the road network equilibrium traffic assignment problem", Transportation Research 9, tables 1 and 2.

There the time is free_flow + b volume^4 with the b below; Cabannes et al. (and OpenSpiel) read b as the `congestion` of
the formula, which multiplies it by the free-flow time once more. Theirs is kept, for results to be comparable: at the
same volume delays are 2 to 10 times those of LeBlanc et al.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from eqenvs.arrays import Float64Array, IntArray

# Two-way roads, both ways alike: its ends, the free-flow time, 10^18 b.
_SIOUX_FALLS_ROADS = """
1-2:6/2 1-3:4/2 2-6:5/1240 3-4:4/6 3-12:4/2 4-5:2/3 4-11:6/1550 5-6:4/1000 5-9:5/75 6-8:2/520 7-8:3/119 7-18:2/1
8-9:10/2306 8-16:5/1156 9-10:3/11 10-11:5/75 10-15:6/26 10-16:4/1080 10-17:8/1929 11-12:6/1550 11-14:4/1061 12-13:3/1
13-24:4/893 14-15:5/1085 14-23:4/1020 15-19:3/10 15-22:3/53 16-17:2/401 16-18:3/3 17-19:2/553 18-20:4/2 19-20:4/957
20-21:6/1373 20-22:5/1130 21-22:2/401 21-24:3/789 22-23:4/960 23-24:2/451
"""

# Hundreds of trips a day: a row for each origin, a column for each destination, both from 1 to 24.
_SIOUX_FALLS_TRIPS = """
 0 1 1 5 2 3 5 8 5 13 5 2 5 3 5 5 4 1 3 3 1 4 3 1
 1 0 1 2 1 4 2 4 2 6 2 1 3 1 1 4 2 0 1 1 0 1 0 0
 1 1 0 2 1 3 1 2 1 3 3 2 1 1 1 2 1 0 0 0 0 1 1 0
 5 2 2 0 5 4 4 7 7 12 15 6 6 5 5 8 5 1 2 3 2 4 5 2
 2 1 1 5 0 2 2 5 8 10 5 2 2 1 2 5 2 0 1 1 1 2 1 0
 3 4 3 4 2 0 4 8 4 8 4 2 2 1 2 9 5 1 2 3 1 2 1 1
 5 2 1 4 2 4 0 10 6 19 5 7 4 2 5 14 10 2 4 5 2 5 2 1
 8 4 2 7 5 8 10 0 8 16 8 6 6 4 6 22 14 3 7 9 4 5 3 2
 5 2 1 7 8 4 6 8 0 28 14 6 6 6 10 14 9 2 4 6 3 7 5 2
 13 6 3 12 10 8 19 16 28 0 39 20 19 21 40 44 39 7 18 25 12 26 18 8
 5 2 3 14 5 4 5 8 14 40 0 14 10 16 14 14 10 2 4 6 4 11 13 6
 2 1 2 6 2 2 7 6 6 20 14 0 13 7 7 7 6 2 3 5 3 7 7 5
 5 3 1 6 2 2 4 6 6 19 10 13 0 6 7 6 5 1 3 6 6 13 8 7
 3 1 1 5 1 1 2 4 6 21 16 7 6 0 13 7 7 1 3 5 4 12 11 4
 5 1 1 5 2 2 5 6 9 40 14 7 7 13 0 12 15 2 8 11 8 26 10 4
 5 4 2 8 5 9 14 22 14 44 14 7 6 7 12 0 28 5 13 16 6 12 5 3
 4 2 1 5 2 5 10 14 9 39 10 6 5 7 15 28 0 6 17 17 6 17 6 3
 1 0 0 1 0 1 2 3 2 7 1 2 1 1 2 5 6 0 3 4 1 3 1 0
 3 1 0 2 1 2 4 7 4 18 4 3 3 3 8 13 17 3 0 12 4 12 3 1
 3 1 0 3 1 3 5 9 6 25 6 4 6 5 11 16 17 4 12 0 12 24 7 4
 1 0 0 2 1 1 2 4 3 12 4 3 6 4 8 6 6 1 4 12 0 18 7 5
 4 1 1 4 2 2 5 5 7 26 11 7 13 12 26 12 17 3 12 24 18 0 21 11
 3 0 1 5 1 1 2 3 5 18 13 7 8 11 10 5 6 1 3 7 7 21 0 7
 1 0 0 2 0 1 1 2 2 8 6 5 8 4 4 3 3 0 1 4 5 11 7 0
"""


@dataclass(frozen=True, eq=False, kw_only=True)
class RoadNetwork:
    """Roads between nodes, and who wants to go from where to where.

    Attributes:
        tail: [L] int64, the node a road begins at.
        head: [L] int64, the node it leads to.
        free_flow: [L] float64, the time of an empty road.
        congestion: [L] float64, share by which the time grows at capacity.
        capacity: [L] float64, vehicles.
        power: of volume / capacity.
        exits: the nodes where the network can be left.
        trips: [origin, destination] -> vehicles, all of them setting out at time 0.
        horizon: time steps, by default.
        time_step: their length, by default, in the unit of `free_flow`.
    """

    tail: IntArray
    head: IntArray
    free_flow: Float64Array
    congestion: Float64Array
    capacity: Float64Array
    power: float
    exits: tuple[int, ...]
    trips: dict[tuple[int, int], float]
    horizon: int
    time_step: float

    def travel_time(self, volume: Float64Array) -> Float64Array:
        """Of each road [..., L] at volumes [..., L]."""
        share = np.asarray(volume) / self.capacity
        return np.asarray(self.free_flow * (1.0 + self.congestion * share**self.power))


def line() -> RoadNetwork:
    """O - A - D, without a choice."""
    return RoadNetwork(
        tail=np.array([0, 1]),
        head=np.array([1, 2]),
        free_flow=np.ones(2),
        congestion=np.zeros(2),
        capacity=np.ones(2),
        power=1.0,
        exits=(2,),
        trips={(0, 2): 100.0},
        horizon=5,
        time_step=1.0,
    )


def braess() -> RoadNetwork:
    """A-B and C-D take 1 + the share of all vehicles on them, A-C and B-D 2, the shortcut B-C 1/4."""
    vehicles = 5.0
    return RoadNetwork(
        tail=np.array([0, 0, 1, 1, 2]),
        head=np.array([1, 2, 2, 3, 3]),
        free_flow=np.array([1.0, 2.0, 0.25, 2.0, 1.0]),
        congestion=np.array([1.0, 0.0, 0.0, 0.0, 1.0]),
        capacity=np.full(5, vehicles),
        power=1.0,
        exits=(3,),
        trips={(0, 3): vehicles},
        horizon=100,
        time_step=0.05,
    )


def sioux_falls() -> RoadNetwork:
    """76 roads, 24 nodes, 528 pairs of origin and destination, 360,600 vehicles."""
    counts = np.array([row.split() for row in _SIOUX_FALLS_TRIPS.strip().splitlines()], dtype=np.float64)
    trips = {(int(i), int(j)): 100.0 * counts[i, j] for i, j in np.argwhere(counts)}
    return _sioux_falls(trips)


def sioux_falls_dummy_demand() -> RoadNetwork:
    """The same roads for 7,000 vehicles from node 19 to node 1 and as many the other way."""
    return _sioux_falls({(0, 18): 7_000.0, (18, 0): 7_000.0})


def _sioux_falls(trips: dict[tuple[int, int], float]) -> RoadNetwork:
    roads = []
    for road in _SIOUX_FALLS_ROADS.split():
        ends, numbers = road.split(":")
        (i, j), (minutes, delay) = ends.split("-"), numbers.split("/")
        roads += [(int(i) - 1, int(j) - 1, float(minutes), float(delay) * 1e-18)]
        roads += [(int(j) - 1, int(i) - 1, float(minutes), float(delay) * 1e-18)]
    tail, head, free_flow, congestion = (np.array(column) for column in zip(*sorted(roads), strict=True))
    return RoadNetwork(
        tail=tail,
        head=head,
        free_flow=free_flow,
        congestion=congestion,
        capacity=np.ones(len(roads)),
        power=4.0,
        exits=tuple(range(24)),
        trips=trips,
        horizon=81,
        time_step=0.5,
    )


NETWORKS = {
    "line": line,
    "braess": braess,
    "sioux_falls": sioux_falls,
    "sioux_falls_dummy_demand": sioux_falls_dummy_demand,
}
