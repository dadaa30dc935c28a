"""Pipeline PSRO: levels train at once against those below, freeze in turn, and give the same bits anywhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import eqenvs
from eqagents.configuration import validate
from eqagents.distributed import Executor, InlineExecutor
from eqagents.learners.psro.psro import PipelinePSRO, PSROConfig, build
from eqagents.training.checkpoint import load_checkpoint, save_checkpoint
from eqagents.training.config import RunConfig
from eqagents.training.run import train
from eqagents.training.trees import packed
from eqenvs.errors import InputError
from eqsolvers.scoring import score

if TYPE_CHECKING:
    from pathlib import Path

SEED = 5
LEARNED = {
    "id": "policy_gradient",
    "updates": 3,
    "num_envs": 16,
    "steps": 8,
    "hidden": [8],
    "value_episodes": 16,
    "warm_start": True,
}


def learner_of(executor: Executor, **fields: Any) -> PipelinePSRO:
    config = PSROConfig.model_validate({"id": "psro", "oracle": {"id": "exact"}, "pipeline": {"levels": 2}, **fields})
    learner: Any = build(eqenvs.make("kuhn_poker"), config, executor)
    return learner


def test_levels_freeze_in_turn_and_reach_equilibrium() -> None:
    learner, game = learner_of(InlineExecutor(SEED)), eqenvs.make("kuhn_poker")
    state = learner.init(np.random.SeedSequence(SEED))
    froze = []
    for _ in range(24):
        before = state.restricted
        state, metrics = learner.step(state)
        inner = state.restricted
        froze.append(metrics["pipeline/froze"])
        assert inner.frozen == before.frozen + metrics["pipeline/froze"]
        assert all(len(own) == inner.frozen + 2 for own in inner.policies.populations)
        frozen = [[own[k] for k in range(before.frozen)] for own in before.policies.populations]
        assert all(
            record is inner.policies.populations[p][k] for p, own in enumerate(frozen) for k, record in enumerate(own)
        )
        assert inner.policies.payoffs.missing() == []
        assert [len(target.strategies[0]) for target in inner.targets] == [inner.frozen, inner.frozen + 1]
    assert 0 < sum(froze) < 24  # an exact response stands after a round, and is frozen after the next
    assert score(game, learner.average_policy(state)).nash_conv == pytest.approx(0, abs=1e-9)


def test_payoffs_of_active_policies_are_found_anew() -> None:
    learner = learner_of(InlineExecutor(SEED), oracle=LEARNED)
    state = learner.init(np.random.SeedSequence(SEED))
    state, _ = learner.step(state)
    state, _ = learner.step(state)
    inner, game = state.restricted.policies, eqenvs.make("kuhn_poker")
    members = learner._restricted._policies._members.members(inner.populations, 0)  # type: ignore[attr-defined]
    for row, column in np.ndindex(*inner.payoffs.count.shape):
        tables = [members[0][row].table, members[1][column].table]
        expected = score(game, eqenvs.policies.TabularPolicy(game, tables)).values
        np.testing.assert_allclose(inner.payoffs.mean[:, row, column], expected, atol=1e-12)


def test_resumed_run_is_the_uninterrupted_one(tmp_path: Path) -> None:
    learner = learner_of(InlineExecutor(SEED), oracle=LEARNED)
    state = learner.init(np.random.SeedSequence(SEED))
    for _ in range(2):
        state, _ = learner.step(state)
    save_checkpoint(tmp_path, 2, learner.to_tree(state))
    again = learner_of(InlineExecutor(SEED), oracle=LEARNED)
    resumed = again.from_tree(load_checkpoint(tmp_path)[1])
    for _ in range(2):
        (state, _), (resumed, _) = learner.step(state), again.step(resumed)
    assert packed(again.to_tree(resumed)) == packed(learner.to_tree(state))


def test_run_writes_down_what_each_filling_found(tmp_path: Path) -> None:
    config = {
        "game": {"id": "kuhn_poker"},
        "learner": {"id": "psro", "oracle": {"id": "exact"}, "pipeline": {"levels": 2}},
        "iterations": 6,
        "checkpoint": {"every": 6},
    }
    run = train(validate(RunConfig, config), tmp_path / "run")
    _, tree = load_checkpoint(run.checkpoints)
    learner = learner_of(InlineExecutor(0))
    state = learner.init(np.random.SeedSequence(0))
    for _ in range(6):
        state, _ = learner.step(state)
    assert state.restricted.frozen > 1
    assert packed(tree["state"]) == packed(learner.to_tree(state))


@pytest.mark.ray
def test_results_are_the_same_inline_and_on_two_workers(here_and_spread: tuple[Executor, Executor]) -> None:
    found = []
    for executor in here_and_spread:
        learner = learner_of(executor, oracle=LEARNED, payoffs={"method": "simulated", "episodes": 40})
        state = learner.init(np.random.SeedSequence(SEED))
        for _ in range(3):
            state, _ = learner.step(state)
        found.append(packed(learner.to_tree(state)))
    assert found[0] == found[1]


@pytest.mark.parametrize(
    ("fields", "what"),
    [
        ({"least_gain": 0.0}, "pipeline: least_gain says what joins"),
        ({"symmetric": True}, "pipeline: symmetric says"),
        ({"meta_solver": "online"}, "'online' learns from one iteration"),
        ({"meta_solver": "anytime"}, "'anytime' learns from one iteration"),
        ({"oracle": {"id": "self_play"}}, "'self_play' responds for a whole population"),
        ({"oracle": {**LEARNED, "warm_start": False}}, r"set learner\.oracle\.warm_start to true"),
    ],
)
def test_settings_that_do_not_go_together_are_refused(fields: dict[str, Any], what: str) -> None:
    with pytest.raises(InputError, match=what):
        learner_of(InlineExecutor(SEED), **fields)


def test_meta_solvers_with_targets_of_their_own_are_refused_before_the_first_round() -> None:
    with pytest.raises(InputError, match="'max_gini_ce' has targets of its own"):
        learner_of(InlineExecutor(SEED), meta_solver="max_gini_ce").init(np.random.SeedSequence(SEED))
