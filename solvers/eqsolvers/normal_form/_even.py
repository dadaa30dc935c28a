"""The most even distributions among the (epsilon-)equilibria: of greatest Gini impurity or entropy.

By Newton's method on the dual (`_even_dual`), which can start from the prices of a similar game; where it does not end
within `STEPS`, by an interior-point method (`_conic`), whose prices a few more Newton steps then make exact.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from eqenvs.arrays import Float64Array, IntArray
from eqenvs.models.normal_form import NormalFormModel
from eqsolvers.normal_form import _conic
from eqsolvers.normal_form._epsilon import Epsilon, first_solved, loosened
from eqsolvers.normal_form._even_dual import Ascent, ascend, judged

# Newton steps before the interior-point method is asked. Impurity takes five of random games and up to 15 of those of
# joint PSRO, or far too many; entropy up to 50, where an unused profile's share falls by a factor of e a step.
STEPS = {False: 15, True: 60}
MORE_STEPS = 5  # from the interior-point method's prices


@dataclass(frozen=True)
class EvenDevice:
    """The most even (epsilon-)equilibrium, and how far from it what was found is.

    Attributes:
        device: [A_0, ..., A_{N-1}] float64, the distribution over the profiles.
        epsilon: what a deviation may gain, in payoff.
        violation: the largest excess of a gain over epsilon, in payoff, at least 0.
        gap: the duality gap in impurity or entropy: how much more even another distribution could be at most.
        iterations: of all methods.
        prices: per player, by how much impurity or entropy rises for each payoff that its deviation may gain more:
            [A_p] with "cce", [A_p (deviation), A_p (recommendation)] with "ce".
    """

    device: Float64Array
    epsilon: float
    violation: float
    gap: float
    iterations: int
    prices: tuple[Float64Array, ...]


def even_device(
    model: NormalFormModel,
    concept: str,
    epsilon: Epsilon,
    *,
    entropy: bool,
    start: Sequence[Float64Array] | None = None,
) -> EvenDevice:
    """The most even (epsilon-)equilibrium.

    Args:
        model: the game.
        concept: "ce" or "cce".
        epsilon: by how much deviations may gain.
        entropy: Shannon's entropy `-sum x log x` instead of the Gini impurity `1 - x.x`.
        start: prices of a similar game, whose players may have had fewer actions or more.

    Raises:
        ConicProgramError: if the programme could not be solved.
        GameTooLargeError: if it is too large.
        LinearProgramError: if the least epsilon could not be found.
    """
    programme = loosened(model, concept, epsilon)
    matrix, units, deviations = programme.matrix, programme.units, programme.deviations
    first = None if start is None else _of_rows(start, model.num_actions, deviations) * units
    (found, bound), allowed = first_solved(
        lambda gains: (_most_even(matrix, gains, entropy=entropy, start=first), gains), programme.allowed
    )
    excess = (matrix @ found.distribution - bound) * units
    return EvenDevice(
        device=found.distribution.reshape(model.num_actions),
        epsilon=allowed,
        violation=max(0.0, float(excess.max(initial=0.0))),
        gap=found.gap,
        iterations=found.iterations,
        prices=_of_players(found.prices / units, model.num_actions, deviations),
    )


def _most_even(matrix: Any, bound: Float64Array, *, entropy: bool, start: Float64Array | None) -> Ascent:
    """The best distribution by either method."""
    found = ascend(matrix, bound, entropy=entropy, most=STEPS[entropy], start=start)
    if found.found:
        return found
    distribution, prices, iterations = _conic.most_even(matrix, bound, entropy=entropy)
    more = ascend(matrix, bound, entropy=entropy, most=MORE_STEPS, start=prices)
    iterations += found.iterations + more.iterations
    violation, gap = judged(matrix, bound, distribution, prices, entropy=entropy)
    if more.found or max(more.violation, more.gap) < max(violation, gap):
        return replace(more, iterations=iterations)
    return Ascent(distribution, prices, violation, gap, iterations, found=False)


def _of_players(prices: Float64Array, num_actions: Sequence[int], deviations: IntArray) -> tuple[Float64Array, ...]:
    """Prices of rows as arrays of deviations; 0 for those that never pay."""
    found = []
    for player, actions in enumerate(num_actions):
        own = deviations[:, 0] == player
        table = np.zeros((actions,) * (deviations.shape[1] - 1))
        table[tuple(deviations[own, 1:].T)] = prices[own]
        found.append(table)
    return tuple(found)


def _of_rows(tables: Sequence[Float64Array], num_actions: Sequence[int], deviations: IntArray) -> Float64Array:
    """`_of_players` undone, for players that may have other numbers of actions by now."""
    prices = np.zeros(len(deviations))
    for player, (table, actions) in enumerate(zip(tables, num_actions, strict=True)):
        fitted = np.zeros((actions,) * table.ndim)
        common = tuple(slice(0, min(actions, size)) for size in table.shape)
        fitted[common] = table[common]
        own = deviations[:, 0] == player
        prices[own] = fitted[tuple(deviations[own, 1:].T)]
    return prices
