"""Mean-field models: validation, the flow, and the left-right game worked by hand."""

from __future__ import annotations

import numpy as np
import pytest

import eqenvs
from eqenvs.models import MeanFieldModel

CENTRE, LEFT, RIGHT = range(3)


def kernel(mean_field, time):
    """From anywhere, action 0 goes left and action 1 right."""
    moves = np.zeros((3, 2, 3))
    moves[:, 0, LEFT] = moves[:, 1, RIGHT] = 1
    return moves


def crowd_aversion(mean_field, time):
    """-mu(L) at L, -2 mu(R) at R, whatever is done there."""
    return np.repeat(np.array([0.0, -mean_field[LEFT], -2 * mean_field[RIGHT]])[:, None], 2, axis=1)


def left_right(**changes):
    given = {
        "num_states": 3,
        "num_actions": 2,
        "horizon": 2,
        "initial": np.array([1.0, 0, 0]),
        "transition": kernel,
        "reward": crowd_aversion,
    }
    return MeanFieldModel(**(given | changes))


def stationary(left):
    return np.broadcast_to(np.array([left, 1 - left]), (2, 3, 2))


def exploitability(model, policy):
    """What the representative player gains by the best reply to the flow of `policy`, by backward induction."""
    flow = model.flow(policy)
    best, own = np.zeros(model.num_states), np.zeros(model.num_states)
    for t in reversed(range(model.horizon)):
        moves, reward = model.transition(flow[t], t), model.reward(flow[t], t)
        best = (reward + moves @ best).max(axis=1)
        own = (policy[t] * (reward + moves @ own)).sum(axis=1)
    return float(model.initial @ (best - own))


# By hand: mu = (l, 1 - l) pays -l on the left and -2 (1 - l) on the right; the gain is the better one less the mean.
@pytest.mark.parametrize(("left", "gain"), [(0.5, 0.25), (1.0, 1.0), (0.0, 2.0), (2 / 3, 0.0)])
def test_exploitability_in_left_right_is_the_one_worked_by_hand(left, gain):
    assert exploitability(left_right(), stationary(left)) == pytest.approx(gain, abs=1e-15)


def test_the_equilibrium_of_left_right_is_worth_minus_two_thirds():
    model = left_right()
    flow = model.flow(stationary(2 / 3))
    paid = sum(float(flow[t] @ model.reward(flow[t], t).mean(axis=1)) for t in range(2))
    assert paid == pytest.approx(-2 / 3, abs=1e-15)


def test_the_flow_follows_the_policy_and_keeps_its_mass():
    flow = left_right().flow(stationary(0.25))
    np.testing.assert_allclose(flow, [[1, 0, 0], [0, 0.25, 0.75], [0, 0.25, 0.75]], atol=1e-15)


def test_the_flow_uses_the_policy_of_each_time_and_state():
    """A lazy three-state walk, asymmetric in states, actions and time, against a simulation-free recursion by loops."""
    rng = np.random.default_rng(0)
    kernels = rng.dirichlet(np.ones(3), size=(4, 3, 2))
    policy = rng.dirichlet(np.ones(2), size=(4, 3))
    model = left_right(
        horizon=4, transition=lambda mu, t: 0.5 * kernels[t] + 0.5 * mu, initial=np.array([0.2, 0.3, 0.5])
    )
    expected = [np.array([0.2, 0.3, 0.5])]
    for t in range(4):
        after = np.zeros(3)
        for s in range(3):
            for a in range(2):
                for other in range(3):
                    share = 0.5 * kernels[t, s, a, other] + 0.5 * expected[t][other]
                    after[other] += expected[t][s] * policy[t, s, a] * share
        expected.append(after)
    np.testing.assert_allclose(model.flow(policy), expected, atol=1e-14)


def test_decision_points_are_time_first():
    model = left_right()
    (states,) = model.information_states
    assert states.keys.tolist() == [[t, s] for t in range(2) for s in range(3)]
    assert states.masks.shape == (6, 2)
    assert model.num_players == 1
    assert model.sizes() == {"states": 3, "actions": 2, "horizon": 2}


BAD = {
    "horizon": ({"horizon": 0}, "horizon must be at least 1 decision, got 0"),
    "initial shape": ({"initial": np.ones(2) / 2}, "initial must be a distribution over 3 states"),
    "initial sum": ({"initial": np.ones(3)}, "initial must be a distribution over 3 states"),
    "initial negative": ({"initial": np.array([2.0, -1, 0])}, "initial must be a distribution over 3 states"),
    "transition shape": (
        {"transition": lambda mu, t: np.ones((3, 3, 2)) / 2},
        r"transition must give \[S, A, S\] arrays, got shape \(3, 3, 2\)",
    ),
    "transition sum": ({"transition": lambda mu, t: np.ones((3, 2, 3))}, "rows that sum to 1"),
    "reward": ({"reward": lambda mu, t: np.zeros((2, 3))}, r"reward must give finite \[S, A\] arrays"),
}


@pytest.mark.parametrize(("changes", "message"), BAD.values(), ids=BAD)
def test_bad_parts_are_refused_by_name(changes, message):
    with pytest.raises(eqenvs.InputError, match=message):
        left_right(**changes)


def test_an_initial_distribution_with_nan_is_refused():
    with pytest.raises(eqenvs.InputError, match="initial must be a distribution"):
        left_right(initial=np.array([np.nan, 1.0, 0.0]), transition=lambda mu, t: np.full((3, 2, 3), 1 / 3))


def test_the_initial_distribution_is_copied_and_read_only():
    given = np.array([1.0, 0, 0])
    model = left_right(initial=given)
    given[:] = 1 / 3
    assert model.initial.tolist() == [1, 0, 0]
    assert not model.initial.flags.writeable
