"""The layout in lanes: what it finds in games with hands, and that it says the same as the sequence form."""

import numpy as np
import pytest

import eqenvs
from eqsolvers.extensive_form._lanes import lay_out
from eqsolvers.extensive_form._sequence_form import sequence_form
from eqsolvers.extensive_form._symmetry import quotient

GAMES = [
    eqenvs.make("kuhn_poker"),
    eqenvs.make("leduc_poker"),
    eqenvs.make("leduc_poker", num_ranks=6),
    eqenvs.make("liars_dice", num_faces=4),
    eqenvs.make("goofspiel", num_cards=4),
    eqenvs.make("battleship", loss_multiplier=1.0),
    eqenvs.make("oshi_zumo", coins=3, horizon=3),
    eqenvs.make("dark_hex", board_size=2),
    eqenvs.make("random_tree", seed=3),
]


def reduced(game):
    players = quotient(game.model(), forced_moves=False)
    return players, lay_out(game.model(), players)


# Public histories at which a player has a choice: 2 in Kuhn; 48 in Leduc, the public card's 3 ranks among them;
# half of the 2^12 sets of bids in liar's dice with 6 faces, without those that leave one call.
@pytest.mark.parametrize(
    ("game", "units", "different"),
    [
        (eqenvs.make("kuhn_poker"), (2, 2), (4, 4)),
        (eqenvs.make("leduc_poker"), (48, 48), (55, 55)),
        (eqenvs.make("liars_dice"), (1024, 1024), (36, 35)),
    ],
    ids=repr,
)
def test_hands_stand_side_by_side_at_every_public_history(game, units, different):
    _, layout = reduced(game)
    for side, expected, matrices in zip(layout.sides, units, different, strict=True):
        assert side.wide.all()
        assert len(side.first) == expected
        assert len(side.patterns) // (layout.width * side.columns) == matrices


@pytest.mark.parametrize("game", GAMES, ids=repr)
def test_units_partition_the_sequences_parents_first(game):
    players, layout = reduced(game)
    for p, player in enumerate(players):
        side, position = layout.sides[p], layout.positions[p]
        assert len(np.unique(position)) == player.num_sequences
        owner = np.full(layout.sizes[p], -1)
        for unit in range(len(side.first)):
            size = side.actions[unit] * (layout.width if side.wide[unit] else 1)
            assert (owner[side.first[unit] : side.first[unit] + size] == -1).all()
            owner[side.first[unit] : side.first[unit] + size] = unit
            assert owner[side.parent[unit]] < unit
        for infoset in range(len(player.parent)):
            mine = position[player.first[infoset] : player.first[infoset + 1]]
            unit = owner[mine[0]]
            step = layout.width if side.wide[unit] else 1
            assert (owner[mine] == unit).all()
            assert (np.diff(mine) == step).all()
            lane = (mine[0] - side.first[unit]) if side.wide[unit] else 0
            parent = position[player.parent[infoset]]
            assert side.parent[unit] + lane == parent or player.parent[infoset] == 0


@pytest.mark.parametrize("game", GAMES, ids=repr)
def test_blocks_and_entries_are_the_payoffs(game):
    """Written out as one matrix by position, they are the quotient's, a class counted with all its members."""
    players, layout = reduced(game)
    for p, player in enumerate(players):
        side, width = layout.sides[p], layout.width
        laid = np.zeros((layout.sizes[p], layout.sizes[1 - p] + width))
        for at in range(layout.sizes[p]):
            entries = slice(side.entry_start[at], side.entry_start[at + 1])
            np.add.at(laid[at], side.entry_other[entries], side.entry_value[entries])
        for unit in np.flatnonzero(side.wide):
            for a in range(side.actions[unit]):
                row, at = side.block_row[unit] + a, side.first[unit] + a * width
                for k in range(side.block_start[row], side.block_start[row + 1]):
                    cells = side.patterns[side.block_pattern[k] :][: side.columns * width]
                    other = slice(side.block_other[k], side.block_other[k] + side.columns)
                    laid[at : at + width, other] += cells.reshape(side.columns, width).T
        expected = np.zeros_like(laid)
        rows = np.repeat(np.arange(player.num_sequences), np.diff(player.row_start))
        where = layout.positions[p][rows], layout.positions[1 - p][player.others[:, 0]]
        expected[where] = player.values * player.size[rows]
        np.testing.assert_allclose(laid, expected, atol=1e-12 * np.abs(expected).max())


@pytest.mark.parametrize(
    "game", [*GAMES, eqenvs.make("kuhn_poker", num_players=3), eqenvs.make("sheriff", num_rounds=1)], ids=repr
)
def test_without_forced_moves_plans_collect_what_they_did(game):
    """Any plan of the whole game, read at the sequences that stay, has the same expected payoffs."""
    model, form = game.model(), sequence_form(game.model(), forced_moves=False)
    rng = np.random.default_rng(0)
    plans, kept = [], []
    for treeplex, player in zip(model.treeplexes, form.players, strict=True):
        table = rng.random(treeplex.states.masks.shape) * treeplex.states.masks
        plan = treeplex.realisation_plan(table / table.sum(axis=1, keepdims=True))
        stays = np.zeros(player.num_sequences)
        stays[player.of_model] = plan
        np.testing.assert_allclose(stays[player.of_model], plan, atol=1e-15)
        assert (player.num_actions > 1).all()
        assert (np.diff(player.depth) >= 0).all()
        plans.append(plan)
        kept.append(stays)
    for p in range(model.num_players):
        whole = np.prod([plan[model.payoff_sequences[:, q]] for q, plan in enumerate(plans)], axis=0)
        small = np.prod([plan[form.payoff_sequences[:, q]] for q, plan in enumerate(kept)], axis=0)
        assert small @ form.payoff_values[:, p] == pytest.approx(whole @ model.payoff_values[:, p], abs=1e-12)
