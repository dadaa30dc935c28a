"""Where the populations of a mean-field game are when all play the policy, and what they do there.

With common noise, the mean over what may have happened, and what those do who are there then. Games whose states are
places of a grid (keys of two numbers) are drawn as grids at a few times, others as one map of times and states.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from eqagents.drawing.matrices import SmallMap, small_maps
from eqagents.report.html import note, panel, panels
from eqagents.report.played import Played
from eqagents.report.standing import mean_field
from eqenvs.models import MeanFieldModel

if TYPE_CHECKING:
    from collections.abc import Sequence

    from eqenvs.arrays import Float64Array, IntArray

MAX_RUNS = 4  # whose populations are drawn, the first
MAX_POPULATIONS = 4
MAX_TIMES, MAX_STATES = 64, 256  # of a map: times are left out, neighbouring states put together
GRID_TIMES = 6  # of grids
MAX_ACTIONS = 6  # the first
SPARSEST = 4  # cells of a grid for each state that it may have


class Flow(NamedTuple):
    """A policy of a mean-field game, time by time.

    Attributes:
        mass: [T, P, S], where the populations are.
        play: [T, P, S, A], what they do there.
    """

    mass: Float64Array
    play: Float64Array


def populations(names: Sequence[str], played: Sequence[Played | str]) -> str:
    """The section; empty where no run is of a mean-field game."""
    shown = [
        (name, run)
        for name, run in zip(names, played, strict=True)
        if isinstance(run, Played) and isinstance(run.game.model(), MeanFieldModel)
    ]
    drawn = [each for name, run in shown[:MAX_RUNS] for each in _of_run(name if len(played) > 1 else "", run)]
    if not drawn:
        return ""
    told = "Share of the population in each state under the run's policy, and the probabilities of its actions there."
    if len(shown) > MAX_RUNS:
        told += f" The first {MAX_RUNS} of {len(shown)} runs."
    return f"<h2>Populations</h2>{note(told)}{panels(drawn)}\n"


def flow_of(model: MeanFieldModel, tables: Sequence[Float64Array]) -> Flow:
    """The flow of a policy and what is played, by time; in a game without a horizon at rest, as one time."""
    times, moments = model.horizon or 1, model.moments
    weight = moments.reach[:, None, None] * mean_field(model, tables)
    mass = np.zeros((times, *weight.shape[1:]))
    np.add.at(mass, moments.time, weight)
    policy = model.as_array(tables)
    # Where nobody is, what a player who came there would do: as often as the moment is.
    share = np.where(mass[moments.time] > 0, weight, moments.reach[:, None, None])
    play, total = np.zeros((*mass.shape, policy.shape[-1])), np.zeros(mass.shape)
    np.add.at(play, moments.time, share[..., None] * policy)
    np.add.at(total, moments.time, share)
    return Flow(mass, play / total[..., None])


def grid_of(keys: IntArray) -> IntArray | None:
    """The state in each cell of a grid, -1 for none; None where keys are no places of one."""
    if keys.shape[1] != 2:
        return None
    at = keys - keys.min(axis=0)
    size = at.max(axis=0) + 1
    if min(size) < 2 or size.prod() > SPARSEST * len(keys):
        return None
    cells = np.full(size, -1)
    cells[at[:, 0], at[:, 1]] = np.arange(len(keys))
    return cells


def _of_run(name: str, run: Played) -> list[str]:
    model = run.game.model()
    assert isinstance(model, MeanFieldModel)
    flow, cells = flow_of(model, run.tables), grid_of(model.keys)
    drawn = []
    for population in range(min(model.num_populations, MAX_POPULATIONS)):
        which = f"population {population}" if model.num_populations > 1 else "population"
        title = f"{name}: {which}" if name else which.capitalize()
        mass, play = flow.mass[:, population], flow.play[:, population]
        actions = run.game.action_labels(population)[:MAX_ACTIONS]
        draw = _map if cells is None else _grids
        drawn += [panel(*draw(model, title, mass, play, actions, cells, part)) for part in ("mass", "play")]
    return drawn


def _map(
    model: MeanFieldModel,
    title: str,
    mass: Float64Array,
    play: Float64Array,
    actions: Sequence[str],
    cells: IntArray | None,
    part: str,
) -> tuple[str, str]:
    """Times down, states across; of the play a map for each action."""
    del cells
    times, states = _spread(len(mass), MAX_TIMES), np.arange(mass.shape[1])
    width = -(-len(states) // MAX_STATES)
    starts = states[::width]
    labels = ["-".join(map(str, model.keys[at].tolist())) for at in (0, -1)]
    ends = ("t = 0", f"t = {len(mass) - 1}") if model.horizon else ("at rest", "")
    if part == "mass":
        maps = [SmallMap("share of the population", np.add.reduceat(mass[times], starts, axis=1))]
        said = f"{title}: where it is over time"
    else:
        sizes = np.diff([*starts, len(states)])
        shown = np.add.reduceat(play[times], starts, axis=1) / sizes[None, :, None]
        maps = [SmallMap(f"action {label}", shown[:, :, a]) for a, label in enumerate(actions)]
        said = f"{title}: what it does over time"
    drawn = small_maps(
        maps,
        title=said,
        limit=float(maps[0].values.max()) or 1.0 if part == "mass" else 1.0,
        across=1 if part == "mass" or len(times) == 1 else 2,
        row_title="time" if len(times) > 1 else "",
        column_title="states" if width == 1 else f"states, {width} put together",
        row_ends=ends,
        column_ends=(labels[0], labels[1]),
        colour="pos" if part == "mass" else "s2-fill",
    )
    return said, drawn


def _grids(
    model: MeanFieldModel,
    title: str,
    mass: Float64Array,
    play: Float64Array,
    actions: Sequence[str],
    cells: IntArray | None,
    part: str,
) -> tuple[str, str]:
    """A grid for each of a few times; of the play for each action at the first, the middle and the last of them."""
    assert cells is not None
    times = _spread(len(mass), GRID_TIMES)
    when = [f"t = {time}" if model.horizon else "at rest" for time in times]
    if part == "mass":
        maps = [SmallMap(label, _placed(mass[time], cells)) for label, time in zip(when, times, strict=True)]
        said, limit, across = f"{title}: where it is", float(mass[times].max()) or 1.0, 3
    else:
        some = _spread(len(times), 3)
        maps = [
            SmallMap(f"{label}, {when[at]}", _placed(play[times[at], :, a], cells))
            for at in some
            for a, label in enumerate(actions)
        ]
        said, limit, across = f"{title}: what it does, by action", 1.0, len(actions)
    colour = "pos" if part == "mass" else "s2-fill"
    return said, small_maps(maps, title=said, limit=limit, across=across, square=True, colour=colour)


def _placed(values: Float64Array, cells: IntArray) -> Float64Array:
    return np.where(cells >= 0, values[cells], np.nan)


def _spread(count: int, most: int) -> IntArray:
    """At most so many of the first `count` numbers, the ends among them."""
    return np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(np.int64))
