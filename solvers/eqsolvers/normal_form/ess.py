"""All evolutionarily stable strategies of a symmetric two-player game, in exact arithmetic.

A strategy x is evolutionarily stable iff it is a best response to itself and earns more against every other best
response y than y earns against itself: x . A y > y . A y. With B the pure best responses to x and S its support this is
a condition on a matrix. For z = y - x, whose entries sum to 0 and are at least 0 on B - S, z . A z must be negative; z
written without one action k of S gives the matrix

    Q_ij = -(q_ij + q_ji),  q_ij = a_ij - a_kj - a_ik + a_kk,  i, j in B - {k},

which must be positive definite on S - {k}, and the Schur complement on B - S must be strictly copositive. Haigh (1975),
"Game theory and evolution", Advances in Applied Probability 7; Abakuks (1980), "Conditions for evolutionarily stable
strategies", Journal of Applied Probability 17. A form that is not positive somewhere on the simplex has its minimum in
the interior of a face where it is the only one, so that solving for it in all faces decides strict copositivity.

All supports are tried, by size, but those that Bishop and Cannings (1976), "Models of animal conflict", Advances in
Applied Probability 8, rule out: of two stable strategies neither has its support among the other's best responses.
Numbers are fractions, which float64 payoffs are exactly, so that ties are decided as they stand in the payoffs, and so
is that a game has none: the result has then the status `none_exists`. Cost: O(2^A A^3) operations on
fractions, and 2^|B - S| for each candidate; more than `LARGEST` actions are refused.

The strategies come as symmetric profiles; `policy` is the first, and the residual its NashConv in float64.
"""

from __future__ import annotations

from fractions import Fraction
from itertools import combinations

import numpy as np

from eqenvs.errors import GameTooLargeError, UnsupportedGame
from eqenvs.models.normal_form import NormalFormModel
from eqenvs.policies import TabularPolicy
from eqenvs.spec import Family
from eqsolvers.result import SolverResult, SolverSpec, finished, none_exists, two_players

LARGEST = 12  # actions
Matrix = list[list[Fraction]]
Vector = list[Fraction]


def solve_exactly(matrix: Matrix, right: Vector) -> Vector | None:
    """The solution of a square linear system, by Gauss's elimination; None where the matrix is singular."""
    size = len(matrix)
    rows = [[*row, value] for row, value in zip(matrix, right, strict=True)]
    for column in range(size):
        pivot = next((r for r in range(column, size) if rows[r][column] != 0), None)
        if pivot is None:
            return None
        rows[column], rows[pivot] = rows[pivot], rows[column]
        head = rows[column]
        for r in range(size):
            if r != column and rows[r][column] != 0:
                factor = rows[r][column] / head[column]
                rows[r] = [a - factor * b for a, b in zip(rows[r], head, strict=True)]
    return [rows[r][size] / rows[r][r] for r in range(size)]


def equalising(matrix: Matrix, support: tuple[int, ...]) -> tuple[Vector, Fraction] | None:
    """The one distribution on a support that makes all its actions earn the same, and what they earn.

    None where there is none or more than one. Its weights may be negative.
    """
    rows = [[matrix[i][j] for j in support] + [Fraction(-1)] for i in support]
    rows.append([Fraction(1)] * len(support) + [Fraction(0)])
    found = solve_exactly(rows, [Fraction(0)] * len(support) + [Fraction(1)])
    return None if found is None else (found[:-1], found[-1])


def strictly_copositive(matrix: Matrix) -> bool:
    """Whether y . M y > 0 for all y >= 0 but 0, M symmetric."""
    size = len(matrix)
    for count in range(1, size + 1):
        for face in combinations(range(size), count):
            found = equalising(matrix, face)
            if found is not None and found[1] <= 0 and all(weight > 0 for weight in found[0]):
                return False
    return True


def eliminate_definite(matrix: Matrix, count: int) -> Matrix | None:
    """The Schur complement of the first `count` rows and columns of a symmetric matrix.

    None where that block is not positive definite, as pivots that are all positive say.
    """
    rest = [row[:] for row in matrix]
    for _ in range(count):
        head = rest[0]
        if head[0] <= 0:
            return None
        rest = [[a - row[0] * b / head[0] for a, b in zip(row[1:], head[1:], strict=True)] for row in rest[1:]]
    return rest


