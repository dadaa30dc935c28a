"""Repeated auctions: winners, prices, budgets, and truthful bids where budgets cannot bind."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

import eqenvs
from eqenvs.errors import GameTooLargeError
from eqenvs.games.markov.repeated_auction import num_transitions
from eqenvs.testing import check_game

INSTANCES = {
    "default": {},
    "first price": {"payment": "first", "num_values": 2, "budget": 3},
    "three bidders": {"num_players": 3, "num_values": 2, "budget": 2, "horizon": 2, "discount": 0.9},
    "low bids": {"num_values": 2, "budget": 4, "max_bid": 2},
    "three bidders, first price": {"num_players": 3, "num_values": 1, "budget": 2, "payment": "first"},
}


@pytest.mark.parametrize("parameters", INSTANCES.values(), ids=INSTANCES)
def test_rules_are_those_written_plainly(plain_rules, parameters):
    game = eqenvs.make("repeated_auction", **parameters)
    given = game.parameters
    players = given["num_players"]
    draws = list(product(range(1, given["num_values"] + 1), repeat=players))

    def legal(key, player):
        return set(range(min(key[player], given["max_bid"]) + 1))

    def step(key, joint):
        budgets, values = key[:players], key[players:]
        best = [player for player in range(players) if joint[player] == max(joint)] if max(joint) else []
        found = []
        for winner in best or [None]:
            left, paid = list(budgets), [0.0] * players
            if winner is not None:
                others = max(bid for player, bid in enumerate(joint) if player != winner)
                price = joint[winner] if given["payment"] == "first" else others
                left[winner] -= price
                paid[winner] = float(values[winner] - price)
            share = 1 / max(1, len(best))
            if not any(left):
                found.append((share, None, tuple(paid)))
            else:
                found += [(share / len(draws), (*left, *after), tuple(paid)) for after in draws]
        return found

    first = {(*(given["budget"],) * players, *values): 1 / len(draws) for values in draws}
    states = plain_rules(game, first, legal, step)
    assert states * (given["max_bid"] + 1) ** players == game.size


def test_the_winner_pays_and_equal_bids_are_drawn():
    rules = eqenvs.make("repeated_auction").rules
    state, _ = rules.apply(rules.initial_state(1, np), np.array([[0, 0, 7]]))  # 7 = 2 * 3 + 1
    assert state.values.tolist() == [[3, 2]]
    after, paid = rules.apply(state, np.array([[3, 1, 0]]))
    assert (paid.tolist(), after.budgets.tolist(), after.values.tolist()) == ([[2, 0]], [[3, 4]], [[0, 0]])
    tied, paid = rules.apply(state, np.array([[2, 2, 0]]))
    assert (paid.tolist(), rules.undecided(tied).tolist()) == ([[0, 0]], [True])
    assert rules.chance_probabilities(tied)[0].tolist() == [0.5, 0.5, *(0,) * 7]
    after, paid = rules.apply(tied, np.array([[0, 0, 1]]))
    assert (paid.tolist(), after.budgets.tolist(), after.step.tolist()) == ([[0, 0]], [[4, 2]], [1])
    unsold, paid = rules.apply(state, np.array([[0, 0, 0]]))
    assert (paid.tolist(), unsold.budgets.tolist(), unsold.values.tolist()) == ([[0, 0]], [[4, 4]], [[0, 0]])


def test_who_has_no_budget_does_not_act_and_seats_are_seen_from_ones_own():
    rules = eqenvs.make("repeated_auction", num_players=3, num_values=2, budget=2).rules
    state = rules.initial_state(1, np)._replace(budgets=np.array([[0, 2, 1]]), values=np.array([[1, 2, 1]]))
    assert rules.acting(state).tolist() == [[False, True, True]]
    seen = rules.observation(state, np.array([1]))[0].tolist()
    assert seen == [0, *(0, 1, 0), *(1, 0.5, 0), *(1, 0.5, 0.5)]


@pytest.mark.parametrize("name", ["default", "first price"])
def test_bidders_are_alike(symmetry, name):
    game = eqenvs.make("repeated_auction", **INSTANCES[name])
    symmetry(game, (1, 0), lambda key: [key[1], key[0], key[3], key[2]], lambda key, player, action: action)


def deviation(game, bids):
    """Player 0's value if both bid by `bids` (a function of value and budget), and that of its best response."""
    model = game.model()
    states = np.arange(model.num_states)
    own, other = (
        np.array([bids(value, budget) for value, budget in zip(model.keys[:, 2 + p], model.keys[:, p], strict=True)])
        for p in (0, 1)
    )
    kernel, paid = model.transition[states, :, other], model.reward[0][states, :, other]  # [S, A, S] and [S, A]
    kept, best = np.zeros(model.num_states), np.zeros(model.num_states)
    for _ in range(model.horizon):
        kept = (paid + model.discount * (kernel @ kept))[states, own]
        best = np.where(model.legal[0], paid + model.discount * (kernel @ best), -np.inf).max(axis=1)
    return model.initial @ kept, model.initial @ best


