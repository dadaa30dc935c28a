"""Fictitious play: peers' trajectory, the rate in a monotone game, where it stalls, what its average is."""

from __future__ import annotations

import numpy as np
import pytest

import eqenvs
from eqsolvers.mean_field.fictitious_play import SOLVER, FictitiousPlay
from eqsolvers.result import Status

# Exploitability of MFGLib 0.3.0, FictitiousPlay(alpha=0.0), in float64. On SIS, where moves depend on the mean field,
# MFGLib weighs the average policy by its own mean field in place of the average mean field: the first step agrees.
MFGLIB = {
    "left_right": {1: 0.1875, 2: 0.25, 3: 0.046875, 10: 0.030991735537, 30: 0.005463059313},
    "sis": {1: 3.656916928346},
}


@pytest.mark.parametrize("game", MFGLIB)
def test_the_trajectory_is_mfglibs(game):
    process = FictitiousPlay(eqenvs.make(game).model())
    for iteration, expected in MFGLIB[game].items():
        process.run(iteration - process.iteration)
        assert process.residual() == pytest.approx(expected, abs=1e-11)


def test_in_a_monotone_game_exploitability_falls_like_one_over_t():
    """The crowd, looked at from 50 to 1600 iterations; which of equal actions is taken decides the constant."""
    process = FictitiousPlay(eqenvs.make("crowd_1d").model())
    times, seen = [], []
    while process.iteration < 1600:
        process.run(max(1, process.iteration // 50) if process.iteration else 50)
        times.append(process.iteration)
        seen.append(process.residual())
    slope, _ = np.polyfit(np.log(times), np.log(seen), 1)
    assert -1.15 < slope < -0.85
    assert process.evaluation().values[0] == pytest.approx(28.3375, abs=5e-3)


def test_on_sis_it_stalls():
    found = SOLVER.solve(eqenvs.make("sis").model(), iterations=1000)
    assert found.status is Status.ITERATION_LIMIT
    assert found.residual == pytest.approx(0.678, abs=0.03)
    assert found.measures["best_nash_conv"] < found.residual


def test_the_average_policy_generates_the_average_mean_field():
    """Where moves do not depend on the mean field."""
    model = eqenvs.make("crowd_1d").model()
    process = FictitiousPlay(model)
    flows = [process.dynamics.flow(process.current())]
    for _ in range(20):
        flows.append(process.dynamics.flow(process.dynamics.greedy(process.evaluation().quality)))
        process.run(1)
    np.testing.assert_allclose(process.evaluation().flow, np.mean(flows, axis=0), atol=1e-14)


def test_where_nobody_has_been_the_last_best_response_is_played():
    process = FictitiousPlay(eqenvs.make("left_right").model())
    process.run(5)
    policy = process.current()
    assert (policy[0, 0, 1:].max(axis=-1) == 1.0).all()  # left and right are empty at the start
    assert 0 < policy[0, 0, 0, 0] < 1
