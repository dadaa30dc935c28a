"""What every learner of mean-field games keeps to: pure steps, seeds, resumption, and workers that change no bit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import eqenvs
from eqagents.configuration import validate
from eqagents.distributed import Executor, InlineExecutor
from eqagents.learners import Learner, find_learner
from eqagents.training.checkpoint import load_checkpoint, save_checkpoint
from eqsolvers.scoring import score

if TYPE_CHECKING:
    from pathlib import Path

SEED = 11
SAMPLING = {"tasks": 2, "episodes": 2}
RESTING = {**SAMPLING, "steps": 10, "settle": 10}
TRAINING = {"hidden": [8], "updates": 6, "batch": 16, "refresh": 3}
FIT = {"sampling": SAMPLING, "training": TRAINING}
ORACLE = {"rounds": 2, "sampling": {"episodes": 1, "representatives": 10}, "training": TRAINING}
GRADIENT = {"sampling": {"episodes": 1, "representatives": 10}, "training": {"hidden": [8], "updates": 3}}
SIS = {"id": "sis", "horizon": 3, "num_agents": 12}
THREE = {"id": "predator_prey", "horizon": 2, "num_agents": 12}
NOISE = {"id": "krusell_smith", "quarters": 2, "points": 13, "num_agents": 12}
REST = {"id": "contraction_game", "num_agents": 12}
CASES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "deep_omd": (SIS, {"id": "deep_omd", **FIT, "replay": 2}),
    "deep_omd, three populations": (THREE, {"id": "deep_omd", **FIT}),
    "deep_omd, no horizon": (REST, {"id": "deep_omd", **FIT, "sampling": RESTING}),
    "deep_omd, explorers, torch": (
        SIS,
        {"id": "deep_omd", "training": TRAINING, "sampling": {**SAMPLING, "representatives": 5, "library": "torch"}},
    ),
    "deep_omd, illegal actions": ({"id": "rumour", "horizon": 3, "num_agents": 12}, {"id": "deep_omd", **FIT}),
    "deep_omd, common noise": (
        {"id": "krusell_smith", "quarters": 2, "points": 13, "num_agents": 12},
        {"id": "deep_omd", **FIT},
    ),
    "master_omd": ({**SIS, "sees_distribution": True}, {"id": "master_omd", **FIT, "held_out": 2}),
    "master_omd, no horizon": (
        {**REST, "sees_distribution": True},
        {"id": "master_omd", **FIT, "sampling": RESTING, "held_out": 1},
    ),
    "deep_fictitious_play": (
        SIS,
        {"id": "deep_fictitious_play", **FIT, "reservoir": 100, "oracle": {"id": "mean_field_q", **ORACLE}},
    ),
    "deep_fictitious_play, three populations": (
        THREE,
        {"id": "deep_fictitious_play", **FIT, "oracle": {"id": "mean_field_policy_gradient", **GRADIENT}},
    ),
    "mean_field_psro": (SIS, {"id": "mean_field_psro", "oracle": {"id": "mean_field_q", **ORACLE}}),
    "mean_field_psro, cce": (
        {"id": "crowd_1d", "size": 4, "horizon": 2},
        {"id": "mean_field_psro", "meta": {"concept": "cce", "rounds": 5}},
    ),
    "mean_field_q_learning": (THREE, {"id": "mean_field_q_learning", "sampling": SAMPLING}),
    "mean_field_actor_critic": (REST, {"id": "mean_field_actor_critic", "sampling": RESTING}),
    "side_by_side": (
        SIS,
        {
            "id": "side_by_side",
            "learner": {"id": "deep_omd", **FIT},
            "seeds": 2,
            "vary": "num_agents",
            "values": [5, 12],
        },
    ),
}


def leaves(tree: Any, path: str = "") -> dict[str, Any]:
    """What is at the ends of a tree; arrays as dtype, shape and bytes."""
    if isinstance(tree, dict):
        return {k: v for key, value in tree.items() for k, v in leaves(value, f"{path}/{key}").items()}
    if isinstance(tree, list | tuple):
        return {k: v for i, value in enumerate(tree) for k, v in leaves(value, f"{path}/{i}").items()}
    return {path: (tree.dtype.str, tree.shape, tree.tobytes()) if isinstance(tree, np.ndarray) else tree}


def learner_of(case: str, executor: Executor) -> tuple[eqenvs.Game, Learner[Any]]:
    parameters, settings = CASES[case]
    spec = find_learner(settings["id"])
    game = eqenvs.make(parameters["id"], **{k: v for k, v in parameters.items() if k != "id"})
    return game, spec.build(game, validate(spec.config, settings), executor)


def run(case: str, executor: Executor, steps: int = 3, seed: int = SEED) -> dict[str, Any]:
    _, learner = learner_of(case, executor)
    state = learner.init(np.random.SeedSequence(seed))
    for _ in range(steps):
        state, _ = learner.step(state)
    return leaves(learner.to_tree(state))


@pytest.mark.parametrize("case", CASES)
def test_a_step_is_pure_a_seed_decides_and_a_resumed_run_is_the_uninterrupted_one(case: str, tmp_path: Path) -> None:
    game, learner = learner_of(case, InlineExecutor(SEED))
    state = learner.init(np.random.SeedSequence(SEED))
    state, metrics = learner.step(state)
    assert all(np.isfinite(value) for value in metrics.values())
    before = leaves(learner.to_tree(state))
    save_checkpoint(tmp_path, 1, learner.to_tree(state))
    for _ in range(2):
        state, _ = learner.step(state)
    _, again = learner_of(case, InlineExecutor(SEED))
    resumed = again.from_tree(load_checkpoint(tmp_path)[1])
    assert leaves(again.to_tree(resumed)) == before
    assert again.iteration(resumed) == 1
    for _ in range(2):
        resumed, _ = again.step(resumed)
    assert leaves(again.to_tree(resumed)) == leaves(learner.to_tree(state))
    assert learner.iteration(state) == 3
    policies = [each.average_policy(at) for each, at in ((learner, state), (again, resumed))]
    scores = [score(game, policy).nash_conv for policy in policies]
    assert scores[0] == scores[1] >= 0
    assert learner.measures(state) == again.measures(resumed)


FIRST = {settings["id"]: case for case, (_, settings) in reversed(CASES.items())}  # the first case of each learner


@pytest.mark.parametrize("case", FIRST.values())
def test_another_seed_gives_another_run(case: str) -> None:
    assert run(case, InlineExecutor(SEED), 1) != run(case, InlineExecutor(SEED + 1), 1, SEED + 1)


@pytest.mark.ray
@pytest.mark.slow
def test_workers_change_no_bit(here_and_spread: tuple[Executor, Executor]) -> None:
    here, spread = here_and_spread
    for case in FIRST.values():
        assert run(case, spread, 2) == run(case, here, 2), case
