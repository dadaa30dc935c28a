"""Policy mirror ascent as an operator: the step against other ways to it, its fixed points and its rate."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.special import lambertw

import eqenvs
from eqenvs.models.mean_field import Affine, MeanFieldModel
from eqenvs.spec import Family
from eqsolvers.mean_field._dynamics import Dynamics
from eqsolvers.mean_field._mirror import Mirror, maximise
from eqsolvers.mean_field._tables import softmax
from eqsolvers.mean_field.pma import ascend, policy_change, regularised_quality
from eqsolvers.result import solvers
from eqsolvers.scoring import score

PMA = solvers(Family.MEAN_FIELD)["pma"]


def ring(size=4, discount=0.8, crowd=1.0):
    """Left, stay, right on a ring where crowded states pay less; not symmetric, one action illegal in one state."""
    successors, kernel = np.zeros((size, 3, 3), dtype=int), np.full((size, 3, 3), 0.1)
    for state, (action, move) in product(range(size), enumerate((-1, 0, 1))):
        successors[state, action] = [(state - 1) % size, state, (state + 1) % size]
        kernel[state, action, move + 1] += 0.7
    legal = np.ones((size, 3))
    legal[1, 2] = 0
    place, stay = np.linspace(1, 0, size), np.array([0.0, 0.02, 0.0])

    def reward(mean_field, moment):
        return 0.5 * (place - crowd * mean_field)[..., None] + stay

    first = np.full(size, 1 / size)
    return MeanFieldModel(kernel, reward, first, successors=successors, discount=discount, legal=legal)


def epidemic(discount=0.9):
    """SIS for ever: infection depends on the mean field."""
    base, slope = np.zeros((2, 2, 2)), np.zeros((1, 2, 2, 2))
    base[0, :, 0], base[1] = 1.0, [0.3, 0.7]
    slope[0, 0, 0] = [-0.81, 0.81]
    cost = np.array([[0.0, 0.5], [1.0, 1.5]])
    transition = Affine(base=base, slope=slope, weight=[[0.0, 1.0]])
    return MeanFieldModel(transition, lambda m, moment: -cost, [0.4, 0.6], discount=discount)


def two_populations(discount=0.7):
    """The first likes to be where the second is, which likes to be elsewhere; asymmetric kernels."""
    rng = np.random.default_rng(3)
    kernel = rng.dirichlet(np.ones(3), size=(2, 3, 2))
    successors = np.broadcast_to(np.arange(3), (3, 2, 3)).copy()

    def reward(mean_field, moment):
        other = mean_field[..., ::-1, :]
        return 0.3 * (other * np.array([[1.0], [-1.0]]))[..., None] + np.array([0.0, 0.1])

    return MeanFieldModel(Affine(base=kernel), reward, np.full((2, 3), 1 / 3), successors=successors, discount=discount)


GAMES = {
    "ring": ring(),
    "epidemic": epidemic(),
    "two populations": two_populations(),
    "left or right": eqenvs.make("left_right").model(),
    "sis": eqenvs.make("sis", horizon=12).model(),
}


def twin(linear, entropy, square, least):
    """The maximum by bisection on the multiplier, with Lambert's function for the inner root."""

    def entries(multiplier):
        right = linear - multiplier
        if entropy == 0:
            return np.maximum(least, right / square)
        if square == 0:
            return np.maximum(least, np.exp(np.minimum(right / entropy, 700.0)))
        # w log u + b u = y: u = (a / b) W(b / a exp(y / a))
        return np.maximum(least, (entropy / square * lambertw(square / entropy * np.exp(right / entropy))).real)

    low, high = linear.max() - square, linear.max() + entropy * np.log(len(linear)) + 1e-9
    for _ in range(200):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if entries(middle).sum() > 1 else (low, middle)
    return entries(0.5 * (low + high))


