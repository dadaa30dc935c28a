"""Networks that are policies: one batched forward pass over the information states asked about."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from eqenvs.arrays import Float64Array
from eqenvs.errors import PolicyError
from eqenvs.models.information_states import InformationStates


class PolicyNetwork(nn.Module):
    """A network that gives log-probabilities; what it computes and how it is recorded is its kind's."""

    def forward(self, observations: Tensor, masks: Tensor | None = None) -> Tensor:
        """Log-probabilities [B, A] from observations [B, D] float32 and masks [B, A] bool."""
        raise NotImplementedError

    def record(self) -> dict[str, Any]:
        """The network as plain data, see `eqagents.policies.records`; copied to the CPU."""
        raise NotImplementedError


class TorchPolicy:
    """A network that gives log-probabilities, as a behaviour policy.

    Args:
        network: from (observations [B, D] float32, masks [B, A] bool) to log-probabilities [B, A].
    """

    def __init__(self, network: nn.Module) -> None:
        self.network = network
        self.device = next(network.parameters()).device

    @torch.no_grad()
    def __call__(self, player: int, states: InformationStates) -> Float64Array:
        """See `eqenvs.policies.BehaviourPolicy`; computed in float32, rows normalised in float64.

        Raises:
            PolicyError: if a network of matrices takes observations of another width.
        """
        self._require_width(player, states.observations.shape[1])
        observations = torch.tensor(np.asarray(states.observations), device=self.device)
        masks = torch.tensor(np.asarray(states.masks), device=self.device)
        probabilities = self.network(observations, masks).exp().double().cpu().numpy()
        normalised: Float64Array = probabilities / probabilities.sum(axis=1, keepdims=True)
        return normalised

    def _require_width(self, player: int, width: int) -> None:
        first = next(self.network.parameters())
        if first.ndim == 2 and first.shape[1] != width:
            raise PolicyError(
                f"player {player}: the network takes {first.shape[1]} numbers, an observation of this game has {width}"
            )
