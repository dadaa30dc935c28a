"""Neural fictitious self-play: a best response by deep Q-learning, and a network that imitates all its past play.

Heinrich and Silver (2016), "Deep reinforcement learning from self-play in imperfect-information games", arXiv
1603.01121, algorithm 1. In every game each player follows, by a draw of its own, its best response (with chance
`share`, the paper's anticipatory parameter) or its average policy. All decisions go into the replay memory of the
Q-learner, whose loss is `dqn`'s; those of best responses into a reservoir, a uniform sample of all there ever were,
from which

    L(theta) = -E[log pi(a | s)]

makes the average policy: it is what is scored. In two-player zero-sum games fictitious play's average converges to
equilibrium; here both of its parts are approximate.

Differences from the paper: Adam with double Q-learning and the target network copied by the iteration; one memory of
each kind for all roles, the role beside each decision; games are played in batches.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field
from torch import Tensor

from eqagents.distributed import Executor
from eqagents.learners import LearnerSpec
from eqagents.learners.deep import dqn
from eqagents.learners.deep._batch import chosen
from eqagents.learners.deep._off_policy import FALLING, Method, OffPolicyConfig, OffPolicyLearner, Probability, Terms
from eqagents.learners.deep._replay import Decisions, Experience
from eqagents.learners.deep._schedule import Schedule, constant
from eqagents.rollout.behaviour import BEST_RESPONSE, Anticipatory
from eqagents.rollout.networks import QNetworks
from eqagents.rollout.task import critics_and_actors_of
from eqenvs.game import Game


class NFSPConfig(OffPolicyConfig):
    """Settings of the learner `nfsp`."""

    id: Literal["nfsp"] = "nfsp"
    double: bool = Field(default=True, description="choose the next action by the network, not by its target's values")
    epsilon: Probability = Field(
        default=constant(0.05),
        description="share of a best response's moves that are drawn uniformly",
    )
    share: float = Field(
        default=0.25, gt=0, le=1, description="chance that a player follows its best response in a game"
    )
    reservoir: int = Field(default=500_000, ge=1, description="decisions of best responses that are kept")
    average_rate: Schedule = Field(default=FALLING, description="Adam's step size of the average policy")


def loss(networks: QNetworks, imitated: Decisions) -> Tensor:
    """See the module."""
    log_policy = networks.log_policy(imitated.observations, imitated.roles, imitated.masks)
    return -chosen(log_policy, imitated.actions).mean()


def build(game: Game, config: NFSPConfig, executor: Executor) -> OffPolicyLearner:
    """The learner of a run."""

    def losses(networks: QNetworks, frozen: QNetworks, batch: Experience, terms: Terms) -> dict[str, Tensor]:
        assert terms.imitated is not None
        values = dqn.loss(networks, frozen, batch, double=config.double)
        return {"critic": values, "actor": loss(networks, terms.imitated)}

    method = Method(
        make=critics_and_actors_of,
        behaviour=lambda iteration: Anticipatory(config.epsilon.at(iteration), config.share),
        loss=losses,
        rates=lambda iteration: {
            "critic": config.fit.learning_rate.at(iteration),
            "actor": config.average_rate.at(iteration),
        },
        reservoir=config.reservoir,
        imitates=BEST_RESPONSE,
    )
    return OffPolicyLearner(game, config, executor, method)


LEARNER = LearnerSpec(id="nfsp", config=NFSPConfig, build=build, source="Heinrich and Silver (2016), arXiv 1603.01121")
