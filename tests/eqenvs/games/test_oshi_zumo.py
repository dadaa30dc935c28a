"""Oshi-Zumo: pushes, ends of the game, Alesia and the minimum bid."""

from __future__ import annotations

import numpy as np
import pytest

import eqenvs
from eqenvs.rules import SIMULTANEOUS, TERMINAL
from eqenvs.testing import check_game

# Parameters, bids, wrestler's place and player 0's reward; endings printed by OpenSpiel 2.0.2.
ENDINGS = {
    "pushed out": ({}, [(1, 0), (1, 0)], 2, 1.0),
    "pushed out the other way": ({"size": 0}, [(1, 2)], -1, -1.0),
    "out of coins, ahead": ({}, [(4, 3), (0, 0), (0, 1)], 0, 0.0),
    "out of coins on a side": ({"coins": 3}, [(3, 3)], 0, 0.0),
    "horizon": ({"horizon": 1}, [(0, 1)], -1, -1.0),
    "horizon in Alesia": ({"horizon": 1, "alesia": True}, [(0, 1)], -1, 0.0),
    "out in Alesia": ({"alesia": True}, [(1, 0), (1, 0)], 2, 1.0),
}


@pytest.mark.parametrize(("parameters", "rounds", "place", "reward"), ENDINGS.values(), ids=ENDINGS)
def test_the_wrestler_decides(parameters, rounds, place, reward):
    rules = eqenvs.make("oshi_zumo", **parameters).rules
    state, total = rules.initial_state(1, np), np.zeros(2)
    for bids in rounds:
        assert rules.turn(state)[0] == SIMULTANEOUS
        state, received = rules.apply(state, np.array([[*bids, 0]]))
        total += received[0]
    assert (rules.turn(state)[0], state.position[0]) == (TERMINAL, place)
    assert total.tolist() == [reward, -reward]


def test_a_player_below_the_minimum_bids_all_that_is_left():
    rules = eqenvs.make("oshi_zumo", coins=5, min_bid=2).rules
    state, _ = rules.apply(rules.initial_state(1, np), np.array([[4, 2, 0]]))
    legal = [np.flatnonzero(rules.legal_actions(state, np.array([player]))[0]).tolist() for player in (0, 1)]
    assert legal == [[1], [2, 3]]
    with pytest.raises(eqenvs.InputError, match="min_bid must be at most coins = 3"):
        eqenvs.make("oshi_zumo", coins=3, min_bid=4)


def test_a_minimum_bid_bounds_the_slots_of_the_history():
    assert eqenvs.make("oshi_zumo", coins=50, size=3, horizon=1000, min_bid=4).rules.max_rounds == 13


INSTANCES = {
    "short": {"coins": 3, "size": 2, "horizon": 3},
    "Alesia": {"coins": 5, "min_bid": 2, "alesia": True},
}


@pytest.mark.parametrize("parameters", INSTANCES.values(), ids=INSTANCES)
def test_instances_keep_every_contract(parameters):
    check_game(eqenvs.make("oshi_zumo", **parameters), exact=True, episodes=1000)
