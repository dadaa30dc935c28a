"""Policy-space response oracles of mean-field games: grow a set of policies by responses to their best mixture.

Muller, Rowland, Elie, Piliouras, Perolat, Lauriere, Marinier, Pietquin and Tuyls (2022), "Learning equilibria in
mean-field games: introducing mean-field PSRO", AAMAS. What a policy gets is not linear in how many play which, so the
empirical game has no payoff tensor (the learner `psro` has one): the restricted game is evaluated where it is looked
at, and solved for a Nash mixture or a coarse correlated equilibrium (Muller, Elie, Rowland, Lauriere, Perolat, Perrin,
Geist, Piliouras, Pietquin and Tuyls, 2022, "Learning correlated equilibria in mean-field games", arXiv 2208.10138).

An iteration: an oracle task for each population responds to the mixture; a task solves the restricted game of the
grown sets. The policy that is scored is the mixture as one table, which everybody's shares move through one mean field
(`MeanFieldModel.mix`). Of a CCE it is the mean of the mixtures that the device draws; `measures` has the device's own
gap, `cce_gap`, over all policies of the game.

Differences from the papers: the Nash mixture comes from an extragradient method, or the mean play of regret matching+
where that is nearer, in place of black-box optimisation or bandits; plays of the CCE are from regret matching+ with the
exact payoffs. A CCE is offered with the exact oracle, in games with a horizon whose moves do not depend on the mean
field: elsewhere the best response to a device has a memory. The sets start from the uniformly random policy.

Cost of an iteration: the oracle's, and `meta.rounds` evaluations of the restricted game.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from pydantic import Field, SerializeAsAny, field_validator

from eqagents.configuration import NamedSettings, Settings
from eqagents.distributed import Executor, Task, run_ordered
from eqagents.learners import LearnerSpec
from eqagents.learners.mean_field._oracles import mean_field_oracle
from eqagents.learners.mean_field._restricted import Device, RestrictedGame, against, coarse_correlated, gap, nash
from eqagents.learners.psro._members import Members
from eqagents.learners.psro._population import Member, joint_policy
from eqagents.oracles import OracleResult
from eqagents.oracles.exact import ExactConfig
from eqagents.policies import PolicyRecord, tabular_record, uniform_record
from eqenvs.arrays import Float64Array
from eqenvs.errors import InputError, UnsupportedGame
from eqenvs.game import Game
from eqenvs.models.mean_field import MeanFieldModel
from eqenvs.policies import JointPolicy
from eqsolvers.meta import MetaSolution

RESPOND, MEMBER, META, CHECK = range(4)  # phases in the tasks' keys
NASH, CCE = "nash", "cce"


class MixtureConfig(Settings):
    """How the restricted game is solved."""

    concept: Literal["nash", "cce"] = Field(default="nash", description="of the mixture: nash or cce")
    rounds: int = Field(default=200, ge=1, description="the most steps towards a Nash mixture; plays of a CCE's device")
    tolerance: float = Field(default=1e-9, ge=0, description="gap of the restricted game to stop at, in payoff")


class MeanFieldPSROConfig(NamedSettings):
    """Settings of the learner `mean_field_psro`."""

    id: Literal["mean_field_psro"] = "mean_field_psro"
    oracle: SerializeAsAny[NamedSettings] = Field(
        default=ExactConfig(), description="a mean-field oracle's id and settings"
    )
    meta: MixtureConfig = MixtureConfig()

    @field_validator("oracle", mode="wrap")
    @classmethod
    def _oracle_by_id(cls, value: Any, handler: Any) -> NamedSettings:
        return mean_field_oracle(value)


@dataclass(frozen=True)
class MeanFieldPSROState:
    """Everything that an iteration leaves behind.

    Attributes:
        iteration: iterations done.
        populations: the records of each population's policies.
        strategies: how they are mixed, [K_p] of each population.
        device: the mixtures that a CCE draws; None of a Nash mixture.
        gap: of the restricted game; of a device over all policies.
        episodes: played by the oracles.
    """

    iteration: int
    populations: tuple[tuple[PolicyRecord, ...], ...]
    strategies: tuple[Float64Array, ...]
    device: Device | None
    gap: float
    episodes: int


def mix(
    seed: np.random.SeedSequence,
    *,
    game: Game,
    members: Sequence[Sequence[Member]],
    before: Sequence[Float64Array],
    meta: MixtureConfig,
) -> tuple[tuple[Float64Array, ...], Device | None, float]:
    """Task: the restricted game's solution, from the mixture `before` the last members came."""
    restricted = _restricted(game, members)
    if meta.concept == CCE:
        device = coarse_correlated(restricted.payoffs, restricted.sizes, meta.rounds)
        return device.mean(), device, against(restricted, device)[1]
    start = tuple(
        np.concatenate([shares, np.zeros(size - len(shares))])
        for shares, size in zip(before, restricted.sizes, strict=True)
    )
    mixture, found = nash(restricted.payoffs, start, meta.rounds, meta.tolerance)
    if found > meta.tolerance:  # no monotone game, or too few steps: the plays of regret matching may be nearer
        mean = coarse_correlated(restricted.payoffs, restricted.sizes, meta.rounds).mean()
        other = gap(restricted.payoffs(mean), mean)
        mixture, found = (mean, other) if other < found else (mixture, found)
    return mixture, None, found


