"""Tabular learners from play as learners of a run."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import eqenvs
from eqagents.configuration import by_id
from eqagents.learners import find_learner
from eqagents.learners.tabular_experience import Experience, ExperienceConfig
from eqagents.training.checkpoint import load_checkpoint, save_checkpoint
from eqagents.training.config import parse_config
from eqagents.training.run import evaluate, resume, train
from eqenvs.errors import InputError, UnsupportedGame
from eqenvs.policies import MarkovCorrelatedPolicy, TabularPolicy
from eqsolvers.scoring import score, score_by_simulation

if TYPE_CHECKING:
    from pathlib import Path

GAME = eqenvs.make("random_markov_game", num_states=3, horizon=3, discount=1.0, zero_sum=True, seed=2)


def make(method: str = "independent-q", game: Any = GAME, **fields: Any) -> Experience:
    given = {"id": "tabular_experience", "method": method, "iterations_per_step": 10, "num_envs": 4, **fields}
    found = by_id(given, find_learner, "learner")
    assert isinstance(found, ExperienceConfig)
    return Experience(game, found)


@pytest.mark.parametrize("method", ["nash-q", "v-learning", "optimistic-nash-vi", "independent-policy-gradient"])
def test_a_stored_run_goes_on_to_the_same_policy(method: str, tmp_path: Path) -> None:
    whole, other = make(method), make(method)
    state = whole.init(np.random.SeedSequence(3))
    for step in range(4):
        state, metrics = whole.step(state)
        if step == 1:
            save_checkpoint(tmp_path, 2, whole.to_tree(state), keep=1)
    assert metrics["samples/steps"] == 160
    stored = other.from_tree(load_checkpoint(tmp_path)[1])
    assert other.iteration(stored) == 2
    for _ in range(2):
        stored, _ = other.step(stored)
    mine, theirs = whole.average_policy(state), other.average_policy(stored)
    for attribute in ("tables", "distributions"):
        if hasattr(mine, attribute):
            assert np.array_equal(np.concatenate(getattr(mine, attribute)), np.concatenate(getattr(theirs, attribute)))
    assert whole.measures(state) == other.measures(stored)


def test_states_that_were_not_met_are_counted_and_played_uniformly() -> None:
    learner = make(num_envs=1, iterations_per_step=1)
    state = learner.init(np.random.SeedSequence(0))
    policy = learner.average_policy(state)
    assert isinstance(policy, TabularPolicy)
    assert learner.measures(state) == {"met": 1.0, "unmet": 8.0}
    assert (policy.tables[0] == 0.5).all(axis=1).sum() == 8
    assert isinstance(make("ce-q").average_policy(make("ce-q").init(np.random.SeedSequence(0))), MarkovCorrelatedPolicy)


def test_a_game_without_a_model_is_learned_and_scored_from_play() -> None:
    fishery = eqenvs.make("fishery_commons")
    bounds = {"least_reward": 0, "most_reward": 100}
    learner = make("v-learning", fishery, num_envs=16, iterations_per_step=24, **bounds)
    state, _ = learner.step(learner.init(np.random.SeedSequence(0)))

    class Nobody(SimpleNamespace):
        def __call__(self, game: Any, player: int, policy: Any, seed: Any) -> Any:
            return policy

    found = score_by_simulation(fishery, learner.average_policy(state), [Nobody(id="nobody", budget=0)], episodes=30)
    assert found.kind == "lower_bound"
    assert found.values.sum() <= 650
    assert learner.measures(state)["met"] > 3


def test_a_run_is_trained_resumed_and_evaluated(tmp_path: Path) -> None:
    config = parse_config(
        {
            "game": {"id": "random_markov_game", "parameters": {"num_states": 2, "horizon": 2, "zero_sum": True}},
            "learner": {"id": "tabular_experience", "method": "nash-q", "iterations_per_step": 40, "num_envs": 2},
            "iterations": 3,
            "checkpoint": {"every": 1},
        }
    )
    run = train(config, tmp_path / "run")
    whole = evaluate(run.path)
    assert whole.kind == "exact"
    assert whole.detail["measures"]["met"] <= 4
    again = resume(run.path, step=2)
    assert evaluate(again.path).nash_conv == whole.nash_conv


def test_a_run_is_scored_exactly_where_there_is_a_model() -> None:
    learner = make("nash-q", iterations_per_step=300)
    state = learner.init(np.random.SeedSequence(0))
    before = score(GAME, learner.average_policy(state)).nash_conv
    state, _ = learner.step(state)
    assert score(GAME, learner.average_policy(state)).nash_conv < before / 10
    assert learner.measures(state)["unmet"] == 2.0  # two states can only be reached after the first step


def test_bad_configurations_are_said_in_one_line() -> None:
    for fields, what in (
        ({"method": "natural-policy-gradient"}, "cannot learn from an environment"),
        ({"method": "nash"}, "nash-q"),
        ({"settings": {"rat": 1}}, "rate"),
        ({"method": "v-learning", "concept": "nash"}, "concept"),
        ({"least_reward": 1}, "together"),
    ):
        with pytest.raises(InputError, match=what):
            make(**fields)
    with pytest.raises(UnsupportedGame, match="Markov"):
        make(game=eqenvs.make("kuhn_poker"))
