"""The networks under training: a policy and a critic for every role, shared or apart.

A role is whose policy a player follows: its own, but for players who are alike, such as the agents of one population.
Shared networks are told the role by a one-hot vector beside the observation; a policy taken out of them has its role
folded into the first layer's bias, so it is a plain perceptron over observations again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
import torch
from pydantic import Field, PositiveInt
from torch import Tensor, nn

from eqagents.configuration import Settings
from eqagents.policies.mlp import Activation, MaskedMLP, masked_log_softmax
from eqagents.policies.records import PolicyRecord
from eqagents.policies.stacked import StackedMLP

Weights: TypeAlias = dict[str, Tensor]  # by torch's names
SHARPNESS = 2**20  # exact in float32; only values within some 1e-5 of a payoff share the probability
LANES = 16  # float32 numbers in the widest vector register
MANY_ROWS = 256  # from which turning an array over costs less than it saves


class NetworkConfig(Settings):
    """Shape of the networks."""

    hidden: tuple[PositiveInt, ...] = Field(default=(128, 128), description="widths of the hidden layers")
    activation: Activation = "tanh"
    shared: bool = Field(default=True, description="one network for all roles, told the role, rather than one each")
    centralised_critic: bool = Field(
        default=False, description="let the critic see what all players see, in training only"
    )


def log_softmax_of_legal(logits: Tensor, masks: Tensor) -> Tensor:
    """Log-probabilities [n, A], -inf where `masks` [n, A] forbids: `masked_log_softmax`, faster on a CPU.

    Torch works along rows there, and short rows cost it ten times as much as the same numbers in columns, so they are
    turned over in whole blocks of `LANES` rows; the rows that are left over stay rows.
    """
    rows, actions = logits.shape
    if logits.device.type != "cpu" or actions >= LANES or rows < MANY_ROWS:
        return masked_log_softmax(logits, masks)
    legal = masks.to(logits.dtype)
    shut = torch.addcmul(1 - legal.reciprocal(), logits, legal)  # filling in by a mask takes a branch a number
    whole = rows - rows % LANES
    return torch.cat([torch.log_softmax(shut[:whole].T, 0).T, torch.log_softmax(shut[whole:], 1)])


class RoleNetwork(nn.Module):
    """A perceptron for each of R roles.

    Args:
        width: D, of what it sees.
        outputs: A, of what it gives.
        roles: R.
        config: its shape.
        generator: of the initial weights.
    """

    _one_hot: Tensor

    def __init__(self, width: int, outputs: int, roles: int, config: NetworkConfig, generator: torch.Generator) -> None:
        super().__init__()
        self.roles = roles
        self.told = config.shared and roles > 1
        count = 1 if self.told or roles == 1 else roles
        seen = width + roles if self.told else width
        members = [
            MaskedMLP(seen, config.hidden, outputs, generator, activation=config.activation) for _ in range(count)
        ]
        self.network = StackedMLP(members)
        self.register_buffer("_one_hot", torch.eye(roles), persistent=False)

    def forward(self, seen: Tensor, roles: Tensor, masks: Tensor | None = None) -> Tensor:
        """Outputs [n, A] for what is seen [n, D] and roles [n] int64; with masks, masked log-probabilities."""
        if self.told:
            seen = torch.cat([seen, self._one_hot[roles]], dim=1)  # the one member is everybody's
        outputs: Tensor = self.network(seen, roles)
        return outputs if masks is None else log_softmax_of_legal(outputs, masks)

    def record(self, role: int, outputs: int) -> PolicyRecord:
        """One role's network as a record of kind `mlp` with the first `outputs` outputs."""
        record = self.network.record(0 if self.told or self.roles == 1 else role)
        weights: dict[str, Any] = dict(record["weights"])
        *_, head, bias = weights
        weights[head], weights[bias] = weights[head][:outputs].copy(), weights[bias][:outputs].copy()
        if self.told:
            first, shift, *_ = weights
            width = weights[first].shape[1] - self.roles
            weights[shift] = weights[shift] + weights[first][:, width + role]
            weights[first] = np.ascontiguousarray(weights[first][:, :width])
        return {**record, "weights": weights}


