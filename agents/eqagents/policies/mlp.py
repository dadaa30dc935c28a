"""A multilayer perceptron over observations, with illegal actions masked out.

Its record holds `hidden` (widths), `activation` (tanh where none is stated) and `weights`, by torch's names.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Annotated, TypeAlias

import numpy as np
import torch
from pydantic import AfterValidator, Field
from torch import Tensor, nn

from eqagents.policies.network import PolicyNetwork, TorchPolicy
from eqagents.policies.records import PolicyRecord, RecordKind, network_sizes
from eqenvs.errors import CheckpointError, nearest, unknown_name
from eqenvs.game import Game

ACTIVATIONS: dict[str, type[nn.Module]] = {"relu": nn.ReLU, "tanh": nn.Tanh}


def _known_activation(value: str) -> str:
    if value not in ACTIVATIONS:
        raise unknown_name("activation", value, ACTIVATIONS)
    return value


# The type of a configuration's key.
Activation: TypeAlias = Annotated[
    str, AfterValidator(_known_activation), Field(description=f"of the hidden layers: {' or '.join(ACTIVATIONS)}")
]


def masked_log_softmax(logits: Tensor, masks: Tensor) -> Tensor:
    """Log-probabilities [B, A], -inf where `masks` [B, A] forbids."""
    return torch.log_softmax(logits.masked_fill(~masks, float("-inf")), dim=-1)


class MaskedMLP(PolicyNetwork):
    """Hidden layers and one linear head.

    Args:
        observation_size: D.
        hidden: widths of the hidden layers.
        outputs: number of outputs, A for a policy and 1 for a state value.
        generator: source of the initial weights (orthogonal, gain sqrt(2), the head's gain 0.01).
        activation: of the hidden layers, one of `ACTIVATIONS`.
    """

    def __init__(
        self,
        observation_size: int,
        hidden: Sequence[int],
        outputs: int,
        generator: torch.Generator | None = None,
        *,
        activation: str = "tanh",
    ) -> None:
        super().__init__()
        self.hidden, self.activation = tuple(hidden), activation
        widths = [observation_size, *hidden]
        layers: list[nn.Module] = []
        for before, after in itertools.pairwise(widths):
            layers += [self._linear(before, after, float(np.sqrt(2)), generator), ACTIVATIONS[activation]()]
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
        return masked_log_softmax(outputs, masks)

    def record(self) -> PolicyRecord:
        """See `PolicyNetwork`."""
        weights = {name: tensor.detach().cpu().numpy().copy() for name, tensor in self.state_dict().items()}
        return RECORD.record({"hidden": list(self.hidden), "activation": self.activation, "weights": weights})


def _network(record: PolicyRecord, game: Game, player: int) -> MaskedMLP:
    width, actions = network_sizes(game, player)
    activation = record.get("activation", "tanh")
    if activation not in ACTIVATIONS:
        raise CheckpointError(
            f"a policy record of kind 'mlp' has the activation {activation!r}; {nearest(str(activation), ACTIVATIONS)}"
        )
    network = MaskedMLP(width, record["hidden"], actions, activation=activation)
    weights = {name: torch.tensor(np.asarray(array)) for name, array in record["weights"].items()}
    expected = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    found = {name: tuple(tensor.shape) for name, tensor in weights.items()}
    if expected != found:
        raise CheckpointError(
            f"the network does not fit {game!r}: layers {found} where observation size {width} and {actions} actions "
            f"ask for {expected}"
        )
    network.load_state_dict(weights)
    return network


def _policy(record: PolicyRecord, game: Game, player: int) -> TorchPolicy:
    return TorchPolicy(_network(record, game, player))


RECORD = RecordKind(id="mlp", to_policy=_policy, to_network=_network)
