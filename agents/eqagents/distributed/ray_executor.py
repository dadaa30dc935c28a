"""Tasks on Ray: stateless worker actors behind one dynamic queue.

A worker that dies is restarted by Ray, and its tasks are sent again: they are pure, so running one twice is harmless.
Results come back as Ray gives them: their arrays are read-only and may lie in shared memory, which they hold while
they live (copy before `torch.from_numpy`). Cost: a call of a worker is about a millisecond, so short tasks of a
function share calls, by what tasks of that function took so far.
"""

from __future__ import annotations

import weakref
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import ray

from eqagents.distributed.cluster import import_path, require_room, start_ray
from eqagents.distributed.crew import Actor, Crew
from eqagents.distributed.executor import Executor, Stream
from eqagents.distributed.gang import GangMember, Gangs
from eqagents.distributed.ray_stream import RayStream
from eqagents.distributed.task import Handle, Task, handles
from eqenvs.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class RayExecutor(Executor):
    """Runs tasks on Ray workers.

    Starts Ray on this machine unless it is initialised already or an address is given, and shuts down only what it
    started or connected to. Modules that this process can import, its workers on the same machine can; on a cluster
    at an address, the nodes receive this process's `eqenvs`, `eqsolvers` and `eqagents`, and need the rest installed.
    Make it with `make_executor`: there, a Ray that it starts listens on 127.0.0.1 only.

    Args:
        seed: root of all random streams, >= 0.
        workers: worker processes, >= 1; each reserves one CPU.
        address: Ray cluster to connect to; None: this machine.
        num_gpus_per_worker: GPUs that each worker reserves, >= 0; fractions share one.
        num_gpus_per_learner: GPUs that each process of `together` reserves, >= 0.
        resources_per_worker: custom resources that each worker reserves, by name; it runs on a node that has them.
        resources_per_learner: the same for each process of `together`.
        in_flight: calls sent to a worker before it answers, >= 1; with no retries, one is sent at a time.
        retries: times that a task is sent again after the loss of its worker, >= 0. A task that was lost once has a
            worker for itself from then on, so that none is blamed for what its neighbour does.
        object_store_memory: shared memory of a Ray started here, in bytes; None: fits /dev/shm, at most 2 GiB.

    Raises:
        ValueError: an argument out of range.
        InputError: the cluster's nodes have no room for the workers, or for a learner, or it cannot be reached.
    """

    def __init__(
        self,
        seed: int,
        workers: int,
        address: str | None = None,
        num_gpus_per_worker: float = 0.0,
        num_gpus_per_learner: float = 0.0,
        resources_per_worker: Mapping[str, float] = MappingProxyType({}),
        resources_per_learner: Mapping[str, float] = MappingProxyType({}),
        in_flight: int = 2,
        retries: int = 3,
        object_store_memory: int | None = None,
    ) -> None:
        for name, value, least in (("workers", workers, 1), ("in_flight", in_flight, 1), ("retries", retries, 0)):
            if value < least:
                raise ValueError(f"{name} must be >= {least}, got {value}")
        self._seed = seed
        self._published: dict[str, Any] = {}
        self._owns_ray = not ray.is_initialized()
        if self._owns_ray:
            start_ray(workers, address, object_store_memory)
        environment = {"OMP_NUM_THREADS": "1"}
        if address is None or not self._owns_ray:
            environment["PYTHONPATH"] = import_path()
        actor: Any = ray.remote(Actor).options(
            num_cpus=1,
            num_gpus=num_gpus_per_worker,
            resources=dict(resources_per_worker),
            max_restarts=-1,
            max_task_retries=0,
            runtime_env={"env_vars": environment},
        )
        learner: Any = ray.remote(GangMember).options(
            num_cpus=0,
            num_gpus=num_gpus_per_learner,
            resources=dict(resources_per_learner),
            runtime_env={"env_vars": environment},
        )
        self._crew = Crew(actor, seed, workers, in_flight, retries)
        self._gangs = Gangs(learner, retries)
        try:
            require_room(workers, {"CPU": 1, "GPU": num_gpus_per_worker, **resources_per_worker}, f"workers={workers}")
            require_room(1, {"GPU": num_gpus_per_learner, **resources_per_learner}, "learner processes")
        except InputError:
            self.close()
            raise

    @property
    def workers(self) -> int:
        """Number of worker processes."""
        return len(self._crew.workers)

    def publish(self, obj: Any) -> Handle:
        """Copies the object to shared memory, once."""
        self._crew.require_open()
        handle = Handle()
        self._published[handle.id] = ray.put(obj)
        weakref.finalize(handle, _forget, self._published, self._crew, handle.id).atexit = False
        return handle

    def release(self, handle: Handle) -> None:
        """See `Executor.release`; tasks that were sent already still get the object."""
        _forget(self._published, self._crew, handle.id)

    def stream(self) -> Stream:
        """See `Executor.stream`; arrays in results are read-only. Tasks are sent to workers at once."""
        self._crew.require_open()
        return RayStream(self._crew, self._references)

    def together(self, tasks: Sequence[Task]) -> list[Any]:
        """See `Executor.together`. The processes stay for the next call; they reserve GPUs and no CPU."""
        self._crew.require_open()
        return self._gangs.run(tasks, self._seed, [self._references(task) for task in tasks])

    def close(self) -> None:
        """Kills this executor's workers; stops Ray where this executor started it, leaves a cluster it connected to."""
        if self._crew.closed:
            return
        self._crew.close()
        self._gangs.kill()
        self._published.clear()
        if self._owns_ray:
            ray.shutdown()

    def _references(self, task: Task) -> dict[str, Any]:
        # A handle that is not published here is left to `execute`, whose error names the task.
        used = {handle.id for handle in handles(task.arguments)}
        return {name: self._published[name] for name in used if name in self._published}


def _forget(published: dict[str, Any], crew: Crew, name: str) -> None:
    if published.pop(name, None) is not None:
        crew.forget(name)
