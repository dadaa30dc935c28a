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
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

import numpy as np
from pydantic import Field, SerializeAsAny, field_validator

from eqagents.configuration import NamedSettings, Settings
from eqagents.distributed import Executor, Flow, Handle, Task, Work
from eqagents.learners import LearnerSpec
from eqagents.learners.mean_field._oracles import mean_field_oracle
from eqagents.learners.mean_field._restricted import Device, MixtureGame, against, coarse_correlated, gap, nash
from eqagents.learners.psro._loop import DoubleOracle, Enlarged, LoopState, RestrictedGame
from eqagents.learners.psro._members import Members
from eqagents.learners.psro._population import RESPOND, joint_policy
from eqagents.learners.psro._responses import PAYOFF_PHASE, Request, respond
from eqagents.oracles import Member, OracleResult, Populations
from eqagents.oracles._tasks import reporting
from eqagents.oracles.exact import ExactConfig
from eqagents.policies import PolicyRecord, tabular_record, uniform_record
from eqenvs.arrays import Float64Array
from eqenvs.errors import InputError, UnsupportedGame
from eqenvs.game import Game
from eqenvs.models.mean_field import MeanFieldModel
from eqenvs.policies import JointPolicy
from eqsolvers.meta import MetaSolution

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
class MixturesState:
    """The sets of policies and how they are mixed.

    Attributes:
        populations: the records of each population's policies.
        strategies: how they are mixed, [K_p] of each population.
        device: the mixtures that a CCE draws; None of a Nash mixture.
        gap: of the restricted game; of a device over all policies.
    """

    populations: tuple[tuple[PolicyRecord, ...], ...]
    strategies: tuple[Float64Array, ...]
    device: Device | None
    gap: float


def mix(
    seed: np.random.SeedSequence,
    *,
    game: Game,
    members: Sequence[Sequence[Member]],
    before: Sequence[Float64Array],
    meta: MixtureConfig,
) -> tuple[tuple[Float64Array, ...], Device | None, float, list[float]]:
    """Task: the restricted game's solution, from the mixture `before` the last members came; what these gained over it.

    A device is not gone on from, and its gains are the responses' own to tell.
    """
    restricted = _restricted(game, members)
    if meta.concept == CCE:
        device = coarse_correlated(restricted.payoffs, restricted.sizes, meta.rounds)
        return device.mean(), device, against(restricted, device)[1], []
    start = tuple(
        np.concatenate([shares, np.zeros(size - len(shares))])
        for shares, size in zip(before, restricted.sizes, strict=True)
    )
    gains = [
        float(worth[len(old) :].max(initial=-np.inf) - worth @ shares)
        for worth, shares, old in zip(restricted.payoffs(start), start, before, strict=True)
    ]
    mixture, found = nash(restricted.payoffs, start, meta.rounds, meta.tolerance)
    if found > meta.tolerance:  # no monotone game, or too few steps: the plays of regret matching may be nearer
        mean = coarse_correlated(restricted.payoffs, restricted.sizes, meta.rounds).mean()
        other = gap(restricted.payoffs(mean), mean)
        mixture, found = (mean, other) if other < found else (mixture, found)
    return mixture, None, found, gains


@reporting
def respond_to_device(
    seed: np.random.SeedSequence, *, game: Game, members: Sequence[Sequence[Member]], device: Device, player: int
) -> OracleResult:
    """Task: a population's best response to a device, by the exact model."""
    restricted = _restricted(game, members)
    response, found = against(restricted, device)
    table = restricted.model.as_tables(response)[player]
    return OracleResult(tabular_record(table), {"cce_gap": found}, episodes=0)


def _restricted(game: Game, members: Sequence[Sequence[Member]]) -> MixtureGame:
    model = game.model()
    assert isinstance(model, MeanFieldModel)  # by the learner
    tables = [np.stack([member.table for member in own if member.table is not None]) for own in members]
    return MixtureGame(model, tables)


