"""Approximate aggregation: its parts against closed forms and plain loops, and the published figures."""

from __future__ import annotations

import numpy as np
import pytest

import eqenvs
from eqenvs.errors import InputError, UnsupportedGame
from eqenvs.models.aggregate_economy import AggregateEconomy
from eqenvs.policies import uniform
from eqsolvers import households
from eqsolvers.mean_field.approximate_aggregation import (
    ApproximateAggregation,
    aggregate_path,
    fitted,
    mixed,
)
from eqsolvers.result import Status, find_solver
from eqsolvers.scoring import score

SMALL = {"periods": 3_300, "own": 60, "mean": 8}


@pytest.fixture(scope="module")
def model():
    return eqenvs.make("krusell_smith").model()


@pytest.fixture(scope="module")
def solved(model):
    process = ApproximateAggregation(model, **SMALL)
    process.run(9)
    return process


@pytest.mark.slow
def test_the_published_forecast_is_found(solved):
    found = solved.measures()
    assert solved.residual() < 1e-8
    for state in ("boom", "slump"):
        assert 0.959 < found[f"slope_{state}"] < 0.967
        assert found[f"r_squared_{state}"] > 0.99999
    assert found["forecast_error"] < 0.005
    # Precaution and risk hold a little more than the steady state without risk.
    assert 1.0 < found["mean_capital"] / solved.economy.steady_capital < 1.02


def euler_error(own):
    """The largest relative error of consumption between grid points, by plain interpolation."""
    economy = AggregateEconomy()
    grids = households.grids_of(economy, own=own, mean=5, histogram=2)
    forecast = households.Forecast(np.array([0.14, 0.127]), np.array([0.963, 0.965]))
    start = np.broadcast_to(0.05 + 0.05 * grids.own, (2, 5, 2, own)).copy()
    consumption, change, _ = households.solve_household(economy, grids, forecast, start, tolerance=1e-11)
    assert change <= 1e-11
    capital, worst = np.linspace(5.0, 80.0, 137), 0.0
    for z in range(2):
        for j in (1, 3):
            mean = grids.mean[j]
            after = float(np.exp(forecast.constant[z] + forecast.slope[z] * np.log(mean)))
            up = np.interp(after, grids.mean, np.arange(len(grids.mean)))
            low, share = int(up), up - int(up)
            for e in range(2):
                gross = economy.gross_return(mean, economy.labour[z], economy.productivity[z])
                wage = economy.wage(mean, economy.labour[z], economy.productivity[z])
                spent = np.interp(capital, grids.own, consumption[z, j, e])
                saved = gross * capital + wage * economy.labour_income[z, e] - spent
                marginal = np.zeros_like(capital)
                for y in range(2):
                    later = economy.gross_return(after, economy.labour[y], economy.productivity[y])
                    for f in range(2):
                        both = (1 - share) * consumption[y, low, f] + share * consumption[y, low + 1, f]
                        marginal += economy.joint_law[z, e, y, f] * later / np.interp(saved, grids.own, both)
                worst = max(worst, float(np.abs(1 / (economy.discount * marginal) / spent - 1).max()))
    return worst


def test_households_satisfy_the_euler_equation_up_to_interpolation_of_second_order():
    coarse, fine = euler_error(60), euler_error(240)
    assert fine < 3e-4
    assert fine < coarse / 8  # 16 in the limit


def test_without_labour_income_log_utility_consumes_a_fixed_share():
    own = np.array([0.0, 1.0, 4.0, 9.0])
    law = np.full((2, 2, 2, 2), 0.25)
    gross = np.full((2, 3, 2), 1.02)
    wealth = np.broadcast_to(1.02 * own, (2, 3, 2, 4)).copy()
    below, weight = np.array([[0, 1, 1], [0, 0, 1]]), np.full((2, 3), 0.3)
    now, after = 0.5 * wealth, np.empty_like(wealth)
    for _ in range(300):
        households.improve(own, wealth, gross, below, weight, law, 0.9, 1.0, now, after)
        now, after = after, now
    np.testing.assert_allclose(now, 0.1 * wealth, rtol=1e-9)


def plain_live(points, means, savings, law, aggregate, population):
    capital = []
    for t, z in enumerate(aggregate):
        capital.append(float((population * points).sum()))
        if t == len(aggregate) - 1:
            break
        j = int(np.clip(np.searchsorted(means, capital[-1]) - 1, 0, len(means) - 2))
        up = np.clip((capital[-1] - means[j]) / (means[j + 1] - means[j]), 0, 1)
        after = np.zeros_like(population)
        for e in range(2):
            saved = (1 - up) * savings[z, j, e] + up * savings[z, j + 1, e]
            for i, target in enumerate(np.clip(saved, points[0], points[-1])):
                k = int(np.clip(np.searchsorted(points, target) - 1, 0, len(points) - 2))
                share = (target - points[k]) / (points[k + 1] - points[k])
                for f in range(2):
                    moved = population[e, i] * law[z, aggregate[t + 1], e, f]
                    after[f, k] += moved * (1 - share)
                    after[f, k + 1] += moved * share
        population = after
    return np.array(capital), population


