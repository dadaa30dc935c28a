"""The decisions that a policy's loss is about, and terms that the losses share."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from eqagents.rollout.trajectory import Rollout, advantages


class Batch(NamedTuple):
    """n decisions.

    Attributes:
        observations: [n, D] float32.
        states: [n, C] float32, what the critic sees.
        masks: [n, A] bool.
        roles: [n] int64, whose policy decided.
        actions: [n] int64.
        log_policy: [n, A] float32, of the policy that played.
        advantages: [n] float32.
        returns: [n] float32, the critic's targets.
    """

    observations: Tensor
    states: Tensor
    masks: Tensor
    roles: Tensor
    actions: Tensor
    log_policy: Tensor
    advantages: Tensor
    returns: Tensor

    def rows(self, index: Tensor) -> Batch:
        """Some of the decisions."""
        observations = self.observations.index_select(0, index)
        states = observations if self.states is self.observations else self.states.index_select(0, index)
        return Batch(observations, states, *(part.index_select(0, index) for part in self[2:]))


def batch_of(rollout: Rollout, roles: Tensor, discount: float, trace: float, *, standardised: bool) -> Batch:
    """The decisions of a rollout that have an advantage estimate; `roles` [N] are the players'."""
    found = advantages(rollout, discount, trace)
    kept = torch.nonzero(found.known.reshape(-1))[:, 0]

    def flat(part: Tensor) -> Tensor:
        return part.reshape(-1, *part.shape[3:])[kept]

    gained = flat(found.advantages)
    if standardised and len(gained) > 1:
        gained = (gained - gained.mean()) / (gained.std() + 1e-8)
    observations = flat(rollout.observations)
    return Batch(
        observations=observations,
        states=observations if rollout.states is rollout.observations else flat(rollout.states),
        masks=flat(rollout.masks),
        roles=roles[flat(rollout.players)],
        actions=flat(rollout.actions),
        log_policy=flat(rollout.log_policy),
        advantages=gained,
        returns=flat(found.returns),
    )


def chosen(log_policy: Tensor, actions: Tensor) -> Tensor:
    """Log-probabilities [n] of the actions [n]."""
    return log_policy.gather(1, actions[:, None])[:, 0]


def entropy(log_policy: Tensor) -> Tensor:
    """[n], in nats."""
    legal = finite(log_policy)
    return -(legal.exp() * legal).sum(dim=1)


def divergence(log_policy: Tensor, from_log: Tensor) -> Tensor:
    """KL(policy || from) [n]; both give illegal actions -inf."""
    return (finite(log_policy).exp() * finite(log_policy - finite(from_log))).sum(dim=1)


def uniform_log(masks: Tensor) -> Tensor:
    """Log-probabilities [n, A] of uniform play over the legal actions."""
    return torch.where(masks, -masks.sum(dim=1, keepdim=True).float().log(), float("-inf"))


def finite(log_policy: Tensor) -> Tensor:
    """With 0 where an action is illegal: its gradient is 0 there too, where -inf * 0 would be NaN.

    Probabilities are to be found from this: `exp` takes 20 times longer where a part of its arguments is infinite.
    """
    return log_policy.nan_to_num(nan=float("nan"), posinf=0.0, neginf=0.0)
