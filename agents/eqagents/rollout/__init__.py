"""Batched play with networks: who plays in each row, the play itself, and what a learner makes of it."""

from eqagents.rollout.behaviour import Anticipatory, Behaviour, EpsilonGreedy, Softmax
from eqagents.rollout.cast import Cast, Seat
from eqagents.rollout.games import Games, Shown, Stage
from eqagents.rollout.links import Transitions, Waiting, transitions
from eqagents.rollout.networks import ActorCritic, NetworkConfig, QNetworks
from eqagents.rollout.play import rollout
from eqagents.rollout.populations import PopulationGames
from eqagents.rollout.trajectory import Advantages, Rollout, advantages

__all__ = [
    "ActorCritic",
    "Advantages",
    "Anticipatory",
    "Behaviour",
    "Cast",
    "EpsilonGreedy",
    "Games",
    "NetworkConfig",
    "PopulationGames",
    "QNetworks",
    "Rollout",
    "Seat",
    "Shown",
    "Softmax",
    "Stage",
    "Transitions",
    "Waiting",
    "advantages",
    "rollout",
    "transitions",
]
