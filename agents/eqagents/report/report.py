"""The page: sections over one or several runs, each a pure function from the runs' data to HTML."""

from __future__ import annotations

import math
import shlex
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from eqagents.report.data import FinalScore, MetaGame, ReportData, load_report_data
from eqagents.report.style import CSS, SCRIPT
from eqagents.report.svg import NUM_COLOURS, Series, escape, format_number, heat_map, line_chart, stacked_bars

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path
    from typing import TypeAlias

    from numpy.typing import NDArray

    XAxis: TypeAlias = Callable[[ReportData], list[float]]

__all__ = ["ReportData", "load_report_data", "render_report"]

MAX_BARS = 40  # of the time chart; more iterations are put together into that many
MAX_STRATEGIES = 60  # rows and columns of the heat map; the most played are kept
KIND_NAMES = {"exact": "= exact", "lower_bound": "≥ lower bound", "estimate": "≈ estimate"}
KIND_SIGNS = {"exact": "", "lower_bound": "≥ ", "estimate": "≈ "}
KIND_NOTES = {
    "lower_bound": "≥: a learned response found this gain; the true one is at least as large.",
    "estimate": "≈: measured on samples, with an error.",
}

STOPPED_NAMES = {
    "target": "stopped at its target",
    "iterations": "all iterations done",
    "seconds": "stopped when its seconds were spent",
}

NASH_CONV_NOTE = (
    "NashConv is the sum of the players' gains from deviating; exploitability is NashConv / N, defined for two-player "
    "constant-sum and mean-field games only."
)
MEASURE_NOTES = {
    "play_cce_gap": "Play CCE gap: of the device that draws one of the profiles that were played, by the averaging "
    "weights, as the learner itself computes it, exactly. NashConv is that of the product of the players' averages.",
}

MARK = '<meta name="generator" content="eqenvs report">'  # in the first 1000 characters of every report


def render_report(runs: Sequence[ReportData]) -> str:
    """One self-contained HTML page over `runs`, in the order given.

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
    sections = [
        _header(runs, names),
        _scores(runs, names),
        _distance(runs, names),
        _gains(runs, names),
        _meta_games(runs, names),
        _times(runs, names),
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


def others_at_meta_strategy(meta_game: MetaGame) -> NDArray[np.float64]:
    """Payoffs to player 0 for each pair of strategies of players 0 and 1, the others at their meta-strategies.

    Args:
        meta_game: of two or more players.

    Returns:
        [K_0, K_1] float64; NaN where a profile that is played with positive probability is not known.
    """
    payoffs: NDArray[np.float64] = meta_game.payoffs[0]
    for weights in reversed(meta_game.meta_strategies[2:]):
        weight = np.array(weights)
        # A profile that is never played may be unknown (0 * NaN); a probability that is unknown makes its row so.
        payoffs = np.where(weight == 0, 0.0, payoffs * weight).sum(axis=-1)
    return payoffs


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
    episodes = [v for v in run.column("samples/episodes") if math.isfinite(v)]
    if episodes:
        facts.append(_count(round(episodes[-1]), "episode"))
    touched = [v for v in run.column("samples/touched") if math.isfinite(v)]
    if touched:
        facts.append(f"{round(touched[-1]):,} histories touched")
    if run.stopped is not None:
        facts.append(STOPPED_NAMES.get(run.stopped, run.stopped))
    times = [t for t in run.column("time") if math.isfinite(t)]
    if times:
        facts.append(" to ".join(dict.fromkeys((_date(min(times)), _date(max(times))))))
    return escape(" · ".join(facts))


def _count(number: int, thing: str) -> str:
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def _date(seconds: float) -> str:
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    except (ValueError, OverflowError, OSError):
        return "an unreadable date"


def _scores(runs: Sequence[ReportData], names: Sequence[str]) -> str:
    scores = [run.score for run in runs if run.score]
    measures = list(dict.fromkeys(measure for score in scores for measure in score.measures))
    columns = _score_columns(scores, measures)
    rows = [_score_row(run, name, columns) for run, name in zip(runs, names, strict=True)]
    kinds = dict.fromkeys(score.kind for score in scores)
    notes = [KIND_NOTES[kind] for kind in kinds if kind in KIND_NOTES]
    notes += dict.fromkeys(score.kind_detail for score in scores if score.kind_detail)
    notes += [MEASURE_NOTES[measure] for measure in measures if measure in MEASURE_NOTES]
    notes.append(NASH_CONV_NOTE)
    head = "".join(f"<th>{escape(title)}</th>" for title in ("Run", *columns))
    return (
        f"<h2>Final score</h2><div class='scroll'><table><thead><tr>{head}</tr></thead>"
        f"<tbody>{''.join(rows)}</tbody></table></div>"
        + "".join(f"<p class='note'>{escape(note)}</p>" for note in notes)
        + "\n"
    )


def _score_columns(scores: Sequence[FinalScore], measures: Sequence[str]) -> dict[str, Callable[[FinalScore], str]]:
    """What is shown of a score, by title; gaps of play in stages, and learners' measures, where any run has them."""
    unfolding = any(math.isfinite(score.efce_gap) for score in scores)
    columns: dict[str, Callable[[FinalScore], str]] = {
        "Score": lambda score: f"<span class='kind {score.kind}'>{KIND_NAMES[score.kind]}</span>",
        "NashConv": lambda score: _signed(score, score.nash_conv),
        "Exploitability": lambda score: _signed(score, score.exploitability),
        "Gain, each player": lambda score: "<br>".join(_signed(score, gain) for gain in score.gains),
        "Value, each player": lambda score: "<br>".join(format_number(value) for value in score.values),
        "CE gap": lambda score: _signed(score, score.ce_gap),
    }
    if unfolding:
        columns["EFCE gap"] = lambda score: _signed(score, score.efce_gap)
        columns["EFCCE gap"] = lambda score: _signed(score, score.efcce_gap)
    columns["CCE gap"] = lambda score: _signed(score, score.cce_gap)
    for measure in measures:
        columns[_measure_title(measure)] = lambda score, name=measure: format_number(score.measures.get(name))  # type: ignore[misc]
    columns["Welfare"] = lambda score: format_number(score.welfare)
    columns["Step"] = lambda score: "–" if score.evaluated_step is None else f"{score.evaluated_step:,}"
    return columns


