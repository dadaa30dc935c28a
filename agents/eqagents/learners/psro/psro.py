"""Policy-space response oracles: grow a population per player by best responses to the others' meta-strategies.

Lanctot et al. (2017), "A unified game-theoretic approach to multiagent reinforcement learning", NeurIPS, algorithm 1.
With exact oracles, exact payoffs and the Nash meta-solver it is the double oracle algorithm of McMahan, Gordon and Blum
(2003).

One iteration: oracle tasks respond to the current meta-strategies, one for each of a player's targets; the new rows and
columns of the empirical game are filled by tasks; the meta-solver mixes the populations anew. The driver owns all
state, tasks are pure, and their random streams follow from (iteration, phase, index), so the run is the same on any
number of workers.

Differences from the paper: the populations start from the uniformly random policy; a simulated cell is estimated once,
with the configured number of episodes, and never again.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, Self

import numpy as np
from pydantic import Field, SerializeAsAny, field_validator, model_validator

from eqagents.configuration import NamedSettings, Settings, by_id
from eqagents.distributed import Executor, Handle, Task, run_ordered
from eqagents.learners import LearnerSpec
from eqagents.learners.psro._growth import gain, joined
from eqagents.learners.psro._payoffs import Cell, PayoffTable
from eqagents.learners.psro._population import Member, joint_policy
from eqagents.oracles import OracleResult, find_oracle
from eqagents.oracles.policy_gradient import PolicyGradientConfig
from eqagents.policies.records import PolicyRecord
from eqenvs.arrays import Float64Array
from eqenvs.errors import InputError, UnsupportedGame
from eqenvs.game import Game
from eqenvs.policies import JointPolicy
from eqenvs.spec import Family
from eqsolvers.meta import MetaSolution, NoMetaSolutionError, find_meta_solver

_LOG = logging.getLogger(__name__)
ORACLE_PHASE, PAYOFF_PHASE, MEMBER_PHASE, CHECK_PHASE = range(4)


class PayoffConfig(Settings):
    """How the empirical game's cells are found."""

    method: Literal["exact", "simulated"] = Field(
        default="exact", description="from the exact model, or by playing episodes"
    )
    episodes: int = Field(default=4096, ge=2, description="episodes per simulated cell")
    chunk: int = Field(default=64, ge=1, description="exact cells per task")


