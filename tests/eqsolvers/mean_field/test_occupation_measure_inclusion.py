"""Forward-backward splitting over occupation measures, and the projection that it rests on."""

from __future__ import annotations

import clarabel
import numpy as np
import pytest
from scipy import sparse

import eqenvs
from eqenvs.arrays import Constants
from eqenvs.errors import UnsupportedGame
from eqenvs.models.mean_field import CommonNoise, MeanFieldModel
from eqenvs.testing.mean_field import random_policy
from eqsolvers.mean_field._dynamics import Dynamics
from eqsolvers.mean_field._flow_polytope import ACCURACY, FlowPolytope
from eqsolvers.mean_field.occupation_measure_inclusion import SOLVER, OccupationInclusion
from eqsolvers.result import Status

NOISE = CommonNoise(initial=[0.25, 0.75], kernel=[[0.5, 0.5], [0.0, 1.0]])


def crowded(kernel=None, horizon=4):
    """Two populations with their own monotone rewards, common noise, an illegal action."""
    rng = np.random.default_rng(3)
    legal = np.ones((4, 3))
    legal[1, 0] = 0
    constants = Constants(table=rng.normal(size=(4, 3)))
    kernel = rng.dirichlet(np.ones(4), size=(4, 3)) if kernel is None else kernel

    def reward(mean_field, moment):
        return constants.on("table", mean_field) - ((1 + moment.noise)[..., None, None] * mean_field)[..., None]

    initial = rng.dirichlet(np.ones(4), size=2)
    return MeanFieldModel(kernel, reward, initial, horizon=horizon, discount=0.9, legal=legal, noise=NOISE)


def operator_game():
    """Moves that could depend on the mean field, as far as anybody can tell."""
    successors = np.broadcast_to(np.arange(2), (2, 1, 2))
    return MeanFieldModel(
        lambda mu, m: np.full((*mu.shape, 1, 2), 0.5),
        lambda mu, m: -mu[..., None],
        [0.5, 0.5],
        successors=successors,
        horizon=2,
    )


def weights(model):
    return model.moments.reach * model.discount**model.moments.time


@pytest.mark.parametrize("make", [crowded, eqenvs.make("crowd_1d").model], ids=["noise", "crowd_1d"])
@pytest.mark.parametrize("size", [0.01, 1.0])
def test_the_projection_is_that_of_an_interior_point_method(make, size):
    model = make()
    polytope = FlowPolytope(model, 0, weights(model))
    moments, _, states, actions = model.policy_shape
    rng = np.random.default_rng(0)
    dynamics = Dynamics(model)
    measure = (dynamics.flow(dynamics.uniform())[..., None] * dynamics.uniform())[:, 0]
    point = measure + size * rng.normal(size=measure.shape)
    found = polytope.project(point)
    assert found.violation <= ACCURACY
    # The equations anew, from the kernel, one by one.
    base = model.probabilities(model.initial, model.at(0))[0]
    rows, right = [], []
    for moment in range(moments):
        for state in range(states):
            row = np.zeros((moments, states, actions))
            row[moment, state] = 1.0
            parent = model.moments.parent[moment]
            if parent >= 0:
                row[parent] -= np.where(model.successors == state, base, 0.0).sum(axis=-1)
            rows.append(row.reshape(-1))
            right.append(model.initial[0, state] if parent < 0 else 0.0)
    for cell in np.argwhere(~np.broadcast_to(model.legal, (moments, states, actions))):
        rows.append(np.zeros(point.size))
        rows[-1][np.ravel_multi_index(tuple(cell), point.shape)] = 1.0
        right.append(0.0)
    weight = np.repeat(weights(model), states * actions)
    settings = clarabel.DefaultSettings()
    settings.verbose = False
    settings.tol_feas = settings.tol_gap_abs = settings.tol_gap_rel = 1e-12
    system = sparse.csc_matrix(np.vstack([*rows, -np.eye(point.size)]))
    cones = [clarabel.ZeroConeT(len(right)), clarabel.NonnegativeConeT(point.size)]
    bound = np.concatenate([right, np.zeros(point.size)])
    quadratic = sparse.csc_matrix(sparse.diags(weight))
    expected = clarabel.DefaultSolver(quadratic, -weight * point.reshape(-1), system, bound, cones, settings).solve()
    np.testing.assert_allclose(found.measure.reshape(-1), np.asarray(expected.x), atol=1e-6)


