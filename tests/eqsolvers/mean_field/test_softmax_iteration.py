"""Equilibria of the regularised game: closed form, policy mirror ascent's fixed point, priors, symmetries."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq
from scipy.special import expit

import eqenvs
from eqenvs.errors import InputError
from eqenvs.models.mean_field import MeanFieldModel
from eqsolvers.mean_field import pma
from eqsolvers.mean_field.boltzmann_iteration import BoltzmannIteration
from eqsolvers.mean_field.softmax_iteration import SOLVER, SoftmaxIteration
from eqsolvers.result import Status


def solved(model, tau, **keywords):
    process = SoftmaxIteration(model, tau=tau, **keywords)
    process.run(100)
    assert process.residual() <= 1e-12
    return process.current()


def random_model(seed, *, horizon, order=None, shift=0.0, states=4, actions=3):
    """A game on places that are dear where many are; `order` renames them."""
    rng = np.random.default_rng(seed)
    kernel = rng.dirichlet(np.ones(states), size=(states, actions))
    table = rng.normal(size=(states, actions))
    start = rng.dirichlet(np.ones(states))
    order = np.arange(states) if order is None else np.array(order)

    def reward(mean_field, moment):
        return shift + table[order] - 0.5 * mean_field[..., None]

    return MeanFieldModel(
        kernel[order][:, :, order], reward, start[order], horizon=horizon, discount=1.0 if horizon else 0.7
    )


@pytest.mark.parametrize("prior", [0.5, 0.9])
def test_left_right_ends_at_the_root_of_its_equation(prior):
    model = eqenvs.make("left_right").model()
    given_prior = np.full(model.policy_shape, 0.5)
    given_prior[0, 0, 0] = prior, 1 - prior
    policy = solved(model, 2.0, prior=given_prior)
    odds = np.log(prior / (1 - prior))
    expected = brentq(lambda p: expit((2 - 3 * p) / 2.0 + odds) - p, 0.0, 1.0, xtol=1e-15)
    assert policy[0, 0, 0, 0] == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("parameters", [{"horizon": 5}, {"horizon": None, "discount": 0.8}])
def test_it_is_the_fixed_point_of_policy_mirror_ascent_with_the_entropy(parameters):
    """Coupled populations; another operator, whose fixed points are softmax(q_h / tau) as well."""
    model = eqenvs.make("random_mean_field_game", num_states=5, num_populations=2, **parameters).model()
    policy = solved(model, 2.0)
    process = pma.SOLVER.start(model, settings={"tau": 2.0, "eta": 0.2})
    process.run(100)
    np.testing.assert_allclose(process.current(), policy, atol=1e-9)


def test_the_residual_is_told_by_the_solver_in_probability():
    found = SOLVER.solve(eqenvs.make("sis").model(), settings={"tau": 0.5}, tolerance=1e-12)
    assert found.status is Status.CONVERGED
    assert found.residual <= 1e-12
    assert found.measures["nash_conv"] > 1.0


def test_over_several_steps_it_differs_from_the_boltzmann_iteration():
    model = eqenvs.make("sis").model()
    boltzmann = BoltzmannIteration(model, tau=0.5)
    boltzmann.run(100)
    assert np.abs(boltzmann.current() - solved(model, 0.5)).max() > 0.01


def test_an_action_that_the_prior_leaves_out_is_never_played():
    model = eqenvs.make("crowd_1d").model()
    prior = np.zeros(model.policy_shape)
    prior[..., 1:] = 0.5
    policy = solved(model, 4.0, prior=prior)
    assert (policy[..., 0] == 0.0).all()
    assert (policy[..., 1:] > 0.0).all()


@pytest.mark.parametrize(
    ("prior", "message"),
    [(np.ones((2, 1, 3, 3)) / 3, r"\[M, P, S, A\] = \(2, 1, 3, 2\)"), (np.ones((2, 1, 3, 2)), "distributions")],
)
def test_a_prior_that_is_no_policy_is_refused(prior, message):
    with pytest.raises(InputError, match=message):
        SoftmaxIteration(eqenvs.make("left_right").model(), prior=prior)


@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 1000),
    order=st.permutations(range(4)),
    shift=st.floats(-10, 10),
    horizon=st.sampled_from([3, None]),
)
def test_names_of_states_and_a_constant_in_rewards_do_not_matter(seed, order, shift, horizon):
    plain = SoftmaxIteration(random_model(seed, horizon=horizon), tau=0.8)
    other = SoftmaxIteration(random_model(seed, horizon=horizon, order=order, shift=shift), tau=0.8)
    plain.run(6)
    other.run(6)
    np.testing.assert_allclose(other.current(), plain.current()[:, :, list(order)], atol=1e-9)


def test_of_equal_places_with_equal_crowds_none_is_preferred():
    """A ring without a middle, everywhere alike: all moves stay equally likely but for their cost."""
    places = np.arange(6)
    successors = ((places[:, None] + np.array([-1, 0, 1])) % 6)[..., None]
    model = MeanFieldModel(
        np.ones((6, 3, 1)), lambda mu, m: -mu[..., None] + 0.0 * np.zeros(3), np.full(6, 1 / 6), successors=successors,
        horizon=4,
    )  # fmt: skip
    np.testing.assert_allclose(solved(model, 0.3), 1 / 3, atol=1e-14)
