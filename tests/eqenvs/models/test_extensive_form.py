"""The sequence form against the plain tree: plans, Kuhn's theorem, best responses."""

from __future__ import annotations

import itertools

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import eqenvs
from eqenvs.games.extensive_form.kuhn_poker import KuhnPoker
from eqenvs.models.enumeration import enumerate_rules
from eqenvs.policies import TabularPolicy, uniform
from eqenvs.rules import TERMINAL
from eqenvs.testing import expected_payoffs

KUHN = eqenvs.make("kuhn_poker")
KUHN_3 = eqenvs.make("kuhn_poker", num_players=3)
LEDUC = eqenvs.make("leduc_poker", suit_isomorphism=True)
TOLERANCE = 1e-12  # sums of at most some thousand products of probabilities


def terminal_distribution(model, tables):
    """The probability of every terminal history, by walking the tree history by history."""
    reach = np.ones(len(model.parent))
    for h in range(1, len(model.parent)):
        above = model.parent[h]
        mover = model.player[above]
        edge = model.chance[h] if mover < 0 else tables[mover][model.infoset[above], model.action[h]]
        reach[h] = reach[above] * edge
    return reach[model.terminals]


def normalised(weights, states):
    """Non-negative weights as a table; rows without any become uniform."""
    weights = weights * states.masks
    total = weights.sum(axis=1, keepdims=True)
    return np.where(total > 0, weights / np.where(total > 0, total, 1), states.uniform())


def random_table(states, rng):
    return normalised(rng.exponential(size=states.masks.shape), states)


def weights_for(game, count=None):
    """Integer weights for one player's table, zeros likely: sequences that are never played are the hard part."""
    shape = game.information_states[0].masks.shape
    return hnp.arrays(np.int64, shape if count is None else (count, *shape), elements=st.integers(0, 3))


@pytest.mark.parametrize("game", [KUHN, KUHN_3, LEDUC], ids=str)
def test_the_distribution_over_ends_sums_to_one(game):
    model = game.model()
    assert terminal_distribution(model, uniform(game).tables).sum() == pytest.approx(1, abs=1e-10)


@pytest.mark.parametrize("game", [KUHN, KUHN_3, LEDUC], ids=str)
def test_plans_multiply_to_the_distribution_over_ends(game):
    model, rng = game.model(), np.random.default_rng(1)
    tables = [random_table(states, rng) for states in model.information_states]
    product = model.chance_reach.copy()
    for player, (treeplex, table) in enumerate(zip(model.treeplexes, tables, strict=True)):
        product *= treeplex.realisation_plan(table)[model.terminal_sequences[:, player]]
    np.testing.assert_allclose(product, terminal_distribution(model, tables), atol=TOLERANCE)


@settings(max_examples=30, deadline=None)
@given(weights=weights_for(KUHN_3))
def test_a_plan_flows(weights):
    treeplex = KUHN_3.model().treeplexes[0]
    plan = treeplex.realisation_plan(normalised(weights, treeplex.states))
    assert plan[0] == 1
    assert (plan >= 0).all()
    out = np.bincount(treeplex.sequence_infoset[1:], weights=plan[1:], minlength=treeplex.num_infosets)
    np.testing.assert_allclose(out, plan[treeplex.parent_sequence], atol=TOLERANCE)


@settings(max_examples=30, deadline=None)
@given(weights=weights_for(KUHN_3))
def test_behaviour_and_plan_are_inverse_where_the_plan_arrives(weights):
    treeplex = KUHN_3.model().treeplexes[0]
    table = normalised(weights, treeplex.states)
    plan = treeplex.realisation_plan(table)
    back = treeplex.behaviour(plan)
    arrives = plan[treeplex.parent_sequence] > 0
    np.testing.assert_allclose(back[arrives], table[arrives], atol=TOLERANCE)
    np.testing.assert_array_equal(back[~arrives], treeplex.states.uniform()[~arrives])
    np.testing.assert_allclose(treeplex.realisation_plan(back), plan, atol=TOLERANCE)


@settings(max_examples=30, deadline=None)
@given(
    weights=weights_for(KUHN_3, 3),
    mixing=st.lists(st.integers(0, 4), min_size=3, max_size=3).filter(any),
    player=st.integers(0, 2),
)
def test_a_mixture_has_the_distribution_over_ends_of_its_equivalent_behaviour(weights, mixing, player):
    """Kuhn's theorem, against any fixed policies of the others."""
    model = KUHN_3.model()
    others = [random_table(states, np.random.default_rng(2)) for states in model.information_states]
    tables = np.stack([normalised(w, model.information_states[player]) for w in weights])
    probability = np.array(mixing) / sum(mixing)

    def ends(table):
        return terminal_distribution(model, [*others[:player], table, *others[player + 1 :]])

    mixed = sum(p * ends(table) for p, table in zip(probability, tables, strict=True))
    np.testing.assert_allclose(ends(model.mix(player, tables, probability)), mixed, atol=TOLERANCE)


