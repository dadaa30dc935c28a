"""Which runs a leaderboard is made of: an ordinary configuration for each task, entry and seed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import eqenvs
from eqagents.configuration import NamedSettings, by_id
from eqagents.leaderboard.config import BudgetConfig, EntryConfig, LeaderboardConfig, TaskConfig
from eqagents.learners import find_learner
from eqagents.training.config import GameConfig, RunConfig, StopConfig
from eqenvs.errors import InputError


class Place(NamedTuple):
    """Of a run in a leaderboard."""

    task: str
    entry: str
    seed: int

    def within(self, directory: Path) -> Path:
        """The run's directory, below that of the leaderboard."""
        return directory / "runs" / self.task / self.entry / f"seed_{self.seed}"

    def __str__(self) -> str:
        return f"{self.task}/{self.entry}/seed_{self.seed}"


def planned(config: LeaderboardConfig) -> dict[Place, RunConfig]:
    """The runs; all tasks and entries with one seed come before those with the next.

    Raises:
        InputError: if an entry's settings are wrong on a task, or nothing says how many iterations it has.
    """
    runs = {}
    for seed in config.seeds:
        for task in config.tasks:
            for entry in config.entries:
                runs[Place(task.name, entry.name, seed)] = _run(config, task, entry, seed)
    return runs


def _run(config: LeaderboardConfig, task: TaskConfig, entry: EntryConfig, seed: int) -> RunConfig:
    family = eqenvs.spec(task.id).family
    learner, iterations = entry.learner, entry.iterations
    for override in (entry.per_family.get(str(family)), entry.per_task.get(task.name)):
        if override is not None:
            iterations = override.iterations or iterations
            if override.learner:
                learner = _overridden(learner, override.learner, f"{entry.name} on {task.name}: learner")
    if iterations is None:
        iterations = _iterations(learner, config.budget, entry.name)
    return RunConfig(
        game=GameConfig(id=task.id, parameters=task.parameters),
        learner=learner,
        iterations=iterations,
        seed=seed,
        score=config.score,
        stop=StopConfig(seconds=config.budget.seconds),
        checkpoint=config.checkpoint,
    )


def _iterations(learner: NamedSettings, budget: BudgetConfig, entry: str) -> int:
    """As many as play the samples of the budget."""
    play = getattr(learner, "play", None)
    sizes = [getattr(play, name, None) for name in ("tasks", "num_envs", "steps")]
    stages = math.prod(size for size in sizes if isinstance(size, int)) if None not in sizes else None
    if stages is None or budget.samples is None:
        reason = "budget.samples is not set" if budget.samples is None else f"{learner.id!r} has no settings play.*"
        raise InputError(f"config: entries: {entry}: iterations are required: {reason}")
    return -(-budget.samples // stages)


def _overridden(learner: NamedSettings, changes: Mapping[str, Any], where: str) -> NamedSettings:
    return by_id(merged(learner.model_dump(mode="json"), changes), find_learner, where)


def merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Groups of settings with changes to some; a group that gets another id is replaced, not mixed.

    >>> merged({"id": "psro", "oracle": {"id": "exact", "a": 1}, "b": 2}, {"oracle": {"a": 3}})
    {'id': 'psro', 'oracle': {'id': 'exact', 'a': 3}, 'b': 2}
    >>> merged({"id": "psro", "oracle": {"id": "exact", "a": 1}}, {"oracle": {"id": "ppo"}})
    {'id': 'psro', 'oracle': {'id': 'ppo'}}
    """
    if "id" in changes and changes["id"] != base.get("id"):
        return dict(changes)
    found = dict(base)
    for name, value in changes.items():
        inner = found.get(name)
        found[name] = merged(inner, value) if isinstance(inner, Mapping) and isinstance(value, Mapping) else value
    return found
