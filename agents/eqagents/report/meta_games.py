"""The maps of the empirical games between populations."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from eqagents.drawing.marks import format_number
from eqagents.drawing.matrices import heat_map
from eqagents.drawing.meta_games import MAX_STRATEGIES, empirical_game
from eqagents.report.html import note, panel, panels
from eqagents.report.kinds import badge
from eqsolvers.scoring import ScoreKind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from eqagents.drawing.meta_games import MetaGame
    from eqagents.report.data import ReportData


def meta_games(runs: Sequence[ReportData], names: Sequence[str]) -> str:
    """The section: a map for each run that has a meta-game."""
    found = [(name, run.meta_game) for run, name in zip(runs, names, strict=True) if run.meta_game is not None]
    drawn = [
        panel(name if len(runs) > 1 else "", heat_map(empirical_game(each)) + _notes(each), _mark(each))
        for name, each in found
    ]
    if not drawn:
        return ""
    told = note(
        "Payoff to player 0 for each pair of strategies; the bars along the margins are the meta-strategies. Crossed "
        "cells are not known."
    )
    return f"<h2>Meta-game</h2>{told}{panels(drawn)}\n"


def _mark(meta_game: MetaGame) -> str:
    """Whether the payoffs are exact; those that were simulated have intervals."""
    width = meta_game.half_width
    return badge(None if math.isnan(width) else ScoreKind.ESTIMATE if width > 0 else ScoreKind.EXACT)


def _notes(meta_game: MetaGame) -> str:
    sizes = [len(weights) for weights in meta_game.meta_strategies]
    notes = []
    if len(sizes) > 2:
        others = "player 2 is" if len(sizes) == 3 else f"players 2 to {len(sizes) - 1} are"
        notes.append(f"{len(sizes)} players: {others} at the meta-strategy.")
    if max(sizes[:2]) > MAX_STRATEGIES:
        notes.append(f"The {MAX_STRATEGIES} most played of {sizes[0]} and {sizes[1]} strategies.")
    if meta_game.half_width > 0:
        notes.append(f"Payoffs are means of play, ± {format_number(meta_game.half_width)} at the most (95 %).")
    return "".join(map(note, notes))
