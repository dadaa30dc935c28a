"""Deep average fictitious play: learned responses to N agents, and a network that is taught their average.

Lauriere, Perrin, Girgin, Muller, Jain, Cabannes, Piliouras, Perolat, Elie, Pietquin and Geist (2022), "Scalable deep
reinforcement learning algorithms for mean field games", ICML, section 3 (D-AFP); the reservoir and the average policy
are those of Heinrich and Silver (2016), "Deep reinforcement learning from self-play in imperfect-information games",
arXiv 1603.01121.

An iteration, for each population: the oracle responds to agents who play the average policy; agents who play the
response give states and actions, which enter a reservoir; the average network is fitted to the reservoir by
cross-entropy. All responses so far have the same weight, each in the states that it visits.

Differences from the paper: the mean field is the empirical one of N agents; the response may be any oracle for
mean-field games (`mean_field_q`, `mean_field_policy_gradient`, `exact`).

Cost of an iteration: the oracle's, B N T moves, and `training.updates` gradient steps a population.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from pydantic import Field, SerializeAsAny, field_validator

from eqagents.configuration import NamedSettings
from eqagents.distributed import Executor, Task, run_ordered
from eqagents.learners import Learner, LearnerSpec
from eqagents.learners.mean_field._experience import (
    Experience,
    SamplingConfig,
    TableAct,
    by_moment,
    play_of,
    rules_of,
    span,
)
from eqagents.learners.mean_field._networks import TrainingConfig, fit_policy, restored, tabulated
from eqagents.learners.mean_field._oracles import mean_field_oracle
from eqagents.oracles import OracleResult, Situation, find_oracle
from eqagents.oracles.mean_field_q import MeanFieldQConfig
from eqagents.policies import PolicyRecord, to_policy
from eqenvs.arrays import IntArray
from eqenvs.errors import InputError
from eqenvs.game import Game
from eqenvs.policies import JointPolicy, ProductPolicy, TabularPolicy, tabulate

BEGIN, RESPOND, COLLECT, AVERAGE, TABLE = range(5)  # phases in the tasks' keys


class DeepFictitiousPlayConfig(NamedSettings):
    """Settings of the learner `deep_fictitious_play`."""

    id: Literal["deep_fictitious_play"] = "deep_fictitious_play"
    oracle: SerializeAsAny[NamedSettings] = Field(
        default=MeanFieldQConfig(), description="a mean-field oracle's id and settings"
    )
    sampling: SamplingConfig = Field(
        default=SamplingConfig(), description="play of each response for the reservoir; representatives are not used"
    )
    training: TrainingConfig = Field(
        default=TrainingConfig(), description="of the average network; `refresh` is not used"
    )
    reservoir: int = Field(default=200_000, ge=1, description="states and actions kept of each population")

    @field_validator("oracle", mode="wrap")
    @classmethod
    def _oracle_by_id(cls, value: Any, handler: Any) -> NamedSettings:
        return mean_field_oracle(value)


@dataclass(frozen=True)
class Reservoir:
    """A uniform sample of all that was ever put in (Vitter 1985, algorithm R), two numbers an entry.

    The reservoirs of learners for other games hold what was seen; here that follows from the point.

    Attributes:
        point: [n] int64, information states.
        action: [n] int64.
        seen: how many there were.
    """

    point: IntArray
    action: IntArray
    seen: int

    def taking(self, found: Experience, capacity: int, rng: np.random.Generator) -> Reservoir:
        """The sample with more put in."""
        space = min(max(0, capacity - len(self.point)), len(found.point))
        point = np.concatenate([self.point, found.point[:space]])
        action = np.concatenate([self.action, found.action[:space]])
        later = np.arange(space, len(found.point))
        place = rng.integers(self.seen + later + 1)
        kept = place < capacity  # of two for one place the later stays, as if they came one by one
        point[place[kept]], action[place[kept]] = found.point[later[kept]], found.action[later[kept]]
        return Reservoir(point, action, self.seen + len(found.point))


@dataclass(frozen=True)
class FictitiousState:
    """Where deep fictitious play stands.

    Attributes:
        iteration: iterations done.
        averages: the average network of each population.
        responses: its last response; None before the first.
        reservoirs: of each population.
        episodes: played by the oracle and for the reservoirs.
    """

    iteration: int
    averages: tuple[PolicyRecord, ...]
    responses: tuple[PolicyRecord | None, ...]
    reservoirs: tuple[Reservoir, ...]
    episodes: int


def respond(
    seed: np.random.SeedSequence,
    *,
    game: Game,
    oracle: NamedSettings,
    averages: Sequence[PolicyRecord],
    population: int,
    previous: PolicyRecord | None,
) -> OracleResult:
    """Task: a population's response to the average policy."""
    model = rules_of(game, oracle.id).model
    policy = tabulated(model, [restored(record) for record in averages], False)
    opponents = TabularPolicy(model, model.as_tables(policy))
    return find_oracle(oracle.id).respond(oracle, Situation(game, population, opponents, seed, previous))


def collect(
    seed: np.random.SeedSequence, *, game: Game, responses: Sequence[PolicyRecord], sampling: SamplingConfig
) -> list[Experience]:
    """Task: what agents who play the responses do, by population."""
    rules = rules_of(game, "deep_fictitious_play")
    entries = [to_policy(record, game, population) for population, record in enumerate(responses)]
    policy = rules.model.as_array(tabulate(rules.model, ProductPolicy(entries)).tables)
    played = play_of(game, sampling, np.random.default_rng(seed), TableAct(policy))
    return [by_moment(played, population) for population in range(rules.model.num_populations)]


