"""The maps of the empirical games between populations."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from eqagents.report.heat_maps import HeatMap
from eqagents.report.html import panel, panels
from eqagents.report.svg import heat_map

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from eqagents.report.data import MetaGame, ReportData

MAX_STRATEGIES = 60  # rows and columns of the heat map; the most played are kept


def meta_games(runs: Sequence[ReportData], names: Sequence[str]) -> str:
    """The section: a map for each run that has a meta-game."""
    drawn = [
        panel(name if len(runs) > 1 else "", _map(run.meta_game) + _note(run.meta_game))
        for run, name in zip(runs, names, strict=True)
        if run.meta_game is not None
    ]
    if not drawn:
        return ""
    return (
        "<h2>Meta-game</h2><p class='note'>Payoff to player 0 for each pair of strategies; the bars along the margins "
        f"are the meta-strategies. Crossed cells are not known.</p>{panels(drawn)}\n"
    )


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


def empirical_game(meta_game: MetaGame) -> HeatMap:
    """What is shown of a meta-game: payoffs to player 0, and how players 0 and 1 mix their strategies."""
    rows, columns = (_most_played(weights) for weights in meta_game.meta_strategies[:2])
    return HeatMap(
        title="Payoff to player 0 for each pair of strategies",
        values=others_at_meta_strategy(meta_game)[np.ix_(rows, columns)],
        row_labels=[meta_game.labels[0][r] for r in rows],
        column_labels=[meta_game.labels[1][c] for c in columns],
        row_weights=[meta_game.meta_strategies[0][r] for r in rows],
        column_weights=[meta_game.meta_strategies[1][c] for c in columns],
        row_title="player 0",
        column_title="player 1",
    )


def _map(meta_game: MetaGame) -> str:
    shown = empirical_game(meta_game)
    return heat_map(
        shown.values,
        title=shown.title,
        row_labels=shown.row_labels,
        column_labels=shown.column_labels,
        row_weights=shown.row_weights,
        column_weights=shown.column_weights,
        row_title=shown.row_title,
        column_title=shown.column_title,
    )


def _most_played(weights: Sequence[float]) -> list[int]:
    """The strategies to show, in their own order: all, or the `MAX_STRATEGIES` most played."""
    order = sorted(range(len(weights)), key=lambda k: -weights[k] if math.isfinite(weights[k]) else 0.0)
    return sorted(order[:MAX_STRATEGIES])


def _note(meta_game: MetaGame) -> str:
    sizes = [len(weights) for weights in meta_game.meta_strategies]
    notes = []
    if len(sizes) > 2:
        others = "player 2 is" if len(sizes) == 3 else f"players 2 to {len(sizes) - 1} are"
        notes.append(f"{len(sizes)} players: {others} at the meta-strategy.")
    if max(sizes[:2]) > MAX_STRATEGIES:
        notes.append(f"The {MAX_STRATEGIES} most played of {sizes[0]} and {sizes[1]} strategies.")
    return "".join(f"<p class='note'>{note}</p>" for note in notes)
