"""The configuration of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, SerializeAsAny, field_validator

from eqagents.configuration import NamedSettings, Settings, by_id, validate, with_overrides
from eqagents.distributed import ExecutorConfig
from eqagents.learners import find_learner
from eqagents.oracles import find_oracle
from eqagents.oracles.dqn import DQNOracleConfig
from eqagents.oracles.policy_gradient import PolicyGradientConfig
from eqagents.oracles.ppo import PPOOracleConfig
from eqagents.yaml_text import parse_yaml
from eqenvs.errors import InputError


class GameConfig(Settings):
    """Which game."""

    id: str = Field(description="registry id, see `eqenvs games`")
    parameters: dict[str, Any] = Field(default_factory=dict, description="the game's parameters; others are defaults")


class ScoreConfig(Settings):
    """How the joint policy is scored while it trains and at the end."""

    every: int = Field(default=1, ge=1, description="iterations between scores")
    method: Literal["auto", "exact", "simulated"] = Field(
        default="auto",
        description="exact NashConv from the model, or a lower bound from learned best responses; auto: exact where "
        "the game can be enumerated, the bound (said in the log, and by the score's kind) elsewhere",
    )
    episodes: int = Field(default=20_000, ge=2, description="episodes per estimate, for a simulated score")
    oracles: tuple[SerializeAsAny[NamedSettings], ...] = Field(
        default=(PPOOracleConfig(), DQNOracleConfig(), PolicyGradientConfig()),
        description="the best-response learners of a simulated score, each with its budget; the best response counts",
    )
    repeats: int = Field(default=1, ge=1, description="tries of each learner, every one from a seed of its own")

    @field_validator("oracles", mode="wrap")
    @classmethod
    def _oracles_by_id(cls, value: Any, handler: Any) -> tuple[NamedSettings, ...]:
        if isinstance(value, str | Mapping) or not isinstance(value, Sequence) or not value:
            raise InputError(f"config: score.oracles must be a list of mappings with an 'id', got {value!r}")
        return tuple(by_id(each, find_oracle, f"score.oracles.{place}") for place, each in enumerate(value))


class CheckpointConfig(Settings):
    """When the state is stored, and how much of the past is kept."""

    every: int | None = Field(
        default=None,
        ge=1,
        description="iterations between checkpoints; null: as often as takes 2 % of the run's time; the last one is "
        "always stored",
    )
    keep: int = Field(default=3, ge=1, description="checkpoints kept")
    copy_to: str | None = Field(
        default=None,
        min_length=1,
        description="a place that each checkpoint is copied to, under the run's id: an absolute path or a URI of "
        "pyarrow.fs (file, s3, gs, abfs, hdfs), needs eqenvs[cloud]; what cannot be copied is warned of, and tried "
        "again at the next checkpoint; null: nowhere",
    )


class StopConfig(Settings):
    """When a run may end before its iterations are done: at whichever comes first."""

    nash_conv: float | None = Field(
        default=None,
        ge=0,
        allow_inf_nan=False,
        description="NashConv to come down to, in payoff units, as scored (every `score.every` iterations); exact "
        "scores only: a lower bound can be small far from equilibrium",
    )
    seconds: float | None = Field(
        default=None,
        gt=0,
        allow_inf_nan=False,
        description="seconds of learning to spend: of iterations, without compiling, measuring, scoring and storing; "
        "looked at after each iteration, summed over resumes",
    )
    gain: float | None = Field(
        default=None,
        ge=0,
        allow_inf_nan=False,
        description="that no player's response exceeds any more, over the solution that it responds to, in payoff; for "
        "learners that respond (psro, xdo, ...), by what they know: a bound on NashConv / N where responses are exact, "
        "no bound where they are learned",
    )
    gain_for: int = Field(default=1, ge=1, description="times in a row that this must be so")


class RunConfig(Settings):
    """Everything that a run's result depends on, and where it runs."""

    game: GameConfig
    learner: SerializeAsAny[NamedSettings] = Field(description="a learner's id and settings")
    iterations: int = Field(ge=1, description="the most iterations of the learner")
    seed: int = Field(default=0, ge=0, description="root of all random streams")
    executor: ExecutorConfig = ExecutorConfig()
    score: ScoreConfig = ScoreConfig()
    stop: StopConfig = StopConfig()
    checkpoint: CheckpointConfig = CheckpointConfig()

    @field_validator("learner", mode="wrap")
    @classmethod
    def _learner_by_id(cls, value: Any, handler: Any) -> NamedSettings:
        return by_id(value, find_learner, "learner")


def parse_config(data: Mapping[str, Any], overrides: Sequence[str] = ()) -> RunConfig:
    """The typed configuration of a run, with `a.b=c` overrides.

    Raises:
        InputError: for the first thing wrong, on one line.
    """
    return validate(RunConfig, with_overrides(data, overrides))


def load_config(path: Path, overrides: Sequence[str] = ()) -> RunConfig:
    """The configuration in a YAML file.

    Raises:
        InputError: if the file is missing, no YAML mapping, or wrong inside.
    """
    return parse_config(load_mapping(path), overrides)


def load_mapping(path: Path) -> dict[str, Any]:
    """The keys of a configuration file, of whatever it is.

    Raises:
        InputError: if the file is missing or no YAML mapping.
    """
    try:
        data = parse_yaml(path.read_text(encoding="utf-8"))
    except OSError as error:
        near = sorted(str(other) for other in path.parent.glob("*.yaml")) if path.parent.is_dir() else []
        hint = f"; there are: {', '.join(near)}" if near else ""
        raise InputError(f"config file {path} cannot be read ({error.strerror}){hint}") from None
    except ValueError as error:
        raise InputError(f"config file {path} is no YAML: {error}") from None
    if not isinstance(data, dict):
        raise InputError(f"config file {path} must hold a mapping of keys")
    return data
