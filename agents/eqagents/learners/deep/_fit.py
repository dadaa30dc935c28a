"""Passes of gradient steps over the decisions of one iteration."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from eqagents.learners.deep._batch import Batch
from eqagents.learners.deep._config import FitConfig
from eqagents.learners.deep._gradient import GradientSteps
from eqagents.rollout.memory import memory_named
from eqagents.rollout.networks import ActorCritic

_MEANS = ("the policy's loss", "the critic's loss", "the gradient's norm")


class Fitter:
    """Adam on the networks.

    Args:
        networks: changed by `fit`.
        config: how.
    """

    def __init__(self, networks: ActorCritic, config: FitConfig) -> None:
        self._networks, self._config = networks, config
        self._steps = GradientSteps(networks, {"all": networks}, config.gradient_clip)
        self._forward: Callable[[Batch], tuple[Tensor, Tensor]] = self._outputs
        if config.compile:
            self._forward = torch.compile(self._outputs, dynamic=True)

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
        with memory_named(lambda: self._out_of_memory(batch)):
            return self._fit(batch, loss, iteration, order)

    def _fit(
        self, batch: Batch, loss: Callable[[Tensor, Batch], Tensor], iteration: int, order: torch.Generator
    ) -> dict[str, float]:
        config, device = self._config, batch.actions.device
        rate = config.learning_rate.at(iteration)
        self._steps.begin({"all": rate})
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
                norm = self._steps.step(of_policy + config.value_weight * of_critic, len(index))
                sums += torch.stack([of_policy.detach(), of_critic.detach(), norm[0]])
                steps += 1
        means = (sums / max(1, steps)).tolist()
        legal = batch.log_policy.masked_fill(~batch.masks, 0.0)
        inputs = {**batch._asdict(), "log_policy": legal}
        self._steps.require_finite(iteration, inputs, dict(zip(_MEANS, means, strict=True)))
        return {
            "fit/policy_loss": means[0],
            "fit/squared_value_error": means[1],
            "fit/gradient_norm": means[2],
            "fit/learning_rate": rate,
        }

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
        return self._steps.peak_bytes()

    def state(self) -> dict[str, dict[str, Tensor]]:
        """What Adam remembers of each parameter, copied."""
        return self._steps.state()

    def load(self, state: Mapping[str, Mapping[str, Tensor]]) -> None:
        """Take up what `state` gave."""
        self._steps.load(state)
