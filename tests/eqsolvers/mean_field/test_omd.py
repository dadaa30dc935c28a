"""Online mirror descent: published and peers' trajectories, best and last iterates apart, its limit, its symmetries."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import eqenvs
from eqenvs.models.mean_field import MeanFieldModel
from eqsolvers.mean_field.omd import SOLVER, MirrorDescent
from eqsolvers.result import Status
from eqsolvers.scoring import score

# Exploitability of MFGLib 0.3.0, OnlineMirrorDescent(alpha), in float64; of SIS from mu0 = (.4, .6).
MFGLIB = [
    ("left_right", 0.1, {1: 0.225473761788, 2: 0.203646090115, 10: 0.09512668958, 30: 0.019014457076}),
    ("left_right", 1.0, {1: 0.050070200992, 2: 0.014136396809, 3: 0.004467476195, 10: 1.989844e-06}),
    ("sis", 0.1, {1: 5.36184621515, 2: 5.258106638344, 10: 4.477412443652, 30: 2.760325065294}),
    ("sis", 1.0, {1: 4.577030744523, 2: 3.720588558901, 10: 0.38317088872, 30: 0.26550202192}),
]


@pytest.mark.parametrize(("game", "eta", "expected"), MFGLIB)
def test_the_trajectory_is_mfglibs(game, eta, expected):
    process = MirrorDescent(eqenvs.make(game).model(), eta=eta)
    for iteration, exploitability in expected.items():
        process.run(iteration - process.iteration)
        assert process.residual() == pytest.approx(exploitability, abs=1e-11)


def test_the_crowd_is_solved_at_the_known_pace():
    """OpenSpiel's C++ figures with move costs accounted for."""
    process = MirrorDescent(eqenvs.make("crowd_1d").model(), eta=1.0)
    for iteration, expected, rounded in ((50, 0.01225, 5e-6), (100, 0.00353, 5e-6), (1000, 2.2e-5, 5e-7)):
        process.run(iteration - process.iteration)
        assert process.residual() == pytest.approx(expected, abs=rounded)
    assert process.evaluation().values[0] == pytest.approx(28.3375, abs=5e-5)


def test_on_sis_the_last_iterate_gets_worse_and_the_best_is_kept():
    model = eqenvs.make("sis").model()
    found = SOLVER.solve(model, settings={"eta": 0.1}, iterations=1000, tolerance=1e-3)
    assert found.status is Status.ITERATION_LIMIT
    assert found.residual == pytest.approx(score(model, found.policy).nash_conv, abs=1e-12)
    assert found.residual > found.measures["best_nash_conv"] + 0.05
    process = MirrorDescent(model, eta=0.1)
    process.run(100)
    assert process.residual() == pytest.approx(0.383, abs=5e-4)
    process.run(900)
    assert process.residual() > 0.4
    assert process.measures()["best_iteration"] == 100.0
    assert score(model, process.best_policy()).nash_conv == pytest.approx(0.383, abs=5e-4)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 1000), order=st.permutations(range(4)), shift=st.floats(-10, 10))
def test_names_of_states_and_a_constant_in_rewards_do_not_matter(seed, order, shift):
    order = list(order)
    rng = np.random.default_rng(seed)
    kernel, table, start = rng.dirichlet(np.ones(4), size=(4, 3)), rng.normal(size=(4, 3)), rng.dirichlet(np.ones(4))
    plain = MirrorDescent(MeanFieldModel(kernel, lambda mu, m: table - mu[..., None], start, horizon=3), eta=0.5)
    named = MeanFieldModel(
        kernel[order][:, :, order], lambda mu, m: shift + table[order] - mu[..., None], start[order], horizon=3
    )
    other = MirrorDescent(named, eta=0.5)
    plain.run(8)
    other.run(8)
    np.testing.assert_allclose(other.current(), plain.current()[:, :, order], atol=1e-11)


@pytest.mark.parametrize("eta", [0.3, 0.8])
def test_left_right_converges_at_the_rate_of_its_linearisation(eta):
    """With z the difference of the logits, z <- z + eta (2 - 3 p(z)): the factor at p = 2/3 is 1 - 3 eta p (1 - p)."""
    process = MirrorDescent(eqenvs.make("left_right").model(), eta=eta)
    process.run(20)
    distances = []
    for _ in range(2):
        distances.append(process.current()[0, 0, 0, 0] - 2 / 3)
        process.run(5)
    assert (distances[1] / distances[0]) ** (1 / 5) == pytest.approx(1 - 3 * eta * 2 / 9, abs=0.01)


def test_an_illegal_action_changes_nothing_where_payoffs_are_far_below_0():
    """Illegal actions count 0: were the sums shifted by that, those of -10^17 a step would round the others' away."""
    kernel, far = np.eye(2)[[[1, 0, 1], [0, 1, 1]]], -1e17

    def reward(mean_field, moment):
        return far + np.array([0.0, 64.0, 128.0]) - 16.0 * mean_field[..., None]

    alone = MeanFieldModel(kernel[:, :2], lambda mu, m: reward(mu, m)[..., :2], [0.5, 0.5], horizon=1)
    masked = MeanFieldModel(kernel, reward, [0.5, 0.5], horizon=1, legal=[[1, 1, 0]] * 2)
    one, other = MirrorDescent(alone, eta=0.01), MirrorDescent(masked, eta=0.01)
    one.run(20)
    other.run(20)
    np.testing.assert_array_equal(other.current()[..., :2], one.current())
    assert one.current()[0, 0, 0, 0] < 0.01
    assert not other.current()[..., 2].any()