def respond_to_device(
    seed: np.random.SeedSequence, *, game: Game, members: Sequence[Sequence[Member]], device: Device
) -> list[OracleResult]:
    """Task: every population's best response to a device, by the exact model."""
    restricted = _restricted(game, members)
    response, found = against(restricted, device)
    tables = restricted.model.as_tables(response)
    return [OracleResult(tabular_record(table), {"cce_gap": found}, episodes=0) for table in tables]


def _restricted(game: Game, members: Sequence[Sequence[Member]]) -> RestrictedGame:
    model = game.model()
    assert isinstance(model, MeanFieldModel)  # by the learner
    tables = [np.stack([member.table for member in own if member.table is not None]) for own in members]
    return RestrictedGame(model, tables)


class MeanFieldPSRO:
    """See the module."""

    def __init__(self, game: Game, config: MeanFieldPSROConfig, executor: Executor) -> None:
        model = game.model()
        if not isinstance(model, MeanFieldModel):
            raise InputError(f"{config.id}: mixes policies of mean-field games, {game.spec.id} is {game.family.value}; "
                             "use learner 'psro'")  # fmt: skip
        if config.meta.concept == CCE:
            if model.horizon is None or model.kernel is None or len(model.kernel.weight):
                raise UnsupportedGame(
                    f"{config.id}: a CCE needs a game with a horizon whose moves do not depend on the mean field, "
                    f"{game.spec.id} is none; use meta.concept 'nash'"
                )
            if config.oracle.id != ExactConfig().id:
                raise InputError(f"{config.id}: a CCE needs oracle 'exact', got {config.oracle.id!r}")
        self._game, self._config, self._executor = game, config, executor
        self._published = executor.publish(game)
        self._members = Members(self._published, executor, tabulated=True, phase=MEMBER)

    def init(self, seed: np.random.SeedSequence) -> MeanFieldPSROState:
        """Uniformly random policies; all randomness is the tasks', so `seed` is not used."""
        check = "eqagents.learners.psro._population:check_oracle"
        run_ordered(self._executor, [Task((0, CHECK), check, {"config": self._config.oracle})])
        count = self._game.num_players
        return self._mixed(
            MeanFieldPSROState(0, ((uniform_record(),),) * count, (np.ones(1),) * count, None, float("inf"), 0)
        )

    def iteration(self, state: MeanFieldPSROState) -> int:
        """Iterations done."""
        return state.iteration

    def step(self, state: MeanFieldPSROState) -> tuple[MeanFieldPSROState, dict[str, float]]:
        """Respond, and mix anew."""
        started = time.perf_counter()
        results = self._respond(state)
        responded = time.perf_counter()
        after = self._mixed(
            MeanFieldPSROState(
                iteration=state.iteration + 1,
                populations=tuple((*old, r.record) for old, r in zip(state.populations, results, strict=True)),
                strategies=state.strategies,
                device=state.device,
                gap=state.gap,
                episodes=state.episodes + sum(result.episodes for result in results),
            )
        )
        metrics = {f"oracle/{name}_{p}": v for p, found in enumerate(results) for name, v in found.metrics.items()}
        for p, shares in enumerate(after.strategies):
            metrics[f"meta/support_{p}"] = float(np.count_nonzero(shares > 1e-9))
        timing = {"time/oracle_s": responded - started, "time/meta_s": time.perf_counter() - responded}
        return after, {**metrics, "meta/gap": after.gap, "samples/episodes": float(after.episodes), **timing}

    def _respond(self, state: MeanFieldPSROState) -> list[OracleResult]:
        handles = self._members.handles(state.populations, state.iteration)
        if state.device is not None:
            task = self._task((state.iteration, RESPOND), "respond_to_device", members=handles, device=state.device)
            (found,) = run_ordered(self._executor, [task])
            return list(found)
        tasks = [
            Task(
                (state.iteration, RESPOND, player),
                "eqagents.learners.psro._population:respond",
                {
                    "game": self._published,
                    "config": self._config.oracle,
                    "player": player,
                    "populations": handles,
                    "meta": MetaSolution(state.strategies),
                },
                durable=True,
            )
            for player in range(self._game.num_players)
        ]
        return [OracleResult(**found) for found in run_ordered(self._executor, tasks)]

    def _mixed(self, state: MeanFieldPSROState) -> MeanFieldPSROState:
        handles = self._members.handles(state.populations, state.iteration)
        arguments = {"members": handles, "before": list(state.strategies), "meta": self._config.meta}
        task = self._task((state.iteration, META), "mix", **arguments)
        ((strategies, device, found),) = run_ordered(self._executor, [task])
        return MeanFieldPSROState(state.iteration, state.populations, tuple(strategies), device, found, state.episodes)

    def average_policy(self, state: MeanFieldPSROState) -> JointPolicy:
        """Each population's mixture; of a device, the mean of its mixtures."""
        members = self._members.members(state.populations, state.iteration)
        return joint_policy(self._game, members, MetaSolution(state.strategies))

    def measures(self, state: MeanFieldPSROState) -> dict[str, float]:
        """The gap of a CCE's device over all policies."""
        return {} if state.device is None else {"cce_gap": state.gap}

    def to_tree(self, state: MeanFieldPSROState) -> dict[str, Any]:
        """See `Learner`."""
        device = state.device
        return {
            "iteration": state.iteration,
            "populations": [list(population) for population in state.populations],
            "strategies": list(state.strategies),
            "device": None if device is None else {"weights": device.weights, "plays": list(device.plays)},
            "gap": state.gap,
            "episodes": state.episodes,
        }

    def from_tree(self, tree: dict[str, Any]) -> MeanFieldPSROState:
        """See `Learner`."""
        device = tree["device"]
        return MeanFieldPSROState(
            iteration=tree["iteration"],
            populations=tuple(tuple(population) for population in tree["populations"]),
            strategies=tuple(tree["strategies"]),
            device=None if device is None else Device(device["weights"], tuple(device["plays"])),
            gap=tree["gap"],
            episodes=tree["episodes"],
        )

    def artefacts(self, state: MeanFieldPSROState) -> dict[str, Any]:
        """See `Learner`; there are none, as there is no payoff tensor to show."""
        return {}

    def _task(self, key: tuple[int, ...], function: str, **arguments: Any) -> Task:
        return Task(key, f"{__name__}:{function}", {"game": self._published, **arguments})


def build(game: Game, config: MeanFieldPSROConfig, executor: Executor) -> MeanFieldPSRO:
    """The learner of a run."""
    return MeanFieldPSRO(game, config, executor)


LEARNER = LearnerSpec(
    id="mean_field_psro", config=MeanFieldPSROConfig, build=build, source="Muller et al. (2022), AAMAS"
)
