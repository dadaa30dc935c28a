"""Policy mirror ascent with a magnet: magnetic mirror descent with networks, in self-play.

Sokota, D'Orazio, Kolter, Loizou, Lanctot, Mitliagkas, Brown and Kroer (2023), "A unified approach to reinforcement
learning, quantal response equilibria, and two-player zero-sum games", ICLR, section 5. At every decision point the step

    pi' = argmax_pi  <pi, q> - pull * KL(pi || rho) - (1 / step) * KL(pi || pi_old)

has the closed form pi' ~ (pi_old^(1/step) rho^pull exp(q))^(1 / (1/step + pull)), which the tabular method `mmd` takes.
Here some gradient steps are made on it, q being seen through the sampled action's advantage A and the ratio
r = pi(a) / pi_old(a), whose mean over pi_old is <pi, q> up to a constant:

    L(theta) = -E[r A] + pull * E[KL(pi || rho)] + (1 / step) * E[KL(pi || pi_old)].

A constant pull leads to a quantal response equilibrium (of temperature `pull`, with a uniform magnet); annealed, or
with a moving magnet, towards Nash. Advantages are in payoffs, not standardised: `pull` and `step` have units.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field
from torch import Tensor

from eqagents.distributed import Executor
from eqagents.learners import LearnerSpec
from eqagents.learners.deep._batch import Batch, chosen, divergence, uniform_log
from eqagents.learners.deep._config import ActorLearnerConfig, FitConfig
from eqagents.learners.deep._engine import ActorLearner, Terms
from eqagents.learners.deep._magnet import MagnetConfig
from eqagents.learners.deep._schedule import Schedule, constant
from eqenvs.game import Game


class PMAConfig(ActorLearnerConfig):
    """Settings of the learner `pma`."""

    id: Literal["pma"] = "pma"
    fit: FitConfig = FitConfig(standardised=False)
    pull: Schedule = Field(
        default=Schedule(start=0.2, end=0.02, over=500, shape="exponential"),
        description="weight of the divergence to the magnet, in payoff per nat",
    )
    step: Schedule = Field(default=constant(1.0), description="inverse weight of the divergence to the last policy")
    magnet: MagnetConfig = MagnetConfig()


def loss(log_policy: Tensor, batch: Batch, terms: Terms) -> Tensor:
    """See the module."""
    config: PMAConfig = terms.config
    ratio = (chosen(log_policy, batch.actions) - chosen(batch.log_policy, batch.actions)).exp()
    magnet = uniform_log(batch.masks) if terms.magnet is None else terms.magnet
    return (
        -(ratio * batch.advantages).mean()
        + config.pull.at(terms.iteration) * divergence(log_policy, magnet).mean()
        + divergence(log_policy, batch.log_policy).mean() / config.step.at(terms.iteration)
    )


def build(game: Game, config: PMAConfig, executor: Executor) -> ActorLearner:
    """The learner of a run."""
    return ActorLearner(game, config, executor, loss, config.magnet.movement())


LEARNER = LearnerSpec(id="pma", config=PMAConfig, build=build, source="Sokota et al. (2023), ICLR")
