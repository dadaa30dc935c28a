"""The configuration of a leaderboard: tasks, entries, seeds, and what each run may spend."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from pydantic import Field, SerializeAsAny, field_validator, model_validator

import eqenvs
from eqagents.configuration import NamedSettings, Settings, by_id, validate, with_overrides
from eqagents.distributed import ExecutorConfig
from eqagents.learners import find_learner
from eqagents.training.config import CheckpointConfig, GameConfig, ScoreConfig, load_mapping
from eqenvs.errors import InputError, nearest
from eqenvs.spec import Family

AT_THE_ENDS = 1_000_000_000  # iterations between scores: at the start and at the end only
ALL = "all"  # the ranking of all entries
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9+._-]{0,99}")


class TaskConfig(GameConfig):
    """A game that every entry is run on."""

    name: str = Field(default="", description="of its directory and its column; by default the game's id")

    @model_validator(mode="before")
    @classmethod
    def _named_by_its_game(cls, data: Any) -> Any:
        return {"name": data["id"], **data} if isinstance(data, Mapping) and "id" in data else data


class OverrideConfig(Settings):
    """What an entry does otherwise on some tasks."""

    iterations: int | None = Field(default=None, ge=1, description="in place of the entry's")
    learner: dict[str, Any] = Field(
        default_factory=dict, description="settings over the entry's, group by group; a group with another id replaces"
    )


class EntryConfig(Settings):
    """A learner with its settings."""

    name: str = Field(description="of its directory and its row")
    learner: SerializeAsAny[NamedSettings] = Field(description="a learner's id and settings")
    iterations: int | None = Field(
        default=None, ge=1, description="of the learner; null: as many as play budget.samples stages"
    )
    per_family: dict[str, OverrideConfig] = Field(
        default_factory=dict, description="by a family of games, such as extensive_form"
    )
    per_task: dict[str, OverrideConfig] = Field(default_factory=dict, description="by a task's name; over per_family")


class BudgetConfig(Settings):
    """What every run may spend."""

    samples: int | None = Field(
        default=None,
        ge=1,
        description="stages of games, for learners with the settings play.tasks, play.num_envs and play.steps: an "
        "entry without iterations gets as many as play that, rounded up",
    )
    seconds: float | None = Field(
        default=None,
        gt=0,
        description="of learning, by the clock: a run that takes longer ends there, is marked, and is not the same "
        "again; a limit against runs without an end, not a measure",
    )


class LeaderboardConfig(Settings):
    """Which runs are made, and which entries are ranked."""

    title: str = Field(default="leaderboard", description="of the tables")
    tasks: tuple[TaskConfig, ...] = Field(min_length=1, description="games with their parameters")
    entries: tuple[EntryConfig, ...] = Field(min_length=1, description="learners with their settings")
    seeds: tuple[int, ...] = Field(default=(0, 1, 2), description="of the runs, or how many: 3 stands for 0, 1, 2")
    budget: BudgetConfig = BudgetConfig()
    groups: dict[str, tuple[str, ...]] = Field(
        default_factory=dict, description="further rankings, each among some entries: a name, and theirs"
    )
    score: ScoreConfig = Field(
        default=ScoreConfig(every=AT_THE_ENDS), description="of every run; by default at its start and at its end"
    )
    checkpoint: CheckpointConfig = CheckpointConfig(keep=1)
    executor: ExecutorConfig = Field(
        default=ExecutorConfig(), description="each worker makes whole runs; 0: one after the other in this process"
    )

    @field_validator("tasks", mode="wrap")
    @classmethod
    def _tasks_that_exist(cls, value: Any, handler: Any) -> tuple[TaskConfig, ...]:
        tasks = tuple(
            each if isinstance(each, TaskConfig) else validate(TaskConfig, _mapping(each, where), where)
            for where, each in _listed(value, "tasks")
        )
        for place, task in enumerate(tasks):
            try:
                eqenvs.make(task.id, **task.parameters)
            except InputError as error:
                raise InputError(f"config: tasks.{place}: {error}") from None
        _require_distinct([task.name for task in tasks], "tasks")
        return tasks

    @field_validator("entries", mode="wrap")
    @classmethod
    def _entries_by_id(cls, value: Any, handler: Any) -> tuple[EntryConfig, ...]:
        entries = []
        for where, each in _listed(value, "entries"):
            if not isinstance(each, EntryConfig):
                data = _mapping(each, where)
                learner = by_id(data.get("learner"), find_learner, f"{where}.learner")
                each = validate(EntryConfig, {**data, "learner": learner}, where)
            entries.append(each)
        _require_distinct([entry.name for entry in entries], "entries")
        return tuple(entries)

    @field_validator("seeds", mode="before")
    @classmethod
    def _seeds_or_their_number(cls, value: Any) -> Any:
        if isinstance(value, bool) or not isinstance(value, int | list | tuple):
            raise InputError(f"config: seeds must be a number of seeds or a list of them, got {value!r}")
        seeds = list(range(value)) if isinstance(value, int) else list(value)
        whole = all(isinstance(seed, int) and not isinstance(seed, bool) and seed >= 0 for seed in seeds)
        if not seeds or not whole or len(set(seeds)) < len(seeds) or len(seeds) > 10_000:
            raise InputError(f"config: seeds must be 1 to 10,000 different integers >= 0, or their number, got {value}")
        return seeds

    @model_validator(mode="after")
    def _names_that_exist(self) -> Self:
        tasks, entries = [task.name for task in self.tasks], [entry.name for entry in self.entries]
        for entry in self.entries:
            _require_known(entry.per_task, tasks, f"entries: {entry.name}: per_task", "task")
            _require_known(entry.per_family, [str(family) for family in Family], f"{entry.name}: per_family", "family")
        for name, members in self.groups.items():
            if name == ALL:
                raise InputError(f"config: groups.{name}: {ALL!r} is the ranking of all entries; choose another name")
            _require_known(members, entries, f"groups.{name}", "entry")
            if len(set(members)) < max(2, len(members)) or not NAME.fullmatch(name):
                raise InputError(f"config: groups.{name}: a name, and two or more different entries")
        return self


def _listed(value: Any, key: str) -> list[tuple[str, Any]]:
    """The items of a list that must not be empty, each with its place."""
    if isinstance(value, str | Mapping) or not isinstance(value, Sequence) or not value:
        raise InputError(f"config: {key} must be a list of mappings, got {str(value)[:100]!r}")
    return [(f"{key}.{place}", each) for place, each in enumerate(value)]


def _mapping(value: Any, where: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise InputError(f"config: {where} must be a mapping, got {str(value)[:100]!r}")
    return value


def _require_distinct(names: Sequence[str], key: str) -> None:
    """Raises InputError where two names are equal, or one cannot be that of a directory."""
    for place, name in enumerate(names):
        if not NAME.fullmatch(name):
            raise InputError(f"config: {key}.{place}.name: letters, digits and +._-, got {name!r}")
        if name in names[:place]:
            raise InputError(f"config: {key}.{place}.name: {name!r} is taken; give it a name of its own")


def _require_known(names: Any, known: Sequence[str], where: str, kind: str) -> None:
    for name in names:
        if name not in known:
            raise InputError(f"config: {where}: unknown {kind} {name!r}; {nearest(name, known)}")


def parse_leaderboard(data: Mapping[str, Any], overrides: Sequence[str] = ()) -> LeaderboardConfig:
    """The typed configuration, with `a.b=c` overrides.

    Raises:
        InputError: for the first thing wrong, on one line.
    """
    return validate(LeaderboardConfig, with_overrides(data, overrides))


def load_leaderboard(path: Path, overrides: Sequence[str] = ()) -> LeaderboardConfig:
    """The configuration in a YAML file.

    Raises:
        InputError: if the file is missing, no YAML mapping, or wrong inside.
    """
    return parse_leaderboard(load_mapping(path), overrides)
