"""Methods that improve a policy step by step: what they have in common, and the loop that runs them.

A method's file gives a function from a model to a `Process`; `iterative_solver` makes the registered solver of it. The
same process is what a learner of `eqagents` steps and checkpoints, so that a method is written once.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np

from eqenvs.errors import InputError, UnsupportedGame
from eqenvs.game import Game
from eqenvs.models import MeanFieldModel, Model
from eqenvs.policies import JointPolicy
from eqenvs.spec import Family, Parameter, Parameterised
from eqsolvers.result import SolverResult, SolverSpec, Status


class Process(Protocol):
    """A method at work on one model. Two processes in the same state do the same from there on, to the bit."""

    unit: str  # what `touched` counts, in the plural

    @property
    def iteration(self) -> int:
        """Iterations done."""

    @property
    def touched(self) -> int:
        """The work so far in `unit`; of full-width methods what the textbook's traversals would visit."""

    def run(self, iterations: int) -> None:
        """Do that many more."""

    def policy(self) -> JointPolicy:
        """What the method's guarantee is about: the average or the last iterate."""

    def residual(self) -> float:
        """The exact error of `policy()` by the method's concept: NashConv, where the method says no other."""

    def measures(self) -> dict[str, float]:
        """Further exact figures by name, such as the CCE gap of the play-average; empty where there are none."""

    def state(self) -> dict[str, Any]:
        """All that changes, as nested dicts, numbers and arrays; copies, for a checkpoint."""

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go back to what `state()` gave; one of another game or other settings is for `require_alike` to refuse."""


@runtime_checkable
class KeepsBest(Protocol):
    """A process whose last iterate need not be its best."""

    def best_policy(self) -> JointPolicy:
        """The best of the iterates whose residual was looked at."""


@dataclass(frozen=True)
class Check:
    """A process when its residual was looked at.

    Attributes:
        iteration: iterations done.
        seconds: since the start, of the iterations and the checks.
        touched: see `Process`.
        residual: see `Process`.
    """

    iteration: int
    seconds: float
    touched: int
    residual: float


Start = Callable[..., Process]  # (model, *, seed: int, and the method's parameters by name)


def require_alike(own: Any, other: Any, where: str = "") -> None:
    """Refuse a state that is none of a process, before it is restored.

    Args:
        own: a state of the process.
        other: the one to restore.
        where: in the state, for the message.

    Raises:
        InputError: naming the first part that has another shape.
    """
    mine, theirs = _described(own), _described(other)
    if mine != theirs:
        raise InputError(
            f"restore: the state is of another game or other settings: state{where} is {theirs}, not {mine}"
        )
    if isinstance(own, Mapping):
        for name in own:
            require_alike(own[name], other[name], f"{where}[{name!r}]")
    elif isinstance(own, list | tuple):
        for index, (part, stored) in enumerate(zip(own, other, strict=True)):
            require_alike(part, stored, f"{where}[{index}]")


def _described(part: Any) -> str:
    if isinstance(part, Mapping):
        return f"a mapping of {', '.join(sorted(map(str, part)))}"
    if isinstance(part, list | tuple):
        return f"{len(part)} parts"
    if isinstance(part, np.ndarray) and part.ndim > 0:
        return f"an array of shape {part.shape}"
    return "nothing" if part is None else "a single value"


def require_two_player_zero_sum(model: Model, method: str, *, hint: str = "") -> None:
    """Refuse every other game, with what else there is as a hint.

    Raises:
        UnsupportedGame: if the game is not two-player constant-sum.
    """
    if isinstance(model, MeanFieldModel) or model.num_players != 2 or not model.constant_sum():
        raise UnsupportedGame(f"{method}: covers two-player constant-sum games only{'; ' if hint else ''}{hint}")


def run_process(
    process: Process,
    method: str,
    *,
    tolerance: float,
    iterations: int,
    seconds: float = np.inf,
    check_every: int = 100,
    on_check: Callable[[Check], None] = lambda check: None,
) -> SolverResult:
    """Run until the residual is within the tolerance or a budget is spent.

    Args:
        process: at any iteration.
        method: its id.
        tolerance: residual, in its unit, at least 0.
        iterations: the most to have done in all.
        seconds: the longest to run, at least 0; one iteration is always done. The last look comes as soon as they are
            spent.
        check_every: iterations between two looks at the residual, at least 1; 2 % of the iterations done where that is
            more.
        on_check: told of every look.

    Raises:
        InputError: if one of these is out of its range.
    """
    for name, value, least in (("tolerance", tolerance, 0), ("seconds", seconds, 0), ("check_every", check_every, 1)):
        if not value >= least:  # nor NaN
            raise InputError(f"{method}: {name} must be at least {least}, got {value}")
    started, begun = time.perf_counter(), process.iteration
    status, trace = Status.ITERATION_LIMIT, []
    spent = 0.0
    while process.iteration < iterations:
        goal = min(process.iteration + max(check_every, process.iteration // 50), iterations)
        while process.iteration < goal and spent <= seconds:
            process.run(min(goal - process.iteration, _affordable(process.iteration - begun, spent, seconds)))
            spent = time.perf_counter() - started
        residual = process.residual()
        check = Check(process.iteration, time.perf_counter() - started, process.touched, residual)
        trace.append(check)
        on_check(check)
        if residual <= tolerance:
            status = Status.CONVERGED
            break
        spent = check.seconds
        if spent > seconds:
            status = Status.TIME_LIMIT
            break
    return SolverResult(
        policy=process.policy(),
        status=status,
        residual=trace[-1].residual if trace else process.residual(),
        iterations=process.iteration,
        method=method,
        measures=process.measures(),
        trace=tuple(trace),
        best=process.best_policy() if isinstance(process, KeepsBest) else None,
    )


def _affordable(done: int, spent: float, seconds: float) -> int:
    """How many more iterations fit into a budget at the pace so far; one where there is no pace yet, at least one."""
    if seconds == np.inf:
        return sys.maxsize
    return max(1, int((seconds - spent) * done / spent)) if done else 1


def iterative_solver(
    method: str,
    start: Start,
    *,
    source: str,
    family: Family,
    parameters: tuple[Parameter, ...] = (),
    random: bool = False,
    concepts: tuple[str, ...] = ("nash",),
    compile: Callable[[Any], None] = lambda model: None,
    preference: int = 0,
    covers: Callable[[Game], bool] = lambda game: True,
    residual_unit: str | Mapping[str, str] = "payoff",
    check_every: int = 100,
    default_iterations: int = 100_000,
) -> SolverSpec:
    """The registered solver of a method.

    Args:
        method: id.
        start: from (model, seed=..., and the parameters as keywords) to the process.
        source: authors, year, venue.
        family: the models it takes.
        parameters: what `start` takes besides, with ranges and defaults.
        random: whether the seed matters.
        concepts: what it computes; where there are several, `start` takes one of them as `concept`.
        compile: see `SolverSpec`, as for the next three.
        preference: see there.
        covers: see there.
        residual_unit: see there.
        check_every: see `run_process`.
        default_iterations: the most iterations where none are asked for.
    """
    settable = Parameterised(id=method, parameters=parameters)

    def begin(
        model: Any, *, seed: int = 0, settings: Mapping[str, Any] | None = None, concept: str = concepts[0]
    ) -> Process:
        chosen = {"concept": concept} if len(concepts) > 1 else {}
        return start(model, seed=seed, **settable.resolve(settings or {}), **chosen)

    def solve(
        model: Any,
        *,
        tolerance: float = 1e-3,
        iterations: int = default_iterations,
        seconds: float = np.inf,
        seed: int = 0,
        settings: Mapping[str, Any] | None = None,
        concept: str = concepts[0],
        on_check: Callable[[Check], None] = lambda check: None,
    ) -> SolverResult:
        return run_process(
            begin(model, seed=seed, settings=settings, concept=concept),
            method,
            tolerance=tolerance,
            iterations=iterations,
            seconds=seconds,
            check_every=check_every,
            on_check=on_check,
        )

    return SolverSpec(
        id=method,
        concepts=concepts,
        family=family,
        solve=solve,
        start=begin,
        random=random,
        parameters=parameters,
        compile=compile,
        preference=preference,
        covers=covers,
        residual_unit=residual_unit,
        source=source,
    )
