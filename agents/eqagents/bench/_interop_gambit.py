"""Gambit's catalogue of games: each file read here and by Gambit, the same profiles' payoffs, and one equilibrium.

The catalogue comes with the package `pygambit`. A profile is carried over by walking both trees at once. NashConv by
Gambit is the sum over the players of `player_regret` of the equivalent mixed strategies; `max_regret` is the largest.
"""

from __future__ import annotations

import importlib
import importlib.resources
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

import eqenvs
from eqagents.bench import Row, Section, Settings, brief
from eqenvs.errors import GameDefinitionError
from eqenvs.game import Game
from eqenvs.policies import TabularPolicy, uniform
from eqenvs.rules import CHANCE, TERMINAL
from eqenvs.spec import Family
from eqenvs.testing.conformance import random_tables
from eqenvs.tree_rules import TreeRules
from eqsolvers.result import find_solver
from eqsolvers.scoring import score

PROFILES = 5  # random ones, beside uniform play
TOLERANCE = 1e-6  # NashConv
GENERAL = "pdcfr+"  # in extensive form, where the linear programme does not apply


@cache
def pygambit() -> Any:
    """Gambit's module."""
    return importlib.import_module("pygambit")


def catalogue() -> list[tuple[str, Path]]:
    """The name and the place of every file."""
    root = Path(str(importlib.resources.files("pygambit"))) / "catalog_data"
    files = [path for path in root.rglob("*") if path.suffix in (".efg", ".nfg")]
    return sorted((path.relative_to(root).as_posix(), path) for path in files)


def their_game(path: Path) -> Any:
    """The file as Gambit reads it."""
    return (pygambit().read_efg if path.suffix == ".efg" else pygambit().read_nfg)(path)


def infosets(tree: Any, theirs: Any) -> Iterator[tuple[int, int, Any]]:
    """(player, information set here, information set there), by the histories that both have."""
    seen = set()
    stack = [(0, theirs.root)]
    while stack:
        node, other = stack.pop()
        mover = int(tree.player[node])
        if len(other.children) != tree.num_children[node] or other.is_terminal != (mover == TERMINAL):
            raise AssertionError(f"history {node} has other children there")
        if mover >= 0 and (mover, tree.infoset[node]) not in seen:
            seen.add((mover, tree.infoset[node]))
            yield mover, int(tree.infoset[node]), other.infoset
        elif mover == CHANCE:
            chances = [float(action.prob) for action in other.infoset.actions]
            first = tree.first_child[node]
            if not np.allclose(chances, tree.chance[first : first + len(chances)], rtol=0, atol=1e-15):
                raise AssertionError(f"history {node} has other chances there")
        stack += [(int(tree.first_child[node]) + place, child) for place, child in enumerate(other.children)]


def their_profile(game: Game, theirs: Any, policy: TabularPolicy) -> Any:
    """A profile of Gambit's mixed strategies, in behaviour where the game is a tree."""
    if game.family == Family.NORMAL_FORM:
        rows = [[float(chance) for chance in table[0]] for table in policy.tables]
        return theirs.mixed_strategy_profile(rows, rational=False)
    assert isinstance(game.rules, TreeRules)
    place = [{int(key[0]): row for row, key in enumerate(states.keys)} for states in game.information_states]
    profile = theirs.mixed_behavior_profile(rational=False)
    for player, infoset, other in infosets(game.rules.tree, theirs):
        chances = policy.tables[player][place[player][infoset]]
        for action, chance in zip(other.actions, chances, strict=False):  # the table is as wide as the widest set
            profile[action] = float(chance)
    return profile


def largest_difference(game: Game, theirs: Any) -> float:
    """Of a player's payoff here and there, over uniform and random profiles."""
    found = 0.0
    for policy in (uniform(game), *(random_tables(game, seed) for seed in range(PROFILES))):
        profile, values = their_profile(game, theirs, policy), score(game, policy).values
        payoffs = [profile.payoff(player) for player in theirs.players]
        found = max(found, float(np.abs(np.array(payoffs) - values).max()))
    return found


def measure(name: str, path: Path) -> Row:
    """The row of a file."""
    game, theirs = eqenvs.make(f"gambit:{path}"), their_game(path)
    row: Row = {"file": name, "players": game.num_players, "same_players": len(theirs.players) == game.num_players}
    row["perfect_recall"] = bool(theirs.is_perfect_recall)
    try:
        model = game.model()
    except GameDefinitionError as error:
        return {**row, "refused": str(error).partition(": ")[2].partition(": ")[0]}
    sizes: Any = model.sizes()
    row["size"] = sizes.get("histories", sizes.get("profiles"))
    row["decisions"] = sum(sizes["infosets"]) if "infosets" in sizes else game.num_players
    row["payoffs"] = largest_difference(game, theirs)
    general = game.family == Family.EXTENSIVE_FORM and not (game.constant_sum and game.num_players == 2)
    solver = find_solver(game.family, "nash", GENERAL if general else None, game)
    solver.compile(model)
    started = time.process_time()
    budget: dict[str, Any] = {"iterations": 100_000} if solver.start is not None else {}
    policy: Any = solver.solve(model, tolerance=TOLERANCE, **budget).policy
    row |= {"method": solver.id, "seconds": time.process_time() - started, "nash_conv": score(game, policy).nash_conv}
    profile = their_profile(game, theirs, policy)
    mixed = profile if game.family == Family.NORMAL_FORM else profile.as_strategy()
    row["theirs"] = float(sum(mixed.player_regret(player) for player in theirs.players))
    return {**row, "difference": abs(row["theirs"] - row["nash_conv"]), "max_regret": float(mixed.max_regret())}


def section(settings: Settings) -> Section:
    """Every file of the catalogue."""
    rows = []
    for name, path in catalogue()[: 3 if settings.quick else None]:
        rows.append(measure(name, path))
        settings.say(brief(rows[-1]))
    return Section(
        id="catalogue",
        title="Gambit's catalogue of games: payoffs of profiles, and an equilibrium found here, judged by Gambit",
        columns={
            "file": "file",
            "players": "players",
            "size": "histories or joint actions",
            "decisions": "information sets",
            "payoffs": "payoffs differ by",
            "method": "method",
            "nash_conv": "NashConv here",
            "theirs": "NashConv by Gambit",
            "difference": "difference",
            "max_regret": "largest regret by Gambit",
            "refused": "refused",
        },
        rows=rows,
        notes=(
            f"Payoffs: the largest difference of any player's over uniform play and {PROFILES} random profiles.",
            "Games of imperfect recall are refused when their tree is built, those that Gambit says have none.",
        ),
    )
