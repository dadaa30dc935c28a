"""Smoothed responses against plain recursions, their optimality, and their limits in the temperature."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eqenvs.models.mean_field import Affine, CommonNoise, MeanFieldModel
from eqenvs.testing.mean_field import dense_kernel, random_policy
from eqsolvers.mean_field._dynamics import Dynamics
from eqsolvers.mean_field._soft import boltzmann_response, divergence, log_softmax, log_uniform, soft_quality

NOISE = CommonNoise(initial=[0.25, 0.75], kernel=[[0.5, 0.5], [0.0, 1.0]])


def game(seed=0, *, horizon=3, noise=NOISE, shift=0.0, called=False):
    """Two populations that meet each other, with illegal actions, and rewards that depend on all there is."""
    rng = np.random.default_rng(seed)
    states, actions, outcomes = 4, 3, 2
    base, other = rng.dirichlet(np.ones(outcomes), size=(2, 2, states, actions))
    table = rng.normal(size=(2, states, actions))
    legal = np.ones((states, actions))
    legal[1, 0] = legal[2, 2] = 0

    def reward(mean_field, moment):
        of = (1 + moment.time + 3 * moment.noise)[..., None, None, None]
        return shift + table * of - 2 * mean_field[..., None] - mean_field[..., ::-1, :][..., None]

    def build(transition):
        return MeanFieldModel(
            transition, reward, [[0.1, 0.2, 0.3, 0.4], [0.7, 0.1, 0.1, 0.1]], successors=successors, horizon=horizon,
            discount=0.8, legal=legal, coupling=[[0.9, 0.1], [0.4, 0.6]], noise=None if horizon is None else noise,
        )  # fmt: skip

    successors = rng.integers(states, size=(states, actions, outcomes))
    model = build(Affine(base=base, slope=[other - base], weight=rng.random((1, states))))
    return build(model.probabilities) if called else model


def prior_of(model, seed=3):
    with np.errstate(divide="ignore"):
        return np.log(random_policy(model, np.random.default_rng(seed)))


def softly(model, flow, reward, log_prior, tau):
    """The soft Q by recursion over moments and dense kernels."""
    quality = np.zeros_like(reward)
    prior = np.exp(log_prior)

    def worth(moment):
        later = np.zeros(model.initial.shape)
        for child in np.flatnonzero(model.moments.parent == moment):
            later += model.moments.probability[child] * worth(child)
        kernel = dense_kernel(model, flow[moment], moment)
        quality[moment] = reward[moment] + model.discount * np.einsum("psat,pt->psa", kernel, later)
        quality[moment][:, ~model.legal] = 0.0
        return tau * np.log((prior[moment] * np.exp(quality[moment] / tau)).sum(axis=-1))

    for root in np.flatnonzero(model.moments.parent < 0):
        worth(root)
    return quality


def setting(model):
    dynamics = Dynamics(model)
    flow = dynamics.flow(random_policy(model, np.random.default_rng(1)))
    return dynamics, flow, dynamics.rewards(flow)


@pytest.mark.parametrize("called", [False, True], ids=["affine", "operator"])
@pytest.mark.parametrize("tau", [0.1, 2.0])
def test_soft_values_are_those_of_plain_recursion(tau, called):
    model = game(called=called)
    dynamics, flow, reward = setting(model)
    prior = prior_of(model)
    found = soft_quality(dynamics, flow, reward, prior, tau)
    np.testing.assert_allclose(found, softly(model, flow, reward, prior, tau), atol=1e-12)


@pytest.mark.parametrize("tau", [0.05, 1.0])
def test_without_a_horizon_they_are_those_of_soft_value_iteration(tau):
    model = game(horizon=None)
    dynamics, flow, reward = setting(model)
    prior = prior_of(model)
    kernel, value = dense_kernel(model, flow[0], 0), np.zeros(model.initial.shape)
    for _ in range(200):
        quality = reward[0] + model.discount * np.einsum("psat,pt->psa", kernel, value)
        value = tau * np.log((np.exp(prior[0]) * np.exp(quality / tau)).sum(axis=-1))
    found = soft_quality(dynamics, flow, reward, prior, tau)[0]
    np.testing.assert_allclose(found[:, model.legal], quality[:, model.legal], atol=1e-11)


@pytest.mark.parametrize("horizon", [3, None])
def test_no_policy_is_worth_more_after_its_penalty(horizon):
    model = game(horizon=horizon)
    dynamics, flow, reward = setting(model)
    prior, tau = prior_of(model), 0.3

    def worth(logs):
        penalty = tau * divergence(logs, prior)
        quality = dynamics.own_quality(flow, reward - penalty, np.exp(logs))
        return (np.exp(logs) * quality).sum(axis=-1)

    best = worth(log_softmax(prior + soft_quality(dynamics, flow, reward, prior, tau) / tau))
    for seed in range(5):
        assert (worth(prior_of(model, seed)) <= best + 1e-12).all()


@pytest.mark.parametrize("horizon", [3, None])
def test_they_are_those_of_the_best_play_less_what_the_penalties_can_cost(horizon):
    model = game(horizon=horizon)
    dynamics, flow, reward = setting(model)
    best, _ = dynamics.best_quality(flow, reward)
    steps = 3 if horizon else 1 / (1 - model.discount)
    for tau in (1.0, 1e-2, 1e-6):
        below = best - soft_quality(dynamics, flow, reward, log_uniform(model), tau)
        assert below.min() >= -1e-12
        assert below.max() <= tau * np.log(3) * steps


@settings(max_examples=20, deadline=None)
@given(shift=st.floats(-50, 50), tau=st.floats(0.05, 20), horizon=st.sampled_from([3, None]))
def test_a_constant_added_to_all_rewards_changes_no_response(shift, tau, horizon):
    responses = []
    for model in (game(horizon=horizon), game(horizon=horizon, shift=shift)):
        dynamics, flow, reward = setting(model)
        prior = log_uniform(model)
        soft = log_softmax(prior + soft_quality(dynamics, flow, reward, prior, tau) / tau)
        responses.append((np.exp(soft), np.exp(boltzmann_response(dynamics, flow, prior, tau))))
    # The shift is felt as rounding of values of up to 250, over tau.
    np.testing.assert_allclose(responses[0], responses[1], atol=1e-11 / tau)


def test_the_divergence_counts_what_is_never_played_as_nothing():
    logs = np.array([[[[0.0, -np.inf]]]])
    even = np.log(np.full((1, 1, 1, 2), 0.5))
    np.testing.assert_allclose(divergence(logs, even), np.log(2))
