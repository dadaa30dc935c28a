"""Every player's strategy at its information states, as a table that can be searched, runs of one game side by side.

The table is whole without scripts; what the page's script adds is said in `eqagents.report.script`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from eqagents.drawing.marks import escape, format_number, shorten
from eqagents.report.html import note, scroll
from eqagents.report.played import MAX_RUNS, Played
from eqenvs.spec import Family

if TYPE_CHECKING:
    from collections.abc import Sequence

    from eqenvs.arrays import Float64Array, IntArray
    from eqenvs.game import Game
    from eqenvs.models import InformationStates

MAX_ROWS = 5_000  # of a table, the most reached
MAX_CELLS = 40_000  # probabilities of a table: some 2 MB
MAX_BESIDE = 4  # runs beside each other
MAX_ACTIONS = 8  # of a cell, the most played
LABEL = 18  # characters of an action
REACH = {
    Family.NORMAL_FORM: "",
    Family.EXTENSIVE_FORM: "Reach: the probability that chance and all players lead there. Gain: what the best play "
    "from there on has over this policy, weighted with the probability that chance and the others lead there; a "
    "player's gain is their sum over its first decisions.",
    Family.MARKOV: "Reach: the share of the time that is spent there, discounted where the game is; with a horizon, of "
    "each step. Gain: what the best play from there on has over this policy, once there.",
    Family.MEAN_FIELD: "Reach: the share of the population that is there then.",
}


def strategies(names: Sequence[str], played: Sequence[Played | str], order: Sequence[int]) -> str:
    """The section: a table for each game, and a line for each run that has none.

    Args:
        names: of the runs.
        played: what they learned.
        order: which of them are shown before others where there are too many.
    """
    shown = [(names[at], run) for at in order if isinstance(run := played[at], Played)]
    games = list({id(run.game): run.game for _, run in shown}.values())
    tables = [_of_game(game, [each for each in shown if each[1].game is game], len(games) > 1) for game in games]
    reasons: dict[str, list[str]] = {}
    for name, run in zip(names, played, strict=True):
        if isinstance(run, str):
            reasons.setdefault(run, []).append(name)
    said = [note(f"Not shown of {', '.join(of)}: {reason}") for reason, of in reasons.items()]
    return f"<h2>Strategies</h2>{''.join(tables)}{''.join(said)}\n"


def _of_game(game: Game, runs: Sequence[tuple[str, Played]], several: bool) -> str:
    points = game.information_states
    beside = runs[:MAX_BESIDE]
    total = sum(len(states.keys) for states in points)
    rows = _most_reached(points, [run for _, run in beside])
    gains = any(np.isfinite(standing.gain).any() for _, run in beside for standing in run.standings)
    labels = [game.action_labels(player) for player in range(len(points))]
    body = [_row(game, labels[player], player, row, beside, gains) for player, row in rows.tolist()]
    name = f"Strategies in {game.spec.id}"
    css = "states wide" if len(beside) > 2 else "states"
    table = f"<table class='{css}'>{_head([name for name, _ in beside], gains)}<tbody>{''.join(body)}</tbody></table>"
    controls = (
        "<div class='controls' hidden><label>Filter <input type='search' class='filter' spellcheck='false' "
        "placeholder='words, or reach>0.01, or an action: raise>0.5'></label><label>Player <select class='player'>"
        f"<option value=''>all</option>{''.join(f'<option>{p}</option>' for p in range(len(points)))}</select></label>"
        f"<output aria-live='polite'>{len(rows):,} of {len(rows):,} rows</output></div>"
    )
    notes = [f"The {len(rows):,} most reached of {total:,} information states." if len(rows) < total else ""]
    notes.append(REACH[game.family])
    notes.append(
        f"{'Reach and gains are' if gains else 'Reach is'} exact up to rounding, of the last checkpoint's policy."
    )
    if any(run.correlated for _, run in beside):
        notes.append("Of a correlation device each player's own part is shown, and reach and gains are of these parts.")
    if len(runs) > MAX_BESIDE:
        notes.append(f"The first {MAX_BESIDE} of {len(runs)} runs; policies are read of the first {MAX_RUNS}.")
    if len(rows) > 60:
        notes.append("Printed are the first 60 rows.")
    head = f"<h3>{escape(repr(game))}</h3>" if several else ""
    told = note(" ".join(filter(None, notes)))
    return f"<div class='browser'>{head}{controls}{scroll(name, table, ' tall')}</div>{told}"


def _most_reached(points: Sequence[InformationStates], runs: Sequence[Played]) -> IntArray:
    """Player and row [R, 2] of the information states that are reached most by any of the runs, these first."""
    reach = [np.max([run.standings[player].reach for run in runs], axis=0) for player in range(len(points))]
    sizes = [len(own) for own in reach]
    every = np.stack([np.repeat(np.arange(len(sizes)), sizes), np.concatenate(list(map(np.arange, sizes)))], axis=1)
    order = np.argsort(-np.concatenate(reach), kind="stable")[:MAX_ROWS]
    legal = np.concatenate([np.minimum(states.masks.sum(axis=1), MAX_ACTIONS) for states in points])[order]
    fits = np.cumsum(legal * len(runs)) <= MAX_CELLS
    kept: IntArray = every[order[fits]]
    return kept


def _head(names: Sequence[str], gains: bool) -> str:
    """Column heads; `data-sort` is what the script sorts by, of the runs after the first with their number."""
    first = "<th scope='col' data-sort='player'>Player</th><th scope='col' data-sort='state'>Information state</th>"
    own = [("", "Strategy"), ("reach", "Reach"), *([("gain", "Gain")] if gains else [])]
    cells = ""
    for k in range(len(names)):
        number = "" if k == 0 else f"-{k + 1}"
        for key, title in own:
            sort = f" data-sort='{key}{number}'" if key else ""
            cells += f"<th scope='col'{sort}>{title}</th>"
    if len(names) == 1:
        return f"<thead><tr>{first}{cells}</tr></thead>"
    over = "".join(f"<th scope='colgroup' colspan='{len(own)}'>{escape(name)}</th>" for name in names)
    return f"<thead><tr><th colspan='2'></th>{over}</tr><tr>{first}{cells}</tr></thead>"


def _row(
    game: Game, labels: Sequence[str], player: int, row: int, runs: Sequence[tuple[str, Played]], gains: bool
) -> str:
    states = game.information_states[player]
    label = game.rules.describe_information_state(player, states.keys[row])
    actions = np.flatnonzero(states.masks[row])
    cells = []
    for _, run in runs:
        standing = run.standings[player]
        cells.append(f"<td class='mix'>{_mix(labels, actions, run.tables[player][row][actions])}</td>")
        figures = [standing.reach[row], *([standing.gain[row]] if gains else [])]
        cells += [f"<td class='num'>{format_number(float(f'{figure:.3g}'))}</td>" for figure in figures]
    return f"<tr><td>{player}</td><th scope='row'>{escape(label)}</th>{''.join(cells)}</tr>"


def _mix(labels: Sequence[str], actions: IntArray, probability: Float64Array) -> str:
    """The actions with their probabilities, each with a bar: class `w37` is 37 % long."""
    shown = np.sort(np.argsort(-probability, kind="stable")[:MAX_ACTIONS])
    spans = [
        f"<span class='w{round(100 * float(probability[k]))}'>"
        f"{escape(shorten(labels[actions[k]], LABEL))}: {_share(probability[k])}</span>"
        for k in shown
    ]
    if len(shown) < len(actions):
        rest = 1.0 - float(probability[shown].sum())
        spans.append(f"<em>{len(actions) - len(shown)} more: {_share(max(rest, 0.0))}</em>")
    return "".join(spans)


def _share(probability: float) -> str:
    """A probability with three decimals; what is not 0 never looks like it.

    >>> [_share(p) for p in (0.0, 1e-9, 0.25, 1.0)]
    ['0', '&lt;0.001', '0.25', '1']
    """
    if 0.0 < probability < 0.0005:
        return "&lt;0.001"
    return f"{probability:.3f}".rstrip("0").rstrip(".")
