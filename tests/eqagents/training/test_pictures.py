"""Pictures show what the policy does, draw no random numbers, and leave out what is too large."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch

import eqenvs
from eqagents.training import pictures as module
from eqagents.training.pictures import MAX_ROWS, due, pictures
from eqenvs.policies import CorrelatedStrategy, FunctionPolicy, MixturePolicy, ProductPolicy, TabularPolicy, uniform

META_GAME = {
    "payoffs": [[[0.5, -1.0, None], [0.0, 0.25, 2.0]], [[-0.5, 1.0, None], [0.0, -0.25, -2.0]]],
    "meta_strategies": [[0.25, 0.75], [0.5, 0.5, 0.0]],
    "labels": [["uniform", "response 1"], ["uniform", "response 1", "response 2"]],
}


def random_policy(game, seed):
    rng = np.random.default_rng(seed)
    tables = []
    for states in game.information_states:
        weights = rng.random(states.masks.shape) * states.masks
        tables.append(weights / weights.sum(axis=1, keepdims=True))
    return TabularPolicy(game, tables)


def test_strategy_is_the_policys_table_and_illegal_actions_are_unknown():
    game = eqenvs.make("leduc_poker")
    policy = random_policy(game, 0)
    found = pictures(game, policy, {})
    assert list(found) == ["strategy/player_0", "strategy/player_1"]
    for player, shown in enumerate(found.values()):
        legal = game.information_states[player].masks[:MAX_ROWS]
        np.testing.assert_array_equal(np.isnan(shown.values), ~legal)
        np.testing.assert_array_equal(shown.values[legal], policy.tables[player][:MAX_ROWS][legal])
        assert shown.row_labels == game.information_state_labels(player)[:MAX_ROWS]
        assert shown.column_labels == game.action_labels(player)
        assert shown.limit == 1


def test_policy_that_is_a_function_is_asked_about_the_rows_that_are_shown_only():
    game = eqenvs.make("leduc_poker")
    asked = []

    def last_legal(player, observations, masks):
        asked.append(len(masks))
        return np.eye(masks.shape[1])[masks.shape[1] - 1 - masks[:, ::-1].argmax(axis=1)]

    shown = pictures(game, FunctionPolicy(last_legal), {})["strategy/player_1"]
    assert asked == [MAX_ROWS, MAX_ROWS]
    expected = [np.flatnonzero(mask)[-1] for mask in game.information_states[1].masks[:MAX_ROWS]]
    assert np.nan_to_num(shown.values).argmax(axis=1).tolist() == expected


def test_of_a_correlation_device_each_players_own_part_is_shown():
    game = eqenvs.make("chicken")
    device = CorrelatedStrategy(game, [[0.5, 0.2], [0.3, 0.0]])
    found = pictures(game, device, {})
    np.testing.assert_allclose(found["strategy/player_0"].values, [[0.7, 0.3]], atol=1e-15)
    np.testing.assert_allclose(found["strategy/player_1"].values, [[0.8, 0.2]], atol=1e-15)
    pure = [TabularPolicy(game, [[1.0, 0.0], [1.0, 0.0]]), TabularPolicy(game, [[0.0, 1.0], [1.0, 0.0]])]
    found = pictures(game, MixturePolicy(pure, [0.25, 0.75]), {})
    np.testing.assert_allclose(found["strategy/player_0"].values, [[0.25, 0.75]], atol=1e-15)
    np.testing.assert_allclose(found["strategy/player_1"].values, [[1.0, 0.0]], atol=1e-15)


def test_private_mixture_is_shown_as_the_policy_that_it_amounts_to():
    game = eqenvs.make("kuhn_poker")
    first, second = random_policy(game, 1), random_policy(game, 2)
    mixture = MixturePolicy([first, second], [0.4, 0.6])
    shown = pictures(game, ProductPolicy([mixture, second]), {})
    expected = game.model().mix(0, np.stack([first.tables[0], second.tables[0]]), np.array([0.4, 0.6]))
    np.testing.assert_allclose(shown["strategy/player_0"].values, expected, atol=1e-15)
    np.testing.assert_array_equal(shown["strategy/player_1"].values, second.tables[1])


def test_mean_field_is_the_flow_of_the_policy_and_keeps_its_mass():
    game = eqenvs.make("crowd_1d")
    model, policy = game.model(), random_policy(game, 3)
    shown = pictures(game, policy, {})["population/mean_field_0"]
    assert shown.values.shape == (model.horizon, model.num_states)
    np.testing.assert_allclose(shown.values, model.flow(model.as_array(policy.tables))[:, 0], atol=1e-15)


def test_mean_field_under_common_noise_is_the_mean_over_histories():
    game = eqenvs.make("beach_bar", size=6, horizon=4, closing=0.3)
    model = game.model()
    policy = random_policy(game, 4)
    shown = pictures(game, policy, {})["population/mean_field_0"]
    assert len(model.moments.time) > model.horizon == len(shown.values)
    np.testing.assert_allclose(shown.values.sum(axis=1), 1.0, atol=1e-12)
    flow = model.flow(model.as_array(policy.tables))
    last = model.moments.time == model.horizon - 1
    expected = model.moments.reach[last] @ flow[last, 0]
    np.testing.assert_allclose(shown.values[-1], expected, atol=1e-14)


def test_without_a_horizon_the_population_is_shown_at_rest():
    game = eqenvs.make("contraction_game")
    model, policy = game.model(), uniform(game)
    shown = pictures(game, policy, {})["population/mean_field_0"]
    assert shown.row_labels == ["at rest"]
    after = model.advance(shown.values, model.as_array(policy.tables))
    np.testing.assert_allclose(after, shown.values, atol=1e-12)


def test_meta_game_is_the_reports():
    shown = pictures(eqenvs.make("kuhn_poker"), None, {"meta_game": META_GAME})
    assert list(shown) == ["population/meta_game"]
    np.testing.assert_array_equal(shown["population/meta_game"].values, [[0.5, -1.0, np.nan], [0.0, 0.25, 2.0]])
    assert shown["population/meta_game"].row_weights == [0.25, 0.75]
    assert shown["population/meta_game"].column_weights == [0.5, 0.5, 0.0]


def test_no_random_number_is_drawn():
    game = eqenvs.make("kuhn_poker")
    before = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()  # noqa: NPY002
    pictures(game, uniform(game), {"meta_game": META_GAME})
    after = random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()  # noqa: NPY002
    assert before == after


def test_what_is_too_large_is_left_out(monkeypatch):
    huge = eqenvs.make("dark_hex", board_size=5)
    assert not huge.exact
    assert pictures(huge, lambda player, states: states.uniform(), {}) == {}
    game = eqenvs.make("kuhn_poker")
    policy = uniform(game)
    monkeypatch.setattr(module, "MAX_NUMBERS", 20)  # of a table: 12
    assert list(pictures(game, policy, {})) == ["strategy/player_0", "strategy/player_1"]
    assert pictures(game, MixturePolicy([policy, policy], [0.5, 0.5]), {}) == {}
    crowd = eqenvs.make("crowd_1d")
    assert [name for name in pictures(crowd, uniform(crowd), {}) if "mean_field" in name] == []
    monkeypatch.setattr(module, "MAX_ACTIONS", 1)
    assert pictures(game, policy, {}) == {}


def test_pictures_are_due_ever_more_rarely():
    assert sum(due(scores) for scores in range(1, 100_001)) == 17


@pytest.mark.parametrize("game_id", ["rock_paper_scissors", "grid_soccer", "liars_dice", "sis", "predator_prey"])
def test_every_family_has_pictures(game_id):
    game = eqenvs.make(game_id)
    found = pictures(game, uniform(game), {})
    assert len([name for name in found if name.startswith("strategy/")]) == len(game.information_states)
    assert all(shown.values.shape == (len(shown.row_labels), len(shown.column_labels)) for shown in found.values())
