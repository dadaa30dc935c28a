"""A master policy by deep mirror descent: a function of the distribution too, trained over many initial populations.

Perrin, Lauriere, Perolat, Elie, Geist and Pietquin (2022), "Generalization in mean field games by learning master
policies", AAAI, with the mirror descent of Wu, Lauriere, Chua, Geist, Pietquin and Mehta (2024), "Population-aware
online mirror descent for mean-field games by deep reinforcement learning", arXiv 2403.03552, in place of fictitious
play: the Munchausen values of `deep_omd` with the empirical distribution as an input, so that one network answers to
wherever the population stands.

Every simulated population begins at a distribution of its own; `replay` keeps the play of the last iterations, so that
what was learnt about some distributions is not lost to the next. What is scored is the policy along the flow that it
generates from the game's own initial distributions; `measures` has the same for distributions that were drawn once and
are never trained on (`held_out_*`), by the exact scorer, and for uniformly random play beside it.

Differences from the papers: the mean field is the empirical one of N agents; the distribution enters as it is, without
layers of its own; the replay is of whole iterations.

Cost: as `deep_omd`, with forward passes over all states at every step of play.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from pydantic import Field

from eqagents.distributed import Executor, run_ordered
from eqagents.learners import LearnerSpec
from eqagents.learners.mean_field._mirror import table_of
from eqagents.learners.mean_field._starts import StartsConfig, draw_starts, starting_from
from eqagents.learners.mean_field.deep_omd import DeepOMD, MirrorConfig, MirrorState
from eqagents.policies import PolicyRecord
from eqenvs.arrays import Float64Array
from eqenvs.errors import InputError
from eqenvs.game import Game
from eqenvs.models.mean_field import MeanFieldModel
from eqenvs.policies import TabularPolicy, uniform
from eqsolvers.scoring import score

HELD_OUT = 4  # the phase in the tasks' keys after those of `deep_omd`


class MasterOMDConfig(MirrorConfig):
    """Settings of the learner `master_omd`."""

    id: Literal["master_omd"] = "master_omd"
    replay: int = Field(default=4, ge=1, description="iterations whose play is learnt from; 1: the present one only")
    starts: StartsConfig = StartsConfig()
    held_out: int = Field(default=8, ge=0, description="initial populations to be tried on and never trained on")


@dataclass(frozen=True)
class MasterState(MirrorState):
    """See `MirrorState`.

    Attributes:
        held_out: [H, P, S].
    """

    held_out: Float64Array


def held_out(
    seed: np.random.SeedSequence, *, game: Game, records: Sequence[PolicyRecord], initial: Float64Array
) -> tuple[float, float]:
    """Task: NashConv from one initial population of the master policy, and of uniformly random play."""
    model = game.model()
    assert isinstance(model, MeanFieldModel)  # by the learner
    moved = starting_from(model, initial)
    policy = TabularPolicy(moved, moved.as_tables(table_of(moved, records, True)))
    return score(moved, policy).nash_conv, score(moved, uniform(moved)).nash_conv


class MasterOMD(DeepOMD):
    """See the module."""

    def __init__(self, game: Game, config: MasterOMDConfig, executor: Executor) -> None:
        super().__init__(game, config, executor)
        if not self.rules.sees_distribution:
            raise InputError(
                f"{config.id}: needs agents who see the distribution; set the game's sees_distribution=true"
            )
        self._master = config
        self.starts = config.starts

    def init(self, seed: np.random.SeedSequence) -> MasterState:
        """Networks that play nearly at random, and the initial populations to be tried on."""
        (own,) = seed.spawn(1)
        elsewhere = self._master.starts.model_copy(update={"own": 0.0})
        drawn = draw_starts(self.model, elsewhere, self._master.held_out, np.random.default_rng(own))
        return MasterState(**vars(super().init(seed)), held_out=drawn)

    def step(self, state: MirrorState) -> tuple[MasterState, dict[str, float]]:
        """Play, and fit."""
        after, metrics = super().step(state)
        return MasterState(**vars(after), held_out=_held_out_of(state)), metrics

    def measures(self, state: MirrorState) -> dict[str, float]:
        """NashConv from the held-out populations: its mean, the largest, and the mean of uniformly random play."""
        drawn = _held_out_of(state)
        if not len(drawn):
            return {}
        tasks = [
            self._task(
                (state.iteration, HELD_OUT, k),
                "held_out",
                module=__name__,
                records=list(state.records),
                initial=initial,
            )
            for k, initial in enumerate(drawn)
        ]
        found = np.array(run_ordered(self._executor, tasks))
        return {
            "held_out_nash_conv": float(found[:, 0].mean()),
            "held_out_nash_conv_most": float(found[:, 0].max()),
            "held_out_nash_conv_of_uniform": float(found[:, 1].mean()),
        }

    def to_tree(self, state: MirrorState) -> dict[str, Any]:
        """See `Learner`."""
        return {**super().to_tree(state), "held_out": _held_out_of(state)}

    def from_tree(self, tree: dict[str, Any]) -> MasterState:
        """See `Learner`."""
        return MasterState(**vars(super().from_tree(tree)), held_out=tree["held_out"])


def _held_out_of(state: MirrorState) -> Float64Array:
    assert isinstance(state, MasterState)
    return state.held_out


def build(game: Game, config: MasterOMDConfig, executor: Executor) -> MasterOMD:
    """The learner of a run."""
    return MasterOMD(game, config, executor)


LEARNER = LearnerSpec(
    id="master_omd",
    config=MasterOMDConfig,
    build=build,
    source="Perrin et al. (2022), AAAI; Wu et al. (2024), arXiv 2403.03552",
)
