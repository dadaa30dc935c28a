"""Best response to a running average of mean fields: MFGLib's trajectory, its rate, and its limits in the damping."""

from __future__ import annotations

import numpy as np
import pytest

import eqenvs
from eqenvs.models.mean_field import MeanFieldModel
from eqsolvers.mean_field.damped_fixed_point import DampedFixedPoint
from eqsolvers.mean_field.fixed_point import FixedPoint

# Exploitability of MFGLib 0.3.0, FictitiousPlay(alpha=0.1), in float64 on left_right().
MFGLIB_LEFT_RIGHT = {1: 0.1575, 2: 0.087075, 3: 0.03408075, 10: 0.038966978519, 30: 0.000655128606}


def test_where_moves_do_not_depend_on_others_it_is_mfglibs():
    process = DampedFixedPoint(eqenvs.make("left_right").model(), damping=0.1)
    for iteration, expected in MFGLIB_LEFT_RIGHT.items():
        process.run(iteration - process.iteration)
        assert process.residual() == pytest.approx(expected, abs=1e-11)


def test_the_policy_generates_the_average_mean_field_there():
    process = DampedFixedPoint(eqenvs.make("crowd_1d").model(), damping=0.3)
    process.run(25)
    np.testing.assert_allclose(process.evaluation().flow, process.state()["arrays"]["flow"], atol=1e-14)


@pytest.mark.parametrize("damping", [0.05, 0.4])
def test_towards_a_dominant_action_the_mean_field_moves_geometrically(damping):
    """The response is the same from the first iteration on, so all that is left of the start is (1 - damping)^t."""

    def reward(mean_field, moment):
        return np.array([1.0, 0.0]) - 0.1 * mean_field[..., None]

    kernel = np.stack([np.eye(3), np.roll(np.eye(3), 1, axis=1)], axis=1)
    process = DampedFixedPoint(MeanFieldModel(kernel, reward, [0.2, 0.3, 0.5], horizon=4), damping=damping)
    process.run(25)
    assert process.measures()["fixed_point_factor"] == pytest.approx(1 - damping, abs=1e-6)


def test_undamped_it_is_the_fixed_point_iteration():
    model = eqenvs.make("sis").model()
    damped, plain = DampedFixedPoint(model, damping=1.0), FixedPoint(model)
    for _ in range(5):
        damped.run(1)
        plain.run(1)
        np.testing.assert_array_equal(damped.current(), plain.current())


@pytest.mark.parametrize("damping", [0.1, 0.01, 0.001])
def test_it_ends_at_a_distance_from_equilibrium_of_the_order_of_the_damping(damping):
    """Left-right: the share on the left crosses 2/3 by at most a step; NashConv is at most 3 times the distance."""
    process = DampedFixedPoint(eqenvs.make("left_right").model(), damping=damping)
    process.run(round(8 / damping))
    seen = []
    for _ in range(20):
        process.run(1)
        seen.append(abs(process.current()[0, 0, 0, 0] - 2 / 3))
    assert max(seen) <= damping
    assert process.residual() <= 3 * damping
