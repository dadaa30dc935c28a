"""Executors: pure tasks run in this process or on Ray, with the same results to the bit.

This package is the only importer of ray, and imports it when the first Ray executor is made.
"""

from __future__ import annotations

import os
import sys

from eqagents.distributed.config import ExecutorConfig
from eqagents.distributed.executor import Executor, InlineExecutor, Stream, run_ordered
from eqagents.distributed.flow import Flow, Job, Work, asked, outcome
from eqagents.distributed.task import Failed, Handle, Raised, Task, TaskError, execute, one_torch_thread

__all__ = [
    "Executor",
    "ExecutorConfig",
    "Failed",
    "Flow",
    "Handle",
    "InlineExecutor",
    "Job",
    "Raised",
    "Stream",
    "Task",
    "TaskError",
    "Work",
    "asked",
    "execute",
    "make_executor",
    "one_torch_thread",
    "outcome",
    "run_ordered",
    "start_ray",
]


def make_executor(config: ExecutorConfig, seed: int) -> Executor:
    """The executor that a configuration describes.

    Args:
        config: where to run; with `workers` 0 in this process, otherwise on Ray.
        seed: root of all random streams, >= 0.

    Raises:
        InputError: the Ray cluster's nodes have no room for the workers, or it cannot be reached.
    """
    if config.workers == 0:
        return InlineExecutor(seed)
    _keep_to_loopback(config.address)
    from eqagents.distributed.ray_executor import RayExecutor

    return RayExecutor(
        seed,
        config.workers,
        address=config.address,
        num_gpus_per_worker=config.num_gpus_per_worker,
        num_gpus_per_learner=config.num_gpus_per_learner,
        resources_per_worker=config.resources_per_worker,
        resources_per_learner=config.resources_per_learner,
        in_flight=config.in_flight,
        retries=config.retries,
        object_store_memory=config.object_store_memory,
    )


def start_ray(address: str | None = None, workers: int = 1) -> None:
    """Ray for a program of one's own, as an executor starts it: `RayExecutor` uses a Ray that is there.

    Call it before anything imports ray: then a Ray that is started here listens on 127.0.0.1 only. Where Ray is
    initialised already, that one stays.

    Args:
        address: of a cluster, whose nodes get this process's `eqenvs`, `eqsolvers` and `eqagents`; None: this machine.
        workers: processors that a Ray on this machine is to have at least.

    Raises:
        InputError: the cluster cannot be reached.
    """
    _keep_to_loopback(address)
    import ray

    from eqagents.distributed import cluster

    if not ray.is_initialized():
        cluster.start_ray(workers, address, None)


def _keep_to_loopback(address: str | None) -> None:
    if address is None and "ray" not in sys.modules:
        # Ray reads this when imported. At 0 a Ray started here listens on 127.0.0.1 only, as it does by default on
        # macOS and Windows; on Linux it would otherwise listen on every interface.
        os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
