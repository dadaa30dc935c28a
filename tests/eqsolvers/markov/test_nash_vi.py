"""Nash value iteration: exact with a horizon, honest without one."""

from __future__ import annotations

import numpy as np
import pytest

import eqenvs
from eqenvs.errors import InputError, UnsupportedGame
from eqenvs.models import MarkovModel
from eqsolvers.markov import shapley_iteration
from eqsolvers.markov.nash_vi import SOLVER, equilibrium, start
from eqsolvers.result import Status
from eqsolvers.scoring import score


def model_of(**parameters):
    return eqenvs.make("random_markov_game", **parameters).model()


@pytest.mark.parametrize("stage", [None, "logit"])
@pytest.mark.parametrize(
    "parameters",
    [
        {"action_counts": "2x3", "num_states": 6, "horizon": 4, "discount": 1.0},
        {"action_counts": "4x1", "num_states": 3, "horizon": 3},
        {"num_players": 3, "action_counts": "2x3x2", "num_states": 4, "horizon": 3, "discount": 0.8, "seed": 5},
        {"num_players": 3, "action_counts": "2x1x3", "num_states": 4, "horizon": 3, "seed": 6},
        {"num_players": 1, "num_states": 5, "num_actions": 3, "horizon": 6},
    ],
)
def test_backward_induction_is_an_equilibrium_from_every_state_and_step(parameters, stage):
    model = model_of(**parameters)
    found = SOLVER.solve(model, settings={"stage": stage})
    assert found.status is Status.CONVERGED
    assert found.iterations == parameters["horizon"]
    assert found.residual <= 1e-9
    horizon, states = parameters["horizon"], model.num_states
    for step in range(horizon):  # the rest of the game, from a random state on
        rest = MarkovModel(
            model.successors,
            model.reward,
            np.full(states, 1 / states),
            discount=model.discount,
            horizon=horizon - step,
        )
        policy = eqenvs.policies.TabularPolicy(rest, [table[step * states :] for table in found.policy.tables])
        assert score(rest, policy).nash_conv <= 1e-9


def test_values_of_a_horizon_are_those_of_plain_backward_induction():
    """One player: the tree's maximum, in plain numpy."""
    model = model_of(num_players=1, num_states=4, num_actions=3, horizon=5, discount=0.9)
    values = np.zeros(4)
    for _ in range(5):
        values = (model.reward[0] + 0.9 * model.transition @ values).max(axis=1)
    found = SOLVER.solve(model)
    assert score(model, found.policy).values[0] == pytest.approx(float(model.initial @ values), abs=1e-12)


@pytest.mark.parametrize("stage", ["lemke-howson", "logit"])
@pytest.mark.slow
def test_zero_sum_games_have_shapleys_values(stage):
    model = model_of(zero_sum=True, num_states=5, action_counts="3x2")
    found = SOLVER.solve(model, settings={"stage": stage})
    assert found.status is Status.CONVERGED
    exact = shapley_iteration.SOLVER.solve(model)
    np.testing.assert_allclose(score(model, found.policy).values, score(model, exact.policy).values, atol=1e-7)


def test_what_does_not_settle_says_so_and_returns_its_best():
    """Seed 0 does: the residual is large, exact, and not called converged."""
    model = model_of(num_states=20, num_actions=3)
    found = SOLVER.solve(model)
    assert found.status is Status.INACCURATE
    assert found.residual == pytest.approx(score(model, found.policy).nash_conv)
    assert found.residual > 1e-3
    assert found.residual <= found.measures["bound"]
    assert found.measures["bound"] == pytest.approx(min(check.residual for check in found.trace[:-1]))


@pytest.mark.parametrize("seed", range(4))
def test_where_values_settle_a_discounted_game_has_its_equilibrium(seed):
    model = model_of(num_players=3, action_counts="2x3x2", num_states=3, discount=0.6, seed=seed)
    found = SOLVER.solve(model, iterations=100)
    assert (found.status is Status.CONVERGED) == (found.residual <= 1e-8)
    assert found.residual <= 1e-8  # these do


def test_stage_games_in_which_players_have_no_choice():
    payoffs = np.random.default_rng(0).normal(size=(3, 1, 2, 1))
    first, second, third = equilibrium(payoffs, "logit")
    assert first.tolist() == third.tolist() == [1]
    assert second[int(payoffs[1, 0, :, 0].argmax())] == 1
    assert [list(strategy) for strategy in equilibrium(np.zeros((2, 1, 1)), "lemke-howson")] == [[1], [1]]


def test_degenerate_stage_games():
    reward = np.random.default_rng(0).integers(0, 2, (2, 6, 3, 3))
    kernel = np.full((6, 3, 3, 6), 1 / 6)
    model = MarkovModel(kernel, reward, np.full(6, 1 / 6), horizon=3)
    assert SOLVER.solve(model).residual <= 1e-9


def test_legal_actions_differ_from_state_to_state():
    plain = model_of(num_states=4, num_actions=3, horizon=3)
    legal = [np.ones((4, 3), dtype=bool), np.ones((4, 3), dtype=bool)]
    legal[0][1, 1:] = legal[1][2, 0] = legal[1][1, :2] = False
    model = MarkovModel(plain.successors, plain.reward, plain.initial, discount=0.9, horizon=3, legal=legal)
    found = SOLVER.solve(model)
    assert found.residual <= 1e-10


def test_bad_input():
    with pytest.raises(UnsupportedGame, match="lemke-howson covers two players, not 3; use logit"):
        start(model_of(num_players=3), stage="lemke-howson")
    with pytest.raises(InputError, match="'stage' must be one of lemke-howson, logit"):
        SOLVER.solve(model_of(), settings={"stage": "simplex"})


def test_damping_settles_alternating_offers():
    """Undamped values of this game go round in circles, with a residual of 0.9."""
    model = eqenvs.make("sequential_bargaining").model()
    found = SOLVER.solve(model)
    assert found.status is Status.CONVERGED
    assert start(model)._step == 1.0
    process = start(model)
    process.run(found.iterations)
    assert process._step < 1.0


def test_a_restored_process_goes_on_to_the_bit():
    model = model_of(num_states=6, num_actions=3)
    one, two = start(model), start(model)
    one.run(70)
    two.restore(one.state())
    one.run(5)
    two.run(5)
    assert (one.values == two.values).all()
    assert one.bound() == two.bound()
