"""What every actor-learner can be told: how games are played, which networks, how they are fitted."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from eqagents.configuration import NamedSettings, Settings
from eqagents.learners.deep._lookahead import LookaheadConfig
from eqagents.learners.deep._schedule import Schedule, constant
from eqagents.rollout.games import Source
from eqagents.rollout.networks import NetworkConfig


class PlayConfig(Settings):
    """Play to learn from in one iteration: tasks x num_envs x steps stages."""

    tasks: int = Field(default=1, ge=1, description="batches of games, shared out to workers; each has its own games")
    num_envs: int = Field(default=256, ge=1, description="games side by side in each")
    steps: int = Field(default=32, ge=1, description="stages of every game in an iteration; games go on in the next")
    source: Source = Field(
        default="auto", description="table, rules or torch (the rules on torch); auto: a table if the game is small"
    )
    device: str = Field(default="cpu", description="where games and policies run while playing: cpu, or a torch device")
    staleness: Literal[0, 1] = Field(
        default=0, description="1: play the next iteration while learning, with the policy of one update before"
    )


class GradientConfig(Settings):
    """How gradient steps are made."""

    learning_rate: Schedule = Field(default=constant(5e-4), description="Adam's step size")
    gradient_clip: float = Field(default=0.5, gt=0, description="largest norm of a gradient")
    device: str = Field(default="cpu", description="torch device of the networks")
    precision: Literal["float32", "bfloat16"] = Field(default="float32", description="of the forward passes")
    compile: bool = Field(default=False, description="compile the forward passes with torch.compile")


class FitConfig(GradientConfig):
    """How networks are fitted to an iteration's play."""

    epochs: int = Field(default=4, ge=1, description="passes over the play")
    minibatches: int = Field(default=4, ge=1, description="gradient steps a pass")
    value_weight: float = Field(default=0.5, ge=0, description="of the critic's squared error in the loss")
    standardised: bool = Field(default=True, description="give advantages mean 0 and variance 1")
    processes: int = Field(
        default=1, ge=1, description="processes that fit together, each on its share; several need executor.workers"
    )


class ActorLearnerConfig(NamedSettings):
    """Settings of every actor-learner."""

    play: PlayConfig = PlayConfig()
    network: NetworkConfig = NetworkConfig()
    fit: FitConfig = FitConfig()
    lookahead: LookaheadConfig = LookaheadConfig()
    average: float = Field(
        default=0.0,
        ge=0,
        lt=1,
        description="share that a running mean of the weights, the policy then scored, keeps of itself; 0: the last "
        "iterate is scored",
    )
    trace: float = Field(default=0.95, ge=0, le=1, description="lambda of the advantage estimates")
