"""Where tasks run, as a part of a run's configuration."""

from __future__ import annotations

from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator


class ExecutorConfig(BaseModel):
    """Where tasks run. No field changes a result."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    workers: int = Field(
        default=0, ge=0, description="Worker processes, >= 0; 0 runs every task in the driver's process, without Ray."
    )
    address: str | None = Field(
        default=None,
        min_length=1,
        description="Ray cluster to connect to ('host:port', or 'auto'); null starts Ray on this machine.",
    )
    num_gpus_per_worker: float = Field(
        default=0.0, ge=0.0, description="GPUs that each worker reserves, >= 0; fractions share one GPU."
    )
    num_gpus_per_learner: float = Field(
        default=0.0, ge=0.0, description="GPUs that each learner process (fit.processes) reserves, >= 0."
    )
    in_flight: int = Field(
        default=2, ge=1, description="Tasks sent to a worker before it answers, >= 1; 2 hides the round trip."
    )
    retries: int = Field(
        default=3, ge=0, description="Times that a task is sent again after the loss of its worker, >= 0."
    )
    object_store_memory: int | None = Field(
        default=None,
        ge=80_000_000,
        description="Shared memory of a Ray started here, in bytes, >= 8e7; null fits it to /dev/shm, at most 2 GiB.",
    )

    @model_validator(mode="after")
    def _address_needs_workers(self) -> Self:
        if self.address is not None and self.workers == 0:
            raise ValueError("address: needs workers >= 1, but workers is 0")
        return self
