"""Battleship: answers to shots, ends and payoffs by the rule book, bad parameters, and the contracts.

Random games of OpenSpiel 2.0.2's battleship were replayed here, every mover, every set of legal actions and all returns
agreeing: 5,000 on 3x2 with ships 1, 2, 2 and repeated shots, 3,000 on 3x4 with ships 3, 2, and 3,000 on 2x2 with ships
2, 1; all with different ship values and loss multipliers.
"""

from __future__ import annotations

import numpy as np
import pytest

import eqenvs
from eqenvs.arrays import make_backend
from eqenvs.rules import TERMINAL
from eqenvs.testing import check_game

WATER, HIT, SUNK = range(3)


def play(rules, actions):
    """The state after the actions, and all rewards together."""
    state, total = rules.initial_state(1, make_backend().xp), np.zeros(2)
    for action in actions:
        mover = rules.turn(state)
        assert mover[0] != TERMINAL
        assert rules.legal_actions(state, mover)[0, action]
        state, reward = rules.apply(state, np.array([action]))
        total += reward[0]
    return state, total


def legal(rules, state):
    return np.flatnonzero(rules.legal_actions(state, rules.turn(state))[0]).tolist()


@pytest.fixture
def wide():
    """Two rows of three cells, a ship of two worth 3 and one of one worth 0.5, losses doubled."""
    return eqenvs.make(
        "battleship", width=3, ship_sizes="2,1", ship_values="3,0.5", num_shots=4, allow_repeated_shots=True
    ).rules


# Cells are 0 1 2 / 3 4 5; 6 + cell lies to the right, 12 + cell below.
PLACED = [6, 12, 11, 8]  # player 0: ship on 0 1, and on 5; player 1: ship on 0 3, and on 2


def test_answers_are_water_hit_and_sunk_and_sunk_again(wide):
    state, _ = play(wide, [*PLACED, 0, 0, 0, 4, 3, 5, 0])
    codes = state.shots[0].tolist()
    assert codes[:4] == [0 * 3 + HIT, 0 * 3 + HIT, 3 * 3 + SUNK, 0 * 3 + SUNK]
    assert codes[4:] == [0 * 3 + HIT, 4 * 3 + WATER, 5 * 3 + SUNK, -1]


def test_payoffs_are_gains_less_the_multiple_of_losses(wide):
    state, total = play(wide, [*PLACED, 0, 0, 3, 5, 1, 3, 1, 3])
    assert wide.turn(state)[0] == TERMINAL
    # Player 0 sank the ship worth 3 and lost the one worth 0.5.
    assert total.tolist() == [3 - 2 * 0.5, 0.5 - 2 * 3]


def test_the_game_ends_when_a_fleet_is_sunk(wide):
    state, total = play(wide, [*PLACED, 0, 2, 3, 2, 2])
    assert wide.turn(state)[0] == TERMINAL
    assert total.tolist() == [3.5, -7.0]


def test_ships_do_not_overlap_and_leave_room_for_the_next():
    rules = eqenvs.make("battleship", height=1, width=4, ship_sizes="1,3").rules
    state, _ = play(rules, [])
    assert legal(rules, state) == [4, 7]  # in the middle, a ship of 1 would leave no room for 3
    state, _ = play(rules, [4, 7])
    assert legal(rules, state) == [5]


def test_repeated_shots_are_refused_unless_allowed(wide):
    once = eqenvs.make("battleship", ship_sizes="1").rules
    state, _ = play(once, [4, 5, 3, 3])
    assert legal(once, state) == [0, 1, 2]
    state, _ = play(wide, [*PLACED, 4, 3])
    assert legal(wide, state) == [0, 1, 2, 3, 4, 5]


def test_a_player_sees_its_own_answers_and_where_it_was_shot_at(wide):
    state, _ = play(wide, [*PLACED, 0, 2, 1])
    keys = [wide.information_state(state, np.array([player]))[0] for player in range(2)]
    assert wide.describe_information_state(0, keys[0]) == "[a1> c2>] a1x b1. / c1"
    assert wide.describe_information_state(1, keys[1]) == "[a1v c1>] c1. / a1 b1"


def test_the_sum_is_constant_where_losses_count_as_much_as_gains():
    assert eqenvs.make("battleship", loss_multiplier=1.0).constant_sum
    assert not eqenvs.make("battleship").constant_sum


def test_observations_tell_information_states_apart():
    for parameters in ({}, {"ship_sizes": "2", "allow_repeated_shots": True}):
        for states in eqenvs.make("battleship", **parameters).information_states:
            assert len(np.unique(states.observations, axis=0)) == len(states.keys)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"ship_sizes": "1,x"}, "ship_sizes"),
        ({"ship_sizes": "1.5"}, "ship_sizes"),
        ({"ship_sizes": ""}, "ship_sizes"),
        ({"ship_sizes": "2,3"}, "do not fit"),
        ({"ship_values": "1"}, "one number for each of the 2 ships"),
        ({"ship_values": "1,-2"}, "ship_values"),
        ({"num_shots": 5}, "at most the 4 cells"),
        ({"height": 10, "width": 10, "ship_sizes": "2,3,3,4,5"}, "too many ways"),
    ],
)
def test_bad_parameters_are_named(parameters, message):
    with pytest.raises(eqenvs.InputError, match=message):
        eqenvs.make("battleship", **parameters)


def test_an_instance_travels_with_its_ship_values():
    game = eqenvs.make("battleship")
    assert game.parameters["ship_values"] == "1,1"
    assert eqenvs.make("battleship", **game.parameters).parameters == game.parameters


@pytest.mark.parametrize(
    ("parameters", "exact"),
    [
        ({"height": 1, "width": 4, "ship_values": "1,2"}, True),
        ({"width": 3, "ship_sizes": "3", "loss_multiplier": 1.0}, True),
        ({"height": 3, "width": 4, "ship_sizes": "3,2", "num_shots": 5, "allow_repeated_shots": True}, False),
    ],
)
@pytest.mark.slow
def test_the_contracts_are_kept(parameters, exact):
    check_game(eqenvs.make("battleship", **parameters), exact=exact, episodes=1000)
