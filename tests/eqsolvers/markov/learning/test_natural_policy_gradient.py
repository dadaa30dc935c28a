"""Independent natural policy gradient: its limits with and without regularisation."""

import numpy as np
import pytest

import eqenvs
from eqenvs.arrays import joint_play
from eqenvs.models import MarkovModel
from eqsolvers.markov.learning import natural_policy_gradient
from eqsolvers.scoring.chains import chains

SOLVER = natural_policy_gradient.SOLVER


@pytest.mark.parametrize("parameters", [{"discount": 0.8}, {"discount": 1.0, "horizon": 3}])
def test_it_finds_equilibria_of_common_interest_games(parameters):
    for seed in range(3):
        model = eqenvs.make("random_markov_game", common=True, num_actions=3, seed=seed, **parameters).model()
        process = SOLVER.start(model, seed=0)
        process.run(2000)
        assert process.residual() < 1e-4


def test_with_a_temperature_play_is_the_logit_answer_to_soft_values():
    model = eqenvs.make("random_markov_game", common=True, action_counts="2x3", discount=0.7, seed=3).model()
    temperature = 0.4
    process = SOLVER.start(model, seed=0, settings={"temperature": temperature})
    process.run(2000)
    assert process.measures()["logit_error"] < 1e-10
    # Checked by hand: soft values of the entropies by a linear system, then the softmax of what actions are worth.
    first, second = process.policy().tables
    form, joint = chains(model), joint_play((first, second)).reshape(model.num_states, -1)
    entropy = -temperature * (first * np.log(first)).sum(axis=1)
    soft = form.values(joint_play((first, second)))[:, 0] + form.stationary(joint, entropy[:, None])[:, 0]
    stage = model.reward[0] + model.discount * model.transition @ soft
    worth = np.einsum("sab,sb->sa", stage, second) / temperature
    answer = np.exp(worth - worth.max(axis=1, keepdims=True))
    np.testing.assert_allclose(first, answer / answer.sum(axis=1, keepdims=True), atol=1e-9)


@pytest.mark.parametrize(("barrier", "eta"), [(0.05, 0.05), (0.05, None), (50.0, None), (1e6, None)])
def test_a_log_barrier_keeps_play_at_its_own_stationary_point(barrier, eta):
    # One player, one state: <x, r> / (1 - discount) + barrier * sum ln x is largest at x = barrier / (level - r').
    reward, discount = np.array([1.0, 0.5, -1.0]), 0.5
    model = MarkovModel(np.ones((1, 3, 1)), reward[None, None], [1.0], discount=discount)
    process = SOLVER.start(model, seed=0, settings={"barrier": barrier, "eta": eta})
    process.run(2_000)
    paid = reward / (1 - discount)
    low, high = paid.max() + 1e-12, paid.max() + 10 + 3 * barrier
    for _ in range(200):
        level = (low + high) / 2
        low, high = (level, high) if (barrier / (level - paid)).sum() > 1 else (low, level)
    np.testing.assert_allclose(process.policy().tables[0][0], barrier / (level - paid), atol=1e-9)


@pytest.mark.parametrize("start", ["uniform", "random"])
@pytest.mark.parametrize(("barrier", "steps"), [(0.1, 3000), (1e2, 600), (1e4, 600), (1e9, 600)])
def test_the_default_step_is_stable_whatever_the_barrier(barrier, steps, start):
    model = eqenvs.make("random_markov_game", num_players=3, num_states=4, discount=0.8, seed=1).model()
    process = SOLVER.start(model, seed=1, settings={"barrier": barrier, "start": start})
    process.run(steps)
    tables = process.policy().tables
    # Stationary: what an action is worth, with the barrier's part, is the same for all actions of a player at a state.
    joint = joint_play(tables)
    later = chains(model).values(joint)
    flow = joint.reshape(4, 1, -1) @ model.transition.reshape(4, -1, 4)
    visits = np.linalg.solve(np.eye(4) - model.discount * flow[:, 0].T, model.initial)
    for player, own in enumerate(tables):
        stage = model.reward[player] + model.discount * model.transition @ later[:, player]
        others = [np.ones_like(table) if p == player else table for p, table in enumerate(tables)]
        axes = tuple(1 + p for p in range(3) if p != player)
        worth = (joint_play(others) * stage).sum(axis=axes) + barrier / (visits[:, None] * own)
        np.testing.assert_allclose(worth, worth.mean(axis=1, keepdims=True) * np.ones_like(worth), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("eta", [0.01, 1.0])
def test_a_step_that_leaves_the_inside_of_the_barrier_is_refused_in_one_line(eta):
    model = eqenvs.make("random_markov_game", num_states=4, discount=0.8, seed=1).model()
    process = SOLVER.start(model, seed=1, settings={"barrier": 100.0, "eta": eta, "start": "random"})
    with pytest.raises(eqenvs.InputError, match=rf"eta={eta:g} is too large with barrier=100; lower eta") as caught:
        process.run(500)
    assert "\n" not in str(caught.value)
