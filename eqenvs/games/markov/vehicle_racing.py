"""Vehicle racing: two vehicles on a straight road of several lanes, the first over the line wins.

A vehicle has a position, a lane and a speed in cells a step. Both choose at once: keep the speed, accelerate or brake
by 1, or steer to the next lane; then lanes are changed and the vehicles drive as far as their speeds say. They collide
if they are in one lane then and the one behind reaches or passes the other, or if they were side by side and take each
other's lane. After a collision both stand where they were before the step; the one behind is to blame, both if they
were side by side. A vehicle that stands cannot steer. Of two that reach the line in one step, the earlier wins, at
constant speed within the step.

Racing of two cars as a game, with moves of finite number and the follower to blame for a collision, is that of Liniger
and Lygeros (2020), "A noncooperative game approach to autonomous racing", IEEE Transactions on Control Systems
Technology 28; the discretised road and its rules are our own.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from eqenvs.arrays import Array, namespace, one_hot, take_along
from eqenvs.games.markov import _parameters
from eqenvs.markov_rules import MarkovRules
from eqenvs.models.enumeration import DEFAULT_MAX_SIZE
from eqenvs.rendering import Picture, player_colour, squares
from eqenvs.rendering.picture import GOAL
from eqenvs.spec import Fact, Family, GameSpec, Parameter

KEEP, ACCELERATE, BRAKE, LEFT, RIGHT = range(5)
NAMES = ("keep", "accelerate", "brake", "left", "right")


class RacingState(NamedTuple):
    """A batch of races."""

    position: Array  # [B, 2] int64 in [0, length]; length once over the line
    lane: Array  # [B, 2] int64, from 0 on the left
    speed: Array  # [B, 2] int64
    step: Array  # [B] int64


class VehicleRacing(MarkovRules[RacingState]):
    """Vehicle racing.

    Observation: float32, one-hot player (2), each vehicle's position as a share of the road (2), one-hot lane of
    vehicle 0, then of 1 (num_lanes each), each vehicle's speed as a share of the highest (2).
    Actions: 0 keep, 1 accelerate, 2 brake, 3 left, 4 right; illegal beyond the speeds and lanes there are, and steering
    at speed 0; simultaneous.
    Start: both at position 0 and speed 0, vehicle 0 in the leftmost lane, vehicle 1 in the rightmost.
    Reward: 1 to the winner, half to each if they are level; minus `crash_cost` to whoever is to blame for a collision;
    with `zero_sum` each gets this less what the other gets.
    Termination: when a vehicle is over the line.
    State key: positions, lanes, speeds.

    Version history: 0, first version.
    """

    num_players, num_actions, num_chance_outcomes = 2, (5, 5), 0

    def __init__(
        self,
        length: int = 7,
        num_lanes: int = 2,
        max_speed: int = 2,
        zero_sum: bool = True,
        crash_cost: float = 0.1,
        discount: float = 0.95,
        horizon: int | None = None,
    ) -> None:
        _parameters.check_discount("vehicle_racing", discount, horizon)
        self.length, self.num_lanes, self.max_speed = length, num_lanes, max_speed
        self.zero_sum, self.crash_cost = zero_sum, crash_cost
        self.discount, self.horizon = discount, horizon
        self.view_size = 6 + 2 * num_lanes

    def initial_state(self, batch: int, xp: Any, device: Any = None) -> RacingState:
        standing = xp.zeros((batch, 2), dtype=xp.int64, device=device)
        first = standing[:, 0]
        lane = xp.stack([first, xp.full_like(first, self.num_lanes - 1)], axis=1)
        return RacingState(position=standing, lane=lane, speed=standing, step=first)

    def ended(self, state: RacingState) -> Array:
        return namespace(state.position).any(state.position >= self.length, axis=1)

    def legal_actions(self, state: RacingState, player: Array) -> Array:
        xp = namespace(player)
        lane, speed = take_along(state.lane, player), take_along(state.speed, player)
        rolls = speed > 0
        left, right = rolls & (lane > 0), rolls & (lane < self.num_lanes - 1)
        return xp.stack([speed >= 0, speed < self.max_speed, rolls, left, right], axis=1)

    def apply(self, state: RacingState, actions: Array) -> tuple[RacingState, Array]:
        xp = namespace(actions)
        moves, over = actions[:, :2], self.ended(state)
        speed = state.speed + xp.astype(moves == ACCELERATE, xp.int64) - xp.astype(moves == BRAKE, xp.int64)
        lane = state.lane + xp.astype(moves == RIGHT, xp.int64) - xp.astype(moves == LEFT, xp.int64)
        position = state.position + speed
        lead, lead_after = state.position[:, 0] - state.position[:, 1], position[:, 0] - position[:, 1]
        exchanged = (lead == 0) & xp.all(lane == xp.flip(state.lane, axis=1), axis=1)
        crash = ~over & (((lane[:, 0] == lane[:, 1]) & (lead * lead_after <= 0)) | exchanged)
        holds = (crash | over)[:, None]
        blamed = crash[:, None] & xp.stack([lead <= 0, lead >= 0], axis=1)
        paid = self._prize(state.position, speed, ~holds & (position >= self.length))
        paid = xp.where(blamed, -self.crash_cost, paid)
        if self.zero_sum:
            paid = paid - xp.flip(paid, axis=1)
        after = RacingState(
            position=xp.where(holds, state.position, xp.where(position > self.length, self.length, position)),
            lane=xp.where(holds, state.lane, lane),
            speed=xp.where(crash[:, None], 0, xp.where(over[:, None], state.speed, speed)),
            step=state.step + xp.astype(~over, xp.int64),
        )
        return after, paid

    def _prize(self, position: Array, speed: Array, crosses: Array) -> Array:
        """Who crosses the line ([B, 2] bool) first, from where it was at what speed: [B, 2] float64, 1 in sum or 0."""
        xp = namespace(position)
        # Times to the line, (length - position) / speed, are compared without dividing.
        away = (self.length - position) * xp.flip(speed, axis=1)
        rival = xp.flip(away, axis=1)
        ahead = crosses & (~xp.flip(crosses, axis=1) | (away < rival))
        level = xp.all(crosses, axis=1, keepdims=True) & (away == rival)
        return xp.astype(ahead, xp.float64) + 0.5 * xp.astype(level, xp.float64)

    def state_key(self, state: RacingState) -> Array:
        return namespace(state.lane).concat([state.position, state.lane, state.speed], axis=1)

    def view(self, state: RacingState, player: Array) -> Array:
        xp = namespace(player)
        lanes = xp.reshape(one_hot(state.lane, self.num_lanes), (player.shape[0], 2 * self.num_lanes))
        place, pace = xp.astype(state.position, xp.float32), xp.astype(state.speed, xp.float32)
        parts = [
            xp.astype(one_hot(player, 2), xp.float32),
            place / self.length,
            xp.astype(lanes, xp.float32),
            pace / self.max_speed,
        ]
        return xp.concat(parts, axis=1)

    def describe_action(self, player: int, action: int) -> str:
        return NAMES[action]

    def picture(self, state: RacingState) -> Picture:
        position, lane, speed = (part[0].tolist() for part in (state.position, state.lane, state.speed))
        width = self.length + 1
        board = squares(
            self.num_lanes,
            width,
            marks=[(row * width + self.length, "|", GOAL) for row in range(self.num_lanes)],
            pieces=[(lane[who] * width + position[who], str(who), player_colour(who)) for who in (0, 1)],
        )
        return Picture(boards=(board,), lines=tuple(f"player_{who}: speed {speed[who]}" for who in (0, 1)))


def most_pairs(length: int, num_lanes: int, max_speed: int) -> int:
    """A bound on pairs of a state and a joint action: two vehicles on different cells at any speeds."""
    cells = length * num_lanes
    return 25 * cells * (cells - 1) * (max_speed + 1) ** 2


SPEC = GameSpec(
    id="vehicle_racing",
    family=Family.MARKOV,
    title="Vehicle racing",
    build=VehicleRacing,
    constant_sum=lambda zero_sum, **_: zero_sum,
    exact=lambda length, num_lanes, max_speed, **_: most_pairs(length, num_lanes, max_speed) <= DEFAULT_MAX_SIZE,
    source="after Liniger and Lygeros (2020), A noncooperative game approach to autonomous racing, IEEE TCST 28",
    parameters=(
        Parameter(name="length", default=7, low=1, high=1000, description="cells of road before the line"),
        Parameter(name="num_lanes", default=2, low=2, high=10, description="lanes"),
        Parameter(name="max_speed", default=2, low=1, high=10, description="highest speed, cells a step"),
        Parameter(
            name="zero_sum", default=True, kind=bool, description="a player's reward is its own less the other's"
        ),
        Parameter(
            name="crash_cost", default=0.1, kind=float, low=0.0, high=100.0, description="paid by who is to blame"
        ),
        _parameters.discount(0.95),
        _parameters.HORIZON,
    ),
    facts=(
        Fact(
            source="sizes: plain search in the tests; the value: seen from below the road, the players are exchanged",
            sizes={"states": 766, "actions": [5, 5], "joint_actions": 6762},
            values=(0.0, 0.0),
        ),
        Fact(
            source="whoever starts is over the line, so there is one state; each may stand or start",
            parameters={"length": 1, "max_speed": 1},
            sizes={"states": 1, "actions": [5, 5], "joint_actions": 4},
            values=(0.0, 0.0),
        ),
    ),
)
