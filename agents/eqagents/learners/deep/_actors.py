"""Playing the games of an iteration through an executor, with the next iteration's play begun early if asked for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor

from eqagents.distributed import Executor, Task, run_ordered
from eqagents.learners.deep._config import PlayConfig
from eqagents.rollout.behaviour import Behaviour
from eqagents.rollout.memory import memory_named
from eqagents.rollout.networks import NetworkConfig, Weights, arrays_of
from eqagents.rollout.task import MakesNetworks
from eqagents.rollout.trajectory import Rollout, changed_once, joined
from eqenvs.game import Game

_PLAY = "eqagents.rollout.task:play"


class Played(NamedTuple):
    """An iteration's play.

    Attributes:
        rollout: the tasks' side by side, in their order.
        snapshots: where each task's games stand now.
        seconds: spent playing, all tasks together.
    """

    rollout: Rollout
    snapshots: tuple[Any, ...]
    seconds: float


class Plays(Protocol):
    """Who plays the games of a learner."""

    def begin(self, iteration: int, weights: Weights, behaviour: Behaviour, snapshots: tuple[Any, ...]) -> None:
        """Start an iteration's play; `collect` takes it up."""

    def collect(self, iteration: int, weights: Weights, behaviour: Behaviour, snapshots: tuple[Any, ...]) -> Played:
        """The play of an iteration, from snapshots (None for new games)."""


class Actors:
    """Tasks of an executor.

    Args:
        game: the game.
        play: how much, and where.
        network: shape of the networks.
        make: gives networks of the shape.
        executor: runs the tasks.
        device: of the rollouts.
    """

    def __init__(
        self,
        game: Game,
        play: PlayConfig,
        network: NetworkConfig,
        make: MakesNetworks,
        executor: Executor,
        device: torch.device,
    ) -> None:
        self._play, self._executor, self._device = play, executor, device
        self._game, self._network, self._make = executor.publish(game), network, make
        self._flight: tuple[int, Weights, tuple[Any, ...], Iterator[Any]] | None = None

    def begin(self, iteration: int, weights: Weights, behaviour: Behaviour, snapshots: tuple[Any, ...]) -> None:
        """Start an iteration's play; `collect` takes it up."""
        tasks = self._tasks(iteration, weights, behaviour, snapshots)
        self._flight = iteration, weights, snapshots, self._executor.run(tasks)

    def collect(self, iteration: int, weights: Weights, behaviour: Behaviour, snapshots: tuple[Any, ...]) -> Played:
        """The play of an iteration, from snapshots (None for new games): the one begun, if it is the same."""
        flight, self._flight = self._flight, None
        if flight is not None and flight[0] == iteration and flight[1] is weights and flight[2] is snapshots:
            found = dict(flight[3])
            results = [found[iteration, index] for index in range(len(snapshots))]
        else:
            results = run_ordered(self._executor, self._tasks(iteration, weights, behaviour, snapshots))
        parts = [Rollout(*changed_once(result["rollout"], _tensor)) for result in results]
        with memory_named(lambda: self._out_of_memory(parts)):
            rollout = joined(parts).to(self._device)
        return Played(
            rollout,
            tuple(result["snapshot"] for result in results),
            float(sum(result["seconds"] for result in results)),
        )

    def _out_of_memory(self, parts: list[Rollout]) -> str:
        size = sum(part.nbytes() for part in parts)
        return (
            f"out of memory on {self._device}: {size:,} bytes of play, {self._play.tasks:,} tasks of "
            f"{self._play.num_envs:,} games and {self._play.steps:,} stages; lower play.tasks, play.num_envs or "
            "play.steps"
        )

    def _tasks(self, iteration: int, weights: Weights, behaviour: Behaviour, snapshots: tuple[Any, ...]) -> list[Task]:
        play, remote = self._play, self._executor.workers > 0
        shared = self._executor.publish(arrays_of(weights) if remote else weights)
        return [
            Task(
                (iteration, index),
                _PLAY,
                {
                    "game": self._game, "network": self._network, "weights": shared, "snapshot": snapshot,
                    "num_envs": play.num_envs, "steps": play.steps, "source": play.source, "device": play.device,
                    "arrays": remote, "make": self._make, "behaviour": behaviour,
                },
            )
            for index, snapshot in enumerate(snapshots)
        ]  # fmt: skip


def _tensor(part: Any) -> Tensor:
    # A worker's arrays are read-only, which torch's tensors cannot be.
    return part if isinstance(part, Tensor) else torch.from_numpy(np.array(part))


def stored(snapshot: Any) -> Any:
    """A snapshot as arrays, for a checkpoint."""
    if snapshot is None:
        return None
    return [leaf.cpu().numpy() if isinstance(leaf, Tensor) else np.asarray(leaf) for leaf in snapshot]
