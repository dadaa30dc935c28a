"""Batches of policies, on numpy and torch, against one policy at a time; and gradients against differences."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import eqenvs
from eqenvs.arrays import make_backend, sum_by_index
from eqenvs.errors import UnsupportedGame
from eqenvs.models.mean_field import CommonNoise, MeanFieldModel
from eqenvs.testing.mean_field import random_policy
from eqsolvers.mean_field._batched import BatchedDynamics
from eqsolvers.mean_field._dynamics import Dynamics

NOISE = CommonNoise(initial=[0.25, 0.75], kernel=[[0.5, 0.5], [0.0, 1.0]])


def noisy_game():
    """Two populations, common noise, rewards of both libraries, an illegal action."""
    rng = np.random.default_rng(0)
    kernel = rng.dirichlet(np.ones(4), size=(4, 3))
    legal = np.ones((4, 3))
    legal[1, 0] = 0

    def reward(mean_field, moment):
        of = (1 + moment.time + 3 * moment.noise)[..., None, None, None]
        return (
            of
            * (mean_field**2 - mean_field[..., [1, 0], :])[..., None]
            * (1 + mean_field[..., [0, 1, 2]])[..., None, :]
        )

    initial = rng.dirichlet(np.ones(4), size=2)
    return MeanFieldModel(kernel, reward, initial, horizon=4, discount=0.9, legal=legal, noise=NOISE)


GAMES = {"noisy": noisy_game, "sis": lambda: eqenvs.make("sis", horizon=6).model()}


@pytest.mark.parametrize("library", ["numpy", "torch"])
@pytest.mark.parametrize("make", GAMES.values(), ids=GAMES)
def test_a_batch_is_judged_as_its_policies_are(make, library):
    model = make()
    rng = np.random.default_rng(1)
    policies = np.stack([random_policy(model, rng) for _ in range(3)])
    backend = make_backend("cpu", library)
    batched = BatchedDynamics(model, backend)
    given = backend.xp.asarray(policies, device=backend.device)
    gains, flow = np.asarray(batched.gains(given)), batched.flow(given)
    for index, policy in enumerate(policies):
        evaluation = Dynamics(model).evaluate(policy)
        np.testing.assert_allclose(gains[index], evaluation.gains, atol=1e-12)
        np.testing.assert_allclose(np.stack([np.asarray(at[index]) for at in flow]), evaluation.flow, atol=1e-14)
    quality, _ = batched.quality(flow, batched.rewards(flow), given)
    single = Dynamics(model)
    at = single.flow(policies[2])
    expected = single.own_quality(at, single.rewards(at), policies[2])
    found = np.stack([np.asarray(worth[2]) for worth in quality])
    np.testing.assert_allclose(np.where(model.legal, found, 0), expected, atol=1e-12)


def test_gradients_pass_through_the_flow_and_the_rewards():
    model = GAMES["sis"]()
    batched = BatchedDynamics(model, make_backend("cpu", "torch"))
    policy = torch.tensor(random_policy(model, np.random.default_rng(2))[None], requires_grad=True)

    def value(played):
        flow = batched.flow(played)
        paid = [
            (at[..., None] * now * r).sum()
            for at, now, r in zip(flow, played.unbind(1), batched.rewards(flow), strict=True)
        ]
        return torch.stack(paid).sum()

    assert torch.autograd.gradcheck(value, (policy,))


def test_a_game_without_a_horizon_is_refused():
    model = MeanFieldModel(np.eye(2)[:, None], lambda mu, m: -mu[..., None], [0.5, 0.5], discount=0.5)
    with pytest.raises(UnsupportedGame, match="with a horizon only"):
        BatchedDynamics(model, make_backend())


def test_sums_by_index_leave_out_nothing():
    values, index = np.arange(12.0).reshape(2, 6), np.array([3, 0, 3, 3, 1, 0])
    expected = np.array([[1 + 5, 4, 0, 0 + 2 + 3, 0], [7 + 11, 10, 0, 6 + 8 + 9, 0.0]])
    np.testing.assert_array_equal(sum_by_index(values, index, 5), expected)
    np.testing.assert_array_equal(sum_by_index(torch.tensor(values), torch.tensor(index), 5), expected)
