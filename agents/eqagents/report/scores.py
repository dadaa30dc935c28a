"""The table of final scores."""

from __future__ import annotations

import math
import shlex
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from eqagents.drawing.marks import escape, format_number
from eqagents.intervals import mean_and_half_width
from eqagents.report.html import measure_title, note, scroll
from eqagents.report.kinds import GAIN_SIGNS, VALUE_SIGNS, badge, badges
from eqsolvers.scoring import GAPS, ScoreKind

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from eqagents.report.data import ReportData
    from eqagents.report.grouping import Group
    from eqagents.training.stored import StoredScore

KIND_NOTES = {
    ScoreKind.LOWER_BOUND: "≥: a learned response found this gain; the true one is at least as large. Values beside it "
    "are means of play (≈), ± half their 95 % intervals.",
    ScoreKind.ESTIMATE: "≈: measured on samples, with an error.",
}
NASH_CONV_NOTE = (
    "NashConv is the sum of the players' gains from deviating; exploitability is NashConv / N, defined for two-player "
    "constant-sum and mean-field games only. Figures without a sign are exact, up to rounding."
)
SEEDS_NOTE = "Rows of several seeds: the mean over the runs ± half its 95 % interval, by Student's t."
MEASURE_NOTES = {
    "play_cce_gap": "Play CCE gap: of the device that draws one of the profiles that were played, by the averaging "
    "weights, as the learner itself computes it, exactly. NashConv is that of the product of the players' averages.",
}
OWN_NOTE = "The learner's own exact figures, not the scorer's: "


@dataclass(frozen=True)
class _Column:
    """A column of figures.

    Attributes:
        figures: of a score, one or one a player.
        signs: what is written before them, by the score's kind.
        width: the detail that has the half-widths of their 95 % intervals, where they are not exact.
    """

    figures: Callable[[StoredScore], Sequence[float | None]]
    signs: Mapping[ScoreKind, str]
    width: str = ""

    def shown(self, score: StoredScore) -> str:
        """The cell's text, as HTML."""
        sign, figures = self.signs.get(ScoreKind(score.kind), ""), self.figures(score)
        widths = score.detail.get(self.width)
        if not isinstance(widths, list):
            widths = [widths] * len(figures)
        widths += [None] * (len(figures) - len(widths))
        return "<br>".join(_signed(sign, figure, width) for figure, width in zip(figures, widths, strict=False))


def scores(groups: Sequence[Group]) -> str:
    """The section: a row for each run, and below those of several seeds their mean.

    Gaps and learners' measures have columns where any run has them.
    """
    found = [run.score for group in groups for run in group.runs if run.score]
    gaps = [name for name in GAPS if any(name in score.gaps for score in found)]
    measures = list(dict.fromkeys(measure for score in found for measure in score.measures))
    columns = _columns(gaps, measures)
    rows = [row for group in groups for row in _rows(group, columns)]
    kinds = dict.fromkeys(ScoreKind(score.kind) for score in found)
    notes = [KIND_NOTES[kind] for kind in kinds if kind in KIND_NOTES]
    notes += [SEEDS_NOTE] if any(len(group.runs) > 1 for group in groups) else []
    notes += dict.fromkeys(_detail(score) for score in found if score.detail)
    notes += [f"{GAPS[name].title}: {GAPS[name].meaning}." for name in gaps]
    notes += [MEASURE_NOTES[measure] for measure in measures if measure in MEASURE_NOTES]
    notes += [OWN_NOTE + ", ".join(map(measure_title, measures)) + "."] if measures else []
    notes.append(NASH_CONV_NOTE)
    head = "".join(f"<th>{escape(title)}</th>" for title in ("Run", "Score", *columns, "Step"))
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"
    return f"<h2>Final score</h2>{scroll('Final score', table)}{''.join(map(note, notes))}\n"


