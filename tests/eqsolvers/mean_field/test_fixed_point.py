"""Best response to the mean field: MFGLib's trajectory, cycles that are told, and games where it settles."""

from __future__ import annotations

import logging

import numpy as np
import pytest

import eqenvs
from eqenvs.models.mean_field import MeanFieldModel
from eqsolvers.mean_field.fixed_point import SOLVER, FixedPoint
from eqsolvers.result import Status

# Exploitability of MFGLib 0.3.0, FictitiousPlay(alpha=1.0), in float64 from mu0 = (.4, .6) on susceptible_infected().
MFGLIB_SIS = {1: 4.89203933514, 2: 15.706458883709, 3: 5.037293186517, 10: 8.532519842563, 30: 3.048388757733}


def dominant(horizon=4, discount=1.0):
    """Staying is worth 1 whatever others do; what it is worth to be anywhere depends on them."""
    kernel = np.stack([np.eye(3), np.roll(np.eye(3), 1, axis=1)], axis=1)

    def reward(mean_field, moment):
        return np.array([1.0, -1.0]) - 0.1 * mean_field[..., None]

    return MeanFieldModel(
        0.9 * kernel + 0.1 * np.array([0.5, 0.3, 0.2]), reward, [0.2, 0.3, 0.5], horizon=horizon, discount=discount
    )


def test_the_trajectory_is_mfglibs():
    process = FixedPoint(eqenvs.make("sis").model())
    for iteration, expected in MFGLIB_SIS.items():
        process.run(iteration - process.iteration)
        assert process.residual() == pytest.approx(expected, abs=1e-11)


def test_left_right_goes_round_and_that_is_told_once(caplog):
    process = FixedPoint(eqenvs.make("left_right").model())
    with caplog.at_level(logging.WARNING):
        process.run(100)
    assert process.residual() == 2.0
    assert process.measures()["best_nash_conv"] == 2.0  # the only iterate that was looked at
    process.run(1)
    assert process.residual() == 1.0
    measures = process.measures()
    assert measures["fixed_point_factor"] == 1.0
    assert measures["mean_field_change"] == 1.0
    (record,) = caplog.records
    assert "fixed-point: no contraction" in record.message
    assert "1 times as much" in record.message


@pytest.mark.parametrize(("horizon", "discount"), [(4, 1.0), (None, 0.9)])
def test_where_one_action_is_best_whatever_others_do_it_settles_at_once(horizon, discount, caplog):
    found = SOLVER.solve(dominant(horizon, discount), tolerance=1e-12, iterations=30)
    assert found.status is Status.CONVERGED
    assert found.measures["mean_field_change"] == 0.0
    assert found.measures["fixed_point_factor"] == 0.0
    assert not caplog.records
    assert (found.policy.tables[0][:, 0] == 1.0).all()
