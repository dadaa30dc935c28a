"""What each player gets and the most it could get by deviating, for each family of models.

Everything that scoring needs of a model is an `Evaluator`. A *plan* is one vector [Q] for all players: what each
player's own policy gives to each of its sequences, or actions in a normal form. It is linear under mixing: a mixture of
a player's policies has the mixture of its plans (Kuhn's theorem). A *gradient* [Q] is what each of these collects
against the other players' parts of a plan.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol, overload
from weakref import WeakKeyDictionary

import numpy as np

from eqenvs.arrays import Float64Array
from eqenvs.errors import UnsupportedGame
from eqenvs.models import ExtensiveFormModel, NormalFormModel

if TYPE_CHECKING:
    from eqsolvers.scoring._extensive_form import ExtensiveFormEvaluator


class Evaluator(Protocol):
    """A model as scoring sees it."""

    @property
    def constant_sum(self) -> bool:
        """Whether the game is two-player constant-sum."""

    @property
    def num_entries(self) -> int:
        """Q."""

    def plan(self, tables: Sequence[Float64Array]) -> Float64Array:
        """The plan [Q] of a behaviour table [I, A] for each player."""

    def collected(self, plan: Float64Array) -> tuple[Float64Array, Float64Array]:
        """The gradient [Q] at a plan, and the players' expected payoffs [N]."""

    def best_responses(self, gradient: Float64Array) -> tuple[Float64Array, Float64Array]:
        """Each player's highest value against a gradient, [N], and what its entries are worth with best play, [Q]."""

    def evaluate(self, tables: Sequence[Float64Array]) -> tuple[Float64Array, Float64Array]:
        """Each player's expected payoff under behaviour tables, [N], and that of its best response, [N]."""

    def table(self, player: int, worth: Float64Array) -> Float64Array:
        """A player's best response by that worth, a pure table [I, A]."""


class NormalFormEvaluator:
    """The evaluator of a normal-form game.

    Attributes:
        constant_sum: whether the game is two-player constant-sum.
        num_entries: actions of all players together.
    """

    def __init__(self, model: NormalFormModel) -> None:
        self._model = model
        self._bounds = np.cumsum(model.num_actions)[:-1]
        self.num_entries = sum(model.num_actions)
        self.constant_sum = model.num_players == 2 and model.constant_sum()

    def plan(self, tables: Sequence[Float64Array]) -> Float64Array:
        """The strategies themselves."""
        return np.concatenate([table[0] for table in tables])

    def collected(self, plan: Float64Array) -> tuple[Float64Array, Float64Array]:
        """The expected payoff of each action, and of each player."""
        strategies = np.split(plan, self._bounds)
        gradients = [self._model.gradient(player, strategies) for player in range(len(strategies))]
        values = [gradient @ own for gradient, own in zip(gradients, strategies, strict=True)]
        return np.concatenate(gradients), np.array(values)

    def best_responses(self, gradient: Float64Array) -> tuple[Float64Array, Float64Array]:
        """The value of each player's best action; actions are worth what they collect."""
        return np.array([own.max() for own in np.split(gradient, self._bounds)]), gradient

    def evaluate(self, tables: Sequence[Float64Array]) -> tuple[Float64Array, Float64Array]:
        """The players' values and their best actions' values."""
        gradient, values = self.collected(self.plan(tables))
        return values, self.best_responses(gradient)[0]

    def table(self, player: int, worth: Float64Array) -> Float64Array:
        """The best action, the first of equals, as a pure strategy."""
        own = np.split(worth, self._bounds)[player]
        table = np.zeros((1, len(own)))
        table[0, own.argmax()] = 1.0
        return table


_LAID_OUT: WeakKeyDictionary[ExtensiveFormModel, ExtensiveFormEvaluator] = WeakKeyDictionary()


@overload
def evaluator(model: ExtensiveFormModel) -> ExtensiveFormEvaluator: ...
@overload
def evaluator(model: Any) -> Evaluator: ...
def evaluator(model: Any) -> Evaluator:
    """The evaluator of a model; of an extensive-form game it is made once and kept for as long as the model.

    Raises:
        UnsupportedGame: if the model's family has no exact evaluation.
    """
    if isinstance(model, ExtensiveFormModel):
        found = _LAID_OUT.get(model)
        if found is None:
            # Numba takes longer to import than a small game to score, and normal forms do without.
            from eqsolvers.scoring._extensive_form import ExtensiveFormEvaluator

            found = _LAID_OUT[model] = ExtensiveFormEvaluator(model)
        return found
    if isinstance(model, NormalFormModel):
        return NormalFormEvaluator(model)
    raise UnsupportedGame(f"no exact scoring for {type(model).__name__} yet")
