"""The score of a joint policy of an extensive-form game, by its sequence form.

Cost: the layout once per model, O(P log P) for P payoff entries a player; then O(Q + N P) for a product policy, and for
a device that times its components; its triggers are counted in `eqsolvers.scoring.triggers`.
"""

from __future__ import annotations

from typing import ClassVar

from eqenvs.errors import UnsupportedGame
from eqenvs.models import ExtensiveFormModel
from eqenvs.policies import CorrelatedStrategy, JointPolicy, uniform
from eqsolvers.scoring._plans import PlanScorer
from eqsolvers.scoring._sequence_form import sequence_form
from eqsolvers.scoring.device import Device
from eqsolvers.scoring.score import Score
from eqsolvers.scoring.triggers import gains_of_device


class ExtensiveFormScorer(PlanScorer):
    """See `eqsolvers.scoring.scorers.Scorer`."""

    in_stages: ClassVar[bool] = True

    def __init__(self, model: ExtensiveFormModel) -> None:
        self._sequences = sequence_form(model)
        super().__init__(model, self._sequences)

    def score(self, policy: JointPolicy) -> Score:
        """The exact score."""
        if isinstance(policy, CorrelatedStrategy):
            raise UnsupportedGame("a distribution over joint actions is scored in normal-form games only")
        return super().score(policy)

    def gaps_in_play(self, device: Device) -> tuple[float, float]:
        """The EFCE and the EFCCE gap of a device."""
        triggers = gains_of_device(self._sequences, device)
        return sum(gains.efce_gap for gains in triggers), sum(gains.efcce_gap for gains in triggers)

    def warm_up(self) -> None:
        """Compile the passes over the sequence form, or load them."""
        self.score(uniform(self._model))


SCORER = ExtensiveFormScorer
