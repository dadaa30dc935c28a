"""Pursuit and evasion on a grid: a team of pursuers and an evader, who see each other and move at the same time.

The evader is caught when after a step a pursuer is within `capture_distance` of it (rows and columns in sum; 0: on its
square), or when the two have changed squares. Pursuers may share a square. Both sides move without knowing the other's
move, so that the pursuers guess and the evader mixes: concurrent cops and robber, discounted.

Konstantinidis and Kehagias (2016), "Simultaneously moving cops and robbers", Theoretical Computer Science 645, whose
payoff is the time to capture; here a capture pays 1 and is discounted by the time. One player steers all pursuers,
which makes it a game of two players. The pursuers are alike, so the state holds their squares in order and the k-th
part of an action moves the pursuer on the k-th square.
"""

from __future__ import annotations

from math import comb
from typing import Any, NamedTuple

import numpy as np

from eqenvs.arrays import Array, Constants, IntArray, device_of, namespace, one_hot
from eqenvs.errors import InputError
from eqenvs.games.markov import _grid, _parameters
from eqenvs.markov_rules import MarkovRules
from eqenvs.models.enumeration import DEFAULT_MAX_SIZE
from eqenvs.rendering import Picture, player_colour, squares
from eqenvs.rendering.picture import WALL, WALL_GLYPH
from eqenvs.spec import Fact, Family, GameSpec, Parameter


class PursuitState(NamedTuple):
    """A batch of games with P pursuers."""

    pursuers: Array  # [B, P] int64, their squares, increasing
    evader: Array  # [B] int64
    caught: Array  # [B] bool
    step: Array  # [B] int64


