"""Sequential Blotto: both allocations, both payoffs, and values by backward induction."""

from __future__ import annotations

import numpy as np
import pytest

import eqenvs
from eqenvs.testing import check_game


def value(model):
    """Player 0's value of a game of perfect information."""
    best = np.full(len(model.parent), np.nan)
    best[model.terminals] = model.payoffs[:, 0]
    for node in range(len(model.parent) - 1, 0, -1):
        above = model.parent[node]
        better = np.fmax if model.player[above] == 0 else np.fmin
        best[above] = better(best[above], best[node])
    return best[0]


VALUES = {
    "published rules, small": (2, 4, "distinct", "difference", 0),
    "three fields": (3, 3, "distinct", "difference", 0),
    "fields, two": (2, 4, "distinct", "fields", 0),
    "fields, three: the second mover wins": (3, 4, "distinct", "fields", -1),
    "budget": (2, 3, "budget", "difference", 0),
    "budget, fields, three": (3, 4, "budget", "fields", -1),
}


@pytest.mark.parametrize(("fields", "troops", "allocation", "payoff", "expected"), VALUES.values(), ids=VALUES)
def test_backward_induction(fields, troops, allocation, payoff, expected):
    game = eqenvs.make("sequential_blotto", num_fields=fields, num_troops=troops, allocation=allocation, payoff=payoff)
    assert value(game.model()) == expected


LEGAL = {"distinct": [0, 1, 2, 4], "budget": [0, 1]}


@pytest.mark.parametrize(("allocation", "legal"), LEGAL.items())
def test_troops_that_were_sent_are_gone(allocation, legal):
    rules = eqenvs.make("sequential_blotto", allocation=allocation).rules
    state = rules.initial_state(1, np)
    for sent in (3, 4):
        state, _ = rules.apply(state, np.array([sent]))
    assert np.flatnonzero(rules.legal_actions(state, np.array([0]))[0]).tolist() == legal


@pytest.mark.parametrize(("payoff", "reward"), [("difference", 3.0), ("fields", 0.0)])
def test_payoffs_count_troops_or_fields(payoff, reward):
    rules = eqenvs.make("sequential_blotto", payoff=payoff).rules
    state = rules.initial_state(1, np)
    for sent in (4, 0, 1, 2):
        state, received = rules.apply(state, np.array([sent]))
    assert received[0].tolist() == [reward, -reward]


def test_more_fields_than_numbers_are_refused():
    with pytest.raises(eqenvs.InputError, match="num_fields must be at most num_troops \\+ 1 = 3"):
        eqenvs.make("sequential_blotto", num_fields=4, num_troops=2)


def test_the_other_rules_keep_every_contract():
    game = eqenvs.make("sequential_blotto", num_fields=3, num_troops=2, allocation="budget", payoff="fields")
    check_game(game, exact=True, episodes=1000)
