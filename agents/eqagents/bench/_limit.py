"""How near an iteration comes to what the memory allows.

Bytes of an iteration, player by player, from the layout (`eqsolvers.extensive_form._lanes`): every byte that a pass up
or down the player's units reads, once, and every byte that it writes, once more. With U units, W of them wide, of q
positions in all (every lane of a vector counts, used or not), B blocks, E single payoffs, all read as the kernel does:

- up: the index of the units, 13 U + 4 W; the starts of the blocks of each action and 8 B for the blocks; the matrices
  of the blocks; the starts of single payoffs and 12 E for these; the part of the other's plan that some payoff is taken
  against, 8 bytes a position; regrets, strategy and gradient, each read and written, 3 x 16 q;
- down: the index of the units again, 13 U; the strategy, 8 q; average and plan, each read and written, 2 x 16 q;
- and what units without a unit above them use of the empty sequence.

What a pass touches again while it is at hand (the strategy before it is scaled, a matrix of many blocks) counts once.
The yardstick is a triad a = b + s c in one thread, 24 bytes a number, on arrays of the same size in all as what an
iteration works on, so that it comes from the same cache, and on arrays that only the main memory holds.
"""

from __future__ import annotations

import statistics
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eqagents.bench import Row, Section, Settings, brief
from eqagents.bench._games import ALL, KUHN, LEDUC, Instance
from eqagents.bench._measure import Step, medians, paired
from eqsolvers.extensive_form._lane_kernel import LaneLoops
from eqsolvers.extensive_form._lanes import LaneSide, Layout
from eqsolvers.extensive_form._regret import RegretMinimiser
from eqsolvers.extensive_form.cfr_plus import schedule
from eqsolvers.kernels import compiled

LARGE = 192 * 2**20  # bytes of the triad in main memory, all three arrays


@compiled
def triad(sums: Any, left: Any, right: Any, factor: float, times: int) -> None:
    """`times` over: sums = left + factor * right."""
    for _ in range(times):
        for i in range(len(sums)):
            sums[i] = left[i] + factor * right[i]


