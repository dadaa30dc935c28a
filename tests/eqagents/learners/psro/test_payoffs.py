"""The empirical game's table, and its cells exact and simulated."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

import eqenvs
from eqagents.learners.psro._payoffs import PayoffTable, exact_cells, simulated_cell
from eqagents.learners.psro._population import Member
from eqenvs.policies import TabularPolicy
from eqsolvers.scoring import score


def test_table_grows_keeps_what_is_known_and_says_what_is_missing() -> None:
    table = PayoffTable.empty(2)
    assert table.missing() == []
    first = table.grown([1, 2])
    assert first.missing() == [(0, 0), (0, 1)]
    filled = first.played([(0, 1)], 2, np.array([[6.0, -2.0]]), np.array([[20.0, 2.0]]))
    assert np.isnan(first.mean).all()  # `played` made a new table
    np.testing.assert_array_equal(filled.mean[:, 0, 1], [3, -1])
    np.testing.assert_array_equal(filled.variance[:, 0, 1], [20 / 2 - 9, 2 / 2 - 1])
    assert filled.count.tolist() == [[0, 2]]
    assert filled.missing() == [(0, 0)]

    grown = filled.grown([3, 2])
    assert grown.mean.shape == (2, 3, 2)
    assert grown.missing() == [(0, 0), (1, 0), (1, 1), (2, 0), (2, 1)]
    np.testing.assert_array_equal(grown.mean[:, 0, 1], [3, -1])
    np.testing.assert_array_equal(grown.count, [[0, 2], [0, 0], [0, 0]])
    exact = grown.computed(grown.missing(), np.zeros((5, 2)))
    assert exact.missing() == []
    assert not np.isnan(exact.variance).any()
    assert exact.count.sum() == 2  # 0 marks an exact cell


def test_three_player_cells_are_in_lexicographic_order() -> None:
    assert PayoffTable.empty(3).grown([2, 1, 3]).missing() == list(itertools.product(range(2), range(1), range(3)))


def random_members(game: eqenvs.Game, sizes: tuple[int, ...], seed: int) -> list[list[Member]]:
    rng = np.random.default_rng(seed)
    populations = []
    for player, size in enumerate(sizes):
        masks = game.information_states[player].masks
        tables = [rng.random(masks.shape) ** 3 * masks for _ in range(size)]
        tables = [table / table.sum(axis=1, keepdims=True) for table in tables]
        populations.append([Member({"kind": "tabular", "table": table}, table) for table in tables])
    return populations


@pytest.mark.parametrize(
    ("game_id", "parameters", "sizes"),
    [
        ("kuhn_poker", {}, (2, 3)),
        ("kuhn_poker", {"num_players": 3}, (2, 1, 2)),
        ("leduc_poker", {"suit_isomorphism": True}, (1, 2)),
        ("rock_paper_scissors", {"rock_win": 2.0}, (3, 2)),
        ("random_markov_game", {"action_counts": "2x3", "horizon": 3}, (2, 3)),
        ("random_markov_game", {"num_players": 3, "discount": 0.6}, (1, 2, 2)),
    ],
)
def test_simulated_cells_agree_with_exact_ones_and_those_with_the_score(
    game_id: str, parameters: dict[str, Any], sizes: tuple[int, ...]
) -> None:
    game = eqenvs.make(game_id, **parameters)
    populations = random_members(game, sizes, 0)
    cells = list(np.ndindex(*sizes))
    exact = exact_cells(np.random.SeedSequence(0), game=game, populations=populations, cells=cells)
    episodes = 4000
    for cell, expected in zip(cells, exact, strict=True):
        members = [populations[player][k] for player, k in enumerate(cell)]
        policy = TabularPolicy(game, [member.table for member in members])  # type: ignore[misc]
        np.testing.assert_allclose(expected, score(game, policy).values, atol=1e-12)
        seed = np.random.SeedSequence(7, spawn_key=cell)
        sums, squares = simulated_cell(seed, game=game, members=members, episodes=episodes)
        mean = sums / episodes
        error = np.sqrt((squares / episodes - mean**2) / episodes)
        assert (error > 0).all()
        assert (np.abs(mean - expected) <= 5 * error).all()