def _columns(gaps: Sequence[str], measures: Sequence[str]) -> dict[str, _Column]:
    """What is shown of a score, by title."""
    columns = {
        "NashConv": _Column(lambda score: [score.nash_conv], GAIN_SIGNS, "nash_conv_half_width"),
        "Exploitability": _Column(lambda score: [score.exploitability], GAIN_SIGNS),
        "Gain, each player": _Column(lambda score: score.gains, GAIN_SIGNS),
        "Value, each player": _Column(lambda score: score.values, VALUE_SIGNS, "values_half_width"),
    }
    for gap in gaps:
        figures = partial(_gap, name=gap)
        columns[GAPS[gap].title] = _Column(figures, GAIN_SIGNS, f"{gap}_half_width")
    for measure in measures:
        columns[measure_title(measure)] = _Column(partial(_measure, name=measure), {})
    columns["Welfare"] = _Column(lambda score: [score.welfare], VALUE_SIGNS)
    return columns


def _rows(group: Group, columns: Mapping[str, _Column]) -> list[str]:
    rows = [_row(run, name, columns) for run, name in zip(group.runs, group.names, strict=True)]
    found = [run.score for run in group.runs if run.score]
    if len(found) < 2:
        return rows
    kinds = [ScoreKind(score.kind) for score in found]
    cells = []
    for column in columns.values():
        figures = [column.figures(score) for score in found]
        same = len({len(own) for own in figures}) == 1
        sign = max((column.signs.get(kind, "") for kind in kinds), key=len)
        shown = [_mean(each, sign) for each in zip(*figures, strict=True)] if same else ["–"]
        cells.append(f"<td class='num'>{'<br>'.join(shown)}</td>")
    head = f"<th>{escape(group.label)}: mean</th><td>{badges(kinds)}</td>"
    return [*rows, f"<tr class='mean'>{head}{''.join(cells)}<td class='num'>–</td></tr>"]


def _row(run: ReportData, name: str, columns: Mapping[str, _Column]) -> str:
    score = run.score
    if score is None:
        command = f"eqenvs evaluate {shlex.quote(str(run.directory))}"
        cell = f"<td colspan='{len(columns) + 2}'>"
        return f"<tr><th>{escape(name)}</th>{cell}not evaluated yet: <code>{escape(command)}</code></td></tr>"
    kind = ScoreKind(score.kind)
    shown = [column.shown(score) for column in columns.values()]
    step = "–" if score.evaluated_step is None else f"{score.evaluated_step:,}"
    cells = "".join(f"<td class='num'>{cell}</td>" for cell in (badge(kind), *shown, step))
    return f"<tr><th>{escape(name)}</th>{cells}</tr>"


def _gap(score: StoredScore, name: str) -> list[float | None]:
    return [score.gaps.get(name)]


def _measure(score: StoredScore, name: str) -> list[float | None]:
    return [score.measures.get(name)]


def _detail(score: StoredScore) -> str:
    """What a score rests on, but for what the table has, and every single try."""
    shown = {name: value for name, value in score.detail.items() if not name.endswith("_half_width")}
    for name, value in shown.items():
        if name.endswith("attempts") and isinstance(value, list):
            shown[name] = len(value)
    return "; ".join(f"{name}: {value}" for name, value in shown.items())


def _signed(sign: str, figure: float | None, width: Any = None) -> str:
    """A figure with the sign that says what is known of it, and half its interval where it has one."""
    if figure is None or math.isnan(figure):
        return format_number(figure)
    known = isinstance(width, int | float) and math.isfinite(width)
    return sign + format_number(figure) + (f" ± {format_number(width)}" if known else "")


def _mean(figures: Sequence[float | None], sign: str) -> str:
    known = [figure for figure in figures if figure is not None and math.isfinite(figure)]
    if len(known) < len(figures):
        return "–"
    mean, half = mean_and_half_width(known)
    return f"{sign}{format_number(float(mean))} ± {format_number(float(half))}"