def section(settings: Settings) -> Section:
    """One row per game, and one for the main memory."""
    rows = []
    for game in (KUHN, LEDUC) if settings.quick else ALL:
        rows.append(_row(game, settings))
        settings.say(brief(rows[-1]))
    large = triad_of(LARGE // 64 if settings.quick else LARGE)
    slow = medians(paired({"triad": large.step}, settings))["triad"]
    rows.append(
        {"game": "(main memory)", "working_bytes": large.bytes, "triad_gb_per_second": large.bytes / slow / 1e9}
    )
    settings.say(brief(rows[-1]))
    return Section(
        id="limit",
        title="CFR+ against the memory: bytes of an iteration over its time, beside a triad of the same size",
        columns={
            "game": "game",
            "working_bytes": "working set, bytes",
            "bytes_per_iteration": "bytes an iteration",
            "microseconds": "microseconds",
            "gb_per_second": "GB/s",
            "triad_gb_per_second": "triad GB/s",
            "share": "share of the triad",
            "multiply_adds": "payoff multiply-adds",
        },
        rows=rows,
        notes=(
            "Bytes of an iteration: every byte that a pass up or down the game reads, once, and every byte that it "
            "writes; the docstring of eqagents.bench._limit has the formula.",
            "The triad streams three arrays whose sizes add up to the working set, in one thread, 24 bytes a number. A "
            "share below 1 is time that goes into arithmetic, dependent loads and branches instead.",
        ),
    )


class triad_of:  # noqa: N801 - reads as a function
    """A triad whose arrays take about that many bytes in all."""

    def __init__(self, size: int) -> None:
        length = max(1, size // 24)
        self.bytes = 24 * length
        self._arrays = (np.zeros(length), np.ones(length), np.ones(length))
        triad(*self._arrays, 0.5, 0)

    def step(self, times: int) -> None:
        """Go over the arrays that many times."""
        triad(*self._arrays, 0.5, times)


def _row(game: Instance, settings: Settings) -> Row:
    process = RegretMinimiser(game.model(), schedule())
    loops = process._loops
    assert isinstance(loops, LaneLoops)
    layout = loops.layout
    working = sum(array.nbytes for side in layout.sides for array in side if isinstance(array, np.ndarray))
    working += sum(array.nbytes for tables in loops.tables for array in tables.values())
    moved = bytes_per_iteration(layout)
    yardstick = triad_of(working)
    contestants: dict[str, Step | None] = {"eqenvs": process.run, "triad": yardstick.step}
    measured = paired(contestants, settings)
    found = medians(measured)
    shares = [
        (moved / ours) / (yardstick.bytes / theirs)
        for ours, theirs in zip(measured["eqenvs"], measured["triad"], strict=True)
    ]
    return {
        "game": game.name,
        "parameters": game.parameters,
        "working_bytes": working,
        "bytes_per_iteration": moved,
        "microseconds": 1e6 * found["eqenvs"],
        "gb_per_second": moved / found["eqenvs"] / 1e9,
        "triad_gb_per_second": yardstick.bytes / found["triad"] / 1e9,
        "share": statistics.median(shares),
        "multiply_adds": sum(_multiply_adds(side, layout.width) for side in layout.sides),
    }


def bytes_per_iteration(layout: Layout) -> int:
    """By the formula above."""
    return sum(
        _bytes_of(side, layout.width, size, other)
        for side, size, other in zip(layout.sides, layout.sizes, reversed(layout.sizes), strict=True)
    )


def _bytes_of(side: LaneSide, width: int, size: int, size_of_other: int) -> int:
    """One player's share; `size` are positions."""
    wide = side.wide == 1
    first = side.first.astype(np.int64)
    length = side.actions.astype(np.int64) * np.where(wide, width, 1)
    own = _marked(size, first, length)
    above = _marked(size, side.parent, np.where(wide, width, 1))
    root = _marked(size, np.zeros(1, dtype=np.int64), np.array([width]))
    # A wide unit without single payoffs looks at the ends of its range only.
    bare = wide & (side.entry_start[first] == side.entry_start[first + length])
    starts = _marked(size + 1, first[~bare], length[~bare] + 1)
    starts[first] = starts[first + length] = True
    against = _marked(size_of_other, side.block_other, np.full(len(side.block_other), side.columns))
    entries = side.entry_other[side.entry_start[width] :]  # what the empty sequence collects moves no regret
    against[entries] = True
    index = 13 * len(first)
    payoffs = side.block_start.nbytes * bool(wide.any()) + 8 * len(side.block_other) + side.patterns.nbytes
    payoffs += 4 * int(starts.sum()) + 12 * len(entries) + 8 * int(against.sum())
    q = int(own.sum())
    up = index + 4 * int(wide.sum()) + payoffs + 2 * 16 * q
    up += 8 * int((own | above).sum()) + 8 * int((own | above | root).sum())  # gradient, set to zero at the end
    down = index + 8 * q + 16 * int((own | root).sum())
    down += 8 * int((own | above).sum()) + 8 * q  # plan
    return up + down


def _marked(size: int, starts: Any, lengths: Any) -> NDArray[np.bool_]:
    """Which of `size` positions lie in one of the ranges."""
    steps = np.zeros(size + 1, dtype=np.int64)
    np.add.at(steps, np.asarray(starts, dtype=np.int64), 1)
    np.add.at(steps, np.asarray(starts, dtype=np.int64) + lengths, -1)
    marked: NDArray[np.bool_] = np.cumsum(steps)[:-1] > 0
    return marked


def _multiply_adds(side: LaneSide, width: int) -> int:
    return len(side.block_other) * side.columns * width + len(side.entry_value)
