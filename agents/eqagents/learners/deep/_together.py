"""Fitting networks in several processes, each on its share of the play, gradients averaged at every step.

The result is that of one process whose minibatches are the union of theirs, up to rounding; it depends on how many
there are, so that number belongs to the learner and not to the executor.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor

from eqagents.distributed import Executor, Task
from eqagents.learners.deep._batch import Batch
from eqagents.learners.deep._config import FitConfig
from eqagents.learners.deep._fit import Fitter
from eqagents.rollout.networks import ActorCritic, NetworkConfig, Weights, arrays_of, tensors_of
from eqagents.rollout.task import networks_of
from eqenvs.arrays import require_torch_device
from eqenvs.errors import InputError
from eqenvs.game import Game

# From (networks with the magnet's weights, or None; log-probabilities; decisions) to the loss.
PulledLoss: TypeAlias = Callable[[ActorCritic | None, Tensor, Batch], Tensor]

FITS = 1  # after the iteration and the task's number in the key, apart from the keys of play


class ShareError(InputError):
    """What is wrong with a share of the fit, where any other InputError is about the processes."""


@contextlib.contextmanager
def _of_a_share() -> Iterator[None]:
    try:
        yield
    except InputError as error:
        raise ShareError(str(error)) from error


@_of_a_share()
def share(
    seed: np.random.SeedSequence,
    *,
    game: Game,
    network: NetworkConfig,
    config: FitConfig,
    weights: Mapping[str, Any],
    optimiser: Mapping[str, Mapping[str, Any]],
    magnet: Mapping[str, Any] | None,
    batch: Mapping[str, Any],
    loss: PulledLoss,
    iteration: int,
) -> dict[str, Any]:
    """One process's part: fit networks to some of the decisions, together with the others.

    Args:
        seed: of the order of the batches.
        game: the game.
        network: shape of the networks.
        config: how to fit.
        weights: where the networks stand, the same for all.
        optimiser: what Adam remembers, the same for all.
        magnet: weights of the magnet's policies; None without one.
        batch: the decisions, by field.
        loss: of the policy.
        iteration: iterations done.

    Returns:
        Weights, what Adam remembers, metrics and the memory that it took.

    Raises:
        ShareError: if the device is absent, a number is not finite, or memory does not suffice.
    """
    device = require_torch_device(torch, config.device)
    networks = networks_of(game, network).to(device)
    networks.load_state_dict(tensors_of(weights, device))
    beside = None
    if magnet is not None:
        beside = networks_of(game, network).to(device)
        beside.load_state_dict(tensors_of(magnet, device))
    fitter = Fitter(networks, config)
    fitter.load({name: tensors_of(parts, device) for name, parts in optimiser.items()})
    own = Batch(**tensors_of(batch, device))
    order = torch.Generator().manual_seed(int(seed.generate_state(1, np.uint64)[0] >> np.uint64(1)))
    metrics = fitter.fit(own, partial(loss, beside), iteration, order)
    return {
        "weights": arrays_of(networks.weights()),
        "optimiser": {name: arrays_of(parts) for name, parts in fitter.state().items()},
        "metrics": metrics,
        "bytes": fitter.peak_bytes(),
    }


def fit_together(
    executor: Executor,
    game: Any,
    network: NetworkConfig,
    config: FitConfig,
    weights: Weights,
    optimiser: Mapping[str, Weights],
    magnet: Weights | None,
    batch: Batch,
    loss: PulledLoss,
    iteration: int,
) -> dict[str, Any]:
    """Fit in `config.processes` processes; `game` is published. Returns as `share`, metrics averaged.

    Raises:
        InputError: if there are too few decisions for every process to have one in every minibatch, the processes
            cannot be had, or one of them raises it.
    """
    count, decisions = config.processes, len(batch.actions)
    if decisions < count * config.minibatches:
        raise InputError(
            f"config: fit.processes {count} x fit.minibatches {config.minibatches} are more than the {decisions} "
            "decisions of an iteration; raise play.num_envs or play.steps"
        )
    shared = {
        "game": game, "network": network, "config": config, "weights": arrays_of(weights),
        "optimiser": {name: arrays_of(parts) for name, parts in optimiser.items()}, "loss": loss,
        "magnet": None if magnet is None else arrays_of(magnet), "iteration": iteration,
    }  # fmt: skip
    everyone = torch.arange(decisions, device=batch.actions.device)
    tasks = [
        Task(
            (iteration, rank, FITS),
            "eqagents.learners.deep._together:share",
            {**shared, "batch": arrays_of(batch.rows(everyone[rank::count])._asdict())},
        )
        for rank in range(count)
    ]
    try:
        results = executor.together(tasks)
    except ShareError:
        raise
    except InputError as error:
        raise InputError(f"config: fit.processes: {error}") from error
    metrics = {name: float(np.mean([each["metrics"][name] for each in results])) for name in results[0]["metrics"]}
    return {**results[0], "metrics": metrics, "bytes": max(each["bytes"] for each in results)}
