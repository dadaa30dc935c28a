"""Grid soccer: two players on a small grid, a ball that one of them has, and a goal on either side.

Both choose a move at once and the moves are made one after the other, in an order that is drawn. A player that would
step onto the other's square stays where it is, and the ball is then the other's, whoever had it. The player with the
ball scores by stepping over the side line between the posts: player 0 on the west side, player 1 on the east side.
After a goal the game starts again from the first squares (`endless`, as published) or is over. Who has the ball at the
start is drawn.

Littman (1994), "Markov games as a framework for multi-agent reinforcement learning", ICML, section 6.1. The goal is
two squares high, and one where the height is odd. Where the paper leaves a choice: nobody can score in the own goal,
and a move off the grid is none.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from eqenvs.arrays import Array, Constants, namespace, one_hot, take_along
from eqenvs.games.markov import _grid, _parameters
from eqenvs.markov_rules import MarkovRules
from eqenvs.rendering import Picture, player_colour, squares
from eqenvs.rendering.picture import GOAL
from eqenvs.spec import Fact, Family, GameSpec, Parameter


class SoccerState(NamedTuple):
    """A batch of games."""

    squares: Array  # [B, 2] int64, where the players are
    holder: Array  # [B] int64, who has the ball; -1 while that is to be drawn
    moves: Array  # [B, 2] int64, the moves whose order is to be drawn; -1 none
    over: Array  # [B] bool
    step: Array  # [B] int64


class GridSoccer(MarkovRules[SoccerState]):
    """Grid soccer.

    Observation: float32, one-hot player (2), one-hot square of player 0, then of player 1 (height * width each), and
    who has the ball (2).
    Actions: 0 stand, 1 north, 2 south, 3 west, 4 east, always legal; simultaneous.
    Chance: who has the ball at the start; who moves first.
    Reward: 1 for a goal and -1 for the other player's; zero-sum.
    State key: both squares and who has the ball.

    Version history: 0, first version.
    """

    num_players, num_actions, num_chance_outcomes = 2, (5, 5), 2

    def __init__(
        self, height: int = 4, width: int = 5, endless: bool = True, discount: float = 0.9, horizon: int | None = None
    ) -> None:
        _parameters.check_discount("grid_soccer", discount, horizon)
        self.height, self.width, self.endless = height, width, endless
        self.discount, self.horizon = discount, horizon
        self.num_squares = height * width
        self.view_size = 2 * self.num_squares + 4
        posts = [(height - 1) // 2, height // 2]
        # In the paper's figure the players stand one square in from their own sides, in the goal's two rows; player 0
        # is the one on the east side, who plays west.
        inset = (width - 1) // 4
        self._start = (posts[1] * width + width - 1 - inset, posts[0] * width + inset)
        scores = np.zeros((2, self.num_squares, 5), dtype=np.int64)
        for row in posts:
            scores[0, row * width, _grid.WEST] = 1
            scores[1, row * width + width - 1, _grid.EAST] = 1
        self._tables = Constants(to=_grid.targets(height, width), scores=scores, start=self._start)

    def initial_state(self, batch: int, xp: Any, device: Any = None) -> SoccerState:
        nothing = xp.full((batch,), -1, dtype=xp.int64, device=device)
        return SoccerState(
            squares=xp.stack([xp.full_like(nothing, square) for square in self._start], axis=1),
            holder=nothing,
            moves=xp.stack([nothing, nothing], axis=1),
            over=nothing >= 0,
            step=xp.zeros_like(nothing),
        )

    def ended(self, state: SoccerState) -> Array:
        return state.over

    def undecided(self, state: SoccerState) -> Array:
        return (state.holder < 0) | (state.moves[:, 0] >= 0)

    def legal_actions(self, state: SoccerState, player: Array) -> Array:
        xp = namespace(player)
        return xp.ones_like(one_hot(player, 5))

    def chance_probabilities(self, state: SoccerState) -> Array:
        xp = namespace(state.holder)
        return xp.full_like(xp.astype(state.moves, xp.float64), 0.5)

    def apply(self, state: SoccerState, actions: Array) -> tuple[SoccerState, Array]:
        xp = namespace(actions)
        drawn = actions[:, 2]
        tossing, moving = state.holder < 0, state.moves[:, 0] >= 0
        choosing = ~(tossing | moving | state.over)
        squares, holder, scorer = state.squares, state.holder, xp.full_like(state.holder, -1)
        for player in (drawn, 1 - drawn):
            squares, holder, scorer = self._move(squares, holder, scorer, player, state.moves, moving)
        goal = scorer >= 0
        again = goal if self.endless else xp.zeros_like(goal)
        after = SoccerState(
            squares=xp.where(again[:, None], self._tables.on("start", actions)[None, :], squares),
            holder=xp.where(tossing, drawn, xp.where(again, -1, holder)),
            moves=xp.where(choosing[:, None], actions[:, :2], -1),
            over=state.over if self.endless else state.over | goal,
            step=state.step + xp.astype(choosing, xp.int64),
        )
        won = xp.astype(one_hot(scorer, 2), xp.float64)
        return after, won - xp.flip(won, axis=1)

    def _move(
        self, squares: Array, holder: Array, scorer: Array, player: Array, moves: Array, where: Array
    ) -> tuple[Array, Array, Array]:
        """One player's move in the rows `where` [B] in which there is no goal yet."""
        xp = namespace(player)
        live = where & (scorer < 0)
        at, other = take_along(squares, player), take_along(squares, 1 - player)
        move = take_along(moves, player)
        to = self._tables.on("to", player)[at, move]
        goal = live & (holder == player) & (self._tables.on("scores", player)[player, at, move] > 0)
        met = live & (to == other)
        goes = one_hot(player, 2) & (live & ~met & (to >= 0))[:, None]
        return (
            xp.where(goes, to[:, None], squares),
            xp.where(met, 1 - player, holder),
            xp.where(goal, player, scorer),
        )

    def state_key(self, state: SoccerState) -> Array:
        return namespace(state.holder).concat([state.squares, state.holder[:, None]], axis=1)

    def view(self, state: SoccerState, player: Array) -> Array:
        xp = namespace(player)
        where = xp.reshape(one_hot(state.squares, self.num_squares), (player.shape[0], 2 * self.num_squares))
        return xp.astype(xp.concat([one_hot(player, 2), where, one_hot(state.holder, 2)], axis=1), xp.float32)

    def describe_action(self, player: int, action: int) -> str:
        return _grid.NAMES[action]

    def picture(self, state: SoccerState) -> Picture:
        holder = int(state.holder[0])
        mouths = [
            self.width * row + column
            for row in {(self.height - 1) // 2, self.height // 2}
            for column in (0, self.width - 1)
        ]
        board = squares(
            self.height,
            self.width,
            marks=[(square, "", GOAL) for square in mouths],
            pieces=[
                (square, f"{player}*" if player == holder else str(player), player_colour(player))
                for player, square in enumerate(state.squares[0].tolist())
            ],
        )
        return Picture(boards=(board,), lines=("* has the ball; player 0 plays to the left",))


def num_states(height: int, width: int) -> int:
    """Two players on different squares, and the ball with either."""
    squares = height * width
    return 2 * squares * (squares - 1)


SPEC = GameSpec(
    id="grid_soccer",
    family=Family.MARKOV,
    title="Grid soccer",
    build=GridSoccer,
    constant_sum=True,
    size=lambda height, width, **_: 25 * num_states(height, width),
    source="Littman (1994), Markov games as a framework for multi-agent reinforcement learning, ICML",
    parameters=(
        Parameter(name="height", default=4, low=2, high=20, description="rows"),
        Parameter(name="width", default=5, low=2, high=20, description="columns; the goals are at their ends"),
        Parameter(name="endless", default=True, kind=bool, description="start again after a goal; if not, it is over"),
        _parameters.discount(0.9),
        _parameters.HORIZON,
    ),
    facts=(
        Fact(
            source="2 * 20 * 19 ways to have two squares and the ball; half a turn of the board exchanges the players",
            sizes={"states": 760, "actions": [5, 5], "joint_actions": 19_000},
            values=(0.0, 0.0),
        ),
        Fact(
            source="as for the endless game",
            parameters={"endless": False},
            sizes={"states": 760, "actions": [5, 5], "joint_actions": 19_000},
            values=(0.0, 0.0),
        ),
        Fact(
            source="2 * 9 * 8 ways to have two squares and the ball; half a turn of the board exchanges the players",
            parameters={"height": 3, "width": 3},
            sizes={"states": 144, "actions": [5, 5], "joint_actions": 3600},
            values=(0.0, 0.0),
        ),
    ),
)
