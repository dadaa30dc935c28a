"""The table of final scores."""

from __future__ import annotations

import math
import shlex
from typing import TYPE_CHECKING

from eqagents.report.html import words
from eqagents.report.svg import escape, format_number
from eqsolvers.scoring import GAPS, ScoreKind

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from eqagents.report.data import ReportData
    from eqagents.training.stored import StoredScore

KIND_NAMES = {
    ScoreKind.EXACT: "= exact",
    ScoreKind.LOWER_BOUND: "≥ lower bound",
    ScoreKind.ESTIMATE: "≈ estimate",
}
KIND_SIGNS = {ScoreKind.EXACT: "", ScoreKind.LOWER_BOUND: "≥ ", ScoreKind.ESTIMATE: "≈ "}
KIND_NOTES = {
    ScoreKind.LOWER_BOUND: "≥: a learned response found this gain; the true one is at least as large.",
    ScoreKind.ESTIMATE: "≈: measured on samples, with an error.",
}
NASH_CONV_NOTE = (
    "NashConv is the sum of the players' gains from deviating; exploitability is NashConv / N, defined for two-player "
    "constant-sum and mean-field games only."
)
MEASURE_NOTES = {
    "play_cce_gap": "Play CCE gap: of the device that draws one of the profiles that were played, by the averaging "
    "weights, as the learner itself computes it, exactly. NashConv is that of the product of the players' averages.",
}


def scores(runs: Sequence[ReportData], names: Sequence[str]) -> str:
    """The section: one row for each run, gaps and learners' measures where any run has them."""
    found = [run.score for run in runs if run.score]
    gaps = [name for name in GAPS if any(name in score.gaps for score in found)]
    measures = list(dict.fromkeys(measure for score in found for measure in score.measures))
    columns = _columns(gaps, measures)
    rows = [_row(run, name, columns) for run, name in zip(runs, names, strict=True)]
    kinds = dict.fromkeys(score.kind for score in found)
    notes = [KIND_NOTES[kind] for kind in kinds if kind in KIND_NOTES]
    notes += dict.fromkeys(_detail(score) for score in found if score.detail)
    notes += [f"{GAPS[name].title}: {GAPS[name].meaning}." for name in gaps]
    notes += [MEASURE_NOTES[measure] for measure in measures if measure in MEASURE_NOTES]
    notes.append(NASH_CONV_NOTE)
    head = "".join(f"<th>{escape(title)}</th>" for title in ("Run", *columns))
    return (
        f"<h2>Final score</h2><div class='scroll'><table><thead><tr>{head}</tr></thead>"
        f"<tbody>{''.join(rows)}</tbody></table></div>"
        + "".join(f"<p class='note'>{escape(note)}</p>" for note in notes)
        + "\n"
    )


def _columns(gaps: Sequence[str], measures: Sequence[str]) -> dict[str, Callable[[StoredScore], str]]:
    """What is shown of a score, by title."""
    columns: dict[str, Callable[[StoredScore], str]] = {
        "Score": lambda score: f"<span class='kind {score.kind}'>{KIND_NAMES[score.kind]}</span>",
        "NashConv": lambda score: _signed(score, score.nash_conv),
        "Exploitability": lambda score: _signed(score, score.exploitability),
        "Gain, each player": lambda score: "<br>".join(_signed(score, gain) for gain in score.gains),
        "Value, each player": lambda score: "<br>".join(format_number(value) for value in score.values),
    }
    for gap in gaps:
        columns[GAPS[gap].title] = lambda score, name=gap: _signed(score, score.gaps.get(name, math.nan))  # type: ignore[misc]
    for measure in measures:
        columns[words(measure)] = lambda score, name=measure: format_number(score.measures.get(name))  # type: ignore[misc]
    columns["Welfare"] = lambda score: format_number(score.welfare)
    columns["Step"] = lambda score: "–" if score.evaluated_step is None else f"{score.evaluated_step:,}"
    return columns


def _row(run: ReportData, name: str, columns: Mapping[str, Callable[[StoredScore], str]]) -> str:
    score = run.score
    if score is None:
        command = f"eqenvs evaluate {shlex.quote(str(run.directory))}"
        cell = f"<td colspan='{len(columns)}'>"
        return f"<tr><th>{escape(name)}</th>{cell}not evaluated yet: <code>{escape(command)}</code></td></tr>"
    row = "".join(f"<td class='num'>{cell(score)}</td>" for cell in columns.values())
    return f"<tr><th>{escape(name)}</th>{row}</tr>"


def _detail(score: StoredScore) -> str:
    return "; ".join(f"{name}: {value}" for name, value in score.detail.items())


def _signed(score: StoredScore, value: float) -> str:
    """A gain or a sum of gains, with the sign that says what the score's kind makes of it."""
    return format_number(value) if math.isnan(value) else KIND_SIGNS[score.kind] + format_number(value)
