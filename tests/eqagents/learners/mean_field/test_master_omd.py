"""The master policy: where populations begin, and that it answers to those it was never trained on."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import eqenvs
from eqagents.configuration import validate
from eqagents.distributed import InlineExecutor
from eqagents.learners import find_learner
from eqagents.learners.mean_field._starts import StartsConfig, draw_starts, starting_from
from eqenvs.errors import InputError
from eqenvs.models.mean_field import MeanFieldModel
from eqenvs.policies import TabularPolicy, uniform
from eqsolvers.mean_field._dynamics import Dynamics
from eqsolvers.scoring import score

TRAINING = {"hidden": [32, 32], "updates": 100, "batch": 128}


def model_of(name: str, **parameters: Any) -> MeanFieldModel:
    model = eqenvs.make(name, **parameters).model()
    assert isinstance(model, MeanFieldModel)
    return model


def test_populations_begin_all_over_the_simplex_and_now_and_then_as_the_game_has_it() -> None:
    model, rng = model_of("predator_prey"), np.random.default_rng(0)
    drawn = draw_starts(model, StartsConfig(own=0.5), 400, rng)
    np.testing.assert_allclose(drawn.sum(axis=-1), 1)
    assert drawn.shape == (400, *model.initial.shape)
    own = (drawn == model.initial).all(axis=(1, 2))
    assert 150 < own.sum() < 250
    mean = draw_starts(model, StartsConfig(own=0.0), 4000, rng).mean(axis=0)
    np.testing.assert_allclose(mean, 1 / model.num_states, atol=5 / model.num_states / np.sqrt(4000))
    inside = draw_starts(model, StartsConfig(own=0.0, everywhere=False), 10, rng)
    assert (inside[:, model.initial == 0] == 0).all()


@pytest.mark.parametrize("name", ["sis", "rumour_graphon", "krusell_smith", "predator_prey", "contraction_game"])
def test_a_game_that_begins_elsewhere_is_otherwise_the_same(name: str) -> None:
    model = model_of(name)
    rng = np.random.default_rng(0)
    moved = starting_from(model, rng.dirichlet(np.ones(model.num_states), size=model.num_populations))
    there, back = Dynamics(moved), starting_from(moved, model.initial)
    policy = there.uniform()
    flow = there.flow(policy)
    if model.horizon is not None:
        np.testing.assert_array_equal(flow[0], moved.initial)
    np.testing.assert_array_equal(Dynamics(back).flow(policy), Dynamics(model).flow(policy))
    assert score(back, uniform(back)).nash_conv == score(model, uniform(model)).nash_conv


def learner_of(game: eqenvs.Game, learner_id: str, **settings: Any) -> Any:
    spec = find_learner(learner_id)
    return spec.build(game, validate(spec.config, {"id": learner_id, **settings}), InlineExecutor(0))


def trained(game: eqenvs.Game, learner_id: str, iterations: int, **settings: Any) -> tuple[Any, Any]:
    learner = learner_of(game, learner_id, **settings)
    state = learner.init(np.random.SeedSequence(0))
    for _ in range(iterations):
        state, _ = learner.step(state)
    return learner, state


@pytest.mark.slow
def test_it_answers_to_initial_populations_that_it_never_saw() -> None:
    parameters = {"size": 5, "horizon": 5, "num_agents": 300}
    game = eqenvs.make("crowd_1d", **parameters, sees_distribution=True)
    learner, state = trained(game, "master_omd", 10, training=TRAINING, replay=3)
    found = learner.measures(state)
    assert found["held_out_nash_conv"] < 0.35 * found["held_out_nash_conv_of_uniform"]
    assert found["held_out_nash_conv"] <= found["held_out_nash_conv_most"]
    assert score(game, learner.average_policy(state)).nash_conv < 0.35 * score(game, uniform(game)).nash_conv
    # A policy that was trained from the game's own initial distribution, and does not see where the population stands.
    blind, done = trained(eqenvs.make("crowd_1d", **parameters), "deep_omd", 10, training=TRAINING)
    table = blind.average_policy(done).tables
    moved = [starting_from(learner.model, initial) for initial in state.held_out]
    elsewhere = np.mean([score(model, TabularPolicy(model, table)).nash_conv for model in moved])
    assert found["held_out_nash_conv"] < elsewhere


def test_held_out_populations_are_drawn_once_and_follow_from_the_seed() -> None:
    game = eqenvs.make("sis", horizon=2, sees_distribution=True)
    learner = learner_of(game, "master_omd", held_out=3)
    first, second, other = (learner.init(np.random.SeedSequence(seed)).held_out for seed in (0, 0, 1))
    assert first.shape == (3, 1, 2)
    np.testing.assert_array_equal(first, second)
    assert not np.array_equal(first, other)
    assert not (first == learner.model.initial).all(axis=(1, 2)).any()
    none = learner_of(game, "master_omd", held_out=0)
    assert none.measures(none.init(np.random.SeedSequence(0))) == {}


def test_agents_who_do_not_see_the_distribution_are_refused() -> None:
    with pytest.raises(InputError, match=r"master_omd: .*distribution"):
        learner_of(eqenvs.make("sis"), "master_omd")
    with pytest.raises(InputError, match=r"deep_fictitious_play: the average policy is a function of time and state"):
        learner_of(eqenvs.make("sis", sees_distribution=True), "deep_fictitious_play")
