"""One method from many seeds or on many games: each replica is what it would be alone, on any executor."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import eqenvs
from eqagents.configuration import by_id
from eqagents.distributed import Executor, InlineExecutor
from eqagents.learners import find_learner
from eqagents.learners.replicas import Replicas, ReplicasConfig, ReplicasState
from eqagents.training.checkpoint import load_checkpoint, save_checkpoint
from eqenvs.errors import InputError
from eqsolvers.result import find_solver
from eqsolvers.scoring import score

SEED = 3


def config(**fields: Any) -> ReplicasConfig:
    found = by_id(
        {"id": "replicas", "method": "es-mccfr", "count": 3, "iterations_per_step": 20, **fields},
        find_learner,
        "learner",
    )
    assert isinstance(found, ReplicasConfig)
    return found


def iterate(learner: Replicas, state: ReplicasState, steps: int) -> ReplicasState:
    for _ in range(steps):
        state, _ = learner.step(state)
    return state


def run(executor: Executor, steps: int, **fields: Any) -> ReplicasState:
    learner = Replicas(eqenvs.make("kuhn_poker"), config(**fields), executor)
    return iterate(learner, learner.init(np.random.SeedSequence(SEED)), steps)


def test_a_replica_is_the_method_alone() -> None:
    game = eqenvs.make("kuhn_poker")
    learner = Replicas(game, config(), InlineExecutor(SEED))
    state = iterate(learner, learner.init(np.random.SeedSequence(SEED)), 2)
    spec = find_solver(eqenvs.Family.EXTENSIVE_FORM, "nash", "es-mccfr")
    assert spec.start is not None
    for seed, residuals in zip(state.seeds, state.residuals.T, strict=True):
        alone = spec.start(game.model(), seed=seed)
        for residual in residuals:
            alone.run(20)
            assert alone.residual() == residual
    assert len(set(state.residuals[1].tolist())) == 3
    assert score(game, learner.average_policy(state)).nash_conv == pytest.approx(state.residuals[1, 0], abs=1e-12)
    artefact = learner.artefacts(state)["replicas"]
    assert artefact["iterations"] == [20, 40]
    assert np.shape(artefact["residuals"]) == (3, 2)


def test_metrics_are_of_all_replicas() -> None:
    learner = Replicas(eqenvs.make("kuhn_poker"), config(), InlineExecutor(SEED))
    state, metrics = learner.step(learner.init(np.random.SeedSequence(SEED)))
    assert metrics["replicas/residual_mean"] == pytest.approx(state.residuals[0].mean())
    assert metrics["replicas/residual_deviation"] == pytest.approx(state.residuals[0].std(ddof=1))
    assert metrics["replicas/residual_least"] < metrics["replicas/residual_most"]


def test_games_that_vary_are_solved_each_by_itself() -> None:
    game = eqenvs.make("random_normal_form", seed=5)
    learner = Replicas(game, config(method="rm+", vary="seed"), InlineExecutor(SEED))
    state = iterate(learner, learner.init(np.random.SeedSequence(SEED)), 1)
    spec = find_solver(eqenvs.Family.NORMAL_FORM, "nash", "rm+")
    assert spec.start is not None
    for offset in range(3):
        alone = spec.start(eqenvs.make("random_normal_form", seed=5 + offset).model())
        alone.run(20)
        assert alone.residual() == state.residuals[0, offset]


def test_a_checkpoint_goes_on_to_the_bit(tmp_path: Any) -> None:
    game = eqenvs.make("kuhn_poker")
    learner, again = (Replicas(game, config(), InlineExecutor(SEED)) for _ in range(2))
    state = iterate(learner, learner.init(np.random.SeedSequence(SEED)), 1)
    save_checkpoint(tmp_path, 1, learner.to_tree(state))
    whole, resumed = iterate(learner, state, 2), iterate(again, again.from_tree(load_checkpoint(tmp_path)[1]), 2)
    np.testing.assert_array_equal(whole.residuals, resumed.residuals)


@pytest.mark.ray
def test_workers_change_no_bit(here_and_spread: tuple[Executor, Executor]) -> None:
    inline, spread = (run(executor, 2) for executor in here_and_spread)
    np.testing.assert_array_equal(inline.residuals, spread.residuals)
    assert inline.seeds == spread.seeds


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"method": "cfr"}, r"learner.count: 'cfr' has no randomness, so 3 replicas of one game would be the same"),
        ({"concept": "cce", "method": "cfr"}, r"unknown concept of cfr 'cce'"),
        ({"method": "es-mccf"}, r"unknown iterative method 'es-mccf'; did you mean 'es-mccfr'"),
    ],
)
def test_bad_configuration_is_refused_in_one_line(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        config(**fields)


def test_a_game_must_have_what_is_to_vary() -> None:
    with pytest.raises(InputError, match=r"unknown integer parameter of kuhn_poker 'seed'"):
        Replicas(eqenvs.make("kuhn_poker"), config(vary="seed"), InlineExecutor(SEED))


def test_the_concept_chooses_what_is_judged() -> None:
    game = eqenvs.make("random_normal_form", num_players=3)
    fields = {"method": "hedge", "vary": "seed", "concept": "cce"}
    learner = Replicas(game, config(**fields), InlineExecutor(SEED))
    state = iterate(learner, learner.init(np.random.SeedSequence(SEED)), 1)
    assert score(game, learner.average_policy(state)).cce_gap == pytest.approx(state.residuals[0, 0])