def _measure_title(name: str) -> str:
    """A learner's measure in words: `play_cce_gap` is "Play CCE gap"."""
    words = [word.upper() if word in {"ce", "cce", "efce", "efcce"} else word for word in name.split("_")]
    return " ".join([words[0][:1].upper() + words[0][1:], *words[1:]])


def _score_row(run: ReportData, name: str, columns: Mapping[str, Callable[[FinalScore], str]]) -> str:
    score = run.score
    if score is None:
        command = f"eqenvs evaluate {shlex.quote(str(run.directory))}"
        cell = f"<td colspan='{len(columns)}'>"
        return f"<tr><th>{escape(name)}</th>{cell}not evaluated yet: <code>{escape(command)}</code></td></tr>"
    row = "".join(f"<td class='num'>{cell(score)}</td>" for cell in columns.values())
    return f"<tr><th>{escape(name)}</th>{row}</tr>"


def _signed(score: FinalScore, value: float) -> str:
    """A gain or a sum of gains, with the sign that says what the score's kind makes of it."""
    return format_number(value) if math.isnan(value) else KIND_SIGNS[score.kind] + format_number(value)


def _distance(runs: Sequence[ReportData], names: Sequence[str]) -> str:
    # Runs are overlaid, so they share the quantity: exploitability where every run that was scored has it.
    key, label = "score/nash_conv", "NashConv"
    scored = [run for run in runs if _has(run, "score/nash_conv") or _has(run, "score/exploitability")]
    if scored and all(_has(run, "score/exploitability") for run in scored):
        key, label = "score/exploitability", "Exploitability"
    curves: list[tuple[str, str, str, XAxis]] = [(label, key, "Iteration", _steps)]
    learning = bool(scored) and all(_has(run, "run/seconds") for run in scored)
    curves.append((label, key, "Seconds", _learning_seconds if learning else _elapsed))
    if any(_has(run, "samples/touched") for run in scored):
        curves.append((label, key, "Histories touched", _touched))
    measures = dict.fromkeys(key for run in runs for key in run.keys("measures/"))
    curves += [(_measure_title(key.removeprefix("measures/")), key, "Iteration", _steps) for key in measures]
    panels = [_overlaid(runs, names, *curve) for curve in curves]
    legend = _legend(names) if len(runs) > 1 else ""
    note = (
        "Seconds are those of learning: without compiling, scoring, storing and pauses."
        if learning
        else "Seconds count from the start of the first iteration on record, pauses included."
    )
    return f"<h2>Distance from equilibrium</h2>{legend}{_panels(panels)}<p class='note'>{note}</p>\n"


