"""What every solver returns, and how solvers are found."""

from __future__ import annotations

import functools
import inspect
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from eqenvs import discovery
from eqenvs.errors import InputError, unknown_name
from eqenvs.game import Game
from eqenvs.markov_rules import MarkovRules
from eqenvs.models import Model
from eqenvs.policies import JointPolicy, uniform
from eqenvs.spec import Family, Parameterised
from eqsolvers.scoring.score import Score, score

if TYPE_CHECKING:
    from eqsolvers.iterative import Check, Process


class Status(StrEnum):
    """How a solver ended."""

    CONVERGED = "converged"  # the residual is within the tolerance
    INACCURATE = "inaccurate"  # it ended by its own rule, with a larger residual
    ITERATION_LIMIT = "iteration_limit"
    TIME_LIMIT = "time_limit"
    NONE_EXISTS = "none_exists"  # the method looked at all there is: the game has none; `message` says of what
    FAILED = "failed"  # the method gave up; `message` says why


NOTHING_FOUND = (Status.NONE_EXISTS, Status.FAILED)  # the policy is then uniform play, and no answer


@dataclass(frozen=True, kw_only=True)
class SolverResult:
    """The outcome of a solver, converged or not.

    Attributes:
        policy: what was found; the best so far where the method did not converge.
        status: how it ended.
        residual: the error of `policy` by the concept: NashConv or a CE or CCE gap in payoff units; of "qre" the
            error of a probability; infinite where nothing was found.
        iterations: of the method's own loop.
        method: id of the method.
        message: one line on anything out of the ordinary, else empty.
        equilibria: all that the method found, where it looks for more than one; `policy` is the first.
        detail: what else the method says, as JSON data.
        measures: further exact figures by name, such as the CCE gap of the play-average.
        trace: of an iterative method, the residual against iterations, seconds and touched histories.
        best: of an iterative method whose last iterate need not be its best, the best that was looked at.
    """

    policy: JointPolicy
    status: Status
    residual: float
    iterations: int
    method: str
    message: str = ""
    equilibria: tuple[JointPolicy, ...] = ()
    detail: Mapping[str, Any] = field(default_factory=dict)
    measures: Mapping[str, float] = field(default_factory=dict)
    trace: tuple[Check, ...] = ()
    best: JointPolicy | None = None


def error_of(scored: Score, concept: str) -> float:
    """How far a score is from a concept that is judged in payoff units.

    Raises:
        KeyError: if the concept is another.
    """
    errors = {"nash": scored.nash_conv, "ce": scored.ce_gap, "cce": scored.cce_gap}
    error = errors[concept]
    assert error is not None  # exact scores have all three
    return error


def finished(
    model: Model,
    policy: JointPolicy,
    method: str,
    *,
    iterations: int,
    tolerance: float,
    concept: str = "nash",
    equilibria: tuple[JointPolicy, ...] = (),
    detail: Mapping[str, Any] | None = None,
) -> SolverResult:
    """The result of a method that ended by its own rule, judged by the exact score of what it found."""
    residual = error_of(score(model, policy), concept)
    return SolverResult(
        policy=policy,
        status=Status.CONVERGED if residual <= tolerance else Status.INACCURATE,
        residual=residual,
        iterations=iterations,
        method=method,
        equilibria=equilibria,
        detail=detail or {},
    )


def failed(model: Model, method: str, message: str) -> SolverResult:
    """The result of a method that gave up with nothing to show: uniform play for a policy, and why."""
    return _nothing(model, method, message, Status.FAILED)


def none_exists(model: Model, method: str, message: str, *, iterations: int = 0) -> SolverResult:
    """The result of a method that shows that there is nothing of its kind: uniform play for a policy, and what."""
    return _nothing(model, method, message, Status.NONE_EXISTS, iterations)


def _nothing(
    model: Model,
    method: str,
    message: str,
    status: Status,
    iterations: int = 0,
) -> SolverResult:
    # The gap of uniform play would pass for a residual, and be 0 where that happens to be an equilibrium.
    return SolverResult(
        policy=uniform(model),
        status=status,
        residual=math.inf,
        iterations=iterations,
        method=method,
        message=message,
    )


def two_players(game: Game) -> bool:
    """The class of bimatrix methods."""
    return game.num_players == 2


def two_players_constant_sum(game: Game) -> bool:
    """The class of linear programming."""
    return game.num_players == 2 and game.constant_sum


def with_horizon(game: Game) -> bool:
    """The class of episodic methods for Markov games."""
    # Only then are there rules of this kind; other games given as data may have none.
    if game.family is not Family.MARKOV:
        return False
    return isinstance(game.rules, MarkovRules) and game.rules.horizon is not None


