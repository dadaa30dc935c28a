"""Newton-Krylov: the fixed points of other methods, its speed, cooling, and what it does when lost."""

from __future__ import annotations

import numpy as np
import pytest

import eqenvs
from eqsolvers.mean_field import pma
from eqsolvers.mean_field.newton_krylov import SOLVER, NewtonKrylov
from eqsolvers.mean_field.softmax_iteration import SoftmaxIteration
from eqsolvers.result import Status
from eqsolvers.scoring import score

GAMES = {
    "sis": ("sis", {}, 1.0),
    "crowd": ("crowd_1d", {"size": 7, "horizon": 4}, 2.0),
    "coupled": ("random_mean_field_game", {"num_states": 5, "num_populations": 2, "horizon": 4}, 1.0),
    "stationary": ("random_mean_field_game", {"num_states": 5, "horizon": None, "discount": 0.8}, 1.0),
}


@pytest.mark.parametrize("game", GAMES)
def test_where_the_iteration_converges_it_finds_the_same_equilibrium(game):
    name, parameters, tau = GAMES[game]
    model = eqenvs.make(name, **parameters).model()
    plain = SoftmaxIteration(model, tau=tau)
    plain.run(100)
    assert plain.residual() <= 1e-12
    found = SOLVER.solve(model, concept="qre", settings={"tau": tau}, tolerance=1e-11, iterations=60)
    assert found.status is Status.CONVERGED
    np.testing.assert_allclose(model.as_array(found.policy.tables), plain.current(), atol=1e-10)


def test_it_finds_it_where_the_iteration_goes_round():
    model = eqenvs.make("crowd_1d").model()
    found = SOLVER.solve(model, concept="qre", settings={"tau": 0.05}, tolerance=1e-10, iterations=60)
    assert found.status is Status.CONVERGED
    plain = SoftmaxIteration(model, tau=0.05)
    plain.run(500)
    assert plain.residual() > 0.9
    ascent = pma.SOLVER.start(model, settings={"tau": 0.05, "eta": 0.1})
    ascent.run(1000)
    np.testing.assert_allclose(ascent.current(), model.as_array(found.policy.tables), atol=1e-6)


def test_at_one_temperature_the_error_falls_faster_than_linearly():
    model = eqenvs.make("crowd_1d").model()
    process = NewtonKrylov(model, concept="qre", tau=1.0, start=1.0)
    errors = []
    for _ in range(8):
        process.run(1)
        errors.append(process.residual())
    falling = np.array([error for error in errors if error > 1e-11])
    ratios = falling[1:] / falling[:-1]
    assert errors[-1] <= 1e-11
    assert (np.diff(ratios) < 0).all()


@pytest.mark.parametrize(("tau", "bound"), [(1e-2, 1e-2), (1e-4, 1e-4)])
def test_left_right_is_solved_to_an_error_of_the_temperature(tau, bound):
    """In the regularised equilibrium p - 2 (1 - p) = -tau log(p / (1 - p)), so p is off 2/3 by tau log 2 / 3."""
    model = eqenvs.make("left_right").model()
    found = SOLVER.solve(model, concept="nash", settings={"tau": tau}, tolerance=0.0, iterations=100)
    assert found.measures["temperature"] == tau
    assert found.policy.tables[0][0, 0] == pytest.approx(2 / 3 - tau * np.log(2) / 3, abs=tau**1.5)
    assert found.residual == pytest.approx(score(model, found.policy).nash_conv, abs=1e-15)
    assert found.residual <= bound


def test_the_crowd_takes_fewer_passes_than_mirror_descent():
    """Mirror descent with step 1 has 2.2e-5 after 1000 passes."""
    found = SOLVER.solve(eqenvs.make("crowd_1d").model(), settings={"tau": 1e-5}, tolerance=2.2e-5, iterations=300)
    assert found.status is Status.CONVERGED
    assert found.measures["evaluations"] < 2500


def test_on_sis_it_gets_below_fictitious_play_and_mirror_descent():
    process = NewtonKrylov(eqenvs.make("sis").model())
    for _ in range(40):
        process.run(1)
        process.evaluation()
    assert process.measures()["best_nash_conv"] < 0.15


def test_a_first_temperature_that_is_too_low_is_raised():
    """Five products do not tell the direction at 1e-3 from the uniform policy: it begins higher up and comes back."""
    process = NewtonKrylov(eqenvs.make("crowd_1d").model(), start=1e-3, tau=1e-3, krylov=5)
    seen = []
    for _ in range(100):
        process.run(1)
        seen.append(process.temperature)
    assert max(seen) > 1e-3
    assert seen[-1] == 1e-3
    assert process.residual() <= 1e-3


def test_once_exact_it_does_nothing():
    process = NewtonKrylov(eqenvs.make("left_right").model(), tau=0.5)
    process.run(30)
    before = process.state()
    process.run(5)
    after = process.state()
    np.testing.assert_array_equal(before["arrays"]["x"], after["arrays"]["x"])
    assert before["arrays"]["schedule"][2] == after["arrays"]["schedule"][2]
