"""What every solver returns, and how solvers are found."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from eqenvs import discovery
from eqenvs.errors import InputError, unknown_name
from eqenvs.models import ExtensiveFormModel, NormalFormModel
from eqenvs.policies import JointPolicy, TabularPolicy, uniform
from eqenvs.spec import Family, Parameterised
from eqsolvers.scoring.score import score

if TYPE_CHECKING:
    from eqsolvers.iterative import Check, Process


class Status(StrEnum):
    """How a solver ended."""

    CONVERGED = "converged"  # the residual is within the tolerance
    INACCURATE = "inaccurate"  # it ended by its own rule, with a larger residual
    ITERATION_LIMIT = "iteration_limit"
    TIME_LIMIT = "time_limit"
    FAILED = "failed"  # the method gave up; `message` says why


@dataclass(frozen=True, kw_only=True)
class SolverResult:
    """The outcome of a solver, converged or not.

    Attributes:
        policy: what was found; the best so far where the method did not converge.
        status: how it ended.
        residual: the error of `policy` by the concept: NashConv or a CE or CCE gap in payoff units; of "qre" the
            error of a probability.
        iterations: of the method's own loop.
        method: id of the method.
        message: one line on anything out of the ordinary, else empty.
        measures: further exact figures by name, such as the CCE gap of the play-average.
        trace: of an iterative method, the residual against iterations, seconds and touched histories.
    """

    policy: JointPolicy
    status: Status
    residual: float
    iterations: int
    method: str
    message: str = ""
    measures: Mapping[str, float] = field(default_factory=dict)
    trace: tuple[Check, ...] = ()


def finished(
    model: ExtensiveFormModel | NormalFormModel,
    policy: TabularPolicy,
    method: str,
    *,
    iterations: int,
    tolerance: float,
) -> SolverResult:
    """The result of a Nash method, judged by the exact NashConv of what it found."""
    residual = score(model, policy).nash_conv
    status = Status.CONVERGED if residual <= tolerance else Status.INACCURATE
    return SolverResult(policy=policy, status=status, residual=residual, iterations=iterations, method=method)


def failed(model: ExtensiveFormModel | NormalFormModel, method: str, message: str) -> SolverResult:
    """The result of a method that gave up with nothing to show: uniform play, and why."""
    policy = uniform(model)
    residual = score(model, policy).nash_conv
    return SolverResult(
        policy=policy, status=Status.FAILED, residual=residual, iterations=0, method=method, message=message
    )


@dataclass(frozen=True, kw_only=True)
class SolverSpec(Parameterised):
    """A method that can be asked for by name: the literature's in lower case, as in `eqenvs solve --method`.

    Attributes:
        concept: what it computes ("nash", ...).
        family: the models it takes.
        solve: from (model, tolerance on the residual, and the `options`) to a result; it takes its parameters as
            `settings`, a mapping, where it has any.
        start: for an iterative method, from (model, seed=..., settings=...) to the process that `solve` runs.
        random: whether the seed matters.
        preference: the method with the highest one is used where none is named.
        compile: compiles the kernels that the method needs for a model, or loads them from the cache.
        source: authors, year, venue.
    """

    concept: str
    family: Family
    solve: Callable[..., SolverResult]
    start: Callable[..., Process] | None = None
    random: bool = False
    preference: int = 0
    compile: Callable[[Any], None] = lambda model: None
    source: str

    @property
    def options(self) -> frozenset[str]:
        """What `solve` takes as keywords beside the tolerance and the settings."""
        budget = {"iterations", "seconds", "on_check"} if self.start is not None else set()
        return frozenset(budget | ({"seed"} if self.random else set()))


def solvers(family: Family) -> dict[str, SolverSpec]:
    """The methods for a family of models, by id."""
    package = f"eqsolvers.{family.value}"
    try:
        names = discovery.modules(package)
    except ModuleNotFoundError:
        return {}
    specs: list[SolverSpec] = [discovery.load(package, "solver", name, "SOLVER") for name in names]
    return {spec.id: spec for spec in specs}


def find_solver(family: Family, concept: str, method: str | None) -> SolverSpec:
    """The method asked for, or the preferred one for the concept.

    Raises:
        InputError: if no method computes the concept for this family, naming what there is.
    """
    known = solvers(family)
    if method is not None:
        if method not in known:
            raise unknown_name(f"method for {family} games", method, known or ["(none)"])
        if known[method].concept != concept:
            computed = known[method].concept
            raise InputError(f"method {method!r} computes {computed!r}, not {concept!r}; ask for concept {computed!r}")
        return known[method]
    fitting: list[Any] = [spec for spec in known.values() if spec.concept == concept]
    if not fitting:
        offered = sorted({spec.concept for spec in known.values()})
        raise InputError(f"no method computes {concept!r} for {family} games; concepts: {', '.join(offered) or 'none'}")
    chosen: SolverSpec = max(fitting, key=lambda spec: spec.preference)
    return chosen