class ActorCritic(nn.Module):
    """Policies and critics of all roles.

    Args:
        width: D, of an observation.
        state_width: C, of what the critic sees.
        actions: the roles' numbers of actions, [R].
        config: shape.
        seed: of the initial weights.
    """

    def __init__(
        self, width: int, state_width: int, actions: tuple[int, ...], config: NetworkConfig, seed: int
    ) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.num_actions = actions
        self.actor = RoleNetwork(width, max(actions), len(actions), config, generator)
        self.critic = RoleNetwork(state_width, 1, len(actions), config, generator)

    def log_policy(self, observations: Tensor, roles: Tensor, masks: Tensor) -> Tensor:
        """Log-probabilities [n, A]."""
        found: Tensor = self.actor(observations, roles, masks)
        return found

    def values(self, states: Tensor, roles: Tensor) -> Tensor:
        """The critic's values [n]."""
        found: Tensor = self.critic(states, roles)[:, 0]
        return found

    def records(self) -> list[PolicyRecord]:
        """The policies, by role."""
        return [self.actor.record(role, actions) for role, actions in enumerate(self.num_actions)]

    def weights(self) -> Weights:
        """All weights, copied."""
        return {name: tensor.detach().clone() for name, tensor in self.state_dict().items()}


class QNetworks(nn.Module):
    """Action values of all roles, and policies where they have their own network.

    Args:
        width: D, of an observation.
        actions: the roles' numbers of actions, [R].
        config: shape.
        seed: of the initial weights.
        actor: whether policies are a network of their own.
    """

    def __init__(self, width: int, actions: tuple[int, ...], config: NetworkConfig, seed: int, *, actor: bool) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.num_actions = actions
        self.critic = RoleNetwork(width, max(actions), len(actions), config, generator)
        self.actor = RoleNetwork(width, max(actions), len(actions), config, generator) if actor else None

    def action_values(self, observations: Tensor, roles: Tensor) -> Tensor:
        """Values [n, A]; those of illegal actions mean nothing."""
        found: Tensor = self.critic(observations, roles)
        return found

    def log_policy(self, observations: Tensor, roles: Tensor, masks: Tensor) -> Tensor:
        """The actor's log-probabilities [n, A].

        Raises:
            ValueError: where there is no actor.
        """
        if self.actor is None:
            raise ValueError("networks: these have action values and no policy")
        found: Tensor = self.actor(observations, roles, masks)
        return found

    def values(self, states: Tensor, roles: Tensor) -> Tensor:
        """Zeros [n]: what is learned from action values needs no values of states from a rollout."""
        return states.new_zeros(len(states))

    def records(self) -> list[PolicyRecord]:
        """The policies, by role: the actor's, or else those that are greedy on the action values."""
        if self.actor is not None:
            return [self.actor.record(role, actions) for role, actions in enumerate(self.num_actions)]
        return [_sharpened(self.critic.record(role, actions)) for role, actions in enumerate(self.num_actions)]

    def weights(self) -> Weights:
        """All weights, copied."""
        return {name: tensor.detach().clone() for name, tensor in self.state_dict().items()}


def _sharpened(record: PolicyRecord) -> PolicyRecord:
    """The policy that is greedy on a network's outputs, as the softmax of SHARPNESS times these."""
    weights: dict[str, Any] = dict(record["weights"])
    *_, head, bias = weights
    weights[head], weights[bias] = weights[head] * np.float32(SHARPNESS), weights[bias] * np.float32(SHARPNESS)
    return {**record, "weights": weights}


def blended(old: Weights, new: Weights, kept: float) -> Weights:
    """A running mean's next value, that keeps a share of the old one."""
    return {name: kept * mean + (1 - kept) * new[name] for name, mean in old.items()}


def arrays_of(tensors: Mapping[str, Tensor]) -> dict[str, Any]:
    """Tensors as numpy arrays, for checkpoints and workers."""
    return {name: tensor.detach().cpu().numpy() for name, tensor in tensors.items()}


def tensors_of(arrays: Mapping[str, Any], device: torch.device | str) -> Weights:
    """What `arrays_of` made arrays of, copied to a device; tensors are taken as they are."""
    return {
        name: (array if isinstance(array, Tensor) else torch.tensor(np.asarray(array))).to(device)
        for name, array in arrays.items()
    }
