"""Robust value iteration: worst cases against linear and nonlinear programmes, brute force, limits of the radius."""

from __future__ import annotations

from decimal import Decimal, getcontext
from itertools import pairwise

import numpy as np
import pytest
from scipy.optimize import linprog, minimize

import eqenvs
from eqenvs.errors import InputError, UnsupportedGame
from eqenvs.models import MarkovModel
from eqsolvers.markov import shapley_iteration
from eqsolvers.markov._nature import SETS, worst_case
from eqsolvers.markov.robust_vi import SOLVER, robust_payoffs, robust_residual, start
from eqsolvers.normal_form.lp import solve_matrix
from eqsolvers.result import Status
from eqsolvers.scoring import score


def model_of(**parameters):
    return eqenvs.make("random_markov_game", **{"zero_sum": True, **parameters}).model()


def least_by_programme(p, values, kind, radius, own):
    """The least expected value over the set around p, by a general solver."""
    open_to = p > 0 if own or kind == "kl" else np.ones(len(p), dtype=bool)
    if kind == "contamination":
        return (1 - radius) * p @ values + radius * values[open_to].min()
    if kind == "total-variation":
        n = len(p)  # q, and |q - p|
        bounds = [(0, None if may else 0) for may in open_to] + [(0, None)] * n
        found = linprog(
            np.append(values, np.zeros(n)),
            A_ub=np.block([[np.eye(n), -np.eye(n)], [-np.eye(n), -np.eye(n)], [np.zeros(n), np.ones(n)]]),
            b_ub=np.concatenate([p, -p, [2 * radius]]),
            A_eq=np.append(np.ones(n), np.zeros(n))[None],
            b_eq=[1],
            bounds=bounds,
        )
        return found.fun
    p, values = p[open_to], values[open_to]

    def divergence(q):
        return float((q * np.log(np.maximum(q, 1e-300) / p)).sum())

    found = minimize(
        lambda q: q @ values,
        p,
        method="SLSQP",
        bounds=[(0, 1)] * len(p),
        constraints=[
            {"type": "eq", "fun": lambda q: q.sum() - 1},
            {"type": "ineq", "fun": lambda q: radius - divergence(q)},
        ],
        options={"ftol": 1e-14, "maxiter": 1000},
    )
    return found.fun


@pytest.mark.parametrize("radius", [0.05, 0.3, 0.9])
@pytest.mark.parametrize("own", [False, True])
@pytest.mark.parametrize("kind", SETS)
def test_worst_cases_are_those_of_general_programmes(kind, own, radius):
    model = model_of(num_states=5, action_counts="2x3", branching=3)
    values = np.random.default_rng(0).normal(size=5)
    found = worst_case(model, kind, radius, own=own)(values)
    rows = model.transition.reshape(-1, 5)
    expected = [least_by_programme(p, values, kind, radius, own) for p in rows]
    np.testing.assert_allclose(found, expected, atol=1e-6 if kind == "kl" else 1e-9)


def least_by_decimals(p, values, radius):
    """The least expected value over KL(q, p) <= radius, in 60 digits: q ~ p exp(-t v), t by bisection of KL(q, p)."""
    getcontext().prec = 60
    listed = [(Decimal(float(share)), Decimal(float(value))) for share, value in zip(p, values, strict=True) if share]
    whole, least = sum(share for share, _ in listed), min(value for _, value in listed)
    over, radius = [(share / whole, value - least) for share, value in listed], Decimal(radius)

    def tilted(t):
        weights = [(share * (-t * above).exp(), above) for share, above in over]
        total = sum(weight for weight, _ in weights)
        mean = sum(weight * above for weight, above in weights) / total
        return -t * mean - total.ln(), mean

    if radius >= -sum(share for share, above in over if above == 0).ln():
        return least
    low = high = 1 / max(above for _, above in over)
    while tilted(high)[0] < radius:
        high *= 2
    while tilted(low)[0] > radius:
        low /= 16
    for _ in range(120):
        t = (low * high).sqrt()
        low, high = (t, high) if tilted(t)[0] < radius else (low, t)
    return least + tilted(low)[1]


@pytest.mark.parametrize("radius", [1e-40, 1e-20, 1e-16, 3e-14, 1e-10, 1e-6, 1e-3, 0.1, 1.0])
def test_divergence_sets_of_any_radius_are_exact_to_rounding(radius):
    rng = np.random.default_rng(3)
    rows = [rng.dirichlet(np.full(6, spread)) for spread in (0.2, 1.0, 5.0)]
    rows += [[1e-15, 0, 0, 0, 0, 1 - 1e-15], [1 - 1e-12, 0, 0, 0, 0, 1e-12], [1e-30, 0, 0, 0.5, 0.5, 0]]
    model = MarkovModel(np.array(rows)[:, None], np.zeros((1, 6, 1)), np.full(6, 1 / 6), discount=0.9)
    start, state, probability = model.successors
    for values in (rng.normal(size=6), np.array([1.0, 0.3, -0.2, 1e-10, 0.0, 0.0])):
        found = worst_case(model, "kl", radius, own=True)(values)
        for row, (begin, end) in enumerate(pairwise(start)):
            exact = least_by_decimals(probability[begin:end], values[state[begin:end]], radius)
            assert abs(Decimal(float(found[row])) - exact) <= Decimal("1e-15"), row


