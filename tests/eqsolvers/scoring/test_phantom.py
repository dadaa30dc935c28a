"""Scores of phantom games without their histories, against the enumerated game and published figures."""

from __future__ import annotations

import numpy as np
import pytest

import eqenvs
from eqenvs.arrays import namespace, one_hot
from eqenvs.errors import PolicyError, UnsupportedGame
from eqenvs.game import Game
from eqenvs.games.extensive_form._phantom_board import PhantomBoard
from eqenvs.policies import MixturePolicy, ProductPolicy, TabularPolicy
from eqenvs.spec import Family, GameSpec
from eqenvs.testing.conformance import random_tables
from eqsolvers.scoring import best_response, score
from eqsolvers.scoring.phantom import PhantomScorer

TOLERANCE = 1e-10  # payoff units
BOARDS = [(2, 2), (2, 3), (3, 2)]
BOTH = pytest.mark.parametrize("abrupt", [False, True], ids=["classic", "abrupt"])


def uniform(player, states):
    return states.uniform()


def board(num_rows, num_cols, abrupt):
    return eqenvs.make("dark_hex", num_rows=num_rows, num_cols=num_cols, abrupt=abrupt)


def sharpened(game, seed, power):
    """A random policy, the nearer to a deterministic one the higher the power."""
    tables = [table**power for table in random_tables(game, np.random.default_rng(seed)).tables]
    return TabularPolicy(game, [table / table.sum(axis=1, keepdims=True) for table in tables])


def deterministic(game, seed):
    tables = random_tables(game, np.random.default_rng(seed)).tables
    return TabularPolicy(game, [np.eye(table.shape[1])[table.argmax(axis=1)] for table in tables])


def agree(game, policy):
    mine, enumerated = PhantomScorer(game).score(policy), score(game, policy)
    np.testing.assert_allclose(mine.values, enumerated.values, rtol=0, atol=TOLERANCE)
    np.testing.assert_allclose(mine.gains, enumerated.gains, rtol=0, atol=TOLERANCE)
    assert mine.cce_gap == pytest.approx(enumerated.cce_gap, abs=TOLERANCE)
    assert mine.kind == enumerated.kind
    assert mine.normaliser == enumerated.normaliser


@BOTH
@pytest.mark.parametrize(("num_rows", "num_cols"), BOARDS)
def test_scores_are_those_of_the_enumerated_game(num_rows, num_cols, abrupt):
    game = board(num_rows, num_cols, abrupt)
    agree(game, uniform)
    for seed, power in enumerate((1, 3, 30)):
        agree(game, sharpened(game, seed, power))
    agree(game, deterministic(game, 3))


class Lines(PhantomBoard):
    """Three in a row on five cells, with draws; an odd number of cells ends other turns than the small hex boards."""

    lines = np.array([(0, 1, 2), (2, 3, 4), (0, 2, 3)])

    def __init__(self, abrupt):
        super().__init__(1, 5, abrupt)

    def _place(self, board, cell, player):
        xp = namespace(board)
        placed = xp.where(one_hot(cell, 5), player[:, None], board)
        return placed, (placed == player[:, None])[:, self.lines].all(2).any(1)


@BOTH
def test_scores_with_an_odd_number_of_cells_and_draws_are_those_of_the_enumerated_game(abrupt):
    """Run once with the lines of the Fano plane too, 9.1 million histories (classic): the same to 2e-14."""
    spec = GameSpec(
        id="lines",
        family=Family.EXTENSIVE_FORM,
        title="lines",
        build=lambda: Lines(abrupt),
        constant_sum=True,
        source="made for this test",
    )
    game = Game(spec)
    agree(game, uniform)
    for seed, power in enumerate((1, 3, 30)):
        agree(game, sharpened(game, seed, power))
    agree(game, deterministic(game, 3))


@BOTH
def test_mixtures_are_scored_as_those_of_the_enumerated_game(abrupt):
    """A player's private mixture becomes a plan, and a device keeps its own values and has a CCE gap."""
    game = board(2, 3, abrupt)
    first, second, third = sharpened(game, 0, 2), deterministic(game, 1), deterministic(game, 2)
    private = MixturePolicy([first, second, third], [0.2, 0.3, 0.5])
    agree(game, ProductPolicy([private, third]))
    agree(game, MixturePolicy([second, ProductPolicy([private, first])], [0.25, 0.75]))


@BOTH
def test_best_response_values_are_those_of_the_enumerated_game(abrupt):
    game = board(3, 2, abrupt)
    policy = sharpened(game, 4, 2)
    for player in range(2):
        expected, _ = best_response(game, player, policy)
        assert PhantomScorer(game).best_response_value(player, policy) == pytest.approx(expected, abs=TOLERANCE)


def test_two_threads_give_the_same_bits():
    game = board(3, 2, True)
    policy = sharpened(game, 5, 2)
    one, two = PhantomScorer(game).score(policy), PhantomScorer(game, threads=2).score(policy)
    assert one.to_dict() == two.to_dict()


@pytest.mark.parametrize(
    ("game_id", "parameters", "best"),
    [
        ("phantom_tic_tac_toe", {}, (0.953125, 0.624339)),
        ("dark_hex", {"board_size": 3}, (1.0, 0.832804)),
    ],
)
@pytest.mark.slow
def test_uniform_play_is_as_exploitable_as_published(game_id, parameters, best):
    """Rudolph et al. (2025), arXiv 2502.08938; best responses run with their program, 6 digits."""
    scored = PhantomScorer(eqenvs.make(game_id, **parameters)).score(uniform)
    np.testing.assert_allclose(scored.values + scored.gains, best, rtol=0, atol=1e-6)
    assert scored.exploitability == pytest.approx(sum(best) / 2, abs=1e-6)


@BOTH
def test_what_is_no_distribution_is_refused(abrupt):
    scorer = PhantomScorer(board(2, 2, abrupt))
    with pytest.raises(PolicyError, match="does not sum to 1"):
        scorer.score(lambda player, states: 0.5 * states.uniform())
    with pytest.raises(PolicyError, match="illegal action"):
        scorer.score(lambda player, states: np.full(states.masks.shape, 0.25))


def test_a_policy_is_asked_about_states_at_which_something_is_decided_only():
    """2x2, classic: player 1's second turn takes the last empty cell."""
    asked = {0: 0, 1: 0}

    def counting(player, states):
        asked[player] += len(states.keys)
        return states.uniform()

    PhantomScorer(board(2, 2, False)).score(counting)
    assert asked == {0: 17, 1: 5}


def test_other_games_and_larger_boards_are_refused():
    with pytest.raises(UnsupportedGame, match="no phantom game on a board of 4 to 9 cells"):
        PhantomScorer(eqenvs.make("kuhn_poker"))
    with pytest.raises(UnsupportedGame, match="no phantom game on a board of 4 to 9 cells"):
        PhantomScorer(eqenvs.make("dark_hex", board_size=4))
    with pytest.raises(UnsupportedGame, match="not kept as a table"):
        PhantomScorer(board(2, 2, False)).best_response(0, uniform)
