"""Mirror descent policy optimisation, on-policy: gradient steps on a linearised value with a KL step-size penalty.

Tomar, Shani, Efroni and Ghavamzadeh (2022), "Mirror descent policy optimization", ICLR, algorithm 1:

    L(theta) = -E[r A] + (1 / step) * E[KL(pi || pi_old)],    r = pi(a) / pi_old(a),

for several gradient steps from pi_old. It is `pma` without a magnet: in self-play its last iterate need not converge.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field
from torch import Tensor

from eqagents.learners.deep._batch import Batch, chosen, divergence
from eqagents.learners.deep._config import ActorLearnerConfig, FitConfig
from eqagents.learners.deep._engine import Terms, actor_learner
from eqagents.learners.deep._schedule import Schedule


class MDPOConfig(ActorLearnerConfig):
    """Settings of the learner `mdpo`."""

    id: Literal["mdpo"] = "mdpo"
    fit: FitConfig = FitConfig(standardised=False)
    step: Schedule = Field(
        default=Schedule(start=1.0, end=0.01, over=100, shape="inverse_sqrt"),
        description="inverse weight of the divergence to the last policy",
    )


def loss(log_policy: Tensor, batch: Batch, terms: Terms) -> Tensor:
    """See the module."""
    config: MDPOConfig = terms.config
    ratio = (chosen(log_policy, batch.actions) - chosen(batch.log_policy, batch.actions)).exp()
    step = config.step.at(terms.iteration)
    return -(ratio * batch.advantages).mean() + divergence(log_policy, batch.log_policy).mean() / step


LEARNER = actor_learner("mdpo", MDPOConfig, loss, source="Tomar et al. (2022), ICLR")
