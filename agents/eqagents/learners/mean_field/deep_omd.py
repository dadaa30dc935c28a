"""Deep online mirror descent: Munchausen values of N agents' play in one Q-network for each population.

Lauriere, Perrin, Girgin, Muller, Jain, Cabannes, Piliouras, Perolat, Elie, Pietquin and Geist (2022), "Scalable deep
reinforcement learning algorithms for mean field games", ICML, section 4 (D-MOMD). The reward's bonus tau log pi(a | s)
keeps the sum of all past values in the last network, so nothing is averaged and no past network is kept; the policy is
softmax(Q / tau), online mirror descent with eta = 1 / tau (`munchausen-omd` is the same with tables).

An iteration: tasks let populations of `num_agents` agents play the present policy; a task for each population fits its
network to that play, with a target network. Where the agents see the distribution the networks do too.

Differences from the paper: the mean field is the empirical one of the agents who are learnt from, not the exact flow;
they play the policy itself, which explores as it is a softmax, with `sampling.representatives` as an option; a network
starts from the last one and Adam anew; of the past only `replay` iterations are kept. A truncated game is no end.

Cost of an iteration: B N T moves, `training.updates` gradient steps a population, and a forward pass over all decision
points for each copy to the target network.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from pydantic import Field

from eqagents.configuration import NamedSettings
from eqagents.distributed import Executor, Task, run_ordered
from eqagents.learners import Learner, LearnerSpec
from eqagents.learners.mean_field._experience import Play, SamplingConfig, rules_of, span
from eqagents.learners.mean_field._mirror import play_from, play_tree
from eqagents.learners.mean_field._networks import TrainingConfig
from eqagents.learners.mean_field._starts import StartsConfig
from eqagents.policies import PolicyRecord
from eqenvs.game import Game
from eqenvs.policies import JointPolicy, TabularPolicy

BEGIN, SAMPLE, IMPROVE, TABLE = range(4)  # phases in the tasks' keys
_TASKS = "eqagents.learners.mean_field._mirror"


class MirrorConfig(NamedSettings):
    """What deep mirror descent can be told."""

    temperature: float = Field(default=1.0, gt=0, description="tau in payoff: 1 / eta of online mirror descent")
    sampling: SamplingConfig = SamplingConfig()
    training: TrainingConfig = TrainingConfig()
    replay: int = Field(default=1, ge=1, description="iterations whose play is learnt from; 1: the present one only")


class DeepOMDConfig(MirrorConfig):
    """Settings of the learner `deep_omd`."""

    id: Literal["deep_omd"] = "deep_omd"


@dataclass(frozen=True)
class MirrorState:
    """Where deep mirror descent stands.

    Attributes:
        iteration: iterations done.
        records: the network of each population.
        plays: the last `replay` - 1 iterations' play, the oldest first.
        steps: agents' steps seen so far.
    """

    iteration: int
    records: tuple[PolicyRecord, ...]
    plays: tuple[Play, ...]
    steps: int


class DeepOMD(Learner[MirrorState]):
    """See the module.

    Attributes:
        rules: the agents'.
        model: the limit.
        starts: where simulated populations begin; None for the game's own initial distributions.
    """

    starts: StartsConfig | None = None

    def __init__(self, game: Game, config: MirrorConfig, executor: Executor) -> None:
        self.rules, self.model = rules_of(game, config.id), rules_of(game, config.id).model
        span(self.model, config.sampling)
        self._game, self._config, self._executor = game, config, executor
        self._published = executor.publish(game)

    def init(self, seed: np.random.SeedSequence) -> MirrorState:
        """Networks that play nearly at random."""
        own = seed.generate_state(self.model.num_populations, np.uint32)
        tasks = [
            self._task((0, BEGIN, p), "begin", training=self._config.training, own_seed=int(own[p]))
            for p in range(self.model.num_populations)
        ]
        return MirrorState(0, tuple(run_ordered(self._executor, tasks)), (), 0)

    def step(self, state: MirrorState) -> tuple[MirrorState, dict[str, float]]:
        """Play, and fit."""
        config, sampling = self._config, self._config.sampling
        tasks = [
            self._task(
                (state.iteration, SAMPLE, k), "sample", records=list(state.records), sampling=sampling,
                starts=self.starts,
            )
            for k in range(sampling.tasks)
        ]  # fmt: skip
        plays = (*state.plays, *run_ordered(self._executor, tasks))
        kept = (config.replay - 1) * sampling.tasks
        shared = self._executor.publish(list(plays))
        tasks = [
            self._task(
                (state.iteration, IMPROVE, p), "improve", record=record, population=p, plays=shared,
                training=config.training, temperature=config.temperature, iteration=state.iteration,
            )
            for p, record in enumerate(state.records)
        ]  # fmt: skip
        fitted = run_ordered(self._executor, tasks)
        seen = sum(len(part.point) for play in plays[len(state.plays) :] for part in play.experience)
        after = MirrorState(
            iteration=state.iteration + 1,
            records=tuple(record for record, _ in fitted),
            plays=plays[max(0, len(plays) - kept) :],
            steps=state.steps + seen,
        )
        errors = {f"training/squared_error_{p}": error for p, (_, error) in enumerate(fitted)}
        return after, {**errors, "samples/agent_steps": float(after.steps)}

    def average_policy(self, state: MirrorState) -> JointPolicy:
        """The last iterate; where the networks see the distribution, along the flow that they generate."""
        task = self._task((state.iteration, TABLE), "table", records=list(state.records))
        (policy,) = run_ordered(self._executor, [task])
        return TabularPolicy(self.model, self.model.as_tables(policy))

    def to_tree(self, state: MirrorState) -> dict[str, Any]:
        """See `Learner`."""
        return {
            "iteration": state.iteration,
            "records": list(state.records),
            "plays": [play_tree(play) for play in state.plays],
            "steps": state.steps,
        }

    def from_tree(self, tree: dict[str, Any]) -> MirrorState:
        """See `Learner`."""
        plays = tuple(play_from(play) for play in tree["plays"])
        return MirrorState(tree["iteration"], tuple(tree["records"]), plays, tree["steps"])

    def _task(self, key: tuple[int, ...], function: str, *, module: str = _TASKS, **arguments: Any) -> Task:
        return Task(key, f"{module}:{function}", {"game": self._published, **arguments})


def build(game: Game, config: DeepOMDConfig, executor: Executor) -> DeepOMD:
    """The learner of a run."""
    return DeepOMD(game, config, executor)


LEARNER = LearnerSpec(id="deep_omd", config=DeepOMDConfig, build=build, source="Lauriere et al. (2022), ICML")
