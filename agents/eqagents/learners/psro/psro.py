"""Policy-space response oracles: grow a population per player by best responses to the others' meta-strategies.

Lanctot et al. (2017), "A unified game-theoretic approach to multiagent reinforcement learning", NeurIPS, algorithm 1.
With exact oracles, exact payoffs and the Nash meta-solver it is the double oracle algorithm of McMahan, Gordon and Blum
(2003).

One iteration: oracle tasks respond to the current meta-strategies, one for each of a player's targets; the new rows and
columns of the empirical game are filled by tasks; the meta-solver mixes the populations anew. The driver owns all
state, tasks are pure, and their random streams follow from (iteration, phase, index), so the run is the same on any
number of workers.

Differences from the paper: the populations start from the uniformly random policy.
"""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

from pydantic import Field, SerializeAsAny, field_validator

from eqagents.configuration import NamedSettings, by_id
from eqagents.distributed import Executor, Flow
from eqagents.learners import LearnerSpec
from eqagents.learners.psro._loop import DoubleOracle, LoopState
from eqagents.learners.psro._meta import MetaSolverConfig
from eqagents.learners.psro._payoffs import PayoffConfig
from eqagents.learners.psro._pipeline import Pipeline, PipelineConfig, PipelineState
from eqagents.learners.psro._policies import WORSE, Policies, PoliciesState
from eqagents.oracles import find_oracle
from eqagents.oracles.policy_gradient import PolicyGradientConfig
from eqenvs.errors import InputError, UnsupportedGame
from eqenvs.game import Game
from eqenvs.spec import Family


class PSROConfig(NamedSettings):
    """Settings of PSRO."""

    id: Literal["psro"] = "psro"
    meta_solver: MetaSolverConfig = Field(
        default=MetaSolverConfig(id="nash"), description="an id, or a mapping of id, settings and fallback"
    )
    oracle: SerializeAsAny[NamedSettings] = Field(
        default=PolicyGradientConfig(), description="an oracle's id and settings"
    )
    payoffs: PayoffConfig = PayoffConfig()
    symmetric: bool = Field(
        default=False,
        description="one population for all players; the game is refused where it is not symmetric; needs tabulate",
    )
    keep_repeats: bool = Field(
        default=False,
        description="add a response also where the population has an equal policy; with the meta-solver 'uniform' PSRO "
        "then is fictitious play",
    )
    least_gain: float | None = Field(
        default=WORSE,
        description="responses that gain no more than this over what they respond to are left out, by the empirical "
        "game, in payoff, at the upper end of its 95 % interval; by default those that are worse, of oracles that have "
        "no other ends; none: all that are new are kept",
    )
    prune_after: int | None = Field(
        default=None,
        ge=1,
        description="policies without weight in so many meta-solutions in a row are taken out; where these are few a "
        "run may come to the same populations again and again; none: all stay",
    )
    pipeline: PipelineConfig | None = Field(
        default=None, description="train several policies of each player at once; none: one after the other"
    )
    tabulate: bool = Field(
        default=True,
        description="evaluate each new policy once at every information set, and train against the tables: "
        "the same opponents, played faster; needs an enumerable game",
    )

    @field_validator("oracle", mode="wrap")
    @classmethod
    def _oracle_by_id(cls, value: Any, handler: Any) -> NamedSettings:
        return by_id(value, find_oracle, "learner.oracle")


PSROState: TypeAlias = LoopState[PoliciesState]
PSRO: TypeAlias = DoubleOracle[PoliciesState]
PipelinePSRO: TypeAlias = DoubleOracle[PipelineState]


def build(game: Game, config: PSROConfig, executor: Executor) -> PSRO | PipelinePSRO:
    """The learner of a run."""
    if game.family is Family.MEAN_FIELD:
        raise UnsupportedGame(
            f"psro: {game.spec.id} is a mean-field game, whose payoffs are no tensor; use learner 'mean_field_psro'"
        )
    for asked, what in (
        (find_oracle(config.oracle.id).needs_model, f"oracle {config.oracle.id!r}"),
        (config.payoffs.method == "exact", "payoffs.method 'exact'"),
        (config.tabulate, "tabulate: true"),
        (config.symmetric, "symmetric: true"),
    ):
        if asked and not game.exact:
            raise UnsupportedGame(
                f"psro: {what} needs a game that can be enumerated, {game!r} cannot; use payoffs.method "
                "'simulated', tabulate: false, symmetric: false and oracle 'policy_gradient'"
            )
    if config.symmetric and not (config.tabulate or config.payoffs.method == "exact"):
        raise InputError("psro: symmetric: true shares tables, so it needs tabulate: true")
    flow = Flow(executor)
    if config.pipeline is not None:
        return DoubleOracle(config.oracle, Pipeline(game, config, flow), flow)
    return DoubleOracle(config.oracle, Policies(game, config, flow), flow)


LEARNER = LearnerSpec(
    id="psro",
    config=PSROConfig,
    build=build,
    source="Lanctot et al. (2017), NeurIPS, algorithm 1",
    responds=True,
)