@pytest.mark.parametrize(("entropy", "square"), [(0.3, 0.0), (0.0, 0.7), (0.2, 1.0), (2.0, 0.1), (0.05, 3.0)])
@pytest.mark.parametrize("floor", [0.0, 0.2])
def test_step_at_a_point_is_the_maximum_found_by_bisection(entropy, square, floor):
    rng = np.random.default_rng(5)
    for count in (1, 2, 3, 7):
        for scale in (0.1, 1.0, 10.0):
            linear, found = rng.normal(size=count) * scale, np.empty(count)
            maximise(linear, count, entropy, square, floor / count, found)
            np.testing.assert_allclose(found, twin(linear, entropy, square, floor / count), atol=1e-12)
            assert found.sum() == pytest.approx(1.0, abs=1e-14)


def test_entropy_alone_is_a_softmax_and_a_square_alone_a_projection():
    linear = np.array([0.3, -0.2, 0.25, 0.9])
    found = np.empty(4)
    maximise(linear, 4, 0.4, 0.0, 0.0, found)
    np.testing.assert_allclose(found, np.exp(linear / 0.4) / np.exp(linear / 0.4).sum(), rtol=1e-14)
    maximise(linear, 4, 0.0, 1.0, 0.0, found)
    # Sorted: .9, .3, .25, -.2; with three of them the threshold is .45 / 3 = .15, above -.2.
    np.testing.assert_allclose(found, [0.15, 0.0, 0.1, 0.75], atol=1e-15)


@pytest.mark.parametrize(
    ("entropy", "square"), [(1e-9, 1.0), (1e9, 1.0), (1.0, 1e-9), (1.0, 1e9), (1e-9, 1e-9), (1e9, 1e9), (0.0, 1e-9)]
)
def test_extreme_weights_stay_on_the_simplex_and_satisfy_the_first_order_condition(entropy, square):
    for linear in (np.array([1e6, -1e6, 0.0]), np.array([1e-6, 0.0, 2e-6]), np.array([5.0, 5.0, 4.0])):
        found = np.empty(3)
        maximise(linear, 3, entropy, square, 0.0, found)
        assert (found >= 0).all()  # nor NaN
        assert found.sum() == pytest.approx(1.0, abs=1e-12)
        inside = found > 1e-300
        gradient = linear[inside] - square * found[inside]
        if entropy:
            gradient = gradient - entropy * np.log(found[inside])
        scale = np.abs(linear).max() + square + entropy * 700
        assert np.ptp(gradient) <= 1e-12 * scale


@pytest.mark.parametrize("regulariser", ["entropy", "euclidean"])
@pytest.mark.parametrize("distance", ["euclidean", "kl"])
def test_step_beats_every_other_policy_in_its_own_objective(regulariser, distance):
    rng = np.random.default_rng(11)
    legal = np.array([[True, True, True], [True, False, True]])
    quality = rng.normal(size=(2, 1, 2, 3))
    weight = rng.random((2, 1, 2, 3)) * legal
    policy = weight / weight.sum(axis=-1, keepdims=True)
    mirror = Mirror(regulariser, 0.3, distance, 0.5, 0.0)

    def objective(other):
        near = ((other - policy) ** 2).sum(axis=-1) / 2
        if distance == "kl":
            ratio = np.divide(other, policy, out=np.ones_like(other), where=other > 0)
            near = (other * np.log(ratio)).sum(axis=-1)
        return (other * quality).sum(axis=-1) + mirror.bonus(other) - near / 0.5

    found = mirror.step(policy, quality, legal)
    assert not found[..., ~legal].any()
    best = objective(found)
    for _ in range(2_000):
        weight = rng.exponential(size=policy.shape) ** rng.choice([0.1, 1.0, 4.0]) * legal
        other = weight / weight.sum(axis=-1, keepdims=True)
        close = found + 1e-3 * (other - found)
        assert (objective(other) <= best + 1e-12).all()
        assert (objective(close) <= best + 1e-12).all()


def run_to_rest(process):
    """Until a step changes the policy by less than 1e-9, within 400."""
    while process.measures()["policy_change"] >= 1e-9:
        assert process.iteration < 400
        process.run(20)


