"""Trade Comm: talking makes the one trade that pays."""

from __future__ import annotations

import numpy as np
import pytest

import eqenvs
from eqenvs.policies import TabularPolicy
from eqenvs.testing import check_game, expected_payoffs


def honest(game):
    """Both name their item and propose to swap it for the item that the other named."""
    m = game.rules.num_items
    tables = []
    for player, states in enumerate(game.information_states):
        item, other = states.keys[:, 0], states.keys[:, 2 - player]
        proposing = (states.keys[:, 1:3] >= 0).all(axis=1)
        action = np.where(proposing, m + m * item + other, item)
        tables.append(np.eye(m + m**2)[action])
    return TabularPolicy(game, tables)


@pytest.mark.parametrize("num_items", [2, 3])
def test_naming_ones_item_always_trades(num_items):
    game = eqenvs.make("trade_comm", num_items=num_items)
    assert expected_payoffs(game, honest(game)) == pytest.approx([1.0, 1.0])


def test_proposals_that_do_not_fit_pay_nothing():
    rules = eqenvs.make("trade_comm", num_items=3).rules
    words, swap, wrong = [0, 0], [3 + 3 * 1 + 2, 3 + 3 * 2 + 1], [3 + 3 * 1 + 2, 3 + 3 * 1 + 2]
    for proposals, reward in ((swap, 1.0), (wrong, 0.0)):
        state = rules.initial_state(1, np)
        for action in (5, *words, *proposals):  # outcome 5 of 9 deals item 1 to player 0 and item 2 to player 1
            state, received = rules.apply(state, np.array([action]))
        assert received[0].tolist() == [reward, reward]


def test_a_proposal_is_not_seen_before_the_answer():
    game = eqenvs.make("trade_comm", num_items=3)
    keys = game.information_states[1].keys
    assert len(keys) == 3 * 3 + 3 * 3 * 3  # item and word heard, then item and both words


def test_three_items_keep_every_contract():
    check_game(eqenvs.make("trade_comm", num_items=3), exact=True, episodes=1000)
