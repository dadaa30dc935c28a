"""Scores of Markov games: against the same game in extensive form, plain sums, closed forms, and brute force."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

import eqenvs
from eqenvs.models import MarkovModel
from eqenvs.policies import (
    FunctionPolicy,
    MarkovCorrelatedPolicy,
    MixturePolicy,
    ProductPolicy,
    TabularPolicy,
    tabulate,
    uniform,
)
from eqenvs.testing.conformance import random_tables
from eqenvs.testing.markov import expected_returns
from eqsolvers.scoring import beliefs, score

GAMES = {
    "zero-sum": {"zero_sum": True, "num_states": 3, "horizon": 3, "discount": 0.8, "branching": 2},
    "2x3": {"action_counts": "2x3", "num_states": 3, "horizon": 2, "discount": 1.0},
    "three players": {"num_players": 3, "num_states": 2, "horizon": 2, "discount": 0.9, "branching": 2},
}


class Remembered:
    """A Markov policy as a policy of the unfolded game, which looks at the last state of the history only."""

    def __init__(self, game, table):
        self.width, self.players = game.num_players + 1, game.num_players
        self.table, self.states = table, game.model().num_states

    def __call__(self, player, points):
        seen = points.keys[:, :: self.width]  # first state, and the state after each step
        step = (seen >= 0).sum(axis=1) - 1
        state = np.take_along_axis(seen, step[:, None], axis=1)[:, 0]
        return self.table.tables[player][step * self.states + state]


def both_ways(parameters, count, seed=0):
    game = eqenvs.make("random_markov_game", **parameters)
    tables = [random_tables(game, seed + i) for i in range(count)]
    return game, eqenvs.unfold(game), tables, [Remembered(game, table) for table in tables]


def agree(markov, tree):
    np.testing.assert_allclose(markov.values, tree.values, atol=1e-12)
    np.testing.assert_allclose(markov.gains, tree.gains, atol=1e-11)
    for name in ("ce_gap", "cce_gap", "nash_conv"):
        assert getattr(markov, name) == pytest.approx(getattr(tree, name), abs=1e-10)
    assert markov.normaliser == tree.normaliser


@pytest.mark.parametrize("parameters", GAMES.values(), ids=GAMES)
class TestBothWays:
    """With a horizon, the game is a tree, which the extensive-form scores go through by themselves."""

    def test_products(self, parameters):
        game, tree, (table, *_), (remembered, *_) = both_ways(parameters, 1)
        found = score(game, table)
        agree(found, score(tree, remembered))
        np.testing.assert_allclose(found.values, expected_returns(game.model(), table), atol=1e-12)
        assert found.markov_cce_gap == found.cce_gap == pytest.approx(found.nash_conv)

    def test_devices(self, parameters):
        game, tree, tables, remembered = both_ways(parameters, 3)
        weights = [0.5, 0.3, 0.2]
        found = score(game, MixturePolicy(tables, weights))
        agree(found, score(tree, MixturePolicy(remembered, weights)))
        assert found.markov_cce_gap <= found.cce_gap + 1e-12
        assert found.markov_ce_gap <= found.ce_gap + 1e-12
        assert found.kind == "exact"

    def test_devices_that_tell_a_player_nothing(self, parameters):
        """Player 0 has one policy in every component, so it cannot tell them apart."""
        game, tree, (a, b, *_), (ra, rb, *_) = both_ways(parameters, 2)
        others = game.num_players - 1
        found = score(game, MixturePolicy([a, ProductPolicy([a] + [b] * others)], [0.4, 0.6]))
        agree(found, score(tree, MixturePolicy([ra, ProductPolicy([ra] + [rb] * others)], [0.4, 0.6])))

    def test_private_mixtures(self, parameters):
        game, tree, (a, b, *_), (ra, rb, *_) = both_ways(parameters, 2)
        rest = game.num_players - 1
        found = score(game, ProductPolicy([MixturePolicy([a, b], [0.3, 0.7])] + [a] * rest))
        expected = score(tree, ProductPolicy([MixturePolicy([ra, rb], [0.3, 0.7])] + [ra] * rest))
        np.testing.assert_allclose(found.values, expected.values, atol=1e-12)
        assert found.nash_conv == pytest.approx(expected.nash_conv, abs=1e-10)


def brute_force_reply(model, player, joint, told):
    """The best stationary reply by trying all of them: actions for each state, and recommendation if told."""
    states, own = model.num_states, model.num_actions[player]
    heard = own if told else 1
    best = -np.inf
    moved = np.moveaxis(joint, 1 + player, 1)
    given = moved if told else moved.sum(axis=1, keepdims=True)
    for choice in product(range(own), repeat=states * heard):
        played = np.zeros_like(moved)
        for (state, recommended), action in zip(product(range(states), range(heard)), choice, strict=True):
            played[state, action] += given[state, recommended]
        flat = np.moveaxis(played, 1, 1 + player).reshape(states, -1)
        kernel = np.einsum("sj,sjz->sz", flat, model.transition.reshape(states, -1, states))
        paid = (flat * model.reward[player].reshape(states, -1)).sum(axis=1)
        values = np.linalg.solve(np.eye(states) - model.discount * kernel, paid)
        best = max(best, float(model.initial @ values))
    return best


@pytest.mark.parametrize("seed", range(3))
def test_discounted_scores_are_those_of_brute_force(seed):
    game = eqenvs.make("random_markov_game", action_counts="2x3", num_states=3, branching=2, seed=seed)
    model, table = game.model(), random_tables(game, seed)
    joint = np.einsum("sa,sb->sab", *table.tables)
    found = score(game, table)
    values = expected_returns(model, table)
    np.testing.assert_allclose(found.values, values, atol=1e-9)
    gains = [brute_force_reply(model, player, joint, told=False) - values[player] for player in range(2)]
    np.testing.assert_allclose(found.gains, gains, atol=1e-8)


@pytest.mark.parametrize("seed", range(3))
def test_devices_drawn_anew_are_scored_as_by_brute_force(seed):
    game = eqenvs.make("random_markov_game", action_counts="2x3", num_states=2, branching=2, seed=seed)
    model = game.model()
    joint = np.random.default_rng(seed).dirichlet(np.full(6, 0.5), size=2).reshape(2, 2, 3)
    policy = MarkovCorrelatedPolicy(model, joint)
    found = score(model, policy)
    for told, gap in ((False, found.cce_gap), (True, found.ce_gap)):
        best = [brute_force_reply(model, player, joint, told) for player in range(2)]
        assert gap == pytest.approx(sum(best) - found.values.sum(), abs=1e-8)
    assert found.ce_gap >= found.cce_gap - 1e-12
    assert found.markov_ce_gap == found.ce_gap
    apart = score(model, policy.marginals())
    np.testing.assert_allclose(found.gains, apart.gains, atol=1e-12)


def test_a_product_is_the_same_drawn_anew():
    game = eqenvs.make("random_markov_game", horizon=3, num_players=3)
    table = random_tables(game, 0)
    joint = np.einsum("ia,ib,ic->iabc", *table.tables)
    first, second = score(game, table), score(game, MarkovCorrelatedPolicy(game, joint))
    assert second.ce_gap == pytest.approx(first.nash_conv, abs=1e-12)
    assert second.cce_gap == pytest.approx(first.cce_gap, abs=1e-12)


def test_memory_pays_where_the_first_move_tells_which_component_was_drawn():
    """Two steps. Player 1 plays heads throughout or tails throughout; player 0 is paid for matching it."""
    pennies = np.array([[1.0, -1], [-1, 1]])
    model = MarkovModel(np.ones((1, 2, 2, 1)), np.stack([pennies, -pennies])[:, None], [1.0], discount=1.0, horizon=2)
    heads, tails = (TabularPolicy(model, [np.full((2, 2), 0.5), np.tile(row, (2, 1))]) for row in np.eye(2))
    found = score(model, MixturePolicy([heads, tails], [0.5, 0.5]))
    assert found.values.tolist() == [0, 0]
    assert found.cce_gap == pytest.approx(1.0)  # 0 in the first step, 1 in the second
    assert found.markov_cce_gap == pytest.approx(0.0)
    assert found.detail == {}


def test_what_memory_is_worth_in_a_discounted_game():
    """The same without end: after one step at 0 the player gets 1 for ever."""
    pennies = np.array([[1.0, -1], [-1, 1]])
    model = MarkovModel(np.ones((1, 2, 2, 1)), np.stack([pennies, -pennies])[:, None], [1.0], discount=0.9)
    heads, tails = (TabularPolicy(model, [[[0.5, 0.5]], row[None]]) for row in np.eye(2))
    found = score(model, MixturePolicy([heads, tails], [0.5, 0.5]))
    assert found.cce_gap == pytest.approx(9.0)
    assert found.markov_cce_gap == pytest.approx(0.0)


def test_too_many_beliefs_leave_bounds_and_say_so(monkeypatch):
    monkeypatch.setattr(beliefs.best_reply_to_mixture, "__kwdefaults__", {"max_nodes": 50})
    game = eqenvs.make("random_markov_game", horizon=6)
    found = score(game, MixturePolicy([random_tables(game, 0), random_tables(game, 1)], [0.5, 0.5]))
    assert found.cce_gap is None
    assert found.ce_gap == found.markov_ce_gap  # who hears its own policy knows what was drawn
    least, most = found.detail["cce_gap_bounds"]
    assert found.markov_cce_gap <= least < most
    assert "ce_gap_bounds" not in found.detail
    assert found.kind == "lower_bound"
    assert found.markov_cce_gap > 0
    assert "pairs of a state and a belief at step" in found.detail["gaps"]


def test_markov_replies_are_at_least_as_good_as_all_pure_ones():
    game = eqenvs.make("random_markov_game", num_states=2, horizon=3, action_counts="2x2", branching=2)
    model = game.model()
    tables = [random_tables(game, seed) for seed in range(3)]
    device = MixturePolicy(tables, [0.2, 0.3, 0.5])
    found = score(model, device)
    total = 0.0
    for player in range(2):
        best = -np.inf
        for pure in product(range(2), repeat=6):
            deviating = []
            for table in tables:
                own = list(table.tables)
                own[player] = np.eye(2)[list(pure)]
                deviating.append(expected_returns(model, TabularPolicy(model, own))[player])
            best = max(best, float(device.weights @ deviating))
        total += max(0.0, best - found.values[player])
    assert found.markov_cce_gap == pytest.approx(total, abs=1e-12)


def test_any_policy_is_tabulated_once_over_all_states():
    game = eqenvs.make("random_markov_game", horizon=2)
    seen = FunctionPolicy(lambda player, observations, masks: masks / masks.sum(axis=1, keepdims=True))
    assert score(game, seen).nash_conv == score(game, uniform(game)).nash_conv
    assert tabulate(game, seen).tables[0].shape == (10, 2)


@pytest.mark.parametrize(
    ("distributions", "message"),
    [
        (np.full((5, 2, 2), 0.3), r"decision point \[0\] must be non-negative, sum to 1"),
        (np.full((4, 2, 2), 0.25), r"must have shape \(5, 2, 2\), got \(4, 2, 2\)"),
        (np.full((5, 2, 2), np.nan), "sum to 1"),
    ],
)
def test_bad_devices_are_refused(distributions, message):
    with pytest.raises(eqenvs.InputError, match=message):
        MarkovCorrelatedPolicy(eqenvs.make("random_markov_game"), distributions)


def test_devices_of_states_need_a_markov_game():
    with pytest.raises(eqenvs.InputError, match="needs a Markov game"):
        MarkovCorrelatedPolicy(eqenvs.make("kuhn_poker"), np.zeros((6, 2, 2)))


def test_only_games_with_a_horizon_unfold():
    with pytest.raises(eqenvs.InputError, match="no end"):
        eqenvs.unfold(eqenvs.make("random_markov_game"))
    with pytest.raises(eqenvs.InputError, match="only Markov games"):
        eqenvs.unfold(eqenvs.make("kuhn_poker"))
