"""Where tasks run, as a part of a run's configuration."""

from __future__ import annotations

import math
from typing import Self

from pydantic import Field, field_validator, model_validator

from eqagents.configuration import Settings

BUILT_IN = {
    "CPU": "a worker reserves one CPU",
    "GPU": "use num_gpus_per_worker or num_gpus_per_learner",
    "memory": "memory is not reserved",
    "object_store_memory": "shared memory is not reserved",
}  # what Ray does not take as a custom resource, and what there is instead


class ExecutorConfig(Settings):
    """Where tasks run. No field changes a result."""

    workers: int = Field(
        default=0, ge=0, description="worker processes; 0 runs every task in the driver's process, without Ray"
    )
    address: str | None = Field(
        default=None,
        min_length=1,
        description="Ray cluster to connect to, 'host:port' or 'auto'; null starts Ray on this machine",
    )
    num_gpus_per_worker: float = Field(
        default=0.0, ge=0.0, description="GPUs that each worker reserves; fractions share one"
    )
    num_gpus_per_learner: float = Field(
        default=0.0, ge=0.0, description="GPUs that each learner process (fit.processes) reserves"
    )
    resources_per_worker: dict[str, float] = Field(
        default_factory=dict,
        description="custom Ray resources that each worker reserves, by name: it runs on a node that has them",
    )
    resources_per_learner: dict[str, float] = Field(
        default_factory=dict, description="the same for each learner process (fit.processes)"
    )
    in_flight: int = Field(
        default=2,
        ge=1,
        description="calls sent to a worker before it answers, each of one task or of several short ones; "
        "2 hides the round trip",
    )
    retries: int = Field(default=3, ge=0, description="times that a task is sent again after the loss of its worker")
    object_store_memory: int | None = Field(
        default=None,
        ge=80_000_000,
        description="shared memory of a Ray started here, in bytes; null fits it to /dev/shm, at most 2 GiB",
    )

    @field_validator("resources_per_worker", "resources_per_learner")
    @classmethod
    def _custom_and_positive(cls, value: dict[str, float]) -> dict[str, float]:
        for name, amount in value.items():
            if name in BUILT_IN:
                raise ValueError(f"{name!r} is no custom resource; {BUILT_IN[name]}")
            if not 0 < amount < math.inf:
                raise ValueError(f"{name!r} must be an amount > 0, got {amount:g}")
        return value

    @model_validator(mode="after")
    def _address_needs_workers(self) -> Self:
        if self.address is not None and self.workers == 0:
            raise ValueError("address: needs workers >= 1, but workers is 0")
        return self
