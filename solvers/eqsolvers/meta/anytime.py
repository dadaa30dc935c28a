"""The least exploitable mixture of each population: against any policy of the whole game, not of the other population.

McAleer, Wang, Lanier, Lanctot, Baldi, Sandholm and Fox (2022), "Anytime PSRO for two-player zero-sum games", arXiv
2201.07700: a no-regret learner mixes the population and meets the best response of the whole game to its mixture, round
after round (RM-BR DO). What the mixtures guarantee never falls from one iteration to the next, where PSRO's may: the
last one stays where no better was found.

Here the learner is regret matching+ with linearly weighted averages; in its first round the last solution is played, so
that it is among those that can stay. The residual
is how much more any mixture of a population could guarantee, summed over the players: an upper bound, from the average
of the best responses that were met. Two players, constant sum; the whole game must be known exactly.

Cost: `rounds` best responses and evaluations of the population, per player.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from eqenvs.arrays import Float64Array
from eqenvs.spec import Parameter
from eqsolvers.meta import EmpiricalGame, MetaSolution, MetaSolverSpec
from eqsolvers.normal_form.learning import rm_plus


def solve(game: EmpiricalGame, settings: Mapping[str, Any]) -> MetaSolution:
    """The mixtures of the best guarantee that was seen."""
    assert game.outside is not None  # by MetaSolverSpec.needs_outside
    sizes = game.model.num_actions
    learner = rm_plus.learner()
    assert learner.update is not None
    states = [learner.init(1, size) for size in sizes]
    best = [_padded(own, size) for own, size in zip(_last(game, sizes), sizes, strict=True)]
    guarantee = [-np.inf] * len(sizes)
    sums, met = [np.zeros(size) for size in sizes], [np.zeros(size) for size in sizes]
    weight = 0.0
    present = best
    for round_ in range(1, settings["rounds"] + 1):
        payoffs = game.outside.against_best_responses(present)
        weight += round_
        for player, own in enumerate(payoffs):
            states[player] = learner.update(states[player], own[None])
            met[player] = met[player] + round_ * own
            sums[player] = sums[player] + round_ * present[player]
        _keep(best, guarantee, present, payoffs)
        present = [learner.strategy(state)[0] for state in states]
    averages = [total / weight for total in sums]
    _keep(best, guarantee, averages, game.outside.against_best_responses(averages))
    residual = sum(float(own.max()) / weight - low for own, low in zip(met, guarantee, strict=True))
    return MetaSolution(tuple(best), residual=max(0.0, residual), memory={"strategies": list(best)})


def _last(game: EmpiricalGame, sizes: Sequence[int]) -> Sequence[Float64Array]:
    found: Sequence[Float64Array] = game.memory.get("strategies") or [np.full(size, 1.0 / size) for size in sizes]
    return found


def _padded(strategy: Float64Array, size: int) -> Float64Array:
    return np.pad(strategy, (0, size - len(strategy)))


def _keep(
    best: list[Float64Array],
    guarantee: list[float],
    mixtures: Sequence[Float64Array],
    payoffs: Sequence[Float64Array],
) -> None:
    """Write those mixtures to `best` that guarantee their player more."""
    for player, (mixture, own) in enumerate(zip(mixtures, payoffs, strict=True)):
        value = float(mixture @ own)
        if value > guarantee[player]:
            best[player], guarantee[player] = mixture, value


META_SOLVER = MetaSolverSpec(
    id="anytime",
    solve=solve,
    learns=True,
    needs_outside=True,
    source="McAleer et al. (2022), arXiv 2201.07700",
    parameters=(Parameter(name="rounds", default=200, low=1, high=1_000_000, description="of the learner"),),
)