class Mixtures(RestrictedGame[MixturesState]):
    """The game between sets of policies, in which payoffs are not linear in the mixtures; a `RestrictedGame`."""

    def __init__(self, game: Game, config: MeanFieldPSROConfig, flow: Flow) -> None:
        self._game, self._config = game, config
        self._published = flow.executor.publish(game)
        self._members = Members(game, self._published, flow, tabulated=True)

    def begin(self, seed: np.random.SeedSequence) -> Work[Enlarged[MixturesState]]:
        """Uniformly random policies; all randomness is the tasks', so `seed` is not used."""
        count = self._game.num_players
        start = MixturesState(((uniform_record(),),) * count, (np.ones(1),) * count, None, float("inf"))
        mixed, _ = yield from self._mixed(start, 0)
        return Enlarged(mixed, {})

    def _requests(self, state: MixturesState, handles: list[list[Handle]]) -> list[Request]:
        """A response of every population to the mixture, or to what the device draws."""
        players = range(self._game.num_players)
        if state.device is not None:
            asked = {"game": self._published, "members": handles, "device": state.device}
            return [Request(player, f"{__name__}:respond_to_device", {**asked, "player": player}) for player in players]
        asked = {
            "game": self._published,
            "config": self._config.oracle,
            "populations": handles,
            "meta": MetaSolution(state.strategies),
        }
        return [Request(player, RESPOND, {**asked, "player": player}) for player in players]

    def enlarge(self, state: MixturesState, iteration: int) -> Work[Enlarged[MixturesState]]:
        """Add the responses, mix anew."""
        handles = yield from self._members.handles(state.populations, iteration - 1)
        requests, n = self._requests(state, handles), self._game.num_players
        responses = yield from respond(requests, n, self._config.oracle.id, iteration)
        started = time.perf_counter()
        populations = tuple(
            (*old, *(each.record for each in responses.found(player) if each is not None))
            for player, old in enumerate(state.populations)
        )
        after, gains = yield from self._mixed(replace(state, populations=populations), iteration)
        if state.device is not None:  # which all respond to at once: what they gain together
            gains = {
                player: max(each.metrics["cce_gap"] for each in responses.found(player) if each is not None)
                for player in range(n)
                if any(responses.found(player))
            }
        metrics = {"meta/gap": after.gap, "time/meta_s": time.perf_counter() - started}
        for player, shares in enumerate(after.strategies):
            metrics[f"meta/support_{player}"] = float(np.count_nonzero(shares > 1e-9))
        return Enlarged(after, metrics, responses=responses, gains=gains)

    def _mixed(self, state: MixturesState, iteration: int) -> Work[tuple[MixturesState, dict[int, float]]]:
        """Solved, and what the members that are new gained over the mixture so far, where there are any."""
        members = yield from self._members.handles(state.populations, iteration)
        arguments = {
            "game": self._published,
            "members": members,
            "before": list(state.strategies),
            "meta": self._config.meta,
        }
        task = Task((iteration, PAYOFF_PHASE), f"{__name__}:mix", arguments)
        ((strategies, device, found, gains),) = yield [task]
        known = {player: each for player, each in enumerate(gains) if each > -np.inf}
        return MixturesState(state.populations, tuple(strategies), device, found), known

    def policy(self, state: MixturesState) -> JointPolicy:
        """Each population's mixture; of a device, the mean of its mixtures."""
        members = self._members.members(state.populations)
        return joint_policy(self._game, members, MetaSolution(state.strategies))

    def measures(self, state: MixturesState) -> dict[str, float]:
        """The gap of a CCE's device over all policies."""
        return {} if state.device is None else {"cce_gap": state.gap}

    def populations(self, state: MixturesState) -> Populations:
        """The members and their mixtures; of a device, their mean."""
        return Populations(self._members.members(state.populations), MetaSolution(state.strategies))

    def to_tree(self, state: MixturesState) -> dict[str, Any]:
        """See `Learner`."""
        device = state.device
        return {
            "populations": [list(population) for population in state.populations],
            "strategies": list(state.strategies),
            "device": None if device is None else {"weights": device.weights, "plays": list(device.plays)},
            "gap": state.gap,
        }

    def from_tree(self, tree: dict[str, Any]) -> MixturesState:
        """See `Learner`."""
        device = tree["device"]
        return MixturesState(
            populations=tuple(tuple(population) for population in tree["populations"]),
            strategies=tuple(tree["strategies"]),
            device=None if device is None else Device(device["weights"], tuple(device["plays"])),
            gap=tree["gap"],
        )


MeanFieldPSROState: TypeAlias = LoopState[MixturesState]
MeanFieldPSRO: TypeAlias = DoubleOracle[MixturesState]


def build(game: Game, config: MeanFieldPSROConfig, executor: Executor) -> MeanFieldPSRO:
    """The learner of a run.

    Raises:
        InputError: if the game is no mean-field game, or the configuration does not fit.
        UnsupportedGame: if a CCE is asked of a game whose best responses to devices have a memory.
    """
    model = game.model()
    if not isinstance(model, MeanFieldModel):
        raise InputError(
            f"{config.id}: mixes policies of mean-field games, {game.spec.id} is {game.family.value}; use 'psro'"
        )
    if config.meta.concept == CCE:
        if model.horizon is None or model.kernel is None or len(model.kernel.weight):
            raise UnsupportedGame(
                f"{config.id}: a CCE needs a game with a horizon whose moves do not depend on the mean field, "
                f"{game.spec.id} is none; use meta.concept 'nash'"
            )
        if config.oracle.id != ExactConfig().id:
            raise InputError(f"{config.id}: a CCE needs oracle 'exact', got {config.oracle.id!r}")
    flow = Flow(executor)
    return DoubleOracle(config.oracle, Mixtures(game, config, flow), flow)


LEARNER = LearnerSpec(
    id="mean_field_psro",
    config=MeanFieldPSROConfig,
    build=build,
    source="Muller et al. (2022), AAMAS",
    responds=True,
)
