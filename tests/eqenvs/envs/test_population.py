"""The population environment against the rules it is a fast form of, and against its limit."""

from __future__ import annotations

import numpy as np
import pytest

import eqenvs
from eqenvs.errors import IllegalActionError, InputError, UnsupportedGame
from eqenvs.game import Game
from eqenvs.models.mean_field import CommonNoise, MeanFieldModel
from eqenvs.population_rules import mean_field_spec
from eqenvs.testing.mean_field import random_policy


def game_of(model, num_agents=12):
    spec = mean_field_spec(id="test", title="test", build=lambda: model, source="here")
    return Game(spec, {"num_agents": num_agents})


def two_populations(*, called=False, horizon=4, noise=None):
    rng = np.random.default_rng(0)
    successors = rng.integers(3, size=(3, 2, 2))
    base = rng.dirichlet(np.ones(2), size=(2, 3, 2))
    legal = np.array([[1, 1], [1, 0], [1, 1]])

    def reward(mean_field, moment):
        return mean_field[..., None] * np.array([1.0, -2.0]) + moment.noise[..., None, None, None]

    return MeanFieldModel(
        (lambda mu, m: np.broadcast_to(base, (*mu.shape, 2, 2))) if called else base,
        reward,
        rng.dirichlet(np.ones(3), size=2),
        successors=successors,
        horizon=horizon,
        legal=legal,
        noise=noise,
        discount=0.9,
    )


@pytest.mark.parametrize("called", [False, True], ids=["affine", "operator"])
def test_a_step_pays_and_counts_as_the_rules_do(called):
    model = two_populations(called=called)
    env = game_of(model).population_env(5)
    step = env.reset(seed=3)
    policy = random_policy(model, np.random.default_rng(1))
    for t in range(4):
        for b in range(5):
            for p in range(2):
                counted = np.bincount(step.states[b, env.roles == p], minlength=3) / 6
                np.testing.assert_allclose(step.mean_field[b, p], counted, atol=1e-15)
        assert (step.moments == t).all()
        actions = env.sample(policy)
        before = step
        step = env.step(actions)
        expected = model.rewards(before.mean_field, model.at(np.full(5, t)))
        b, i = np.indices(actions.shape)
        np.testing.assert_allclose(step.rewards, expected[b, env.roles[i], before.states, actions], atol=1e-15)
        if t < 3:
            reached = (model.successors[before.states, actions] == step.states[..., None]).any(axis=-1)
            assert reached.all()
        assert step.terminated == (t == 3)
        assert not step.truncated
    assert (step.moments == 0).all()  # a new game


@pytest.mark.parametrize("game_id", ["sis", "crowd_1d"])
def test_many_agents_flow_as_the_mean_field_does(game_id):
    game = eqenvs.make(game_id, horizon=6, num_agents=40_000)
    model = game.model()
    policy = random_policy(model, np.random.default_rng(2))
    env = game.population_env()
    flow, step = model.flow(policy), env.reset(seed=0)
    for t in range(6):
        spread = np.sqrt(flow[t] * (1 - flow[t]) / 40_000)
        assert (np.abs(step.mean_field[0] - flow[t]) <= 6 * (t + 1) * spread + 1e-3).all()
        step = env.step(env.sample(policy))


def test_actions_are_drawn_with_their_probabilities():
    model = two_populations()
    env = game_of(model, num_agents=20_000).population_env()
    step = env.reset(seed=0)
    policy = random_policy(model, np.random.default_rng(5))
    actions = env.sample(policy)
    for p, s in np.ndindex(2, 3):
        mine = (env.roles == p) & (step.states[0] == s)
        assert actions[0, mine].mean() == pytest.approx(policy[0, p, s, 1], abs=6 * 0.5 / np.sqrt(mine.sum()))
    assert not actions[0, step.states[0] == 1].any()  # its only legal action


def test_common_noise_is_one_for_all_agents_and_branches_by_its_chance():
    noise = CommonNoise(initial=[0.25, 0.75], kernel=[[0.5, 0.5], [0.0, 1.0]])
    model = two_populations(horizon=2, noise=noise)
    env = game_of(model).population_env(4000)
    step = env.reset(seed=1)
    assert np.bincount(step.moments, minlength=2)[0] / 4000 == pytest.approx(0.25, abs=0.04)
    step = env.step(env.sample(random_policy(model, np.random.default_rng(0))))
    assert np.bincount(step.moments, minlength=5)[2:] / 4000 == pytest.approx([0.125, 0.125, 0.75], abs=0.04)


def test_the_same_seed_gives_the_same_and_no_horizon_is_cut():
    game = game_of(two_populations(horizon=None))
    env = game.population_env(2, max_cycles=3)
    policy = random_policy(game.model(), np.random.default_rng(0))

    def run():
        return [env.reset(seed=7)] + [env.step(env.sample(policy)) for _ in range(3)]

    first, second = run(), run()
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a.states, b.states)
        np.testing.assert_array_equal(a.rewards, b.rewards)
    assert [step.truncated for step in first] == [False, False, False, True]
    assert not any(step.terminated for step in first)


def test_bad_use_is_refused_by_name():
    env = game_of(two_populations()).population_env(2)
    with pytest.raises(IllegalActionError, match="call reset"):
        env.step(np.zeros((2, 12), dtype=int))
    step = env.reset(seed=0)
    with pytest.raises(IllegalActionError, match=r"integers of shape \(2, 12\), got \(2, 3\)"):
        env.step(np.zeros((2, 3), dtype=int))
    actions = np.zeros((2, 12), dtype=int)
    game, agent = np.argwhere(step.states == 1)[0]
    actions[game, agent] = 1
    with pytest.raises(IllegalActionError, match=rf"game {game}, agent {agent}: action 1 is illegal here; .* \[0\]"):
        env.step(actions)
    shape = env.model.policy_shape
    with pytest.raises(InputError, match=r"shape \[M, P, S, A\] = \(4, 2, 3, 2\), got \(1, 2, 3, 2\)"):
        env.sample(np.full((1, *shape[1:]), 0.5))
    with pytest.raises(InputError, match=r"row \(0, 0, \d\) of the policy is no distribution: \[nan"):
        env.sample(np.full(shape, np.nan))
    with pytest.raises(UnsupportedGame, match="for mean-field games"):
        eqenvs.make("kuhn_poker").population_env(2)


def test_a_parallel_env_of_many_agents_steps_them_all_at_once():
    """Quadratic look-ups would take ten seconds here."""
    env = eqenvs.make("sis", num_agents=8_000, horizon=2).parallel_env()
    observations, infos = env.reset(seed=0)
    assert len(observations) == len(infos) == 8_000
    _, rewards, terminations, _, _ = env.step({agent: k % 2 for k, agent in enumerate(env.agents)})
    ill = np.array([seen["observation"][-1] for seen in observations.values()])
    expected = -ill - 0.5 * (np.arange(8_000) % 2)
    np.testing.assert_allclose(list(rewards.values()), expected)
    assert not any(terminations.values())
