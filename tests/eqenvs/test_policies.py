"""Policies: what is refused, with which words, and what tables survive."""

from __future__ import annotations

import re

import numpy as np
import pytest

import eqenvs
from eqenvs import policies
from eqenvs.errors import PolicyError
from eqenvs.models.information_states import InformationStates, KeyIndex, hash_rows, unique_rows
from eqenvs.policies import (
    CorrelatedStrategy,
    FunctionPolicy,
    MixturePolicy,
    ProductPolicy,
    TabularPolicy,
    tabulate,
    uniform,
)
from eqenvs.simulation import simulate
from eqenvs.testing.conformance import random_tables

KUHN = eqenvs.make("kuhn_poker")
LEDUC = eqenvs.make("leduc_poker", suit_isomorphism=True)


def kuhn_tables():
    return [np.full((6, 2), 0.5), np.full((6, 2), 0.5)]


def with_row(row, values, tables=None):
    tables = tables or kuhn_tables()
    tables[1][row] = values
    return tables


BAD_TABLES = {
    "a player missing": ([np.full((6, 2), 0.5)], "a table for each of the 2 players, got 1"),
    "a row missing": (
        [np.full((6, 2), 0.5), np.full((5, 2), 0.5)],
        "player 1's table has 5 rows but the player has 6 information states; none may be missing",
    ),
    "wrong width": (
        [np.full((6, 2), 0.5), np.full((6, 3), 1 / 3)],
        re.escape("player 1's table must have shape (6, 2), got (6, 3)"),
    ),
    "one dimension": ([np.full((6, 2), 0.5), np.full(6, 0.5)], re.escape("must have shape (6, 2), got (6,)")),
    "sum": (with_row(4, [0.5, 0.4]), r"player 1's row 4 \(information state .*\) does not sum to 1: \[0.5, 0.4\]"),
    "zero row": (with_row(0, [0.0, 0.0]), r"player 1's row 0 .* does not sum to 1"),
    "negative": (with_row(2, [1.5, -0.5]), r"player 1's row 2 .* has a negative probability"),
    "NaN": (with_row(5, [np.nan, 1.0]), r"player 1's row 5 .* is not finite"),
    "infinite": (with_row(5, [np.inf, 1.0]), r"player 1's row 5 .* is not finite"),
}


@pytest.mark.parametrize(("tables", "message"), BAD_TABLES.values(), ids=BAD_TABLES)
def test_bad_tables_are_refused_with_player_row_and_rule(tables, message):
    with pytest.raises(PolicyError, match=message):
        TabularPolicy(KUHN, tables)


def test_mass_on_an_illegal_action_is_refused():
    states = LEDUC.information_states[0]
    tables = [s.uniform() for s in LEDUC.information_states]
    row = int(np.flatnonzero(~states.masks[:, 0])[0])  # where there is nothing to fold to
    tables[0] = tables[0].copy()
    tables[0][row] = [0.2, 0.8, 0.0]
    with pytest.raises(PolicyError, match=rf"player 0's row {row} .* gives probability to an illegal action"):
        TabularPolicy(LEDUC, tables)


def test_a_row_within_tolerance_is_normalised_and_the_table_is_a_copy():
    tables = with_row(3, [0.5, 0.5 + 5e-7])
    policy = TabularPolicy(KUHN, tables)
    assert policy.tables[1].sum(axis=1).tolist() == pytest.approx([1.0] * 6, abs=1e-15)
    tables[0][:] = 0
    assert policy.tables[0].sum() == 6
    assert not policy.tables[0].flags.writeable


