"""The compiled passes against the models' own, in numpy."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import numpy as np
import pytest

import eqenvs
from eqenvs.models import ExtensiveFormModel
from eqenvs.policies import TabularPolicy, uniform
from eqsolvers.scoring import score
from eqsolvers.scoring._sequence_form import SequenceFormEvaluator, sequence_form


def build(game_id: str, parameters: dict[str, Any]) -> ExtensiveFormModel:
    model = eqenvs.make(game_id, **parameters).model()
    assert isinstance(model, ExtensiveFormModel)
    return model


def random_tables(model: ExtensiveFormModel, seed: int) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    tables = []
    for states in model.information_states:
        weights = rng.random(states.masks.shape) * states.masks * (rng.random(states.masks.shape) < 0.7)
        weights[weights.sum(axis=1) == 0] = 1.0
        weights = weights * states.masks
        tables.append(weights / weights.sum(axis=1, keepdims=True))
    return tables


GAMES = [
    ("kuhn_poker", {}),
    ("leduc_poker", {}),  # rows of two and of three actions
    ("liars_dice", {"num_faces": 4}),
    ("kuhn_poker", {"num_players": 4}),
    ("random_tree", {"num_players": 3, "zero_sum": False}),
    ("signalling", {"num_messages": 2, "num_actions": 5}),  # a single level, and wider for one player
    ("dark_hex", {"board_size": 2}),  # a player's sets differ in their numbers of actions
]


@pytest.mark.parametrize(("game_id", "parameters"), GAMES)
def test_plans_gradients_and_best_responses_are_the_models_own(game_id: str, parameters: dict[str, Any]) -> None:
    model = build(game_id, parameters)
    form = sequence_form(model)
    for seed in range(3):
        tables = [states.uniform() for states in model.information_states] if seed == 0 else random_tables(model, seed)
        plan = form.plan(tables)
        gradient, values = form.collected(plan)
        best, worth = form.best_responses(gradient)
        plans = [treeplex.realisation_plan(table) for treeplex, table in zip(model.treeplexes, tables, strict=True)]
        n = len(plans)
        np.testing.assert_array_equal(plan, np.concatenate([np.ones(n), *(own[1:] for own in plans)]))
        expected = [model.gradient(player, plans) for player in range(n)]
        joined = np.concatenate([[own[0] for own in expected], *(own[1:] for own in expected)])
        np.testing.assert_allclose(gradient, joined, rtol=0, atol=1e-13)
        for player, (treeplex, own) in enumerate(zip(model.treeplexes, expected, strict=True)):
            assert values[player] == pytest.approx(float(own @ plans[player]), abs=1e-12)
            value, _ = treeplex.best_response(own)
            assert best[player] == pytest.approx(value, abs=1e-12)
            # Equal values may be told apart by rounding, so the response is judged by what it earns.
            table = form.table(player, worth)
            assert set(np.unique(table)) <= {0.0, 1.0}
            assert (table.sum(axis=1) == 1).all()
            assert float(own @ treeplex.realisation_plan(table)) == pytest.approx(value, abs=1e-12)


@pytest.mark.parametrize(("game_id", "parameters"), GAMES)
def test_score_is_what_numpy_says(game_id: str, parameters: dict[str, Any]) -> None:
    model = build(game_id, parameters)
    tables = random_tables(model, 9)
    plans = [treeplex.realisation_plan(table) for treeplex, table in zip(model.treeplexes, tables, strict=True)]
    gradients = [model.gradient(player, plans) for player in range(len(plans))]
    values = np.array([gradient @ plan for gradient, plan in zip(gradients, plans, strict=True)])
    best = [t.best_response(gradient)[0] for t, gradient in zip(model.treeplexes, gradients, strict=True)]
    scored = score(model, TabularPolicy(model, tables))
    np.testing.assert_allclose(scored.values, values, rtol=0, atol=1e-12)
    np.testing.assert_allclose(scored.gains, best - values, rtol=0, atol=1e-12)


def test_first_of_equal_actions_is_the_response() -> None:
    model = build("kuhn_poker", {})
    form = sequence_form(model)
    _, worth = form.best_responses(np.zeros(len(form.plan([s.uniform() for s in model.information_states]))))
    for player in range(2):
        np.testing.assert_array_equal(form.table(player, worth), np.eye(2)[np.zeros(6, dtype=int)])


def test_tables_in_any_memory_order_score_the_same() -> None:
    model = build("leduc_poker", {"suit_isomorphism": True})
    tables = random_tables(model, 1)
    columns = [np.asfortranarray(table) for table in tables]
    assert score(model, TabularPolicy(model, columns)).to_dict() == score(model, TabularPolicy(model, tables)).to_dict()
    form = sequence_form(model)
    np.testing.assert_array_equal(form.plan(columns), form.plan(tables))


def test_layout_is_made_once_and_dropped_with_its_model() -> None:
    model = build("kuhn_poker", {})
    score(model, uniform(model))
    form = sequence_form(model)
    assert isinstance(form, SequenceFormEvaluator)
    assert sequence_form(model) is form
    gone = weakref.ref(model)
    del model
    gc.collect()
    assert gone() is None
