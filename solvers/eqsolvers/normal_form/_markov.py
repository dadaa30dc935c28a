"""Stationary distributions of finite Markov chains, exact to rounding however far the rates are apart.

State reduction (Grassmann, Taksar and Heyman 1985, "Regenerative analysis and steady state distributions for Markov
chains", Operations Research 33) removes one state after the other and subtracts nothing, so that every probability
comes out to a relative error of about the rounding unit times the number of states (O'Cinneide 1993, Numer. Math. 65).
Done on logarithms, rates such as e^-5000 cost no accuracy, where an eigenvalue solver sees a disconnected chain. Cost:
n^3 / 3 additions, n^2 memory.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse
from scipy.sparse import csgraph
from scipy.sparse.linalg import gmres, splu

from eqenvs.arrays import Float64Array, IntArray
from eqsolvers.kernels import compiled, inlined

DIRECT = 500  # states up to which linear equations are factorised at once
UNEXPLAINED = 1e-13
NEGLIGIBLE = -38.0  # log of what does not change a sum of two float64 numbers

# Additions of less than the least float64, e^-708, are lost to `_reduce_mild`. Rates are at least r times the largest,
# so that no state has less than r^hops times the probability of another, and what is lost is below e^-708 / r^(hops +
# 1) of any flow: e^-58 and less where r^(hops + 1) is at least this.
MILD = 650.0


@inlined
def _add(larger: float, smaller: float) -> float:
    """The logarithm of the sum of two numbers given by theirs."""
    if smaller > larger:
        larger, smaller = smaller, larger
    gap = smaller - larger
    # -inf - -inf is not a number, and no gap at all to this comparison.
    return larger + np.log1p(np.exp(gap)) if gap > NEGLIGIBLE else larger


@compiled
def _reduce(log_rates: Any) -> Any:
    """State reduction in place; the log of the unnormalised stationary distribution [n]."""
    n = len(log_rates)
    for k in range(n - 1, 0, -1):
        out = -np.inf
        for j in range(k):
            out = _add(out, log_rates[k, j])
        for i in range(k):
            into = log_rates[i, k] - out
            log_rates[i, k] = into
            if into > -np.inf:
                for j in range(k):
                    log_rates[i, j] = _add(log_rates[i, j], into + log_rates[k, j])
    found = np.full(n, -np.inf)
    found[0] = 0.0
    for k in range(1, n):
        for i in range(k):
            found[k] = _add(found[k], found[i] + log_rates[i, k])
    return found


@compiled
def _reduce_mild(rates: Any) -> Any:
    """`_reduce` on the rates themselves: a tenth of the time, for rates whose products do not underflow."""
    n = len(rates)
    for k in range(n - 1, 0, -1):
        out = 0.0
        for j in range(k):
            out += rates[k, j]
        for i in range(k):
            into = rates[i, k] / out
            rates[i, k] = into
            for j in range(k):
                rates[i, j] += into * rates[k, j]
    found = np.zeros(n)
    found[0] = 1.0
    for k in range(1, n):
        for i in range(k):
            found[k] += found[i] * rates[i, k]
    return found


def stationary_of_log_rates(log_rates: Float64Array, hops: int) -> Float64Array:
    """The stationary distribution [n] of an irreducible chain.

    Args:
        log_rates: [n, n], logarithms of the rates or probabilities of moving from row to column; -inf where none, and
            anything on the diagonal. The rates may have any common factor. From every state but the first some state
            before it must be in direct reach.
        hops: steps in which any state can be reached from any other.
    """
    logs = np.array(log_rates, dtype=np.float64)
    np.fill_diagonal(logs, -np.inf)
    present = logs[logs > -np.inf]
    if not len(present):
        return np.ones(1)  # irreducible, so the only state
    if np.ptp(present) * (hops + 1) < MILD:
        probability = _reduce_mild(np.exp(logs - present.max()))
    else:
        log_probability = _reduce(logs)
        probability = np.exp(log_probability - log_probability.max())
    found: Float64Array = probability / probability.sum()
    return found


def warm_up() -> None:
    """Compile the kernels, or load them from the cache."""
    _reduce(np.zeros((1, 1)))
    _reduce_mild(np.zeros((1, 1)))


def _visits(stay: Any, start: Float64Array) -> Float64Array:
    """The expected visits y = start + stay^T y to each state [n] of a walk that leaves these states for good some time.

    An error of residual r in y is what a walk started from r would add: the probabilities of where the walk ends are
    wrong by |r| at most, which is below `UNEXPLAINED` of the start, or rounding.

    Args:
        stay: CSR [n, n], the probabilities of moving.
        start: [n], where the walk starts.
    """
    equations = sparse.csc_array(sparse.eye_array(len(start)) - stay.T)
    if len(start) > DIRECT:
        # A factorisation fills in on large components, on which walks mix fast, so that Krylov's space is soon enough.
        found, _ = gmres(equations, start, rtol=1e-15, restart=100, maxiter=3)
        rounding = np.finfo(np.float64).eps * np.abs(found).sum()
        if np.abs(equations @ found - start).sum() <= UNEXPLAINED * start.sum() + rounding:
            krylov: Float64Array = found
            return krylov
    solved: Float64Array = splu(equations).solve(start)
    return solved


def stationary_of_sparse(chain: Any) -> Float64Array:
    """The stationary distribution [n] of an irreducible chain whose probabilities are of the same order.

    Only as exact as the chain is well connected: an error of `_visits` counts as often as a walk from there takes steps
    to a state that many lead to.

    Args:
        chain: CSR [n, n], rows sum to 1.
    """
    n = chain.shape[0]
    if n == 1:
        return np.ones(1)
    # Each state's share of the time between two visits to one of them, which is short for a state that many lead to.
    hub = int(np.argmax(chain.sum(axis=0)))
    others = np.flatnonzero(np.arange(n) != hub)
    weights = np.ones(n)
    rows = sparse.csr_array(chain)
    weights[others] = np.maximum(_visits(rows[others][:, others], rows[[hub]][:, others].toarray().ravel()), 0.0)
    found: Float64Array = weights / weights.sum()
    return found


def sinks_of(graph: Any) -> list[IntArray]:
    """The strongly connected components that no edge leaves, each as sorted nodes, in the order of their first nodes.

    Tarjan (1972) by scipy. Cost: O(edges).

    Args:
        graph: CSR [n, n]; an edge is a stored entry other than 0.
    """
    count, label = csgraph.connected_components(graph, directed=True, connection="strong")
    edges = graph.tocoo()
    left = np.zeros(count, dtype=bool)
    left[label[edges.row[label[edges.row] != label[edges.col]]]] = True
    order = np.argsort(label, kind="stable")
    groups = np.split(order, np.flatnonzero(np.diff(label[order])) + 1)
    return sorted((group for group in groups if not left[label[group[0]]]), key=lambda group: int(group[0]))


def absorbed(chain: Any, sinks: list[IntArray], prior: Float64Array) -> Float64Array:
    """The probability [sinks] with which a walk ends in each of the sinks.

    Args:
        chain: CSR [n, n], the probabilities of moving; rows inside a sink are not read.
        sinks: disjoint sets of nodes, some of which every walk reaches.
        prior: [n], where the walk starts.
    """
    if len(sinks) == 1:
        return np.ones(1)
    of = np.full(chain.shape[0], -1)
    for number, nodes in enumerate(sinks):
        of[nodes] = number
    transient = np.flatnonzero(of < 0)
    mass = np.bincount(of[of >= 0], weights=prior[of >= 0], minlength=len(sinks))
    if len(transient) and prior[transient].any():
        rows = sparse.csr_array(chain)[transient]
        visits = _visits(rows[:, transient], prior[transient])
        flow = rows.T @ visits
        mass += np.bincount(of[of >= 0], weights=flow[of >= 0], minlength=len(sinks))
    found: Float64Array = mass / mass.sum()
    return found
