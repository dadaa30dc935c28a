"""Braess's paradox: drivers choose among the routes of a network that is slower with a fast link than without.

Braess (1968), "Ueber ein Paradoxon aus der Verkehrsplanung", Unternehmensforschung 12. The network, with the travel
times of the dynamic routing games of Cabannes et al. (2022), "Solving N-player dynamic routing games with congestion: a
mean field approach", AAMAS, here for drivers who choose a route once. With x the share of all drivers on a link:

    A -> B   1 + x        A -> C   2
    B -> D   2            C -> D   1 + x        B -> C   0.25, the bridge

A driver's payoff is minus its time from A to D. The routes are A-B-D, A-C-D and, with the bridge, A-B-C-D.

Infinitely many small drivers (nonatomic) take 3.75 in equilibrium, a quarter of them on each outer route and half of
them over the bridge; without the bridge 3.5, half of them on each, which is the best possible with it too. Here there
are n atomic drivers, each a share of 1 / n that counts itself; derived for them:

- The symmetric mixed equilibrium takes the bridge with probability (n - 2) / (2 (n - 1)), the rest equally, and the
  expected time is exactly 3.75 for every n >= 2.
- A pure profile is an equilibrium exactly if n / 4 to n / 4 + 1 drivers are on each outer route, these numbers differ
  by 1 at most. All times are then within 2 / n of 3.75; for n a multiple of 4 they are all 3.75 in the one with n / 4.
- The least mean time is 3.5 for even n and 3.5 + 1 / (2 n^2) for odd, nobody on the bridge; without a bridge all pure
  equilibria are such.

So 3.75 and 3.5 are the limits of many drivers, in which one driver's own weight vanishes.
"""

from __future__ import annotations

import numpy as np

from eqenvs.models.congestion import CongestionModel
from eqenvs.spec import Fact, Family, GameSpec, Parameter

LINKS = ("A-B", "B-D", "A-C", "C-D", "B-C")
ROUTES = {"A-B-D": ("A-B", "B-D"), "A-C-D": ("A-C", "C-D"), "A-B-C-D": ("A-B", "B-C", "C-D")}


def build(num_players: int = 4, bridge: bool = True) -> CongestionModel:
    """The game by links; actions in the order of `ROUTES`."""
    share = np.arange(1, num_players + 1) / num_players
    time = {"A-B": 1 + share, "B-D": 2 + 0 * share, "A-C": 2 + 0 * share, "C-D": 1 + share, "B-C": 0.25 + 0 * share}
    routes = list(ROUTES.values())[: 3 if bridge else 2]
    used = np.array([[link in route for link in LINKS] for route in routes])
    return CongestionModel([used] * num_players, np.array([time[link] for link in LINKS]))


def _fact(num_players: int, bridge: bool, uniform_nash_conv: float) -> Fact:
    routes = 3 if bridge else 2
    return Fact(
        source="uniform: the variable links have a share x = (1 + (n - 1) routes used / routes) / n, an outer route "
        "takes 3 + x and the bridge's 2.25 + 2 x",
        parameters={"num_players": num_players, "bridge": bridge},
        sizes={"actions": [routes] * num_players, "profiles": routes**num_players},
        uniform_nash_conv=uniform_nash_conv,
    )


SPEC = GameSpec(
    id="braess_routing",
    family=Family.NORMAL_FORM,
    title="Routing on Braess's network",
    build=build,
    constant_sum=False,
    source="Braess (1968), Ueber ein Paradoxon aus der Verkehrsplanung, Unternehmensforschung 12",
    parameters=(
        Parameter(name="num_players", default=4, low=2, high=1000, description="number of drivers"),
        Parameter(name="bridge", default=True, kind=bool, description="whether there is the link from B to C"),
    ),
    facts=(
        _fact(4, True, 0.0),  # x = 3/4: all routes take 3.75, so that uniform play is the symmetric equilibrium
        _fact(5, True, 1 / 18),  # x = 11/15: the bridge is 1/60 faster than the others, 1/90 than the mean
        _fact(4, False, 0.0),
    ),
)