def stable(matrix: Matrix, support: tuple[int, ...], best: tuple[int, ...]) -> bool:
    """Whether an equilibrium with a support and pure best responses is evolutionarily stable, as in the module."""
    k, *inner = support
    free = [*inner, *(a for a in best if a not in support)]

    def q(i: int, j: int) -> Fraction:
        return matrix[i][j] - matrix[k][j] - matrix[i][k] + matrix[k][k]

    rest = eliminate_definite([[-(q(i, j) + q(j, i)) for j in free] for i in free], len(inner))
    return rest is not None and strictly_copositive(rest)


def stable_strategies(matrix: Matrix) -> tuple[list[Vector], int]:
    """All evolutionarily stable strategies for payoffs [A, A] to the first player, and how many supports were tried."""
    size = len(matrix)
    found: list[tuple[set[int], set[int]]] = []
    strategies: list[Vector] = []
    tried = 0
    for count in range(1, size + 1):
        for support in combinations(range(size), count):
            if any(own <= set(support) or set(support) <= best for own, best in found):
                continue
            tried += 1
            solution = equalising(matrix, support)
            if solution is None or any(weight <= 0 for weight in solution[0]):
                continue
            weights, value = solution
            earned = [sum((row[j] * w for j, w in zip(support, weights, strict=True)), Fraction(0)) for row in matrix]
            best = tuple(a for a in range(size) if earned[a] == value)
            if max(earned) > value or not stable(matrix, support, best):
                continue
            found.append((set(support), set(best)))
            full = [Fraction(0)] * size
            for action, weight in zip(support, weights, strict=True):
                full[action] = weight
            strategies.append(full)
    return strategies, tried


def solve(model: NormalFormModel, *, tolerance: float = 1e-9) -> SolverResult:
    """All evolutionarily stable strategies, as symmetric profiles.

    Args:
        model: the game.
        tolerance: NashConv of the first one, in payoff units, up to which the result counts as converged.

    Raises:
        UnsupportedGame: if the game is not a symmetric one of two players, payoffs[1] the transpose of payoffs[0].
        GameTooLargeError: if there are more than `LARGEST` actions.

    >>> hawk_dove = solve(NormalFormModel([[[-1, 4], [0, 2]], [[-1, 0], [4, 2]]]))
    >>> [float(round(p, 9)) for p in hawk_dove.policy.tables[0][0]]
    [0.666666667, 0.333333333]
    """
    payoffs = model.payoffs
    symmetric = model.num_players == 2 and payoffs.shape[1] == payoffs.shape[2]
    if not symmetric or not np.array_equal(payoffs[0], payoffs[1].T):
        raise UnsupportedGame("ess: covers symmetric two-player games only, payoffs[1] the transpose of payoffs[0]")
    if payoffs.shape[1] > LARGEST:
        raise GameTooLargeError(f"ess: tries all supports, of at most {LARGEST} actions; got {payoffs.shape[1]}")
    strategies, tried = stable_strategies([[Fraction(float(entry)) for entry in row] for row in payoffs[0]])
    if not strategies:
        message = "the game has no evolutionarily stable strategy: none of its supports has one"
        return none_exists(model, "ess", message, iterations=tried)
    profiles = tuple(TabularPolicy(model, [[float(w) for w in x]] * 2) for x in strategies)
    exact = [[str(weight) for weight in strategy] for strategy in strategies]
    return finished(
        model,
        profiles[0],
        "ess",
        iterations=tried,
        tolerance=tolerance,
        equilibria=profiles,
        detail={"strategies": exact},
    )


SOLVER = SolverSpec(
    id="ess",
    concepts=("ess",),
    family=Family.NORMAL_FORM,
    solve=solve,
    covers=two_players,
    source="Haigh (1975); Abakuks (1980), Journal of Applied Probability; Bishop and Cannings (1976)",
)
