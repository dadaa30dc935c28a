"""Scores of mean-field games: what a representative player gains against the mean field of the policy itself.

Of each population, the value of the policy in its own mean field and that of the best response to it, by one pass over
time; without a horizon, in the population's stable distribution and averaged over it. `nash_conv` sums the populations'
gains, `exploitability` is their mean: of one population both are the exploitability of the literature.

A population that does not come to rest under the policy has no stationary mean field to be judged in: `detail` says by
how much it still moves, by what factor that shrinks a step, and how far from rest that leaves it. Above a distance of
1e-6 a warning is logged, and the score is called an estimate: that of where the population was left.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

import numpy as np

from eqenvs.arrays import Float64Array
from eqenvs.models.mean_field import MeanFieldModel
from eqenvs.policies import JointPolicy, tabulate
from eqsolvers.mean_field._dynamics import Dynamics, Stability
from eqsolvers.scoring.score import Score, ScoreKind

logger = logging.getLogger(__name__)
FAR = 1e-6  # total variation from the stable distribution above which a score is no longer called exact


class MeanFieldScorer:
    """Judges policies of one mean-field game."""

    def __init__(self, model: MeanFieldModel) -> None:
        self._model, self._dynamics = model, Dynamics(model)

    def _array(self, policy: JointPolicy) -> Float64Array:
        return self._model.as_array(tabulate(self._model, policy).tables)

    def score(self, policy: JointPolicy) -> Score:
        """See `eqsolvers.scoring.score.score`."""
        evaluation = self._dynamics.evaluate(self._array(policy))
        stability = evaluation.stability
        detail: dict[str, float | None] = {}
        if self._model.horizon is None:
            _warn_of_unrest(stability)
            detail = {"stability_residual": stability.residual, "contraction_factor": stability.factor}
            far = stability.distance
            detail["distance_from_rest"] = far if np.isfinite(far) else None
        total = float(evaluation.gains.sum())
        return Score(
            values=evaluation.values,
            gains=evaluation.gains,
            ce_gap=total,
            cce_gap=total,
            kind=ScoreKind.EXACT if stability.distance <= FAR else ScoreKind.ESTIMATE,
            normaliser=self._model.num_populations,
            detail=detail,
        )

    def best_response(self, player: int, policy: JointPolicy) -> tuple[float, Float64Array]:
        """See `eqsolvers.scoring.score.best_response`; the mean field is that of the policy."""
        evaluation = self._dynamics.evaluate(self._array(policy))
        response = self._dynamics.greedy(evaluation.quality)
        return float(evaluation.best[player]), self._model.as_tables(response)[player]

    def values(self, tables: Sequence[Float64Array]) -> Float64Array:
        """What everybody gets where all play these tables, [P]."""
        policy = self._model.as_array(tables)
        flow = self._dynamics.flow(policy)
        return self._dynamics.values(flow, self._dynamics.rewards(flow), policy)

    def warm_up(self) -> None:
        """Compile the passes."""
        self._dynamics.evaluate(self._dynamics.uniform())


def _warn_of_unrest(stability: Stability) -> None:
    if stability.distance > FAR:
        logger.warning(
            "the population does not come to rest under this policy: after %d steps %.3g of it still moves, %.6g times "
            "as much as a step before; the score is that of where it was left",
            stability.steps,
            stability.residual,
            stability.factor,
        )


SCORER = MeanFieldScorer
