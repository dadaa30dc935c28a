"""Play that learners are told of: it is the model's, on numpy and torch, and only what ends a game is an end."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import eqenvs
from eqagents.learners.mean_field._experience import (
    Play,
    SamplingConfig,
    TableAct,
    by_moment,
    merged,
    play_of,
    rules_of,
    span,
)
from eqagents.rollout.accompanied import MomentIndex
from eqenvs.arrays import make_backend
from eqenvs.errors import InputError
from eqenvs.models.mean_field import CommonNoise, MeanFieldModel
from eqenvs.policies import uniform
from eqenvs.population_rules import PopulationRules
from eqenvs.simulation import advance, start
from eqsolvers.mean_field._dynamics import Dynamics

SEED = 5


def random_policy(model: MeanFieldModel, seed: int = SEED) -> np.ndarray:
    weight = np.random.default_rng(seed).random(model.policy_shape) * model.legal
    return weight / weight.sum(axis=-1, keepdims=True)


def played(game: eqenvs.Game, **fields: Any) -> Play:
    act = TableAct(random_policy(rules_of(game, "test").model))
    return play_of(game, SamplingConfig(**fields), np.random.default_rng(SEED), act, explore=act)


@pytest.mark.parametrize("library", ["numpy", "torch"])
@pytest.mark.parametrize("representatives", [0, 9])
@pytest.mark.parametrize("game_id", ["sis", "predator_prey", "rumour"])
def test_steps_are_the_models(game_id: str, representatives: int, library: str) -> None:
    game = eqenvs.make(game_id, horizon=4, num_agents=30)
    model = game.model()
    assert isinstance(model, MeanFieldModel)
    found = played(game, episodes=3, representatives=representatives, library=library)
    looks = found.looks
    reward = model.rewards(looks.mean_field, model.at(looks.moment))  # type: ignore[arg-type]
    assert looks.moment.tolist() == np.repeat([0, 1, 2, 3], 3).tolist()  # none of what comes after the end
    total = 0
    for population, steps in enumerate(found.experience):
        look, state = np.divmod(steps.point, model.num_states)
        paid = reward[look, population, state, steps.action]
        np.testing.assert_allclose(steps.reward, paid, rtol=2.0**-24, atol=1e-12)  # rounded to float32 once
        assert model.legal[state, steps.action].all()
        np.testing.assert_array_equal(steps.after < 0, looks.moment[look] == 3)  # the horizon, and nothing else
        going = steps.after >= 0
        then, there = np.divmod(steps.after[going], model.num_states)
        np.testing.assert_array_equal(then, look[going] + 3)  # the same population a step later
        assert (model.successors[state, steps.action][going] == there[:, None]).any(axis=1).all()
        total += len(steps.point)
    assert total == 4 * 3 * (representatives or 30)


def test_looks_are_where_the_agents_are() -> None:
    game = eqenvs.make("predator_prey", horizon=3, num_agents=31)
    rules = rules_of(game, "test")
    found = played(game, episodes=2)
    for population, steps in enumerate(found.experience):
        look, state = np.divmod(steps.point, rules.model.num_states)
        counts = np.zeros((len(found.looks.moment), rules.model.num_states))
        np.add.at(counts, (look, state), 1)
        seen = counts[:6] / counts[:6].sum(axis=1, keepdims=True)
        np.testing.assert_allclose(seen, found.looks.mean_field[:6, population], atol=1e-12)


def test_the_same_play_on_numpy_for_the_same_seed_and_another_for_another() -> None:
    game = eqenvs.make("sis", horizon=3)
    act = TableAct(random_policy(rules_of(game, "test").model))
    plays = [play_of(game, SamplingConfig(), np.random.default_rng(seed), act) for seed in (1, 1, 2)]
    states = [play.experience[0].after.tolist() for play in plays]
    assert states[0] == states[1] != states[2]


@pytest.mark.parametrize("library", ["numpy", "torch"])
@pytest.mark.parametrize("representatives", [0, 3000])
def test_players_are_spread_as_the_flow_of_their_policy(representatives: int, library: str) -> None:
    game = eqenvs.make("crowd_1d", size=5, horizon=3, num_agents=3000)
    rules = rules_of(game, "test")
    found = played(game, episodes=1, representatives=representatives, exploration=0.0, library=library)
    steps = by_moment(found, 0)
    share = np.bincount(steps.point, minlength=15) / 3000
    np.testing.assert_allclose(share, Dynamics(rules.model).flow(random_policy(rules.model)).reshape(-1), atol=0.04)


@pytest.mark.parametrize("fields", [{"steps": 7, "settle": 2}, {"steps": 7, "settle": 2, "representatives": 4}])
def test_truncation_is_no_end(fields: dict[str, Any]) -> None:
    game = eqenvs.make("contraction_game")
    found = played(game, episodes=2, **fields)
    assert len(found.looks.moment) == 16  # 7 decisions and where the last one led
    assert (found.experience[0].after >= 0).all()
    cut = played(eqenvs.make("sis", horizon=5), steps=3)
    assert (cut.experience[0].after >= 0).all()


def test_explorers_disturb_nobody() -> None:
    game = eqenvs.make("crowd_1d", size=5, horizon=3, num_agents=10)
    still = np.zeros(rules_of(game, "test").model.policy_shape)
    still[..., 1] = 1.0
    run = SamplingConfig(representatives=500, exploration=1.0, episodes=1)
    found = play_of(game, run, np.random.default_rng(0), TableAct(still))
    assert np.bincount(found.experience[0].action, minlength=3).min() > 400  # of 1500, a third each
    assert (found.looks.mean_field * 10 == np.round(found.looks.mean_field * 10)).all()


def test_several_plays_become_one() -> None:
    game = eqenvs.make("sis", horizon=3)
    one, two = played(game, episodes=1), played(game, episodes=2)
    both = merged([one, two])
    count = len(one.experience[0].point)
    np.testing.assert_array_equal(by_moment(both, 0).after[count:], by_moment(two, 0).after)
    np.testing.assert_array_equal(both.experience[0].after[:count], one.experience[0].after)
    look = both.experience[0].point[count:] // 2
    np.testing.assert_array_equal(both.looks.mean_field[look], two.looks.mean_field[two.experience[0].point // 2])


def test_moments_tell_histories_of_the_noise_apart() -> None:
    noise = CommonNoise(initial=[0.5, 0.5], kernel=[[0.3, 0.7], [0.6, 0.4]])
    model = MeanFieldModel(
        np.full((2, 2, 2), 0.5), lambda m, moment: 0.0 * m[..., None], [0.5, 0.5], horizon=3, noise=noise
    )
    rules, backend = PopulationRules(model, 4), make_backend()
    stream, index = backend.stream(0), MomentIndex(model)
    state, _, _ = start(rules, 50, backend, stream)
    for time in range(3):
        moment = index.of(rules, state)
        assert (model.moments.time[moment] == time).all()
        np.testing.assert_array_equal(model.moments.history[moment], state.history)
        state, _, _ = advance(rules, state, np.zeros((50, rules.num_columns), dtype=np.int64), stream)
    np.testing.assert_array_equal(index.of(rules, state), moment)  # over: the last one


def test_bad_settings_are_refused_in_one_line() -> None:
    with pytest.raises(InputError, match=r"learns mean-field games from N agents, kuhn_poker is extensive_form"):
        rules_of(eqenvs.make("kuhn_poker"), "deep_omd")
    game = eqenvs.make("predator_prey", num_agents=9)
    with pytest.raises(InputError, match=r"representatives must be 0 or at least 3"):
        played(game, representatives=2)
    with pytest.raises(InputError, match=r"sampling.settle: the game ends after 10 decisions"):
        span(rules_of(game, "test").model, SamplingConfig(settle=3))


def test_uniform_play_in_a_mask_keeps_to_it() -> None:
    game = eqenvs.make("four_rooms", num_agents=50)
    rules = rules_of(game, "test")
    act = TableAct(rules.model.as_array(uniform(game).tables))
    steps = play_of(game, SamplingConfig(steps=5, representatives=50), np.random.default_rng(0), act).experience[0]
    assert rules.model.legal[steps.point % rules.model.num_states, steps.action].all()
