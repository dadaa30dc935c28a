"""Several multilayer perceptrons of one shape as one module: every row of a batch goes through its own.

Rows are sorted by member and cut into tiles of one member each; a layer is one batched matrix product over the tiles,
with no loop over the members. Work is that of the rows plus at most a tile a member, however uneven the members are.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from eqagents.policies.mlp import ACTIVATIONS, RECORD, MaskedMLP, masked_log_softmax
from eqagents.policies.records import PolicyRecord

LEAST_TILE = 32  # rows


class StackedMLP(nn.Module):
    """K perceptrons.

    Args:
        members: networks with the same layers and activation, at least one; their weights are copied.

    Attributes:
        hidden: widths of the hidden layers.
        activation: of the hidden layers.
    """

    def __init__(self, members: Sequence[MaskedMLP]) -> None:
        super().__init__()
        self.hidden, self.activation = members[0].hidden, members[0].activation
        layers = [[layer for layer in member.layers if isinstance(layer, nn.Linear)] for member in members]
        with torch.no_grad():
            alike = list(zip(*layers, strict=True))
            self.weights = nn.ParameterList(torch.stack([each.weight.T for each in same]) for same in alike)
            self.biases = nn.ParameterList(torch.stack([each.bias for each in same]) for same in alike)
        self._count = len(members)
        self._act = ACTIVATIONS[self.activation]()

    def __len__(self) -> int:
        return self._count

    def forward(self, observations: Tensor, member: Tensor, masks: Tensor | None = None) -> Tensor:
        """Outputs [B, A] for observations [B, D] and members [B] int64; with masks [B, A], masked log-probabilities."""
        outputs = self._through(observations, member) if len(self) == 1 else self._tiled(observations, member)
        return outputs if masks is None else masked_log_softmax(outputs, masks)

    def _tiled(self, observations: Tensor, member: Tensor) -> Tensor:
        rows, count = len(member), len(self)
        order = torch.argsort(member, stable=True)
        sizes = torch.bincount(member, minlength=count)
        tile = max(LEAST_TILE, -(-rows // (4 * count)))
        tiles = (sizes + tile - 1) // tile
        of_tile = torch.repeat_interleave(torch.arange(count, device=member.device), tiles)
        first_row, first_tile = torch.cumsum(sizes, 0) - sizes, torch.cumsum(tiles, 0) - tiles
        sorted_member = member[order]
        place = torch.arange(rows, device=member.device) - first_row[sorted_member] + first_tile[sorted_member] * tile
        padded = observations.new_zeros((len(of_tile) * tile, observations.shape[1]))
        padded[place] = observations[order]
        tiled = padded.view(len(of_tile), tile, padded.shape[1])  # no -1: there may be no rows
        outputs = self._through(tiled, of_tile).reshape(len(padded), self.biases[-1].shape[1])[place]
        return torch.empty_like(outputs).index_copy(0, order, outputs)

    def _through(self, tiles: Tensor, member: Tensor) -> Tensor:
        """[M, R, A] from [M, R, D], or [R, A] from [R, D] where there is one member."""
        outputs = tiles
        # A look-up in a ParameterList costs as much as a small layer.
        layers = zip(self.weights._parameters.values(), self.biases._parameters.values(), strict=True)
        for place, (weight, bias) in enumerate(layers):
            assert weight is not None  # a module's parameters can be, and so can the next
            assert bias is not None
            if place:
                outputs = self._act(outputs)
            if self._count == 1:
                outputs = torch.addmm(bias[0], outputs, weight[0])
            else:
                outputs = torch.baddbmm(bias[member][:, None], outputs, weight[member])
        return outputs

    def record(self, member: int) -> PolicyRecord:
        """One member as a record of kind `mlp`."""
        arrays: dict[str, np.ndarray] = {}
        for place, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            arrays[f"layers.{2 * place}.weight"] = np.ascontiguousarray(weight[member].detach().cpu().numpy().T)
            arrays[f"layers.{2 * place}.bias"] = bias[member].detach().cpu().numpy().copy()
        return RECORD.record({"hidden": list(self.hidden), "activation": self.activation, "weights": arrays})
