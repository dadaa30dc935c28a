"""Nash averaging: agents judged by the opponents, or tasks, of a maximum entropy Nash equilibrium.

Balduzzi, Tuyls, Perolat and Graepel (2018), "Re-evaluating evaluation", NeurIPS. The meta-game of *agents against
agents* is an antisymmetric matrix A; with p its symmetric equilibrium of greatest entropy, an agent's skill is (A p)_i.
No skill is above 0, and agents that p uses have skill 0. The meta-game of *agents against tasks* is a matrix of
scores S, [agents, tasks]: one side picks agents for high scores, the other tasks for low ones; with (p, q) its
equilibrium of greatest entropy an agent's skill is (S q)_i, a task's difficulty -(p'S)_j.

**Copies.** A copy of an agent (or task) is to change nothing. Where equilibria are not unique, the one of greatest
entropy alone does not give that: with A_12 = 0, A_13 = -1, A_23 = 1 it is (1/2, 1/2, 0), and agent 3 has skill 0; with
agent 2 there twice it is (1/3, 1/3, 1/3, 0), as copies count in the entropy, and agent 3 has skill -1/3. So rows (and
columns) that are equal are merged first, and share their probability equally.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from eqenvs.arrays import Float64Array, IntArray
from eqenvs.errors import InputError
from eqenvs.models.numbers import finite_array
from eqsolvers.evaluation.max_entropy_nash import MaxEntropyNash, max_entropy_nash
from eqsolvers.result import Status


@dataclass(frozen=True, eq=False)
class NashAverage:
    """Agents against agents.

    Attributes:
        distribution: [K] float64, the equilibrium.
        skill: [K] float64, the expected payoff against it, <= 0 up to `residual`.
        status: see `MaxEntropyNash`.
        residual: the most that an agent gains over the equilibrium, in payoff units.
        message: what to know where it did not converge, else empty.
    """

    distribution: Float64Array
    skill: Float64Array
    status: Status
    residual: float
    message: str = ""


@dataclass(frozen=True, eq=False)
class TaskAverage:
    """Agents against tasks.

    Attributes:
        agents: [K] float64, the equilibrium's distribution over agents.
        tasks: [T] float64, over tasks.
        skill: [K] float64, of agents: expected score on the equilibrium's tasks.
        difficulty: [T] float64, of tasks: minus the expected score of the equilibrium's agents.
        value: the equilibrium's expected score.
        status: see `MaxEntropyNash`.
        residual: NashConv, in the scores' unit.
        message: what to know where it did not converge, else empty.
    """

    agents: Float64Array
    tasks: Float64Array
    skill: Float64Array
    difficulty: Float64Array
    value: float
    status: Status
    residual: float
    message: str = ""


def nash_average(margins: Float64Array, *, unit: float = 0.0) -> NashAverage:
    """Nash averaging of agents against agents.

    Args:
        margins: [K, K] float64, antisymmetric: what the row has over the column, such as the payoff of a zero-sum game
            or log odds of winning.
        unit: margins are rounded to multiples of it first, so that what differs by rounding alone is the same; 0: not.

    Raises:
        InputError: if the matrix is not antisymmetric up to rounding, or `unit` is negative.
        LinearProgramError: if no equilibrium could be found.

    >>> found = nash_average(np.array([[0.0, -1.0, 1.0], [1.0, 0.0, -1.0], [-1.0, 1.0, 0.0]]))
    >>> found.distribution.round(6).tolist(), bool(np.allclose(found.skill, 0))
    ([0.333333, 0.333333, 0.333333], True)
    """
    matrix = finite_array("margins", margins)
    largest = float(np.abs(matrix).max(initial=0.0))
    if matrix.ndim != 2 or matrix.shape != matrix.T.shape or matrix.size == 0:
        raise InputError(f"margins must be a square matrix, got shape {matrix.shape}")
    if np.abs(matrix + matrix.T).max() > 1e-9 * largest:
        raise InputError("margins must be antisymmetric: what one agent has over another, the other has under it")
    if unit < 0:
        raise InputError(f"unit must not be negative, got {unit}")
    if unit > 0:
        matrix = np.round(matrix / unit) * unit
    first, group, copies = _merged(matrix)
    found = max_entropy_nash(matrix[np.ix_(first, first)])
    # Both sides are the same player, up to rounding.
    distribution = ((found.row + found.column) / 2 / copies)[group]
    skill = matrix @ distribution
    return NashAverage(distribution, skill, found.status, max(0.0, float(skill.max())), found.message)


def nash_average_on_tasks(scores: Float64Array, *, normalise: bool = True) -> TaskAverage:
    """Nash averaging of agents against tasks.

    Args:
        scores: [K, T] float64, of the agent on the task; more is better.
        normalise: bring each task's scores to [0, 1] first, as the paper does; a task on which all agents score the
            same is then 0. Otherwise tasks must have scores of one unit.

    Raises:
        InputError: if there is no agent or no task.
        LinearProgramError: if no equilibrium could be found.
    """
    matrix = finite_array("scores", scores)
    if matrix.ndim != 2 or matrix.size == 0:
        raise InputError(f"scores must be a matrix of agents and tasks, got shape {matrix.shape}")
    if normalise:
        span = np.ptp(matrix, axis=0)
        matrix = (matrix - matrix.min(axis=0)) / np.where(span > 0, span, 1.0)
    first, group, copies = _merged(matrix)
    first_task, task_group, task_copies = _merged(matrix.T)
    found: MaxEntropyNash = max_entropy_nash(matrix[np.ix_(first, first_task)])
    agents, tasks = (found.row / copies)[group], (found.column / task_copies)[task_group]
    return TaskAverage(
        agents, tasks, matrix @ tasks, -(agents @ matrix), found.value, found.status, found.residual, found.message
    )


def _merged(rows: Float64Array) -> tuple[IntArray, IntArray, IntArray]:
    """Of rows that may be equal: the first of each kind, which kind each row is, and how many there are of it."""
    signless = rows + 0.0  # -0.0 is 0.0
    _, first, group, copies = np.unique(signless, axis=0, return_index=True, return_inverse=True, return_counts=True)
    return first, group.ravel(), copies
