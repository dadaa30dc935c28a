"""Softmax of the best play's values: MFGLib's trajectory, closed forms of fixed point, rate and threshold."""

from __future__ import annotations

import logging

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.special import expit

import eqenvs
from eqsolvers.mean_field.boltzmann_iteration import SOLVER, BoltzmannIteration
from eqsolvers.result import Status

# Exploitability of MFGLib 0.3.0, PriorDescent(eta=1.0, n_inner=None), in float64; the second from mu0 = (.4, .6).
MFGLIB = {
    "left_right": {1: 0.050070200992, 2: 0.187074237713, 3: 0.081612851592, 10: 0.12797019173, 30: 0.122896422674},
    "sis": {1: 4.251520279491, 2: 4.27840340152, 3: 4.275448959861, 10: 4.275612749576, 30: 4.275612749512},
}


def share_left(tau):
    """Of left-right's softmax fixed point: p = softmax of (-p, -2 (1 - p)) over tau."""
    return brentq(lambda p: expit((2 - 3 * p) / tau) - p, 0.0, 1.0, xtol=1e-15)


def slope(tau):
    """Of p -> softmax at the fixed point."""
    p = share_left(tau)
    return 3 * p * (1 - p) / tau


@pytest.mark.parametrize("game", MFGLIB)
def test_the_trajectory_is_mfglibs(game):
    process = BoltzmannIteration(eqenvs.make(game).model(), tau=1.0)
    for iteration, expected in MFGLIB[game].items():
        process.run(iteration - process.iteration)
        assert process.measures()["nash_conv"] == pytest.approx(expected, abs=1e-11)


@pytest.mark.parametrize("tau", [0.9, 2.0, 10.0])
def test_left_right_ends_at_the_root_of_its_equation(tau):
    found = SOLVER.solve(eqenvs.make("left_right").model(), settings={"tau": tau}, tolerance=1e-13, iterations=2000)
    assert found.status is Status.CONVERGED
    assert found.policy.tables[0][0, 0] == pytest.approx(share_left(tau), abs=1e-12)


@pytest.mark.parametrize("tau", [0.9, 1.5, 4.0])
def test_the_measured_factor_is_the_slope_of_the_map_at_its_fixed_point(tau):
    process = BoltzmannIteration(eqenvs.make("left_right").model(), tau=tau)
    process.run(2000)
    # The moves kept last are of 1e-10 and above, over which the slope changes by their own order.
    assert process.measures()["fixed_point_factor"] == pytest.approx(slope(tau), rel=1e-4)


@pytest.mark.parametrize("tau", [0.9, 0.5])
def test_it_warns_where_the_slope_is_above_one_only(tau, caplog):
    process = BoltzmannIteration(eqenvs.make("left_right").model(), tau=tau)
    with caplog.at_level(logging.WARNING):
        process.run(300)
    assert len(caplog.records) == (slope(tau) > 1)
    assert (process.residual() > 0.1) == (slope(tau) > 1)


def test_damping_makes_it_converge_below_the_threshold():
    """The damped map has the slope 1 - d (1 + s): 0.5 at tau = 0.25, where s = 2.6."""
    found = SOLVER.solve(
        eqenvs.make("left_right").model(), settings={"tau": 0.25, "damping": 0.2}, tolerance=1e-13, iterations=500
    )
    assert found.status is Status.CONVERGED
    assert found.policy.tables[0][0, 0] == pytest.approx(share_left(0.25), abs=1e-12)


def test_its_residual_is_the_error_of_a_probability():
    model = eqenvs.make("left_right").model()
    process = BoltzmannIteration(model, tau=0.7)
    process.run(1)
    p = process.current()[0, 0, 0, 0]
    assert process.residual() == pytest.approx(abs(p - expit((2 - 3 * p) / 0.7)), abs=1e-15)
    assert SOLVER.unit_of("qre") == "probability"
    np.testing.assert_allclose(process.current()[1], 0.5)
