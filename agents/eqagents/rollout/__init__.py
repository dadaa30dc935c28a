"""Batched play with networks: who plays in each row, the play itself, and what a learner makes of it."""

from eqagents.rollout.cast import Cast, Seat
from eqagents.rollout.games import Games, Shown, Stage
from eqagents.rollout.networks import ActorCritic, NetworkConfig
from eqagents.rollout.play import rollout
from eqagents.rollout.trajectory import Advantages, Rollout, Transitions, advantages, transitions

__all__ = [
    "ActorCritic",
    "Advantages",
    "Cast",
    "Games",
    "NetworkConfig",
    "Rollout",
    "Seat",
    "Shown",
    "Stage",
    "Transitions",
    "advantages",
    "rollout",
    "transitions",
]
