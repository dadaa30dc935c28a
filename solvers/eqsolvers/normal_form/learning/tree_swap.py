"""No swap regret from few learners: a tree of Hedges, over a batch of independent simplices.

Dagan, Daskalakis, Fishelson and Golowich (2024), "From external to swap regret 2.0: an efficient reduction for large
action spaces", STOC (TreeSwap); Peng and Rubinstein (2024), "Fast swap regret minimization and
applications to approximate correlated equilibria", STOC. Time is a tree: M^d rounds, each node with M parts that follow
each other. On the path to the present round every inner node holds a learner, which sees one payoff for each of its
parts, the part's average, and starts afresh in the next node. The play is the average of the d learners'.

Swap regret per round after M^d rounds of payoffs in [0, 1] is at most sqrt(ln(A) / (2 M)) + 1/d: what each learner may
lose to the best action, and 1/d since the strategies of a level serve as the next level's to compare with, which
telescopes. Only A's logarithm counts, where the reduction to A learners needs A ln(A) / eps^2 rounds; the price is
rounds exponential in 1/eps. Afterwards it starts again. Cost: O(B d A) a round.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from eqenvs.arrays import Float64Array, IntArray
from eqenvs.errors import InputError
from eqenvs.spec import Parameter
from eqsolvers.normal_form.learning._online import OnlineLearner
from eqsolvers.normal_form.learning._self_play import online_solver
from eqsolvers.normal_form.learning._simplex import softmax

DEPTH = Parameter(name="depth", default=3, low=1, high=30, description="d, the levels of the tree")
BRANCHING = Parameter(
    name="branching", default=16, low=1, high=1_000_000, description="M, the rounds that each level's learner sees"
)


class TreeSwapState(NamedTuple):
    """The learners on the path to the present round, the root's first."""

    score: Float64Array  # [B, d, A], the payoffs that each has seen
    part: Float64Array  # [B, d, A], the sum of payoffs so far in its present part
    rounds: IntArray  # [B]


def init(depth: int, batch: int, actions: int) -> TreeSwapState:
    """Uniform play."""
    nothing = np.zeros((batch, depth, actions))
    return TreeSwapState(nothing, nothing, np.zeros(batch, dtype=np.int64))


def strategy(branching: int, state: TreeSwapState) -> Float64Array:
    """The average of the levels' strategies, [B, A]."""
    _, _, actions = state.score.shape
    eta = math.sqrt(8.0 * math.log(actions) / branching)
    levels = softmax(eta * state.score.reshape(-1, actions)).reshape(state.score.shape)
    play: Float64Array = levels.mean(axis=1)
    return play


def update(branching: int, state: TreeSwapState, payoff_t: Float64Array) -> TreeSwapState:
    """One round with the payoff of every action, [B, A]."""
    depth = state.score.shape[1]
    rounds = state.rounds + 1
    length = branching ** np.arange(depth - 1, -1, -1)  # of a part, level by level
    part = state.part + payoff_t[:, None, :]
    over = (rounds[:, None] % length == 0)[:, :, None]
    leaves = (rounds[:, None] % (length * branching) == 0)[:, :, None]
    score = state.score + np.where(over, part / length[:, None], 0.0)
    return TreeSwapState(np.where(leaves, 0.0, score), np.where(over, 0.0, part), rounds)


def learner(*, depth: int = 3, branching: int = 16) -> OnlineLearner[TreeSwapState]:
    """The learner.

    Args:
        depth: d, at least 1.
        branching: M, at least 1.

    Raises:
        InputError: if a tree has more rounds than a 64-bit counter.
    """
    once: int = branching**depth
    if once >= 2**63:
        raise InputError(f"tree-swap: branching ** depth must be below 2 ** 63, got {branching} ** {depth}")

    def bound(rounds: int, actions: int) -> float:
        trees, rest = divmod(rounds, once)
        return (trees * once * (math.sqrt(math.log(actions) / (2.0 * branching)) + 1.0 / depth) + rest) / rounds

    return OnlineLearner(
        init=lambda batch, actions: init(depth, batch, actions),
        strategy=lambda state: strategy(branching, state),
        update=lambda state, payoff_t: update(branching, state, payoff_t),
        regret="swap",
        bound=bound,
    )


SOLVER = online_solver(
    "tree-swap",
    learner,
    source="Dagan, Daskalakis, Fishelson, Golowich (2024), STOC; Peng, Rubinstein (2024), STOC",
    parameters=(DEPTH, BRANCHING),
    concepts=("nash", "ce", "cce"),
)
