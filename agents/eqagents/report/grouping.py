"""Runs that differ in nothing but their seed, as one curve with an interval.

A group's curve is the mean over its runs of the latest value at or before each place, from where the last of them
begins to where the first of them ends: beyond that the mean would be of fewer runs. Its interval is that of the mean,
two-sided at 95 %, by Student's t (1908, Biometrika 6) with one degree of freedom less than there are runs: it assumes
that runs of other seeds scatter normally about the mean. Cost: O(points log points) a run.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from eqagents.drawing.charts import Series
from eqagents.intervals import mean_and_half_width
from eqagents.training.metrics import flattened

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    from numpy.typing import NDArray

    from eqagents.report.data import ReportData

MAX_PLACES = 400  # of a mean curve, spread over the places where one of its runs has a value
MAX_DIFFERENCES = 3  # settings that a group is named by
TELLING = ("learner.id", "learner.method", "game.id")  # one that tells all groups apart is name enough
INTERVAL = "95 % interval of the mean"


@dataclass(frozen=True, kw_only=True)
class Group:
    """Runs of one configuration and of different seeds, in the order given.

    Attributes:
        label: what it is called.
        runs: at least one.
        names: of the runs.
        index: picks its colour.
    """

    label: str
    runs: tuple[ReportData, ...]
    names: tuple[str, ...]
    index: int

    def series(self, key: str, x_of: Callable[[ReportData], list[float]]) -> list[Series]:
        """The curve of a metric; of several runs their mean with its interval, and each of them."""
        if len(self.runs) == 1:
            return [Series(label=self.label, x=x_of(self.runs[0]), y=self.runs[0].column(key), index=self.index)]
        curves = [(x_of(run), run.column(key)) for run in self.runs]
        members = [
            Series(label=name, x=x, y=y, index=self.index, member=True)
            for name, (x, y) in zip(self.names, curves, strict=True)
        ]
        x, middle, half = mean_curve(curves)
        mean = Series(
            label=self.label,
            x=x.tolist(),
            y=middle.tolist(),
            index=self.index,
            low=(middle - half).tolist(),
            high=(middle + half).tolist(),
            note=INTERVAL,
        )
        return [*members, mean]


def group_runs(runs: Sequence[ReportData], names: Sequence[str]) -> list[Group]:
    """The runs by configuration; a run whose configuration and seed were there before is a group of its own.

    Args:
        runs: in any order.
        names: of the runs.

    Returns:
        Groups in the order of their first runs. One run is called by its name, several by what their configuration has
        of its own, and their seeds.
    """
    found: dict[str, list[int]] = {}
    for at, run in enumerate(runs):
        key = _without_seed(run.config)
        seeds = [runs[other].config.get("seed") for other in found.get(key, [])]
        found.setdefault(f"{key} {at}" if run.config.get("seed") in seeds else key, []).append(at)
    settings = [{k: str(v) for k, v in flattened(runs[own[0]].config).items()} for own in found.values()]
    return [
        Group(
            label=names[own[0]] if len(own) == 1 else _named(place, settings, [runs[at] for at in own]),
            runs=tuple(runs[at] for at in own),
            names=tuple(names[at] for at in own),
            index=place,
        )
        for place, own in enumerate(found.values())
    ]


def one_of_each_first(groups: Sequence[Group], names: Sequence[str]) -> list[int]:
    """The places of the runs: the first of every group, then the second ones, and so on."""
    place = {name: (k, group.index) for group in groups for k, name in enumerate(group.names)}
    return sorted(range(len(names)), key=lambda at: place[names[at]])


def mean_curve(
    curves: Sequence[tuple[Sequence[float], Sequence[float]]],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """The mean of curves that have values at different places.

    Args:
        curves: x and y of each; what is not finite is left out.

    Returns:
        The places, the mean there, and the half-width of its interval; all empty where the curves have no place in
        common.
    """
    known = []
    for xs, ys in curves:
        x, y = np.asarray(xs, dtype=np.float64), np.asarray(ys, dtype=np.float64)
        finite = np.isfinite(x) & np.isfinite(y)
        order = np.argsort(x[finite], kind="stable")
        known.append((x[finite][order], y[finite][order]))
    empty = np.zeros(0)
    if not all(len(x) for x, _ in known):
        return empty, empty, empty
    first, last = max(x[0] for x, _ in known), min(x[-1] for x, _ in known)
    places = np.unique(np.concatenate([x for x, _ in known]))
    places = places[(places >= first) & (places <= last)]
    if len(places) > MAX_PLACES:
        places = places[np.unique(np.linspace(0, len(places) - 1, MAX_PLACES).round().astype(np.int64))]
    latest = [y[np.searchsorted(x, places, side="right") - 1] for x, y in known]
    mean, half = mean_and_half_width(latest) if len(places) else (empty, empty)
    return places, mean, half


def _without_seed(config: Mapping[str, Any]) -> str:
    return json.dumps({name: value for name, value in config.items() if name != "seed"}, sort_keys=True, default=str)


def _named(place: int, settings: Sequence[Mapping[str, str]], runs: Sequence[ReportData]) -> str:
    """What a group of several runs is called: what sets it apart from the other groups, and its seeds."""
    seeds = f"{len(runs)} seeds ({', '.join(str(run.config.get('seed')) for run in runs)})"
    own = settings[place]
    for key in TELLING:
        if len({group.get(key) for group in settings}) == len(settings) > 1 and key in own:
            return f"{own[key]}: {seeds}"
    others = [other for at, other in enumerate(settings) if at != place]
    apart = [f"{k}={v}" for k, v in own.items() if k != "seed" and any(other.get(k) != v for other in others)]
    shown = ", ".join(apart[:MAX_DIFFERENCES]) + (", .." if len(apart) > MAX_DIFFERENCES else "")
    return f"{shown}: {seeds}" if shown else seeds
