"""The score of a joint policy of a normal-form game.

A strategy is a plan, and a gradient the expected payoff of each action. Structured payoffs give it without the tensor,
but for a distribution over joint actions, which is as large as the tensor itself. Cost: a gradient for each player and
component of a device; O(N prod A) for a distribution.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from eqenvs.arrays import Float64Array
from eqenvs.models import NormalFormModel
from eqenvs.policies import CorrelatedStrategy, JointPolicy, require_fits
from eqsolvers.scoring._plans import PlanScorer, gains_of_product
from eqsolvers.scoring.score import Score, ScoreKind


class NormalFormEvaluator:
    """The evaluator of a normal-form game.

    Attributes:
        num_entries: actions of all players together.
    """

    def __init__(self, model: NormalFormModel) -> None:
        self._model = model
        self._bounds = np.cumsum(model.num_actions)[:-1]
        self.num_entries = sum(model.num_actions)

    @property
    def normaliser(self) -> int | None:
        """See `Score`."""
        return 2 if self._model.num_players == 2 and self._model.constant_sum() else None

    def plan(self, tables: Sequence[Float64Array]) -> Float64Array:
        """The strategies themselves."""
        return np.concatenate([table[0] for table in tables])

    def collected(self, plan: Float64Array) -> tuple[Float64Array, Float64Array]:
        """The expected payoff of each action, and of each player."""
        strategies = np.split(plan, self._bounds)
        gradients = [self._model.gradient(player, strategies) for player in range(len(strategies))]
        values = [gradient @ own for gradient, own in zip(gradients, strategies, strict=True)]
        return np.concatenate(gradients), np.array(values)

    def best_responses(self, gradient: Float64Array) -> tuple[Float64Array, Float64Array]:
        """The value of each player's best action; actions are worth what they collect."""
        return np.array([own.max() for own in np.split(gradient, self._bounds)]), gradient

    def evaluate(self, tables: Sequence[Float64Array]) -> tuple[Float64Array, Float64Array]:
        """The players' values and their best actions' values."""
        gradient, values = self.collected(self.plan(tables))
        return values, self.best_responses(gradient)[0]

    def table(self, player: int, worth: Float64Array) -> Float64Array:
        """The best action, the first of equals, as a pure strategy."""
        own = np.split(worth, self._bounds)[player]
        table = np.zeros((1, len(own)))
        table[0, own.argmax()] = 1.0
        return table


class NormalFormScorer(PlanScorer):
    """See `eqsolvers.scoring.scorers.Scorer`."""

    def __init__(self, model: NormalFormModel) -> None:
        super().__init__(model, NormalFormEvaluator(model))
        self._game = model

    def score(self, policy: JointPolicy) -> Score:
        """The exact score."""
        return self._of_distribution(policy) if isinstance(policy, CorrelatedStrategy) else super().score(policy)

    def _of_distribution(self, policy: CorrelatedStrategy) -> Score:
        """All gaps from one matrix per player: what action b would collect where action a is recommended, [A, A]."""
        model, alone = self._game, policy.marginals()
        require_fits(model, alone)
        values, committed, told = np.empty(model.num_players), 0.0, 0.0
        for player in range(model.num_players):
            drawn = np.moveaxis(policy.distribution, player, 0).reshape(model.num_actions[player], -1)
            payoffs = np.moveaxis(model.payoffs[player], player, 0).reshape(model.num_actions[player], -1)
            collected = drawn @ payoffs.T
            obeyed = np.diagonal(collected)
            values[player] = obeyed.sum()
            committed += max(0.0, float(collected.sum(axis=0).max() - values[player]))
            told += float((collected.max(axis=1) - obeyed).sum())
        return Score(
            values=values,
            gains=gains_of_product(self.form, alone)[1],
            ce_gap=told,
            cce_gap=committed,
            kind=ScoreKind.EXACT,
            normaliser=self.form.normaliser,
        )


SCORER = NormalFormScorer
