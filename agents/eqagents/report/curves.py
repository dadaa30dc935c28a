"""The sections that draw what a run recorded step by step: every metric has its place in one of them.

Runs that differ in their seed alone are one curve, see `eqagents.report.grouping`.
"""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from eqagents.drawing.charts import Series, line_chart, stacked_bars
from eqagents.report.html import (
    all_keys,
    curves_of,
    legend,
    measure_title,
    note,
    overlaid,
    panel,
    panels,
    recorded,
    steps,
    words,
)
from eqagents.report.kinds import badges, kind_of, of_value
from eqsolvers.scoring import GAPS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from eqagents.report.data import ReportData
    from eqagents.report.grouping import Group

MAX_BARS = 40  # of the time chart; more iterations are put together into that many
MAX_OPEN = 4  # runs whose time charts are not folded
GAP_KEYS = {f"score/{name}": gap.title for name, gap in GAPS.items()}
EPISODES = "samples/episodes"
OWN = "The learner's own figures, as it reports them; scores and gaps are marked."
SEEDS = (
    "Runs that differ in their seed alone are one curve: the mean of their latest values up to there, from where the "
    "last of them begins to where the first of them ends. Shaded: the 95 % interval of that mean by Student's t over "
    "the runs; on a logarithmic axis it is cut off at the axis. Single runs are drawn as far as the means."
)


def distance(groups: Sequence[Group]) -> str:
    """How far from equilibrium, against iterations, seconds, and whatever the learners count."""
    runs = [run for group in groups for run in group.runs]
    # Runs are overlaid, so they share the quantity: exploitability where every run that was scored has it.
    key, label = "score/nash_conv", "NashConv"
    scored = _scored(runs)
    if scored and all(run.has("score/exploitability") for run in scored):
        key, label = "score/exploitability", "Exploitability"
    mark = badges([kind_of(run) for run in scored])
    draw = partial(overlaid, groups, mark=mark)
    learning = bool(scored) and all(run.has("run/seconds") for run in scored)
    seconds = _learning_seconds if learning else _elapsed
    drawn = [
        draw(key=key, y_label=label),
        draw(key=key, y_label=label, x_label="Seconds", x_of=seconds),
    ]
    for count in _counts(scored):
        unit = words(count.removeprefix("samples/"))
        drawn.append(draw(key=key, y_label=label, x_label=unit, x_of=partial(_counted, key=count)))
    drawn += [draw(key=gap, y_label=GAP_KEYS[gap]) for gap in _gaps_apart(runs)]
    measures = all_keys(runs, "measures/")
    drawn += [overlaid(groups, key=key, y_label=measure_title(key.removeprefix("measures/"))) for key in measures]
    notes = [
        "Seconds are those of learning: without compiling, scoring, storing and pauses."
        if learning
        else "Seconds count from the start of the first iteration on record, pauses included."
    ]
    notes += ["Curves without a mark are the learner's own figures."] if measures else []
    notes += [SEEDS] if any(len(group.runs) > 1 for group in groups) else []
    return f"<h2>Distance from equilibrium</h2>{curves_of(groups, drawn, 'distance')}{''.join(map(note, notes))}\n"


def gains(groups: Sequence[Group]) -> str:
    """What each player gains by its best response."""
    runs = [run for group in groups for run in group.runs]
    keys = all_keys(runs, "score/gain_")
    if not keys:
        return ""
    players = [f"player {key.removeprefix('score/gain_')}" for key in keys]
    seen = [value for key in keys for value in recorded(runs, key)]
    # A learned response that lost to the profile has a gain below 0, which needs a linear axis; rounding does not.
    log_y = bool(seen) and min(seen) >= -1e-9 * max(seen)
    mark = badges([kind_of(run) for run in runs if run.keys("score/gain_")])
    draw = partial(line_chart, x_label="Iteration", y_label="Gain", log_y=log_y, integer_x=True)
    if len(runs) == 1:
        title = "Gain of each player's best response"
        curves = [
            Series(label=p, x=steps(runs[0]), y=runs[0].column(k), index=i)
            for i, (p, k) in enumerate(zip(players, keys, strict=True))
        ]
        body = legend(players) + panels([panel(title, draw(curves, title=title), mark)])
    else:
        drawn = []
        for player, key in zip(players, keys, strict=True):
            title = f"Gain of {player}'s best response"
            curves = [curve for group in groups for curve in group.series(key, steps)]
            drawn.append(panel(title, draw(curves, title=title), mark))
        body = curves_of(groups, drawn, "gains")
    return f"<h2>Gains from deviating</h2>{body}\n"


