"""The empirical games between populations, as learners keep them, and what is shown of them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from eqagents.drawing.heat_maps import HeatMap
from eqenvs.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

MAX_STRATEGIES = 60  # rows and columns of the heat map; the most played are kept


@dataclass(frozen=True, kw_only=True)
class MetaGame:
    """The empirical game between the players' populations.

    Attributes:
        payoffs: [N, K_0, .., K_{N-1}] float64; NaN where a profile has not been simulated.
        meta_strategies: for each player, probabilities [K_n]; NaN where null.
        labels: for each player, K_n names.
        half_width: the largest of the payoffs' 95 % intervals; 0 where they are exact, NaN where nothing is said of it.
    """

    payoffs: NDArray[np.float64]
    meta_strategies: tuple[tuple[float, ...], ...]
    labels: tuple[tuple[str, ...], ...]
    half_width: float = math.nan


def meta_game_of(entry: Mapping[str, Any], where: str) -> MetaGame:
    """The empirical game that a learner keeps as its artefact `meta_game`.

    Args:
        entry: the artefact.
        where: what to call it in an error.

    Raises:
        InputError: it is malformed.
    """
    for name in ("payoffs", "meta_strategies", "labels"):
        if not isinstance(entry.get(name), list):
            raise InputError(f"{where}: {name!r} is missing or not a list")
    payoffs = _numbers(entry["payoffs"], f"{where}: 'payoffs'")
    payoffs.setflags(write=False)
    sizes = payoffs.shape[1:]
    if payoffs.ndim < 3 or payoffs.shape[0] != len(sizes) or 0 in sizes:
        raise InputError(f"{where}: 'payoffs' must be [N, K_0, .., K_(N-1)] with N >= 2, got shape {payoffs.shape}")
    rows = [_numbers(row, f"{where}: 'meta_strategies'") for row in entry["meta_strategies"]]
    labels = tuple(tuple(map(str, row)) if isinstance(row, list) else () for row in entry["labels"])
    for name, shapes in (("meta_strategies", [row.shape for row in rows]), ("labels", [(len(row),) for row in labels])):
        if shapes != [(size,) for size in sizes]:
            raise InputError(f"{where}: {name!r} must have one entry for each of the {list(sizes)} strategies")
    widths = _numbers(entry.get("half_widths", []), f"{where}: 'half_widths'")
    return MetaGame(
        payoffs=payoffs,
        meta_strategies=tuple(tuple(row.tolist()) for row in rows),
        labels=labels,
        half_width=float(np.nanmax(widths)) if np.isfinite(widths).any() else math.nan,
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


def _most_played(weights: Sequence[float]) -> list[int]:
    """The strategies to show, in their own order: all, or the `MAX_STRATEGIES` most played."""
    order = sorted(range(len(weights)), key=lambda k: -weights[k] if math.isfinite(weights[k]) else 0.0)
    return sorted(order[:MAX_STRATEGIES])


def _numbers(value: Any, where: str) -> NDArray[np.float64]:
    try:
        return np.array(value, dtype=np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise InputError(f"{where} must be nested lists of equal lengths, of numbers or null") from error
