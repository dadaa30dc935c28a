"""Pipeline PSRO: levels train at once against those below, freeze in turn, and give the same bits anywhere."""

from __future__ import annotations

import json
import sqlite3
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import eqenvs
from eqagents.bench._virtual import Tape, VirtualWorkers
from eqagents.configuration import validate
from eqagents.distributed import Executor, InlineExecutor, Task
from eqagents.learners.psro._responses import ORACLE_PHASE
from eqagents.learners.psro.psro import PipelinePSRO, PSROConfig, build
from eqagents.training.checkpoint import load_checkpoint, save_checkpoint
from eqagents.training.config import RunConfig
from eqagents.training.progress import Progress
from eqagents.training.run import resume, train
from eqagents.training.trees import packed, unpacked
from eqenvs.errors import InputError
from eqenvs.game import Game
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


def learner_of(executor: Executor, game: Game | None = None, **fields: Any) -> PipelinePSRO:
    config = PSROConfig.model_validate({"id": "psro", "oracle": {"id": "exact"}, "pipeline": {"levels": 2}, **fields})
    learner: Any = build(game or eqenvs.make("kuhn_poker"), config, executor)
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
        # A level that begins is among them after its first round.
        assert all(len(own) == inner.frozen + 2 - metrics["pipeline/froze"] for own in inner.policies.populations)
        frozen = [[own[k] for k in range(before.frozen)] for own in before.policies.populations]
        assert all(
            record is inner.policies.populations[p][k] for p, own in enumerate(frozen) for k, record in enumerate(own)
        )
        assert inner.policies.payoffs.missing() == []
    assert 0 < sum(froze) < 24  # an exact response stands after a round, and is frozen after the next
    assert score(game, learner.average_policy(state)).nash_conv == pytest.approx(0, abs=1e-9)


def test_payoffs_of_active_policies_are_found_anew() -> None:
    learner = learner_of(InlineExecutor(SEED), oracle=LEARNED)
    state = learner.init(np.random.SeedSequence(SEED))
    state, _ = learner.step(state)
    state, _ = learner.step(state)
    inner, game = state.restricted.policies, eqenvs.make("kuhn_poker")
    members = learner._restricted._policies.members.members(inner.populations)  # type: ignore[attr-defined]
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


@pytest.mark.parametrize(
    ("oracle", "meta_solver", "num_players"),
    [({"id": "exact"}, "nash", 2), (LEARNED, "nash", 2), ({"id": "exact"}, "max_gini_cce", 3)],
)
@pytest.mark.slow
def test_how_far_levels_are_ahead_changes_no_bit(oracle: dict[str, Any], meta_solver: str, num_players: int) -> None:
    """Workers that are not there begin what is ahead; in this process nothing is. A resumed run begins it anew."""
    game = eqenvs.make("kuhn_poker", num_players=num_players)
    found = []
    for ahead, workers, resumed in ((0, 1, None), (1, 3, None), (4, 20, None), (2, 20, 5), (2, 20, 7)):
        with VirtualWorkers(workers, 0.0, Tape(), SEED) as executor:
            fields = {"oracle": oracle, "meta_solver": meta_solver, "pipeline": {"levels": 3, "ahead": ahead}}
            learner = learner_of(executor, game, **fields)
            state = learner.init(np.random.SeedSequence(SEED))
            for iteration in range(8):
                if iteration == resumed:
                    learner = learner_of(executor, game, **fields)
                    state = learner.from_tree(unpacked(*packed(learner.to_tree(state))))
                state, _ = learner.step(state)
        found.append(packed(learner.to_tree(state)))
    assert all(each == found[0] for each in found)


def test_levels_do_not_wait_for_those_above_them() -> None:
    """The highest level's oracles take a day and the others' a second: these go on to the rounds they may begin."""
    tape = Slow()
    for ahead in (0, 2):
        with VirtualWorkers(20, 0.0, tape, SEED) as executor:
            learner = learner_of(executor, pipeline={"levels": 3, "ahead": ahead, "least_improvement": 0.0})
            learner.step(learner.init(np.random.SeedSequence(SEED)))
            assert executor.now == pytest.approx(DAY, rel=0.01)
            oracles = {(key[0], key[3]) for key in executor.seconds if key[1] == ORACLE_PHASE}
            # (round, level): the higher ones of the second round need the highest of the first, which is just done.
            assert oracles == {(0, 0), (0, 1), (0, 2)} | {(r, level) for r in range(1, ahead + 1) for level in (0, 1)}


DAY = 86400.0


class Slow(Tape):
    """Tasks whose seconds are given."""

    def of(self, task: Task, executor: Executor) -> tuple[Any, float]:
        result, _ = super().of(task, executor)
        return result, DAY if task.key[1] == ORACLE_PHASE and task.key[3] == 2 else 1.0


@pytest.mark.ray
@pytest.mark.usefixtures("ray_cluster")
@pytest.mark.slow
def test_run_that_died_while_levels_were_ahead_ends_as_if_it_had_not(tmp_path: Path) -> None:
    """What workers had begun of later rounds is begun again, or taken from the journal."""
    config = {
        "game": {"id": "kuhn_poker"},
        "learner": {
            "id": "psro",
            "oracle": LEARNED,
            "payoffs": {"method": "simulated", "episodes": 40},
            "pipeline": {"levels": 3, "ahead": 2},
        },
        "iterations": 5,
        "seed": SEED,
        "checkpoint": {"every": 3},
    }
    whole = train(validate(RunConfig, config), tmp_path / "whole")

    def die(progress: Progress) -> None:
        if progress.iteration == 4:
            raise Died

    spread = validate(RunConfig, {**config, "executor": {"workers": 2}})
    with pytest.raises(Died):
        train(spread, tmp_path / "died", die)
    kept = sqlite3.connect(tmp_path / "died" / "journal.sqlite").execute("SELECT task FROM results").fetchall()
    iterations = {json.loads(task)[1] for (task,) in kept}
    assert 4 in iterations  # payoffs of the iteration that no checkpoint has
    resume(tmp_path / "died")
    trees = [load_checkpoint(run / "checkpoints")[1]["state"] for run in (whole.path, tmp_path / "died")]
    assert packed(trees[0]) == packed(trees[1])


class Died(Exception):  # noqa: N818
    pass


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
