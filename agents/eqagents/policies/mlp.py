"""A multilayer perceptron over observations, with illegal actions masked out."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from eqenvs.arrays import Float64Array
from eqenvs.models.information_states import InformationStates


class MaskedMLP(nn.Module):
    """Tanh layers and one linear head.

    Args:
        observation_size: D.
        hidden: widths of the hidden layers.
        outputs: number of outputs, A for a policy and 1 for a state value.
        generator: source of the initial weights (orthogonal, gain sqrt(2), the head's gain 0.01).
    """

    def __init__(
        self, observation_size: int, hidden: Sequence[int], outputs: int, generator: torch.Generator | None = None
    ) -> None:
        super().__init__()
        widths = [observation_size, *hidden]
        layers: list[nn.Module] = []
        for before, after in itertools.pairwise(widths):
            layers += [self._linear(before, after, float(np.sqrt(2)), generator), nn.Tanh()]
        layers.append(self._linear(widths[-1], outputs, 0.01, generator))
        self.layers = nn.Sequential(*layers)

    @staticmethod
    def _linear(before: int, after: int, gain: float, generator: torch.Generator | None) -> nn.Linear:
        # Not initialised by torch itself, which would draw from its global generator.
        layer: nn.Linear = nn.utils.skip_init(nn.Linear, before, after)  # type: ignore[no-untyped-call]
        nn.init.orthogonal_(layer.weight, gain, generator=generator)
        nn.init.zeros_(layer.bias)
        return layer

    def forward(self, observations: Tensor, masks: Tensor | None = None) -> Tensor:
        """Outputs [B, outputs]; with masks [B, A] bool, log-probabilities of the masked softmax."""
        outputs: Tensor = self.layers(observations)
        if masks is None:
            return outputs
        return torch.log_softmax(outputs.masked_fill(~masks, float("-inf")), dim=-1)


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
        """See `eqenvs.policies.BehaviourPolicy`; computed in float32, rows normalised in float64."""
        observations = torch.tensor(np.asarray(states.observations), device=self.device)
        masks = torch.tensor(np.asarray(states.masks), device=self.device)
        probabilities = self.network(observations, masks).exp().double().cpu().numpy()
        normalised: Float64Array = probabilities / probabilities.sum(axis=1, keepdims=True)
        return normalised