@pytest.mark.parametrize(
    ("distance", "name"), [*product(["euclidean"], GAMES), *product(["kl"], ["two populations", "sis"])]
)
def test_fixed_points_with_entropy_are_softmax_whatever_the_step(distance, name):
    model, tau = GAMES[name], 1.0 if name == "left or right" else 0.25  # enough for the longest step to contract
    found = []
    for eta in (0.5, 1.0, 4.0):
        process = PMA.start(model, settings={"eta": eta, "tau": tau, "distance": distance})
        run_to_rest(process)
        mirror = Mirror("entropy", tau, distance, eta, 0.0)
        policy = process.current()
        quality = regularised_quality(process.dynamics, mirror, policy)
        np.testing.assert_allclose(policy, softmax(quality / tau, model.legal), atol=1e-8)
        found.append(policy)
    # Where nobody ever is, a policy matters to nobody, but it is still a softmax.
    np.testing.assert_allclose(found[1], found[0], atol=1e-8)
    np.testing.assert_allclose(found[2], found[0], atol=1e-8)


def test_fixed_points_with_the_euclidean_regulariser_are_projections():
    model, tau = GAMES["ring"], 0.1
    process = PMA.start(model, settings={"regulariser": "euclidean", "tau": tau, "eta": 1.0})
    process.run(300)
    policy = process.current()
    quality = regularised_quality(process.dynamics, Mirror("euclidean", tau, "euclidean", 1.0, 0.0), policy)
    for state in range(model.num_states):
        own = model.legal[state]
        expected = twin(quality[0, 0, state, own], 0.0, tau, 0.0)
        np.testing.assert_allclose(policy[0, 0, state, own], expected, atol=1e-10)
    assert (policy[0, 0][model.legal] == 0).any()  # unlike with the entropy


@pytest.mark.parametrize("tau", [0.1, 1.0])
def test_left_or_right_by_hand(tau):
    """On the left pays -p, on the right -2 (1 - p): tau log(p / (1 - p)) = 2 - 3 p."""
    share = brentq(lambda p: tau * np.log(p / (1 - p)) - (2 - 3 * p), 1e-9, 1 - 1e-9)
    process = PMA.start(GAMES["left or right"], settings={"tau": tau, "eta": 0.3})
    process.run(500)
    assert process.current()[0, 0, 0, 0] == pytest.approx(share, abs=1e-10)


def test_without_a_regulariser_fixed_points_are_equilibria():
    process = PMA.start(GAMES["left or right"], settings={"tau": 0.0, "eta": 0.1})
    process.run(500)
    found = score(GAMES["left or right"], process.policy())
    assert found.values[0] == pytest.approx(-2 / 3, abs=1e-9)
    assert process.residual() == found.nash_conv < 1e-9


@pytest.mark.parametrize("eta", [0.5, 1.0, 2.0])
def test_convergence_is_linear_where_the_game_is_regular_enough(eta):
    dynamics = Dynamics(GAMES["ring"])
    mirror = Mirror("entropy", 0.3, "euclidean", eta, 0.0)
    policy, changes = dynamics.uniform(), []
    for _ in range(60):
        changes.append(policy_change(dynamics, mirror, policy))
        policy = ascend(dynamics, mirror, policy)
    logs = np.log(np.array([change for change in changes if 1e-12 < change < 1e-4]))
    slope, offset = np.polyfit(np.arange(len(logs)), logs, 1)
    assert -1.5 < slope < -0.2
    assert logs[0] - logs[-1] > 10
    assert np.abs(logs - slope * np.arange(len(logs)) - offset).max() < 0.25  # a line all the way


def test_policies_keep_to_the_floor():
    process = PMA.start(GAMES["ring"], settings={"tau": 0.01, "floor": 0.3, "eta": 1.0})
    process.run(200)
    legal = GAMES["ring"].legal
    above = np.where(legal, process.current()[0, 0] - 0.3 / legal.sum(axis=1, keepdims=True), 1.0).min(axis=1)
    assert (above > -1e-15).all()
    assert (above < 1e-15).sum() >= 3  # it binds
    assert process.measures()["policy_change"] < 1e-9


def test_state_restores_to_the_same_bits():
    whole, cut = PMA.start(GAMES["two populations"]), PMA.start(GAMES["two populations"])
    whole.run(7)
    cut.run(3)
    other = PMA.start(GAMES["two populations"])
    other.restore(cut.state())
    other.run(4)
    assert other.current().tobytes() == whole.current().tobytes()
