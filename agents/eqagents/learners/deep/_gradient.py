"""Adam on the parts of a module, and what is said when numbers give out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from eqenvs.errors import InputError


class GradientSteps:
    """Adam, every part with a step size and a bound on the gradient's norm of its own.

    Args:
        networks: changed by `step`.
        parts: of the networks, by name; disjoint, and together all of them.
        clip: largest norm of a part's gradient.
    """

    def __init__(self, networks: nn.Module, parts: Mapping[str, nn.Module], clip: float) -> None:
        self._networks, self._clip = networks, clip
        self._parts = {name: list(part.parameters()) for name, part in parts.items()}
        self._optimiser: Any = torch.optim.Adam(
            [{"params": part, "lr": 1.0} for part in self._parts.values()], lr=1.0, eps=1e-5, foreach=True
        )
        names = {parameter: name for name, parameter in networks.named_parameters()}
        self._names = [names[parameter] for part in self._parts.values() for parameter in part]
        self._device = next(networks.parameters()).device
        self._cuda = self._device.type == "cuda"

    def begin(self, rates: Mapping[str, float]) -> None:
        """Step sizes, by part, for the steps to come."""
        for name, group in zip(self._parts, self._optimiser.param_groups, strict=True):
            group["lr"] = rates[name]
        if self._cuda:
            torch.cuda.reset_peak_memory_stats(self._device)

    def step(self, loss: Tensor, rows: int = 1) -> Tensor:
        """One step, and the norms of the parts' gradients.

        Args:
            loss: a mean over rows.
            rows: how many; where processes are joined, the step is on the mean over the rows of all.
        """
        self._optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        if joined():
            self._average(rows)
        norms = [torch.nn.utils.clip_grad_norm_(part, self._clip) for part in self._parts.values()]
        self._optimiser.step()
        return torch.stack(norms)

    def _average(self, rows: int) -> None:
        parameters = [parameter for part in self._parts.values() for parameter in part]
        own = [torch.zeros_like(p) if p.grad is None else p.grad for p in parameters]
        flat = torch.cat([*(gradient.reshape(-1) * rows for gradient in own), own[0].new_tensor([float(rows)])])
        torch.distributed.all_reduce(flat)
        flat = flat[:-1] / flat[-1]
        parts = torch.split(flat, [parameter.numel() for parameter in parameters])
        for parameter, gradient in zip(parameters, parts, strict=True):
            parameter.grad = gradient.view_as(parameter)

    def peak_bytes(self) -> int:
        """Most memory allocated since `begin`, on a CUDA device; 0 elsewhere."""
        return torch.cuda.max_memory_allocated(self._device) if self._cuda else 0

    def state(self) -> dict[str, dict[str, Tensor]]:
        """What Adam remembers of each parameter, copied."""
        kept = self._optimiser.state_dict()["state"]
        return {
            name: {key: torch.as_tensor(value).clone() for key, value in kept[place].items()}
            for place, name in enumerate(self._names)
            if place in kept
        }

    def load(self, state: Mapping[str, Mapping[str, Tensor]]) -> None:
        """Take up what `state` gave."""
        groups = self._optimiser.state_dict()["param_groups"]
        entries = {place: dict(state[name]) for place, name in enumerate(self._names) if name in state}
        self._optimiser.load_state_dict({"state": entries, "param_groups": groups})

    def require_finite(self, iteration: int, inputs: Mapping[str, Tensor], means: Mapping[str, float]) -> None:
        """That training goes on.

        Args:
            iteration: iterations done.
            inputs: of the losses, by name.
            means: losses and norms, by name.

        Raises:
            InputError: if a mean is not finite, naming the first tensor that is not.
        """
        if all(mean == mean and abs(mean) != float("inf") for mean in means.values()):
            return
        losses = {name: torch.tensor(mean) for name, mean in means.items()}
        # In the order in which one spoils the next.
        suspects = {**inputs, **losses, **dict(self._networks.named_parameters())}
        bad = (name for name, tensor in suspects.items() if not bool(torch.isfinite(tensor).all()))
        raise InputError(
            f"iteration {iteration + 1}: {next(bad, 'a gradient')} is not finite; the last checkpoint is kept; train "
            "with a lower learning_rate or gradient_clip"
        )


def joined() -> bool:
    """Whether this process fits together with others."""
    return torch.distributed.is_available() and torch.distributed.is_initialized()
