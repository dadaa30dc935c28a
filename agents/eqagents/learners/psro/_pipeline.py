"""Several policies of each player in training at once, each against those before it: pipeline PSRO.

McAleer, Lanier, Fox and Baldi (2020), "Pipeline PSRO: a scalable approach for finding approximate Nash equilibria in
large games", NeurIPS, algorithm 2. A population is a row of frozen policies and a few *active* ones above them. An
active policy trains against the meta-solution of all policies below its level, active ones among them, which change
while it does. When the lowest active policy no longer improves it is frozen, and a new one begins on top.

A round is one oracle task for every player and level, which goes on from where the policy stands; then the payoffs of
active policies are found anew. The tasks of a round are independent of each other, so levels x players workers are
busy. Difference from the paper: levels meet the lower ones as they were at the start of the round, so that the result
does not depend on who is faster.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import Field

from eqagents.configuration import Settings
from eqagents.distributed import Executor
from eqagents.learners.psro import _meta
from eqagents.learners.psro._growth import gain
from eqagents.learners.psro._loop import Enlarged, Request
from eqagents.learners.psro._policies import Policies, PoliciesState
from eqagents.oracles import OracleResult, Populations, find_oracle
from eqagents.policies import PolicyRecord, uniform_record
from eqenvs.errors import InputError
from eqenvs.game import Game
from eqenvs.policies import JointPolicy
from eqsolvers.meta import MetaSolution, find_meta_solver

if TYPE_CHECKING:
    from eqagents.learners.psro.psro import PSROConfig


class PipelineConfig(Settings):
    """Levels that train at once; oracles with `warm_start` need it to be true."""

    levels: int = Field(default=3, ge=1, description="active policies of each player")
    least_improvement: float = Field(
        default=0.01,
        ge=0,
        description="gain over the round before, in payoff, without which the lowest active policies are frozen",
    )
    most_rounds: int = Field(default=10, ge=1, description="rounds after which they are frozen in any case")


@dataclass(frozen=True)
class PipelineState:
    """The populations, and who is in training.

    Attributes:
        policies: the populations, active policies last, with the game between them and its solution.
        frozen: how many policies of each player are no longer trained.
        targets: per level, the meta-solution of the policies below it.
        gains: per player, of the lowest active policy over what it trains against; -inf before its first round.
        rounds: that the lowest active policies have trained as the lowest.
    """

    policies: PoliciesState
    frozen: int
    targets: tuple[MetaSolution, ...]
    gains: tuple[float, ...]
    rounds: int


class Pipeline:
    """See the module; a `RestrictedGame`.

    Args:
        game: the game.
        config: of the learner, with a pipeline.
        executor: of the tasks.

    Raises:
        InputError: if the configuration does not fit.
    """

    def __init__(self, game: Game, config: PSROConfig, executor: Executor) -> None:
        assert config.pipeline is not None  # by the learner
        for name in ("symmetric", "keep_repeats", "least_gain", "prune_after"):
            if getattr(config, name) != type(config).model_fields[name].default:
                raise InputError(f"psro: pipeline: {name} says what joins a population, as levels do in turn; unset it")
        solver = find_meta_solver(config.meta_solver.id)
        if solver.learns:
            raise InputError(
                f"psro: pipeline: meta-solver {solver.id!r} learns from one iteration to the next, and active policies "
                "change; use 'nash'"
            )
        if find_oracle(config.oracle.id).needs_populations:
            raise InputError(
                f"psro: pipeline: oracle {config.oracle.id!r} responds for a whole population; use 'ppo' or 'exact'"
            )
        if getattr(config.oracle, "warm_start", True) is False:
            raise InputError("psro: pipeline: policies train round after round; set learner.oracle.warm_start to true")
        self._config, self._pipeline, self._count = config, config.pipeline, game.num_players
        self._policies = Policies(game, config, executor)

    def begin(self, seed: np.random.SeedSequence) -> Enlarged[PipelineState]:
        """The uniformly random policy frozen, and one on every level."""
        first = self._policies.begin(seed)
        every = (uniform_record(),) * (1 + self._pipeline.levels)
        grown = replace(first.state, populations=(every,) * self._count)
        found = self._evaluated(PipelineState(grown, 1, (), (-np.inf,) * self._count, 0), 1, 0, 1)
        return replace(found, episodes=found.episodes + first.episodes)

    def _evaluated(self, state: PipelineState, known: int, iteration: int, part: int = 0) -> Enlarged[PipelineState]:
        """With all payoffs, those between the first policies being known, the solution, and each level's target."""
        inner = state.policies
        payoffs = inner.payoffs.kept([range(known)] * self._count)
        sizes = [len(population) for population in inner.populations]
        idle = tuple(np.zeros(size, dtype=np.int64) for size in sizes)
        filled, episodes = self._policies.filled(replace(inner, payoffs=payoffs, idle=idle), iteration, part)
        solved, metrics = self._policies.solved(filled, iteration)
        targets = [self._target(solved, state.frozen + level, iteration) for level in range(self._pipeline.levels)]
        return Enlarged(replace(state, policies=solved, targets=tuple(targets)), metrics, episodes)

    def _target(self, state: PoliciesState, below: int, iteration: int) -> MetaSolution:
        """The meta-solution of the first policies of everybody."""
        known = state.payoffs.kept([range(below)] * self._count)
        found, _ = _meta.solve(
            self._config.meta_solver,
            known.mean,
            iteration=iteration,
            entropy=state.entropy,
            memory={},
            outside=None,
        )
        if found.targets:
            raise InputError(
                "psro: pipeline: a level responds once, to everybody's mixture, and meta-solver "
                f"{self._config.meta_solver.id!r} has targets of its own; use 'nash' or one for a CCE"
            )
        return found

    def requests(self, state: PipelineState, iteration: int) -> list[Request]:
        """A stretch of training for every player and level."""
        found = []
        for level, target in enumerate(state.targets):
            below = state.frozen + level
            populations = tuple(own[:below] for own in state.policies.populations)
            asked = replace(state.policies, populations=populations, meta=target)
            for request in self._policies.requests(asked, iteration):
                start = state.policies.populations[request.player][below]
                found.append(replace(request, arguments={**request.arguments, "warm_start": start}))
        return found

    def enlarged(
        self, state: PipelineState, iteration: int, responses: Sequence[list[OracleResult | None]]
    ) -> Enlarged[PipelineState]:
        """Take the active policies as they are now; freeze the lowest where they improve no more."""
        started = time.perf_counter()
        populations = tuple(
            (*own[: state.frozen], *map(_trained, own[state.frozen :], new))
            for own, new in zip(state.policies.populations, responses, strict=True)
        )
        trained = replace(state, policies=replace(state.policies, populations=populations))
        found = self._evaluated(trained, state.frozen, iteration)
        after, episodes = found.state, found.episodes
        mean = after.policies.payoffs.mean
        gains = tuple(gain(mean[player], player, state.frozen, state.targets[0]) for player in range(self._count))
        improved = max(now - before for now, before in zip(gains, state.gains, strict=True))
        rounds = state.rounds + 1
        freezes = improved < self._pipeline.least_improvement or rounds >= self._pipeline.most_rounds
        if freezes:
            grown = tuple((*own, uniform_record()) for own in after.policies.populations)
            kept = PipelineState(
                replace(after.policies, populations=grown), state.frozen + 1, (), (-np.inf,) * self._count, 0
            )
            again = self._evaluated(kept, len(populations[0]), iteration, 1)
            after, episodes = again.state, episodes + again.episodes
        else:
            after = replace(after, gains=gains, rounds=rounds)
        metrics = found.metrics | {
            "pipeline/frozen": float(after.frozen),
            "pipeline/rounds": float(rounds),
            "pipeline/froze": float(freezes),
            "time/payoffs_s": time.perf_counter() - started,
        }
        for player in range(self._count):
            metrics[f"population/size_{player}"] = float(len(after.policies.populations[player]))
            metrics[f"population/gain_{player}"] = gains[player]
        return Enlarged(after, metrics, episodes)

    def policy(self, state: PipelineState) -> JointPolicy:
        """All policies under their meta-strategies, active ones among them."""
        return self._policies.policy(state.policies)

    def measures(self, state: PipelineState) -> dict[str, float]:
        """See `Policies`."""
        return self._policies.measures(state.policies)

    def populations(self, state: PipelineState) -> Populations:
        """See `Policies`; active policies are among them."""
        return self._policies.populations(state.policies)

    def to_tree(self, state: PipelineState) -> dict[str, Any]:
        """See `Learner`."""
        return {
            "policies": self._policies.to_tree(state.policies),
            "frozen": state.frozen,
            "targets": [_meta.solution_to_tree(target) for target in state.targets],
            "gains": list(state.gains),
            "rounds": state.rounds,
        }

    def from_tree(self, tree: dict[str, Any]) -> PipelineState:
        """See `Learner`."""
        return PipelineState(
            policies=self._policies.from_tree(tree["policies"]),
            frozen=tree["frozen"],
            targets=tuple(_meta.solution_from_tree(target) for target in tree["targets"]),
            gains=tuple(tree["gains"]),
            rounds=tree["rounds"],
        )

    def artefacts(self, state: PipelineState) -> dict[str, Any]:
        """See `Policies`."""
        return self._policies.artefacts(state.policies)


def _trained(before: PolicyRecord, response: OracleResult | None) -> PolicyRecord:
    """An active policy after a round; as it was where its training failed."""
    return before if response is None else response.record
