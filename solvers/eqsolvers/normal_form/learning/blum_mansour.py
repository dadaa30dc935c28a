"""No swap regret from learners without external regret, one for each action, over a batch of independent simplices.

Blum and Mansour (2007), "From external to internal regret", JMLR 8. The learner of action a says what to
play where a would be played; the play is the distribution that they leave as it is, p = p Q with their strategies as
the rows of Q, and the learner of a is told p(a) times the payoffs. The swap regret is exactly the sum of the learners'
external regrets, whatever they do.

Swap regret after T rounds of payoffs in [0, 1] is at most: over Hedge with rate 2 sqrt(A ln(A) / t), sqrt(T A ln A);
over regret matching (plus), sqrt(A (A - 1) T); over predictive regret matching plus, twice that. Hedge's rate is
sqrt(A) times its usual one: the squares of a round's p(a) sum to 1 at most, so that the learners' payoffs are of size
1 / sqrt(A), and the usual rate gives the order A sqrt(T ln A) only. Regret matching adapts by itself.
Cost: O(B A^3) a round for the stationary distribution.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from eqenvs.arrays import Float64Array
from eqenvs.errors import unknown_name
from eqenvs.spec import Parameter
from eqsolvers.normal_form.learning import hedge, prm_plus, rm, rm_plus
from eqsolvers.normal_form.learning._online import OnlineLearner
from eqsolvers.normal_form.learning._self_play import online_solver
from eqsolvers.normal_form.learning._stationary import stationary


@dataclass(frozen=True)
class Base:
    """A learner for the actions.

    Attributes:
        learner: it, with full-information updates.
        scale: from A to what the payoffs that it is told are multiplied by.
        bound: from (T, A) to the average swap regret over it.
    """

    learner: Callable[[], OnlineLearner[Any]]
    scale: Callable[[int], float]
    bound: Callable[[int, int], float]


def _matching_bound(rounds: int, actions: int) -> float:
    return math.sqrt(actions * (actions - 1) / rounds)


BASES = {
    "hedge": Base(
        hedge.learner,
        math.sqrt,
        lambda rounds, actions: math.sqrt(actions * math.log(actions) / rounds),
    ),
    "rm": Base(rm.learner, lambda actions: 1.0, _matching_bound),
    "rm+": Base(rm_plus.learner, lambda actions: 1.0, _matching_bound),
    "prm+": Base(prm_plus.learner, lambda actions: 1.0, lambda rounds, actions: 2 * _matching_bound(rounds, actions)),
}
BASE = Parameter(
    name="base", default="hedge", kind=str, choices=tuple(BASES), description="the learner that each action has"
)


class BlumMansourState(NamedTuple):
    """The actions' learners, and the play that follows."""

    base: Any  # the learner's own state of a batch B * A, the learner of action a in game b at b * A + a
    play: Float64Array  # [B, A], the next distribution


def over(base: OnlineLearner[Any], scale: Callable[[int], float] = lambda actions: 1.0) -> OnlineLearner[Any]:
    """The reduction over any learner.

    Args:
        base: with full-information updates.
        scale: see `Base`.
    """
    learn = base.update
    assert learn is not None, "the reduction needs full information"

    def standing(state: Any, batch: int) -> BlumMansourState:
        advice = base.strategy(state)
        return BlumMansourState(state, stationary(advice.reshape(batch, -1, advice.shape[1])))

    def update(state: BlumMansourState, payoff_t: Float64Array) -> BlumMansourState:
        batch, actions = payoff_t.shape
        shares = scale(actions) * state.play[:, :, None] * payoff_t[:, None, :]
        return standing(learn(state.base, shares.reshape(batch * actions, actions)), batch)

    return OnlineLearner(
        init=lambda batch, actions: standing(base.init(batch * actions, actions), batch),
        strategy=lambda state: state.play,
        update=update,
        regret="swap",
    )


def learner(*, base: str = "hedge") -> OnlineLearner[BlumMansourState]:
    """The learner.

    Args:
        base: one of `BASES`.

    Raises:
        UnknownNameError: if there is no such base.
    """
    if base not in BASES:
        raise unknown_name("base learner", base, BASES)
    chosen = BASES[base]
    return replace(over(chosen.learner(), chosen.scale), bound=chosen.bound)


SOLVER = online_solver(
    "blum-mansour",
    learner,
    source="Blum, Mansour (2007), JMLR 8",
    parameters=(BASE,),
    concepts=("nash", "ce", "cce"),
)