class PursuitEvasion(MarkovRules[PursuitState]):
    """Pursuit and evasion; player 0 steers the pursuers, player 1 is the evader.

    Observation: float32, one-hot player (2), one-hot square of each pursuer in the order of the squares, and of the
    evader (height * width each).
    Actions: 0 stand, 1 north, 2 south, 3 west, 4 east; illegal off the grid and into obstacles. With P pursuers an
    action of player 0 is a number of P digits to the base 5, the first digit that of the pursuer on the lowest square.
    Start: the pursuers in the corners north-west, north-east and south-west, in this order, the evader in the
    south-east one.
    Reward: 1 to player 0 and -1 to player 1 on capture; zero-sum.
    Termination: on capture.
    State key: the pursuers' squares, increasing, then the evader's.

    Version history: 0, first version.
    """

    num_players, num_chance_outcomes = 2, 0

    def __init__(
        self,
        height: int = 5,
        width: int = 5,
        obstacles: str = "0,2;2,0;2,4;4,2",
        num_pursuers: int = 1,
        capture_distance: int = 1,
        discount: float = 0.95,
        horizon: int | None = None,
    ) -> None:
        _parameters.check_discount("pursuit_evasion", discount, horizon)
        self.num_pursuers, self.capture_distance = num_pursuers, capture_distance
        self.discount, self.horizon = discount, horizon
        self.height, self.width, self.num_squares = height, width, height * width
        self.num_actions = (5**num_pursuers, 5)
        self.view_size = 2 + (num_pursuers + 1) * self.num_squares
        self._closed = closed = [
            row * width + column
            for row, column in _parameters.read_squares("pursuit_evasion", "obstacles", obstacles, height, width)
        ]
        self._evader = self.num_squares - 1
        self._pursuers = sorted([0, width - 1, self.num_squares - width][:num_pursuers])
        to, apart = _grid.targets(height, width, closed), _grid.distances(height, width)
        _check_start(to, closed, [*self._pursuers, self._evader])
        if apart[self._pursuers, self._evader].min() <= capture_distance:
            raise InputError(
                f"pursuit_evasion: the evader is caught at the start of a grid of {height} x {width} with "
                f"{num_pursuers} pursuers and capture_distance={capture_distance}; take a larger grid"
            )
        digits = np.arange(5**num_pursuers)[:, None] // 5 ** np.arange(num_pursuers)[::-1] % 5
        self._tables = Constants(to=to, near=apart <= capture_distance, digits=digits)

    def initial_state(self, batch: int, xp: Any, device: Any = None) -> PursuitState:
        evader = xp.full((batch,), self._evader, dtype=xp.int64, device=device)
        return PursuitState(
            pursuers=xp.stack([xp.full_like(evader, square) for square in self._pursuers], axis=1),
            evader=evader,
            caught=evader < 0,
            step=xp.zeros_like(evader),
        )

    def ended(self, state: PursuitState) -> Array:
        return state.caught

    def legal_actions(self, state: PursuitState, player: Array) -> Array:
        xp = namespace(player)
        to, digits = self._tables.on("to", player), self._tables.on("digits", player)
        free = to[state.pursuers] >= 0  # [B, P, 5]
        team = xp.ones((player.shape[0], self.num_actions[0]), dtype=xp.bool, device=device_of(player))
        for pursuer in range(self.num_pursuers):
            team = team & free[:, pursuer, :][:, digits[:, pursuer]]
        own = to[state.evader] >= 0
        beyond = xp.zeros_like(team[:, 5:])
        return xp.where((player == 0)[:, None], team, xp.concat([own, beyond], axis=1))

    def apply(self, state: PursuitState, actions: Array) -> tuple[PursuitState, Array]:
        xp = namespace(actions)
        to, live = self._tables.on("to", actions), ~state.caught
        pursuers = to[state.pursuers, self._tables.on("digits", actions)[actions[:, 0]]]
        evader = to[state.evader, actions[:, 1]]
        met = self._tables.on("near", actions)[pursuers, evader[:, None]] > 0
        crossed = (pursuers == state.evader[:, None]) & (evader[:, None] == state.pursuers)
        capture = live & xp.any(met | crossed, axis=1)
        after = PursuitState(
            pursuers=xp.where(live[:, None], xp.sort(pursuers, axis=1), state.pursuers),
            evader=xp.where(live, evader, state.evader),
            caught=state.caught | capture,
            step=state.step + xp.astype(live, xp.int64),
        )
        prize = xp.astype(capture, xp.float64)
        return after, xp.stack([prize, 0.0 - prize], axis=1)

    def state_key(self, state: PursuitState) -> Array:
        return namespace(state.evader).concat([state.pursuers, state.evader[:, None]], axis=1)

    def view(self, state: PursuitState, player: Array) -> Array:
        xp = namespace(player)
        where = xp.reshape(one_hot(self.state_key(state), self.num_squares), (player.shape[0], self.view_size - 2))
        return xp.astype(xp.concat([one_hot(player, 2), where], axis=1), xp.float32)

    def describe_action(self, player: int, action: int) -> str:
        if player == 1:
            return _grid.NAMES[action]
        return "+".join(_grid.NAMES[action // 5**place % 5] for place in reversed(range(self.num_pursuers)))

    def picture(self, state: PursuitState) -> Picture:
        board = squares(
            self.height,
            self.width,
            marks=[(square, WALL_GLYPH, WALL) for square in self._closed],
            pieces=[
                *((square, "P", player_colour(0)) for square in state.pursuers[0].tolist()),
                (int(state.evader[0]), "E", player_colour(1)),
            ],
        )
        return Picture(boards=(board,), lines=("caught" if state.caught[0] else "P: pursuers, E: the evader",))


def _check_start(to: IntArray, closed: list[int], start: list[int]) -> None:
    """Refuse obstacles where somebody starts, or that cut the free squares apart."""
    if set(closed) & set(start):
        raise InputError("pursuit_evasion: parameter 'obstacles' must leave the corners where somebody starts free")
    met, new = {start[0]}, [start[0]]
    while new:
        new = [square for square in {int(s) for s in to[new].ravel()} if square >= 0 and square not in met]
        met |= set(new)
    if len(met) + len(closed) < len(to):
        raise InputError("pursuit_evasion: parameter 'obstacles' must not cut the free squares apart")


def most_pairs(height: int, width: int, obstacles: str, num_pursuers: int) -> int:
    """A bound on pairs of a state and a joint action: the evader anywhere, the pursuers on other squares."""
    closed = _parameters.read_squares("pursuit_evasion", "obstacles", obstacles, height, width)
    free = height * width - len(closed)
    return free * comb(free - 2 + num_pursuers, num_pursuers) * int(5 ** (num_pursuers + 1))


SPEC = GameSpec(
    id="pursuit_evasion",
    family=Family.MARKOV,
    title="Pursuit and evasion on a grid",
    build=PursuitEvasion,
    constant_sum=True,
    exact=lambda height, width, obstacles, num_pursuers, **_: (
        most_pairs(height, width, obstacles, num_pursuers) <= DEFAULT_MAX_SIZE
    ),
    source="Konstantinidis and Kehagias (2016), Simultaneously moving cops and robbers, Theor. Comput. Sci. 645",
    parameters=(
        Parameter(name="height", default=5, low=1, high=20, description="rows"),
        Parameter(name="width", default=5, low=2, high=20, description="columns"),
        Parameter(
            name="obstacles",
            default="0,2;2,0;2,4;4,2",
            kind=str,
            description="closed squares, row,column;row,column;... from 0 at the north-west",
        ),
        Parameter(name="num_pursuers", default=1, low=1, high=3, description="pursuers, all steered by player 0"),
        Parameter(
            name="capture_distance",
            default=1,
            low=0,
            high=1,
            description="0: caught on the same square; 1: on a neighbouring one too",
        ),
        _parameters.discount(0.95),
        _parameters.HORIZON,
    ),
    facts=(
        Fact(
            source="21 * 20 pairs of free squares less those of the 28 neighbouring ones in either order",
            sizes={"states": 364, "actions": [5, 5]},
        ),
        Fact(
            source="21 * 20 pairs of free squares; d + 1 moves on a square with d free neighbours: "
            "(sum of d + 1)^2 less the sum of (d + 1)^2, 77^2 - 297; the value: one pursuer cannot force a capture on "
            "a grid, Konstantinidis and Kehagias (2016), because it cannot if they move in turns",
            parameters={"capture_distance": 0},
            sizes={"states": 420, "actions": [5, 5], "joint_actions": 5632},
            values=(0.0, 0.0),
        ),
        Fact(
            source="in a corridor of three squares the pursuer has the cornered evader in its second step",
            parameters={"height": 1, "width": 3, "obstacles": "", "capture_distance": 0},
            sizes={"states": 3},
            values=(0.95, -0.95),
        ),
    ),
)
