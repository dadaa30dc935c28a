"""What the files of a run say, checked value by value: every error is one line that names the file and the place."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from eqagents.training.files import read_regular
from eqenvs.errors import CheckpointError
from eqsolvers.scoring import GAPS, ScoreKind

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class StoredScore:
    """`score.json`: the fields of a `Score`; NaN for a number that is missing or null.

    Attributes:
        values: each player's expected payoff.
        gains: each player's gain from deviating.
        nash_conv: their sum.
        exploitability: where defined.
        gaps: those of `GAPS` that were computed, in its order.
        welfare: the sum of the values.
        kind: exact, lower bound or estimate.
        measures: the learner's own figures by name.
        detail: what the kind rests on.
        evaluated_step: the checkpoint's iteration, where it is known.
    """

    values: tuple[float, ...]
    gains: tuple[float, ...]
    nash_conv: float
    exploitability: float
    gaps: Mapping[str, float]
    welfare: float
    kind: ScoreKind
    measures: Mapping[str, float]
    detail: Mapping[str, Any]
    evaluated_step: int | None


@dataclass(frozen=True, kw_only=True)
class StoredEnd:
    """`ended.json`: why a run has nothing left to do, and where it stands; NaN for a number that is missing or null."""

    stopped: str
    iteration: int | None
    seconds: float
    nash_conv: float


def read_bytes(file: Path) -> bytes:
    """The contents of a file.

    Raises:
        CheckpointError: it cannot be read.
    """
    try:
        return read_regular(file)
    except OSError as error:
        raise CheckpointError(f"{file}: {error.strerror or 'cannot be read'}") from error


def read_object(file: Path) -> dict[str, Any]:
    """The JSON object in a file.

    Raises:
        CheckpointError: it cannot be read, or holds none.
    """
    return parse_object(read_bytes(file), str(file))


def parse_object(text: str | bytes, where: str) -> dict[str, Any]:
    """The JSON object that a text is.

    Raises:
        CheckpointError: it is none.
    """
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{where}: not valid JSON") from error
    if not isinstance(value, dict):
        raise CheckpointError(f"{where}: expected a JSON object, got {type(value).__name__}")
    return value


def number(value: Any, where: str) -> float:
    """A number as a float, NaN for null.

    Raises:
        CheckpointError: it is something else, or too large.
    """
    if value is None:
        return math.nan
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise CheckpointError(f"{where} must be a number or null, got {type(value).__name__}")
    try:
        return float(value)
    except OverflowError as error:
        raise CheckpointError(f"{where} is too large for a float") from error


def numbers(value: Any, where: str) -> tuple[float, ...]:
    """A list of numbers, NaN for null.

    Raises:
        CheckpointError: it is something else.
    """
    if not isinstance(value, list):
        raise CheckpointError(f"{where} must be a list of numbers, got {type(value).__name__}")
    return tuple(number(item, where) for item in value)


def step_of(value: Any, where: str) -> int:
    """A step.

    Raises:
        CheckpointError: it is no integer.
    """
    if not isinstance(value, int) or isinstance(value, bool):
        raise CheckpointError(f"{where} must be an integer, got {value!r}")
    return value


def read_score(file: Path) -> StoredScore:
    """The score in a file.

    Raises:
        CheckpointError: it cannot be read or is malformed.
    """
    entry = read_object(file)
    kinds = [kind.value for kind in ScoreKind]
    if entry.get("kind") not in kinds:
        raise CheckpointError(f"{file}: 'kind' must be one of {', '.join(kinds)}, got {entry.get('kind')!r}")
    step = entry.get("evaluated_step")
    detail = _mapping(entry.get("detail"), f"{file}: 'detail'")
    measures = _mapping(detail.pop("measures", None), f"{file}: 'measures'")
    gaps = {name: number(entry.get(name), f"{file}: {name!r}") for name in GAPS}
    return StoredScore(
        values=numbers(entry.get("values", []), f"{file}: 'values'"),
        gains=numbers(entry.get("gains", []), f"{file}: 'gains'"),
        nash_conv=number(entry.get("nash_conv"), f"{file}: 'nash_conv'"),
        exploitability=number(entry.get("exploitability"), f"{file}: 'exploitability'"),
        gaps={name: gap for name, gap in gaps.items() if math.isfinite(gap)},
        welfare=number(entry.get("welfare"), f"{file}: 'welfare'"),
        kind=ScoreKind(entry["kind"]),
        measures={name: number(value, f"{file}: {name!r}") for name, value in measures.items()},
        detail=detail,
        evaluated_step=None if step is None else step_of(step, f"{file}: 'evaluated_step'"),
    )


def read_end(file: Path) -> StoredEnd:
    """Why a run ended.

    Raises:
        CheckpointError: the file cannot be read or is malformed.
    """
    entry = read_object(file)
    iteration = entry.get("iteration")
    return StoredEnd(
        stopped=str(entry.get("stopped")),
        iteration=None if iteration is None else step_of(iteration, f"{file}: 'iteration'"),
        seconds=number(entry.get("seconds"), f"{file}: 'seconds'"),
        nash_conv=number(entry.get("nash_conv"), f"{file}: 'nash_conv'"),
    )


@dataclass(frozen=True, kw_only=True)
class StoredFailure:
    """`failed.json`: the task that a run failed at.

    Attributes:
        function: of the task.
        key: of the task.
        details: the traceback, or how its worker was lost.
    """

    function: str
    key: tuple[int, ...]
    details: str


def read_failure(file: Path) -> StoredFailure:
    """The task that a run failed at.

    Raises:
        CheckpointError: the file cannot be read or is malformed.
    """
    entry = read_object(file)
    function, key = entry.get("function"), entry.get("key")
    if not isinstance(function, str) or not isinstance(key, list):
        raise CheckpointError(f"{file}: names no task")
    return StoredFailure(
        function=function,
        key=tuple(step_of(part, f"{file}: 'key'") for part in key),
        details=str(entry.get("details", "")),
    )


def _mapping(value: Any, where: str) -> dict[str, Any]:
    """A copy; empty for null."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise CheckpointError(f"{where} must be a mapping, got {value!r}")
    return dict(value)
