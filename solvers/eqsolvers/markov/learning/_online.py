"""What a learner that plays in environments is told, what it is asked for, and which methods are one.

A method's file holds an `OnlineLearner` and names it by `ONLINE`, an `OnlineMethod`; or a `ModelOnly`, which says why
there is none. `_experience` plays.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from eqenvs import discovery
from eqenvs.arrays import BoolArray, Float64Array, IntArray
from eqenvs.errors import InputError, UnsupportedGame, unknown_name
from eqenvs.game import Game
from eqenvs.markov_rules import MarkovRules
from eqenvs.models.markov import MarkovModel
from eqenvs.spec import Parameterised
from eqsolvers.markov.learning._process import MAX_NUMBERS
from eqsolvers.markov.learning._sampler import Table

FIRST_CAPACITY = 64  # rows of the first tables


@dataclass(frozen=True, kw_only=True)
class Told:
    """What learners are told of a game before they play.

    Attributes:
        num_actions: of each player.
        discount: factor a step, in [0, 1].
        horizon: steps after which a game is over, which the states' keys must then tell; None: none.
        rewards: the least and the most that a player can be paid in a step; None: not known.
        shared: whether all players see the same state.
        constant_sum: whether the players' rewards add up to the same in all states.
        may_end: whether a game can be over before its horizon.
    """

    num_actions: tuple[int, ...]
    discount: float
    horizon: int | None = None
    rewards: tuple[float, float] | None = None
    shared: bool = True
    constant_sum: bool = False
    may_end: bool = True

    def __post_init__(self) -> None:
        if not 0 <= self.discount <= 1:
            raise InputError(f"discount must be in [0, 1], got {self.discount}")
        if self.rewards is not None and not self.rewards[0] <= self.rewards[1]:
            raise InputError(f"rewards must be the least and the most of a step, got {self.rewards}")

    @property
    def num_players(self) -> int:
        """N."""
        return len(self.num_actions)

    @property
    def num_profiles(self) -> int:
        """Joint actions."""
        return int(np.prod(np.array(self.num_actions, dtype=object)))

    def bounds(self, method: str) -> tuple[float, float]:
        """The rewards' bounds, which the method cannot do without.

        Raises:
            InputError: if they are not known.
        """
        if self.rewards is None:
            raise InputError(
                f"{method}: must be told the least and the most reward of a step; set least_reward and most_reward"
            )
        return self.rewards

    def scale(self, method: str) -> float:
        """The largest reward in size; half the rewards' range where a shift of all of them changes nothing."""
        low, high = self.bounds(method)
        scale = max(abs(low), abs(high)) if self.may_end else (high - low) / 2
        return scale if scale > 0 else 1.0

    def effective_horizon(self, method: str) -> float:
        """The sum of the discounts of all steps.

        Raises:
            UnsupportedGame: if it is infinite.
        """
        if self.horizon is not None:
            return float((self.discount ** np.arange(self.horizon)).sum())
        if self.discount == 1:
            raise UnsupportedGame(f"{method}: needs a discount below 1 or a horizon")
        return 1 / (1 - self.discount)

    def from_step_on(self, method: str) -> tuple[Float64Array, Float64Array]:
        """The most and the least that each player can have from each step on, [N, H] each; with a horizon."""
        assert self.horizon is not None
        low, high = self.bounds(method)
        if self.may_end:
            low, high = min(low, 0.0), max(high, 0.0)
        left = np.tile(np.cumsum(self.discount ** np.arange(self.horizon))[::-1], (self.num_players, 1))
        return high * left, low * left


def told_of(game: Game, rewards: tuple[float, float] | None = None) -> Told:
    """What learners are told of a Markov game.

    Args:
        game: need not be enumerable.
        rewards: see `Told`; None: those of the model, where it can be enumerated.

    Raises:
        UnsupportedGame: if it is no Markov game.
    """
    rules = game.rules
    if not isinstance(rules, MarkovRules):
        raise UnsupportedGame(f"tabular learning from play covers Markov games, {game!r} is {game.family}")
    may_end = True
    if game.exact:
        model = game.model()
        assert isinstance(model, MarkovModel)
        may_end = model.may_end
        if rewards is None:
            paid = model.reward[:, model.joint_legal]
            rewards = float(paid.min()), float(paid.max())
    return Told(
        num_actions=rules.num_actions,
        discount=rules.discount,
        horizon=rules.horizon,
        rewards=rewards,
        constant_sum=game.constant_sum,
        may_end=may_end,
    )


class Moves(NamedTuple):
    """What happened in a step of B games."""

    step: IntArray  # [B], joint actions before this one in the game
    point: IntArray  # [B, N], each player's own number
    action: IntArray  # [B, N]
    reward: Float64Array  # [B, N]
    following: IntArray  # [B, N], END where the game was over; the state it was cut off at where it was cut off
    begins: BoolArray  # [B], whether a new game follows
    begun: IntArray  # [B, N], the points that are shown next