def test_the_histogram_moves_as_in_plain_loops_and_keeps_mass_and_mean():
    rng = np.random.default_rng(4)
    points, means = np.array([0.0, 1.0, 3.0, 7.0, 10.0]), np.array([2.0, 4.0, 5.0])
    savings = np.sort(rng.uniform(0, 11, (2, 3, 2, 5)), axis=-1)
    law, aggregate = AggregateEconomy().employment_law, np.array([0, 1, 1, 0, 1])
    population = rng.dirichlet(np.ones(10)).reshape(2, 5)
    expected = plain_live(points, means, savings, law, aggregate, population)
    found, path = population.copy(), np.empty(5)
    households.live(points, means, savings, law, aggregate, found, path)
    np.testing.assert_allclose(path, expected[0], rtol=0, atol=1e-12)
    np.testing.assert_allclose(found, expected[1], rtol=0, atol=1e-12)
    assert found.sum() == pytest.approx(1)


def test_a_forecast_that_holds_is_fitted_exactly():
    aggregate = aggregate_path(AggregateEconomy(), 400, np.random.default_rng(0))
    path = np.empty(400)
    path[0] = 41.0
    for t in range(399):
        z = aggregate[t]
        path[t + 1] = np.exp((0.14, 0.12)[z] + (0.962, 0.966)[z] * np.log(path[t]))
    fit = fitted(path, aggregate)
    np.testing.assert_allclose(fit.forecast, [[0.14, 0.12], [0.962, 0.966]], atol=1e-9)
    assert fit.r_squared == pytest.approx([1, 1])
    assert fit.error < 1e-9


def test_booms_and_slumps_last_as_long_as_they_should():
    economy = AggregateEconomy(duration=(4.0, 12.0))
    path = aggregate_path(economy, 200_000, np.random.default_rng(1))
    changes = np.flatnonzero(np.diff(path)) + 1
    lengths = np.diff(changes)
    kinds = path[changes[:-1]]
    for z, mean in ((0, 4.0), (1, 12.0)):
        own = lengths[kinds == z]
        assert abs(own.mean() - mean) < 5 * own.std() / np.sqrt(len(own))


def test_mixing_solves_a_linear_equation_in_as_many_steps_as_it_has_unknowns():
    rng = np.random.default_rng(2)
    matrix, constant = rng.normal(size=(3, 3)), rng.normal(size=3)
    fixed = np.linalg.solve(np.eye(3) - matrix, constant)
    points = np.zeros((1, 3))
    for _ in range(4):
        points = np.concatenate([points, mixed(points, points @ matrix.T + constant)[None]])
    np.testing.assert_allclose(points[-1], fixed, atol=1e-8)


def test_the_policy_is_nearly_an_equilibrium_of_the_quarters(model, solved):
    found, random = score(model, solved.policy()), score(model, uniform(model))
    assert found.nash_conv < 0.02 < 0.5 < random.nash_conv


def test_the_same_seed_gives_the_same_figures_and_a_restored_run_goes_on_to_the_bit(model):
    settings = {"periods": 220, "own": 20, "mean": 3}
    first, second = (ApproximateAggregation(model, seed=3, **settings) for _ in range(2))
    first.run(2)
    second.restore(first.state())
    first.run(2)
    second.run(2)
    assert first.measures() == second.measures()
    whole = ApproximateAggregation(model, seed=3, **settings)
    whole.run(4)
    assert whole.measures() == first.measures()
    other = ApproximateAggregation(model, seed=4, **settings)
    other.run(4)
    assert other.measures() != first.measures()


def test_the_method_is_found_by_name_and_says_what_it_reached(model):
    solver = find_solver(eqenvs.Family.MEAN_FIELD, None, "approximate-aggregation", eqenvs.make("krusell_smith"))
    settings = {"periods": 330, "own": 20, "mean": 3}
    result = solver.solve(model, tolerance=1e-6, settings=settings)
    assert result.status is Status.CONVERGED
    assert result.residual <= 1e-6
    assert {"mean_capital", "slope_boom", "r_squared_slump"} <= set(result.measures)
    early = solver.solve(model, tolerance=1e-6, settings=settings, iterations=2)
    assert early.status is Status.ITERATION_LIMIT
    assert early.residual > 1e-6


def test_other_games_and_other_runs_are_refused(model):
    with pytest.raises(UnsupportedGame, match="krusell_smith"):
        ApproximateAggregation(eqenvs.make("left_right").model())
    process = ApproximateAggregation(model, periods=330, own=30, mean=4)
    with pytest.raises(InputError, match="restore"):
        process.restore(ApproximateAggregation(model, periods=330, own=31, mean=4).state())


def test_a_benefit_leaves_less_to_save_for():
    """The same booms and slumps; the steady state without risk is that of both."""
    held = []
    for benefit in (0.0, 0.15):
        process = ApproximateAggregation(
            eqenvs.make("krusell_smith", benefit=benefit).model(), periods=330, own=30, mean=4
        )
        process.run(6)
        held.append(process.measures()["mean_capital"])
    assert 0.03 < held[0] - held[1] < 0.3  # 0.09 on fine grids