def _overlaid(
    runs: Sequence[ReportData], names: Sequence[str], y_label: str, key: str, x_label: str, x_of: XAxis
) -> str:
    """The metric `key` of every run over one pair of axes."""
    series = [
        Series(label=name, x=x_of(run), y=run.column(key), index=index)
        for index, (name, run) in enumerate(zip(names, runs, strict=True))
    ]
    title = f"{y_label} against {x_label.lower()}"
    chart = line_chart(series, title=title, x_label=x_label, y_label=y_label, log_y=True, integer_x=x_of is _steps)
    return _panel(title, chart)


def _gains(runs: Sequence[ReportData], names: Sequence[str]) -> str:
    keys = list(dict.fromkeys(key for run in runs for key in run.keys("score/gain_")))
    if not keys:
        return ""
    players = [f"player {key.removeprefix('score/gain_')}" for key in keys]
    seen = [v for run in runs for key in keys for v in run.column(key) if math.isfinite(v)]
    # A learned response that lost to the profile has a gain below 0, which needs a linear axis; rounding does not.
    log_y = bool(seen) and min(seen) >= -1e-9 * max(seen)
    if len(runs) == 1:
        curves = [
            Series(label=p, x=_steps(runs[0]), y=runs[0].column(k), index=i)
            for i, (p, k) in enumerate(zip(players, keys, strict=True))
        ]
        legend, charts = _legend(players), [("Gain of each player's best response", curves)]
    else:
        legend = _legend(names)
        charts = [
            (
                f"Gain of {p}'s best response",
                [
                    Series(label=n, x=_steps(r), y=r.column(k), index=i)
                    for i, (n, r) in enumerate(zip(names, runs, strict=True))
                ],
            )
            for p, k in zip(players, keys, strict=True)
        ]
    panels = [
        _panel(t, line_chart(c, title=t, x_label="Iteration", y_label="Gain", log_y=log_y, integer_x=True))
        for t, c in charts
    ]
    return f"<h2>Gains from deviating</h2>{legend}{_panels(panels)}\n"


def _meta_games(runs: Sequence[ReportData], names: Sequence[str]) -> str:
    panels = [
        _panel(name if len(runs) > 1 else "", _meta_game_map(run.meta_game) + _meta_game_note(run.meta_game))
        for run, name in zip(runs, names, strict=True)
        if run.meta_game is not None
    ]
    if not panels:
        return ""
    return (
        "<h2>Meta-game</h2><p class='note'>Payoff to player 0 for each pair of strategies; the bars along the margins "
        f"are the meta-strategies. Crossed cells are not known.</p>{_panels(panels)}\n"
    )


def _meta_game_map(meta_game: MetaGame) -> str:
    rows, columns = (_most_played(weights) for weights in meta_game.meta_strategies[:2])
    return heat_map(
        others_at_meta_strategy(meta_game)[np.ix_(rows, columns)],
        title="Payoff to player 0 for each pair of strategies",
        row_labels=[meta_game.labels[0][r] for r in rows],
        column_labels=[meta_game.labels[1][c] for c in columns],
        row_weights=[meta_game.meta_strategies[0][r] for r in rows],
        column_weights=[meta_game.meta_strategies[1][c] for c in columns],
        row_title="player 0",
        column_title="player 1",
    )


def _most_played(weights: Sequence[float]) -> list[int]:
    """The strategies to show, in their own order: all, or the `MAX_STRATEGIES` most played."""
    order = sorted(range(len(weights)), key=lambda k: -weights[k] if math.isfinite(weights[k]) else 0.0)
    return sorted(order[:MAX_STRATEGIES])


