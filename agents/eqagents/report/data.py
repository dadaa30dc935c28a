"""What a report needs of a run directory, read and checked once."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import yaml

from eqenvs.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

KINDS = ("exact", "lower_bound", "estimate")
NUMERIC_PREFIXES = ("time/", "score/", "measures/", "samples/", "run/")  # the metrics that a report draws


@dataclass(frozen=True, kw_only=True)
class FinalScore:
    """The fields of `score.json`, the learner's own `measures` by name; NaN for a number that is missing or null."""

    values: tuple[float, ...]
    gains: tuple[float, ...]
    nash_conv: float
    exploitability: float
    ce_gap: float
    efce_gap: float
    efcce_gap: float
    cce_gap: float
    welfare: float
    measures: Mapping[str, float]
    kind: str  # one of KINDS
    kind_detail: str
    evaluated_step: int | None


@dataclass(frozen=True, kw_only=True)
class MetaGame:
    """The empirical game between the players' populations.

    Attributes:
        payoffs: [N, K_0, .., K_{N-1}] float64; NaN where a profile has not been simulated.
        meta_strategies: for each player, probabilities [K_n]; NaN where null.
        labels: for each player, K_n names.
    """

    payoffs: NDArray[np.float64]
    meta_strategies: tuple[tuple[float, ...], ...]
    labels: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, kw_only=True)
class ReportData:
    """One run: its directory as the user named it, and what its files say.

    Attributes:
        directory: the run directory.
        config: `config.yaml`.
        environment: `environment.json`.
        metrics: one mapping for each step, in order of step; NaN for null.
        score: `score.json`, None where the run has not been evaluated.
        meta_game: `meta_game.json`, None where the learner keeps no meta-game.
        stopped: why the run ended, from `ended.json`; None where it has not.
    """

    directory: Path
    config: Mapping[str, Any]
    environment: Mapping[str, Any]
    metrics: tuple[Mapping[str, float], ...]
    score: FinalScore | None = None
    meta_game: MetaGame | None = None
    stopped: str | None = None

    def column(self, key: str) -> list[float]:
        """The metric `key` at each step; NaN where it is missing."""
        return [record.get(key, math.nan) for record in self.metrics]

    def keys(self, prefix: str, suffix: str = "") -> list[str]:
        """The names of the metrics from `prefix` to `suffix`, in the order in which the run recorded them."""
        recorded = dict.fromkeys(key for record in self.metrics for key in record)
        return [key for key in recorded if key.startswith(prefix) and key.endswith(suffix)]


def load_report_data(directory: Path) -> ReportData:
    """The run in `directory`: config, environment and metrics, and its score and meta-game where it has them.

    A step that was recorded twice (a resumed run repeats what its last checkpoint had not seen) counts as it was
    recorded last. A last line of the metrics without its line break is still being written and is left out.

    Args:
        directory: a run directory.

    Returns:
        The run's data.

    Raises:
        InputError: a file that is missing or malformed, by name.
    """
    if not directory.is_dir():
        raise InputError(f"{directory}: no such run directory")
    score, meta_game, ended = (directory / f"{name}.json" for name in ("score", "meta_game", "ended"))
    return ReportData(
        directory=directory,
        config=_load_config(directory / "config.yaml"),
        environment=_load_object(directory / "environment.json"),
        metrics=_load_metrics(directory / "metrics.jsonl"),
        score=_load_score(score) if score.exists() else None,
        meta_game=_load_meta_game(meta_game) if meta_game.exists() else None,
        stopped=str(_load_object(ended).get("stopped")) if ended.exists() else None,
    )


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or 'cannot be read'}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not UTF-8 text") from error


