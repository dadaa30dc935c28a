"""Extensive-form double oracle: allow the actions of best responses at information sets, solve the game that is left.

McAleer, Lanier, Wang, Baldi and Fox (2021), "XDO: a double oracle algorithm for extensive-form games", NeurIPS,
algorithm 1. The restricted game is solved by a regret minimiser to a threshold, which halves whenever the whole game is
solved to it: `until: {rule: threshold}`. The other members of the family differ in when they respond next:

- PDO, Tang, Dinh, McAleer and Yang (2023), "Regret-minimizing double oracle for extensive-form games", ICML: after a
  number of iterations, `until: {rule: iterations, iterations: 50}`; polynomial in the number of information sets, which
  XDO is not;
- XODO, in the same paper: after one, and the average is over all windows, `until: {rule: iterations, iterations: 1}`
  and `average_windows: true`; Dinh et al. (2022), "Online double oracle", TMLR, in extensive form;
- AdaDO, Tang, Wang, Ma, Bogunovic, McAleer and Yang (2024), arXiv 2411.00954: after a number that grows with the
  restricted game, `until: {rule: adaptive}`; by the authors' code a tenth of its information sets times the root of the
  most actions at one of them.

Where a response adds nothing the restricted game and its process go on; where it does both begin anew, without regrets
from before. Differences from the papers: what is played where the restricted game never comes is uniform over the
actions that responses have there, not over all. A learned response adds its most likely action everywhere.

Cost of an iteration: the oracles', one pass over the game's histories where the game was enlarged, and the method's
iterations on what is left.
"""

from __future__ import annotations

import logging
from typing import Any, Literal, TypeAlias

import numpy as np
from pydantic import Field, SerializeAsAny, field_validator

from eqagents.configuration import NamedSettings, Settings, by_id
from eqagents.distributed import Executor, Flow
from eqagents.learners import LearnerSpec
from eqagents.learners.psro._infosets import Infosets, InfosetsState
from eqagents.learners.psro._loop import DoubleOracle, LoopState
from eqagents.learners.tabular import MethodChoice
from eqagents.oracles import find_oracle
from eqagents.oracles.exact import ExactConfig
from eqenvs.errors import InputError
from eqenvs.game import Game
from eqenvs.models import ExtensiveFormModel
from eqsolvers.iterative import Process

logger = logging.getLogger(__name__)


class UntilConfig(Settings):
    """When the restricted game is solved well enough to respond again."""

    rule: Literal["threshold", "iterations", "adaptive"] = Field(
        default="threshold", description="threshold: XDO; iterations: PDO and XODO; adaptive: AdaDO"
    )
    threshold: float = Field(
        default=16.0,
        gt=0,
        description="rule threshold: NashConv / N of the restricted game at the start, in payoff; it halves whenever "
        "the whole game's is below it",
    )
    iterations: int = Field(
        default=50,
        ge=1,
        description="rule iterations: of the method; rule threshold: between two looks at the restricted game",
    )
    most: int = Field(default=200_000, ge=1, description="rule threshold: iterations of the method, at most")
    share: float = Field(
        default=0.1, gt=0, description="rule adaptive: of information sets times the root of the most actions"
    )

    @property
    def halves(self) -> bool:
        """Whether the threshold matters."""
        return self.rule == "threshold"

    def run(self, process: Process, restricted: ExtensiveFormModel, threshold: float) -> int:
        """Iterate until the rule is met, and say how often the residual was looked at.

        Args:
            process: on the restricted game.
            restricted: that game.
            threshold: of this iteration.
        """
        if self.rule == "iterations":
            process.run(self.iterations)
            return 0
        if self.rule == "adaptive":
            infosets = sum(treeplex.num_infosets for treeplex in restricted.treeplexes)
            most = max(int(treeplex.num_actions.max(initial=1)) for treeplex in restricted.treeplexes)
            process.run(max(1, round(self.share * float(np.sqrt(most)) * infosets)))
            return 0
        end, looks = process.iteration + self.most, 1
        process.run(1)
        while (residual := process.residual() / restricted.num_players) >= threshold:
            if process.iteration >= end:
                message = "the restricted game is at %.3g of a threshold of %.3g after %d iterations; responses go on"
                logger.warning(message, residual, threshold, self.most)
                break
            process.run(min(self.iterations, end - process.iteration))
            looks += 1
        return looks


class XDOConfig(MethodChoice):
    """Settings of the learner `xdo`."""

    id: Literal["xdo"] = "xdo"
    method: str = Field(default="cfr+", description="id of the iterative solver of restricted games")
    oracle: SerializeAsAny[NamedSettings] = Field(default=ExactConfig(), description="an oracle's id and settings")
    until: UntilConfig = UntilConfig()
    average_windows: bool = Field(
        default=False, description="average over all windows, by iterations; otherwise over the last one alone"
    )

    @field_validator("oracle", mode="wrap")
    @classmethod
    def _oracle_by_id(cls, value: Any, handler: Any) -> NamedSettings:
        return by_id(value, find_oracle, "learner.oracle")


XDOState: TypeAlias = LoopState[InfosetsState]
XDO: TypeAlias = DoubleOracle[InfosetsState]


def build(game: Game, config: XDOConfig, executor: Executor) -> XDO:
    """The learner of a run.

    Raises:
        InputError: if the oracle responds as a member of populations, of which there are none.
    """
    if find_oracle(config.oracle.id).needs_populations:
        raise InputError(f"xdo: oracle {config.oracle.id!r} responds as a member of populations; use 'exact' or 'ppo'")
    return DoubleOracle(config.oracle, Infosets(game, config, executor.publish(game)), Flow(executor))


LEARNER = LearnerSpec(
    id="xdo",
    config=XDOConfig,
    build=build,
    source="McAleer et al. (2021), NeurIPS, algorithm 1",
    responds=True,
)
