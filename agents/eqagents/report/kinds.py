"""What is known of a number: exact, a lower bound, or an estimate; every score on a page says which."""

from __future__ import annotations

from typing import TYPE_CHECKING

import eqenvs
from eqagents.configuration import validate
from eqagents.drawing.marks import escape
from eqagents.training.config import RunConfig
from eqagents.training.scoring import is_exact
from eqenvs.errors import InputError
from eqsolvers.scoring import ScoreKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from eqagents.report.data import ReportData

KIND_NAMES = {
    ScoreKind.EXACT: "= exact",
    ScoreKind.LOWER_BOUND: "≥ lower bound",
    ScoreKind.ESTIMATE: "≈ estimate",
}
GAIN_SIGNS = {ScoreKind.EXACT: "", ScoreKind.LOWER_BOUND: "≥ ", ScoreKind.ESTIMATE: "≈ "}
VALUE_SIGNS = {ScoreKind.EXACT: "", ScoreKind.LOWER_BOUND: "≈ ", ScoreKind.ESTIMATE: "≈ "}  # found by play
UNKNOWN = "kind not on record"


def kind_of(run: ReportData) -> ScoreKind | None:
    """The kind of a run's scores: that of its final one, or what its configuration asks for; None where none says."""
    if run.score is not None:
        return ScoreKind(run.score.kind)
    try:
        config = validate(RunConfig, run.config)
        exact = is_exact(config.score, eqenvs.make(config.game.id, **config.game.parameters))
    except InputError:
        return None
    return ScoreKind.EXACT if exact else ScoreKind.LOWER_BOUND


def of_value(kind: ScoreKind | None) -> ScoreKind | None:
    """The kind of a policy's own payoffs where gains are of a kind: beside a lower bound they are means of play."""
    return ScoreKind.ESTIMATE if kind is ScoreKind.LOWER_BOUND else kind


def badge(kind: ScoreKind | None) -> str:
    """The mark of a kind."""
    return f"<span class='kind {kind or 'unknown'}'>{escape(UNKNOWN if kind is None else KIND_NAMES[kind])}</span>"


def badges(kinds: Sequence[ScoreKind | None]) -> str:
    """The marks of several numbers that are drawn together, each once."""
    return " ".join(badge(kind) for kind in dict.fromkeys(kinds))
