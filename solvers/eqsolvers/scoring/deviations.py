"""What each player gets and could get by deviating, in games whose payoffs are linear in every player's plan.

All that scoring needs of a normal or extensive form is an `Evaluator`. A *plan* is one vector [Q] for all players: what
each player's own policy gives to each of its sequences, or actions in a normal form. It is linear under mixing: a
mixture of a player's policies has the mixture of its plans (Kuhn's theorem). A *gradient* [Q] is what each of these
collects against the other players' parts of a plan.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from eqenvs.arrays import Float64Array


class Evaluator(Protocol):
    """A model as scoring sees it."""

    @property
    def normaliser(self) -> int | None:
        """See `Score`."""

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
