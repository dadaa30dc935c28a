"""Connect four and tic-tac-toe: lines, sizes and values by a plain program of lists, and the contracts."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

import eqenvs
from eqenvs.arrays import make_backend
from eqenvs.games.extensive_form._lines import LinesState
from eqenvs.rules import TERMINAL
from eqenvs.testing import check_game

BOARDS = [  # rows, columns, stones in a line
    ("connect_four", (6, 7, 4)),
    ("connect_four", (4, 12, 5)),
    ("connect_four", (20, 3, 20)),
    ("connect_four", (1, 9, 3)),
    ("tic_tac_toe", (3, 3, 3)),
    ("tic_tac_toe", (2, 5, 3)),
    ("tic_tac_toe", (7, 7, 5)),
    ("tic_tac_toe", (7, 5, 6)),
]


def instance(game_id, board):
    return eqenvs.make(game_id, **dict(zip(("num_rows", "num_cols", "line_length"), board, strict=True)))


class Plain:
    """A board as a dict of cells, and every line looked for cell by cell."""

    def __init__(self, game_id, board):
        self.falling = game_id == "connect_four"
        self.rows, self.cols, self.length = board

    def moves(self, stones):
        """Cell by action, of the legal ones."""
        if not self.falling:
            cells = ((row, col) for row in range(self.rows) for col in range(self.cols))
            return {action: cell for action, cell in enumerate(cells) if cell not in stones}
        heights = [sum(col == c for _, c in stones) for col in range(self.cols)]
        return {col: (height, col) for col, height in enumerate(heights) if height < self.rows}

    def wins(self, stones, cell):
        """Whether the stone just put on a cell is in a line."""
        owner = stones[cell]
        for down, right in ((0, 1), (1, 0), (1, 1), (1, -1)):
            count = 1
            for sign in (1, -1):
                row, col = cell
                while stones.get((row := row + sign * down, col := col + sign * right)) == owner:
                    count += 1
            if count >= self.length:
                return True
        return False

    @cache  # noqa: B019 - lives as long as the test
    def value(self, stones=frozenset()):
        """Of the position to the player to move, and how many histories begin with it."""
        board = dict(stones)
        best, histories = -1, 1
        options = self.moves(board)
        for cell in options.values():
            after = {**board, cell: len(board) % 2}
            if self.wins(after, cell):
                worth, more = 1, 1
            elif len(after) == self.rows * self.cols:
                worth, more = 0, 1
            else:
                theirs, more = self.value(frozenset(after.items()))
                worth = -theirs
            best, histories = max(best, worth), histories + more
        return best, histories


@pytest.mark.parametrize(("game_id", "board"), BOARDS)
def test_random_games_go_as_on_a_plain_board(game_id, board):
    rules, plain = instance(game_id, board).rules, Plain(game_id, board)
    rng, ends = np.random.default_rng(0), set()
    for _ in range(60):
        state, stones = rules.initial_state(1, make_backend().xp), {}
        while True:
            mover, options = len(stones) % 2, plain.moves(stones)
            assert rules.turn(state)[0] == mover
            assert np.flatnonzero(rules.legal_actions(state, np.array([mover]))[0]).tolist() == list(options)
            for player in (0, 1):
                seen = rules.observation(state, np.array([player]))[0]
                expected = np.zeros((2, *board[:2]))
                for cell, owner in stones.items():
                    expected[(int(owner != player), *cell)] = 1
                assert seen[:2].tolist() == [player == 0, player == 1]
                np.testing.assert_array_equal(seen[2:].reshape(2, *board[:2]), expected)
            action = int(rng.choice(list(options)))
            stones[options[action]] = mover
            state, rewards = rules.apply(state, np.array([action]))
            if plain.wins(stones, options[action]):
                assert rewards[0].tolist() == [1 - 2 * mover, 2 * mover - 1]
                ends.add("won")
                break
            assert not rewards.any()
            if len(stones) == board[0] * board[1]:
                ends.add("drawn")
                break
        assert rules.turn(state)[0] == TERMINAL
    assert ends & ({"won"} if board == (6, 7, 4) else {"won", "drawn"})


@pytest.mark.parametrize(("game_id", "board"), BOARDS)
def test_compiled_moves_are_those_of_operations_on_arrays(game_id, board):
    rules, rng = instance(game_id, board).rules, np.random.default_rng(1)
    state = rules.initial_state(300, make_backend().xp)
    for _ in range(board[0] * board[1] + 2):  # the last ones find all games over
        legal = rules.legal_actions(state, state.turn)
        actions = np.argmax(np.where(legal, rng.random(legal.shape), -1), axis=1)
        player = rng.integers(2, size=300)
        np.testing.assert_array_equal(rules.observation(state, player), rules.observation_by_arrays(state, player))
        (after, rewards), (same, paid) = rules.apply(state, actions), rules.apply_by_arrays(state, actions)
        for name, mine, theirs in zip(LinesState._fields, after, same, strict=True):
            np.testing.assert_array_equal(mine, theirs, err_msg=name)
            assert mine.dtype == theirs.dtype
        np.testing.assert_array_equal(rewards, paid)
        state = after
    assert (state.turn == TERMINAL).all()


def test_every_history_has_its_own_key_and_label():
    for game_id, board in (("connect_four", (4, 2, 3)), ("tic_tac_toe", (2, 3, 3))):
        game = instance(game_id, board)
        sizes = game.model().sizes()
        assert sum(sizes["infosets"]) == sizes["histories"] - sizes["terminals"]
        labels = [label for player in (0, 1) for label in game.information_state_labels(player)]
        assert len(set(labels)) == len(labels)
    assert "a1 b2 c3" not in labels  # of the last board, which has two rows
    assert "a1 b2 c1" in labels


# Values worked out by `Plain`; 1 where the first player wins.
VALUES = {
    ("connect_four", (3, 3, 3)): 0,
    ("connect_four", (4, 3, 3)): 0,
    ("connect_four", (2, 4, 3)): 0,
    ("connect_four", (4, 2, 2)): 1,
    ("connect_four", (3, 4, 3)): 1,
    ("connect_four", (1, 5, 2)): 1,
    ("tic_tac_toe", (3, 3, 3)): 0,
    ("tic_tac_toe", (2, 4, 3)): 0,
    ("tic_tac_toe", (3, 2, 2)): 1,
}


@pytest.mark.parametrize(("game_id", "board"), VALUES)
def test_values_and_sizes_are_those_of_a_plain_search(game_id, board):
    game, (worth, histories) = instance(game_id, board), Plain(game_id, board).value()
    assert worth == VALUES[game_id, board]
    assert game.size == histories
    model = game.model(max_size=600_000)
    assert len(model.parent) == histories
    values = np.zeros(len(model.parent))
    values[model.terminals] = model.payoffs[:, 0] if model.payoffs.shape[1] == 2 else model.payoffs[0]
    first = np.searchsorted(model.parent, np.arange(len(model.parent) + 1))
    for node in range(len(model.parent) - 1, -1, -1):
        if model.player[node] >= 0:
            below = values[first[node] : first[node + 1]]
            values[node] = below.max() if model.player[node] == 0 else below.min()
    assert values[0] == worth


def test_boards_that_do_not_fit_are_refused():
    with pytest.raises(eqenvs.InputError, match=r"num_cols \* \(num_rows \+ 1\) must be at most 63, got 9 \* \(7"):
        eqenvs.make("connect_four", num_rows=7, num_cols=9)
    assert eqenvs.make("connect_four", num_rows=8, num_cols=7).rules.num_cells == 56
    with pytest.raises(eqenvs.InputError, match="line_length must be at most the longer side, 3, got 4"):
        eqenvs.make("tic_tac_toe", line_length=4)


@pytest.mark.parametrize(
    ("game_id", "board", "exact"),
    [("connect_four", (4, 3, 3), True), ("connect_four", (6, 7, 4), False), ("tic_tac_toe", (2, 4, 3), True)],
)
def test_the_contracts_are_kept(game_id, board, exact):
    check_game(instance(game_id, board), exact=exact, episodes=1000)
