"""Dilated regularisers of a treeplex: their weights, their prox steps and the loop of mirror descent with them.

With p_j the plan's entry at the sequence above information set j, y_j the behaviour there and phi strongly convex on
the simplex, the dilated regulariser d(x) = sum_j beta_j p_j phi(y_j) has the Bregman divergence
D(x, z) = sum_j beta_j p_j(x) D_phi(y_j(x), y_j(z)), so that

    prox(z, g) = argmax_x <g, x> - D(x, z) / eta

falls apart: bottom-up, each information set solves its own problem with the values of those below added to its
actions' gains. Hoda, Gilpin, Pena and Sandholm (2010), "Smoothing techniques for computing Nash equilibria of
sequential games", Mathematics of Operations Research 35; Farina, Kroer and Sandholm (2019), "Optimistic regret
minimization for extensive-form games via dilated distance-generating functions", NeurIPS, for both regularisers here:
phi the negative entropy (closed form) and half the squared Euclidean norm (a projection on the simplex, by Michelot
1986, at most A rounds of O(A)).

Behaviour is kept where a plan does not arrive too: there d has no gradient, and the local form is what the limit of
interior points does. Cost of a prox: O(Q), with a logarithm and exponentials for the entropy.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from eqenvs.arrays import Float64Array
from eqsolvers.extensive_form import _kernel
from eqsolvers.extensive_form._process import empty_side
from eqsolvers.extensive_form._symmetry import QuotientPlayer
from eqsolvers.kernels import compiled


class DilatedState(NamedTuple):
    """One player's numbers, written in place, [Q] each.

    The centre is where the next step is measured from: logarithms of behaviour for the entropy, else behaviour.
    """

    centre: NDArray[np.float64]
    strategy: NDArray[np.float64]
    plan: NDArray[np.float64]
    average: NDArray[np.float64]
    gradient: NDArray[np.float64]
    scratch: NDArray[np.float64]


def kroer_weights(player: QuotientPlayer) -> Float64Array:
    """The weights beta [I] of Kroer, Waugh, Kilinc-Karzan and Sandholm (2020), Mathematical Programming 179.

    alpha_j = 1 + max_a sum of beta over the information sets that follow a; beta_j = 2 alpha_j, or alpha_j where no
    own move came before. Both regularisers are then strongly convex with modulus 1 in the Euclidean norm. For half the
    squared norm, by the Hessian's form beta_j |h_j - h_p y_j|^2 / p_j >= beta_j (|h_j|^2 / 2 - h_p^2), summed.
    """
    below = np.zeros(player.num_sequences)
    beta = np.zeros(len(player.parent))
    for infoset in range(len(beta) - 1, -1, -1):
        parent = player.parent[infoset]
        alpha = 1.0 + below[player.first[infoset] : player.first[infoset + 1]].max()
        beta[infoset] = alpha if parent == 0 else 2.0 * alpha
        below[parent] += player.multiplicity[infoset] * beta[infoset]
    return beta


def unit_weights(player: QuotientPlayer) -> Float64Array:
    """All beta_j 1: Fan, Kroer and Farina (2024), "On the optimality of dilated entropy ...", NeurIPS."""
    return np.ones(len(player.parent))


@compiled
def entropy_prox(side: Any, centre: Any, gain: Any, beta: Any, eta: float, target: Any, strategy: Any) -> None:
    """The prox step of the dilated entropy as behaviour, with its logarithms in `target`; consumes the gains.

    `target` may be the same memory as `centre`.
    """
    for infoset in range(len(side.parent) - 1, -1, -1):
        start, stop = side.first[infoset], side.first[infoset + 1]
        rate = eta / beta[infoset]
        highest = -np.inf
        for q in range(start, stop):
            target[q] = centre[q] + rate * gain[q]
            highest = max(highest, target[q])
        total = 0.0
        for q in range(start, stop):
            strategy[q] = np.exp(target[q] - highest)
            total += strategy[q]
        shift = highest + np.log(total)
        for q in range(start, stop):
            strategy[q] /= total
            target[q] -= shift
        gain[side.parent[infoset]] += side.multiplicity[infoset] * shift / rate


@compiled
def euclidean_prox(side: Any, centre: Any, gain: Any, beta: Any, eta: float, strategy: Any) -> None:
    """The prox step of the dilated Euclidean regulariser as behaviour; consumes the gains.

    `strategy` must not be the same memory as `centre`.
    """
    for infoset in range(len(side.parent) - 1, -1, -1):
        start, stop = side.first[infoset], side.first[infoset + 1]
        rate = eta / beta[infoset]
        # Projection on the simplex: take the same amount off everything positive, drop what falls below 0, repeat.
        total = 0.0
        for q in range(start, stop):
            strategy[q] = centre[q] + rate * gain[q]
            total += strategy[q]
        before, support = int(stop - start) + 1, int(stop - start)
        threshold = (total - 1.0) / support
        while support < before:
            before, support, total = support, 0, 0.0
            for q in range(start, stop):
                if strategy[q] > threshold:
                    support += 1
                    total += strategy[q]
            if 0 < support < before:
                threshold = (total - 1.0) / support
        value = 0.0
        for q in range(start, stop):
            strategy[q] = max(strategy[q] - threshold, 0.0)
            value += gain[q] * strategy[q] - 0.5 / rate * (strategy[q] - centre[q]) ** 2
        gain[side.parent[infoset]] += side.multiplicity[infoset] * value


@compiled
def learn(side: Any, tables: Any, beta: Any, eta: float, weight: float, entropy: bool, optimistic: bool) -> None:
    """What a player does with its gradient, which is consumed: the average, the centre, the next behaviour and plan."""
    centre, strategy, plan, average = tables.centre, tables.strategy, tables.plan, tables.average
    gradient, scratch = tables.gradient, tables.scratch
    for q in range(len(plan)):
        average[q] += weight * plan[q]
        scratch[q] = gradient[q]
    if entropy:
        entropy_prox(side, centre, gradient, beta, eta, centre, strategy)
        if optimistic:
            entropy_prox(side, centre, scratch, beta, eta, gradient, strategy)
    else:
        euclidean_prox(side, centre, gradient, beta, eta, strategy)
        centre[:] = strategy
        if optimistic:
            euclidean_prox(side, centre, scratch, beta, eta, strategy)
    for infoset in range(len(side.parent)):
        reach = plan[side.parent[infoset]]
        for q in range(side.first[infoset], side.first[infoset + 1]):
            plan[q] = reach * strategy[q]


@compiled
def iterate(
    sides: Any,
    tables: Any,
    plans: Any,
    betas: Any,
    eta: float,
    weights: Any,
    entropy: bool,
    optimistic: bool,
    alternating: bool,
) -> None:
    """Run one iteration of two players per averaging weight; `plans[p]` is the same memory as `tables[p].plan`."""
    for t in range(len(weights)):
        _kernel.collect_from_one(sides[0], plans[1], tables[0].gradient)
        if not alternating:
            _kernel.collect_from_one(sides[1], plans[0], tables[1].gradient)
        learn(sides[0], tables[0], betas[0], eta, weights[t], entropy, optimistic)
        if alternating:
            _kernel.collect_from_one(sides[1], plans[0], tables[1].gradient)
        learn(sides[1], tables[1], betas[1], eta, weights[t], entropy, optimistic)


def warm_up() -> None:
    """Compile the loops, or load them from the cache, without running a game."""
    _kernel.warm_up(2)
    side = empty_side(2)
    tables = tuple(DilatedState(*(np.ones(2) for _ in DilatedState._fields)) for _ in range(2))
    plans = tuple(table.plan for table in tables)
    iterate((side,) * 2, tables, plans, (np.ones(1),) * 2, 1.0, np.zeros(0), True, True, True)
