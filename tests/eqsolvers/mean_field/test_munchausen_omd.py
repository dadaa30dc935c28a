"""Munchausen mirror descent: to rounding the policies of online mirror descent, and its recursion in plain loops."""

from __future__ import annotations

import numpy as np
import pytest

import eqenvs
from eqenvs.models.mean_field import CommonNoise, MeanFieldModel
from eqenvs.testing.mean_field import dense_kernel
from eqsolvers.mean_field.munchausen_omd import SOLVER, MunchausenMirrorDescent
from eqsolvers.mean_field.omd import MirrorDescent
from eqsolvers.result import Status


def noisy():
    """Two populations, common noise, an illegal action, an operator for moves."""
    rng = np.random.default_rng(0)
    base, other = rng.dirichlet(np.ones(3), size=(2, 3, 2))
    table = rng.normal(size=(2, 3, 2))

    def moves(mean_field, moment):
        share = mean_field[..., :1][..., None, None]
        return (1 - share) * base + share * other

    def reward(mean_field, moment):
        return table * (1 + moment.noise)[..., None, None, None] - mean_field[..., ::-1, :][..., None]

    return MeanFieldModel(
        moves, reward, [[0.2, 0.3, 0.5], [0.6, 0.2, 0.2]], successors=np.broadcast_to(np.arange(3), (3, 2, 3)),
        horizon=4, legal=[[1, 1], [1, 0], [1, 1]],
        noise=CommonNoise(initial=[0.5, 0.5], kernel=[[0.9, 0.1], [0.2, 0.8]]),
    )  # fmt: skip


GAMES = {
    "left_right": lambda: eqenvs.make("left_right").model(),
    "sis": lambda: eqenvs.make("sis").model(),
    "crowd_1d": lambda: eqenvs.make("crowd_1d").model(),
    "coupled": lambda: eqenvs.make("random_mean_field_game", num_populations=3).model(),
    "stationary": lambda: eqenvs.make("random_mean_field_game", horizon=None, discount=0.9).model(),
    "noisy": noisy,
}


@pytest.mark.parametrize("tau", [0.5, 20.0])
@pytest.mark.parametrize("game", GAMES)
def test_it_is_mirror_descent_with_the_step_one_over_tau(game, tau):
    model = GAMES[game]()
    one, other = MunchausenMirrorDescent(model, tau=tau), MirrorDescent(model, eta=1 / tau)
    for _ in range(4):
        one.run(10)
        other.run(10)
        # Sums reach some 1e3, whose rounding is of order 1e-13, and the games carry it on.
        np.testing.assert_allclose(one.current(), other.current(), atol=1e-10)


def test_a_step_is_the_softmax_of_the_munchausen_values():
    model, tau = noisy(), 0.7
    process = MunchausenMirrorDescent(model, tau=tau)
    process.run(2)
    policy = process.current()
    flow = model.flow(policy)
    reward = model.rewards(flow, model.at(slice(None)))
    legal, logs = model.legal, np.where(model.legal, np.log(np.where(policy > 0, policy, 1.0)), 0.0)
    values = np.zeros_like(reward)
    for moment in reversed(range(len(flow))):
        later = np.zeros(model.initial.shape)
        for child in np.flatnonzero(model.moments.parent == moment):
            following = (policy[child] * (values[child] - tau * logs[child])).sum(axis=-1)
            later += model.moments.probability[child] * following
        kernel = dense_kernel(model, flow[moment], moment)
        values[moment] = reward[moment] + tau * logs[moment] + np.einsum("psat,pt->psa", kernel, later)
    weights = np.where(legal, np.exp(values / tau), 0.0)
    process.run(1)
    np.testing.assert_allclose(process.current(), weights / weights.sum(axis=-1, keepdims=True), atol=1e-13)


def test_an_action_far_out_of_favour_comes_back():
    """Its probability has long been 0 in floating point; its logarithm has not."""
    table = np.array([0.0, -1.0])
    sign = {"now": 1.0}
    model = MeanFieldModel(
        np.ones((1, 2, 1)), lambda mu, m: sign["now"] * table + 0.0 * mu[..., None], [1.0], horizon=1
    )
    process = MunchausenMirrorDescent(model, tau=0.001)
    process.run(3)
    assert process.current()[0, 0, 0, 1] == 0.0
    sign["now"] = -1.0
    process.run(6)
    np.testing.assert_array_equal(process.current()[0, 0, 0], [0.0, 1.0])


def test_left_right_is_solved():
    found = SOLVER.solve(eqenvs.make("left_right").model(), settings={"tau": 1.0}, tolerance=1e-12)
    assert found.status is Status.CONVERGED
    assert found.policy.tables[0][0, 0] == pytest.approx(2 / 3, abs=1e-12)