class OnlineLearner:
    """A method's part; its tables are a named tuple of arrays with a leading axis of length 1, the seed.

    Attributes:
        together: whether it needs players who all see the same state.
    """

    together = False

    def blank(self, points: int) -> Any:
        """Tables with room for so many points."""
        raise NotImplementedError

    def meet(self, table: Table, tables: Any, player: int, rows: IntArray, steps: IntArray) -> None:
        """Set the tables' rows of points that a player meets for the first time, reached after `steps` joint actions.

        The game's own rows are set already, for all players where they share them.
        """

    def act(self, table: Table, tables: Any, points: IntArray, stream: Any) -> tuple[IntArray, Any]:
        """Actions at [B, N] points, [B, N], and what `learn` must be told of how they were chosen."""
        raise NotImplementedError

    def learn(self, table: Table, tables: Any, moves: Moves, chosen: Any) -> None:
        """Learn from the transitions in the order of the rows."""
        raise NotImplementedError

    def strategies(self, table: Table, tables: Any) -> Float64Array:
        """What each player is to play at each point, [N, I, A]; 0 at illegal actions."""
        raise NotImplementedError

    def joint(self, table: Table, tables: Any) -> Float64Array | None:
        """The correlated policy [I, A_0 * ... * A_{N-1}]; None where the policy is a product."""
        return None

    def measures(self, tables: Any) -> dict[str, float]:
        """Further figures by name."""
        return {}

    def memory(self) -> dict[str, Any]:
        """What changes besides the tables, as numbers, lists and arrays; copies."""
        return {}

    def recall(self, memory: Mapping[str, Any]) -> None:
        """Go back to what `memory()` gave."""


@dataclass(frozen=True, kw_only=True)
class OnlineMethod(Parameterised):
    """A method that learns from an environment: a learner's file calls its own `ONLINE`.

    Attributes:
        start: from what is told, the settings by name, and the concept where there are several, to the learner.
        concepts: what it computes.
    """

    start: Callable[..., OnlineLearner]
    concepts: tuple[str, ...] = ("nash",)

    def begin(self, told: Told, settings: Mapping[str, Any] | None = None, concept: str | None = None) -> OnlineLearner:
        """The learner.

        Raises:
            InputError: for a bad setting or an unknown concept.
            UnsupportedGame: for a game that the method does not cover.
        """
        if concept is not None and concept not in self.concepts:
            raise unknown_name(f"concept of {self.id}", concept, self.concepts)
        chosen = {"concept": concept or self.concepts[0]} if len(self.concepts) > 1 else {}
        learner = self.start(told, **self.resolve(settings or {}), **chosen)
        if learner.together and not told.shared:
            raise UnsupportedGame(
                f"{self.id}: needs players who all see the same state; independent-q and v-learning do without"
            )
        return learner


@dataclass(frozen=True, kw_only=True)
class ModelOnly:
    """In place of an `OnlineMethod`: why a method cannot learn from an environment."""

    id: str
    why: str


def online_methods() -> dict[str, OnlineMethod | ModelOnly]:
    """What the learners' files say, by id."""
    package = "eqsolvers.markov.learning"
    return discovery.load_all(
        package, "method that learns from an environment", "ONLINE", (OnlineMethod, ModelOnly), optional=True
    )


def online_method(name: str) -> OnlineMethod:
    """The method called `name`.

    Raises:
        UnknownNameError: naming the nearest one.
        UnsupportedGame: saying why, if it cannot learn from an environment.
    """
    known = online_methods()
    if name not in known:
        raise unknown_name("method that learns from an environment", name, known)
    method = known[name]
    if isinstance(method, ModelOnly):
        able = ", ".join(each for each, how in known.items() if isinstance(how, OnlineMethod))
        raise UnsupportedGame(f"{name}: cannot learn from an environment, {method.why}; these can: {able}")
    return method


def uniform_at(table: Table, player: int, rows: IntArray) -> Float64Array:
    """Uniform play of a player at points, [M, A]."""
    played = np.zeros((len(rows), table.actions.shape[2]))
    for k, row in enumerate(rows):
        count = table.counts[player, row]
        played[k, table.actions[player, row, :count]] = 1.0 / count
    return played


def uniform_joint(table: Table, rows: IntArray, num_actions: tuple[int, ...]) -> Float64Array:
    """Uniform play of all legal joint actions at points of all players, [M, P]."""
    spread = np.ones((len(rows), 1))
    for player, own in enumerate(num_actions):
        mine = uniform_at(table, player, rows)[:, :own]
        spread = (spread[:, :, None] * mine[:, None, :]).reshape(len(rows), -1)
    return spread


def fits(method: str, told: Told) -> None:
    """Refuse games of more joint actions than a table of them could hold.

    Raises:
        UnsupportedGame: with the numbers.
    """
    if told.num_profiles * FIRST_CAPACITY > MAX_NUMBERS:
        raise UnsupportedGame(
            f"{method}: keeps values of all joint actions, and {told.num_profiles:,} at a state are too many; "
            "independent-q and v-learning keep each player's own"
        )
