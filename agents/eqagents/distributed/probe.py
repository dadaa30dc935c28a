"""Task functions that probe an executor: for its tests, and for checking a cluster by hand.

>>> from eqagents.distributed import InlineExecutor, Task, run_ordered
>>> run_ordered(InlineExecutor(seed=0), [Task((0,), "eqagents.distributed.probe:echo", {"value": 5})])
[5]
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def echo(seed: np.random.SeedSequence, value: Any) -> Any:
    """Returns its argument."""
    return value


def draw(seed: np.random.SeedSequence, size: int) -> NDArray[np.float64]:
    """Returns `size` standard normal numbers."""
    return np.random.default_rng(seed).standard_normal(size)


def sleep_then_draw(seed: np.random.SeedSequence, seconds: float, size: int) -> NDArray[np.float64]:
    """Like `draw`, after a pause."""
    time.sleep(seconds)
    return draw(seed, size)


def process(seed: np.random.SeedSequence) -> int:
    """Returns the id of the process that runs it."""
    return os.getpid()


def node(seed: np.random.SeedSequence) -> str:
    """Returns the id of the Ray node that runs it."""
    import ray

    found: str = ray.get_runtime_context().get_node_id()
    return found


def torch_sum(seed: np.random.SeedSequence, size: int) -> tuple[int, float]:
    """Returns torch's thread count, and a float32 sum whose bits depend on it.

    Torch is imported here, and not above, so that the other probes start fast; the driver imports it before.
    """
    import torch

    return torch.get_num_threads(), float(torch.from_numpy(draw(seed, size)).float().sum())


def die(seed: np.random.SeedSequence) -> None:
    """Kills the process that runs it."""
    os.kill(os.getpid(), signal.SIGKILL)


def die_once(seed: np.random.SeedSequence, marker: str, size: int) -> NDArray[np.float64]:
    """Kills its process if the file `marker` does not exist yet, after making it; otherwise is `draw`."""
    if not Path(marker).exists():
        Path(marker).touch()
        die(seed)
    return draw(seed, size)


def fail(seed: np.random.SeedSequence, message: str) -> None:
    """Raises an ArithmeticError."""
    raise ArithmeticError(message)