def test_occupation_measures_are_their_own_projections():
    model = crowded()
    polytope = FlowPolytope(model, 1, weights(model))
    policy = random_policy(model, np.random.default_rng(0))
    measure = (Dynamics(model).flow(policy)[..., None] * policy)[:, 1]
    found = polytope.project(measure)
    np.testing.assert_allclose(found.measure, measure, atol=1e-14)
    assert found.steps == 0


def test_the_dual_found_is_the_dual_of_the_same_point():
    model = crowded()
    polytope = FlowPolytope(model, 0, weights(model))
    moments, _, states, actions = model.policy_shape
    point = np.random.default_rng(1).normal(size=(moments, states, actions))
    first = polytope.project(point)
    assert first.steps > 1
    again = polytope.project(point, np.zeros_like(first.dual), first.dual)
    assert again.steps == 0
    np.testing.assert_allclose(again.measure, first.measure, atol=1e-15)


def test_left_right_ends_at_two_thirds():
    found = SOLVER.solve(eqenvs.make("left_right").model(), tolerance=1e-10)
    assert found.status is Status.CONVERGED
    assert found.policy.tables[0][0, 0] == pytest.approx(2 / 3, abs=1e-9)


def test_crowd_1d_ends_where_mirror_descent_does():
    model = eqenvs.make("crowd_1d").model()
    found = SOLVER.solve(model, tolerance=1e-3, iterations=400)
    assert found.status is Status.CONVERGED
    value = Dynamics(model).evaluate(model.as_array(found.policy.tables)).values
    np.testing.assert_allclose(value, 28.3375, atol=1e-3)


def test_populations_under_common_noise():
    process = OccupationInclusion(crowded())
    begun = process.residual()
    process.run(200)
    assert process.residual() <= 1e-6 * begun
    assert process.measures()["flow_violation"] <= ACCURACY
    assert (process.current()[..., 1, 0] == 0).all()
    measure = process.state()["arrays"]["measure"]
    np.testing.assert_allclose(measure.sum(axis=-1), process.dynamics.flow(process.current()), atol=1e-11)


def test_a_perturbation_moves_the_limit_as_its_equations_say():
    """The equilibrium of left or right, where a measure of d costs d times the perturbation more."""
    process = OccupationInclusion(eqenvs.make("left_right").model(), alpha=0.2, perturbation=0.4)
    process.run(300)
    # The first decision costs e mu(L); the second is split evenly between two actions and costs e mu(L) / 2.
    extra = 0.4 * 1.5
    expected = (2 + extra) / (3 + 2 * extra)
    assert process.current()[0, 0, 0, 0] == pytest.approx(expected, abs=1e-9)


def test_it_goes_on_from_a_state_to_the_bit():
    model = crowded()
    one, other = OccupationInclusion(model), OccupationInclusion(model)
    one.run(4)
    other.restore(one.state())
    one.run(3)
    other.run(3)
    np.testing.assert_array_equal(one.current(), other.current())


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (eqenvs.make("sis").model, "do not depend on the mean field.*mf-omo"),
        (lambda: MeanFieldModel(np.eye(2)[:, None], lambda mu, m: -mu[..., None], [0.5, 0.5], discount=0.5), "horizon"),
        (operator_game, "do not depend"),
    ],
)
def test_games_that_it_does_not_cover_are_refused(make, message):
    with pytest.raises(UnsupportedGame, match=message):
        OccupationInclusion(make())
