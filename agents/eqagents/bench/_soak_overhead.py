"""What checkpoints cost: the share of a run's time, on the clock and of the processor, that goes into storing it."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from eqagents.bench import Row, Section
from eqagents.training.checkpoint import Cadence
from eqagents.training.config import load_config
from eqagents.training.progress import Progress
from eqagents.training.run import train

BOUND = 3.0  # percent
SECONDS = 20  # of learning
# Configurations, and what else is set; all of them run for so long, with the default `checkpoint.every`.
CONFIGS: Mapping[str, tuple[str, ...]] = {
    "cfr_leduc": ("stop.nash_conv=null", "learner.iterations_per_step=1000"),
    "psro_kuhn": (),
    "jpsro_kuhn3": (),
    "xdo_leduc": (),
    "self_play_psro_leduc": (),
    "psro_leduc": (),
    "nfsp_kuhn": (),
    "mdpo_off_policy_kuhn": (),
    "pma_leduc": (),
    "mean_field_psro": (),
    "mean_field_deep_omd": (),
    "replicas_v_learning": ("executor.workers=0",),
}


@dataclass
class Clock:
    """Time spent in something, in seconds."""

    times: int = 0
    wall: float = 0.0
    cpu: float = 0.0

    @contextmanager
    def running(self) -> Iterator[None]:
        """While that is done."""
        wall, cpu = time.perf_counter(), time.process_time()
        try:
            yield
        finally:
            self.times += 1
            self.wall += time.perf_counter() - wall
            self.cpu += time.process_time() - cpu


@contextmanager
def _clocked(clock: Clock, begun: Sequence[object]) -> Iterator[None]:
    """While checkpoints are measured, once there is something in `begun`."""
    storing = Cadence.storing

    @contextmanager
    def measured(self: Cadence) -> Iterator[None]:
        with clock.running() if begun else nullcontext(), storing(self):
            yield

    Cadence.storing = measured  # type: ignore[method-assign]
    try:
        yield
    finally:
        Cadence.storing = storing  # type: ignore[method-assign]


def overhead(file: Path, overrides: tuple[str, ...], seconds: float = SECONDS) -> Row:
    """The share of storing in a run's time, from its first iteration to its end; compiled kernels are there."""
    settings = [*overrides, "checkpoint.every=null", f"stop.seconds={seconds}"]
    config = load_config(file, [*settings, "iterations=1000000"])
    total, stored = Clock(), Clock()
    begun: list[ExitStack] = []

    def at_the_start(progress: Progress) -> None:  # after the first checkpoint, which is not counted
        if not begun:
            begun.append(ExitStack())
            begun[0].enter_context(total.running())

    with tempfile.TemporaryDirectory() as place:
        train(load_config(file, [*settings, "iterations=1"]), Path(place) / "warm")
        with _clocked(stored, begun):
            run = train(config, Path(place) / "run", at_the_start)
        begun[0].close()
        ended = run.ended()
    assert ended is not None
    wall, cpu = stored.wall / total.wall, stored.cpu / total.cpu
    return {
        "config": file.stem,
        "seconds": total.wall,
        "iterations": ended.iteration,
        "checkpoints": stored.times,
        "each_ms": 1e3 * stored.wall / stored.times,
        "wall": 100 * wall,
        "cpu": 100 * cpu,
        "within": 100 * wall < BOUND,
    }


def section(configs: Path, names: Mapping[str, tuple[str, ...]], say: Callable[[str], None]) -> Section:
    """The table."""
    rows = []
    for name, overrides in names.items():
        rows.append(overhead(configs / f"{name}.yaml", overrides))
        say("  ".join(f"{key} {value}" for key, value in rows[-1].items()))
    return Section(
        id="overhead",
        title="What checkpoints cost",
        columns={
            "config": "configuration",
            "seconds": "seconds",
            "iterations": "iterations",
            "checkpoints": "checkpoints",
            "each_ms": "ms each",
            "wall": "% of the time",
            "cpu": "% of CPU time",
            "within": "below 3 %",
        },
        rows=rows,
        notes=(
            "Storing: the state as a tree, artefacts, the checkpoint's files and their syncs, the journal. Of runs of "
            f"{SECONDS} seconds of learning, whose kernels are compiled. CPU time is the driver's.",
        ),
    )
