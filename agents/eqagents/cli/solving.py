"""One game solved by one method, timed, and scored by the independent evaluator."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

from eqenvs.errors import InputError
from eqenvs.game import Game
from eqenvs.models import Model
from eqenvs.policies import CorrelatedStrategy, JointPolicy, MarkovCorrelatedPolicy, TabularPolicy, tabulate
from eqenvs.policy_files import policy_to_json
from eqenvs.spec import Family
from eqsolvers.iterative import KeepsBest
from eqsolvers.result import NOTHING_FOUND, SolverResult, SolverSpec, find_solver
from eqsolvers.scoring import Score, score, warm_up

SHOWN = 100  # probabilities of a policy that are printed


@dataclass(frozen=True, kw_only=True)
class Solved:
    """A game, what a method found in it, and how long that took.

    Attributes:
        game: the game.
        concept: what was asked for.
        solver: the method.
        result: what it gave.
        scored: the independent score of the policy; of uniform play where nothing was found.
        best: whether the policy is the best iterate looked at, not the last.
        build_seconds: of building the model.
        compile_seconds: of compiling the kernels, or loading them from the cache.
        seconds: of the solver alone.
    """

    game: Game
    concept: str
    solver: SolverSpec
    result: SolverResult
    scored: Score
    best: bool
    build_seconds: float
    compile_seconds: float
    seconds: float

    @property
    def policy(self) -> JointPolicy:
        """What was found."""
        return policy_of(self.result, best=self.best)

    @property
    def found(self) -> bool:
        """Whether the policy is an answer."""
        return self.result.status not in NOTHING_FOUND

    def to_json(self) -> dict[str, Any]:
        """What `eqenvs solve --json` prints; policies are those of normal-form games alone, and small."""
        result, scored = self.result, self.scored
        data = {
            "game": self.game.spec.id,
            "parameters": self.game.parameters,
            "concept": self.concept,
            "method": self.solver.id,
            "status": result.status.value,
            "iterations": result.iterations,
            "seconds": self.seconds,
            "compile_seconds": self.compile_seconds,
            "build_seconds": self.build_seconds,
            "values": [float(value) for value in scored.values],
            "residual": result.residual if math.isfinite(result.residual) else None,
            "residual_unit": self.solver.unit_of(self.concept),
            "message": result.message,
            "nash_conv": scored.nash_conv_or_none,
            "exploitability": scored.exploitability_or_none,
            "score_kind": scored.kind.value,
            "gaps": scored.gaps,
            **result.measures,
            **result.detail,
        }
        if result.best is not None:
            data["iterate"] = "best" if self.best else "last"
        if self.game.family is Family.NORMAL_FORM:
            data["policy"] = strategy_to_json(result.policy, limit=SHOWN) if self.found else None
        if result.equilibria:
            data["equilibria"] = [strategy_to_json(equilibrium) for equilibrium in result.equilibria]
        return data

    def policy_to_json(self) -> dict[str, Any]:
        """The policy as a policy file holds it."""
        policy = self.policy
        if not isinstance(policy, CorrelatedStrategy | MarkovCorrelatedPolicy):
            policy = tabulate(self.game.model(), policy)
        return policy_to_json(self.game, policy)


def solve_game(
    game: Game,
    *,
    concept: str | None = None,
    method: str | None = None,
    iterations: int | None = None,
    seconds: float | None = None,
    seed: int | None = None,
    settings: Mapping[str, str] | None = None,
    target: float = 1e-9,
    best: bool = False,
    busy: Callable[[str], AbstractContextManager[None]] = lambda what: nullcontext(),
) -> Solved:
    """Solve a game on its exact model, and score what was found.

    Args:
        game: one that can be enumerated.
        concept: what to compute; default what the method does, or nash.
        method: which solver; default the preferred one for the concept.
        iterations: the most, of an iterative method; None, as for the next two: left to the method.
        seconds: the longest to run, of an iterative method.
        seed: of a method's randomness.
        settings: parameters of the method as texts.
        target: residual that counts as converged, > 0, in its unit.
        best: give the best iterate that was looked at in place of the last, which the residual is of.
        busy: told what takes its time, while it does.

    Raises:
        InputError: a value is out of range, there is no such method, or it does not take an option or the game.
    """
    if not 0 < target < math.inf:
        raise InputError(f"--target must be a positive number, got {target}")
    solver = find_solver(game.family, concept, method, game)
    concept = concept or ("nash" if method is None else solver.concepts[0])
    budget = {"iterations": iterations, "seconds": seconds, "seed": seed}
    options: dict[str, Any] = {name: value for name, value in budget.items() if value is not None}
    for name in options:
        if name not in solver.options:
            raise InputError(f"method {solver.id!r} takes no --{name}")
    if "concept" in solver.options:
        options["concept"] = concept
    if settings:
        options["settings"] = solver.parse(settings)
    with busy("building the exact model"):
        started = time.perf_counter()
        model = game.model()
        built = time.perf_counter()
    with busy("compiling"):
        solver.compile(model)
        warm_up(model)
        if best and not keeps_best(solver, model, options.get("settings")):
            raise InputError(f"--best: method {solver.id!r} keeps no iterate but the last; leave --best out")
        compiled = time.perf_counter()
    with busy(f"solving by {solver.id}"):
        result = solver.solve(model, tolerance=target, **options)
        solved = time.perf_counter()
    return Solved(
        game=game,
        concept=concept,
        solver=solver,
        result=result,
        scored=score(game, policy_of(result, best=best)),
        best=best,
        build_seconds=built - started,
        compile_seconds=compiled - built,
        seconds=solved - compiled,
    )


def keeps_best(solver: SolverSpec, model: Model, settings: Mapping[str, Any] | None = None) -> bool:
    """Whether a method keeps its best iterate apart from the last."""
    return solver.start is not None and isinstance(solver.start(model, settings=settings), KeepsBest)


def policy_of(result: SolverResult, *, best: bool) -> JointPolicy:
    """The last iterate of a method, or the best that it looked at."""
    return result.best if best and result.best is not None else result.policy


def strategy_to_json(policy: JointPolicy, *, limit: float = math.inf) -> list[Any] | None:
    """A joint strategy of a normal-form game: a list per player, or of a device a distribution over joint actions.

    None where it is no array, or one of more than `limit` numbers.
    """
    if isinstance(policy, CorrelatedStrategy):
        distribution: list[Any] = policy.distribution.tolist()
        return distribution if policy.distribution.size <= limit else None
    if not isinstance(policy, TabularPolicy) or sum(table.size for table in policy.tables) > limit:
        return None
    return [table[0].tolist() for table in policy.tables]
