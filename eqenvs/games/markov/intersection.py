"""Intersection: vehicles on different roads come to a crossing without signals, and each wants to be through first.

Every vehicle has a road of its own with `distance` cells before the crossing, which is one cell that all roads share.
Each step all choose at once to keep their speed or to change it by 1 cell a step, and then drive as far as it says. A
vehicle is on the crossing in a step if it begins, passes or ends on it. Those who are there in the same step crash, pay
`crash_cost` and are taken away; vehicles beyond the crossing have left. Every step costs each vehicle that has not left
before it `time_cost`. It is a game of chicken with many chances to give way.

Vehicles of whole speeds on a road of cells: Nagel and Schreckenberg (1992), "A cellular automaton model for freeway
traffic", Journal de Physique I 2; such a crossing as a game between drivers: Fan, Jia, Tian and Yun (2014),
"Characteristics of traffic flow at a non-signalized intersection in the framework of game theory", Physica A 415. The
rules and costs are our own.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from eqenvs.arrays import Array, namespace, one_hot, take_along
from eqenvs.games.markov import _parameters
from eqenvs.markov_rules import MarkovRules
from eqenvs.models.enumeration import DEFAULT_MAX_SIZE
from eqenvs.rendering import Picture, player_colour, squares
from eqenvs.rendering.picture import GOAL, GRASS, GROUND, WALL_GLYPH
from eqenvs.spec import Fact, Family, GameSpec, Parameter

KEEP, BRAKE, ACCELERATE = range(3)
NAMES = ("keep", "brake", "accelerate")


class IntersectionState(NamedTuple):
    """A batch of crossings."""

    position: Array  # [B, N] int64 in [0, distance + 1]; the crossing is at distance, distance + 1 has left
    speed: Array  # [B, N] int64; 0 once a vehicle has left
    step: Array  # [B] int64


class Intersection(MarkovRules[IntersectionState]):
    """Intersection.

    Observation: float32, one-hot player (N), each vehicle's position as a share of distance + 1 (N), each vehicle's
    speed as a share of the highest (N).
    Actions: 0 keep, 1 brake, 2 accelerate; braking is illegal at speed 0 and accelerating at the highest; simultaneous.
    A vehicle that has left has nothing to decide.
    Start: all at position 0 with speed 1.
    Reward: -`time_cost` a step until the vehicle has left, the step in which it leaves included, and -`crash_cost` for
    a crash; general-sum.
    Termination: when all vehicles have left.
    State key: positions, then speeds.

    Version history: 0, first version.
    """

    num_chance_outcomes = 0

    def __init__(
        self,
        num_players: int = 2,
        distance: int = 5,
        max_speed: int = 3,
        time_cost: float = 1.0,
        crash_cost: float = 20.0,
        discount: float = 0.9,
        horizon: int | None = None,
    ) -> None:
        _parameters.check_discount("intersection", discount, horizon)
        self.num_players, self.distance, self.max_speed = num_players, distance, max_speed
        self.time_cost, self.crash_cost = time_cost, crash_cost
        self.discount, self.horizon = discount, horizon
        self.num_actions = (3,) * num_players
        self.view_size = 3 * num_players

    def initial_state(self, batch: int, xp: Any, device: Any = None) -> IntersectionState:
        position = xp.zeros((batch, self.num_players), dtype=xp.int64, device=device)
        return IntersectionState(position=position, speed=xp.ones_like(position), step=position[:, 0])

    def _left(self, state: IntersectionState) -> Array:
        """Which vehicles are gone, [B, N] bool."""
        return state.position > self.distance

    def ended(self, state: IntersectionState) -> Array:
        return namespace(state.position).all(self._left(state), axis=1)

    def acting(self, state: IntersectionState) -> Array:
        return ~self._left(state)

    def legal_actions(self, state: IntersectionState, player: Array) -> Array:
        xp = namespace(player)
        speed, here = take_along(state.speed, player), ~take_along(self._left(state), player)
        return xp.stack([speed >= 0, here & (speed > 0), here & (speed < self.max_speed)], axis=1)

    def apply(self, state: IntersectionState, actions: Array) -> tuple[IntersectionState, Array]:
        xp = namespace(actions)
        moves, here = actions[:, : self.num_players], ~self._left(state)
        change = xp.astype(moves == ACCELERATE, xp.int64) - xp.astype(moves == BRAKE, xp.int64)
        speed = state.speed + change
        position = state.position + speed
        crossing = here & (position >= self.distance)
        crashed = crossing & (xp.sum(xp.astype(crossing, xp.int64), axis=1, keepdims=True) > 1)
        stays = here & ~crashed & (position <= self.distance)
        after = IntersectionState(
            position=xp.where(stays, position, self.distance + 1),
            speed=xp.where(stays, speed, 0),
            step=state.step + xp.astype(xp.any(here, axis=1), xp.int64),
        )
        cost = self.time_cost * xp.astype(here, xp.float64) + self.crash_cost * xp.astype(crashed, xp.float64)
        return after, 0.0 - cost

    def state_key(self, state: IntersectionState) -> Array:
        return namespace(state.speed).concat([state.position, state.speed], axis=1)

    def view(self, state: IntersectionState, player: Array) -> Array:
        xp = namespace(player)
        place, pace = xp.astype(state.position, xp.float32), xp.astype(state.speed, xp.float32)
        who = xp.astype(one_hot(player, self.num_players), xp.float32)
        return xp.concat([who, place / (self.distance + 1), pace / self.max_speed], axis=1)

    def describe_action(self, player: int, action: int) -> str:
        return NAMES[action]

    def picture(self, state: IntersectionState) -> Picture:
        side = 2 * self.distance + 1

        def cell(player: int, position: int) -> int:
            """On the player's road: they come from the west, the north, the east and the south."""
            row, column = ((0, -1), (-1, 0), (0, 1), (1, 0))[player]
            away = self.distance - position
            return (self.distance + row * away) * side + self.distance + column * away

        positions, speeds = state.position[0].tolist(), state.speed[0].tolist()
        beside = ((square, WALL_GLYPH, GRASS) for square in range(side * side))
        roads = ((cell(player, at), "", GROUND) for player in range(self.num_players) for at in range(self.distance))
        here = [player for player, at in enumerate(positions) if at <= self.distance]
        board = squares(
            side,
            side,
            marks=[*beside, *roads, (cell(0, self.distance), "", GOAL)],
            pieces=[(cell(player, positions[player]), str(player), player_colour(player)) for player in here],
        )
        lines = (
            f"player_{player}: position {positions[player]}, speed {speeds[player]}"
            if player in here
            else f"player_{player} has left"
            for player in range(self.num_players)
        )
        return Picture(boards=(board,), lines=tuple(lines))