def test_mixing_behaviour_row_by_row_would_be_wrong():
    """The case that Kuhn's theorem is about: the first move tells which component was drawn."""
    nodes_player = 1
    model = KUHN_3.model()
    rng = np.random.default_rng(0)
    tables = np.stack([random_table(model.information_states[nodes_player], rng) for _ in range(2)])
    assert not np.allclose(model.mix(nodes_player, tables, np.array([0.5, 0.5])), tables.mean(axis=0), atol=1e-3)


@pytest.mark.parametrize("game", [KUHN, KUHN_3, LEDUC], ids=str)
def test_the_gradient_gives_the_expected_payoff(game):
    model, rng = game.model(), np.random.default_rng(3)
    tables = [random_table(states, rng) for states in model.information_states]
    plans = [t.realisation_plan(table) for t, table in zip(model.treeplexes, tables, strict=True)]
    expected = expected_payoffs(game, TabularPolicy(game, tables))
    found = [model.gradient(p, plans) @ plans[p] for p in range(model.num_players)]
    np.testing.assert_allclose(found, expected, atol=1e-11)


@pytest.mark.parametrize("player", [0, 1])
def test_a_best_response_is_the_best_of_all_pure_strategies(player):
    model = KUHN.model()
    rng = np.random.default_rng(4)
    tables = [random_table(states, rng) for states in model.information_states]
    values = []
    for choice in itertools.product(range(2), repeat=6):
        pure = np.eye(2)[list(choice)]
        joint = [pure, tables[1]] if player == 0 else [tables[0], pure]
        values.append(terminal_distribution(model, joint) @ model.payoffs[:, player])
    plans = [t.realisation_plan(table) for t, table in zip(model.treeplexes, tables, strict=True)]
    value, table = model.treeplexes[player].best_response(model.gradient(player, plans))
    assert value == pytest.approx(max(values), abs=TOLERANCE)
    joint = [table, tables[1]] if player == 0 else [tables[0], table]
    assert terminal_distribution(model, joint) @ model.payoffs[:, player] == pytest.approx(value, abs=TOLERANCE)
    assert set(np.unique(table)) == {0, 1}


def test_a_best_response_plays_legally_and_takes_the_first_of_equals():
    treeplex = LEDUC.model().treeplexes[0]
    value, table = treeplex.best_response(np.zeros(treeplex.num_sequences))
    assert value == 0
    np.testing.assert_array_equal(table.argmax(axis=1), treeplex.states.masks.argmax(axis=1))
    assert (table.sum(axis=1) == 1).all()


def test_nothing_writes_to_its_arguments():
    model = LEDUC.model()
    treeplex = model.treeplexes[0]
    table = uniform(LEDUC).tables[0].copy()
    plan = treeplex.realisation_plan(table)
    gradient = model.gradient(1, [plan, plan])
    stack, weights = np.stack([table, table]), np.array([0.5, 0.5])
    arguments = (table, plan, gradient, stack, weights)
    before = [array.copy() for array in arguments]
    treeplex.behaviour(plan)
    treeplex.best_response(gradient)
    treeplex.mix(stack, weights)
    model.gradient(0, [plan, plan])
    for array, copy in zip(arguments, before, strict=True):
        np.testing.assert_array_equal(array, copy)


class Transformed(KuhnPoker):
    """Kuhn poker paying `scale * payoff + shift` at the end."""

    def __init__(self, scale, shift):
        super().__init__()
        self.scale, self.shift = scale, shift

    def apply(self, state, actions):
        after, rewards = super().apply(state, actions)
        over = (self.turn(after) == TERMINAL)[:, None]
        return after, np.where(over, self.scale * rewards + self.shift, 0.0)


@settings(max_examples=15, deadline=None)
@given(
    scale=st.floats(1e-2, 1e2),
    shift=st.floats(-1e2, 1e2),
    seed=st.integers(0, 2**16),
    player=st.integers(0, 1),
)
def test_best_responses_survive_a_shift_and_scale_of_payoffs(scale, shift, seed, player):
    plain, moved = KUHN.model(), enumerate_rules(Transformed(scale, shift), name="transformed")
    rng = np.random.default_rng(seed)
    tables = [random_table(states, rng) for states in plain.information_states]
    plans = [t.realisation_plan(table) for t, table in zip(plain.treeplexes, tables, strict=True)]
    gradient = plain.gradient(player, plans)
    best, _ = plain.treeplexes[player].best_response(gradient)
    value, response = moved.treeplexes[player].best_response(moved.gradient(player, plans))
    tolerance = 1e-12 * (scale + abs(shift) + 1) * 10
    assert value == pytest.approx(scale * best + shift, abs=tolerance)
    achieved = float(gradient @ plain.treeplexes[player].realisation_plan(response))
    assert achieved == pytest.approx(best, abs=tolerance / scale)  # no better reply was overlooked