def test_checking_a_table_again_changes_no_bit():
    first = random_tables(LEDUC, 0)
    second = TabularPolicy(LEDUC, first.tables)
    for a, b in zip(first.tables, second.tables, strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_single_information_state_may_be_given_as_a_vector():
    game = eqenvs.make("rock_paper_scissors")
    assert TabularPolicy(game, [[0.2, 0.3, 0.5], [1, 0, 0]]).tables[0].shape == (1, 3)


def test_tables_of_another_game_are_refused():
    other = eqenvs.make("kuhn_poker", num_players=3)
    with pytest.raises(PolicyError, match="made for another"):
        tabulate(KUHN.model(), uniform(other))
    with pytest.raises(PolicyError, match="made for another"):
        tabulate(KUHN.model(), uniform(LEDUC))
    with pytest.raises(PolicyError, match="made for another"):
        tabulate(LEDUC.model(), uniform(eqenvs.make("leduc_poker")))


def test_tables_of_an_equal_game_fit():
    assert tabulate(KUHN.model(), uniform(eqenvs.make("kuhn_poker"))).tables[0].shape == (6, 2)


BAD_WEIGHTS = {
    "too few": ([1.0], "one weight per component, got 2 and shape (1,)"),
    "none": ([], "one weight per component"),
    "matrix": ([[0.5, 0.5]], "one weight per component"),
    "negative": ([1.5, -0.5], "non-negative and sum to 1, got [1.5, -0.5]"),
    "sum": ([0.5, 0.4], "non-negative and sum to 1, got [0.5, 0.4]"),
    "NaN": ([np.nan, 1.0], "non-negative and sum to 1, got [nan, 1.0]"),
    "NaN later": ([1.0, np.nan], "non-negative and sum to 1, got [1.0, nan]"),
    "ragged": ([[1.0], [0.5, 0.5]], "mixture weights must be an array of numbers"),
    "words": (["a", "b"], "mixture weights must be real numbers"),
}


@pytest.mark.parametrize(("weights", "message"), BAD_WEIGHTS.values(), ids=BAD_WEIGHTS)
def test_bad_mixture_weights_are_refused(weights, message):
    with pytest.raises(PolicyError, match=re.escape(message)):
        MixturePolicy([uniform(KUHN), uniform(KUHN)], weights)


@pytest.mark.parametrize("distribution", [[[0.5, 0.5], [0.0]], [["a", "b"], ["c", "d"]]])
def test_a_device_that_is_no_array_of_numbers_is_refused(distribution):
    model = eqenvs.make("matching_pennies").model()
    with pytest.raises(PolicyError, match="a distribution over joint actions must be"):
        CorrelatedStrategy(model, distribution)


def test_lists_are_no_policy_and_it_is_said_what_is():
    model = eqenvs.make("matching_pennies").model()
    with pytest.raises(PolicyError, match=r"a joint policy is a TabularPolicy\(model, tables\), .* got list"):
        tabulate(model, [[1, 0], [1, 0]])


def test_a_mixture_of_nothing_is_refused():
    with pytest.raises(PolicyError, match="one weight per component"):
        MixturePolicy([], [])


def test_a_correlation_device_is_no_product():
    mixture = MixturePolicy([random_tables(KUHN, 0), random_tables(KUHN, 1)], [0.5, 0.5])
    with pytest.raises(PolicyError, match="correlates the players"):
        tabulate(KUHN.model(), mixture)


def test_a_player_left_out_is_an_error_and_not_uniform():
    product = ProductPolicy([uniform(KUHN)])
    with pytest.raises(PolicyError, match="each of the 2 players, got 1"):
        tabulate(KUHN.model(), product)
    with pytest.raises(PolicyError, match="each of the 2 players, got 1"):
        simulate(KUHN.rules, product, 10, 0)


def test_private_mixtures_become_equivalent_behaviour():
    a, b = random_tables(KUHN, 0), random_tables(KUHN, 1)
    product = ProductPolicy([MixturePolicy([a, b], [0.25, 0.75]), b])
    found = tabulate(KUHN.model(), product)
    expected = KUHN.model().mix(0, np.stack([a.tables[0], b.tables[0]]), np.array([0.25, 0.75]))
    np.testing.assert_allclose(found.tables[0], expected, atol=1e-15)
    np.testing.assert_array_equal(found.tables[1], b.tables[1])


def test_functions_are_tabulated_and_checked():
    def pass_or_bet(player, observations, masks):
        return np.where(np.arange(2) == player, 1.0, 0.0) * np.ones((len(masks), 1))

    tables = tabulate(KUHN.model(), FunctionPolicy(pass_or_bet)).tables
    assert tables[0].tolist() == [[1.0, 0.0]] * 6
    assert tables[1].tolist() == [[0.0, 1.0]] * 6
    with pytest.raises(PolicyError, match=r"player 0's row 0 .* does not sum to 1"):
        tabulate(KUHN.model(), FunctionPolicy(lambda player, observations, masks: 0.7 * masks))


def test_simulation_refuses_what_is_no_distribution():
    with pytest.raises(PolicyError, match=r"player 0's policy gives \[nan, nan\] at information state"):
        simulate(KUHN.rules, FunctionPolicy(lambda p, o, m: np.full(m.shape, np.nan)), 4, 0)
    with pytest.raises(PolicyError, match="no distribution over its legal actions"):
        simulate(LEDUC.rules, FunctionPolicy(lambda p, o, m: np.tile([1.0, 0.0, 0.0], (len(m), 1))), 4, 0)


def test_simulation_is_the_same_for_the_same_seed_only():
    runs = [simulate(LEDUC.rules, uniform(LEDUC), 200, seed) for seed in (3, 3, 4)]
    np.testing.assert_array_equal(runs[0], runs[1])
    assert not np.array_equal(runs[0], runs[2])


def test_a_policy_looks_up_batches_in_any_order():
    policy, states = random_tables(LEDUC, 2), LEDUC.information_states[1]
    rows = np.random.default_rng(0).permutation(len(states.keys))[:50]
    part = InformationStates(*(array[rows] for array in states))
    np.testing.assert_array_equal(policy(1, part), policy.tables[1][rows])


def test_an_unknown_key_is_named():
    index = KeyIndex(KUHN.information_states[0].keys)
    assert index.rows(KUHN.information_states[0].keys[::-1]).tolist() == [5, 4, 3, 2, 1, 0]
    with pytest.raises(PolicyError, match=re.escape("no row for information state [9, 9, 9, 9]")):
        index.rows(np.array([[9, 9, 9, 9]]))


@pytest.mark.parametrize("known", [np.zeros((2, 4), dtype=np.int64), np.zeros((0, 3), dtype=np.int64)])
def test_keys_of_another_game_are_policy_errors(known):
    with pytest.raises(PolicyError):
        KeyIndex(known).rows(np.ones((1, 3), dtype=np.int64))


def test_unique_rows_are_numbered_in_order_of_occurrence():
    rows = np.array([[3, -1], [0, 0], [3, -1], [-1, 3], [0, 0]])
    first, inverse = unique_rows(rows)
    assert first.tolist() == [0, 1, 3]
    assert inverse.tolist() == [0, 1, 0, 2, 1]


def test_unique_rows_survive_a_hash_collision(monkeypatch):
    from eqenvs.models import information_states

    monkeypatch.setattr(information_states, "hash_rows", lambda rows: np.zeros(len(rows), dtype=np.uint64))
    first, inverse = unique_rows(np.array([[3, -1], [0, 0], [3, -1], [-1, 3]]))
    assert (first.tolist(), inverse.tolist()) == ([0, 1, 3], [0, 1, 0, 2])


def test_hashes_do_not_depend_on_the_batch():
    rows = np.random.default_rng(0).integers(-5, 5, size=(20, 3))
    np.testing.assert_array_equal(hash_rows(rows)[7:9], hash_rows(rows[7:9]))


def named(**changes):
    """Arguments of `from_mapping` for a game of one information state each."""
    given = {
        "labels": [["start"], ["start"]],
        "actions": [["rock", "paper", "scissors"]] * 2,
        "players": [{"start": {"rock": 1.0}}, {"start": {"paper": 0.5, "rock": 0.5}}],
    } | changes
    return policies.from_mapping(
        eqenvs.make("rock_paper_scissors"), given["labels"], given["actions"], given["players"]
    )


def test_a_table_by_names_reads_absent_actions_as_zero():
    tables = named().tables
    assert tables[0].tolist() == [[1, 0, 0]]
    assert tables[1].tolist() == [[0.5, 0.5, 0]]


BAD_NAMES = {
    "player": ([{"start": {"rock": 1.0}}], "each of the 2 players, got 1"),
    "information state": (
        [{"start": {"rock": 1.0}}, {"start": {"rock": 1.0}, "starts": {"rock": 1.0}}],
        "player 1 has no information state 'starts'; did you mean 'start'?",
    ),
    "missing": ([{"start": {"rock": 1.0}}, {}], "player 1's table has no row for information state 'start' (1 of 1"),
    "action": (
        [{"start": {"rok": 1.0}}, {"start": {"rock": 1.0}}],
        "player 0, information state 'start': no action 'rok'; did you mean 'rock'?",
    ),
    "sum": (
        [{"start": {"rock": 0.7}}, {"start": {"rock": 1.0}}],
        "player 0, information state 'start': probabilities sum to 0.7, not 1",
    ),
    "NaN": ([{"start": {"rock": float("nan")}}, {"start": {"rock": 1.0}}], "player 0"),
}


@pytest.mark.parametrize(("players", "message"), BAD_NAMES.values(), ids=BAD_NAMES)
def test_wrong_names_are_refused_with_the_nearest(players, message):
    with pytest.raises(PolicyError, match=re.escape(message)):
        named(players=players)


def test_a_missing_player_policy_in_play_names_the_information_state():
    table = uniform(eqenvs.make("leduc_poker", num_ranks=4))
    with pytest.raises(PolicyError, match="no row for information state"):
        simulate(eqenvs.make("leduc_poker", num_ranks=6).rules, table, 500, 0)


def test_components_multiply_devices_within_devices_out():
    game = eqenvs.make("chicken")
    a, b, c = (random_tables(game, seed) for seed in range(3))
    device = CorrelatedStrategy(game, [[0.5, 0.25], [0.25, 0.0]])
    found, weights = policies.components(
        MixturePolicy([MixturePolicy([a, b], [0.4, 0.6]), c, device], [0.5, 0.3, 0.2]), 2
    )
    assert found[:3] == [a, b, c]
    assert [[table.argmax() for table in profile.tables] for profile in found[3:]] == [[0, 0], [0, 1], [1, 0]]
    np.testing.assert_allclose(weights, [0.2, 0.3, 0.3, 0.1, 0.05, 0.05], rtol=1e-15)


def test_what_draws_nothing_for_everybody_is_its_own_component():
    private = MixturePolicy([random_tables(KUHN, seed) for seed in range(2)], [0.5, 0.5])
    for policy, players in ((uniform(KUHN), 2), (ProductPolicy([private, private]), 2), (private, 1)):
        found, weights = policies.components(policy, players)
        assert found == [policy]
        assert weights.tolist() == [1.0]


def test_marginals_are_each_players_own_draws():
    game = eqenvs.make("random_markov_game", num_states=2, horizon=1)
    joint = np.array([[[0.5, 0.0], [0.2, 0.3]], [[0.1, 0.2], [0.3, 0.4]]])
    device = policies.MarkovCorrelatedPolicy(game, joint)
    alone = random_tables(game, 0)
    product = policies.marginals(MixturePolicy([device, alone], [0.25, 0.75]), 2)
    for player, entry in enumerate(product.players):
        members, weights = policies.private_mixture(entry, player)
        assert weights.tolist() == [0.25, 0.75]
        np.testing.assert_allclose(members[0].tables[player], joint.sum(axis=2 - player), rtol=1e-15)
        assert members[1] is alone