def average(
    seed: np.random.SeedSequence,
    *,
    game: Game,
    record: PolicyRecord,
    population: int,
    reservoir: Reservoir,
    found: Sequence[Experience],
    config: DeepFictitiousPlayConfig,
    iteration: int,
) -> tuple[Reservoir, PolicyRecord, float]:
    """Task: the reservoir with more in it, the average network fitted to it, and its cross-entropy in nats."""
    rng, training = np.random.default_rng(seed), config.training
    for part in found:
        reservoir = reservoir.taking(part, config.reservoir, rng)
    states = rules_of(game, config.id).model.information_states[population]
    network = restored(record, training.device)
    arrays = (states.observations, states.masks, reservoir.point, reservoir.action)
    seen, legal, point, action = (torch.tensor(array, device=training.device) for array in arrays)
    error = fit_policy(network, seen, legal, point, action, training, rng, iteration)
    return reservoir, network.record(), error


class DeepFictitiousPlay(Learner[FictitiousState]):
    """See the module."""

    def __init__(self, game: Game, config: DeepFictitiousPlayConfig, executor: Executor) -> None:
        rules = rules_of(game, config.id)
        if rules.sees_distribution:
            raise InputError(
                f"{config.id}: the average policy is a function of time and state alone; use sees_distribution=false, "
                "or learner 'deep_omd'"
            )
        self._model = rules.model
        span(rules.model, config.sampling)
        self._config = config.model_copy(update={"sampling": config.sampling.model_copy(update={"representatives": 0})})
        self._executor, self._published = executor, executor.publish(game)

    def init(self, seed: np.random.SeedSequence) -> FictitiousState:
        """Average networks that play nearly at random."""
        populations = range(self._model.num_populations)
        own, training = seed.generate_state(len(populations), np.uint32), self._config.training
        begin = "eqagents.learners.mean_field._mirror:begin"
        tasks = [
            Task((0, BEGIN, p), begin, {"game": self._published, "training": training, "own_seed": int(own[p])})
            for p in populations
        ]
        none = np.zeros(0, dtype=np.int64)
        return FictitiousState(
            iteration=0,
            averages=tuple(run_ordered(self._executor, tasks)),
            responses=(None,) * len(populations),
            reservoirs=(Reservoir(none, none, 0),) * len(populations),
            episodes=0,
        )

    def step(self, state: FictitiousState) -> tuple[FictitiousState, dict[str, float]]:
        """Respond, collect, average."""
        config, now = self._config, state.iteration
        responses = self._run(
            "respond", [(now, RESPOND, p) for p in range(len(state.averages))],
            [{"oracle": config.oracle, "averages": list(state.averages), "population": p, "previous": previous}
             for p, previous in enumerate(state.responses)],
        )  # fmt: skip
        records = [found.record for found in responses]
        sampled = self._run(
            "collect", [(now, COLLECT, k) for k in range(config.sampling.tasks)],
            [{"responses": records, "sampling": config.sampling}] * config.sampling.tasks,
        )  # fmt: skip
        fitted = self._run(
            "average", [(now, AVERAGE, p) for p in range(len(records))],
            [{"record": record, "population": p, "reservoir": reservoir, "found": [part[p] for part in sampled],
              "config": config, "iteration": now}
             for p, (record, reservoir) in enumerate(zip(state.averages, state.reservoirs, strict=True))],
        )  # fmt: skip
        played = sum(found.episodes for found in responses) + config.sampling.tasks * config.sampling.episodes
        after = FictitiousState(
            iteration=now + 1,
            averages=tuple(record for _, record, _ in fitted),
            responses=tuple(records),
            reservoirs=tuple(reservoir for reservoir, _, _ in fitted),
            episodes=state.episodes + played,
        )
        metrics = {f"oracle/{name}_{p}": v for p, found in enumerate(responses) for name, v in found.metrics.items()}
        metrics |= {f"training/cross_entropy_{p}": error for p, (_, _, error) in enumerate(fitted)}
        return after, {**metrics, "samples/episodes": float(after.episodes)}

    def average_policy(self, state: FictitiousState) -> JointPolicy:
        """The average networks."""
        arguments = {"game": self._published, "records": list(state.averages)}
        task = Task((state.iteration, TABLE), "eqagents.learners.mean_field._mirror:table", arguments)
        (policy,) = run_ordered(self._executor, [task])
        return TabularPolicy(self._model, self._model.as_tables(policy))

    def to_tree(self, state: FictitiousState) -> dict[str, Any]:
        """See `Learner`."""
        return {
            "iteration": state.iteration,
            "averages": list(state.averages),
            "responses": list(state.responses),
            "reservoirs": [{"point": r.point, "action": r.action, "seen": r.seen} for r in state.reservoirs],
            "episodes": state.episodes,
        }

    def from_tree(self, tree: dict[str, Any]) -> FictitiousState:
        """See `Learner`."""
        reservoirs = tuple(Reservoir(**reservoir) for reservoir in tree["reservoirs"])
        averages, responses = tuple(tree["averages"]), tuple(tree["responses"])
        return FictitiousState(tree["iteration"], averages, responses, reservoirs, tree["episodes"])

    def _run(self, function: str, keys: list[tuple[int, ...]], arguments: list[dict[str, Any]]) -> list[Any]:
        tasks = [
            Task(key, f"{__name__}:{function}", {"game": self._published, **given})
            for key, given in zip(keys, arguments, strict=True)
        ]
        return run_ordered(self._executor, tasks)


def build(game: Game, config: DeepFictitiousPlayConfig, executor: Executor) -> DeepFictitiousPlay:
    """The learner of a run."""
    return DeepFictitiousPlay(game, config, executor)


LEARNER = LearnerSpec(
    id="deep_fictitious_play", config=DeepFictitiousPlayConfig, build=build, source="Lauriere et al. (2022), ICML"
)
