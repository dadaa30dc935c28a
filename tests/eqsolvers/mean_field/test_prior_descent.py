"""Prior descent: MFGLib's trajectory, the schedule of priors and temperatures, and the equilibrium that it finds."""

from __future__ import annotations

import numpy as np
import pytest

import eqenvs
from eqsolvers.mean_field.boltzmann_iteration import BoltzmannIteration
from eqsolvers.mean_field.prior_descent import SOLVER, PriorDescent
from eqsolvers.mean_field.softmax_iteration import SoftmaxIteration
from eqsolvers.result import Status

# Exploitability of MFGLib 0.3.0, PriorDescent(eta, n_inner=1), in float64; of SIS from mu0 = (.4, .6). With longer
# inner loops MFGLib counts the uniform policy as the first inner iteration, and replaces the prior one earlier.
MFGLIB = [
    ("left_right", 0.5, {1: 0.141222778906, 2: 0.018854625451, 3: 0.012440608587, 10: 2.790909e-06}),
    ("sis", 0.5, {1: 3.159747910624, 2: 1.628347421849, 3: 0.83315192127, 10: 0.213436476033, 30: 0.391434562301}),
    ("sis", 0.25, {1: 1.599992348742, 2: 0.563900304005, 3: 0.389470202117, 10: 0.480642208718, 30: 1.487859569742}),
]


@pytest.mark.parametrize(("game", "tau", "expected"), MFGLIB)
def test_the_trajectory_is_mfglibs(game, tau, expected):
    process = PriorDescent(eqenvs.make(game).model(), tau=tau, inner=1)
    for iteration, exploitability in expected.items():
        process.run(iteration - process.iteration)
        assert process.residual() == pytest.approx(exploitability, abs=2e-11)


@pytest.mark.parametrize(("soft", "plain"), [(False, BoltzmannIteration), (True, SoftmaxIteration)])
def test_until_the_prior_is_replaced_it_is_the_fixed_point_iteration(soft, plain):
    model = eqenvs.make("sis").model()
    process, expected = PriorDescent(model, tau=0.5, inner=7, soft=soft), plain(model, tau=0.5)
    process.run(7)
    expected.run(7)
    np.testing.assert_allclose(process.current(), expected.current(), atol=1e-15)
    process.run(1)
    expected.run(1)
    assert np.abs(process.current() - expected.current()).max() > 0.01


def test_with_soft_values_the_inner_loop_is_the_softmax_iteration_with_that_prior():
    model = eqenvs.make("sis").model()
    process = PriorDescent(model, tau=0.5, inner=5, soft=True)
    process.run(5)
    inner = SoftmaxIteration(model, tau=0.5, prior=process.current())
    process.run(4)
    inner.run(4)
    np.testing.assert_allclose(process.current(), inner.current(), atol=1e-13)


def test_the_temperature_grows_with_every_new_prior():
    process = PriorDescent(eqenvs.make("left_right").model(), tau=2.0, inner=3, growth=1.5)
    process.run(8)
    assert process.measures()["temperature"] == 2.0 * 1.5**2


@pytest.mark.parametrize("soft", [False, True])
def test_left_right_ends_in_equilibrium_at_a_temperature_at_which_the_inner_loop_converges(soft):
    found = SOLVER.solve(
        eqenvs.make("left_right").model(), settings={"tau": 1.0, "inner": 10, "soft": soft}, tolerance=1e-8
    )
    assert found.status is Status.CONVERGED
    assert found.policy.tables[0][0, 0] == pytest.approx(2 / 3, abs=1e-8)
    assert found.policy.tables[0].shape == (6, 2)


def test_it_goes_below_the_regularised_equilibrium_on_sis_at_that_temperature():
    model = eqenvs.make("sis").model()
    process, regularised = PriorDescent(model, tau=1.0, inner=10), BoltzmannIteration(model, tau=1.0)
    process.run(200)
    regularised.run(200)
    assert process.residual() < 0.5 < regularised.measures()["nash_conv"]
