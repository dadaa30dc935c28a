"""How an empirical game is solved: a meta-solver and its settings, what to do where it fails, its solution stored."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any, Self

from pydantic import Field, field_validator, model_validator

from eqagents.configuration import Settings
from eqenvs.arrays import Float64Array
from eqenvs.errors import InputError, UnsupportedGame
from eqsolvers.meta import MetaSolution, NoMetaSolutionError, Outside, find_meta_solver

logger = logging.getLogger(__name__)


class MetaSolverConfig(Settings):
    """A meta-solver; its id alone is one with its default settings."""

    whole = True

    id: str = Field(description="id of a meta-solver")
    settings: dict[str, Any] = Field(default_factory=dict, description="the meta-solver's own; others are defaults")
    fallback: str | None = Field(
        default=None, description="id of the meta-solver to use where this one finds no solution; none: the run stops"
    )

    @model_validator(mode="before")
    @classmethod
    def _named(cls, value: Any) -> Any:
        return {"id": value} if isinstance(value, str) else value

    @field_validator("id", "fallback")
    @classmethod
    def _known(cls, value: str | None) -> str | None:
        if value is not None:
            find_meta_solver(value)
        return value

    @model_validator(mode="after")
    def _fallback_by_itself(self) -> Self:
        if self.fallback is not None:
            spec = find_meta_solver(self.fallback)
            if self.fallback == self.id or spec.needs_outside or spec.learns:
                raise InputError(
                    "config: meta_solver.fallback must be another one that needs the empirical game alone, such "
                    f"as 'uniform', got {self.fallback!r}"
                )
        return self

    @model_validator(mode="after")
    def _known_settings(self) -> Self:
        find_meta_solver(self.id).resolve(self.settings)
        return self


def solve(
    config: MetaSolverConfig,
    payoffs: Float64Array,
    *,
    iteration: int,
    entropy: int,
    memory: Mapping[str, Any],
    outside: Outside | None,
    alike: Callable[[MetaSolution], MetaSolution] = lambda found: found,
) -> tuple[MetaSolution, bool]:
    """The meta-solution of an iteration, and whether it is the fallback's.

    Args:
        config: the meta-solver.
        payoffs: [N, K_0, ..., K_{N-1}] float64.
        iteration: of the run.
        entropy: of what is random, of the run.
        memory: of the last solution.
        outside: the whole game, where it is known.
        alike: makes a solution one in which all players are alike, where they must be.

    Raises:
        InputError: if there is none, and no fallback.
    """
    seed = (entropy << 32) + iteration
    solver = find_meta_solver(config.id)
    try:
        found = alike(solver(payoffs, config.settings, iteration=iteration, seed=seed, memory=memory, outside=outside))
    except NoMetaSolutionError as error:
        reason = f"iteration {iteration}: meta-solver {config.id!r} found no solution: {error}"
        if config.fallback is None:
            raise InputError(f"{reason}; set learner.meta_solver.fallback, such as 'uniform'") from error
        logger.warning("%s; using %r", reason, config.fallback)
        try:
            return alike(find_meta_solver(config.fallback)(payoffs, iteration=iteration, seed=seed)), True
        except (NoMetaSolutionError, UnsupportedGame) as further:
            raise InputError(f"{reason}; neither did the fallback {config.fallback!r}: {further}") from further
    if found.message:
        logger.warning("iteration %d: meta-solver %r: %s", iteration, config.id, found.message)
    return found, False


def solution_to_tree(meta: MetaSolution) -> dict[str, Any]:
    """A meta-solution for a checkpoint; its message has been logged."""
    return {
        "strategies": list(meta.strategies),
        "device": meta.device,
        "targets": [[solution_to_tree(target) for target in targets] for targets in meta.targets],
        "residual": meta.residual,
        "memory": dict(meta.memory),
    }


def solution_from_tree(tree: dict[str, Any]) -> MetaSolution:
    """What `solution_to_tree` was given."""
    return MetaSolution(
        strategies=tuple(tree["strategies"]),
        device=tree["device"],
        targets=tuple(tuple(solution_from_tree(target) for target in targets) for targets in tree["targets"]),
        residual=tree["residual"],
        memory=tree["memory"],
    )
