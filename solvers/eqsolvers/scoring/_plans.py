"""Scores by plans and gradients (`eqsolvers.scoring.deviations`): what normal and extensive forms share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from eqenvs.arrays import Float64Array
from eqenvs.models import ExtensiveFormModel, NormalFormModel
from eqenvs.policies import JointPolicy, TabularPolicy, components, player_entries, player_table, tabulate
from eqsolvers.scoring.deviations import Evaluator
from eqsolvers.scoring.device import Device, lay_out
from eqsolvers.scoring.score import Score, ScoreKind


class PlanScorer:
    """See `eqsolvers.scoring.scorers.Scorer`.

    Attributes:
        in_stages: whether players act more than once, so that a device can be left during play.
        form: the model's evaluator.
    """

    in_stages: ClassVar[bool] = False

    def __init__(self, model: ExtensiveFormModel | NormalFormModel, form: Evaluator) -> None:
        self._model, self.form = model, form

    def score(self, policy: JointPolicy) -> Score:
        """The exact score."""
        drawn, weights = components(policy, self._model.num_players)
        if len(drawn) == 1:
            return self._of_product(tabulate(self._model, drawn[0]))
        return self._of_device(lay_out(self._model, self.form, drawn, weights))

    def _of_product(self, policy: TabularPolicy) -> Score:
        values, gains = gains_of_product(self.form, policy)
        total = float(sum(gains.tolist()))
        in_play = total if self.in_stages else None
        return Score(
            values=values,
            gains=gains,
            ce_gap=total,
            efce_gap=in_play,
            efcce_gap=in_play,
            cce_gap=total,
            kind=ScoreKind.EXACT,
            normaliser=self.form.normaliser,
        )

    def _of_device(self, device: Device) -> Score:
        values = device.weights @ device.values
        told = 0.0
        for player, groups in enumerate(device.groups):
            for group in groups:
                weights = device.weights[group]
                best, _ = self.form.best_responses(weights @ device.gradients[group])
                told += max(0.0, float(best[player] - weights @ device.values[group, player]))
        of_marginals, apart = self.form.collected(device.weights @ device.plans)
        committed, _ = self.form.best_responses(device.weights @ device.gradients)
        hearing, arriving = self.gaps_in_play(device)
        return Score(
            values=values,
            gains=_gains(self.form.best_responses(of_marginals)[0], apart),
            ce_gap=told,
            efce_gap=hearing,
            efcce_gap=arriving,
            cce_gap=float(_gains(committed, values).sum()),
            kind=ScoreKind.EXACT,
            normaliser=self.form.normaliser,
        )

    def gaps_in_play(self, device: Device) -> tuple[float | None, float | None]:
        """The EFCE and the EFCCE gap of a device; None where there is nothing to leave."""
        return None, None

    def best_response(self, player: int, policy: JointPolicy) -> tuple[float, Float64Array]:
        """The best response to the gradient that the others' policies give on average."""
        n = self._model.num_players
        gradient = np.zeros(1)
        for component, weight in zip(*components(policy, n), strict=True):
            entries = player_entries(component, n)
            tables = [
                self._model.information_states[p].uniform() if p == player else player_table(self._model, p, entries[p])
                for p in range(n)
            ]
            gradient = gradient + weight * self.form.collected(self.form.plan(tables))[0]
        values, worth = self.form.best_responses(gradient)
        return float(values[player]), self.form.table(player, worth)

    def values(self, tables: Sequence[Float64Array]) -> Float64Array:
        """The players' expected payoffs, [N]."""
        return self.form.collected(self.form.plan(tables))[1]

    def warm_up(self) -> None:
        """Nothing is compiled."""


def gains_of_product(form: Evaluator, policy: TabularPolicy) -> tuple[Float64Array, Float64Array]:
    """The players' values and gains under a product policy, [N] each."""
    values, best = form.evaluate(policy.tables)
    return values, _gains(best, values)


def _gains(best: Float64Array, values: Float64Array) -> Float64Array:
    """Best value minus value; rounding can leave a negative of a few ulps, which is no gain."""
    gains: Float64Array = np.maximum(0.0, best - values)
    return gains
