"""Gradient steps on a batch, and what is said when they go wrong."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from eqagents.learners.deep._batch import Batch
from eqagents.learners.deep._config import FitConfig
from eqagents.rollout.networks import ActorCritic
from eqenvs.errors import InputError

_MEANS = ("the policy's loss", "the critic's loss", "the gradient's norm")


class Fitter:
    """Adam on the networks.

    Args:
        networks: changed by `fit`.
        config: how.
    """

    def __init__(self, networks: ActorCritic, config: FitConfig) -> None:
        self._networks, self._config = networks, config
        self._optimiser: Any = torch.optim.Adam(networks.parameters(), lr=1.0, eps=1e-5)
        self._names = [name for name, _ in networks.named_parameters()]
        self._forward: Callable[[Batch], tuple[Tensor, Tensor]] = self._outputs
        if config.compile:
            self._forward = torch.compile(self._outputs, dynamic=True)
        self._cuda = next(networks.parameters()).device.type == "cuda"

    def _outputs(self, part: Batch) -> tuple[Tensor, Tensor]:
        log_policy = self._networks.log_policy(part.observations, part.roles, part.masks)
        return log_policy, self._networks.values(part.states, part.roles)

    def fit(
        self, batch: Batch, loss: Callable[[Tensor, Batch], Tensor], iteration: int, order: torch.Generator
    ) -> dict[str, float]:
        """Some passes over a batch.

        Args:
            batch: the decisions.
            loss: of the policy, from its log-probabilities [n, A] at some of them.
            iteration: iterations done, for the schedules.
            order: of the batches.

        Returns:
            Metrics: means over the gradient steps.

        Raises:
            InputError: if a number is not finite, naming the first such tensor, or memory does not suffice.
        """
        try:
            return self._fit(batch, loss, iteration, order)
        except (torch.OutOfMemoryError, RuntimeError) as error:
            if not isinstance(error, torch.OutOfMemoryError) and "memory" not in str(error):
                raise
            raise InputError(self._out_of_memory(batch)) from error

    def _fit(
        self, batch: Batch, loss: Callable[[Tensor, Batch], Tensor], iteration: int, order: torch.Generator
    ) -> dict[str, float]:
        config, device = self._config, batch.actions.device
        rate = config.learning_rate.at(iteration)
        self._optimiser.param_groups[0]["lr"] = rate
        if self._cuda:
            torch.cuda.reset_peak_memory_stats(device)
        sums = torch.zeros(3, device=device)
        count = min(config.minibatches, len(batch.actions))
        steps = 0
        for _ in range(config.epochs):
            shuffled = torch.randperm(len(batch.actions), generator=order).to(device)
            for index in shuffled.tensor_split(count) if count else ():
                part = batch.rows(index)
                with torch.autocast(device.type, torch.bfloat16, enabled=config.precision == "bfloat16"):
                    log_policy, values = self._forward(part)
                log_policy, values = log_policy.float(), values.float()
                of_policy = loss(log_policy, part)
                of_critic = (values - part.returns).square().mean()
                self._optimiser.zero_grad()
                (of_policy + config.value_weight * of_critic).backward()  # type: ignore[no-untyped-call]
                norm = torch.nn.utils.clip_grad_norm_(self._networks.parameters(), config.gradient_clip)
                self._optimiser.step()
                sums += torch.stack([of_policy.detach(), of_critic.detach(), norm.detach()])
                steps += 1
        means = (sums / max(1, steps)).tolist()
        self._require_finite(batch, means, iteration)
        return {
            "fit/policy_loss": means[0],
            "fit/squared_value_error": means[1],
            "fit/gradient_norm": means[2],
            "fit/learning_rate": rate,
        }

    def _require_finite(self, batch: Batch, means: list[float], iteration: int) -> None:
        if all(mean == mean and abs(mean) != float("inf") for mean in means):
            return
        legal = batch.log_policy.masked_fill(~batch.masks, 0.0)
        inputs = {**batch._asdict(), "log_policy": legal}
        weights = dict(self._networks.named_parameters())
        losses = {name: torch.tensor(mean) for name, mean in zip(_MEANS, means, strict=True)}
        suspects = {**inputs, **losses, **weights}  # in the order in which one spoils the next
        bad = (name for name, tensor in suspects.items() if not bool(torch.isfinite(tensor).all()))
        name = next(bad, "a gradient")
        raise InputError(
            f"iteration {iteration + 1}: {name} is not finite; the last checkpoint is kept; train with a lower "
            "fit.learning_rate or fit.gradient_clip"
        )

    def _out_of_memory(self, batch: Batch) -> str:
        weights = sum(part.numel() for part in self._networks.parameters())
        per_step = -(-len(batch.actions) // self._config.minibatches)
        return (
            f"out of memory on {batch.actions.device}: {len(batch.actions):,} decisions of "
            f"{batch.observations.shape[1]:,} numbers, {per_step:,} a gradient step, and {weights:,} weights; raise "
            "fit.minibatches, or lower play.num_envs, play.steps or network.hidden"
        )

    def peak_bytes(self) -> int:
        """Most memory allocated during the last fit, on a CUDA device; 0 elsewhere."""
        return torch.cuda.max_memory_allocated() if self._cuda else 0

    def state(self) -> dict[str, dict[str, Tensor]]:
        """What Adam remembers of each parameter, copied."""
        kept = self._optimiser.state_dict()["state"]
        return {
            name: {key: torch.as_tensor(value).clone() for key, value in kept[place].items()}
            for place, name in enumerate(self._names)
            if place in kept
        }

    def load(self, state: dict[str, dict[str, Tensor]]) -> None:
        """Take up what `state` gave."""
        groups = self._optimiser.state_dict()["param_groups"]
        entries = {place: dict(state[name]) for place, name in enumerate(self._names) if name in state}
        self._optimiser.load_state_dict({"state": entries, "param_groups": groups})
