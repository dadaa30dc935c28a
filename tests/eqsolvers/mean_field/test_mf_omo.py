"""MF-OMO: its objective against the definition and differences, known equilibria, all kinds of games."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.optimize import minimize

import eqenvs
from eqenvs.arrays import Constants
from eqenvs.errors import UnsupportedGame
from eqenvs.models.mean_field import CommonNoise, MeanFieldModel
from eqenvs.testing.mean_field import random_policy
from eqsolvers.mean_field.mf_omo import SOLVER, OccupationOptimisation
from eqsolvers.result import Status


def with_everything(horizon=4):
    """Two coupled populations, an illegal action, and with a horizon common noise."""
    rng = np.random.default_rng(3)
    legal = np.ones((4, 3))
    legal[1, 0] = 0
    constants = Constants(table=rng.normal(size=(4, 3)), meets=np.eye(4) + 0.2)

    def reward(mean_field, moment):
        dear = (1 + moment.noise)[..., None, None] * mean_field @ constants.on("meets", mean_field)
        return constants.on("table", mean_field) - dear[..., None]

    return MeanFieldModel(
        rng.dirichlet(np.ones(4), size=(4, 3)),
        reward,
        rng.dirichlet(np.ones(4), size=2),
        horizon=horizon,
        discount=0.9,
        legal=legal,
        noise=CommonNoise(initial=[0.25, 0.75], kernel=[[0.5, 0.5], [0.0, 1.0]]) if horizon else None,
        coupling=[[0.8, 0.2], [0.5, 0.5]],
    )


def at(process):
    return [torch.tensor(process.state()["arrays"][name], requires_grad=True) for name in ("measure", "values")]


def test_left_right_reaches_two_thirds():
    found = SOLVER.solve(eqenvs.make("left_right").model(), tolerance=1e-5, iterations=400)
    assert found.status is Status.CONVERGED
    assert found.policy.tables[0][0, 0] == pytest.approx(2 / 3, abs=1e-3)


def test_sis_where_fictitious_play_stalls_comes_near():
    found = SOLVER.solve(eqenvs.make("sis").model(), tolerance=0.0, iterations=300)
    assert found.measures["best_nash_conv"] <= 0.05


@pytest.mark.parametrize(("game", "bound"), [("crowd_1d", 0.15), ("mean_field_rps", 1e-3)])
def test_other_games_come_near(game, bound):
    found = SOLVER.solve(eqenvs.make(game).model(), tolerance=0.0, iterations=300)
    assert found.measures["best_nash_conv"] <= bound


@pytest.mark.parametrize("share", [2 / 3, 0.6])
def test_the_objective_is_0_at_the_equilibrium_and_only_there(share):
    process = OccupationOptimisation(eqenvs.make("left_right").model(), scale=0.5)  # the largest slack: a unit of 1
    policy = process.dynamics.uniform()
    policy[0] = share, 1 - share
    evaluation = process.dynamics.evaluate(policy)
    measure, values = evaluation.flow[..., None] * policy, evaluation.quality.max(axis=-1)
    found = float(process.objective(torch.tensor(measure), torch.tensor(values)))
    if share == 2 / 3:
        assert found == pytest.approx(0.0, abs=1e-30)
    else:
        assert found > 1e-3


def test_the_slack_put_in_is_the_best_one():
    """Against a numerical minimum over z >= 0 of the objective as it is published."""
    model = eqenvs.make("left_right").model()
    process = OccupationOptimisation(model, weight=0.7)
    rng = np.random.default_rng(0)
    measure, values = rng.dirichlet(np.ones(6), size=(2, 1)).reshape(2, 1, 3, 2), rng.normal(size=(2, 1, 3))
    flow, bellman, complementarity = process.terms(torch.tensor(measure), torch.tensor(values))
    unit = 0.3 / 0.5  # the largest slack: 1/2 on the left, 1 on the right
    mean_field = measure.sum(axis=-1)
    ahead = np.stack([values[1, 0, [1, 2]], np.zeros(2)])[:, None, None, :]
    reward = unit * np.stack([0 * mean_field[..., 0], -mean_field[..., 1], -2 * mean_field[..., 2]], axis=-1)
    slack = (values - reward)[..., None] - ahead

    def published(z):
        return ((slack.reshape(-1) - z) ** 2).sum() + 0.7 * (measure.reshape(-1) * z).sum()

    best = minimize(published, np.ones(12), bounds=[(0, None)] * 12, method="L-BFGS-B", tol=1e-14)
    assert float(bellman + 0.7 * complementarity) == pytest.approx(best.fun, rel=1e-8)
    expected = np.array([[1.0, 0.0, 0.0], [0.0, measure[0, ..., 0].sum(), measure[0, ..., 1].sum()]])
    assert float(flow) == pytest.approx(((mean_field[:, 0] - expected) ** 2).sum())


@pytest.mark.parametrize("horizon", [4, None])
def test_gradients_are_those_of_differences(horizon):
    process = OccupationOptimisation(with_everything(horizon))
    process.run(3)
    assert torch.autograd.gradcheck(process.objective, at(process))


@pytest.mark.parametrize("horizon", [4, None])
def test_populations_coupling_noise_and_no_horizon(horizon):
    model = with_everything(horizon)
    process = OccupationOptimisation(model)
    begun = process.residual()
    process.run(300)
    assert process.residual() <= 0.1 * begun
    measure = process.state()["arrays"]["measure"]
    np.testing.assert_allclose(measure.sum(axis=(-1, -2)), 1.0, atol=1e-12)
    assert (measure[..., 1, 0] == 0).all()


def test_the_unit_of_payoffs_does_not_matter():
    def game(unit):
        return MeanFieldModel(
            np.eye(3)[[[1, 2], [0, 1], [2, 0]]], lambda mu, m: -unit * (mu[..., None] ** 2), [1.0, 0.0, 0.0], horizon=3
        )

    plain, dear = OccupationOptimisation(game(1.0)), OccupationOptimisation(game(1024.0))
    plain.run(5)
    dear.run(5)
    np.testing.assert_allclose(dear.current(), plain.current(), atol=1e-9)


def test_it_goes_on_from_a_state_to_the_bit():
    model = eqenvs.make("sis", horizon=6).model()
    one, other = OccupationOptimisation(model), OccupationOptimisation(model)
    one.run(4)
    other.restore(one.state())
    one.run(3)
    other.run(3)
    np.testing.assert_array_equal(one.current(), other.current())


def test_both_starts_are_uniform_policies():
    model = eqenvs.make("crowd_1d").model()
    for start in ("uniform", "flow"):
        process = OccupationOptimisation(model, start=start)
        np.testing.assert_allclose(process.current(), process.dynamics.uniform(), atol=1e-15)
    assert process.measures()["flow_violation"] == pytest.approx(0.0, abs=1e-15)


def test_random_policies_are_no_equilibria():
    """The objective is positive at the flow and best values of a policy that is exploitable."""
    model = with_everything()
    process = OccupationOptimisation(model)
    policy = random_policy(model, np.random.default_rng(0))
    evaluation = process.dynamics.evaluate(policy)
    unit = process._unit
    values = unit * np.where(model.legal, evaluation.quality, -np.inf).max(axis=-1)
    flow, _, complementarity = process.terms(torch.tensor(evaluation.flow[..., None] * policy), torch.tensor(values))
    assert float(flow) == pytest.approx(0.0, abs=1e-28)
    assert float(complementarity) > 0


TABLE = np.array([[0.5, 1.0], [0.25, 0.0], [0.0, 1.0]])
NUMPY_ONLY = {
    "array times tensor": lambda mean_field, moment: TABLE * mean_field[..., None],
    "array alone": lambda mean_field, moment: TABLE[None],
    "numpy function": lambda mean_field, moment: np.exp(mean_field)[..., None],
}


@pytest.mark.parametrize("reward", NUMPY_ONLY.values(), ids=NUMPY_ONLY)
def test_rewards_that_take_numpy_alone_are_refused_with_what_to_write(reward):
    model = MeanFieldModel(np.eye(3)[[[1, 2], [0, 1], [2, 0]]], reward, [1.0, 0.0, 0.0], horizon=3)
    with pytest.raises(
        UnsupportedGame, match=r"^mf-omo: the game's reward operator .*eqenvs\.arrays\.Constants"
    ) as error:
        SOLVER.solve(model, iterations=1)
    assert "\n" not in str(error.value)


def test_transitions_that_take_numpy_alone_are_refused():
    rows = np.array([[[0.0, 1.0], [1.0, 0.0]], [[0.5, 0.5], [0.0, 1.0]]])

    def transition(mean_field, moment):
        share = np.asarray(mean_field)[..., :1, None, None]
        return rows * share + rows[::-1] * (1 - share)

    def reward(mean_field, moment):
        return -mean_field[..., None]

    model = MeanFieldModel(transition, reward, [1.0, 0.0], successors=np.tile([0, 1], (2, 2, 1)), horizon=3)
    with pytest.raises(UnsupportedGame, match=r"^mf-omo: the game's transition operator"):
        OccupationOptimisation(model)
