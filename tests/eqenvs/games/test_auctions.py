"""Sealed-bid auctions: truthful bids, the closed forms on the grid and how fast their error shrinks."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import eqenvs
from eqenvs.games.extensive_form import all_pay_auction, first_price_auction
from eqenvs.testing import check_game

AUCTIONS = ("first_price_auction", "second_price_auction", "all_pay_auction")


def gains(model, tables):
    """What each player gains from its best response, in expectation over its value."""
    plans = [treeplex.realisation_plan(table) for treeplex, table in zip(model.treeplexes, tables, strict=True)]
    found = []
    for player, treeplex in enumerate(model.treeplexes):
        gradient = model.gradient(player, plans)
        found.append(treeplex.best_response(gradient)[0] - float(gradient @ plans[player]))
    return found


def bidding(model, numbers):
    """Every player's table that bids `numbers[value]` for sure."""
    table = np.eye(model.information_states[0].masks.shape[1])[numbers]
    assert [int(key[0]) for key in model.information_states[0].keys] == list(range(len(numbers)))
    return [table] * model.num_players


def paid_by_hand(game_id, values, bids, reserve):
    """Payoffs of one auction."""
    top = max(bids)
    winners = [i for i, bid in enumerate(bids) if bid == top and top >= reserve]
    price = max(sorted(bids)[-2], reserve) if game_id == "second_price_auction" else top
    paid = [0.0] * len(bids)
    for i in winners:
        paid[i] = (values[i] - (0.0 if game_id == "all_pay_auction" else price)) / len(winners)
    return [p - bid for p, bid in zip(paid, bids, strict=True)] if game_id == "all_pay_auction" else paid


@pytest.mark.parametrize(
    ("game_id", "reserve"),
    [("first_price_auction", 0.0), ("first_price_auction", 0.4), ("second_price_auction", 0.0),
     ("second_price_auction", 0.4), ("all_pay_auction", 0.0)],
)  # fmt: skip
def test_every_profile_pays_as_stated(game_id, reserve):
    parameters = {} if game_id == "all_pay_auction" else {"reserve": reserve}
    rules = eqenvs.make(game_id, num_players=3, num_values=3, num_bids=4, **parameters).rules
    for values in itertools.product(range(3), repeat=3):
        bids = np.array(list(itertools.product(range(4), repeat=3)))
        state = rules.initial_state(len(bids), np)
        for value in values:
            state, paid = rules.apply(state, np.full((len(bids), 4), value))
            assert not paid.any()
        _, paid = rules.apply(state, np.concatenate([bids, np.zeros((len(bids), 1), dtype=np.int64)], axis=1))
        expected = [paid_by_hand(game_id, [v / 2 for v in values], [b / 3 for b in row], reserve) for row in bids]
        np.testing.assert_allclose(paid, expected, rtol=0, atol=1e-15)