@pytest.mark.parametrize(("num_values", "horizon"), [(2, 2), (3, 1), (2, 3)])
def test_truthful_bids_are_an_equilibrium_where_budgets_cannot_bind(num_values, horizon):
    game = eqenvs.make("repeated_auction", num_values=num_values, horizon=horizon, budget=num_values * horizon)
    kept, best = deviation(game, min)
    values = np.arange(1, num_values + 1)
    each_round = np.maximum(values[:, None] - values, 0).mean()
    assert (kept, best) == pytest.approx((horizon * each_round, horizon * each_round), abs=1e-12)


def test_truthful_bids_are_no_equilibrium_with_small_budgets_or_at_first_prices():
    kept, best = deviation(eqenvs.make("repeated_auction"), min)
    assert best > kept + 0.01
    kept, best = deviation(eqenvs.make("repeated_auction", horizon=1, payment="first"), min)
    assert kept == pytest.approx(0, abs=1e-12)  # the winner pays its value
    assert best > 0.1


@pytest.mark.parametrize(
    "parameters", [*INSTANCES.values(), {"num_players": 3, "num_values": 2, "max_bid": 2, "payment": "first"}]
)
def test_transitions_are_counted_without_the_model(parameters):
    game = eqenvs.make("repeated_auction", **parameters)
    of_count = {name: value for name, value in game.parameters.items() if name not in ("discount", "horizon")}
    assert num_transitions(**of_count) == game.model().sizes()["transitions"]


def test_a_game_of_few_rows_but_too_many_transitions_is_not_called_exact():
    game = eqenvs.make("repeated_auction", num_values=60, budget=1)
    assert game.size == 3 * 60**2 * 4  # of the 20 million that can be enumerated
    assert not game.exact
    with pytest.raises(GameTooLargeError, match=r"transitions .* the limit is 500,000"):
        game.model(max_size=50_000)  # the same refusal sooner
    assert eqenvs.make("repeated_auction", num_values=40, budget=1).exact


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"max_bid": 5}, "repeated_auction: max_bid must be at most budget = 4, got 5"),
        ({"num_players": 10}, "num_values to the power num_players must be at most 10000, got 59049"),
        ({"num_players": 1}, "'num_players' must be an integer from 2 to 10, got 1"),
        ({"payment": "third"}, "'payment' must be one of second, first, got 'third'"),
    ],
)
def test_bad_parameters_are_refused(parameters, message):
    with pytest.raises(eqenvs.InputError, match=message):
        eqenvs.make("repeated_auction", **parameters)


@pytest.mark.parametrize("name", ["first price", "three bidders"])
def test_instances_keep_every_contract(name):
    check_game(eqenvs.make("repeated_auction", **INSTANCES[name]), exact=True, episodes=1000)
