"""Pessimistic Nash value iteration: both players of a zero-sum game plan for the worst that the data allow.

Cui and Du (2022), "When are offline two-player zero-sum Markov games solvable?", NeurIPS, algorithm 1 (PNVI). Backwards
from the last step, at every state with player 0's payoffs,

    lower(s, a, b) = mean reward + discount * mean lower value of what follows - error(s, a, b),
    upper(s, a, b) = the same with upper values, + error,

cut off at what can be had, and both matrix games are solved. Player 0 plays its equilibrium strategy of `lower`, player
1 its own of `upper`, and the difference of the two values at the start bounds the duality gap. The gap vanishes with
the number of episodes n like sqrt(C / n), C the unilateral concentrability of the data (`_coverage`): an equilibrium
must be covered together with all that one player alone can do against it. Covering the equilibrium alone does not do.

The errors are Hoeffding's (`_counts`), with the paper's Bernstein variant left out, and one dataset serves all steps,
where the proof gives each step its own part. Without a horizon the same backups are repeated to their fixed point, as
in Yan, Li, Chen and Fan (2022), "Model-based reinforcement learning is minimax-optimal for offline zero-sum Markov
games". Cost: 2 matrix games for each point, times the iterations without a horizon.
"""

from __future__ import annotations

import numpy as np

from eqenvs.arrays import Float64Array, joint_play
from eqenvs.errors import UnsupportedGame
from eqsolvers.markov._matrix_games import MatrixGames, Solved
from eqsolvers.markov.offline._counts import Counts
from eqsolvers.markov.offline._dataset import Dataset
from eqsolvers.markov.offline._result import OfflineResult

METHOD = "pessimistic-nash-value-iteration"
SETTLED = 1e-10  # change of a value, over their range, at which iteration without a horizon ends


def pessimistic_nash(dataset: Dataset, *, delta: float = 0.05, error_scale: float = 1.0) -> OfflineResult:
    """An approximate equilibrium of a two-player zero-sum game.

    Args:
        dataset: of the game.
        delta: probability with which the bounds may fail.
        error_scale: factor on the errors; below 1 the policies are less cautious and the bounds no bounds.

    Raises:
        UnsupportedGame: if the game has not two players, or a step's rewards do not add up to 0.
    """
    require_zero_sum(dataset, METHOD)
    counts = Counts(dataset)
    off, left = counts.first_error(delta)
    low, lower = _half(counts, -1, left, error_scale)
    high, upper = _half(counts, +1, left, error_scale)
    lowest, highest = counts.at_start(counts.first @ low, counts.first @ high, off * error_scale)
    least, most = float(lowest[0]), float(highest[0])
    tables = (lower, upper)
    return OfflineResult(
        tables=tables,
        joint=joint_play(tables),
        lower=np.array([least, -most]),
        upper=np.array([most, -least]),
        gap_bound=most - least,  # the pair's own value is in between, so that the gains share the difference
        method=METHOD,
    )


def require_zero_sum(dataset: Dataset, method: str) -> None:
    """Refuse data of other games.

    Raises:
        UnsupportedGame: see `pessimistic_nash`.
    """
    if len(dataset.frame.actions) != 2:
        raise UnsupportedGame(f"{method}: covers two-player zero-sum games, the data have {len(dataset.frame.actions)}")
    if np.abs(dataset.reward.sum(axis=1)).max() > 1e-9 * max(1.0, float(np.abs(dataset.reward).max())):
        raise UnsupportedGame(f"{method}: covers zero-sum games, the rewards of a step in the data do not add up to 0")


def _half(counts: Counts, side: int, delta: float, scale: float) -> tuple[Float64Array, Float64Array]:
    """Player 0's values [I] and one player's policy: with errors taken off and its own, or added and the other's."""
    frame = counts.frame
    legal = frame.legal
    games = MatrixGames(legal[0], legal[1])
    values = np.zeros((2, counts.points))
    table = np.zeros((counts.points, frame.actions[0 if side < 0 else 1]))
    start = counts.low if side < 0 else counts.high
    if frame.horizon is None:
        values[0] = start[0]
    while True:
        change = 0.0
        for part in counts.steps():
            solved = _solved(counts, games, values, part, side, delta, scale)
            table[part] = solved.rows if side < 0 else solved.columns
            change = max(change, float(np.abs(solved.values - values[0, part]).max()))
            values[0, part] = solved.values
        if frame.horizon is not None or change <= SETTLED * float((counts.high - counts.low).max()):
            return values[0], table


def _solved(
    counts: Counts, games: MatrixGames, values: Float64Array, part: slice, side: int, delta: float, scale: float
) -> Solved:
    """The matrix games of some points."""
    low, high = counts.low[0, part, None], counts.high[0, part, None]
    payoffs = counts.backup(values, part)[0] + side * counts.errors(delta, scale, part)[0]
    payoffs = np.where(counts.seen[part], np.clip(payoffs, low, high), low if side < 0 else high)
    return games.solve(counts.shaped(payoffs))