@dataclass(frozen=True, kw_only=True)
class SolverSpec(Parameterised):
    """A method that can be asked for by name: the literature's in lower case, as in `eqenvs solve --method`.

    Attributes:
        concepts: what it computes ("nash", ...); `solve` takes one of them as `concept` where there are several, the
            first by default.
        family: the models it takes.
        solve: from (model, tolerance on the residual, and the `options`) to a result; it takes its parameters as
            `settings`, a mapping, where it has any. What it is called with is checked first, see `_checked`.
        start: for an iterative method, from (model, seed=..., settings=...) to the process that `solve` runs.
        random: whether the seed matters.
        preference: the method with the highest one, of those that cover the game, is used where none is named.
        covers: whether the method takes a game, by what its spec declares. Only the choice of a method asks: one that
            is named says itself why it refuses.
        residual_unit: "payoff", "probability" or another unit by which the concept is judged; where it depends on the
            concept, by concept, those left out in payoff.
        compile: compiles the kernels that the method needs for a model, or loads them from the cache.
        source: authors, year, venue.
    """

    concepts: tuple[str, ...]
    family: Family
    solve: Callable[..., SolverResult]
    start: Callable[..., Process] | None = None
    random: bool = False
    preference: int = 0
    covers: Callable[[Game], bool] = lambda game: True
    residual_unit: str | Mapping[str, str] = "payoff"
    compile: Callable[[Any], None] = lambda model: None
    source: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "solve", _checked(self, self.solve))

    def unit_of(self, concept: str) -> str:
        """What the residual of a concept is measured in: "payoff" or "probability"."""
        return self.residual_unit if isinstance(self.residual_unit, str) else self.residual_unit.get(concept, "payoff")

    @property
    def options(self) -> frozenset[str]:
        """What `solve` takes as keywords beside the tolerance and the settings."""
        budget = {"iterations", "seconds", "on_check"} if self.start is not None else set()
        chosen = {"concept"} if len(self.concepts) > 1 else set()
        return frozenset(budget | chosen | ({"seed"} if self.random else set()))


def _checked(spec: SolverSpec, solve: Callable[..., SolverResult]) -> Callable[..., SolverResult]:
    """`solve`, with what it is called with checked before any work.

    An InputError names a tolerance that is no number of at least 0, a concept that is not the method's, an unknown
    setting or a setting out of range, and a keyword that the method does not take.
    """
    accepted = [name for name, p in inspect.signature(solve).parameters.items() if p.kind is p.KEYWORD_ONLY]
    allowed = {*accepted, "tolerance", "concept", "settings"}

    @functools.wraps(solve)
    def run(model: Any, **given: Any) -> SolverResult:
        for name in given:
            if name not in allowed:
                raise unknown_name(f"keyword of method {spec.id!r}", name, allowed)
        tolerance, concept = given.get("tolerance", 0.0), given.get("concept", spec.concepts[0])
        if not tolerance >= 0:  # nor NaN
            raise InputError(f"{spec.id}: tolerance must be at least 0, got {tolerance}")
        if concept not in spec.concepts:
            raise InputError(f"{spec.id}: computes {' or '.join(map(repr, spec.concepts))}, not {concept!r}")
        spec.resolve(given.get("settings") or {})
        return solve(model, **{name: value for name, value in given.items() if name in accepted})

    return run


def solvers(family: Family) -> dict[str, SolverSpec]:
    """The methods for a family of models, by id."""
    package = f"eqsolvers.{family.value}"
    try:
        return discovery.load_all(package, "solver", "SOLVER", SolverSpec)
    except ModuleNotFoundError:
        return {}


def find_solver(family: Family, concept: str | None, method: str | None, game: Game | None = None) -> SolverSpec:
    """The method asked for, or the preferred one for the concept; Nash equilibrium, where neither is named.

    Args:
        family: of the game.
        concept: what to compute.
        method: id.
        game: where no method is named, one is chosen that covers it.

    Raises:
        InputError: if no method computes the concept for this family, naming what there is.
    """
    known = solvers(family)
    if method is not None:
        if method not in known:
            raise unknown_name(f"method for {family} games", method, known or ["(none)"])
        computed = known[method].concepts
        if concept is not None and concept not in computed:
            names = " or ".join(map(repr, computed))
            raise InputError(f"method {method!r} computes {names}, not {concept!r}; ask for concept {names}")
        return known[method]
    wanted = concept or "nash"
    fitting = [spec for spec in known.values() if wanted in spec.concepts]
    if not fitting:
        offered = sorted({name for spec in known.values() for name in spec.concepts})
        raise InputError(f"no method computes {wanted!r} for {family} games; concepts: {', '.join(offered) or 'none'}")
    covering = [spec for spec in fitting if game is None or spec.covers(game)]
    return max(covering or fitting, key=lambda spec: spec.preference)
