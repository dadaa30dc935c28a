"""The reduced normal form against counting, the plain tree, and the extensive form's own scores."""

from __future__ import annotations

import itertools
import pickle
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import eqenvs
from eqenvs.arrays import namespace
from eqenvs.errors import GameTooLargeError, InputError
from eqenvs.models import ExtensiveFormModel
from eqenvs.models.enumeration import enumerate_rules
from eqenvs.models.normal_form_view import NormalFormView, count_strategies, normal_form_view
from eqenvs.policies import TabularPolicy
from eqenvs.rules import TERMINAL, Rules
from eqsolvers.normal_form.lp import solve
from eqsolvers.scoring import score


def build(game_id: str, **parameters: Any) -> ExtensiveFormModel:
    model = eqenvs.make(game_id, **parameters).model()
    assert isinstance(model, ExtensiveFormModel)
    return model


def random_tables(model: ExtensiveFormModel, seed: int) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    tables = []
    for states in model.information_states:
        weights = rng.random(states.masks.shape) * states.masks
        tables.append(weights / weights.sum(axis=1, keepdims=True))
    return tables


class EntryState(NamedTuple):
    """A batch of games; -1 stands for a move that has not been made."""

    moves: Any  # [B, 3]


class Entry(Rules[EntryState]):
    """Player 0 stays out (paid 1, 5) or goes in; player 1, who sees which, answers 0, 1 or 2; after answer 2 player 0
    chooses again. Two actions against three, and a choice that an earlier one excludes.
    """

    num_players = 2
    num_actions = (2, 3)
    num_chance_outcomes = 0
    observation_size = 1

    def initial_state(self, batch: int, xp: Any, device: Any = None) -> Any:
        return EntryState(xp.full((batch, 3), -1, dtype=xp.int64, device=device))

    def turn(self, state: Any) -> Any:
        moves, xp = state.moves, namespace(state.moves)
        later = xp.where(moves[:, 1] < 0, 1, xp.where((moves[:, 1] == 2) & (moves[:, 2] < 0), 0, TERMINAL))
        return xp.where(moves[:, 0] < 0, 0, xp.where(moves[:, 0] == 0, TERMINAL, later))

    def legal_actions(self, state: Any, player: Any) -> Any:
        return np.arange(3)[None] < np.array(self.num_actions)[player][:, None]

    def apply(self, state: Any, actions: Any) -> Any:
        moves = state.moves.copy()
        column = (moves >= 0).sum(axis=1)
        live = self.turn(state) != TERMINAL
        moves[np.flatnonzero(live), column[live]] = actions[live]
        after = EntryState(moves)
        ends = live & (self.turn(after) == TERMINAL)
        code = moves @ np.array([100, 10, 1])
        pays = np.stack([code + 0.5, 7.0 - 3 * moves[:, 1] + moves[:, 2]], axis=1)
        pays = np.where((moves[:, 0] == 0)[:, None], [1.0, 5.0], pays)
        return after, np.where(ends[:, None], pays, 0.0)

    def observation(self, state: Any, player: Any) -> Any:
        return np.zeros((len(player), 1), dtype=np.float32)

    def information_state(self, state: Any, player: Any) -> Any:
        return state.moves


# ------------------------------------------------------------------------------------------------------------- counting


@pytest.mark.parametrize(("game_id", "parameters", "strategies"), [
    # Of each card, player 0 bets, or passes and then folds or calls: 3^3. Player 1 answers both: 4^3.
    ("kuhn_poker", {}, (27, 64)),
    # By type a message; by message an answer.
    ("signalling", {"num_types": 2, "num_messages": 3, "num_actions": 4}, (9, 64)),
    # Player 1 sees its own card (3) and the action (2), player 0 its card alone; two actions each.
    ("tiny_hanabi", {"variant": "F"}, (2**3, 2**6)),
])  # fmt: skip
def test_reduced_strategies_are_as_many_as_counted(
    game_id: str, parameters: dict[str, Any], strategies: tuple[int, ...]
) -> None:
    view = normal_form_view(build(game_id, **parameters))
    assert view.num_actions == strategies
    for plans in view.plans:
        assert len(np.unique(plans, axis=0)) == len(plans)


@pytest.mark.parametrize(("game_id", "parameters"), [
    ("kuhn_poker", {}),
    ("random_tree", {"depth": 4, "branching": 2, "zero_sum": False}),
])  # fmt: skip
def test_reduced_strategies_are_the_pure_policies_with_excluded_choices_merged(
    game_id: str, parameters: dict[str, Any]
) -> None:
    model = build(game_id, **parameters)
    view = normal_form_view(model)
    for treeplex, plans in zip(model.treeplexes, view.plans, strict=True):
        options = [np.eye(len(mask))[np.flatnonzero(mask)] for mask in treeplex.states.masks]
        merged = {treeplex.realisation_plan(np.array(rows)).tobytes() for rows in itertools.product(*options)}
        assert {plan.tobytes() for plan in plans} == merged
        assert count_strategies(treeplex) == len(merged)


def action_at(view: NormalFormView, player: int, strategy: int) -> dict[int, int]:
    """What a strategy does: {information set: action} for those that it does not exclude."""
    treeplex = view.source.treeplexes[player]
    used = 1 + np.flatnonzero(view.plans[player][strategy, 1:])
    return dict(zip(treeplex.sequence_infoset[used].tolist(), treeplex.sequence_action[used].tolist(), strict=True))


