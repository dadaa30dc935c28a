"""Markov models: validation, and what they say of themselves."""

from __future__ import annotations

import numpy as np
import pytest

import eqenvs
from eqenvs.errors import GameTooLargeError
from eqenvs.models import MarkovModel
from eqenvs.models.information_states import masks_where_acting

S, ACTIONS = 4, (2, 3)


def parts(**changes):
    """A valid game of 4 states with 2x3 actions, with parts replaced."""
    rng = np.random.default_rng(0)
    given = {
        "transition": rng.dirichlet(np.ones(S), size=(S, *ACTIONS)),
        "reward": rng.normal(size=(2, S, *ACTIONS)),
        "initial": np.array([1.0, 0, 0, 0]),
        "discount": 0.9,
        "horizon": None,
    }
    return given | changes


def with_entry(name, index, value):
    array = parts()[name].copy()
    array[index] = value
    return {name: array}


BAD = {
    "one player's axis missing": ({"reward": np.zeros((2, S, 2))}, r"reward must have shape .*got \(2, 4, 2\)"),
    "actions swapped": (
        {"transition": parts()["transition"].swapaxes(1, 2)},
        r"transition must have shape \(4, 2, 3, 4\), got \(4, 3, 2, 4\)",
    ),
    "initial": ({"initial": np.ones(3) / 3}, r"initial must have shape \(4,\), got \(3,\)"),
    "reward NaN": (with_entry("reward", (0, 1, 1, 2), np.nan), "reward must be finite"),
    "transition NaN": (with_entry("transition", (0, 1, 1, 2), np.nan), "transition must be non-negative and sum to 1"),
    "transition off": (with_entry("transition", (0, 1, 1, 2), 0.9), "transition must be non-negative and sum to 1"),
    "initial negative": ({"initial": np.array([1.5, -0.5, 0, 0])}, "initial must be non-negative and sum to 1"),
    "discount above": ({"discount": 1.1}, r"discount must be in \[0, 1\).*got discount=1.1"),
    "discount negative": ({"discount": -0.1}, "got discount=-0.1"),
    "never ends": ({"discount": 1.0}, "1 with a horizon; got discount=1.0, horizon=None"),
    "horizon": ({"horizon": 0}, "horizon must be at least 1 step, got 0"),
}


def build(given):
    return MarkovModel(
        given["transition"], given["reward"], given["initial"], discount=given["discount"], horizon=given["horizon"]
    )


@pytest.mark.parametrize(("changes", "message"), BAD.values(), ids=BAD)
def test_bad_parts_are_refused_by_name(changes, message):
    with pytest.raises(eqenvs.InputError, match=message):
        build(parts(**changes))


@pytest.mark.parametrize("changes", [{}, {"discount": 1.0, "horizon": 5}, {"discount": 0.0}])
def test_discounted_and_finite_games_are_accepted(changes):
    model = build(parts(**changes))
    assert (model.num_players, model.num_states, model.num_actions) == (2, S, ACTIONS)
    assert model.sizes() == {"states": 4, "actions": [2, 3], "joint_actions": 24, "transitions": 96}


def test_the_arrays_are_copied_and_read_only():
    given = parts()
    model = build(given)
    given["reward"][:] = 7
    assert not (model.reward == 7).any()
    for array in (model.transition, model.reward, model.initial):
        assert not array.flags.writeable


def test_policies_have_a_row_per_state():
    states = build(parts()).information_states
    assert [s.masks.shape for s in states] == [(4, 2), (4, 3)]
    assert states[0].keys.ravel().tolist() == [0, 1, 2, 3]
    assert states[1].uniform().sum(axis=1).tolist() == [1.0] * 4


def test_many_states_are_seen_as_binary_digits():
    model = eqenvs.make("random_markov_game", num_states=2000, branching=1).model()
    views = model.views[0]
    assert views.shape == (2000, 11)
    assert (views @ 2.0 ** np.arange(11)).astype(int).tolist() == list(range(2000))
    assert eqenvs.make("random_markov_game", num_states=1024).model().views[0].shape == (1024, 1024)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"discount": 1.0, "horizon": np.inf}, "horizon must be at least 1 step, got inf; an integer, or None"),
        ({"horizon": np.nan}, "horizon must be .* got nan"),
        ({"horizon": 2.5}, "horizon must be .* got 2.5"),
        ({"horizon": True}, "horizon must be .* got True"),
        ({"horizon": "3"}, "horizon must be .* got '3'"),
        ({"discount": "0.9"}, "discount must be a number, got '0.9'"),
        ({"discount": None}, "discount must be a number, got None"),
        ({"discount": np.array([[0.9], [0.9]])}, "discount must be a number, got array"),
        ({"discount": False}, "discount must be a number, got False"),
        ({"discount": np.nan}, r"discount must be in \[0, 1\)"),
        (with_entry("reward", (0, 1, 1, 2), np.nan), r"reward must be finite, got nan at reward\[0, 1, 1, 2\]"),
        (with_entry("reward", (0, 1, 1, 2), 1e308), r"reward must be at most 1e\+300"),
        ({"reward": [[1, 2], [3]]}, "reward must be an array of numbers, all rows of one length"),
        ({"reward": parts()["reward"] * 1j}, "reward must be real numbers, got complex128"),
        ({"transition": "abc"}, "transition must be real numbers, got <U3"),
        (
            with_entry("transition", (2, 1, 0), [-0.5, 0.5, 0.5, 0.5]),
            r"of state 2, joint action \(1, 0\) is -0.5",
        ),
        ({"initial": ["a", "b", "c", "d"]}, "initial must be real numbers"),
        ({"initial": [0.75, 0.5, -0.25, 0]}, r"got -0.25 at initial\[2\]"),
    ],
)
def test_numbers_of_the_wrong_kind_are_refused_with_their_place(changes, message):
    with pytest.raises(eqenvs.InputError, match=message) as caught:
        build(parts(**changes))
    assert "\n" not in str(caught.value)


