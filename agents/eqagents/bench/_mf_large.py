"""A grid of 100 x 100 cells over 200 decisions: seconds an iteration, NashConv reached, and the memory of the process.

Each method runs in a fresh process (`python -m eqagents.bench._mf_large`), whose peak resident memory is all that it
ever held: the interpreter, compiled code and the game included. What that is before the game is made is told apart.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from pathlib import Path

from eqagents.bench import Row, Section, Settings, brief
from eqagents.bench._measure import seconds_of
from eqagents.bench._mf_peers import METHODS, model_of
from eqenvs.spec import Family
from eqsolvers.result import solvers

ETA = 0.02  # of mirror descent: with 0.1 it goes round, as values add up over 200 decisions
LOOKS = (1, 10, 30, 100)  # iterations at which NashConv is looked at
MEGABYTE = 2**20
UNIT = 1 if sys.platform == "darwin" else 1024  # bytes of `ru_maxrss`
STATUS = Path("/proc/self/status")


def section(settings: Settings) -> Section:
    """A row per method and look."""
    size, horizon = (10, 20) if settings.quick else (100, 200)
    looks = LOOKS[:2] if settings.quick else LOOKS
    rows: list[Row] = []
    for method in METHODS:
        command = [sys.executable, "-m", "eqagents.bench._mf_large", method, str(size), str(horizon), *map(str, looks)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        for line in done.stdout.splitlines():
            rows.append(json.loads(line))
            settings.say(brief(rows[-1]))
    return Section(
        id="large",
        title=f"2-D crowd, {size} x {size} cells, {horizon} decisions",
        columns={
            "method": "method",
            "iterations": "iterations",
            "nash_conv": "NashConv",
            "best_nash_conv": "best so far",
            "seconds_per_iteration": "CPU seconds an iteration",
            "evaluation_seconds": "CPU seconds an evaluation",
            "peak_megabytes": "peak memory, MiB",
            "start_megabytes": "of which before the game, MiB",
        },
        rows=rows,
        notes=(
            f"The game's other parameters are its defaults; eta is {ETA}. The row of 0 iterations has NashConv of the "
            "uniform policy. The peak is of a process that does nothing else, at the end of the row.",
        ),
    )


def measure(method: str, size: int, horizon: int, looks: list[int]) -> list[Row]:
    """The rows of one method, in this process."""
    spec = solvers(Family.MEAN_FIELD)[method]
    assert spec.start is not None
    spec.compile(model_of("crowd_2d", size=3, horizon=2))
    before = peak()
    settings = {"eta": ETA} if method == "omd" else {}
    process = spec.start(model_of("crowd_2d", size=size, horizon=horizon), settings=settings)
    rows, seconds = [], 0.0
    for look in (0, *looks):
        started = time.process_time()
        process.run(look - process.iteration)
        seconds += time.process_time() - started
        looking = seconds_of(process.residual)
        # Fictitious play begins with the evaluation that was just made for the look.
        seconds += looking if method == "fictitious-play" and look < looks[-1] else 0.0
        rows.append(
            {
                "method": method,
                "iterations": look,
                "nash_conv": process.residual(),
                "best_nash_conv": process.measures()["best_nash_conv"],
                "seconds_per_iteration": seconds / look if look else None,
                "evaluation_seconds": looking,
                "peak_megabytes": peak() / MEGABYTE,
                "start_megabytes": before / MEGABYTE,
            }
        )
    return rows


def peak() -> int:
    """Bytes that this process has held at most."""
    # Linux hands `ru_maxrss` on from a parent to what it starts; the address space's own high-water mark begins anew.
    if STATUS.exists():
        for line in STATUS.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return 1024 * int(line.split()[1])
    return UNIT * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


if __name__ == "__main__":
    name, *numbers = sys.argv[1:]
    for row in measure(name, int(numbers[0]), int(numbers[1]), list(map(int, numbers[2:]))):
        sys.stdout.write(json.dumps(row) + "\n")