def test_asymmetric_game_is_the_matrix_worked_by_hand() -> None:
    """Rows: out; in, then 0; in, then 1. Columns: the answers."""
    view = normal_form_view(enumerate_rules(Entry(), name="entry"))
    np.testing.assert_array_equal(view.payoffs[0], [[1, 1, 1], [99.5, 109.5, 120.5], [99.5, 109.5, 121.5]])
    np.testing.assert_array_equal(view.payoffs[1], [[5, 5, 5], [6, 3, 1], [6, 3, 2]])
    assert [action_at(view, 0, s) for s in range(3)] == [{0: 0}, {0: 1, 1: 0}, {0: 1, 1: 1}]
    assert [action_at(view, 1, s) for s in range(3)] == [{0: 0}, {0: 1}, {0: 2}]
    np.testing.assert_array_equal(view.behaviour(0, [0.5, 0.25, 0.25]), [[0.5, 0.5], [0.5, 0.5]])
    np.testing.assert_array_equal(view.behaviour(0, [0.0, 0.25, 0.75]), [[0.0, 1.0], [0.25, 0.75]])


# ---------------------------------------------------------------------------------------------------------- equivalence


def test_matrix_of_kuhn_has_its_value_and_the_solution_is_an_equilibrium_of_the_tree() -> None:
    model = build("kuhn_poker")
    view = normal_form_view(model)
    found = solve(view)
    assert score(view, found.policy).values[0] == pytest.approx(-1 / 18, abs=1e-12)
    back = TabularPolicy(model, [view.behaviour(p, table[0]) for p, table in enumerate(found.policy.tables)])
    assert score(model, back).nash_conv == pytest.approx(0, abs=1e-9)


VIEWS: dict[str, NormalFormView] = {
    name: normal_form_view(model)
    for name, model in {
        "kuhn": build("kuhn_poker"),
        "entry": enumerate_rules(Entry(), name="entry"),
        "signals": build("signalling", num_types=2, num_messages=3, num_actions=4),
        "three players": build("random_tree", depth=4, branching=2, num_players=3, correlation=0.2, seed=1),
    }.items()
}


@settings(max_examples=40, deadline=None)
@given(name=st.sampled_from(sorted(VIEWS)), seed=st.integers(0, 10**6))
def test_values_and_gains_are_the_same_in_both_forms(name: str, seed: int) -> None:
    view = VIEWS[name]
    model = view.source
    tables = random_tables(model, seed)
    strategies = [view.strategy(p, table) for p, table in enumerate(tables)]
    in_tree, in_matrix = score(model, TabularPolicy(model, tables)), score(view, TabularPolicy(view, strategies))
    np.testing.assert_allclose(in_matrix.values, in_tree.values, atol=1e-12)
    np.testing.assert_allclose(in_matrix.gains, in_tree.gains, atol=1e-12)

    rng = np.random.default_rng(seed)  # and from strategies that are no product of behaviours
    mixed = [rng.dirichlet(np.full(size, 0.3)) for size in view.num_actions]
    back = TabularPolicy(model, [view.behaviour(p, strategy) for p, strategy in enumerate(mixed)])
    scored = score(view, TabularPolicy(view, mixed))
    np.testing.assert_allclose(score(model, back).values, scored.values, atol=1e-12)
    np.testing.assert_allclose(score(model, back).gains, scored.gains, atol=1e-12)


def test_behaviour_comes_back_from_its_own_strategy() -> None:
    view = VIEWS["kuhn"]
    for player, table in enumerate(random_tables(view.source, 3)):
        np.testing.assert_allclose(view.behaviour(player, view.strategy(player, table)), table, atol=1e-12)


def test_view_travels_with_its_way_back() -> None:
    view = pickle.loads(pickle.dumps(VIEWS["entry"]))
    np.testing.assert_array_equal(view.payoffs, VIEWS["entry"].payoffs)
    assert action_at(view, 0, 0) == {0: 0}


# --------------------------------------------------------------------------------------------------------------- errors


def test_too_many_strategies_are_refused_before_anything_is_made() -> None:
    with pytest.raises(GameTooLargeError, match=r"player 1 has 64 reduced strategies, the limit is max_strategies=63"):
        normal_form_view(build("kuhn_poker"), max_strategies=63)
    # 2 * 27 * 64 payoffs and (27 + 64) * 13 entries of plans.
    with pytest.raises(GameTooLargeError, match=r"have 4,639 numbers, the limit is max_numbers=4,638"):
        normal_form_view(build("kuhn_poker"), max_numbers=4_638)
    assert normal_form_view(build("kuhn_poker"), max_strategies=64, max_numbers=4_639).num_actions == (27, 64)
    with pytest.raises(GameTooLargeError, match=r"player 0 has about 6\.3e\+44 reduced strategies"):
        normal_form_view(build("leduc_poker"))


def test_mixture_of_the_wrong_length_is_an_error() -> None:
    with pytest.raises(InputError, match="player 1 has 64 strategies, got a mixture over 27"):
        VIEWS["kuhn"].behaviour(1, np.full(27, 1 / 27))
