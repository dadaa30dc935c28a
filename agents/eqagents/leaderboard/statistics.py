"""Comparing several entries over several tasks: intervals, ranks, the Friedman test and the Nemenyi test.

Demšar (2006), "Statistical comparisons of classifiers over multiple data sets", JMLR 7, 1-30, section 3.2.2: with R_j
the average ranks of k entries on N tasks,

    chi2_F = 12 N / (k (k + 1)) * (sum_j R_j^2 - k (k + 1)^2 / 4),      about chi2 with k - 1 degrees of freedom,
    F_F = (N - 1) chi2_F / (N (k - 1) - chi2_F),                        about F with k - 1 and (k - 1)(N - 1),
    CD = q_alpha sqrt(k (k + 1) / (6 N)),

F_F by Iman and Davenport (1980), and q_alpha the quantile of the Studentized range of k means, with infinitely many
degrees of freedom, divided by sqrt 2. Two entries differ where their average ranks are CD or more apart. Equal values
share the mean of their ranks, without a correction for ties: with many the tests say less than they might.

By Agarwal, Schwarzer, Castro, Courville and Bellemare (2021), "Deep reinforcement learning at the edge of the
statistical precipice", NeurIPS: the interquartile mean, of the middle half of all runs of all tasks, which outliers do
not move as they move a mean; and the probability of improvement, how often a run of one entry is better than a run of
another one on the same task, ties counting half, averaged over tasks.

Lower is better everywhere.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats

from eqagents.intervals import mean_and_half_width
from eqenvs.arrays import Float64Array

ALPHA = 0.05  # of tests


class Friedman(NamedTuple):
    """Whether all entries are alike.

    Attributes:
        chi2: Friedman's statistic.
        chi2_p: its probability where they are.
        f: Iman and Davenport's; infinite where all tasks rank alike.
        f_p: its probability where they are.
    """

    chi2: float
    chi2_p: float
    f: float
    f_p: float


def half_width(values: Sequence[float]) -> float | None:
    """Of the interval of a mean by Student's t; None from a single value.

    >>> round(half_width([1.0, 2.0, 3.0]), 4)  # 4.3027 / sqrt 3
    2.4841
    """
    return None if len(values) < 2 else float(mean_and_half_width(values)[1])


def ranks(scores: Float64Array) -> Float64Array:
    """Ranks [N, k] of the scores [N, k] on each task, from 1, the lowest; equal ones share the mean of theirs.

    >>> ranks(np.array([[0.5, 0.1, 0.5]])).tolist()
    [[2.5, 1.0, 2.5]]
    """
    found: Float64Array = stats.rankdata(scores, axis=1)
    return found


def friedman(average_ranks: Sequence[float], num_tasks: int) -> Friedman:
    """The tests of the module's first two equations.

    Args:
        average_ranks: of k >= 2 entries.
        num_tasks: N >= 2.
    """
    r, n, k = np.asarray(average_ranks, dtype=np.float64), num_tasks, len(average_ranks)
    chi2 = max(0.0, 12 * n / (k * (k + 1)) * (float((r**2).sum()) - k * (k + 1) ** 2 / 4))
    left = n * (k - 1) - chi2
    f = (n - 1) * chi2 / left if left > 1e-9 * n * k else math.inf
    return Friedman(chi2, float(stats.chi2.sf(chi2, k - 1)), f, float(stats.f.sf(f, k - 1, (k - 1) * (n - 1))))


def critical_difference(num_entries: int, num_tasks: int, alpha: float = ALPHA) -> float:
    """The module's third equation.

    >>> round(critical_difference(4, 14), 2), round(critical_difference(4, 14, 0.1), 2)  # Demšar, page 14
    (1.25, 1.12)
    """
    q = float(stats.studentized_range.isf(alpha, num_entries, np.inf)) / math.sqrt(2)
    return q * math.sqrt(num_entries * (num_entries + 1) / (6 * num_tasks))


def alike(average_ranks: Sequence[float], difference: float) -> list[list[int]]:
    """The largest groups of two or more entries, best first, whose average ranks are all within less than CD.

    >>> alike([1.0, 1.5, 2.2, 3.9], 1.3)
    [[0, 1, 2]]
    >>> alike([1.0, 2.0, 3.0], 1.5)
    [[0, 1], [1, 2]]
    """
    order = sorted(range(len(average_ranks)), key=lambda j: average_ranks[j])
    groups: list[list[int]] = []
    reached = 0
    for first, entry in enumerate(order):
        inside = [j for j in order[first:] if average_ranks[j] - average_ranks[entry] < difference]
        if first + len(inside) > reached and len(inside) > 1:
            groups.append(inside)
        reached = max(reached, first + len(inside))
    return groups


def interquartile_mean(values: Float64Array) -> float:
    """The mean without the lowest and the highest quarter of the values, rounded down.

    >>> interquartile_mean(np.array([0.0, 1.0, 2.0, 100.0]))
    1.5
    """
    return float(stats.trim_mean(values, 0.25))


def wins(scores: Float64Array) -> Float64Array:
    """[k, k]: on how many tasks the row's score is lower than the column's, ties counting half; scores [N, k].

    >>> wins(np.array([[0.1, 0.2], [0.3, 0.3]])).tolist()
    [[0.0, 1.5], [0.5, 0.0]]
    """
    row, column = scores[:, :, None], scores[:, None, :]
    found: Float64Array = ((row < column) + 0.5 * (row == column)).sum(axis=0)
    np.fill_diagonal(found, 0.0)
    return found


def improvement(runs: Sequence[Sequence[Float64Array]]) -> Float64Array:
    """[k, k]: the probability that a run of the row is better than one of the column; 1/2 on the diagonal.

    Args:
        runs: the scores of the runs of each entry, on each task: `runs[task][entry]`.
    """
    per_task = [
        [[float(((a[:, None] < b) + 0.5 * (a[:, None] == b)).mean()) for b in entries] for a in entries]
        for entries in runs
    ]
    found: Float64Array = np.asarray(per_task, dtype=np.float64).mean(axis=0)
    np.fill_diagonal(found, 0.5)
    return found
