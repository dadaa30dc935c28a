"""What every online learner is: pure functions on a state of arrays with a leading batch axis.

A learner decides on B independent simplices at once: thousands of games, seeds or parameter settings advance in one
call. Payoffs are in [0, 1]; whoever holds the game scales them. In round t the learner gives `strategy(state)`, is told
what happened, and `update`s.

Feedback, from most to least:

- *full information*: the expected payoff of every action, `update(state, payoff [B, A])`;
- *semi-bandit*: the payoff of every action against the others' sampled actions: the same call with a sample;
- *bandit*: the payoff of the sampled action alone, `observe(state, action [B], payoff [B])`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from eqenvs.arrays import Float64Array, IntArray

StateT = TypeVar("StateT")


@dataclass(frozen=True, kw_only=True)
class OnlineLearner(Generic[StateT]):
    """A learner with its parameters bound.

    Attributes:
        init: from (B, A) to the state before the first round, a NamedTuple of arrays that can be checkpointed as it is.
        strategy: the distributions to play next, [B, A] float64, rows on the simplex.
        update: the state after a round with the payoff of every action, [B, A]; None for bandit algorithms.
        observe: the state after a round with the action that was drawn from `strategy` [B] and its payoff [B]; None
            where only `update` is defined (`importance_weighted` makes one).
        regret: which regret it bounds, "external" or "swap".
        bound: the guaranteed average regret after T rounds with A actions, payoffs in [0, 1]; None where none is proved.
    """

    init: Callable[[int, int], StateT]
    strategy: Callable[[StateT], Float64Array]
    update: Callable[[StateT, Float64Array], StateT] | None
    observe: Callable[[StateT, IntArray, Float64Array], StateT] | None = None
    regret: str = "external"
    bound: Callable[[int, int], float] | None = None


Build = Callable[..., OnlineLearner[Any]]  # the learner's parameters as keywords