@pytest.mark.parametrize(
    ("players", "values", "bids", "reserve"),
    [(2, 5, 5, 0.0), (2, 5, 9, 0.0), (3, 3, 5, 0.0), (2, 5, 9, 0.3), (3, 4, 4, 0.5), (2, 11, 21, 1.0)],
)
def test_truthful_bids_are_exactly_an_equilibrium_of_the_second_price_auction(players, values, bids, reserve):
    game = eqenvs.make("second_price_auction", num_players=players, num_values=values, num_bids=bids, reserve=reserve)
    truth = [value * (bids - 1) // (values - 1) for value in range(values)]
    assert max(gains(game.model(), bidding(game.model(), truth))) <= 1e-15


def test_truthful_bids_are_weakly_dominant():
    # Against any bids of the others, drawn at random: no bid does better for any value.
    model = eqenvs.make("second_price_auction", num_values=4, num_bids=7).model()
    for seed in range(20):
        other = np.random.default_rng(seed).dirichlet(np.full(7, 0.3), size=4)
        plans = [np.zeros(0), model.treeplexes[1].realisation_plan(other)]
        collected = model.gradient(0, plans)[1:].reshape(4, 7)
        truthful = collected[np.arange(4), 2 * np.arange(4)]
        assert (collected.max(axis=1) - truthful).max() <= 1e-15


def test_an_overbidder_who_scares_the_other_off_is_an_equilibrium_too():
    model = eqenvs.make("second_price_auction", num_values=3, num_bids=3).model()
    high, low = np.eye(3)[[2, 2, 2]], np.eye(3)[[0, 0, 0]]
    assert max(gains(model, [high, low])) <= 1e-15


def rounded_down(bid, bids):
    """The number of the highest bid of the grid that is no more than `bid`."""
    return int(bid * (bids - 1) + 1e-9)


def gains_by_value(model, tables):
    """What player 0 gains from the best bid for each of its values, given the value: [V]."""
    plans = [treeplex.realisation_plan(table) for treeplex, table in zip(model.treeplexes, tables, strict=True)]
    collected = model.gradient(0, plans)[1:].reshape(tables[0].shape) * len(tables[0])  # each has probability 1 / V
    return collected.max(axis=1) - (collected * tables[0]).sum(axis=1)


def first_price(players, values, bids, reserve=0.0):
    parameters = {"num_players": players, "num_values": values, "num_bids": bids, "reserve": reserve}
    model = eqenvs.make("first_price_auction", **parameters).model()
    closed = [first_price_auction.equilibrium_bid(v / (values - 1), players, reserve) for v in range(values)]
    return gains_by_value(model, bidding(model, [rounded_down(bid, bids) for bid in closed]))


def all_pay(players, values, bids):
    model = eqenvs.make("all_pay_auction", num_players=players, num_values=values, num_bids=bids).model()
    closed = [all_pay_auction.equilibrium_bid(v / (values - 1), players) for v in range(values)]
    return gains_by_value(model, bidding(model, [rounded_down(bid, bids) for bid in closed]))


def first_price_bound(n, values, bids):
    h = 1 / (bids - 1)
    return h + n**2 * h**2 / (2 * (n - 1)) + 2 * (n - 1) / values


def all_pay_bound(n, values, bids):
    return n / (n - 1) / (bids - 1) + 2 * (n - 1) / values


FORMS = {"first price": (first_price, first_price_bound), "all pay": (all_pay, all_pay_bound)}
GRIDS = [(2, 11, 11), (2, 21, 11), (2, 11, 21), (2, 21, 21), (2, 14, 17), (3, 6, 8), (3, 8, 5), (4, 3, 4)]


@pytest.mark.parametrize(("gain", "bound"), FORMS.values(), ids=FORMS)
@pytest.mark.parametrize(("players", "values", "bids"), GRIDS)
def test_nobody_gains_more_on_the_closed_forms_than_the_derived_bound(gain, bound, players, values, bids):
    assert 0 <= gain(players, values, bids).max() <= bound(players, values, bids)


@pytest.mark.parametrize("gain", [gain for gain, _ in FORMS.values()], ids=FORMS)
def test_the_most_that_is_gained_shrinks_linearly_with_the_grid(gain):
    # As the bound does: in steps of the grid it stays where it is.
    in_steps = [gain(2, grid, grid).max() * (grid - 1) for grid in (11, 21, 31)]
    assert 0.1 <= min(in_steps) <= max(in_steps) <= 0.5


def test_the_closed_form_with_a_reserve_is_an_approximate_equilibrium_too():
    assert first_price_auction.equilibrium_bid(0.3, 2, 0.5) == 0.3  # below the reserve no bid wins
    assert first_price_auction.equilibrium_bid(1.0, 2, 0.5) == pytest.approx(1 - 0.75 / 2)
    for grid in (11, 21):
        assert first_price(2, grid, grid, reserve=0.5).max() <= first_price_bound(2, grid, grid) / 2


@pytest.mark.parametrize("game_id", AUCTIONS)
def test_three_bidders_keep_every_contract(game_id):
    check_game(eqenvs.make(game_id, num_players=3, num_values=2, num_bids=3), exact=True, episodes=1000)


def test_a_bidder_sees_its_own_value_only():
    game = eqenvs.make("first_price_auction", num_values=3, num_bids=4)
    step = game.vector_env(50).reset(seed=0)
    assert step.observations.shape == (50, 2, 2 + 3)
    np.testing.assert_array_equal(step.observations[:, :, 2:].argmax(axis=2), step.keys[:, :, 0])
    assert game.information_state_labels(1) == ["value 0", "value 0.5", "value 1"]
    assert game.action_labels(0)[1] == "bid 0.333333"
