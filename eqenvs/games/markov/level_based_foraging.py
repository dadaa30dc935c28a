"""Level-based foraging: players of different levels walk about a grid and lift food that may need several of them.

Food is lifted when players next to it (not diagonally) load at the same time and their levels together reach the
food's. Each of them is then paid its own level times the food's, divided by the sum of the levels of all who loaded
and by the levels of all the food there was at the start: lifting everything pays all players 1 in sum. Who tries in
vain pays `penalty`. Players cannot enter food. Those who move to one square all stay where they are, and so does
everybody whose target is not left by another; two may change places.

Albrecht and Ramamoorthy (2013), "A game-theoretic model and best-response learning method for ad hoc coordination in
multiagent systems", AAMAS; rewards, `penalty` and `coop` as in the benchmark of Papoudakis, Christianos, Schaefer and
Albrecht (2021), NeurIPS Datasets and Benchmarks. There places and levels are drawn anew in every episode; here they
are parameters, which is what makes the state small. In the benchmark's code a player can run onto the square of one
that was held up; here it stays where it is.
"""

from __future__ import annotations

from math import comb, perm
from typing import Any, NamedTuple

import numpy as np

from eqenvs.arrays import Array, Constants, device_of, namespace, one_hot
from eqenvs.errors import InputError
from eqenvs.games.markov import _grid, _parameters
from eqenvs.markov_rules import MarkovRules
from eqenvs.models.enumeration import DEFAULT_MAX_SIZE
from eqenvs.rendering import Picture, player_colour, squares
from eqenvs.rendering.picture import GRASS
from eqenvs.spec import Fact, Family, GameSpec, Parameter

LOAD = 5
MAX_PLAYERS = 6


class ForagingState(NamedTuple):
    """A batch of games with F pieces of food."""

    squares: Array  # [B, N] int64, where the players are
    food: Array  # [B, F] bool, what is still there
    step: Array  # [B] int64


class LevelBasedForaging(MarkovRules[ForagingState]):
    """Level-based foraging.

    Observation: float32, one-hot player (N), one-hot square of each player (height * width each), which pieces of food
    are there (F).
    Actions: 0 stand, 1 north, 2 south, 3 west, 4 east, 5 load; moves off the grid or into food are illegal, and so is
    loading with no food next to the player; simultaneous.
    Reward: see the module; general-sum.
    Termination: when all food is gone.
    State key: the players' squares, then 1 for each piece of food that is there.

    Version history: 0, first version.
    """

    num_chance_outcomes = 0

    def __init__(
        self,
        height: int = 3,
        width: int = 4,
        agents: str = "2,0,1;0,3,2",
        foods: str = "0,1,2;2,2,3",
        coop: bool = False,
        penalty: float = 0.0,
        discount: float = 0.95,
        horizon: int | None = None,
    ) -> None:
        _parameters.check_discount("level_based_foraging", discount, horizon)
        players = _parameters.read_squares("level_based_foraging", "agents", agents, height, width, level=True)
        food = _parameters.read_squares("level_based_foraging", "foods", foods, height, width, level=True)
        levels = [level for *_, level in players]
        needed = [sum(sorted(levels)[:3]) if coop else level for *_, level in food]
        self.penalty, self.discount, self.horizon = penalty, discount, horizon
        self.num_players, self.num_food, self.num_squares = len(players), len(food), height * width
        self.num_actions = (6,) * self.num_players
        self.view_size = self.num_players * (1 + self.num_squares) + self.num_food
        self.height, self.width = height, width
        self._start = [row * width + column for row, column, _ in players]
        self._places = places = [row * width + column for row, column, _ in food]
        apart = _grid.distances(height, width)
        _check(self._start, places, levels, needed, apart)
        to = _grid.targets(height, width)
        self._tables = Constants(
            to=np.concatenate([to, to[:, :1]], axis=1),  # who loads stands
            next_to=apart[:, places] == 1,
            food_on=np.arange(self.num_squares)[:, None] == np.array(places),
            levels=levels,
            needed=needed,
        )
        self._total = float(sum(needed))

    def initial_state(self, batch: int, xp: Any, device: Any = None) -> ForagingState:
        step = xp.zeros((batch,), dtype=xp.int64, device=device)
        return ForagingState(
            squares=xp.stack([xp.full_like(step, square) for square in self._start], axis=1),
            food=xp.ones((batch, self.num_food), dtype=xp.bool, device=device),
            step=step,
        )

    def ended(self, state: ForagingState) -> Array:
        return ~namespace(state.food).any(state.food, axis=1)

    def legal_actions(self, state: ForagingState, player: Array) -> Array:
        xp = namespace(player)
        at = state.squares[xp.arange(player.shape[0], device=device_of(player)), player]
        to = self._tables.on("to", player)[at]  # [B, 6]
        blocked = xp.any((self._tables.on("food_on", player)[to] > 0) & state.food[:, None, :], axis=2)
        near = xp.any((self._tables.on("next_to", player)[at] > 0) & state.food, axis=1)
        return xp.concat([((to >= 0) & ~blocked)[:, :LOAD], near[:, None]], axis=1)

    def apply(self, state: ForagingState, actions: Array) -> tuple[ForagingState, Array]:
        xp = namespace(actions)
        moves, live = actions[:, : self.num_players], ~self.ended(state)
        squares = self._settled(state.squares, self._tables.on("to", actions)[state.squares, moves])
        near = self._tables.on("next_to", actions)[state.squares] > 0  # [B, N, F]
        loads = (moves == LOAD)[:, :, None] & near & state.food[:, None, :]
        levels, needed = self._tables.on("levels", actions), self._tables.on("needed", actions)
        strength = xp.sum(xp.where(loads, levels[None, :, None], 0), axis=1)  # [B, F]
        lifted = state.food & (strength >= needed[None, :])
        worth = xp.astype(needed[None, :], xp.float64) / xp.astype(xp.where(lifted, strength, 1), xp.float64)
        share = xp.astype(levels[None, :, None], xp.float64) * worth[:, None, :] / self._total
        vain = xp.where(loads, -self.penalty, 0.0 * share)
        paid = xp.sum(xp.where(loads & lifted[:, None, :], share, vain), axis=2)
        after = ForagingState(
            squares=xp.where(live[:, None], squares, state.squares),
            food=state.food & ~lifted,
            step=state.step + xp.astype(live, xp.int64),
        )
        return after, paid

    def _settled(self, at: Array, to: Array) -> Array:
        """Where the players end up, [B, N]: a target that two have, or that somebody stays on, is not reached."""
        xp = namespace(at)
        # Who has to stay may be in the way of the next, and so on along the longest chain of players.
        for _ in range(self.num_players):
            shared = xp.sum(xp.astype(to[:, :, None] == to[:, None, :], xp.int64), axis=2) > 1
            to = xp.where(shared, at, to)
        return to

    def state_key(self, state: ForagingState) -> Array:
        xp = namespace(state.food)
        return xp.concat([state.squares, xp.astype(state.food, xp.int64)], axis=1)

    def view(self, state: ForagingState, player: Array) -> Array:
        xp = namespace(player)
        squares = self.num_players * self.num_squares
        where = xp.reshape(one_hot(state.squares, self.num_squares), (player.shape[0], squares))
        return xp.astype(xp.concat([one_hot(player, self.num_players), where, state.food], axis=1), xp.float32)

    def describe_action(self, player: int, action: int) -> str:
        return "load" if action == LOAD else _grid.NAMES[action]

    def picture(self, state: ForagingState) -> Picture:
        tables = self._tables
        levels, needed = tables.on("levels", state.step).tolist(), tables.on("needed", state.step).tolist()
        left = state.food[0]
        board = squares(
            self.height,
            self.width,
            marks=[(square, str(needed[food]), GRASS) for food, square in enumerate(self._places) if left[food]],
            pieces=[
                (square, f"{'ABCDEF'[player]}{levels[player]}", player_colour(player))
                for player, square in enumerate(state.squares[0].tolist())
            ],
        )
        line = "A, B, ...: players 0, 1, ..., with their levels; numbers: levels of food"
        return Picture(boards=(board,), lines=(line,))


