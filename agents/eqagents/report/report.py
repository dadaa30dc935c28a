"""The page: sections over one or several runs, each a pure function from the runs' data to HTML.

Cost: milliseconds a run, and for the sections that show strategies what `eqagents.report.played` says.
"""

from __future__ import annotations

import math
import shlex
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from eqagents.drawing.marks import escape
from eqagents.report.curves import distance, gains, others, times
from eqagents.report.grouping import group_runs, one_of_each_first
from eqagents.report.html import scroll
from eqagents.report.meta_games import meta_games
from eqagents.report.played import load_played
from eqagents.report.populations import populations
from eqagents.report.scores import scores
from eqagents.report.script import SCRIPT
from eqagents.report.simplex import simplex
from eqagents.report.strategies import strategies
from eqagents.report.style import CSS
from eqagents.training.metrics import flattened
from eqagents.training.run_directory import RunDirectory

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from eqagents.report.data import ReportData

STOPPED_NAMES = {
    "target": "stopped at its target",
    "converged": "stopped where no response gained more",
    "iterations": "all iterations done",
    "seconds": "stopped when its seconds were spent",
}

MARK = '<meta name="generator" content="eqenvs report">'  # in the first 1000 characters of every report


def render_report(runs: Sequence[ReportData]) -> str:
    """One self-contained HTML page over `runs`, in the order given; policies are read from their last checkpoints.

    Args:
        runs: at least one.

    Returns:
        The page's text; it refers to nothing outside itself.

    Raises:
        ValueError: no run was given.
    """
    if not runs:
        raise ValueError("runs must hold at least one run, got none")
    names = run_names(runs)
    groups = group_runs(runs, names)
    order = one_of_each_first(groups, names)
    played = load_played(runs, order)
    sections = [
        _header(runs, names),
        scores(groups),
        distance(groups),
        gains(groups),
        simplex(names, played),
        populations(names, played),
        strategies(names, played, order),
        meta_games(runs, names),
        times(runs, names),
        others(groups),
        _settings("Configuration", [_flatten(run.config) for run in runs], names),
        _settings("Environment", [_flatten(run.environment) for run in runs], names),
        _reproduce(runs),
    ]
    title = names[0] if len(runs) == 1 else f"{len(runs)} runs"
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"{MARK}"
        f"<title>{escape(title)} - eqenvs report</title><style>{CSS}</style></head>\n"
        f'<body><main>\n{"".join(sections)}</main><div id="tip"></div><script>{SCRIPT}</script></body></html>\n'
    )


def is_report(file: Path) -> bool:
    """Whether a file was written by `render_report`, and may be replaced by a newer one."""
    try:
        with file.open(encoding="utf-8") as opened:
            return MARK in opened.read(1000)
    except (OSError, ValueError):
        return False


def run_names(runs: Sequence[ReportData]) -> list[str]:
    """The directories' last names, or as much of their paths as it takes to tell the runs apart."""
    paths = [run.directory.absolute() for run in runs]
    names = [path.name for path in paths]
    for depth in range(2, 1 + max(len(path.parts) for path in paths)):
        if len(set(names)) == len(names):
            break
        names = ["/".join(path.parts[-depth:]) for path in paths]
    return names


def _header(runs: Sequence[ReportData], names: Sequence[str]) -> str:
    heads = [
        f"<p><strong>{escape(name)}</strong> · {_describe(run)}</p>" if len(runs) > 1 else f"<p>{_describe(run)}</p>"
        for name, run in zip(names, runs, strict=True)
    ]
    games = dict.fromkeys(_title(run) for run in runs)
    return f"<h1>{escape('; '.join(games))}</h1><div class='sub'>{''.join(heads)}</div>\n"


def _title(run: ReportData) -> str:
    game, learner = run.config["game"], run.config["learner"]
    parameters = game.get("parameters")
    shown = ", ".join(f"{k}={v}" for k, v in parameters.items()) if isinstance(parameters, dict) else ""
    return f"{learner.get('id', 'unknown learner')} on {game.get('id', 'unknown game')}{f'({shown})' if shown else ''}"


def _describe(run: ReportData) -> str:
    facts = [
        f"seed {run.config.get('seed', 'not given')}",
        f"{_count(len(run.metrics), 'step')} recorded (the first before any iteration)",
    ]
    for key in run.keys("samples/"):
        counts = [v for v in run.column(key) if math.isfinite(v)]
        if counts:
            facts.append(f"{round(counts[-1]):,} {key.removeprefix('samples/').replace('_', ' ')}")
    if run.stopped is not None:
        facts.append(STOPPED_NAMES.get(run.stopped, run.stopped))
    stamps = [t for t in run.column("time") if math.isfinite(t)]
    if stamps:
        facts.append(" to ".join(dict.fromkeys((_date(min(stamps)), _date(max(stamps))))))
    return escape(" · ".join(facts))


def _count(number: int, thing: str) -> str:
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def _date(seconds: float) -> str:
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    except (ValueError, OverflowError, OSError):
        return "an unreadable date"


def _settings(title: str, tables: Sequence[Mapping[str, str]], names: Sequence[str]) -> str:
    keys = list(dict.fromkeys(key for table in tables for key in table))
    rows = []
    for key in keys:
        values = [table.get(key, "–") for table in tables]
        mark = " class='differs'" if len(set(values)) > 1 else ""
        cells = "".join(f"<td class='value'>{escape(value)}</td>" for value in values)
        rows.append(f"<tr{mark}><th>{escape(key)}</th>{cells}</tr>")
    head = "".join(f"<th>{escape(name)}</th>" for name in names)
    thead = f"<thead><tr><th></th>{head}</tr></thead>" if len(names) > 1 else ""
    table = f"<table>{thead}<tbody>{''.join(rows)}</tbody></table>"
    return f"<h2>{title}</h2>{scroll(title, table)}\n"


def _flatten(value: Mapping[str, Any]) -> dict[str, str]:
    return {key: "null" if item is None else str(item) for key, item in flattened(value).items()}


def _reproduce(runs: Sequence[ReportData]) -> str:
    files = [(RunDirectory(run.directory).config_file, f"{run.directory}-again") for run in runs]
    commands = [f"eqenvs train {shlex.quote(str(config))} --out {shlex.quote(again)}" for config, again in files]
    return f"<h2>Run it again</h2><pre>{escape(chr(10).join(commands))}</pre>\n"
