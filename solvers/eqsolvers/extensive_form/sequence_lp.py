"""Nash equilibrium of a two-player constant-sum extensive-form game by the sequence-form linear programme.

Koller, Megiddo and von Stengel (1996), "Efficient computation of equilibria for extensive two-person games", Games and
Economic Behavior 14, solved by HiGHS. Size: one variable per sequence of player 0 and per information set of player 1,
one constraint per sequence of player 1 and per information set of player 0. Player 1's plan is the dual.
"""

from __future__ import annotations

import numpy as np
from scipy import sparse

from eqenvs.models.extensive_form import ExtensiveFormModel, Treeplex
from eqenvs.policies import TabularPolicy
from eqenvs.spec import Family
from eqsolvers.highs import LinearProgramError, minimise
from eqsolvers.iterative import require_two_player_zero_sum
from eqsolvers.result import SolverResult, SolverSpec, failed, finished, two_players_constant_sum


def constraint_matrix(treeplex: Treeplex) -> sparse.csr_array:
    """E of the plan constraints E x = (1, 0, ..., 0), [1 + I, Q]: what enters an information set leaves it."""
    infosets, sequences = treeplex.num_infosets, treeplex.num_sequences
    rows = np.concatenate([[0], 1 + np.arange(infosets), 1 + treeplex.sequence_infoset[1:]])
    columns = np.concatenate([[0], treeplex.parent_sequence, np.arange(1, sequences)])
    entries = np.concatenate([[1.0], np.full(infosets, -1.0), np.ones(sequences - 1)])
    return sparse.csr_array((entries, (rows, columns)), shape=(1 + infosets, sequences))


def solve(model: ExtensiveFormModel, *, tolerance: float = 1e-9) -> SolverResult:
    """A Nash equilibrium of a two-player constant-sum game.

    Args:
        model: the game.
        tolerance: NashConv, in payoff units, up to which the result counts as converged.

    Raises:
        UnsupportedGame: if the game is not two-player constant-sum.
    """
    require_two_player_zero_sum(model, "sequence-lp")
    ours, theirs = model.treeplexes
    payoff = sparse.csr_array(
        (model.payoff_values[:, 0], (model.payoff_sequences[:, 0], model.payoff_sequences[:, 1])),
        shape=(ours.num_sequences, theirs.num_sequences),
    )
    plan_of_ours, plan_of_theirs = constraint_matrix(ours), constraint_matrix(theirs)
    values = plan_of_theirs.shape[0]
    # max q_0 over (x, q)  subject to  F^T q - A^T x <= 0,  E x = e,  x >= 0:  the dual of min over y of x^T A y.
    try:
        found = minimise(
            np.concatenate([np.zeros(ours.num_sequences), [-1.0], np.zeros(values - 1)]),
            a_ub=sparse.hstack([-payoff.T, plan_of_theirs.T]).tocsr(),
            b_ub=np.zeros(theirs.num_sequences),
            a_eq=sparse.hstack([plan_of_ours, sparse.csr_array((plan_of_ours.shape[0], values))]).tocsr(),
            b_eq=np.eye(1, plan_of_ours.shape[0])[0],
            bounds=[(0, None)] * ours.num_sequences + [(None, None)] * values,
        )
    except LinearProgramError as error:
        return failed(model, "sequence-lp", str(error))
    plans = (np.maximum(found.x[: ours.num_sequences], 0.0), np.maximum(found.inequality_duals, 0.0))
    policy = TabularPolicy(model, [t.behaviour(plan) for t, plan in zip(model.treeplexes, plans, strict=True)])
    return finished(model, policy, "sequence-lp", iterations=found.iterations, tolerance=tolerance)


SOLVER = SolverSpec(
    id="sequence-lp",
    concepts=("nash",),
    family=Family.EXTENSIVE_FORM,
    solve=solve,
    preference=10,
    covers=two_players_constant_sum,
    source="Koller, Megiddo, von Stengel (1996)",
)
