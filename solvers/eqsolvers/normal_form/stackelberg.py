"""The best mixed strategy to commit to: strong Stackelberg equilibrium of a two-player game.

The leader announces a mixed strategy x, the follower answers with a best pure action, in the leader's favour where it
has several. For each action j of the follower one linear programme finds the x that pays the leader most among those to
which j is a best response; the best of these is the answer.

    maximise  x . L[:, j]   subject to   x . (F[:, j] - F[:, k]) >= 0  for all k,  x in the simplex,

L and F the leader's and the follower's payoffs. Conitzer and Sandholm (2006), "Computing the optimal strategy to commit
to", EC; von Stengel and Zamir (2010), "Leadership games with convex strategy sets", Games and Economic Behavior 69: the
leader never gets less than in any Nash or correlated equilibrium.

The residual, in units of payoff, is what the follower could gain plus how much more than the value found the leader
could get by the programmes' duals, so that a small one proves both. Programmes without a solution, for actions that are
a best response to nothing, are told from failures by one more: the largest margin by which j can be a best response.
Cost: at most two linear programmes per action of the follower.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from eqenvs.arrays import Float64Array
from eqenvs.errors import UnsupportedGame
from eqenvs.models.normal_form import NormalFormModel
from eqenvs.policies import TabularPolicy
from eqenvs.spec import Family, Parameter
from eqsolvers.highs import LinearProgramError, minimise
from eqsolvers.normal_form._scales import payoff_ranges
from eqsolvers.result import SolverResult, SolverSpec, Status, failed, two_players

NEVER_BEST = 1e-9  # payoffs in [0, 1]: an action worse than the best by more than this everywhere is not tried


def best_commitment(
    leader: Float64Array, follower: Float64Array, action: int
) -> tuple[Float64Array, float, int] | None:
    """The leader's best strategy among those to which an action of the follower is a best response.

    Args:
        leader: [A, B] float64, the leader's payoffs by its own and the follower's action, in about [0, 1].
        follower: [A, B] float64, the follower's.
        action: j of the module.

    Returns:
        The strategy [A], an upper bound on what such strategies pay, and the simplex iterations; or None where there is
        no such strategy.

    Raises:
        LinearProgramError: if the programme could not be solved, with HiGHS's message.
    """
    rows = len(leader)
    ahead = follower[:, [action]] - follower  # [A, B]
    try:
        found = minimise(
            -leader[:, action],
            a_ub=-ahead.T,
            b_ub=np.zeros(ahead.shape[1]),
            a_eq=np.ones((1, rows)),
            b_eq=np.ones(1),
            bounds=[(0, None)] * rows,
        )
    except LinearProgramError:
        if _margin(ahead) < -NEVER_BEST:
            return None
        raise
    strategy = np.maximum(found.x, 0.0)
    # Weak duality: with multipliers q >= 0, x . L_j <= max over actions of (L_j + ahead q).
    bound = float((leader[:, action] + ahead @ np.maximum(found.inequality_duals, 0.0)).max())
    return strategy / strategy.sum(), bound, found.iterations


def _margin(ahead: Float64Array) -> float:
    """The largest t with x . ahead >= t for some distribution x; below 0 iff the action is never a best response."""
    rows, columns = ahead.shape
    found = minimise(
        np.append(np.zeros(rows), -1.0),
        a_ub=np.hstack([-ahead.T, np.ones((columns, 1))]),
        b_ub=np.zeros(columns),
        a_eq=np.append(np.ones(rows), 0.0)[None],
        b_eq=np.ones(1),
        bounds=[(0, None)] * rows + [(None, None)],
    )
    return float(found.x[-1])


def solve(
    model: NormalFormModel, *, tolerance: float = 1e-9, settings: Mapping[str, Any] | None = None
) -> SolverResult:
    """The strong Stackelberg equilibrium.

    Args:
        model: the game.
        tolerance: the residual, in payoff units, up to which the result counts as converged.
        settings: `leader`, 0 or 1.

    Raises:
        UnsupportedGame: if there are not two players.

    >>> result = solve(NormalFormModel([[[2, 4], [1, 3]], [[1, 0], [0, 1]]]))  # Conitzer and Sandholm's example
    >>> [float(round(p, 9)) for p in result.policy.tables[0][0]], result.detail["follower_action"]
    ([0.5, 0.5], 1)
    """
    if model.num_players != 2:
        raise UnsupportedGame(f"stackelberg: covers two-player games only, got {model.num_players} players")
    first = SOLVER.resolve(settings or {})["leader"]
    units = payoff_ranges(model)
    lows = model.payoffs.reshape(2, -1).min(axis=1)
    scaled = [(model.payoffs[p] - lows[p]) / units[p] for p in (first, 1 - first)]
    leader, follower = (matrix.T for matrix in scaled) if first == 1 else scaled
    best: tuple[float, Float64Array, int] | None = None
    bound, iterations = -np.inf, 0
    try:
        for action in range(leader.shape[1]):
            found = best_commitment(leader, follower, action)
            if found is None:
                continue
            strategy, at_most, made = found
            bound, iterations = max(bound, at_most), iterations + made
            value = float(strategy @ leader[:, action])
            if best is None or value > best[0]:
                best = value, strategy, action
    except LinearProgramError as error:
        return failed(model, "stackelberg", str(error))
    assert best is not None  # the best response to any strategy has one
    value, strategy, action = best
    answers = strategy @ follower
    regret = float(answers.max() - answers[action]) * units[1 - first]
    residual = float(regret + max(0.0, bound - value) * units[first])
    tables = [strategy, np.eye(leader.shape[1])[action]]
    return SolverResult(
        policy=TabularPolicy(model, tables[::-1] if first == 1 else tables),
        status=Status.CONVERGED if residual <= tolerance else Status.INACCURATE,
        residual=residual,
        iterations=iterations,
        method="stackelberg",
        detail={
            "leader": first,
            "leader_value": float(value * units[first] + lows[first]),
            "follower_action": action,
            "follower_value": float(answers[action] * units[1 - first] + lows[1 - first]),
        },
    )


SOLVER = SolverSpec(
    id="stackelberg",
    concepts=("stackelberg",),
    family=Family.NORMAL_FORM,
    solve=solve,
    covers=two_players,
    parameters=(Parameter(name="leader", default=0, low=0, high=1, description="the player who commits"),),
    source="Conitzer and Sandholm (2006), EC",
)
