"""Strategies over three actions on the triangle: their path in a normal form, information states elsewhere."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from eqagents.drawing.marks import NUM_COLOURS, escape, format_number
from eqagents.drawing.triangles import Trail, triangle
from eqagents.report.html import legend, note, panel, panels
from eqagents.report.played import Played
from eqenvs.spec import Family

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from eqagents.report.replay import Path, Tables
    from eqenvs.arrays import Float64Array
    from eqenvs.game import Game

MAX_DOTS = 300  # information states of a triangle, the most reached
MAX_PANELS = 8  # triangles of information states
THREE = 3


def simplex(names: Sequence[str], played: Sequence[Played | str]) -> str:
    """The section; empty where no player has three actions anywhere."""
    shown = [(at, names[at], run) for at, run in enumerate(played) if isinstance(run, Played)]
    games = list({id(run.game): run.game for _, _, run in shown}.values())
    body = "".join(_of_game(game, [each for each in shown if each[2].game is game], len(games) > 1) for game in games)
    return f"<h2>Strategies on the simplex</h2>{body}\n" if body else ""


def _of_game(game: Game, runs: Sequence[tuple[int, str, Played]], several: bool) -> str:
    head = f"<h3>{escape(game.spec.id)}</h3>" if several else ""
    if game.family is not Family.NORMAL_FORM:
        drawn = [each for _, name, run in runs for each in _dots(name if len(runs) > 1 else "", run)]
        told = note(
            "Each dot is an information state with three legal actions, the most common ones of its player; the paler "
            f"the less it is reached. At most {MAX_DOTS} are drawn."
        )
        return f"{head}{panels(drawn[:MAX_PANELS])}{told}" if drawn else ""
    players = [player for player in range(game.num_players) if len(game.action_labels(player)) == THREE]
    if not players:
        return ""
    paths = [(at, name, run.path) for at, name, run in runs if run.path is not None]
    equilibria = [(fact.equilibrium, fact.source) for fact in game.facts if fact.equilibrium is not None]
    drawn = [_paths(game, player, paths, [profile[player] for profile, _ in equilibria]) for player in players]
    notes = [f"Path of {name}: {path.source}." for _, name, path in paths]
    told = "A ring is where a path begins, a dot where it ends."
    if any(path.last for _, _, path in paths):
        told += " Thick: the policy that is scored, the average; thin: the last iterate."
    if equilibria:
        told += f" The cross is the equilibrium that the game's definition states ({equilibria[0][1]})."
    names = [""] * (1 + max(at for at, _, _ in paths))
    for at, name, _ in paths:
        names[at] = name
    top = legend(names) if len(paths) > 1 else ""
    return f"{head}{top}{panels(drawn)}{note(told)}{''.join(map(note, notes))}"


def _paths(
    game: Game, player: int, runs: Sequence[tuple[int, str, Path]], equilibria: Sequence[Sequence[float]]
) -> str:
    actions = game.action_labels(player)
    trails = []
    for at, name, path in runs:
        for tables, minor in ((path.main, False), (path.last, True)):
            if tables:
                tips = [f"{name}, {'last iterate' if minor else 'iteration'} {step}" for step in path.steps]
                trails.append(_trail(tables, player, tips, actions, at, minor))
    title = f"Strategy of player {player}"
    corners = [f"action {action}" if action.isdigit() else action for action in actions]
    marks = [(f"equilibrium\n{_mixed(actions, point)}", point) for point in equilibria]
    return panel(title, triangle(trails, title=title, corners=corners, marks=marks))


def _trail(
    tables: Sequence[Tables], player: int, tips: Sequence[str], actions: Sequence[str], index: int, minor: bool
) -> Trail:
    points = np.array([own[player][0] for own in tables])
    told = [f"{tip}\n{_mixed(actions, point)}" for tip, point in zip(tips, points, strict=True)]
    return Trail(points=points, tips=told, index=index, minor=minor)


def _dots(name: str, run: Played) -> Iterator[str]:
    """A triangle for each player that has states of three actions, of those three that it has most often."""
    game = run.game
    for player, (states, table, standing) in enumerate(
        zip(game.information_states, run.tables, run.standings, strict=True)
    ):
        rows = np.flatnonzero(states.masks.sum(axis=1) == THREE)
        if not len(rows):
            continue
        triples = Counter(tuple(np.flatnonzero(states.masks[row]).tolist()) for row in rows)
        triple = triples.most_common(1)[0][0]
        alike = rows[states.masks[rows][:, list(triple)].all(axis=1)]
        kept = alike[np.argsort(-standing.reach[alike], kind="stable")[:MAX_DOTS]]
        labels, reach = game.action_labels(player), standing.reach[kept]
        actions = [labels[action] for action in triple]
        points: Float64Array = table[kept][:, list(triple)]
        tips = [
            f"{game.rules.describe_information_state(player, states.keys[row])}\n{_mixed(actions, point)}\n"
            f"reached {format_number(float(own))}"
            for row, point, own in zip(kept, points, reach, strict=True)
        ]
        strength = 0.15 + 0.85 * np.sqrt(reach / max(reach.max(initial=0.0), 1e-300))
        trail = Trail(
            points=points[::-1],
            tips=tips[::-1],
            index=player % NUM_COLOURS,
            joined=False,
            strength=strength[::-1].tolist(),
        )
        title = f"{name}: player {player}" if name else f"Player {player}"
        corners = [f"action {action}" if action.isdigit() else action for action in actions]
        drawn = triangle([trail], title=title, corners=corners)
        yield panel(f"{title}, {len(kept)} of {len(states.keys):,} states", drawn)


def _mixed(actions: Sequence[str], point: Sequence[float] | Float64Array) -> str:
    return ", ".join(f"{action} {format_number(float(own))}" for action, own in zip(actions, point, strict=True))
