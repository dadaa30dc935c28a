"""Ray actors that work on one thing at the same time, joined by torch.distributed.

An actor that dies leaves the others waiting for it, so the gang lives and dies as one: it is killed whole, made anew,
and its tasks, which are pure, run again.
"""

from __future__ import annotations

import contextlib
import logging
import socket
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import ray
from ray.exceptions import OutOfMemoryError, RayActorError, RayError, RayTaskError

from eqagents.distributed.task import Raised, Task, execute
from eqenvs.errors import InputError

logger = logging.getLogger(__name__)

PATIENCE = timedelta(minutes=10)  # that a member waits for another


class NotJoinedError(Exception):
    """The members did not meet; the port may have been taken since it was looked for."""


class GangMember:
    """One of the processes; Ray makes an actor of it."""

    def address(self) -> str:
        """Where the members can meet: this process's node, and a port that is free now."""
        with socket.socket() as probe:
            probe.bind(("", 0))
            node: str = ray.util.get_node_ip_address()  # type: ignore[no-untyped-call]
            return f"{node}:{probe.getsockname()[1]}"

    def join(self, address: str, rank: int, size: int) -> None:
        """Meet the others; returns when all are there."""
        import torch

        # Each where its tensors are: fitting on the CPU of a machine with GPUs needs gloo.
        backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
        torch.distributed.init_process_group(
            backend, init_method=f"tcp://{address}", rank=rank, world_size=size, timeout=PATIENCE
        )

    def run(self, task: Task, seed: int, objects: dict[str, Any]) -> Any:
        """The task's result; `Raised` where it failed."""
        try:
            return execute(task, seed, {name: ray.get(reference) for name, reference in objects.items()})
        except Exception as error:
            return Raised(error)


class Gang:
    """Processes that are joined.

    Args:
        size: how many.
        actor: `GangMember` as a Ray actor class, with its resources.
    """

    def __init__(self, size: int, actor: Any) -> None:
        self.size = size
        self._members = [actor.remote() for _ in range(size)]
        try:
            address = ray.get(self._members[0].address.remote())
            ray.get([member.join.remote(address, rank, size) for rank, member in enumerate(self._members)])
        except RayTaskError as error:
            self.kill()
            raise NotJoinedError(str(error.cause)) from error
        except RayError:
            self.kill()
            raise

    def run(self, tasks: Sequence[Task], seed: int, objects: Sequence[dict[str, Any]]) -> list[Any]:
        """The tasks' results, one a member; `objects` are references of what each refers to.

        Raises:
            InputError: a task raised it; the gang is dead then, as after any error.
            TaskError: a task raised anything else.
            RayActorError: a member died.
        """
        sent = [m.run.remote(t, seed, known) for m, t, known in zip(self._members, tasks, objects, strict=True)]
        waiting, results = list(sent), {}
        try:
            while waiting:
                (ready, *_), waiting = ray.wait(waiting, num_returns=1)
                result = ray.get(ready)
                if isinstance(result, Raised):
                    raise result.error
                results[ready] = result
        except BaseException:
            self.kill()  # the others wait for the one that failed
            raise
        return [results[reference] for reference in sent]

    def kill(self) -> None:
        """End all of them."""
        for member in self._members:
            with contextlib.suppress(RayError, ValueError):
                ray.kill(member, no_restart=True)


class Gangs:
    """The gang of an executor, made when first asked for and made anew where it was lost.

    Args:
        actor: see `Gang`.
        retries: times that tasks are run again after a loss.
    """

    def __init__(self, actor: Any, retries: int) -> None:
        self._actor, self._retries = actor, retries
        self._gang: Gang | None = None

    def run(self, tasks: Sequence[Task], seed: int, objects: Sequence[dict[str, Any]]) -> list[Any]:
        """See `Executor.together`."""
        for attempt in range(self._retries + 1):
            try:
                gang, self._gang = self._gang, None
                if gang is not None and gang.size != len(tasks):
                    gang.kill()
                    gang = None
                gang = gang or Gang(len(tasks), self._actor)
                results = gang.run(tasks, seed, objects)
            except (RayActorError, OutOfMemoryError, NotJoinedError) as error:
                reason = str(error).strip().partition("\n")[0]
                logger.warning("a process of %d was lost, attempt %d: %s", len(tasks), attempt + 1, reason)
            else:
                self._gang = gang
                return results
        raise InputError(f"the {len(tasks)} processes were lost {self._retries + 1} times")

    def kill(self) -> None:
        """End it."""
        if self._gang is not None:
            self._gang.kill()
            self._gang = None
