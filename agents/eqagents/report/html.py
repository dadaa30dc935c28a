"""The pieces of a page that sections are put together from."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from eqagents.report.svg import NUM_COLOURS, Series, escape, line_chart

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from eqagents.report.data import ReportData


def steps(run: ReportData) -> list[float]:
    """The iteration of each record."""
    return run.column("step")


def panel(title: str, body: str) -> str:
    """A drawing with its title, if it has one."""
    return f"<div class='panel'>{f'<h3>{escape(title)}</h3>' if title else ''}{body}</div>"


def panels(bodies: Sequence[str]) -> str:
    """Panels side by side, as many as the page is wide."""
    return f"<div class='panels{' lone' if len(bodies) == 1 else ''}'>{''.join(bodies)}</div>"


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


def overlaid(
    runs: Sequence[ReportData],
    names: Sequence[str],
    *,
    key: str,
    y_label: str,
    x_label: str = "Iteration",
    x_of: Callable[[ReportData], list[float]] = steps,
    log_y: bool = True,
) -> str:
    """A panel with the metric `key` of every run over one pair of axes."""
    series = [
        Series(label=name, x=x_of(run), y=run.column(key), index=index)
        for index, (name, run) in enumerate(zip(names, runs, strict=True))
    ]
    title = f"{y_label} against {x_label.lower()}"
    chart = line_chart(series, title=title, x_label=x_label, y_label=y_label, log_y=log_y, integer_x=x_of is steps)
    return panel(title, chart)


def recorded(runs: Sequence[ReportData], key: str) -> list[float]:
    """The values of the metric `key` in all runs, without those that are missing."""
    return [value for run in runs for value in run.column(key) if math.isfinite(value)]


def all_keys(runs: Sequence[ReportData], prefix: str = "", suffix: str = "") -> list[str]:
    """The names of the runs' metrics from `prefix` to `suffix`, each once."""
    return list(dict.fromkeys(key for run in runs for key in run.keys(prefix, suffix)))


def words(name: str) -> str:
    """A recorded name in words: `play_cce_gap` is "Play CCE gap"."""
    parts = [part.upper() if part in {"ce", "cce", "efce", "efcce"} else part for part in name.split("_")]
    return " ".join([parts[0][:1].upper() + parts[0][1:], *parts[1:]])
