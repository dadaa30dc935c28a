"""Anderson acceleration: its least squares, its speed against the plain map, its equilibria, its safeguard."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import eqenvs
from eqsolvers.mean_field.anderson import SOLVER, Anderson, accelerated, least_squares
from eqsolvers.mean_field.newton_krylov import NewtonKrylov
from eqsolvers.mean_field.softmax_iteration import SoftmaxIteration
from eqsolvers.result import Status


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), rows=st.integers(1, 12), columns=st.integers(1, 6), ridge=st.floats(1e-6, 10))
def test_least_squares_solve_their_normal_equations(seed, rows, columns, ridge):
    rng = np.random.default_rng(seed)
    matrix, target = rng.normal(size=(rows, columns)), rng.normal(size=rows)
    weight = ridge * np.linalg.norm(matrix, 2) ** 2
    expected = np.linalg.solve(matrix.T @ matrix + weight * np.eye(columns), matrix.T @ target)
    np.testing.assert_allclose(least_squares(matrix, target, ridge), expected, rtol=1e-6, atol=1e-9)


def test_differences_that_say_nothing_are_given_no_weight():
    np.testing.assert_array_equal(least_squares(np.zeros((4, 2)), np.ones(4), 1e-12), 0.0)


@pytest.mark.parametrize("mixing", [1.0, 0.3])
@pytest.mark.parametrize("size", [1, 3, 5])
def test_an_affine_map_is_solved_in_one_step_more_than_it_has_dimensions(size, mixing):
    """Walker and Ni: with full memory it is essentially GMRES, whether the map contracts or not."""
    rng = np.random.default_rng(size)
    matrix, shift = 2 * rng.normal(size=(size, size)), rng.normal(size=size)
    xs, fs = [np.zeros(size)], [shift]
    for _ in range(size + 1):
        moves, changes = np.diff(xs, axis=0).reshape(-1, size), np.diff(fs, axis=0).reshape(-1, size)
        xs.append(accelerated(xs[-1], fs[-1], moves, changes, mixing))
        fs.append(matrix @ xs[-1] + shift - xs[-1])
    assert np.abs(fs[-1]).max() <= 1e-7 * np.abs(xs).max()
    assert np.abs(fs[-2]).max() > 1e-3


@pytest.mark.parametrize(
    ("name", "parameters", "tau"),
    [
        ("sis", {}, 1.0),
        ("crowd_1d", {}, 2.0),
        ("random_mean_field_game", {"num_states": 5, "num_populations": 2, "horizon": 4}, 1.0),
        ("random_mean_field_game", {"num_states": 5, "horizon": None, "discount": 0.8}, 1.0),
    ],
)
def test_where_the_iteration_converges_it_finds_the_same_equilibrium(name, parameters, tau):
    model = eqenvs.make(name, **parameters).model()
    plain = SoftmaxIteration(model, tau=tau)
    plain.run(200)
    assert plain.residual() <= 1e-12
    found = SOLVER.solve(model, concept="qre", settings={"tau": tau}, tolerance=1e-11, iterations=200)
    assert found.status is Status.CONVERGED
    np.testing.assert_allclose(model.as_array(found.policy.tables), plain.current(), atol=1e-10)


def test_it_takes_fewer_maps_than_the_plain_iteration():
    model = eqenvs.make("crowd_1d").model()

    def needed(process):
        while process.residual() > 1e-10 and process.iteration < 300:
            process.run(1)
        return process.iteration

    plain, fast = needed(SoftmaxIteration(model, tau=2.0)), needed(Anderson(model, concept="qre", tau=2.0, start=2.0))
    assert plain < 300
    assert fast < plain / 5


def test_it_finds_it_where_the_iteration_goes_round():
    model = eqenvs.make("crowd_1d").model()
    found = SOLVER.solve(model, concept="qre", settings={"tau": 0.05}, tolerance=1e-10, iterations=400)
    assert found.status is Status.CONVERGED
    newton = NewtonKrylov(model, concept="qre", tau=0.05)
    newton.run(60)
    np.testing.assert_allclose(model.as_array(found.policy.tables), newton.current(), atol=1e-9)


@pytest.mark.parametrize("name", ["left_right", "crowd_1d"])
def test_cooled_down_it_is_an_equilibrium(name):
    found = SOLVER.solve(eqenvs.make(name).model(), tolerance=1e-3, iterations=1000)
    assert found.status is Status.CONVERGED


def test_where_the_residual_does_not_fall_it_goes_back_and_mixes_less():
    """With one difference only, from the uniform policy, at a temperature far below where the map contracts."""
    process = Anderson(eqenvs.make("crowd_1d").model(), concept="qre", tau=0.1, start=0.1, memory=1)
    mixings = []
    for _ in range(300):
        process.run(1)
        mixings.append(process.state()["arrays"]["counts"][2])
    assert min(mixings) < 1.0
    assert process.residual() <= 1e-9
