"""Phantom tic-tac-toe against OpenSpiel 2.0.2, and what the players get to see.

20,000 random games of `phantom_ttt(obstype=reveal-nothing)` and as many with `gameversion=abrupt` were replayed here:
412,911 moves, every mover, every set of legal actions and all returns agreed. Some of those games are kept below.
"""

from __future__ import annotations

import numpy as np
import pytest

import eqenvs
from eqenvs.arrays import make_backend
from eqenvs.rules import TERMINAL
from eqenvs.testing import check_game

# Cells tried, by whoever was to move, and the return to player 0.
CLASSIC = [
    ("812734", -1), ("06707432", -1), ("8573070124", -1), ("637042357461", -1), ("62412381763470", -1),
    ("602714358", 0), ("22408367165", 0), ("6675283318104", 0), ("863425573806041", 0), ("01558247720618463", 0),
    ("415463", 1), ("83153467", 1), ("8237044726", 1), ("873046628415", 1), ("54233115062708", 1),
    ("4437760165022318", 1),
]  # fmt: skip
ABRUPT = [
    ("052443", -1), ("1822563067", -1), ("80214512733406", -1), ("546371082", 0), ("04726358451", 0),
    ("4302576884751", 0), ("287135178342560", 0), ("82173470415503286", 0), ("6822110", 1), ("88277365364", 1),
    ("258376685132440", 1),
]  # fmt: skip
CASES = [(abrupt, cells, value) for abrupt, games in ((False, CLASSIC), (True, ABRUPT)) for cells, value in games]


def replay(abrupt: bool, cells: str):
    """The rules, the state after the tries, who made each, and the rewards of all together."""
    rules = eqenvs.make("phantom_tic_tac_toe", abrupt=abrupt).rules
    state, total, movers = rules.initial_state(1, make_backend().xp), np.zeros(2), []
    for cell in map(int, cells):
        mover = rules.turn(state)
        movers.append(int(mover[0]))
        assert movers[-1] != TERMINAL
        assert rules.legal_actions(state, mover)[0, cell]
        state, reward = rules.apply(state, np.array([cell]))
        total += reward[0]
    return rules, state, movers, total


@pytest.mark.parametrize(("abrupt", "cells", "value"), CASES)
def test_games_end_as_in_openspiel(abrupt, cells, value):
    rules, state, _, total = replay(abrupt, cells)
    assert rules.turn(state)[0] == TERMINAL
    assert total.tolist() == [value, -value]


def test_orders_of_tries_are_as_many_as_the_published_information_states(phantom_sizes):
    lines = [{0, 1, 2}, {3, 4, 5}, {6, 7, 8}, {0, 3, 6}, {1, 4, 7}, {2, 5, 8}, {0, 4, 8}, {2, 4, 6}]
    (fact,) = eqenvs.make("phantom_tic_tac_toe").facts
    # Rudolph et al. (2025), arXiv 2502.08938.
    assert fact.sizes["infosets"] == [3_683_314, 2_307_355]
    assert phantom_sizes(9, lambda marks, _: any(line <= marks for line in lines))[0] == fact.sizes["infosets"]


@pytest.mark.parametrize(("abrupt", "movers"), [(False, [0, 1, 1, 0, 1]), (True, [0, 1, 0, 1, 0])])
def test_a_failed_try_loses_the_turn_in_the_abrupt_game_only(abrupt, movers):
    # Player 1 fails at 4; the next tries succeed in either game.
    assert replay(abrupt, "44012")[2] == movers


def test_only_own_tries_and_their_success_are_seen():
    classic = [replay(False, cells)[:2] for cells in ("440", "41", "45")]
    rules = classic[0][0]
    first, second = np.array([0]), np.array([1])
    # Whatever player 1 did, player 0 knows of its own stone in the middle, and nothing else.
    assert len({rules.information_state(state, first).tobytes() for _, state in classic}) == 1
    assert len({rules.observation(state, first).tobytes() for _, state in classic}) == 1
    keys = [rules.describe_information_state(1, rules.information_state(state, second)[0]) for _, state in classic]
    assert keys == ["b2! a1", "b1", "c2"]


def test_a_cell_known_to_be_taken_is_not_tried_again():
    rules, state, _, _ = replay(True, "440")
    assert np.flatnonzero(~rules.legal_actions(state, np.array([0]))[0]).tolist() == [0, 4]
    assert np.flatnonzero(~rules.legal_actions(state, np.array([1]))[0]).tolist() == [4]


def test_observations_tell_information_states_apart():
    rules = eqenvs.make("phantom_tic_tac_toe").rules
    rng, xp = np.random.default_rng(0), make_backend().xp
    state, seen = rules.initial_state(2000, xp), {}
    for _ in range(9):
        player = rules.turn(state)
        rows = np.flatnonzero(player >= 0)
        who = np.maximum(player, 0)
        keys, observations = rules.information_state(state, who), rules.observation(state, who)
        for row in rows:
            key = (int(player[row]), keys[row].tobytes())
            seen.setdefault(observations[row].tobytes(), set()).add(key)
        legal = rules.legal_actions(state, who)
        action = np.argmax(np.where(legal, rng.random(legal.shape), -1.0), axis=1)
        state, _ = rules.apply(state, action)
    assert len(seen) > 1000
    assert all(len(keys) == 1 for keys in seen.values())


@pytest.mark.parametrize("abrupt", [False, True])
def test_the_contracts_that_need_no_enumeration_are_kept(abrupt):
    check_game(eqenvs.make("phantom_tic_tac_toe", abrupt=abrupt), exact=False)