def _meta_game_note(meta_game: MetaGame) -> str:
    sizes = [len(weights) for weights in meta_game.meta_strategies]
    notes = []
    if len(sizes) > 2:
        others = "player 2 is" if len(sizes) == 3 else f"players 2 to {len(sizes) - 1} are"
        notes.append(f"{len(sizes)} players: {others} at the meta-strategy.")
    if max(sizes[:2]) > MAX_STRATEGIES:
        notes.append(f"The {MAX_STRATEGIES} most played of {sizes[0]} and {sizes[1]} strategies.")
    return "".join(f"<p class='note'>{note}</p>" for note in notes)


def _times(runs: Sequence[ReportData], names: Sequence[str]) -> str:
    phases = list(dict.fromkeys(key for run in runs for key in run.keys("time/", "_s")))
    if not phases:
        return ""
    shown = [phase.removeprefix("time/").removesuffix("_s") for phase in phases]
    panels = [
        _panel(name if len(runs) > 1 else "", _time_bars(run, phases, shown))
        for run, name in zip(runs, names, strict=True)
    ]
    return f"<h2>Time by phase</h2>{_legend(shown, filled=True)}{_panels(panels)}\n"


def _time_bars(run: ReportData, phases: Sequence[str], shown: Sequence[str]) -> str:
    steps = [round(step) for step in _steps(run)]
    size = math.ceil(len(steps) / MAX_BARS)
    groups = [slice(start, start + size) for start in range(0, len(steps), size)]
    labels = [str(steps[g][0]) if size == 1 else f"{steps[g][0]}-{steps[g][-1]}" for g in groups]
    parts = [
        (name, [float(np.nansum(run.column(phase)[g])) / len(steps[g]) for g in groups])
        for phase, name in zip(phases, shown, strict=True)
    ]
    x_label, y_label = ("Iteration", "Seconds") if size == 1 else ("Iterations", "Seconds per iteration")
    return stacked_bars(labels, parts, title=f"{y_label} by phase", x_label=x_label, y_label=y_label)


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
    return f"<h2>{title}</h2><div class='scroll'><table>{thead}<tbody>{''.join(rows)}</tbody></table></div>\n"


def _flatten(value: Any, prefix: str = "") -> dict[str, str]:
    """Nested mappings as one, with dotted keys."""
    if not isinstance(value, dict) or (prefix and not value):
        return {prefix: "null" if value is None else str(value)}
    flat: dict[str, str] = {}
    for key, item in value.items():
        flat |= _flatten(item, f"{prefix}.{key}" if prefix else str(key))
    return flat


def _reproduce(runs: Sequence[ReportData]) -> str:
    commands = [
        f"eqenvs train {shlex.quote(str(run.directory / 'config.yaml'))} --out {shlex.quote(f'{run.directory}-again')}"
        for run in runs
    ]
    return f"<h2>Run it again</h2><pre>{escape(chr(10).join(commands))}</pre>\n"


def _has(run: ReportData, key: str) -> bool:
    return any(math.isfinite(value) for value in run.column(key))


def _steps(run: ReportData) -> list[float]:
    return run.column("step")


def _learning_seconds(run: ReportData) -> list[float]:
    return run.column("run/seconds")


def _touched(run: ReportData) -> list[float]:
    """Histories touched; none before the first iteration."""
    return [0.0 if record["step"] == 0 else record.get("samples/touched", math.nan) for record in run.metrics]


def _elapsed(run: ReportData) -> list[float]:
    """Seconds since the first iteration on record began: its time stamp less its phases."""
    times = run.column("time")
    first = next((k for k, t in enumerate(times) if math.isfinite(t)), None)
    if first is None:
        return times
    phases = [run.metrics[first].get(key, 0.0) for key in run.keys("time/", "_s")]
    begin = times[first] - sum(s for s in phases if math.isfinite(s))
    return [t - begin for t in times]


def _panel(title: str, body: str) -> str:
    return f"<div class='panel'>{f'<h3>{escape(title)}</h3>' if title else ''}{body}</div>"


def _panels(panels: Sequence[str]) -> str:
    return f"<div class='panels{' lone' if len(panels) == 1 else ''}'>{''.join(panels)}</div>"


def _legend(labels: Sequence[str], *, filled: bool = False) -> str:
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
