"""Robust value iteration: the first player's transitions are the worst of a set, in every state and joint action anew.

Iyengar (2005), "Robust dynamic programming", Mathematics of Operations Research 30; Nilim and El Ghaoui (2005), "Robust
control of Markov decision processes with uncertain transition matrices", Operations Research 53, for one player. With
two, the game is zero-sum and nature is on the second player's side: stage games pay the reward and the discounted least
expected value over the set (`_nature`), which is a contraction by `discount` like Shapley's. A radius of 0 is
`shapley-iteration`. With a horizon it is backward induction, and exact.

The residual is a NashConv with nature: what the first player could get at most against the second's policy, nature
being hostile all the same, less what its own policy guarantees against the best reply of both; each is iterated until
it is known to `PRECISION`, and the sum rounded up. `eqsolvers.scoring.score` knows nothing of nature.

Cost of an iteration: O(E) for E transitions (of "kl" some ten exponentials each), and the matrix games of all states.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from eqenvs.arrays import Float64Array, read_only
from eqenvs.errors import InputError
from eqenvs.game import Game
from eqenvs.models.markov import MarkovModel
from eqenvs.policies import JointPolicy, tabulate
from eqenvs.spec import Parameter
from eqsolvers.iterative import require_two_player_zero_sum
from eqsolvers.markov._bounded import bounded_solver
from eqsolvers.markov._matrix_games import compile_kernels
from eqsolvers.markov._nature import SETS, worst_case, write_least
from eqsolvers.markov._value_iteration import ValueIteration, gain_bound, uniform_tables
from eqsolvers.markov._zero_sum import MatrixStages, product
from eqsolvers.scoring.chains import chains

PRECISION = 1e-13  # of the values of a policy, per unit of them
MOST_STEPS = 1_000_000  # of their iteration

Backup = Callable[[Float64Array], Float64Array]


class SinglePlayer(MatrixStages):
    """The best action in every state: the second player has one action."""

    def __init__(self, model: MarkovModel) -> None:
        super().__init__(model, (model.legal[0], np.ones((model.num_states, 1), dtype=bool)))

    def solve(self, payoffs: Float64Array) -> tuple[Float64Array, tuple[Float64Array, ...]]:
        """From [S, A, 1] to values [S, 1] and strategies."""
        values, plays = super().solve(payoffs[:, :, None])
        return values, (plays[0],)


def robust_payoffs(model: MarkovModel, kind: str, radius: float, *, own: bool) -> Backup:
    """The first player's stage games [S, A_0, ..., 1] as a function of its values [S, 1]."""
    least = worst_case(model, kind, radius, own=own)
    rewards, shape = chains(model).rewards[:, 0], model.reward.shape[1:]

    def payoffs(values: Float64Array) -> Float64Array:
        return (rewards + model.discount * least(values[:, 0])).reshape(*shape, 1)

    return payoffs


def robust_residual(model: MarkovModel, policy: JointPolicy, payoffs: Backup) -> float:
    """See the module: payoff, at the first state."""
    tables = tabulate(model, policy).tables
    legal = model.legal

    def guaranteed(games: Float64Array, part: slice) -> Float64Array:
        against = np.einsum("sa...,sa->s...", games, tables[0][part])
        least: Float64Array = against if model.num_players == 1 else np.where(legal[1], against, np.inf).min(axis=1)
        return least

    def attainable(games: Float64Array, part: slice) -> Float64Array:
        own = games if model.num_players == 1 else np.einsum("sab,sb->sa", games, tables[1][part])
        best: Float64Array = np.where(legal[0], own, -np.inf).max(axis=1)
        return best

    high, over = _iterated(model, payoffs, attainable)
    low, under = _iterated(model, payoffs, guaranteed)
    return max(0.0, float(model.initial @ (high - low))) + over + under


def _iterated(
    model: MarkovModel, payoffs: Backup, choose: Callable[[Float64Array, slice], Float64Array]
) -> tuple[Float64Array, float]:
    """The values [S] that `choose` leads to, from stage games and their decision points, and their error."""
    states = model.num_states
    values = np.zeros(states)
    if model.horizon is not None:
        for first in range((model.horizon - 1) * states, -1, -states):
            values = choose(payoffs(values[:, None])[..., 0], slice(first, first + states))
        return values, 0.0
    for _ in range(MOST_STEPS):
        following = choose(payoffs(values[:, None])[..., 0], slice(0, states))
        change, values = following - values, following
        error = gain_bound(model, change[:, None]) / 2
        if error <= PRECISION * (1.0 + float(np.abs(values).max())):
            break
    high, low = change.max(), change.min()
    if model.may_end:
        high, low = max(high, 0.0), min(low, 0.0)
    return values + model.discount / (1.0 - model.discount) * (high + low) / 2, error


def start(
    model: MarkovModel,
    *,
    uncertainty: str = SETS[0],
    radius: float = 0.1,
    own: bool = False,
    seed: int = 0,
) -> ValueIteration:
    """The process.

    Args:
        model: the game.
        uncertainty: the kind of set, one of `_nature.SETS`.
        radius: of the set.
        own: whether probability can only go to states that can follow anyway.
        seed: of no use; nothing is drawn.

    Raises:
        UnsupportedGame: if there are several players, and the game is not two-player constant-sum.
        InputError: if the radius of a set other than "kl" is above 1.
    """
    if model.num_players > 1:
        require_two_player_zero_sum(model, "robust-vi", hint="and games of one player")
    if uncertainty != "kl" and radius > 1:
        raise InputError(f"robust-vi: parameter 'radius' must be at most 1, but for uncertainty=kl; got {radius:g}")
    payoffs = robust_payoffs(model, uncertainty, radius, own=own)
    return ValueIteration(
        model,
        SinglePlayer(model) if model.num_players == 1 else MatrixStages(model),
        plays=uniform_tables(model),
        policy=product,
        residual=lambda model, policy: robust_residual(model, policy, payoffs),
        backup=payoffs,
        players=1,
    )


def compile_for(model: Any) -> None:
    """Compile the kernels, or load them from the cache."""
    compile_kernels()
    start, state, ones = read_only(np.arange(2)), read_only(np.zeros(1, np.int64)), read_only(np.ones(1))
    write_least(start, state, ones, np.zeros(2), 0, 0.5, 0.0, False, 1, np.empty(1))


def covers(game: Game) -> bool:
    """Whether the game has one player, or two and is constant-sum."""
    return game.num_players == 1 or (game.num_players == 2 and game.constant_sum)


SOLVER = bounded_solver(
    "robust-vi",
    start,
    concepts=("robust",),
    parameters=(
        Parameter(name="uncertainty", default=SETS[0], kind=str, choices=SETS, description="what nature may change"),
        Parameter(name="radius", default=0.1, kind=float, low=0.0, high=1e6, description="of the set; to 1 but for kl"),
        Parameter(name="own", default=False, kind=bool, description="no state that could not follow can follow now"),
    ),
    preference=10,
    covers=covers,
    compile=compile_for,
    source="Iyengar (2005); Nilim, El Ghaoui (2005)",
)
