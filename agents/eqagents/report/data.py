"""What a report needs of a run directory: what its one reader gives, and the learner's meta-game."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from eqagents.drawing.meta_games import MetaGame, meta_game_of
from eqagents.training.run_directory import RunDirectory
from eqenvs.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from eqagents.training.stored import StoredScore


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
    score: StoredScore | None = None
    meta_game: MetaGame | None = None
    stopped: str | None = None

    def column(self, key: str) -> list[float]:
        """The metric `key` at each step; NaN where it is missing."""
        return [record.get(key, math.nan) for record in self.metrics]

    def has(self, key: str) -> bool:
        """Whether the metric `key` has a value at any step."""
        return any(map(math.isfinite, self.column(key)))

    def keys(self, prefix: str = "", suffix: str = "") -> list[str]:
        """The names of the metrics from `prefix` to `suffix`, in the order in which the run recorded them."""
        recorded = dict.fromkeys(key for record in self.metrics for key in record)
        return [key for key in recorded if key.startswith(prefix) and key.endswith(suffix)]


def load_report_data(directory: Path) -> ReportData:
    """The run in `directory`: config, environment and metrics, and its score and meta-game where it has them.

    Args:
        directory: a run directory.

    Returns:
        The run's data.

    Raises:
        InputError: a file that is missing or malformed, by name.
    """
    run = RunDirectory.open(directory)
    config = run.config()
    for section in ("game", "learner"):
        if not isinstance(config.get(section), dict):
            raise InputError(f"{run.config_file}: {section!r} is missing or not a mapping")
    records = run.metrics()
    if not records:
        raise InputError(f"{run.metrics_file}: no metrics recorded yet")
    meta_game, ended = run.artefact("meta_game"), run.ended()
    return ReportData(
        directory=directory,
        config=config,
        environment=run.environment(),
        metrics=tuple(
            {name: math.nan if value is None else float(value) for name, value in record.items()} for record in records
        ),
        score=run.score(),
        meta_game=None if meta_game is None else meta_game_of(meta_game, str(run.artefact_file("meta_game"))),
        stopped=None if ended is None else ended.stopped,
    )