def times(runs: Sequence[ReportData], names: Sequence[str]) -> str:
    """Where the time of an iteration goes."""
    phases = all_keys(runs, "time/", "_s")
    if not phases:
        return ""
    shown = [phase.removeprefix("time/").removesuffix("_s") for phase in phases]
    drawn = [
        panel(name if len(runs) > 1 else "", _time_bars(run, phases, shown))
        for run, name in zip(runs, names, strict=True)
    ]
    body = f"{legend(shown, filled=True)}{panels(drawn)}"
    if len(runs) > MAX_OPEN:
        body = f"<details><summary>{len(runs)} runs</summary>{body}</details>"
    return f"<h2>Time by phase</h2>{body}\n"


def others(groups: Sequence[Group]) -> str:
    """Every metric that no other section draws, under its own name; folded, as there may be many."""
    runs = [run for group in groups for run in group.runs]
    elsewhere = {"step", "time", "run/seconds", "score/nash_conv", "score/exploitability"}
    elsewhere |= {key for key in _counts(_scored(runs)) if key != EPISODES}
    elsewhere |= {*_gaps_apart(runs), *all_keys(runs, "time/", "_s")}
    elsewhere |= {*all_keys(runs, "score/gain_"), *all_keys(runs, "measures/")}
    keys = [key for key in all_keys(runs) if key not in elsewhere]
    if not keys:
        return ""
    kinds = [kind_of(run) for run in runs]
    drawn = []
    for key in keys:
        mark = ""
        if key.startswith("score/"):
            mark = badges(kinds if key in GAP_KEYS else [of_value(kind) for kind in kinds])
        log_y = _spans_decades(recorded(runs, key))
        drawn.append(overlaid(groups, key=key, y_label=GAP_KEYS.get(key, key), log_y=log_y, mark=mark))
    body = curves_of(groups, drawn, "others")
    return f"<h2>Other metrics</h2><details><summary>{len(keys)} more</summary>{note(OWN)}{body}</details>\n"


def _scored(runs: Sequence[ReportData]) -> list[ReportData]:
    return [run for run in runs if run.has("score/nash_conv") or run.has("score/exploitability")]


def _counts(runs: Sequence[ReportData]) -> list[str]:
    """What the learners count up that the score is drawn against, such as steps.

    Not what starts again with every iteration, nor what stays at 0 or is a state of affairs.
    """
    return [key for key in all_keys(runs, "samples/") if any(_counts_up(run.column(key)) for run in runs)]


def _counts_up(column: Sequence[float]) -> bool:
    values = [value for value in column if math.isfinite(value)]
    return bool(values) and values == sorted(values) and values[-1] >= len(values)


def _counted(run: ReportData, key: str) -> list[float]:
    """A count at each step; none before the first iteration, but of episodes, which may be played before it."""
    before = math.nan if key == EPISODES else 0.0
    return [before if record["step"] == 0 else record.get(key, math.nan) for record in run.metrics]


def _gaps_apart(runs: Sequence[ReportData]) -> list[str]:
    """The gaps that say more than NashConv does, which a product policy's do not."""
    return [
        key
        for key in GAP_KEYS
        if any(
            abs(gap - total) > 1e-9 * max(abs(gap), abs(total))
            for run in runs
            for gap, total in zip(run.column(key), run.column("score/nash_conv"), strict=True)
        )
    ]


def _spans_decades(values: Sequence[float]) -> bool:
    return bool(values) and 0 < min(values) < 0.01 * max(values)


def _time_bars(run: ReportData, phases: Sequence[str], shown: Sequence[str]) -> str:
    at = [round(step) for step in steps(run)]
    size = math.ceil(len(at) / MAX_BARS)
    groups = [slice(start, start + size) for start in range(0, len(at), size)]
    labels = [str(at[g][0]) if size == 1 else f"{at[g][0]}-{at[g][-1]}" for g in groups]
    parts = [
        (name, [float(np.nansum(run.column(phase)[g])) / len(at[g]) for g in groups])
        for phase, name in zip(phases, shown, strict=True)
    ]
    x_label, y_label = ("Iteration", "Seconds") if size == 1 else ("Iterations", "Seconds per iteration")
    return stacked_bars(labels, parts, title=f"{y_label} by phase", x_label=x_label, y_label=y_label)


def _learning_seconds(run: ReportData) -> list[float]:
    return run.column("run/seconds")


def _elapsed(run: ReportData) -> list[float]:
    """Seconds since the first iteration on record began: its time stamp less its phases."""
    stamps = run.column("time")
    first = next((k for k, t in enumerate(stamps) if math.isfinite(t)), None)
    if first is None:
        return stamps
    phases = [run.metrics[first].get(key, 0.0) for key in run.keys("time/", "_s")]
    begin = stamps[first] - sum(s for s in phases if math.isfinite(s))
    return [t - begin for t in stamps]
