"""Optimistic gradient with a slow critic: the published step, last iterates, sampled critics."""

import numpy as np
import pytest

import eqenvs
from eqenvs.models import MarkovModel
from eqsolvers.markov.learning import optimistic_gradient
from eqsolvers.markov.shapley_iteration import SOLVER as SHAPLEY
from eqsolvers.normal_form.learning._simplex import project
from eqsolvers.scoring.score import score

SOLVER = optimistic_gradient.SOLVER


def random_game(seed, **parameters):
    chosen = {"discount": 0.8, "num_states": 5, "num_actions": 3} | parameters
    return eqenvs.make("random_markov_game", zero_sum=True, seed=seed, **chosen).model()


def test_iterates_are_those_of_the_published_update():
    model = random_game(3, action_counts="2x3")
    eta, horizon = 0.05, 2 / (1 - 0.8)
    centre = [np.full((5, 2), 1 / 2), np.full((5, 3), 1 / 3)]
    played, value = list(centre), np.zeros(5)
    process = SOLVER.start(model, seed=0, settings={"eta": eta})
    for t in range(1, 30):
        stage = model.reward[0] + 0.8 * model.transition @ value
        paid = [np.einsum("sab,sb->sa", stage, played[1]), -np.einsum("sab,sa->sb", stage, played[0])]
        rate = (horizon + 1) / (horizon + t)
        value = (1 - rate) * value + rate * (paid[0] * played[0]).sum(axis=1)
        centre = [project(z + eta * q) for z, q in zip(centre, paid, strict=True)]
        played = [project(z + eta * q) for z, q in zip(centre, paid, strict=True)]
        process.run(1)
        for mine, theirs in zip(process.policy().tables, played, strict=True):
            np.testing.assert_allclose(mine, theirs, atol=1e-12)
        np.testing.assert_allclose(process.state()["tables"]["value"][0], [value, -value], atol=1e-12)


@pytest.mark.parametrize("seed", range(6))
def test_last_iterate_converges_linearly_with_a_constant_critic(seed):
    model = random_game(seed)
    process = SOLVER.start(model, seed=0, settings={"critic": 0.1, "eta": 0.2})
    found = []
    for _ in range(30):
        process.run(1000)
        found.append(process.residual())
    # From below 0.01 on to rounding: a straight line in the logarithm.
    found = np.array(found)
    line = np.log(found[(found < 1e-2) & (found > 1e-11)])
    assert found[-1] < 1e-5
    assert found.min() < 1e-9 or np.polyfit(np.arange(len(line)), line, 1)[0] < -0.2


def test_the_published_critic_forgets_its_first_values_like_a_power_of_time():
    model = random_game(3)
    exact = SHAPLEY.solve(model, tolerance=1e-12).policy
    values = np.array(
        [
            score(model.__class__(model.successors, model.reward, start, discount=0.8), exact).values[0]
            for start in np.eye(5)
        ]
    )
    process = SOLVER.start(model, seed=0, settings={"eta": 0.2})
    times, off = [4000, 8000, 16000, 32000], []
    for t in times:
        process.run(t - process.iteration)
        off.append(np.abs(process.state()["tables"]["value"][0, 0] - values).max())
    slope = np.polyfit(np.log(times), np.log(off), 1)[0]
    assert slope == pytest.approx(-(3 - 0.8), abs=0.05)
    assert process.residual() < 1e-9


def test_horizon_games_are_solved():
    for seed in range(3):
        model = random_game(seed, discount=1.0, horizon=3)
        process = SOLVER.start(model, seed=0, settings={"eta": 0.2})
        process.run(20_000)
        assert process.residual() < 1e-3


@pytest.mark.parametrize("steps", [1, 7])
def test_sampled_play_that_is_cut_off_is_no_end_of_the_game(steps):
    # One action each: every state's value is what it pays for ever, however few steps an iteration has.
    reward = np.array([1.0, 1.0]).reshape(2, 1, 1)
    model = MarkovModel(np.full((2, 1, 1, 2), 0.5), np.stack([reward, -reward]), [1.0, 0.0], discount=0.9)
    process = SOLVER.start(model, seed=0, settings={"feedback": "sampled", "steps": steps, "critic": 0.5})
    process.run(3000)
    np.testing.assert_allclose(process.state()["tables"]["value"][0], [[10.0, 10.0], [-10.0, -10.0]], atol=1e-9)


def test_an_end_by_the_rules_and_a_horizon_are_worth_nothing_to_a_sampled_critic():
    reward = np.ones((1, 1, 1))
    ends = MarkovModel(np.array([[[[0.0, 1.0]]]]), np.stack([reward, -reward]), [1.0], discount=0.9)
    horizon = MarkovModel(np.ones((1, 1, 1, 1)), np.stack([reward, -reward]), [1.0], horizon=3)
    settings = {"feedback": "sampled", "steps": 5, "critic": 0.5}
    for model, wanted in ((ends, [[1.0]]), (horizon, [[3.0, 2.0, 1.0]])):
        process = SOLVER.start(model, seed=0, settings=settings)
        process.run(200)
        np.testing.assert_allclose(process.state()["tables"]["value"][0, 0], wanted[0], atol=1e-9)


def test_sampled_play_comes_closer_the_more_steps_an_iteration_has():
    model = random_game(2, num_states=3, num_actions=2)
    settled = {}
    for steps in (500, 10_000):
        settings = {"feedback": "sampled", "steps": steps, "eta": 0.1, "exploration": 0.01}
        process = SOLVER.start(model, seed=(0, 1), settings=settings)
        before = process.residuals().mean()
        process.run(600)
        found = []
        for _ in range(8):
            process.run(25)
            found.append(process.residuals().mean())
        settled[steps] = np.mean(found)
    # The noise of an iteration does not average out; 20 times the steps make it less than a fourth.
    assert settled[10_000] < 0.1 < settled[500] / 2
    assert settled[10_000] < 0.05 * before
