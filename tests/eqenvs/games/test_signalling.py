"""Signalling: where pooling and separating are equilibria."""

from __future__ import annotations

import numpy as np
import pytest

import eqenvs
from eqenvs.policies import TabularPolicy
from eqenvs.testing import check_game, expected_payoffs


def nash_conv(game, tables):
    """Summed gains, by trying every change of one player at one information set.

    Each player moves once in a play, so its best response is best at every information set by itself.
    """
    values = expected_payoffs(game, TabularPolicy(game, tables))
    total = 0.0
    for player, table in enumerate(tables):
        for row in range(len(table)):
            best = values[player]
            for action in range(table.shape[1]):
                changed = [entry.copy() for entry in tables]
                changed[player][row] = np.eye(table.shape[1])[action]
                best = max(best, expected_payoffs(game, TabularPolicy(game, changed))[player])
            total += best - values[player]
    return total


def separating(game):
    """Type t says t, and message t is answered by t."""
    sender, receiver = game.information_states
    return [np.eye(game.rules.num_messages)[sender.keys[:, 0]], np.eye(game.rules.num_responses)[receiver.keys[:, 1]]]


CASES = {
    "no bias": (3, 0.0, True),
    "at the limit 1 / (2 (types - 1))": (3, 0.25, True),
    "beyond": (3, 0.26, False),
    "two types, at the limit": (2, 0.5, True),
    "downwards": (4, -0.2, False),
}


@pytest.mark.parametrize(("num_types", "bias", "stable"), CASES.values(), ids=CASES)
def test_full_separation_is_an_equilibrium_up_to_half_a_step_of_bias(num_types, bias, stable):
    game = eqenvs.make("signalling", num_types=num_types, num_messages=num_types, num_actions=num_types, bias=bias)
    tables = separating(game)
    assert expected_payoffs(game, TabularPolicy(game, tables)) == pytest.approx([-(bias**2), 0.0])
    gain = nash_conv(game, tables)
    assert gain == pytest.approx(0, abs=1e-12) if stable else gain > 1e-3


@pytest.mark.parametrize("bias", [0.0, 0.1, 0.5])
def test_pooling_is_always_an_equilibrium(bias):
    game = eqenvs.make("signalling", bias=bias)
    sender, receiver = np.full((3, 3), 1 / 3), np.eye(3)[[1, 1, 1]]  # the middle action is best on the prior
    assert nash_conv(game, [sender, receiver]) == pytest.approx(0, abs=1e-12)
    assert expected_payoffs(game, TabularPolicy(game, [sender, receiver]))[1] == pytest.approx(-1 / 6)


def test_interests_are_common_without_bias():
    payoffs = eqenvs.make("signalling", bias=0.0).model().payoffs
    assert (payoffs[:, 0] == payoffs[:, 1]).all()
    assert np.ptp(np.subtract(*eqenvs.make("signalling", bias=0.1).model().payoffs.T)) > 0.1


def test_unequal_numbers_keep_every_contract():
    game = eqenvs.make("signalling", num_types=2, num_messages=4, num_actions=3, bias=-0.3)
    check_game(game, exact=True, episodes=1000)