class MetaSolverConfig(Settings):
    """A meta-solver; its id alone is one with its default settings."""

    whole = True

    id: str = Field(description="id of a meta-solver")
    settings: dict[str, Any] = Field(default_factory=dict, description="the meta-solver's own; others are defaults")
    fallback: str | None = Field(
        default=None, description="id of the meta-solver to use where this one finds no solution; none: the run stops"
    )

    @model_validator(mode="before")
    @classmethod
    def _named(cls, value: Any) -> Any:
        return {"id": value} if isinstance(value, str) else value

    @field_validator("id", "fallback")
    @classmethod
    def _known(cls, value: str | None) -> str | None:
        if value is not None:
            find_meta_solver(value)
        return value

    @model_validator(mode="after")
    def _known_settings(self) -> Self:
        find_meta_solver(self.id).resolve(self.settings)
        return self


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
    keep_repeats: bool = Field(
        default=False,
        description="add a response also where the population has an equal policy; with the meta-solver 'uniform' PSRO "
        "then is fictitious play",
    )
    least_gain: float | None = Field(
        default=None,
        description="responses that gain no more than this over what they respond to are left out, by the empirical "
        "game, in payoff; none: all that are new are kept",
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


@dataclass(frozen=True)
class PSROState:
    """Everything that an iteration leaves behind.

    Attributes:
        iteration: iterations done.
        populations: per player, the records of its policies.
        payoffs: the empirical game.
        meta: how the populations are mixed.
        episodes: played so far, by oracles and payoff cells.
        entropy: of what is random in meta-solvers.
    """

    iteration: int
    populations: tuple[tuple[PolicyRecord, ...], ...]
    payoffs: PayoffTable
    meta: MetaSolution
    episodes: int
    entropy: int


class PSRO:
    """See the module."""

    def __init__(self, game: Game, config: PSROConfig, executor: Executor) -> None:
        oracle_id = config.oracle.id
        oracle = find_oracle(oracle_id)
        if game.family is Family.MEAN_FIELD:
            raise UnsupportedGame(
                f"psro: {game.spec.id} is a mean-field game, whose payoffs are no tensor; use learner 'mean_field_psro'"
            )
        for asked, what in (
            (oracle.needs_model, f"oracle {oracle_id!r}"),
            (config.payoffs.method == "exact", "payoffs.method 'exact'"),
            (config.tabulate, "tabulate: true"),
        ):
            if asked and not game.exact:
                raise InputError(
                    f"psro: {what} needs a game that can be enumerated, {game!r} cannot; use payoffs.method "
                    "'simulated', tabulate: false and oracle 'policy_gradient'"
                )
        self._game, self._config, self._executor = game, config, executor
        # What tasks receive is published once. It follows from the state: an entry holds for its own record only, and
        # is remade for another state's or after a resume.
        self._game_handle = executor.publish(game)
        self._published: dict[tuple[int, int], tuple[PolicyRecord, Member, Handle]] = {}

    def init(self, seed: np.random.SeedSequence) -> PSROState:
        """Uniformly random policies, and the game between them; `seed` is of the meta-solver, tasks have their own."""
        check = "eqagents.learners.psro._population:check_oracle"
        run_ordered(self._executor, [Task((0, CHECK_PHASE), check, {"config": self._config.oracle})])
        n = self._game.num_players
        state = PSROState(
            iteration=0,
            populations=(({"kind": "uniform"},),) * n,
            payoffs=PayoffTable.empty(n),
            meta=MetaSolution(tuple(np.ones(1) for _ in range(n))),
            episodes=0,
            entropy=int(seed.generate_state(1, np.uint32)[0]),
        )
        state, _ = self._mixed(self._filled(state))
        return state

    def iteration(self, state: PSROState) -> int:
        """Iterations done."""
        return state.iteration

    def step(self, state: PSROState) -> tuple[PSROState, dict[str, float]]:
        """Respond, fill the new cells, keep what gains, mix anew."""
        started = time.perf_counter()
        results = self._respond(state)
        responded = time.perf_counter()
        grown, places = zip(
            *(
                joined(old, [r.record for r in new], keep_repeats=self._config.keep_repeats)
                for old, new in zip(state.populations, results, strict=True)
            ),
            strict=True,
        )
        filled = self._filled(
            replace(
                state,
                iteration=state.iteration + 1,
                populations=grown,
                episodes=state.episodes + sum(r.episodes for new in results for r in new),
            )
        )
        gains = [
            [
                gain(filled.payoffs.mean[player], player, *each)
                for each in zip(own, state.meta.against(player), strict=True)
            ]
            for player, own in enumerate(places)
        ]
        after, timing = self._mixed(self._improving(state, filled, places, gains))
        metrics: dict[str, float] = {
            f"oracle/{name}_{player}": float(np.mean([r.metrics[name] for r in new]))
            for player, new in enumerate(results)
            for name in new[0].metrics
        }
        for player, strategy in enumerate(after.meta.strategies):
            sizes = [len(each.populations[player]) for each in (state, filled, after)]
            metrics[f"population/size_{player}"] = float(sizes[2])
            metrics[f"population/repeated_{player}"] = float(len(places[player]) - (sizes[1] - sizes[0]))
            metrics[f"population/left_out_{player}"] = float(sizes[1] - sizes[2])
            metrics[f"population/gain_{player}"] = max(gains[player])
            metrics[f"meta/support_{player}"] = float(np.count_nonzero(strategy > 1e-9))
        metrics["samples/episodes"] = float(after.episodes)
        metrics["time/oracle_s"] = responded - started
        metrics["time/payoffs_s"] = time.perf_counter() - responded - timing["time/meta_s"]
        return after, metrics | timing

    def _improving(
        self, state: PSROState, filled: PSROState, places: Sequence[list[int]], gains: list[list[float]]
    ) -> PSROState:
        """Without the new policies that gain too little."""
        least = self._config.least_gain
        if least is None:
            return filled
        kept = []
        for player, population in enumerate(filled.populations):
            good = {place for place, each in zip(places[player], gains[player], strict=True) if each > least}
            known = len(state.populations[player])
            kept.append([place for place in range(len(population)) if place < known or place in good])
        return replace(
            filled,
            populations=tuple(
                tuple(population[k] for k in policies)
                for population, policies in zip(filled.populations, kept, strict=True)
            ),
            payoffs=filled.payoffs.kept(kept),
        )

    def _respond(self, state: PSROState) -> list[list[OracleResult]]:
        """Per player, a response to each target of the meta-solution; an oracle task each."""
        populations = self._publish(state)
        tasks = [
            Task(
                key=(state.iteration, ORACLE_PHASE, player, index),
                function="eqagents.learners.psro._population:respond",
                arguments={
                    "game": self._game_handle,
                    "config": self._config.oracle,
                    "player": player,
                    "populations": populations,
                    "meta": target,
                },
            )
            for player in range(self._game.num_players)
            for index, target in enumerate(state.meta.against(player))
        ]
        found: list[list[OracleResult]] = [[] for _ in range(self._game.num_players)]
        for task, result in zip(tasks, run_ordered(self._executor, tasks), strict=True):
            found[task.key[2]].append(result)
        return found

    def _filled(self, state: PSROState) -> PSROState:
        """With all cells of the empirical game known."""
        payoffs = state.payoffs.grown([len(population) for population in state.populations])
        cells = payoffs.missing()
        if not cells:
            return replace(state, payoffs=payoffs)
        if self._config.payoffs.method == "exact":
            exact = self._evaluate(state, cells)
            return replace(
                state, payoffs=payoffs.filled(cells, exact, np.square(exact), np.zeros(len(cells), dtype=np.int64))
            )
        episodes = self._config.payoffs.episodes
        sums, squares = self._simulate(state, cells, episodes)
        return replace(
            state,
            payoffs=payoffs.filled(cells, sums, squares, np.full(len(cells), episodes)),
            episodes=state.episodes + len(cells) * episodes,
        )

    def _mixed(self, state: PSROState) -> tuple[PSROState, dict[str, float]]:
        """With the empirical game solved."""
        started = time.perf_counter()
        meta, fell_back = self._mix(state, state.payoffs)
        return replace(state, meta=meta), {
            "meta/residual": meta.residual,
            "meta/fell_back": float(fell_back),
            "time/meta_s": time.perf_counter() - started,
        }

    def _mix(self, state: PSROState, payoffs: PayoffTable) -> tuple[MetaSolution, bool]:
        """The meta-solution, and whether it is the fallback's.

        Raises:
            InputError: if there is none, and no fallback.
        """
        config, iteration = self._config.meta_solver, state.iteration
        seed = (state.entropy << 32) + iteration
        try:
            found = find_meta_solver(config.id)(payoffs.mean, config.settings, iteration=iteration, seed=seed)
        except NoMetaSolutionError as error:
            reason = f"iteration {iteration}: meta-solver {config.id!r} found no solution: {error}"
            if config.fallback is None:
                raise InputError(f"{reason}; set learner.meta_solver.fallback, such as 'uniform'") from error
            _LOG.warning("%s; using %r", reason, config.fallback)
            return find_meta_solver(config.fallback)(payoffs.mean, iteration=iteration, seed=seed), True
        if found.message:
            _LOG.warning("iteration %d: meta-solver %r: %s", iteration, config.id, found.message)
        return found, False

    def _evaluate(self, state: PSROState, cells: list[Cell]) -> Float64Array:
        """The exact payoffs of some cells, a chunk of cells per task."""
        populations, size = self._publish(state), self._config.payoffs.chunk
        tasks = [
            Task(
                key=(state.iteration, PAYOFF_PHASE, start // size),
                function="eqagents.learners.psro._payoffs:exact_cells",
                arguments={
                    "game": self._game_handle,
                    "populations": populations,
                    "cells": cells[start : start + size],
                },
            )
            for start in range(0, len(cells), size)
        ]
        return np.concatenate(run_ordered(self._executor, tasks))

    def _simulate(self, state: PSROState, cells: list[Cell], episodes: int) -> tuple[Float64Array, Float64Array]:
        """Sums and sums of squares of the payoffs of some cells, a task per cell."""
        populations = self._publish(state)
        tasks = [
            Task(
                key=(state.iteration, PAYOFF_PHASE, *cell),
                function="eqagents.learners.psro._payoffs:simulated_cell",
                arguments={
                    "game": self._game_handle,
                    "members": [populations[p][k] for p, k in enumerate(cell)],
                    "episodes": episodes,
                },
            )
            for cell in cells
        ]
        results = run_ordered(self._executor, tasks)
        return np.stack([total for total, _ in results]), np.stack([square for _, square in results])

    def _publish(self, state: PSROState) -> list[list[Handle]]:
        """A handle for every member of every population; new members are made and published first."""
        new = [
            (p, k)
            for p, population in enumerate(state.populations)
            for k in range(len(population))
            if (p, k) not in self._published or self._published[p, k][0] is not population[k]
        ]
        tasks = [
            Task(
                key=(state.iteration, MEMBER_PHASE, player, index),
                function="eqagents.learners.psro._population:make_member",
                arguments={
                    "game": self._game_handle,
                    "record": state.populations[player][index],
                    "player": player,
                    "tabulated": self._config.tabulate or self._config.payoffs.method == "exact",
                },
            )
            for player, index in new
        ]
        for (player, index), member in zip(new, run_ordered(self._executor, tasks), strict=True):
            record = state.populations[player][index]
            self._published[player, index] = record, member, self._executor.publish(member)
        return [[self._published[p, k][2] for k in range(len(pop))] for p, pop in enumerate(state.populations)]

    def average_policy(self, state: PSROState) -> JointPolicy:
        """The populations under their meta-strategies: a product of private mixtures, or the device's mixture."""
        self._publish(state)
        members = [[self._published[p, k][1] for k in range(len(pop))] for p, pop in enumerate(state.populations)]
        return joint_policy(self._game, members, state.meta)

    def measures(self, state: PSROState) -> dict[str, float]:
        """None: the score says what there is to say."""
        del state
        return {}

    def to_tree(self, state: PSROState) -> dict[str, Any]:
        """See `Learner`."""
        return {
            "iteration": state.iteration,
            "populations": [list(population) for population in state.populations],
            "mean": state.payoffs.mean,
            "variance": state.payoffs.variance,
            "count": state.payoffs.count,
            "strategies": list(state.meta.strategies),
            "device": state.meta.device,
            "targets": [
                [{"strategies": list(target.strategies), "device": target.device} for target in targets]
                for targets in state.meta.targets
            ],
            "residual": state.meta.residual,
            "episodes": state.episodes,
            "entropy": state.entropy,
        }

    def from_tree(self, tree: dict[str, Any]) -> PSROState:
        """See `Learner`."""
        return PSROState(
            iteration=tree["iteration"],
            populations=tuple(tuple(population) for population in tree["populations"]),
            payoffs=PayoffTable(tree["mean"], tree["variance"], tree["count"]),
            meta=MetaSolution(
                tuple(tree["strategies"]),
                tree["device"],
                tuple(
                    tuple(MetaSolution(tuple(target["strategies"]), target["device"]) for target in targets)
                    for targets in tree["targets"]
                ),
                tree["residual"],
            ),
            episodes=tree["episodes"],
            entropy=tree["entropy"],
        )

    def artefacts(self, state: PSROState) -> dict[str, Any]:
        """The empirical game, as `meta_game`."""
        mean = state.payoffs.mean
        return {
            "meta_game": {
                "payoffs": np.where(np.isnan(mean), np.array(None), mean.astype(object)).tolist(),
                "meta_strategies": [strategy.tolist() for strategy in state.meta.strategies],
                "labels": [
                    [f"{record['kind']} {k}" for k, record in enumerate(population)] for population in state.populations
                ],
            }
        }


def build(game: Game, config: PSROConfig, executor: Executor) -> PSRO:
    """The learner of a run."""
    return PSRO(game, config, executor)


LEARNER = LearnerSpec(id="psro", config=PSROConfig, build=build, source="Lanctot et al. (2017), NeurIPS, algorithm 1")