def optional(**given):
    usual = parts()
    return MarkovModel(
        given.pop("transition", usual["transition"]), usual["reward"], usual["initial"], discount=0.9, **given
    )


def successors(**changes):
    return build(parts()).successors._replace(**changes)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"keys": [[0.0], [1.7], [2], [3]]}, "keys must be whole numbers of 64 bits, got 1.7"),
        ({"keys": [[0], [1], [2], ["x"]]}, "keys must be real numbers"),
        ({"keys": [[0], [1], [2], [np.nan]]}, "keys must be whole numbers"),
        ({"legal": [np.ones((4, 2)), np.full((4, 3), 0.5)]}, "legal of player 1 must be true or false, got 0.5"),
        ({"legal": 3}, "legal must be a list with an array for each player"),
        ({"views": [np.ones((4, 1)), np.full((4, 1), np.nan)]}, "views of player 1 must be finite"),
        ({"views": [np.full((4, 1), 1e39)] * 2}, "views of player 0 must be finite in float32"),
        ({"views": [["a"] * 4] * 2}, "views of player 0 must be real numbers"),
        ({"transition": tuple(successors())}, "transition must be an array of numbers"),
        ({"transition": successors(state=successors().state + 0.9)}, "successors.state must be whole .* got 0.9"),
        ({"transition": successors(start="x")}, "successors.start must be real numbers"),
        ({"transition": successors(probability=-successors().probability)}, r"least entry of state 0, joint .* is -"),
        ({"transition": successors(state=3)}, "must be as many"),
    ],
)
def test_optional_parts_and_successors_are_refused_by_name(given, message):
    with pytest.raises(eqenvs.InputError, match=message):
        optional(**given)


def test_large_keys_are_kept_to_the_last_digit():
    keys = np.array([[2**62], [2**62 + 1], [5], [6]])
    assert optional(keys=keys).keys.tolist() == keys.tolist()
    assert optional(keys=keys.tolist()).keys.tolist() == keys.tolist()


def test_players_of_one_view_share_observations_and_too_many_are_refused():
    shared = np.arange(8.0).reshape(4, 2)
    one, two = optional(horizon=3, views=[shared, shared]), optional(horizon=3, views=[shared, shared.copy()])
    assert one.information_states[0].observations is one.information_states[1].observations
    for mine, theirs in zip(one.information_states, two.information_states, strict=True):
        np.testing.assert_array_equal(mine.observations, theirs.observations)
    large = eqenvs.make("random_markov_game", num_states=1000, branching=1, horizon=1000, discount=1.0).model()
    with pytest.raises(GameTooLargeError, match=r"1,000 steps of 1,000 states .* 1,001 .* 1,001,000,000 numbers"):
        _ = large.information_states


def test_what_a_model_says_of_its_start_its_end_and_its_points():
    initial = np.array([0.0, 0.3, 0.0, 0.7])
    discounted, timed = build(parts(initial=initial)), build(parts(initial=initial, horizon=5))
    assert discounted.first.state.tolist() == [1, 3]
    assert discounted.first.probability.tolist() == [0.3, 0.7]
    assert discounted.first.cumulative.tolist() == [0.3, 1.0]
    for array in discounted.first:
        assert not array.flags.writeable
    assert (discounted.num_points, timed.num_points) == (4, 20)
    assert len(timed.information_states[0].keys) == 20
    assert not discounted.may_end
    ending = np.concatenate([parts()["transition"], np.zeros((S, *ACTIONS, 1))], axis=-1)
    ending[2, 1, 0, -1], ending[2, 1, 0, :-1] = 0.5, ending[2, 1, 0, :-1] / 2
    assert build(parts(transition=ending)).may_end


def test_the_first_state_is_drawn_by_the_same_numbers_everywhere():
    # 1/3 + 1/3 + 1/3 summed up from the left is not 1 in all of these; the last of the cumulative numbers is.
    for states in range(2, 40):
        initial = np.full(states, 1 / states)
        model = MarkovModel(np.full((states, 1, states), 1 / states), np.zeros((1, states, 1)), initial, discount=0.5)
        assert model.first.cumulative[-1] == 1
        np.testing.assert_allclose(model.first.cumulative, np.arange(1, states + 1) / states, atol=1e-14)


def test_who_does_not_act_is_shown_action_0_alone():
    masks = np.array([[[False, True, True], [False, False, True]], [[True, True, True], [False, False, False]]])
    shown = masks_where_acting(masks, np.array([[True, False], [False, True]]))
    expected = [[[False, True, True], [True, False, False]], [[True, False, False], [False, False, False]]]
    assert shown.tolist() == expected
    assert masks_where_acting(masks[0, 1], np.bool_(False)).tolist() == [True, False, False]