def most_pairs(num_players: int, distance: int, max_speed: int) -> int:
    """A bound on pairs of a state and a joint action: every vehicle gone, or on any cell at any speed."""
    return int((3 * ((distance + 1) * (max_speed + 1) + 1)) ** num_players)


SPEC = GameSpec(
    id="intersection",
    family=Family.MARKOV,
    title="Intersection without signals",
    build=Intersection,
    constant_sum=False,
    exact=lambda num_players, distance, max_speed, **_: (
        most_pairs(num_players, distance, max_speed) <= DEFAULT_MAX_SIZE
    ),
    source="after Nagel and Schreckenberg (1992), J. Phys. I France 2, and Fan et al. (2014), Physica A 415",
    parameters=(
        Parameter(name="num_players", default=2, low=2, high=4, description="vehicles, each on a road of its own"),
        Parameter(name="distance", default=5, low=1, high=100, description="cells of road before the crossing"),
        Parameter(name="max_speed", default=3, low=1, high=10, description="highest speed, cells a step"),
        Parameter(name="time_cost", default=1.0, kind=float, low=0.0, high=1000.0, description="of a step"),
        Parameter(name="crash_cost", default=20.0, kind=float, low=0.0, high=1000.0, description="of a crash"),
        _parameters.discount(0.9),
        _parameters.HORIZON,
    ),
    facts=(
        Fact(
            source="plain search in the tests",
            sizes={"states": 235, "actions": [3, 3], "joint_actions": 1428},
        ),
    ),
)
