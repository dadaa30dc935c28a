"""Sequential public goods: free riding by backward induction."""

from __future__ import annotations

import numpy as np
import pytest

import eqenvs
from eqenvs.testing import check_game


def backward_induction(model):
    """Each player's payoff under subgame-perfect play (the first best action), and the actions on its path."""
    values = np.zeros((len(model.parent), model.num_players))
    values[model.terminals] = model.payoffs
    choice = np.full(len(model.parent), -1)
    for node in range(len(model.parent) - 1, 0, -1):
        above = model.parent[node]
        mover = model.player[above]
        # Visited from the last sibling, so `>=` keeps the first of equal ones.
        if choice[above] < 0 or values[node, mover] >= values[choice[above], mover]:
            choice[above] = node
            values[above] = values[node]
    path, node = [], choice[0]
    while node >= 0:
        path.append(int(model.action[node]))
        node = choice[node]
    return values[0], path


CASES = {
    "nobody gives where a unit returns less than it costs": (3, 2, 1.5, [0, 0, 0], [2.0] * 3),
    "just below": (2, 4, 1.9, [0, 0], [4.0] * 2),
    "everybody gives where it returns more": (3, 2, 3.3, [2, 2, 2], [6.6] * 3),
}


@pytest.mark.parametrize(("players", "endowment", "factor", "path", "values"), CASES.values(), ids=CASES)
def test_subgame_perfect_play(players, endowment, factor, path, values):
    game = eqenvs.make("public_goods", num_players=players, endowment=endowment, factor=factor)
    found, moves = backward_induction(game.model())
    assert moves == path
    assert found == pytest.approx(values)


def test_payoffs_are_the_linear_ones():
    rules = eqenvs.make("public_goods", num_players=3, endowment=4, factor=1.5).rules
    state = rules.initial_state(1, np)
    for contribution in (4, 0, 2):
        state, received = rules.apply(state, np.array([contribution]))
    assert received[0] == pytest.approx([3.0, 7.0, 5.0])  # 4 - c + 1.5 * 6 / 3


def test_two_players_keep_every_contract():
    check_game(eqenvs.make("public_goods", num_players=2, endowment=4, factor=2.5), exact=True, episodes=1000)