def _check(start: list[int], places: list[int], levels: list[int], needed: list[int], apart: Any) -> None:
    """Refuse places and levels with which the game is not defined.

    Raises:
        InputError: naming what is wrong.
    """
    where = "level_based_foraging"
    if not 1 <= len(start) <= MAX_PLAYERS:
        raise InputError(f"{where}: parameter 'agents' must be 1 to {MAX_PLAYERS} players, got {len(start)}")
    if not places:
        raise InputError(f"{where}: parameter 'foods' must be at least one piece of food")
    if set(start) & set(places):
        raise InputError(f"{where}: parameter 'agents': nobody can start on a square with food")
    for number, place in enumerate(places):
        # A player next to two pieces could not say which one it loads.
        if any(apart[place, other] < 3 for other in places[:number]):
            raise InputError(f"{where}: parameter 'foods': pieces must be 3 steps apart or more")
        sides = int((apart[place] == 1).sum())
        if sum(sorted(levels)[-sides:]) < needed[number]:
            raise InputError(
                f"{where}: parameter 'foods': level {needed[number]} is more than the {min(sides, len(levels))} "
                "strongest players around that piece reach together"
            )


def most_pairs(height: int, width: int, agents: str, foods: str) -> int:
    """A bound on pairs of a state and a joint action: players on different squares, for what food may be left."""
    players, pieces = len(agents.split(";")), len(foods.split(";"))
    states = sum(comb(pieces, left) * perm(height * width - left, players) for left in range(1, pieces + 1))
    return states * int(6**players)


SPEC = GameSpec(
    id="level_based_foraging",
    family=Family.MARKOV,
    title="Level-based foraging",
    build=LevelBasedForaging,
    constant_sum=False,
    exact=lambda height, width, agents, foods, **_: most_pairs(height, width, agents, foods) <= DEFAULT_MAX_SIZE,
    source="Albrecht and Ramamoorthy (2013), AAMAS; Papoudakis et al. (2021), NeurIPS Datasets and Benchmarks",
    parameters=(
        Parameter(name="height", default=3, low=1, high=20, description="rows"),
        Parameter(name="width", default=4, low=2, high=20, description="columns"),
        Parameter(
            name="agents",
            default="2,0,1;0,3,2",
            kind=str,
            description="players as row,column,level;row,column,level;... from 0 at the north-west",
        ),
        Parameter(
            name="foods", default="0,1,2;2,2,3", kind=str, description="food as row,column,level;row,column,level;..."
        ),
        Parameter(
            name="coop",
            default=False,
            kind=bool,
            description="all food needs the three weakest players together, or all where there are fewer",
        ),
        Parameter(name="penalty", default=0.0, kind=float, low=0.0, high=1.0, description="of loading in vain"),
        _parameters.discount(0.95),
        _parameters.HORIZON,
    ),
    facts=(
        Fact(
            source="players on different squares: 10 * 9 with both pieces of food, 11 * 10 with either one",
            sizes={"states": 310, "actions": [6, 6]},
        ),
        Fact(
            source="8 * 7 squares around one piece of food",
            parameters={"height": 3, "width": 3, "agents": "0,0,1;2,2,1", "foods": "1,1,2", "coop": True},
            sizes={"states": 56, "actions": [6, 6]},
        ),
    ),
)