def test_the_divergence_of_two_states_in_closed_form():
    """KL sets around p = (1/2, 1/2): the worst q solves log 2 + q log q + (1 - q) log(1 - q) = radius."""
    q = 0.2
    radius = np.log(2) + q * np.log(q) + (1 - q) * np.log(1 - q)
    model = MarkovModel(np.full((2, 1, 2), 0.5), np.zeros((1, 2, 1)), [1.0, 0], discount=0.9)
    np.testing.assert_allclose(worst_case(model, "kl", radius, own=False)(np.array([1.0, 0.0])), q, atol=1e-12)
    beyond = worst_case(model, "kl", np.log(2) + 1e-9, own=False)(np.array([1.0, 0.0]))
    assert beyond.tolist() == [0, 0]


def test_the_end_of_the_game_is_worth_nothing_and_can_be_the_worst():
    kernel = np.array([[[0.5, 0.0, 0.5]], [[0.0, 1.0, 0.0]]])  # two states, one action; half the time it ends
    model = MarkovModel(kernel, np.ones((1, 2, 1)), [1.0, 0], discount=0.5)
    values = np.array([2.0, 3.0])
    assert worst_case(model, "contamination", 1.0, own=False)(values).tolist() == [0, 0]
    assert worst_case(model, "contamination", 1.0, own=True)(values).tolist() == [0, 3]
    assert worst_case(model, "total-variation", 0.25, own=True)(values).tolist() == [0.5, 3]


def brute_force(model, kind, radius, own, iterations):
    values = np.zeros(model.num_states)
    rows = model.transition
    for _ in range(iterations):
        following = np.empty_like(values)
        for state in range(model.num_states):
            shape = model.num_actions
            game = np.empty(shape)
            for joint in np.ndindex(shape):
                worst = least_by_programme(rows[(state, *joint)], values, kind, radius, own)
                game[joint] = model.reward[(0, state, *joint)] + model.discount * worst
            following[state] = game.max() if len(shape) == 1 else solve_matrix(game)[2]
        values = following
    return values


@pytest.mark.parametrize("kind", ["total-variation", "contamination"])
@pytest.mark.parametrize("parameters", [{}, {"zero_sum": False, "num_players": 1, "num_actions": 3}])
def test_values_are_those_of_a_plain_loop(kind, parameters):
    game = {"num_states": 3, "discount": 0.6, "branching": 2, **parameters}
    model = model_of(**game) if parameters else model_of(**game, action_counts="2x3")
    process = start(model, uncertainty=kind, radius=0.2)
    process.run(12)
    np.testing.assert_allclose(process.values[:, 0], brute_force(model, kind, 0.2, False, 12), atol=1e-9)


@pytest.mark.parametrize("kind", SETS)
def test_a_radius_of_zero_is_shapley_iteration(kind):
    model = model_of(num_states=6, action_counts="2x3")
    robust, plain = start(model, uncertainty=kind, radius=0.0), shapley_iteration.start(model)
    for process in (robust, plain):
        process.run(50)
    np.testing.assert_allclose(robust.values, plain.values, atol=1e-12)
    assert robust.residual() == pytest.approx(plain.residual(), abs=1e-11)


@pytest.mark.parametrize("kind", SETS)
@pytest.mark.parametrize("horizon", [None, 4])
def test_the_residual_is_zero_at_the_solution_and_not_elsewhere(kind, horizon):
    model = model_of(num_states=5, action_counts="2x3", horizon=horizon, seed=2)
    found = SOLVER.solve(model, settings={"uncertainty": kind, "radius": 0.3})
    assert found.status is Status.CONVERGED
    assert found.residual <= 1e-9
    payoffs = robust_payoffs(model, kind, 0.3, own=False)
    assert robust_residual(model, eqenvs.policies.uniform(model), payoffs) > 0.1


@pytest.mark.parametrize("kind", SETS)
def test_values_fall_with_the_radius_and_the_guarantee_holds_in_the_nominal_game(kind):
    model = model_of(num_states=6, action_counts="3x2", seed=1)
    values = []
    for radius in (0.0, 0.1, 0.4, 1.0):
        process = start(model, uncertainty=kind, radius=radius)
        process.run(300)
        values.append(process.values[:, 0])
        guaranteed = -score_of_best_reply(model, process.policy())
        assert guaranteed >= float(model.initial @ process.values[:, 0]) - 1e-9
    assert all((after <= before + 1e-12).all() for before, after in pairwise(values))
    assert (values[-1] < values[0] - 1e-3).all()


def score_of_best_reply(model, policy):
    """What the second player gets at best in the game without nature."""
    scored = score(model, policy)
    return float(scored.values[1] + scored.gains[1])


def test_all_contamination_leaves_the_least_state():
    """Radius 1: nature chooses the next state, so that the values solve v = val(r) + discount min v."""
    model = model_of(num_states=4, action_counts="2x3", discount=0.5)
    process = start(model, uncertainty="contamination", radius=1.0)
    process.run(80)
    stage = np.array([solve_matrix(model.reward[0, s])[2] for s in range(4)])
    np.testing.assert_allclose(process.values[:, 0], stage + 0.5 * stage.min() / 0.5, atol=1e-9)


def test_bad_input():
    with pytest.raises(InputError, match="'radius' must be at most 1, but for uncertainty=kl; got 2"):
        SOLVER.solve(model_of(), settings={"radius": 2.0})
    with pytest.raises(InputError, match="'radius' must be a number from 0"):
        SOLVER.solve(model_of(), settings={"radius": -0.1})
    with pytest.raises(UnsupportedGame, match=r"^robust-vi: covers two-player constant-sum games only"):
        SOLVER.solve(model_of(zero_sum=False))
