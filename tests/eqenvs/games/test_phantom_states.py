"""The information states of phantom games, enumerated without histories, are those of the rules."""

from __future__ import annotations

import numpy as np
import pytest

import eqenvs
from eqenvs.games.extensive_form._phantom_states import _observe, blocks, enumerate_nodes, enumerate_sequences
from eqenvs.games.extensive_form.phantom_tic_tac_toe import LINES
from eqenvs.models.information_states import InformationStates, KeyIndex

SMALL = [(rows, cols, abrupt) for rows, cols in ((2, 2), (2, 3), (3, 2)) for abrupt in (False, True)]
LARGE = {
    "phantom tic-tac-toe": ("phantom_tic_tac_toe", {}),
    "dark hex": ("dark_hex", {"board_size": 3}),
    "abrupt dark hex": ("dark_hex", {"num_rows": 2, "num_cols": 4, "abrupt": True}),
}


def nodes_of(game, player, **how):
    return enumerate_nodes(player, game.rules.winning_sets(), game.rules.abrupt, **how)


@pytest.mark.parametrize(("num_rows", "num_cols", "abrupt"), SMALL)
def test_information_states_are_those_of_the_model(num_rows, num_cols, abrupt):
    game = eqenvs.make("dark_hex", num_rows=num_rows, num_cols=num_cols, abrupt=abrupt)
    for player, expected in enumerate(game.information_states):
        sequences = enumerate_sequences(nodes_of(game, player))
        parts = [states for _, states in blocks(player, sequences, num_rows * num_cols, 100)]
        found = InformationStates(*map(np.concatenate, zip(*parts, strict=True)))
        assert len(found.keys) == len(expected.keys)
        for mine, theirs in zip(found.rows(KeyIndex(found.keys).rows(expected.keys)), expected, strict=True):
            assert mine.dtype == theirs.dtype
            np.testing.assert_array_equal(mine, theirs)


@pytest.mark.parametrize("player", [0, 1])
@pytest.mark.parametrize("game_id", ["phantom_tic_tac_toe", "dark_hex"])
def test_the_classic_games_have_as_many_as_published(game_id, player):
    game = eqenvs.make(game_id, **({"board_size": 3} if game_id == "dark_hex" else {}))
    (fact,) = game.facts
    assert len(enumerate_sequences(nodes_of(game, player)).node) == fact.sizes["infosets"][player]


@pytest.mark.parametrize(("game_id", "parameters"), LARGE.values(), ids=LARGE)
def test_play_meets_enumerated_states_only_with_their_observations_and_masks(game_id, parameters):
    game = eqenvs.make(game_id, **parameters)
    rules, rng = game.rules, np.random.default_rng(0)
    nodes = [nodes_of(game, player) for player in range(2)]
    state, met = rules.initial_state(300, np), 0
    while True:
        turn = rules.turn(state)
        if (turn < 0).all():
            break
        mover = np.maximum(turn, 0)
        masks = rules.legal_actions(state, mover)
        keys, seen = rules.information_state(state, mover), rules.observation(state, mover)
        for player in range(2):
            rows = np.flatnonzero(turn == player)
            observations = np.zeros((len(rows), rules.observation_size), dtype=np.float32)
            allowed = np.ones((len(rows), rules.num_cells), dtype=bool)
            _observe(keys[rows], player, observations, allowed)
            np.testing.assert_array_equal(observations, seen[rows])
            np.testing.assert_array_equal(allowed, masks[rows])
            for key in keys[rows]:
                follow(nodes[player], key, rules.num_cells)
                met += 1
        actions = np.argmax(np.where(masks, rng.random(masks.shape), -1.0), axis=1)
        state, _ = rules.apply(state, actions)
    assert met > 1000


def follow(nodes, key, num_cells):
    """Go through the nodes along a key."""
    node = 0
    for entry in key[key >= 0]:
        tried = nodes.own[node] | nodes.known[node]
        move = nodes.first[node] + sum(1 - (tried >> cell & 1) for cell in range(entry >> 1))
        node = (nodes.success if entry & 1 else nodes.failure)[move]
        assert node >= 0, key


def test_winning_sets_are_lines_in_phantom_tic_tac_toe():
    wins = eqenvs.make("phantom_tic_tac_toe").rules.winning_sets()
    expected = [any(all(cells >> cell & 1 for cell in line) for line in LINES) for cells in range(512)]
    np.testing.assert_array_equal(wins, [expected, expected])


@pytest.mark.parametrize(("num_rows", "num_cols"), [(2, 3), (3, 3), (2, 4)])
def test_one_player_wins_on_every_full_board_of_dark_hex(num_rows, num_cols):
    """And a set that wins does so with more stones: Hex has no draws."""
    wins = eqenvs.make("dark_hex", num_rows=num_rows, num_cols=num_cols).rules.winning_sets()
    np.testing.assert_array_equal(wins[0], ~wins[1][::-1])
    sets = np.arange(wins.shape[1])
    for cell in range(num_rows * num_cols):
        assert (wins[:, sets] <= wins[:, sets | 1 << cell]).all()
    column = sum(1 << (num_cols * row) for row in range(num_rows))
    assert wins[0, column]
    assert not wins[1, column]
