"""Whether what a game's file states as known holds: sizes, values, equilibria, the NashConv of uniform play."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from eqenvs.errors import GameTooLargeError, InputError
from eqenvs.game import Game
from eqenvs.policies import TabularPolicy, uniform
from eqenvs.spec import Fact, Family
from eqenvs.testing.findings import Finding
from eqsolvers.result import find_solver
from eqsolvers.scoring import score

LARGEST = 5000  # sequences of a game that is solved for its value


def fact_findings(game: Game, max_size: int) -> list[Finding]:
    """One for each fact, at its own parameters.

    Args:
        game: any instance.
        max_size: histories (pairs of a state and a joint action) up to which a fact is looked at.
    """
    return [_finding(game, number, fact, max_size) for number, fact in enumerate(game.spec.facts)]


def _finding(game: Game, number: int, fact: Fact, max_size: int) -> Finding:
    check, said = f"facts.{number}", f"fact {fact.source!r}"
    try:
        instance = Game(game.spec, fact.parameters)
        if not instance.exact:
            return Finding(check, "skipped", f"{said}: the game cannot be enumerated", "eqenvs")
        instance.model(max_size=max_size)
        wrong = next(_differences(instance, fact), None)
    except GameTooLargeError as error:
        return Finding(check, "skipped", f"{said}: {error}", "eqenvs")
    except InputError as error:
        return Finding(check, "fail", f"{said}: {error}", "eqenvs")
    if wrong is not None:
        return Finding(check, "fail", f"{said}: {wrong}", "eqenvs")
    return Finding(check, "pass", said, "eqenvs")


def _differences(game: Game, fact: Fact) -> Iterator[str]:
    """What the fact states and the game has not."""
    sizes = game.model().sizes()
    for name, stated in fact.sizes.items():
        if sizes.get(name) != stated:
            yield f"{name} expected {stated}, found {sizes.get(name)}"
    if fact.uniform_nash_conv is not None:
        found = score(game, uniform(game)).nash_conv
        if abs(found - fact.uniform_nash_conv) > max(fact.tolerance, 1e-9):
            yield f"uniform_nash_conv expected {fact.uniform_nash_conv:g}, found {found:g}"
    values = None
    if fact.equilibrium is not None:
        scored = score(game, TabularPolicy(game, [np.array([strategy]) for strategy in fact.equilibrium]))
        values = scored.values
        if scored.nash_conv > max(fact.tolerance, 1e-9):
            yield f"equilibrium expected a NashConv of 0, found {scored.nash_conv:g}"
    for tables in fact.equilibria:
        gain = score(game, TabularPolicy(game, [np.array(table) for table in tables])).nash_conv
        if gain > fact.epsilon + fact.tolerance:
            yield f"equilibria expected a NashConv of at most {fact.epsilon:g}, found {gain:g}"
    if values is None and fact.values is not None and _solvable(game):
        solver = find_solver(game.family, "nash", None, game)
        values = score(game, solver.solve(game.model()).policy).values
    if values is not None and fact.values is not None:
        off = np.abs(np.asarray(fact.values) - values).max()
        if off > max(fact.tolerance, 1e-7):
            yield f"values expected {tuple(fact.values)}, found {tuple(round(float(v), 9) for v in values)}"


def _solvable(game: Game) -> bool:
    """Whether a linear programme gives the only values that equilibria have, in seconds."""
    if game.num_players != 2 or not game.constant_sum or game.family not in (Family.NORMAL_FORM, Family.EXTENSIVE_FORM):
        return False
    sequences: list[int] = game.model().sizes().get("sequences", [0])
    return sum(sequences) <= LARGEST
