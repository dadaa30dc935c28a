"""The pieces of a page that sections are put together from."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from eqagents.drawing.charts import Series, line_chart
from eqagents.drawing.marks import NUM_COLOURS, escape
from eqsolvers.scoring import GAPS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from eqagents.report.data import ReportData
    from eqagents.report.grouping import Group


def steps(run: ReportData) -> list[float]:
    """The iteration of each record."""
    return run.column("step")


def panel(title: str, body: str, mark: str = "") -> str:
    """A drawing with its title, if it has one, and marks after it, as HTML."""
    head = f"<h3>{escape(title)}{' ' if mark else ''}{mark}</h3>" if title or mark else ""
    return f"<div class='panel'>{head}{body}</div>"


def panels(bodies: Sequence[str]) -> str:
    """Panels side by side, as many as the page is wide."""
    return f"<div class='panels{' lone' if len(bodies) == 1 else ''}'>{''.join(bodies)}</div>"


def scroll(name: str, table: str, css: str = "") -> str:
    """A table that is scrolled where it is too wide, by keys too; `name` is for readers of the page by ear."""
    return f"<div class='scroll{css}' role='region' aria-label='{escape(name)}' tabindex='0'>{table}</div>"


def note(text: str) -> str:
    """A remark, as text."""
    return f"<p class='note'>{escape(text)}</p>"


def legend(labels: Sequence[str], *, filled: bool = False) -> str:
    """The colours of curves, or of areas."""
    entries = []
    for index, label in enumerate(labels):
        colour, dash = index % NUM_COLOURS, index // NUM_COLOURS
        mark = (
            f'<rect x="6" y="0" width="10" height="10" class="f{colour}"/>'
            if filled
            else f'<path d="M1 5H21" class="line s{colour}{f" dash{dash}" if dash else ""}"/>'
        )
        svg = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 22 10" aria-hidden="true">{mark}</svg>'
        entries.append(f"<span>{svg}{escape(label)}</span>")
    return f"<div class='legend'>{''.join(entries)}</div>"


def curves_of(groups: Sequence[Group], drawn: Sequence[str], name: str) -> str:
    """Panels of groups' curves under their legend, and where a group is of several runs a switch that shows each."""
    top = legend([group.label for group in groups]) if sum(len(group.runs) for group in groups) > 1 else ""
    if all(len(group.runs) == 1 for group in groups):
        return top + panels(drawn)
    switch = f"each-{name}"
    return (
        f"{top}<input type='checkbox' class='each' id='{switch}'><label for='{switch}'>show each run</label>"
        f"{panels(drawn)}"
    )


def overlaid(
    groups: Sequence[Group],
    *,
    key: str,
    y_label: str,
    x_label: str = "Iteration",
    x_of: Callable[[ReportData], list[float]] = steps,
    log_y: bool = True,
    mark: str = "",
) -> str:
    """A panel with the metric `key` of every group over one pair of axes."""
    series: list[Series] = [curve for group in groups for curve in group.series(key, x_of)]
    title = f"{y_label} against {x_label.lower()}"
    chart = line_chart(series, title=title, x_label=x_label, y_label=y_label, log_y=log_y, integer_x=x_of is steps)
    return panel(title, chart, mark)


def recorded(runs: Sequence[ReportData], key: str) -> list[float]:
    """The values of the metric `key` in all runs, without those that are missing."""
    return [value for run in runs for value in run.column(key) if math.isfinite(value)]


def all_keys(runs: Sequence[ReportData], prefix: str = "", suffix: str = "") -> list[str]:
    """The names of the runs' metrics from `prefix` to `suffix`, each once."""
    return list(dict.fromkeys(key for run in runs for key in run.keys(prefix, suffix)))


def measure_title(name: str) -> str:
    """A learner's own figure in words; apart from the scorer's of the same name."""
    return f"{words(name)}, the learner's" if name in GAPS else words(name)


def words(name: str) -> str:
    """A recorded name in words: `play_cce_gap` is "Play CCE gap"."""
    parts = [part.upper() if part in {"ce", "cce", "efce", "efcce"} else part for part in name.split("_")]
    return " ".join([parts[0][:1].upper() + parts[0][1:], *parts[1:]])