def _parse_object(text: str, where: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{where}: not valid JSON") from error
    if not isinstance(value, dict):
        raise InputError(f"{where}: expected a JSON object, got {type(value).__name__}")
    return value


def _load_object(path: Path) -> dict[str, Any]:
    return _parse_object(_read(path), str(path))


def _load_config(path: Path) -> dict[str, Any]:
    try:
        config = yaml.safe_load(_read(path))
    except (yaml.YAMLError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f" (line {mark.line + 1}: {getattr(error, 'problem', '')})" if mark else ""
        raise InputError(f"{path}: not valid YAML{where}") from error
    if not isinstance(config, dict):
        raise InputError(f"{path}: expected a mapping, got {type(config).__name__}")
    for section in ("game", "learner"):
        if not isinstance(config.get(section), dict):
            raise InputError(f"{path}: {section!r} is missing or not a mapping")
    return config


def _load_metrics(path: Path) -> tuple[Mapping[str, float], ...]:
    lines = _read(path).split("\n")[:-1]  # what follows the last line break is unfinished
    by_step: dict[float, Mapping[str, float]] = {}
    for number, line in enumerate(lines, start=1):
        if line.strip():
            record = _metrics_record(_parse_object(line, f"{path}, line {number}"), f"{path}, line {number}")
            by_step[record["step"]] = record
    if not by_step:
        raise InputError(f"{path}: no metrics recorded yet")
    return tuple(by_step[step] for step in sorted(by_step))


def _metrics_record(entry: Mapping[str, Any], where: str) -> dict[str, float]:
    step = entry.get("step")
    if not isinstance(step, int) or isinstance(step, bool):
        raise InputError(f"{where}: 'step' must be an integer, got {step!r}")
    numbers = {
        key: _number(value, f"{where}: {key!r}")
        for key, value in entry.items()
        if key == "time" or key.startswith(NUMERIC_PREFIXES)
    }
    return {"step": _number(step, f"{where}: 'step'")} | numbers


def _number(value: Any, where: str) -> float:
    if value is None:
        return math.nan
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InputError(f"{where} must be a number or null, got {type(value).__name__}")
    try:
        return float(value)
    except OverflowError as error:
        raise InputError(f"{where} is too large for a float") from error


def _numbers(value: Any, where: str) -> tuple[float, ...]:
    if not isinstance(value, list):
        raise InputError(f"{where} must be a list of numbers, got {type(value).__name__}")
    return tuple(_number(item, where) for item in value)


def _mapping(value: Any, where: str) -> dict[str, Any]:
    """A copy; empty for null."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise InputError(f"{where} must be a mapping, got {value!r}")
    return dict(value)


def _load_score(path: Path) -> FinalScore:
    entry = _load_object(path)
    if entry.get("kind") not in KINDS:
        raise InputError(f"{path}: 'kind' must be one of {', '.join(KINDS)}, got {entry.get('kind')!r}")
    step = entry.get("evaluated_step")
    if step is not None and (not isinstance(step, int) or isinstance(step, bool)):
        raise InputError(f"{path}: 'evaluated_step' must be an integer or null, got {step!r}")
    detail = _mapping(entry.get("detail"), f"{path}: 'detail'")
    measures = _mapping(detail.pop("measures", None), f"{path}: 'measures'")
    scalars = {
        name: _number(entry.get(name), f"{path}: {name!r}")
        for name in ("nash_conv", "exploitability", "ce_gap", "efce_gap", "efcce_gap", "cce_gap", "welfare")
    }
    return FinalScore(
        values=_numbers(entry.get("values", []), f"{path}: 'values'"),
        gains=_numbers(entry.get("gains", []), f"{path}: 'gains'"),
        measures={name: _number(value, f"{path}: {name!r}") for name, value in measures.items()},
        kind=entry["kind"],
        kind_detail="; ".join(f"{name}: {value}" for name, value in detail.items()),
        evaluated_step=step,
        **scalars,
    )


def _load_meta_game(path: Path) -> MetaGame:
    entry = _load_object(path)
    for name in ("payoffs", "meta_strategies", "labels"):
        if not isinstance(entry.get(name), list):
            raise InputError(f"{path}: {name!r} is missing or not a list")
    try:
        payoffs = np.array(entry["payoffs"], dtype=np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise InputError(f"{path}: 'payoffs' must be nested lists of equal lengths, of numbers or null") from error
    payoffs.setflags(write=False)
    sizes = payoffs.shape[1:]
    if payoffs.ndim < 3 or payoffs.shape[0] != len(sizes) or 0 in sizes:
        raise InputError(f"{path}: 'payoffs' must be [N, K_0, .., K_(N-1)] with N >= 2, got shape {payoffs.shape}")
    meta_strategies = tuple(_numbers(row, f"{path}: 'meta_strategies'") for row in entry["meta_strategies"])
    labels = tuple(tuple(map(str, row)) if isinstance(row, list) else () for row in entry["labels"])
    for name, rows in (("meta_strategies", meta_strategies), ("labels", labels)):
        if tuple(map(len, rows)) != sizes:
            raise InputError(f"{path}: {name!r} must have one entry for each of the {list(sizes)} strategies")
    return MetaGame(payoffs=payoffs, meta_strategies=meta_strategies, labels=labels)
