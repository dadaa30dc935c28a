"""Replicator dynamics: conserved quantities, orders of convergence, noise, and averages."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.special import rel_entr

from eqenvs.errors import InputError
from eqenvs.models import NormalFormModel
from eqenvs.policies import CorrelatedStrategy
from eqsolvers.normal_form.replicator import average_play, collected, solve, trajectory
from eqsolvers.result import Status
from eqsolvers.scoring import score

# Zero-sum, both players' interior equilibrium by equal payoffs: halves; (1/3, 2/3); thirds.
PENNIES = np.array([[1.0, -1], [-1, 1]])
SKEW = np.array([[3.0, -1], [-1, 1]])
ROCK = np.array([[0.0, -1, 1], [1, 0, -1], [-1, 1, 0]])
COORDINATION = NormalFormModel([[[2, 0], [0, 1]], [[2, 0], [0, 1]]])


def random_points(model: NormalFormModel, batch: int, seed: int) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [rng.dirichlet(np.ones(actions), size=batch) for actions in model.num_actions]


@pytest.mark.parametrize("shape", [(4,), (2, 3), (2, 3, 4), (2, 3, 2, 2)])
def test_batches_collect_what_the_model_says(shape: tuple[int, ...]) -> None:
    model = NormalFormModel(np.random.default_rng(0).normal(size=(len(shape), *shape)))
    points = random_points(model, 5, 1)
    for player, found in enumerate(collected(model, points)):
        assert found.shape == (5, shape[player])
        for b in range(5):
            np.testing.assert_allclose(found[b], model.gradient(player, [x[b] for x in points]), atol=1e-12)


@pytest.mark.parametrize(
    ("matrix", "equilibrium"),
    [
        pytest.param(PENNIES, ([1 / 2, 1 / 2], [1 / 2, 1 / 2]), id="pennies"),
        pytest.param(SKEW, ([1 / 3, 2 / 3], [1 / 3, 2 / 3]), id="skew"),
        pytest.param(ROCK, ([1 / 3] * 3, [1 / 3] * 3), id="rock-paper-scissors"),
    ],
)
def test_divergence_from_an_interior_zero_sum_equilibrium_is_conserved(matrix: np.ndarray, equilibrium: object) -> None:
    """Hofbauer (1996), "Evolutionary dynamics for bimatrix games: a Hamiltonian system?", J. Math. Biology 34."""
    model = NormalFormModel([matrix, -matrix])
    path = trajectory(model, random_points(model, 6, 2), step=0.02, steps=1500, every=100)
    divergence = sum(rel_entr(np.array(x), points).sum(axis=2) for x, points in zip(equilibrium, path, strict=True))  # type: ignore[call-overload]
    assert np.abs(path[0] - path[0][0]).max() > 0.1  # it does move
    np.testing.assert_allclose(divergence, np.broadcast_to(divergence[0], divergence.shape), atol=1e-6)


def test_integration_is_of_fourth_order() -> None:
    model = NormalFormModel(np.random.default_rng(3).normal(size=(3, 2, 3, 2)))
    start = random_points(model, 4, 3)
    ends = [trajectory(model, start, step=2.0 / steps, steps=steps, every=steps)[1][-1] for steps in (8, 16, 512)]
    coarse, fine = (np.abs(end - ends[2]).max() for end in ends[:2])
    assert 10 < coarse / fine < 26  # 2^4


def test_motion_is_the_replicator_equation() -> None:
    model = NormalFormModel(np.random.default_rng(4).normal(size=(2, 2, 3)))
    start, step = random_points(model, 3, 4), 1e-4
    path = trajectory(model, start, step=step, steps=2)
    middle = [points[1] for points in path]
    for points, x, u in zip(path, middle, collected(model, middle), strict=True):
        expected = x * (u - (x * u).sum(axis=1, keepdims=True))
        np.testing.assert_allclose((points[2] - points[0]) / (2 * step), expected, atol=1e-7)


@pytest.mark.parametrize("noise", [0.0, 0.3])
def test_faces_of_the_simplex_are_kept(noise: float) -> None:
    model = NormalFormModel([ROCK, -ROCK])
    start = [np.array([[0.5, 0.0, 0.5], [0.0, 1.0, 0.0]]), np.array([[0.2, 0.3, 0.5], [0.0, 0.0, 1.0]])]
    path = trajectory(model, start, step=0.1, steps=50, noise=noise, rng=np.random.default_rng(0))
    assert (path[0][:, 0, 1] == 0).all()
    assert (path[0][:, 1] == [0, 1, 0]).all()
    for points in path:
        np.testing.assert_allclose(points.sum(axis=2), 1, atol=1e-12)


def test_dominated_actions_die_out_and_batches_do_not_mix() -> None:
    model = NormalFormModel([[[3, 0], [5, 1]], [[3, 5], [0, 1]]])
    start = random_points(model, 7, 5)
    path = trajectory(model, start, step=0.1, steps=400, every=400)
    assert path[0][-1][:, 0].max() < 1e-8
    alone = trajectory(model, [x[3:4] for x in start], step=0.1, steps=400, every=400)
    np.testing.assert_allclose(alone[1][-1], path[1][-1][3:4], rtol=1e-12)


def test_noise_alone_is_brownian_motion_of_the_log_odds() -> None:
    model = NormalFormModel(np.zeros((1, 2)))
    batch, time, sigma = 20_000, 4.0, 0.3
    end = trajectory(
        model,
        [np.full((batch, 2), 0.5)],
        step=0.5,
        steps=8,
        noise=sigma,
        rng=np.random.default_rng(6),
        every=8,
    )[0][-1]
    odds = np.log(end[:, 0] / end[:, 1])
    # Two independent scores of variance sigma^2 time; the variance of 20,000 draws is off by 1 % (one sigma).
    assert odds.mean() == pytest.approx(0, abs=4 * sigma * np.sqrt(2 * time / batch))
    assert odds.var() == pytest.approx(2 * sigma**2 * time, rel=0.05)


def test_the_same_generator_gives_the_same_path_and_small_noise_the_smooth_one() -> None:
    start = random_points(COORDINATION, 3, 7)

    def run(noise: float, seed: int) -> np.ndarray:
        rng = np.random.default_rng(seed)
        return trajectory(COORDINATION, start, step=0.01, steps=200, noise=noise, rng=rng)[0]

    np.testing.assert_array_equal(run(0.2, 1), run(0.2, 1))
    assert np.abs(run(0.2, 1) - run(0.2, 2)).max() > 0.01
    np.testing.assert_allclose(run(1e-9, 1), run(0.0, 1), atol=0.02)  # Euler's error at this step


def test_bad_input_is_named() -> None:
    start = random_points(COORDINATION, 2, 8)
    with pytest.raises(InputError, match="noise needs a generator"):
        trajectory(COORDINATION, start, step=0.1, steps=1, noise=0.1)
    with pytest.raises(InputError, match=r"initial must be \[B, A\]"):
        trajectory(COORDINATION, [start[0]], step=0.1, steps=1)


@settings(max_examples=15, deadline=None)
@given(
    payoffs=st.sampled_from([(2, 2, 3), (3, 2, 2, 2)]).flatmap(
        lambda shape: hnp.arrays(np.float64, shape, elements=st.integers(-3, 3).map(float))
    )
)
def test_regret_of_the_average_is_within_the_bound(payoffs: np.ndarray) -> None:
    """log(A) / T for each player, from the uniform start; Hofbauer, Sorin and Viossat (2009)."""
    model, time = NormalFormModel(payoffs), 20.0
    device = average_play(model, time=time, step=0.1)
    unit = max(float(np.ptp(payoffs.reshape(len(payoffs), -1), axis=1).max()), 1e-9)
    gap = score(model, CorrelatedStrategy(model, device)).cce_gap
    assert gap is not None
    assert gap <= unit * sum(np.log(model.num_actions)) / time + 1e-4 * unit


def test_the_average_is_a_nash_equilibrium_of_a_zero_sum_game_up_to_its_status() -> None:
    model = NormalFormModel([SKEW, -SKEW])
    result = solve(model, tolerance=1e-2, settings={"time": 1000.0})
    assert result.status is Status.CONVERGED
    assert score(model, result.policy.marginals()).nash_conv <= 1e-2
    short = solve(model, settings={"time": 1.0}, tolerance=1e-9)
    assert short.status is Status.ITERATION_LIMIT
    assert "after time=1 the gap may be" in short.message


def test_the_default_tolerance_is_one_that_the_default_time_reaches() -> None:
    for model in (COORDINATION, NormalFormModel([SKEW, -SKEW])):
        assert solve(model).status is Status.CONVERGED
