"""Goofspiel: who takes a point card, what is told, and the automatic last round.

6,000 random games of OpenSpiel 2.0.2 with `returns_type=total_points` (2 players with 4 and 5 cards, 3 with 3 and 4,
random and fixed orders) were replayed here, all returns agreeing.
"""

from __future__ import annotations

import numpy as np
import pytest

import eqenvs
from eqenvs.rules import CHANCE, SIMULTANEOUS, TERMINAL
from eqenvs.testing import check_game


def play(game, rounds, outcomes=()):
    """The state and the rewards after the joint bids of `rounds`, point cards turned up as `outcomes`."""
    rules, outcomes = game.rules, iter(outcomes)
    state, total = rules.initial_state(1, np), np.zeros(rules.num_players)
    for bids in rounds:
        if rules.turn(state)[0] == CHANCE:
            state, _ = rules.apply(state, np.array([[0] * rules.num_players + [next(outcomes)]]))
        assert rules.turn(state)[0] == SIMULTANEOUS
        state, reward = rules.apply(state, np.array([[*bids, 0]]))
        total += reward[0]
    return state, total


def test_the_last_round_is_played_automatically():
    state, total = play(eqenvs.make("goofspiel", num_cards=3), [(2, 0), (0, 2)])
    assert state.bids[0].tolist() == [[2, 0, 1], [0, 2, 1]]
    assert state.winners[0].tolist() == [0, 1, 2]  # the last, a tie, is discarded
    assert total.tolist() == [1.0, -1.0]  # 3 points against 2


def test_with_random_points_the_last_card_is_not_dealt():
    game = eqenvs.make("goofspiel", num_cards=3, points_order="random")
    state, total = play(game, [(2, 1), (0, 2)], outcomes=[0, 2])
    assert game.rules.turn(state)[0] == TERMINAL
    assert state.points[0].tolist() == [0, 2, 1]
    assert total.tolist() == [0.0, 0.0]  # 1 + 2 against 3


# Of OpenSpiel 2.0.2 (totals and returns printed there).
RETURNS = {
    "one of three wins": ("win_loss", [(2, 1, 0), (0, 1, 2)], [1.0, -0.5, -0.5]),  # 3, then 2 to player 2, tie for 1
    "above the mean": ("point_difference", [(2, 1, 0), (0, 1, 2)], [4 / 3, -5 / 3, 1 / 3]),
    "own points": ("total_points", [(2, 1, 0), (0, 1, 2)], [3.0, 0.0, 2.0]),
    "own points, of ties nothing": ("total_points", [(1, 1, 0), (2, 0, 0)], [2.0, 0.0, 1.0]),
    "all equal": ("win_loss", [(2, 2, 2), (0, 0, 0)], [0.0, 0.0, 0.0]),
}


@pytest.mark.parametrize(("returns_type", "rounds", "expected"), RETURNS.values(), ids=RETURNS)
def test_three_players_are_paid_by_rank_or_by_points(returns_type, rounds, expected):
    game = eqenvs.make("goofspiel", num_players=3, num_cards=3, returns_type=returns_type)
    _, total = play(game, rounds)
    assert total == pytest.approx(expected)


def test_imperfect_information_hides_the_bid_and_tells_the_winner():
    game = eqenvs.make("goofspiel")
    weak, strong = (play(game, [(1, bid)])[0] for bid in (2, 3))
    tied, player = play(game, [(1, 1)])[0], np.array([0])
    key = game.rules.information_state
    assert (key(weak, player) == key(strong, player)).all()
    assert (key(weak, player) != key(tied, player)).any()
    seen = eqenvs.make("goofspiel", imperfect_information=False)
    assert (seen.rules.information_state(weak, player) != seen.rules.information_state(strong, player)).any()


def test_perfect_information_has_an_information_set_per_history_of_bids():
    # 1 + 16 + 16 * 9; OpenSpiel's strings forget the order of own bids here (135 a player), which is imperfect recall.
    sizes = eqenvs.make("goofspiel", imperfect_information=False).model().sizes()
    assert sizes["infosets"] == [161, 161]


INSTANCES = {
    "random, three players": {"num_players": 3, "num_cards": 3, "points_order": "random"},
    "seen, ascending, points": {
        "num_cards": 3,
        "points_order": "ascending",
        "imperfect_information": False,
        "returns_type": "point_difference",
    },
}


@pytest.mark.parametrize("parameters", INSTANCES.values(), ids=INSTANCES)
def test_instances_keep_every_contract(parameters):
    check_game(eqenvs.make("goofspiel", **parameters), exact=True, episodes=1000)
