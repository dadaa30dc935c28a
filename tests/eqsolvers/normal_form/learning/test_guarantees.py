"""What regret matching, swap-regret learners and sleeping experts promise, against adversaries and in any batch."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eqsolvers.normal_form.learning import (
    blum_mansour,
    optimistic_blum_mansour,
    prm_plus,
    rm,
    rm_plus,
    sleeping_experts,
    smooth_prm_plus,
    stoltz_lugosi,
    tree_swap,
)
from eqsolvers.normal_form.learning._online import importance_weighted

LEARNERS = {
    "rm": rm.learner(),
    "rm+": rm_plus.learner(),
    "prm+": prm_plus.learner(),
    "smooth-prm+": smooth_prm_plus.learner(eta=0.02),
    "blum-mansour, hedge": blum_mansour.learner(),
    "blum-mansour, rm": blum_mansour.learner(base="rm"),
    "blum-mansour, rm+": blum_mansour.learner(base="rm+"),
    "blum-mansour, prm+": blum_mansour.learner(base="prm+"),
    "optimistic-blum-mansour": optimistic_blum_mansour.learner(),
    "stoltz-lugosi": stoltz_lugosi.learner(),
    "tree-swap": tree_swap.learner(depth=2, branching=16),
    "sleeping-experts": sleeping_experts.learner(period=3),
}
BOUNDED = [name for name, learner in LEARNERS.items() if learner.bound is not None]


@pytest.mark.parametrize("name", BOUNDED)
@pytest.mark.parametrize("actions", [2, 5])
def test_regret_is_below_the_stated_bound_against_every_adversary(name, actions, collect, regret):
    learner, rounds = LEARNERS[name], (1, 10, 128, 256, 512, 1024)
    for t, table in collect(learner, rounds, actions).items():
        assert (regret(learner, table) <= t * learner.bound(t, actions) + 1e-9).all()


@pytest.mark.parametrize("name", LEARNERS)
def test_swap_regret_is_never_negative(name, collect):
    learner = LEARNERS[name]
    for table in collect(learner, (1, 7, 50), 4).values():
        assert (table.max(axis=2).sum(axis=1) - np.trace(table, axis1=1, axis2=2) >= -1e-12).all()


@pytest.mark.parametrize("name", ["rm", "rm+", "blum-mansour, hedge"])
def test_regret_on_noise_grows_with_the_square_root_of_time(name, regret):
    """No more by the bounds, and no less: the best action of pure noise is ahead of any play by that order."""
    learner, rounds, rng = LEARNERS[name], 2 ** np.arange(8, 14), np.random.default_rng(0)
    state, table, means = learner.init(32, 3), np.zeros((32, 3, 3)), []
    for t in range(rounds[-1]):
        payoff = rng.integers(0, 2, (32, 3)).astype(np.float64)
        table += learner.strategy(state)[:, :, None] * payoff[:, None, :]
        state = learner.update(state, payoff)
        if t + 1 in rounds:
            means.append(regret(learner, table).mean())
    # Means over 32 rows have an error of some 7 %, which over five doublings is 0.04 in the slope.
    assert np.polyfit(np.log(rounds), np.log(means), 1)[0] == pytest.approx(0.5, abs=0.08)


@pytest.mark.parametrize("name", LEARNERS)
def test_a_game_goes_as_it_would_alone_and_arguments_are_left_alone(name):
    learner, rng = LEARNERS[name], np.random.default_rng(5)
    payoffs = rng.random((40, 5, 4))
    payoffs[:, 1] = payoffs[:, 1].round()  # ties
    before = payoffs.copy()

    def trajectory(rows):
        state, found = learner.init(payoffs[:, rows].shape[1], 4), []
        for payoff in payoffs[:, rows]:
            found.append(learner.strategy(state).copy())
            state, previous = learner.update(state, payoff), state
            np.testing.assert_array_equal(learner.strategy(previous), found[-1])
        return np.array(found)

    whole = trajectory(slice(None))
    for row in range(5):
        np.testing.assert_array_equal(trajectory(slice(row, row + 1))[:, 0], whole[:, row])
    np.testing.assert_array_equal(payoffs, before)


@pytest.mark.parametrize("name", LEARNERS)
@given(data=st.data())
@settings(max_examples=10, deadline=None)
def test_strategies_are_on_the_simplex(name, data):
    learner = LEARNERS[name]
    batch, actions = data.draw(st.integers(1, 3)), data.draw(st.integers(1, 5))
    number = st.one_of(st.sampled_from([0.0, 1.0, 1e-300, 5e-324]), st.floats(0, 1))
    state = learner.init(batch, actions)
    for _ in range(data.draw(st.integers(1, 6))):
        played = learner.strategy(state)
        assert played.shape == (batch, actions)
        assert played.dtype == np.float64
        assert (played >= 0).all()
        np.testing.assert_allclose(played.sum(axis=1), 1, atol=1e-12)
        size = batch * actions
        payoff = np.array(data.draw(st.lists(number, min_size=size, max_size=size))).reshape(batch, actions)
        state = learner.update(state, payoff)


@pytest.mark.parametrize("name", LEARNERS)
def test_payoffs_of_drawn_actions_are_enough_to_find_the_best_one(name):
    """By importance weighting: none of these is a bandit algorithm itself."""
    learner = importance_weighted(LEARNERS[name], 0.3)
    rng, state = np.random.default_rng(0), learner.init(16, 3)
    share = np.zeros(3)
    for _ in range(600):
        played = learner.strategy(state)
        share += played.mean(axis=0)
        action = (rng.random((16, 1)) > played.cumsum(axis=1)).sum(axis=1).clip(0, 2)
        state = learner.observe(state, action, np.where(action == 2, 0.9, 0.2))
    # Uniform play gives 0.33, and 0.8 is the most that the exploration leaves.
    assert share[2] / share.sum() > 0.4


@pytest.mark.parametrize("name", ["rm", "rm+", "prm+", "blum-mansour, rm+"])
def test_regret_matching_does_not_know_the_unit_of_payoffs(name):
    """Multiplied by a power of 2 every number scales exactly, so that not a bit changes."""
    learner, rng = LEARNERS[name], np.random.default_rng(3)
    small, large = learner.init(4, 3), learner.init(4, 3)
    for payoff in rng.random((200, 4, 3)):
        np.testing.assert_array_equal(learner.strategy(small), learner.strategy(large))
        small, large = learner.update(small, payoff), learner.update(large, 2.0**20 * payoff)
